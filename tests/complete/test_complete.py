"""fontgan complete, from a font that lacks characters to one that has them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from PIL import Image

from fontgan.complete.plan import plan_completion, script_of
from fontgan.data.charset_sets import NAMED
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame, clips
from fontgan.data.image_source import name_from_char
from fontgan.data.shelf import shelf_path
from fontgan.errors import DataError
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.ufo import read_ufo, write_ufo
from tests.fontfile.test_formats import assert_same_font, shaped
from tests.helpers import BRUSH, KAI, SOURCE, TINY, box, error_line, fontgan_here, make_font, open_page, part_of

HAS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"
LACKS = "永文字天高水"
TINY_TRAINING = [
    "init_from=null",
    *(setting for setting in TINY if not setting.startswith(("data.charset", "experiment"))),
]
FRAME = Frame(96, 16, 16)  # cell -> a canvas of 128 px


@pytest.fixture(scope="module", autouse=True)
def copying() -> Iterator[None]:
    """A network that draws what it reads, since four steps of training draw nothing but grey."""

    def copy(_: Any, batches: Iterator[Any], *__: Any, **___: Any) -> Iterator[Any]:
        yield from ((tag, inputs[:, 0]) for tag, inputs in batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fontgan.generate.inference.draw_pixels", copy)
        yield


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part_of(BRUSH, HAS + "ABCabc123 ", tmp_path_factory.mktemp("target") / "Brush.ttf")


def complete(target: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return fontgan_here(
        "complete",
        f"target={target}",
        f"source={SOURCE}",
        f"charset={HAS + LACKS}",
        f"out={out}",
        *TINY_TRAINING,
        *more,
    )


@pytest.mark.slow
def test_a_font_of_an_old_encoding_gets_unicode_beside_it(target: Path, tmp_path: Path) -> None:
    tables, codes = TTFont(target), {}
    for code, name in tables.getBestCmap().items():
        codes[int.from_bytes(chr(code).encode("gb2312"), "big")] = name
    old = CmapSubtable.newSubtable(2)
    old.platformID, old.platEncID, old.language, old.cmap = 3, 3, 0, codes
    tables["cmap"].tables = [old]
    tables.save(font := tmp_path / "Old.ttf")
    result = complete(font, out := tmp_path / "New.ttf", "trainer.max_steps=2")
    assert result.returncode == 0, result.stderr
    assert "its cmap 3,3 is read as GB 2312 and GBK" in result.stderr
    before, after = (
        {(table.platformID, table.platEncID): table for table in TTFont(file)["cmap"].tables} for file in (font, out)
    )
    assert set(after) == {(3, 1), (3, 3)}
    assert after[3, 3].data == before[3, 3].data
    assert set(map(ord, HAS + LACKS)) <= set(after[3, 1].cmap)


@pytest.mark.slow
def test_a_latin_font_gets_cyrillic_beside_what_it_had(tmp_path: Path) -> None:
    serif, sans = shelf_path("song"), shelf_path("sans")
    latin = [char for char in NAMED["ascii"]() if char.isalpha()]
    tables = TTFont(part_of(serif, "".join(latin) + " ", font := tmp_path / "Latin.otf"))
    names = tables.getBestCmap()
    pairs = "".join(f"pos {names[ord(a)]} {names[ord(b)]} -80;" for a, b in ("AV", "To", "Wa"))
    addOpenTypeFeaturesFromString(tables, f"feature kern {{ {pairs} }} kern;")
    tables.save(font)
    result = fontgan_here(
        "complete", f"target={font}", f"source={sans}", "charset=cyrillic", f"out={(out := tmp_path / 'Both.otf')}",
        "family=Both", "ocr=none", *TINY_TRAINING,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "learned from the 52 characters" in result.stderr  # of another alphabet than those that are made
    was, now, true = TTFont(font), TTFont(out), FontGlyphs(serif)
    for tag in ("GPOS", "GDEF"):
        assert now.reader[tag] == was.reader[tag] if tag in was else tag not in now
    for name in was.getGlyphOrder():
        assert now["hmtx"][name] == was["hmtx"][name]
    assert shaped(out, "AVATAR To Wave", "ltr") == shaped(font, "AVATAR To Wave", "ltr")
    made = FontGlyphs(out)
    chars = made.coverage([char for char in NAMED["cyrillic"]() if true.glyph_of(char)]).present
    assert len(chars) >= 66
    assert np.median([abs(made.ink_box(char).x0 - true.ink_box(char).x0) for char in chars]) < 0.01
    frame = json.loads((tmp_path / "Both-work" / "glyphs" / "manifest.json").read_text(encoding="utf-8"))[
        "cell_to_canvas"
    ]
    canvas = Frame.from_dict(frame)
    assert not [char for char in chars if clips(canvas.box(made.ink_box(char)), 64)]


@pytest.fixture(scope="module")
def completed(target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A completed font; its training was stopped on the way, and the same command went on."""
    out = tmp_path_factory.mktemp("completed") / "Brush-complete.ttf"
    stopped = complete(target, out, "trainer.stop_at=2")
    assert stopped.returncode == 0, stopped.stderr
    assert not out.exists()
    assert "goes on" in stopped.stderr
    result = complete(target, out, "formats=[woff2,otf]")
    assert result.returncode == 0, result.stderr
    assert "goes on from step 2" in result.stderr
    return out


def test_the_plan_finds_what_is_lacking_and_what_to_learn_from(target: Path) -> None:
    plan = plan_completion(str(target), str(SOURCE), HAS + LACKS)
    assert plan.lacking == list(LACKS)
    assert set(plan.learned_from) == set(HAS)  # the letters and digits are of other scripts than what is lacking
    assert {script_of(char) for char in plan.learned_from} == {"Han"}
    assert plan.undrawable == []


def test_a_style_named_as_another_one_of_the_base_is_a_new_one(target: Path) -> None:
    own = plan_completion(str(target), str(SOURCE), HAS + LACKS)
    other = plan_completion(str(target), str(SOURCE), HAS + LACKS, taken=[own.style])
    assert own.style == target.stem
    assert other.style == "target"


def test_a_completed_font_has_what_was_lacking_and_its_own_glyphs_untouched(target: Path, completed: Path) -> None:
    before, after = TTFont(target), TTFont(completed)
    assert set(map(ord, LACKS)) == set(after.getBestCmap()) - set(before.getBestCmap())
    assert after.getGlyphOrder()[: len(before.getGlyphOrder())] == before.getGlyphOrder()
    for name in before.getGlyphOrder():
        assert after["glyf"][name].compile(after["glyf"]) == before["glyf"][name].compile(before["glyf"])
        assert after["hmtx"][name] == before["hmtx"][name]
    drawn = FontGlyphs(completed)
    for char in LACKS:
        assert drawn.rasterize(char, FRAME, 128).min() == 0
        assert after["hmtx"][after.getBestCmap()[ord(char)]][0] == 1000  # the target's own monospaced em
    assert "fontgan" in after["name"].getDebugName(10)
    assert after["name"].getDebugName(1) == before["name"].getDebugName(1)


def test_a_completed_font_is_written_in_further_formats(completed: Path) -> None:
    for ending in ("woff2", "otf"):
        assert_same_font(completed, completed.with_suffix(f".{ending}"))
    state = json.loads((completed.with_name("Brush-complete-work") / "complete.json").read_text(encoding="utf-8"))
    assert set(state["wrote"]) == {"out", "woff2", "otf", "proof"}


def test_every_made_glyph_is_checked_and_the_page_shows_it(completed: Path) -> None:
    work = completed.with_name("Brush-complete-work")
    checks = json.loads((work / "checks.json").read_text(encoding="utf-8"))
    assert [one["char"] for one in checks["glyphs"]] == list(LACKS)
    for one in checks["glyphs"]:
        assert 0 <= one["structure"] <= 1
        assert bool(one["flags"]) == (one["doubt"] >= 0.5)
    page = completed.with_suffix(".proof.html").read_text(encoding="utf-8")
    assert all(char in page for char in LACKS)
    assert not list(completed.parent.glob(".*"))


@pytest.mark.slow
def test_the_same_command_again_does_nothing_twice(target: Path, completed: Path) -> None:
    work = completed.with_name("Brush-complete-work")
    made = [work / "glyphs" / f"{name_from_char(char)}.png" for char in LACKS] + [work / "outlines.ufo" / "glyphs"]
    before = [path.stat().st_mtime_ns for path in made]
    result = complete(target, completed)
    assert result.returncode == 0, result.stderr
    assert [path.stat().st_mtime_ns for path in made] == before


@pytest.mark.slow
def test_rejected_glyphs_are_dropped_and_redrawn_ones_replaced(target: Path, completed: Path, tmp_path: Path) -> None:
    work = tmp_path / "Brush-complete-work"
    shutil.copytree(completed.with_name("Brush-complete-work"), work)
    (work / "reject.txt").write_text(LACKS[0], encoding="utf-8")
    (work / "redraw").mkdir()
    square = np.full((200, 200), 255, np.uint8)
    square[50:150, 40:160] = 0  # of the em: 200..800 across, 250..750 down
    Image.fromarray(square).save(work / "redraw" / f"{name_from_char(LACKS[1])}.png")
    out = tmp_path / "Brush-complete.ttf"
    result = complete(target, out)
    assert result.returncode == 0, result.stderr
    after = TTFont(out)
    assert ord(LACKS[0]) not in after.getBestCmap()
    redrawn = after["glyf"][after.getBestCmap()[ord(LACKS[1])]]
    cell = FontGlyphs(target).to_cell()
    expected = (200, cell["baseline"] - 750, 800, cell["baseline"] - 250)
    assert (redrawn.xMin, redrawn.yMin, redrawn.xMax, redrawn.yMax) == pytest.approx(expected, abs=2)


@pytest.mark.slow
def test_edited_outlines_stay_whatever_else_changes(target: Path, completed: Path, tmp_path: Path) -> None:
    work = tmp_path / "Brush-complete-work"
    shutil.copytree(completed.with_name("Brush-complete-work"), work)
    before = read_ufo(work / "outlines.ufo")
    corners = ((100, 0), (300, 0), (300, 700), (100, 700))
    drawn = Outline((("moveTo", corners[:1]), *(("lineTo", (c,)) for c in corners[1:]), ("closePath", ())))
    edited = [replace(one, outline=drawn) if one.char == LACKS[2] else one for one in before.glyphs]
    write_ufo(work / "outlines.ufo", edited, units_per_em=1000, baseline=before.baseline)
    (work / "reject.txt").write_text(LACKS[0], encoding="utf-8")
    result = fontgan_here("render", f"font={SOURCE}", f"out={work / 'redraw'}", f"charset={LACKS[1]}", "size=128")
    assert result.returncode == 0, result.stderr
    out = tmp_path / "Brush-complete.ttf"
    result = complete(target, out)
    assert result.returncode == 0, result.stderr
    assert "tracing 1 outlines" in result.stderr
    assert f"{len(LACKS) - 1} glyphs were added, 1 of them your own" in result.stderr
    font = TTFont(out)
    glyphs, cmap = font["glyf"], font.getBestCmap()
    by_hand = glyphs[cmap[ord(LACKS[2])]]
    assert (by_hand.xMin, by_hand.yMin, by_hand.xMax, by_hand.yMax) == (100, 0, 300, 700)
    # The redrawn one lies on the baseline of the font that it was drawn from, as the folder's manifest tells.
    own = TTFont(SOURCE)
    its = own["glyf"][own.getBestCmap()[ord(LACKS[1])]]
    redrawn = glyphs[cmap[ord(LACKS[1])]]
    assert (redrawn.xMin, redrawn.yMin, redrawn.xMax, redrawn.yMax) == pytest.approx(
        (its.xMin, its.yMin, its.xMax, its.yMax), abs=4
    )
    # Taken back again, each is what it was; the edited one still is.
    (work / "reject.txt").unlink()
    shutil.rmtree(work / "redraw")
    result = complete(target, out)
    assert "tracing 1 outlines" in result.stderr
    now = {one.char: one for one in read_ufo(work / "outlines.ufo").glyphs}
    assert now == {one.char: one for one in edited}
    assert set(map(ord, LACKS)) <= set(TTFont(out).getBestCmap())
    # Stopped between noting the font and putting it there, the old one is still known as this work's own.
    state = json.loads((work / "complete.json").read_text(encoding="utf-8"))
    state["wrote"]["out"] += ["of a font that never came"]
    (work / "complete.json").write_text(json.dumps(state), encoding="utf-8")
    assert complete(target, out).returncode == 0


@pytest.mark.slow
def test_a_larger_charset_draws_what_is_new(target: Path, completed: Path, tmp_path: Path) -> None:
    work = tmp_path / "Brush-complete-work"
    shutil.copytree(completed.with_name("Brush-complete-work"), work)
    made = [work / "glyphs" / f"{name_from_char(char)}.png" for char in LACKS]
    before = [path.stat().st_mtime_ns for path in made]
    out = tmp_path / "Brush-complete.ttf"
    result = complete(target, out, f"charset={LACKS}山石Dd")  # Latin is a script that was not learned from
    assert result.returncode == 0, result.stderr
    assert "not lacking when it began" in result.stderr
    assert [path.stat().st_mtime_ns for path in made] == before
    assert set(map(ord, LACKS + "山石Dd")) <= set(TTFont(out).getBestCmap())


@pytest.mark.slow
def test_a_trained_run_is_drawn_with(target: Path, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "Drawn.ttf"
    arguments = (f"target={target}", f"source={SOURCE}", f"charset={LACKS}", f"run={tiny_run}", f"out={out}")
    assert "style" in error_line(fontgan_here("complete", *arguments))  # three styles, and none chosen
    assert not out.with_name("Drawn-work").exists()
    result = fontgan_here("complete", *arguments, "style=brush")
    assert result.returncode == 0, result.stderr
    assert set(map(ord, LACKS)) <= set(TTFont(out).getBestCmap())
    # Nothing is learned, so the target need not have characters of the script.
    latin = part_of(BRUSH, "ABC ", tmp_path / "Latin.ttf")
    more = (f"target={latin}", *arguments[1:-1], f"out={tmp_path / 'Mixed.ttf'}")
    result = fontgan_here("complete", *more, "style={brush: 0.5, kai: 0.5}")
    assert result.returncode == 0, result.stderr
    assert set(map(ord, LACKS)) <= set(TTFont(tmp_path / "Mixed.ttf").getBestCmap())
    line = error_line(fontgan_here("complete", *arguments, "style=brush", "trainer.max_steps=9"))
    assert "trainer.max_steps" in line
    assert "run=" in line


@pytest.mark.slow
def test_a_folder_of_drawings_becomes_a_new_font(tmp_path: Path) -> None:
    folder = tmp_path / "hand"
    result = fontgan_here("render", f"font={BRUSH}", f"out={folder}", f"charset={HAS}", "size=128")
    assert result.returncode == 0, result.stderr
    (folder / "manifest.json").unlink()  # as if somebody had drawn them
    out = tmp_path / "Hand.ttf"
    assert "it is a folder" in error_line(complete(folder, out, "confirm_ownership=true"))
    assert not out.with_name("Hand-work").exists()
    result = complete(folder, out, "family=My Hand", "formats=[otf,woff2]", "version=1.1", "licence=OFL")
    assert result.returncode == 0, result.stderr
    font = TTFont(out)
    assert font["name"].getDebugName(5) == "Version 1.100"
    assert "SIL Open Font License" in font["name"].getDebugName(13)
    assert set(map(ord, HAS + LACKS + " ")) <= set(font.getBestCmap())
    assert font["name"].getDebugName(1) == "My Hand"
    assert font.getGlyphOrder()[0] == ".notdef"
    for ending in ("woff2", "otf"):
        assert_same_font(out, out.with_suffix(f".{ending}"))
    other = tmp_path / "Other.otf"
    result = complete(folder, other, "family=My Hand", "formats=[ttf]", f"work={tmp_path / 'Hand-work'}")
    assert result.returncode == 0, result.stderr
    assert_same_font(other, other.with_suffix(".ttf"))


@pytest.mark.skipif(shutil.which("fc-list") is None, reason="needs fontconfig's fc-list")
def test_the_system_lists_the_font_once_it_is_installed(completed: Path, tmp_path: Path) -> None:
    installed = tmp_path / "fonts" / completed.name  # where fontconfig looks for a user's fonts
    installed.parent.mkdir()
    shutil.copy(completed, installed)
    listed = subprocess.run(
        ["fc-list", f":charset={ord(LACKS[0]):x}", "--format", "%{file}|%{family}\n"],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert f"{installed}|{TTFont(completed)['name'].getBestFamilyName()}" in listed.stdout.splitlines()


@pytest.mark.slow
def test_a_page_set_in_the_font_shows_the_glyphs_that_were_drawn(
    browser, target: Path, completed: Path, tmp_path: Path
) -> None:
    work = tmp_path / "Brush-complete-work"
    shutil.copytree(completed.with_name("Brush-complete-work"), work)
    # Real shapes: four steps of training draw nothing but grey.
    drawn = fontgan_here("render", f"font={KAI}", f"out={work / 'redraw'}", f"charset={LACKS}", "size=128")
    assert drawn.returncode == 0, drawn.stderr
    out = tmp_path / "Brush-complete.ttf"
    result = complete(target, out)
    assert result.returncode == 0, result.stderr
    page = tmp_path / "page.html"
    page.write_text(
        f"<meta charset=utf-8><style>@font-face {{font-family: Made; src: url({out.as_uri()})}}"
        "body {margin: 0; background: white} div {font: 400px/600px Made; height: 600px; padding-left: 100px}</style>"
        + "".join(f"<div>{char}</div>" for char in LACKS),
        encoding="utf-8",
    )
    open_page(browser, page)
    assert browser.execute_script("return document.fonts.check('400px Made')")
    shapes = [np.asarray(Image.open(work / "redraw" / f"{name_from_char(char)}.png")) for char in LACKS]
    for place, shape in enumerate(shapes):
        browser.execute_script("scrollTo(0, arguments[0])", 600 * place)
        top = round(browser.execute_script("return scrollY"))
        seen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("L")
        line = seen.crop((0, 600 * place - top, 700, 600 * (place + 1) - top))
        assert ink_in_common(np.asarray(line), shape) > 0.9, LACKS[place]


def ink_in_common(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two pictures' ink, ink box on ink box."""
    boxed = []
    for picture in (a, b):
        rows, columns = np.flatnonzero((picture < 128).any(axis=1)), np.flatnonzero((picture < 128).any(axis=0))
        cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        boxed.append(np.asarray(Image.fromarray(cut).resize((200, 200))) < 128)
    return float((boxed[0] & boxed[1]).sum() / (boxed[0] | boxed[1]).sum())


# -- what is refused, before anything is written --------------------------------------------


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target": "nowhere.ttf"}, "no such font"),
        ({"charset": HAS}, "has all characters"),
        ({"charset": "ABCdef"}, "in common"),
        ({"out": "nowhere/Font.ttf"}, "does not exist"),
        ({"out": "Font.otf"}, "TrueType"),
        ({"out": "Font.woff2"}, ".ttf or .otf"),
        ({"formats": "[woff2,ttf]"}, "is the ttf already"),
        ({"formats": "[woff]"}, "choose one of woff2, otf, ttf"),
        ({"doubtful": "maybe"}, "keep, drop"),
        ({"tolerance": "0"}, "tolerance"),
        ({"tolerance": "0.001"}, "0.01 or more and 20 at most"),
        ({"family": "''"}, "a text in one line"),
        ({"proof": "/proc/page.html"}, "nothing can be written"),
        ({"work": "/proc/work"}, "nothing can be written"),
        ({"data.charset": "gb2312-1"}, "charset=..."),
        ({"style": "brush"}, "run=RUN"),
        ({"trainer.max_steps": "0"}, "1 or more"),
        ({"ocr": "telepathy"}, "rapidocr"),
    ],
)
def test_bad_settings_get_one_line_and_leave_nothing(
    refused, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = {"target": target, "source": SOURCE, "charset": HAS + LACKS, "out": "Font.ttf", **settings}
    assert said in refused("complete", *(f"{key}={value}" for key, value in whole.items()))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_font_and_a_font_of_bitmaps(refused, target: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.ttf"
    text.write_text("not a font", encoding="utf-8")
    bitmaps = tmp_path / "bitmaps.ttf"
    font = TTFont(target)
    for table in ("glyf", "loca"):
        del font[table]
    font["maxp"].tableVersion = 0x00005000
    font.save(bitmaps)
    for file in (text, bitmaps):
        line = refused(
            "complete", f"target={file}", f"source={SOURCE}", f"charset={LACKS}", f"out={tmp_path / 'F.ttf'}"
        )
        assert str(file) in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bitmaps.ttf", "text.ttf"]


def test_what_is_there_already_is_not_written_over(refused, target: Path, tmp_path: Path) -> None:
    out = tmp_path / "Mine.ttf"
    out.write_bytes(b"mine")
    arguments = (f"target={target}", f"source={SOURCE}", f"charset={LACKS}")
    assert "there already" in refused("complete", *arguments, f"out={out}")
    assert out.read_bytes() == b"mine"
    other = f"out={tmp_path / 'Another.ttf'}"
    (tmp_path / "Another.otf").write_bytes(b"mine")
    assert "Another.otf is there already" in refused("complete", *arguments, other, "formats=[woff2,otf]")
    (tmp_path / "Another.woff2").mkdir()
    assert "Another.woff2 is a folder" in refused("complete", *arguments, other, "formats=[woff2]")
    assert (tmp_path / "Another.otf").read_bytes() == b"mine"
    work = tmp_path / "Other-work"
    work.mkdir()
    (work / "diary.txt").write_text("private", encoding="utf-8")
    assert "diary.txt" in refused("complete", *arguments, f"out={tmp_path / 'Other.ttf'}")
    own = tmp_path / "Own.ttf"
    shutil.copy(target, own)
    assert "the target itself" in refused("complete", f"target={own}", *arguments[1:], f"out={own}")


def test_a_work_folder_of_another_target_is_refused(refused, completed: Path, tmp_path: Path) -> None:
    other = part_of(BRUSH, HAS[:30], tmp_path / "Other.ttf")
    work = completed.with_name("Brush-complete-work")
    line = refused(
        "complete",
        f"target={other}",
        f"source={SOURCE}",
        f"charset={LACKS}",
        f"out={tmp_path / 'F.ttf'}",
        f"work={work}",
    )
    assert "another target" in line


def test_a_restricted_font_needs_the_owners_word(refused, target: Path, tmp_path: Path) -> None:
    restricted = tmp_path / "Restricted.ttf"
    font = TTFont(target)
    font["OS/2"].fsType = 2
    font.save(restricted)
    line = refused(
        "complete", f"target={restricted}", f"source={SOURCE}", f"charset={LACKS}", f"out={tmp_path / 'F.ttf'}"
    )
    assert "confirm_ownership" in line
    assert not (tmp_path / "F-work").exists()


def test_few_or_no_characters_in_common(tmp_path: Path) -> None:
    font = make_font(tmp_path / "three.ttf", {char: box(100, 0, 800, 700) for char in "一二三"})
    with pytest.raises(DataError, match="3 characters in common"):
        plan_completion(str(font), str(SOURCE), LACKS)
