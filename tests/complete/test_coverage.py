"""How much a typeface has of each set, and what its licence asks for."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont

from fontgan.complete.coverage import Licence, cover, sets_of
from fontgan.data import charset
from fontgan.data.charset_sets import GROUPS, NAMED
from fontgan.data.image_source import name_from_char
from fontgan.data.region import region_of
from fontgan.report.coverage import to_page
from tests.fontfile.test_fontfile import FORBIDDING, OFL, licensed
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, Here, part_of


def told(here: Here, target: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    out = folder / "coverage.json"
    result = here("coverage", f"font={target}", f"out={out}", "overwrite=true")
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("font", [SOURCE, KAI, BRUSH, XIAOWEI], ids=lambda font: font.stem)
def test_a_bundled_font_has_what_its_cmap_has(font: Path, here: Here, tmp_path: Path) -> None:
    said, found = told(here, font, tmp_path)
    with TTFont(font) as opened:
        there = set(map(chr, opened.getBestCmap()))
        assert found["family"] == opened["name"].getBestFamilyName()
    assert set(found["characters"]) == there
    assert (found["region"], found["source"], found["charset"]) == ("simplified Chinese", "shelf:sans", "gb2312-1")
    sets = {one["name"]: one for one in found["sets"]}
    assert list(sets)[: len(GROUPS["simplified Chinese"])] == list(
        GROUPS["simplified Chinese"]
    )  # its region comes first
    assert set(sets) == set(NAMED)
    lines = {line.split()[1]: line for line in said.splitlines() if "%" in line}
    for name, one in sets.items():
        wanted = charset.resolve(name) or []
        assert one["of"] == len(wanted)
        assert one["has"] == len(there & set(wanted))
        assert set(one["missing"]) == set(wanted) - there
        assert f"{one['has']} of {one['of']} " in f"{lines[name]} "
        assert ("lacks" in lines[name]) == bool(one["missing"])
        assert lines[name].startswith(f"{100 * one['has'] // one['of']:4}%")
    assert found["licence"]["needs"] == ""  # one reserves the name of a font that it was made of
    assert found["licence"]["said"]


@pytest.mark.parametrize(
    ("licence", "needs", "why"),
    [
        ({"text": OFL, "copyright_text": "Copyright X, with Reserved Font Name 'Test'."}, "family", "another family="),
        ({"text": FORBIDDING["amid others"]}, "ownership", "confirm_ownership=true"),
        ({"text": "All rights reserved.", "fs_type": 2}, "ownership", "Restricted License"),
        ({"text": OFL}, "", ""),
    ],
    ids=["reserved name", "forbids changes", "restricted", "free"],
)
def test_what_a_licence_asks_for_is_told_and_refuses_nothing(
    licence: dict[str, Any], needs: str, why: str, here: Here, tmp_path: Path
) -> None:
    said, found = told(here, licensed(tmp_path / "font.ttf", **licence), tmp_path)
    assert found["licence"]["needs"] == needs
    assert why in found["licence"]["why"]
    assert bool(found["licence"]["why"]) == bool(needs)
    assert found["licence"]["why"] in said


def test_a_folder_of_images_has_the_characters_of_their_names_and_no_licence(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "hand"
    assert here("render", f"font={BRUSH}", f"out={folder}", "charset=永字天AB", "size=64").returncode == 0
    (folder / f"{name_from_char('天')}.png").unlink()
    _, found = told(here, folder, tmp_path)
    assert set(found["characters"]) == set("永字AB")
    assert found["licence"] is None
    assert found["family"] == ""
    assert {one["name"]: one["has"] for one in found["sets"]}["gb2312-1"] == 2


def test_the_set_to_complete_is_the_smallest_that_is_not_whole(tmp_path: Path) -> None:
    ascii_alone = part_of(BRUSH, "".join(map(chr, range(32, 127))), tmp_path / "latin.ttf")
    found = cover(str(ascii_alone))
    assert (found.region.name, found.charset) == ("Latin", "latin1")
    assert found.sets[0].name == "ascii"
    assert found.sets[0].missing == ""
    joined = next(each for each in found.sets if each.name == "latin1+latin-ext-a")
    assert (joined.group, joined.has, joined.of) == ("Latin", 94, 316)


def test_listed_characters_stand_after_their_code_points(here: Here, tmp_path: Path) -> None:
    font = part_of(BRUSH, "永字八法" + "".join(map(chr, range(32, 127))), tmp_path / "few.ttf")
    (tmp_path / "mine.txt").write_text("永字あ\u0301", encoding="utf-8")
    result = here("coverage", f"font={font}", f"list=[ASCII,gf-latin-core,bopomofo,{tmp_path / 'mine.txt'}]")
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert said[2] == "yours"  # a set that has no name stands first
    assert said[3].split()[:4] == ["50%", str(tmp_path / "mine.txt"), "2", "of"]
    assert "ascii: lacks nothing" in said
    few = said[said.index(f"{tmp_path / 'mine.txt'}: lacks 2") + 1]
    assert few == "U+3042  あ  U+0301  ◌\u0301"
    many = said.index("gf-latin-core: lacks 223")
    shown = "".join(line[8:] for line in said[many + 1 : many + 8])
    assert set(shown) - {"◌"} == set(charset.resolve("gf-latin-core") or ()) - set(charset.resolve("ascii") or ())
    assert said[many + 1].startswith("U+00A2  ¢£¥§")
    assert said.index("gf-latin-core: lacks 223") < said.index("bopomofo: lacks 43")


def test_a_table_for_a_spreadsheet(here: Here, tmp_path: Path) -> None:
    out = tmp_path / "coverage.csv"
    assert here("coverage", f"font={BRUSH}", "list=joyo", f"out={out}").returncode == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["set"] for row in rows] == [each.name for each in cover(str(BRUSH)).sets]
    by_name = {row["set"]: row for row in rows}
    joyo = by_name["joyo"]
    assert int(joyo["has"]) + int(joyo["lacks"]) == int(joyo["characters"]) == 2136
    assert len(joyo["lacking"]) == int(joyo["lacks"]) > 0
    assert by_name["gb2312"]["lacking"] == ""
    assert joyo["group"] == "Japanese"
    assert here("coverage", f"font={BRUSH}", "list=all", f"out={out}", "overwrite=true").returncode == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert all(len(row["lacking"]) == int(row["lacks"]) for row in rows)


def test_the_page_shows_filters_and_copies(here: Here, browser, tmp_path: Path) -> None:
    out = tmp_path / "coverage.html"
    assert here("coverage", f"font={BRUSH}", "list=[gf-latin-core,joyo]", f"out={out}").returncode == 0
    browser.get(out.as_uri())

    def by(script: str) -> Any:
        return browser.execute_script(f"return {script}")

    def shown() -> list[str]:
        return by("[...document.querySelectorAll('.set:not([hidden]) code')].map(each => each.textContent)")

    sets = {each.name: each for each in cover(str(BRUSH)).sets}
    assert shown() == list(sets)
    opened = "[...document.querySelectorAll('details.set[open]')]"
    assert by(f"{opened}.map(each => each.querySelector('code').textContent)") == ["gf-latin-core", "joyo"]
    assert by(f"{opened}[1].querySelector('.chars').lang") == "ja"
    assert (
        by(f"parseFloat(getComputedStyle({opened}[1].querySelector('.chars')).fontSize)") >= 24
    )  # large enough to read
    for place, name in enumerate(("gf-latin-core", "joyo")):
        assert by(f"lacking({opened}[{place}])") == sets[name].missing  # without the circles under marks
    browser.find_element("css selector", "details.set[open] [data-copy=codes]").click()
    assert by("document.querySelector('details.set[open] [data-copy=codes]').textContent") == "Copied"

    find = browser.find_element("id", "find")
    find.send_keys("jōyō U+00C9")  # by characters that sets lack; ō is one too
    assert shown() == [name for name, each in sets.items() if set(each.missing) & set("ōÉ")]
    find.clear()
    find.send_keys("常用漢字")  # by what a set is
    assert "joyo" in shown()
    find.clear()
    find.send_keys("TGH")
    assert shown() == ["tgh-1", "tgh-2", "tgh-3", "tgh"]
    find.clear()
    find.send_keys(" ")
    browser.find_element("css selector", "#which [value=whole]").click()
    assert shown() == [name for name, each in sets.items() if not each.missing]
    assert by("document.getElementById('showing').textContent") == f"{len(shown())} of {len(sets)} sets"
    for width in (1280, 390):
        browser.set_window_size(width, 900)
        assert by("document.documentElement.scrollWidth <= innerWidth")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_name_in_the_font_is_text_in_the_page(tmp_path: Path) -> None:
    found = replace(cover(str(BRUSH)), family="<script>alert(1)</script>", licence=Licence(["<b>bold</b>"]))
    page = to_page("<i>A.ttf", found, set())
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "<i>A" not in page


def test_a_large_font_is_counted_in_a_moment() -> None:
    has = charset.resolve("unihan-core+hangul+ascii") or []
    started = time.process_time()
    found = sets_of(region_of(has), has)
    assert time.process_time() - started < 2
    assert {each.name for each in found if not each.missing} >= {"unihan-core", "hangul", "tgh", "joyo", "hanja-1800"}


def test_what_is_wrong_is_said_in_one_line(refused, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("mine")
    assert "no such font" in refused("coverage", "font=nowhere.ttf")
    assert "ends in .csv or .json or .html" in refused("coverage", f"font={BRUSH}", "out=coverage.txt")
    assert "overwrite=true" in refused("coverage", f"font={BRUSH}", f"out={tmp_path / 'mine.json'}")
    assert (tmp_path / "mine.json").read_text() == "mine"
    assert "list=joio: no set of that name" in refused("coverage", f"font={BRUSH}", "list=[joyo,joio]")
    assert "list=font: a font lacks nothing" in refused("coverage", f"font={BRUSH}", "list=font")
    assert "no such file" in refused("coverage", f"font={BRUSH}", "list=nowhere.txt")
