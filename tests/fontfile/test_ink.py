"""Contours of UFOs that enclose nothing are left out and named; the font is made of the rest."""

from __future__ import annotations

import logging
import plistlib
from pathlib import Path

import ots
import pytest
from fontTools.ttLib import TTFont

from fontgan.fontfile.create import create_font
from fontgan.fontfile.ink import with_ink
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.ufo import read_ufo, write_ufo
from tests.helpers import Here

Points = list[tuple[float, float]]
SQUARE: Points = [(100, 0), (900, 0), (900, 800), (100, 800)]
EIGHT: Points = [(100, 100), (900, 700), (900, 100), (100, 700)]


def polygons(*contours: Points) -> Outline:
    calls = []
    for first, *others in contours:
        calls += [("moveTo", (first,)), *(("lineTo", (point,)) for point in others), ("closePath", ())]
    return Outline(tuple(calls))


FLAT = {
    "a line": polygons([(100, 100), (100, 500)]),
    "doubled points": polygons([(100, 100), (100, 100), (100, 500), (100, 500)]),
    "on a diagonal": polygons([(100, 100), (300, 300), (500, 500)]),
    "there and back": polygons([(0, 0), (400, 0), (400, 300), (700, 300), (400, 300), (400, 0)]),
    "against itself": polygons(SQUARE, SQUARE[::-1]),
    "thinner than a unit": polygons([(100, 100), (900, 100), (900, 100.4), (100, 100.4)]),
    "a flat curve": Outline((("moveTo", ((0, 0),)), ("curveTo", ((100, 0), (200, 0), (300, 0))), ("closePath", ()))),
    "a flat quadratic": Outline(
        (("moveTo", ((0, 0),)), ("qCurveTo", ((100, 0), (200, 0), (300, 0))), ("closePath", ()))
    ),
}
INKED = {
    "an eight, whose halves cancel": polygons(EIGHT),
    "twice the same": polygons(SQUARE, SQUARE),
    "a dot of a unit": polygons([(100, 100), (101, 100), (101, 101), (100, 101)]),
    "a hairline": polygons([(100, 100), (900, 100), (900, 100.7), (100, 100.7)]),
    "another, rounded to two units": polygons([(100, 100.3), (900, 100.3), (900, 101.7), (100, 101.7)]),
    "clockwise": polygons(SQUARE[::-1]),
}


@pytest.mark.parametrize("ending", ["ttf", "otf"])
def test_glyphs_that_enclose_nothing_are_left_out_and_named(
    ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flat = [DrawnGlyph(chr(0x4E10 + i), outline, 1000) for i, outline in enumerate(FLAT.values())]
    inked = [DrawnGlyph(chr(0x4E30 + i), outline, 1000) for i, outline in enumerate(INKED.values())]
    mixed = DrawnGlyph("口", polygons(SQUARE, [(10, 10), (20, 10)], [(1, 1), (9, 9), (5, 5)]), 1000)
    space = DrawnGlyph(" ", Outline(), 300)
    kept = with_ink([*flat, *inked, mixed, space], "here")
    assert [glyph.char for glyph in kept] == [glyph.char for glyph in (*inked, mixed, space)]
    assert kept[:-2] == inked  # as they were
    assert kept[-2].outline == polygons(SQUARE)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "1 glyphs have contours that enclose nothing, which are left out: 口" in told[0]
    assert f"{len(flat)} glyphs enclose nothing and are left out: {' '.join(glyph.char for glyph in flat)}" in told[1]
    out = tmp_path / f"a.{ending}"
    create_font(kept, out, family="Ink")
    assert {ord(glyph.char) for glyph in kept} <= set(TTFont(out).getBestCmap())
    assert ots.sanitize(out, capture_output=True).returncode == 0


def test_build_font_goes_on_without_them(tmp_path: Path, here: Here) -> None:
    ufo = tmp_path / "a.ufo"
    glyphs = [DrawnGlyph("永", polygons(SQUARE), 1000), DrawnGlyph("丈", FLAT["doubled points"], 1000)]
    write_ufo(ufo, glyphs, units_per_em=1000, baseline=880)
    result = here("build-font", f"input={ufo}", f"out={tmp_path / 'a.ttf'}")
    assert result.returncode == 0, result.stderr
    assert "1 glyphs enclose nothing and are left out: 丈" in result.stderr
    assert "1 glyphs in a new font" in result.stderr
    assert ord("丈") not in TTFont(tmp_path / "a.ttf").getBestCmap()
    write_ufo(ufo, glyphs[1:], units_per_em=1000, baseline=880)
    result = here("build-font", f"input={ufo}", f"out={tmp_path / 'b.ttf'}")
    assert result.returncode == 2
    assert "none of its glyphs encloses anything" in result.stderr
    assert not (tmp_path / "b.ttf").exists()


def test_a_hairline_that_rounds_to_nothing_in_the_targets_units_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    glyph = DrawnGlyph("一", polygons([(0, 0.6), (1000, 0.6), (1000, 1.4), (0, 1.4)]), 1000)
    write_ufo(tmp_path / "a.ufo", [glyph], units_per_em=1000, baseline=880)
    (read,) = read_ufo(tmp_path / "a.ufo").glyphs_at(250)
    assert with_ink([read], "here") == []
    assert "enclose nothing" in caplog.text


def test_a_line_of_two_points_reaches_the_check_and_an_anchor_does_not(tmp_path: Path) -> None:
    ufo = tmp_path / "a.ufo"
    write_ufo(ufo, [DrawnGlyph("一", polygons(SQUARE), 1000)], units_per_em=1000, baseline=880)
    (name,) = plistlib.loads((ufo / "glyphs" / "contents.plist").read_bytes()).values()
    file = ufo / "glyphs" / name
    anchor = '<contour><point x="5" y="5" type="move" name="top"/></contour>'
    line = '<contour><point x="0" y="0" type="line"/><point x="9" y="9" type="line"/></contour>'
    file.write_text(file.read_text().replace("</outline>", f"{anchor}{line}</outline>"))
    (glyph,) = read_ufo(ufo).glyphs
    assert [call for call, _ in glyph.outline.calls].count("moveTo") == 2
