"""Finished fonts in further formats: they are sound files, are set alike, and draw alike."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import ots
import pytest
import uharfbuzz as hb
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.errors import ConfigError, RunError
from fontgan.fontfile import formats
from fontgan.fontfile.create import create_font
from fontgan.fontfile.formats import check_count, convert, further_files
from fontgan.fontfile.outline import DrawnGlyph, Outline
from tests.helpers import BRUSH, KAI, SOURCE, box, make_font, part_of

CHARS = "永國字あAg,"
PX = 256
FEATURES = "feature kern { pos u0041 u0056 -90; } kern; feature liga { sub u0041 u0041 by u0056; } liga;"


def shaped(file: Path, text: str, direction: str) -> list[tuple[int, ...]]:
    """HarfBuzz's glyphs with their advances and offsets."""
    with TTFont(file) as font:
        font.flavor, content = None, io.BytesIO()
        font.save(content, reorderTables=False)
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = direction
    hb.shape(hb.Font(hb.Face(content.getvalue())), buffer)
    infos, positions = buffer.glyph_infos or [], buffer.glyph_positions or []
    return [
        (info.codepoint, place.x_advance, place.y_advance, place.x_offset, place.y_offset)
        for info, place in zip(infos, positions, strict=True)
    ]


def assert_same_font(file: Path, other: Path) -> None:
    """Both are sound; names and characters are the same; text is set alike across and down, and drawn alike."""
    assert ots.sanitize(other, capture_output=True).returncode == 0
    with TTFont(file) as before, TTFont(other) as after:
        assert after.getBestCmap().keys() == before.getBestCmap().keys()
        assert len(after.getGlyphOrder()) == len(before.getGlyphOrder())
        assert after["name"].compile(after) == before["name"].compile(before)
        for table, values in (
            ("hhea", ("ascent", "descent", "lineGap")),
            ("OS/2", ("usWinAscent", "usWeightClass", "fsType")),
        ):
            assert [getattr(after[table], value) for value in values] == [
                getattr(before[table], value) for value in values
            ]
        assert ("glyf" in after) == (other.suffix == ".ttf" or (other.suffix == ".woff2" and "glyf" in before))
        assert ("CFF " in after) != ("glyf" in after)
        there = set(after.keys())
    glyphs, others = FontGlyphs(file), FontGlyphs(other)
    text = "".join(glyphs.characters())
    assert shaped(other, text, "ltr") == shaped(file, text, "ltr")
    down, others_down = (np.array(shaped(each, text, "ttb")) for each in (file, other))
    assert (down[:, :3] == others_down[:, :3]).all()
    # Without vertical metrics, HarfBuzz takes origins from the glyphs' boxes, of which glyf has its own idea.
    assert np.abs(down - others_down).max() <= (0 if "vmtx" in there else 3)
    for char in text:
        one, two = (
            each.rasterize(char, Frame(PX, PX / 4, PX / 4), PX * 3 // 2).astype(int) for each in (glyphs, others)
        )
        difference = np.abs(one - two)
        assert difference.mean() < 0.5, char
        assert difference.max() <= 128, char  # an edge that lies a unit, a quarter pixel, off on both sides of a gap


def outlines_of(font: Path, chars: str) -> list[DrawnGlyph]:
    with TTFont(font) as opened:
        glyphs, cmap = opened.getGlyphSet(), opened.getBestCmap()
        drawn = []
        for char in chars:
            pen = DecomposingRecordingPen(glyphs)
            glyphs[cmap[ord(char)]].draw(pen)
            drawn.append(DrawnGlyph(char, Outline(tuple(pen.value)), glyphs[cmap[ord(char)]].width))
    return drawn


def converted(file: Path, to: str) -> Path:
    out = file.with_suffix(f".{to}")
    out.write_bytes(convert(file.read_bytes(), to))
    return out


@pytest.mark.parametrize("font", [SOURCE, BRUSH, KAI], ids=lambda font: font.stem)
def test_a_real_font_there_and_back(font: Path, tmp_path: Path) -> None:
    before = part_of(font, "的一是不了在人ABCabc123 ", tmp_path / "before.ttf")
    for to in ("otf", "woff2"):
        assert_same_font(before, converted(before, to))
    cubic = tmp_path / "cubic.otf"
    (tmp_path / "before.otf").rename(cubic)
    for to in ("ttf", "woff2"):
        assert_same_font(cubic, converted(cubic, to))


@pytest.mark.parametrize(("ending", "to"), [("ttf", "otf"), ("otf", "ttf"), ("otf", "woff2")])
def test_a_created_font_has_its_vertical_lines_in_every_format(ending: str, to: str, tmp_path: Path) -> None:
    chars = "的一是不了"
    before = tmp_path / f"Hand.{ending}"
    create_font(outlines_of(BRUSH, chars), before, family="手写 Hand")
    after = converted(before, to)
    assert_same_font(before, after)
    with TTFont(after) as font:
        assert ("VORG" in font) == ("CFF " in font)
        assert "vmtx" in font
        assert ("gasp" in font) == ("glyf" in font)


def test_components_features_and_odd_contours_are_kept(tmp_path: Path) -> None:
    """A glyph made of others, kerning, a contour of curves alone, and a first glyph by another name."""
    file = make_font(tmp_path / "odd.ttf", {"A": box(100, 0, 600, 700), "V": None, "O": None, "é": None})
    font = TTFont(file)
    addOpenTypeFeaturesFromString(font, FEATURES)
    pen = TTGlyphPen(None)
    pen.qCurveTo((100, 0), (900, 0), (900, 800), (100, 800), None)
    pen.closePath()
    font["glyf"]["u004F"] = pen.glyph()
    pen = TTGlyphPen(font.getGlyphSet())
    pen.addComponent("u0041", (1, 0, 0, 1, 0, 0))
    pen.addComponent("u004F", (0.5, 0, 0, 0.5, 300, 300))
    font["glyf"]["u0056"] = font["glyf"]["u00E9"] = pen.glyph()
    font["hmtx"]["u004F"] = (1000, 150)  # FreeType draws it where this says
    font.save(file)
    after = converted(file, "otf")
    assert_same_font(file, after)
    assert shaped(after, "AVOAA", "ltr") == shaped(file, "AVOAA", "ltr")
    assert len(shaped(after, "AVOAA", "ltr")) == 4  # a ligature
    assert shaped(after, "AV", "ltr")[0][1] == 910  # kerned
    with TTFont(after) as made:
        assert made["post"].formatType == 3.0
        assert made["maxp"].tableVersion == 0x00005000
        assert made["GPOS"].compile(made) == font["GPOS"].compile(font)


def test_hints_of_the_other_outlines_go(tmp_path: Path) -> None:
    before = tmp_path / "Hand.ttf"
    create_font(outlines_of(BRUSH, "的一是"), before, family="Hand")
    with TTFont(converted(before, "otf")) as font:
        assert not {"glyf", "loca", "prep", "fpgm", "cvt ", "gasp"} & set(font.keys())
        assert font.sfntVersion == "OTTO"


def test_a_font_without_names_is_converted(tmp_path: Path) -> None:
    bare = TTFont(part_of(BRUSH, "的一", tmp_path / "bare.ttf"))
    bare["name"].names = []
    bare.save(tmp_path / "bare.ttf")
    assert TTFont(converted(tmp_path / "bare.ttf", "otf"))["CFF "].cff.fontNames[0].endswith("-Regular")


def test_which_files_there_will_be(tmp_path: Path) -> None:
    files = further_files(["woff2", "otf"], tmp_path / "My.Hand.ttf")
    assert files == {"woff2": tmp_path / "My.Hand.woff2", "otf": tmp_path / "My.Hand.otf"}
    with pytest.raises(ConfigError, match="is the otf already"):
        further_files(["otf"], tmp_path / "Hand.OTF")
    check_count(["woff2"], 65_535)
    with pytest.raises(ConfigError, match="64000 glyphs"):
        check_count(["otf"], 65_535)


def test_a_conversion_that_drew_otherwise_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = part_of(BRUSH, "的一", tmp_path / "before.ttf")
    other = convert(part_of(SOURCE, "是不", tmp_path / "other.ttf").read_bytes(), "otf")
    with TTFont(io.BytesIO(other)) as font:
        for table in font["cmap"].tables:
            table.cmap = dict(zip(map(ord, "的一"), sorted(table.cmap.values()), strict=False))
        font.save(tmp_path / "wrong.otf")
    wrong = (tmp_path / "wrong.otf").read_bytes()
    monkeypatch.setattr(formats, "run_sandboxed", lambda *_, **__: wrong)
    with pytest.raises(RunError, match="drawn otherwise"):
        convert(before.read_bytes(), "otf")
