"""How much a typeface has of each set, and what its licence asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont

from fontgan.complete.coverage import cover
from fontgan.data import charset
from fontgan.data.image_source import name_from_char
from tests.fontfile.test_fontfile import FORBIDDING, OFL, licensed
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, Here, part_of


def told(here: Here, target: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    out = folder / "coverage.json"
    result = here("coverage", f"target={target}", f"out={out}", "overwrite=true")
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
    assert {"gb2312-1", "gb2312", "tgh", "ascii"} <= set(sets)
    for name, one in sets.items():
        wanted = charset.resolve(name) or []
        assert one["of"] == len(wanted)
        assert one["has"] == len(there & set(wanted))
        assert set(one["missing"]) == set(wanted) - there
    shares = [one["has"] / one["of"] for one in found["sets"]]
    assert shares == sorted(shares, reverse=True)
    assert f"{sets['gb2312-1']['has']} of 3755" in said
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


def test_what_is_wrong_is_said_in_one_line(refused, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("mine")
    assert "no such font" in refused("coverage", "target=nowhere.ttf")
    assert "ends in .json" in refused("coverage", f"target={BRUSH}", "out=coverage.txt")
    assert "overwrite=true" in refused("coverage", f"target={BRUSH}", f"out={tmp_path / 'mine.json'}")
    assert (tmp_path / "mine.json").read_text() == "mine"
