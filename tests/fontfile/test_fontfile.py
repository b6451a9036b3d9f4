"""Outlines into font files: what is added is right, what was there keeps its bytes, and others' tools open the result."""

from __future__ import annotations

import itertools
import json
import os
import plistlib
import shutil
import subprocess
import sys
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ots
import pytest
import uharfbuzz
from fontTools.cffLib import FDArrayIndex, FDSelect, FontDict
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.basePen import BasePen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from fontTools.ttLib.tables.TupleVariation import TupleVariation
from PIL import Image
from shapely import LineString, MultiLineString, Point

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, RunError
from fontgan.fontfile.build_input import lacking
from fontgan.fontfile.create import create_font
from fontgan.fontfile.extend import extend_font
from fontgan.fontfile.licence import check_licence, forbidding_words, reserved_names
from fontgan.fontfile.metrics import choose_layout
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.target import check_limits, open_target
from fontgan.fontfile.ufo import read_ufo, write_ufo
from fontgan.fontfile.verify import verify
from tests.helpers import BRUSH, FONTS, KAI, SOURCE, XIAOWEI, Here, box, make_font

REPOSITORY = Path(__file__).parents[2]
Refused = Callable[..., str]


# -- parts ------------------------------------------------------------------------------------


def square(char: str, x0: int, y0: int, x1: int, y1: int, advance: int = 1000) -> DrawnGlyph:
    """A rectangle, wound counter-clockwise."""
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    calls = [("moveTo", (corners[0],)), *(("lineTo", (c,)) for c in corners[1:]), ("closePath", ())]
    return DrawnGlyph(char, Outline(tuple(calls)), advance)


def round_glyph(char: str, advance: int = 1000) -> DrawnGlyph:
    """A circle of four cubic curves around (500, 400), of radius 300."""
    k = 165.7
    calls = (
        ("moveTo", ((800, 400),)),
        ("curveTo", ((800, 400 + k), (500 + k, 700), (500, 700))),
        ("curveTo", ((500 - k, 700), (200, 400 + k), (200, 400))),
        ("curveTo", ((200, 400 - k), (500 - k, 100), (500, 100))),
        ("curveTo", ((500 + k, 100), (800, 400 - k), (800, 400))),
        ("closePath", ()),
    )
    return DrawnGlyph(char, Outline(calls), advance)


MADE = [round_glyph("国", 980), square("東", 30, -60, 940, 800), square("é", 40, 0, 460, 700, 500)]


def truetype_font(path: Path, *, vertical: bool = False, kern: bool = True) -> Path:
    """A TrueType font of A, V, 口 and 品 with features, a kern table, post names, device widths, and what is asked for."""
    make_font(
        path,
        {
            "A": box(0, 0, 600, 700),
            "V": box(20, 0, 580, 700),
            "口": box(100, 0, 900, 800),
            "品": box(50, -50, 950, 850),
        },
    )
    font = TTFont(path)
    addOpenTypeFeaturesFromString(
        font,
        "feature kern { pos u0041 u0056 -120; } kern; feature liga { sub u0041 u0056 by u54C1; } liga;"
        "table GDEF { GlyphClassDef [u0041 u0056 u53E3 u54C1],,,; } GDEF;",
    )
    for advance, name in ((640, "u0041"), (600, "u0056")):
        font["hmtx"][name] = (advance, font["hmtx"][name][1])
    if kern:
        table = font["kern"] = newTable("kern")
        from fontTools.ttLib.tables._k_e_r_n import KernTable_format_0

        sub = KernTable_format_0()
        sub.coverage, sub.version, sub.tupleIndex, sub.kernTable = 1, 0, None, {("u0041", "u0056"): -120}
        table.version, table.kernTables = 0, [sub]
    if vertical:
        builder = FontBuilder(font=font)
        order = font.getGlyphOrder()
        tops = {name: 880 - getattr(font["glyf"][name], "yMax", 880) for name in order}
        builder.setupVerticalHeader(ascent=500, descent=-500)
        builder.setupVerticalMetrics({name: (1000, tops[name]) for name in order})
    for tag, name in (("fpgm", b"\xb0\x00\x2c\x2d"), ("prep", b"\xb8\x01\xff\x85")):
        font[tag] = newTable(tag)
        from fontTools.ttLib.tables.ttProgram import Program

        font[tag].program = Program()
        font[tag].program.fromBytecode(name)
    font.save(path)
    return path


def cff_font(path: Path, *, cid: bool = False, step: int = 100) -> Path:
    """A CFF font of A, 口 and 品; with CID keys ``step`` apart and two font dictionaries if asked."""
    names = {"A": "A", "口": "uni53E3", "品": "uni54C1"}
    order = [".notdef", *names.values()]
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({ord(char): name for char, name in names.items()})
    strings, boxes = (
        {},
        {
            ".notdef": (100, 0, 400, 700),
            "A": (0, 0, 600, 700),
            "uni53E3": (100, 0, 900, 800),
            "uni54C1": (50, -50, 950, 850),
        },
    )
    for name in order:
        pen = T2CharStringPen(None if name != "A" else 640 - 0, None)
        box(*boxes[name])(pen)
        strings[name] = pen.getCharString()
    builder.setupCFF(
        "Test-Regular",
        {"FullName": "Test Regular", "FamilyName": "Test"},
        strings,
        {"defaultWidthX": 1000, "nominalWidthX": 0},
    )
    builder.setupHorizontalMetrics({name: (640 if name == "A" else 1000, boxes[name][0]) for name in order})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=900, usWinDescent=200)
    builder.setupPost(keepGlyphNames=False)
    if cid:
        top = builder.font["CFF "].cff.topDictIndex[0]
        private, index = top.Private, FDArrayIndex()
        for number in range(2):
            part = FontDict()
            part.setCFF2(False)
            part.FontName, part.Private = f"Test-{number}", private
            index.append(part)
        top.ROS, top.CIDCount, top.FDArray = ("Adobe", "Identity", 0), max(400, 3 * step + 1), index
        renamed = {name: name if name == ".notdef" else f"cid{step * number:05d}" for number, name in enumerate(order)}
        select = top.FDSelect = FDSelect()
        select.format, select.gidArray = 3, [0, 0, 1, 1]
        top.charset = [renamed[name] for name in order]
        strings = top.CharStrings.charStrings
        top.CharStrings.charStrings = {renamed[name]: string for name, string in strings.items()}
        top.CharStrings.fdSelect, top.CharStrings.fdArray = select, index
        for string, part in zip(top.CharStrings.charStrings.values(), select.gidArray, strict=True):
            string.fdSelectIndex = part
        for key in ("Private", "Encoding"):
            top.rawDict.pop(key, None)
            top.__dict__.pop(key, None)
        builder.font.setGlyphOrder(top.charset)
        for table in builder.font["cmap"].tables:
            table.cmap = {code: renamed[name] for code, name in table.cmap.items()}
        metrics = builder.font["hmtx"].metrics
        builder.font["hmtx"].metrics = {renamed[name]: value for name, value in metrics.items()}
    builder.save(path)
    return path


def variable_font(path: Path) -> Path:
    """One axis, wght 100..900: the right edge of 口 goes from 300 to 900, its width from 500 to 1000."""
    make_font(path, {"口": box(100, 0, 300, 400)})
    font = TTFont(path)
    font["hmtx"]["u53E3"] = (500, 100)
    builder = FontBuilder(font=font)
    builder.setupFvar([("wght", 100, 100, 900, "Weight")], [{"location": {"wght": 900}, "stylename": "Heavy"}])
    change = [(0, 0), (0, 0), (600, 0), (600, 0), (0, 0), (500, 0), (0, 0), (0, 0)]
    builder.setupGvar({"u53E3": [TupleVariation({"wght": (0, 1, 1)}, change)]})
    font.save(path)
    return path


def glif(ufo: Path, name: str) -> Path:
    """The file of a glyph; UFO marks capitals in it, for file systems that take them for small letters."""
    return ufo / "glyphs" / plistlib.loads((ufo / "glyphs" / "contents.plist").read_bytes())[name]


def raw(path: Path, tag: str) -> bytes:
    with TTFont(path, lazy=True) as font:
        return bytes(font.reader[tag])


def glyf_entries(path: Path) -> list[bytes]:
    """The bytes of each glyph, read off glyf and loca without fontTools' own reading of them."""
    with TTFont(path, lazy=True) as font:
        long = font["head"].indexToLocFormat == 1
        offsets = array("I" if long else "H", font.reader["loca"])
        offsets.byteswap()
        content = font.reader["glyf"]
        starts = [offset * (1 if long else 2) for offset in offsets]
        return [content[a:b] for a, b in itertools.pairwise(starts)]


def charstrings(path: Path) -> list[bytes]:
    with TTFont(path) as font:
        return [string.bytecode for string in font["CFF "].cff.topDictIndex[0].CharStrings.charStringsIndex]


def sanitized(path: Path) -> None:
    """The check that browsers make before they take a font."""
    result = ots.sanitize(str(path), capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr


def shaped(path: Path, text: str) -> list[tuple[str, int]]:
    """What HarfBuzz makes of a text: glyph names and advances."""
    face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path)))
    font = uharfbuzz.Font(face)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(font, buffer, {"liga": False})
    order = TTFont(path).getGlyphOrder()
    return [(order[i.codepoint], p.x_advance) for i, p in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)]


def built(target: Path | str, out: Path, glyphs: list[DrawnGlyph] | None = None, **settings: Any) -> Path:
    extend_font(open_target(str(target)), MADE if glyphs is None else glyphs, out, **settings)
    return out


# -- a font with glyphs added -----------------------------------------------------------------


class Points(BasePen):
    """Contours as many points on the curve."""

    def __init__(self) -> None:
        super().__init__(None)
        self.contours: list[list[tuple[float, float]]] = []

    def _moveTo(self, at: tuple[float, float]) -> None:
        self.contours.append([at])

    def _lineTo(self, to: tuple[float, float]) -> None:
        self._curveToOne(self.contours[-1][-1], to, to)

    def _curveToOne(self, one: Any, two: Any, to: Any) -> None:
        a, b, c, d = (np.array(p, float) for p in (self.contours[-1][-1], one, two, to))
        t = np.linspace(0, 1, 9)[1:, None]
        points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t**3 * d
        self.contours[-1] += [tuple(p) for p in points]

    def _closePath(self) -> None:
        self._lineTo(self.contours[-1][0])


def points_of(font: TTFont, char: str) -> tuple[list[list[tuple[float, float]]], float]:
    glyphs = font.getGlyphSet()
    name = font.getBestCmap()[ord(char)]
    pen = Points()
    glyphs[name].draw(pen)
    return pen.contours, glyphs[name].width


@pytest.mark.slow
@pytest.mark.parametrize("font", [SOURCE, KAI, BRUSH, XIAOWEI], ids=lambda path: path.stem)
def test_a_font_drawn_and_built_again_is_where_it_was(font: Path, tmp_path: Path, here: Here) -> None:
    """Font -> images of 256 px -> font: within 2 units of 1000 at the edges, far less along them, and as wide exactly."""
    chars = "永东国爱我口Agj8"
    with TTFont(font) as without:
        for table in without["cmap"].tables:
            for char in chars:
                table.cmap.pop(ord(char), None)
        without.save(tmp_path / "lacking.ttf")
    assert here("render", f"font={font}", f"out={tmp_path / 'drawn'}", f"charset={chars}", "size=256").returncode == 0
    out = tmp_path / "whole.ttf"
    result = here(
        "build-font", f"input={tmp_path / 'drawn'}", f"target={tmp_path / 'lacking.ttf'}", f"out={out}", "workers=1"
    )
    assert result.returncode == 0, result.stderr
    assert "10 glyphs added" in result.stderr
    edges = []
    for char in chars:
        (was, was_wide), (now, now_wide) = points_of(TTFont(font), char), points_of(TTFont(out), char)
        assert now_wide == was_wide
        line = MultiLineString([LineString(contour) for contour in was])
        strays = [line.distance(Point(point)) for contour in now for point in contour]
        assert np.median(strays) < 1, char
        assert np.percentile(strays, 95) < 2, char
        a, b = (np.concatenate([np.array(contour) for contour in contours]) for contours in (was, now))
        edges += [*np.abs(a.min(0) - b.min(0)), *np.abs(a.max(0) - b.max(0))]
    assert np.median(edges) < 0.5
    assert np.percentile(edges, 95) <= 2
    assert max(edges) <= 3  # of a brush's tip, which is thinner than a pixel
    before, after = glyf_entries(tmp_path / "lacking.ttf"), glyf_entries(out)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 10
    sanitized(out)


@pytest.mark.parametrize("vertical", [False, True])
def test_what_a_truetype_font_had_keeps_its_bytes(tmp_path: Path, vertical: bool) -> None:
    target = truetype_font(tmp_path / "a.ttf", vertical=vertical)
    out = built(target, tmp_path / "b.ttf")
    before, after = glyf_entries(target), glyf_entries(out)
    assert after[: len(before)] == before
    assert len(after) == len(before) + len(MADE)
    for tag in ("GPOS", "GSUB", "GDEF", "kern", "fpgm", "prep"):
        assert raw(out, tag) == raw(target, tag), tag
    was, now = TTFont(target), TTFont(out)
    assert now.getGlyphOrder() == [*was.getGlyphOrder(), "uni56FD", "uni6771", "eacute"]
    for name in was.getGlyphOrder():
        assert now["hmtx"][name] == was["hmtx"][name]
    for tag, keys in (
        ("hhea", ("ascent", "descent", "lineGap")),
        ("OS/2", ("sTypoAscender", "usWinAscent", "usWinDescent", "sTypoLineGap")),
    ):
        assert all(getattr(now[tag], key) == getattr(was[tag], key) for key in keys)
    assert now["hmtx"]["uni6771"] == (1000, 30)
    assert now["head"].yMin == -60
    assert now["OS/2"].getUnicodeRanges() >= was["OS/2"].getUnicodeRanges() | {1, 59}
    if vertical:
        assert now["vmtx"]["uni6771"] == (1000, 80)  # origin at 880, top at 800
        assert now["vmtx"]["u53E3"] == was["vmtx"]["u53E3"]
    sanitized(out)


def test_harfbuzz_shapes_old_and_new_glyphs_together(tmp_path: Path) -> None:
    out = built(truetype_font(tmp_path / "a.ttf"), tmp_path / "b.ttf")
    assert shaped(out, "AV国é東口") == [
        ("u0041", 640 - 120), ("u0056", 600), ("uni56FD", 980), ("eacute", 500), ("uni6771", 1000), ("u53E3", 1000),
    ]  # fmt: skip


def test_freetype_draws_the_new_glyph_where_it_was_put(tmp_path: Path) -> None:
    glyphs = open_glyphs(str(built(truetype_font(tmp_path / "a.ttf"), tmp_path / "b.ttf")))
    drawn = glyphs.rasterize("東", Frame(100, 0, 0), 100)
    rows, columns = np.flatnonzero((drawn < 128).any(1)), np.flatnonzero((drawn < 128).any(0))
    # x 30..940 of 1000; y: 880 - 800 = 80, 880 + 60 = 940
    assert (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1) == (3, 94, 8, 94)


@pytest.mark.parametrize("cid", [False, True])
def test_what_a_cff_font_had_keeps_its_bytes(tmp_path: Path, cid: bool) -> None:
    target = cff_font(tmp_path / "a.otf", cid=cid)
    out = built(target, tmp_path / "b.otf")
    before, after = charstrings(target), charstrings(out)
    assert after[: len(before)] == before
    assert len(after) == len(before) + len(MADE)
    font = TTFont(out)
    top = font["CFF "].cff.topDictIndex[0]
    if cid:
        assert font.getGlyphOrder()[4:] == ["cid00301", "cid00302", "cid00303"]
        assert top.FDSelect.gidArray[:4] == [0, 0, 1, 1]
        assert len(top.FDSelect.gidArray) == 7
        assert top.CIDCount == 400
    else:
        assert font.getGlyphOrder()[4:] == ["uni56FD", "uni6771", "eacute"]
    assert [advance for _, advance in shaped(out, "A国é東")] == [640, 980, 500, 1000]
    sanitized(out)


def test_cids_after_the_last_there_can_be_are_those_left_free(tmp_path: Path) -> None:
    target = cff_font(tmp_path / "a.otf", cid=True, step=21844)  # as in a part of a font of all 65,535
    out = built(target, tmp_path / "b.otf")
    assert TTFont(out).getGlyphOrder()[3:] == ["cid65532", "cid65533", "cid65534", "cid00001"]
    assert TTFont(out)["CFF "].cff.topDictIndex[0].CIDCount == 65535
    assert [advance for _, advance in shaped(out, "A国é東")] == [640, 980, 500, 1000]
    sanitized(out)


def test_a_cmap_of_one_stretch_takes_new_characters(tmp_path: Path) -> None:
    target = make_font(tmp_path / "a.ttf", {"A": box(0, 0, 600, 700), "B": box(0, 0, 500, 700)})
    font = TTFont(target)
    trimmed = CmapSubtable.newSubtable(6)
    trimmed.platformID, trimmed.platEncID, trimmed.language = 0, 3, 0
    trimmed.cmap = font.getBestCmap()
    font["cmap"].tables = [trimmed]
    font.save(target)
    out = built(target, tmp_path / "b.ttf")
    assert set(TTFont(out).getBestCmap()) == {0x41, 0x42, *(ord(glyph.char) for glyph in MADE)}
    assert [advance for _, advance in shaped(out, "A国")] == [1000, 980]
    sanitized(out)


def test_characters_beyond_the_bmp_bring_a_32_bit_cmap(tmp_path: Path) -> None:
    target = truetype_font(tmp_path / "a.ttf")
    assert {table.format for table in TTFont(target)["cmap"].tables} == {4}
    out = built(target, tmp_path / "b.ttf", [square("𠀀", 0, 0, 900, 800), *MADE])
    tables = {(t.platformID, t.platEncID): t for t in TTFont(out)["cmap"].tables}
    assert tables[3, 10].format == 12
    assert tables[3, 10].cmap == tables[3, 1].cmap | {0x20000: "u20000"}
    assert tables[3, 1].cmap[ord("国")] == "uni56FD"
    assert shaped(out, "𠀀A")[0] == ("u20000", 1000)
    sanitized(out)


def test_a_full_16_bit_cmap_sends_new_characters_to_the_32_bit_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    codes = range(0x4E00, 0x9C00, 2)[:8180]  # no two neighbours: eight bytes each
    names = [".notdef", *(f"g{code:X}" for code in codes)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({code: f"g{code:X}" for code in codes})
    pen = TTGlyphPen(None)
    box(0, 0, 500, 500)(pen)
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Full", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost(keepGlyphNames=False)
    builder.save(tmp_path / "a.ttf")
    more = [square(chr(code), 0, 0, 900, 800) for code in range(0x3401, 0x3480, 2)]
    extend_font(open_target(str(tmp_path / "a.ttf")), more, tmp_path / "b.ttf")
    assert "16-bit cmap" in caplog.messages[0]
    assert raw(tmp_path / "b.ttf", "loca") != b""
    assert TTFont(tmp_path / "b.ttf").getBestCmap().keys() >= {0x3401, 0x4E00}


def test_a_character_mapped_to_nothing_drawn_is_mapped_to_the_new_glyph(tmp_path: Path) -> None:
    path = make_font(
        tmp_path / "a.ttf", {"口": box(0, 0, 900, 800), "国": None, " ": None, "東": box(100, 0, 400, 700)}
    )
    target = open_target(str(path))  # 東 is drawn as the missing-glyph box
    assert lacking(target, ["口", "国", "東", " ", "\u3000"]) == ["国", "東", "\u3000"]
    out = built(path, tmp_path / "b.ttf", [round_glyph("国"), square("東", 0, 0, 800, 800)])
    assert open_glyphs(str(out)).coverage(["国", "東", "口"]).present == ["国", "東", "口"]
    assert TTFont(out).getBestCmap()[ord("国")] == "uni56FD"


def test_a_variable_font_becomes_the_static_instance_asked_for(tmp_path: Path) -> None:
    path = variable_font(tmp_path / "var.ttf")
    target = open_target(f"{path}@wght=900")
    assert "static, at wght 900" in target.changes_first
    extend_font(target, MADE, tmp_path / "b.ttf")
    font = TTFont(tmp_path / "b.ttf")
    assert not {"fvar", "gvar", "HVAR"} & set(font.keys())
    assert font["glyf"]["u53E3"].xMax == 900
    assert font["hmtx"]["u53E3"] == (1000, 100)
    assert [advance for _, advance in shaped(tmp_path / "b.ttf", "口国")] == [1000, 980]
    sanitized(tmp_path / "b.ttf")


def test_woff_is_unpacked_and_a_collection_gives_one_face(tmp_path: Path) -> None:
    plain = truetype_font(tmp_path / "a.ttf")
    font = TTFont(plain)
    font.flavor = "woff"
    font.save(tmp_path / "a.woff")
    out = built(tmp_path / "a.woff", tmp_path / "w.ttf")
    assert glyf_entries(out)[:5] == glyf_entries(plain)
    collection = TTCollection()
    collection.fonts = [TTFont(XIAOWEI), TTFont(plain)]
    collection.save(tmp_path / "c.ttc")
    assert glyf_entries(built(f"{tmp_path / 'c.ttc'}#1", tmp_path / "c.ttf"))[:5] == glyf_entries(plain)
    with pytest.raises(DataError, match="collection of 2 fonts"):
        open_target(str(tmp_path / "c.ttc"))


def test_device_tables_are_extended_and_a_signature_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = truetype_font(tmp_path / "a.ttf")
    font = TTFont(path)
    order = font.getGlyphOrder()
    font["hdmx"], font["LTSH"], font["DSIG"] = newTable("hdmx"), newTable("LTSH"), newTable("DSIG")
    font["hdmx"].version, font["hdmx"].hdmx = 0, {16: dict.fromkeys(order, 10)}
    font["LTSH"].version, font["LTSH"].yPels = 0, dict.fromkeys(order, 9)
    font["DSIG"].ulVersion, font["DSIG"].usNumSigs, font["DSIG"].usFlag, font["DSIG"].signatureRecords = 1, 0, 0, []
    font.save(path)
    built(path, tmp_path / "b.ttf")
    now = TTFont(tmp_path / "b.ttf")
    assert "DSIG" not in now
    assert any("signature" in warning for warning in caplog.messages)
    assert now["hdmx"].hdmx[16]["uni56FD"] == round(980 * 16 / 1000)
    assert (now["LTSH"].yPels["uni56FD"], now["LTSH"].yPels["u0041"]) == (1, 9)


def test_line_spacing_stays_and_clipping_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = truetype_font(tmp_path / "a.ttf")
    font = TTFont(target)
    font["OS/2"].usWinAscent, font["OS/2"].usWinDescent = 880, 120
    font.save(target)
    built(target, tmp_path / "b.ttf", [square("國", 0, -130, 900, 890)])
    assert "usWinAscent 880" in caplog.messages[0]
    assert "國" in caplog.messages[0]
    assert TTFont(tmp_path / "b.ttf")["OS/2"].usWinAscent == 880


def test_what_windows_clips_at_grows_where_an_accent_would_be_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = truetype_font(tmp_path / "a.ttf")
    was = TTFont(target)
    was["OS/2"].usWinAscent, was["OS/2"].usWinDescent = 900, 200
    was.save(target)
    built(target, tmp_path / "b.ttf", [square("Ấ", 0, -230, 600, 1104)])
    now = TTFont(tmp_path / "b.ttf")
    assert (now["OS/2"].usWinAscent, now["OS/2"].usWinDescent) == (1104, 230)
    assert "from 900 and 200 to 1104 and 230" in caplog.messages[0]
    for tag, keys in (
        ("hhea", ("ascent", "descent", "lineGap")),
        ("OS/2", ("sTypoAscender", "sTypoDescender", "sTypoLineGap")),
    ):
        assert all(getattr(now[tag], key) == getattr(was[tag], key) for key in keys)


def test_family_is_renamed_everywhere(tmp_path: Path) -> None:
    path = cff_font(tmp_path / "a.otf")
    font = TTFont(path)
    for name_id in (1, 3, 4, 6, 16, 17, 21, 22, 25):
        font["name"].setName(f"Test {name_id}", name_id, 3, 1, 0x409)
        font["name"].setName(f"试验 Test {name_id}", name_id, 3, 1, 0x804)
    font["name"].setName("Its own words.", 10, 3, 1, 0x409)
    font["name"].setName("The licence.", 13, 3, 1, 0x409)
    font.save(path)
    out = built(path, tmp_path / "b.otf", family="My Hand", style_name="Light", note="Made by a test.")
    names = TTFont(out)["name"]
    assert not [str(record) for record in names.names if "Test" in str(record)]
    assert {i: names.getDebugName(i) for i in (1, 2, 4, 6, 13, 16, 17)} == {
        1: "My Hand Light", 2: "Regular", 4: "My Hand Light", 6: "MyHand-Light", 13: "The licence.", 16: "My Hand", 17: "Light",
    }  # fmt: skip
    assert names.getDebugName(10) == "Its own words. Made by a test."
    assert "MyHand-Light" in names.getDebugName(3)
    cff = TTFont(out)["CFF "].cff
    assert cff.fontNames == ["MyHand-Light"]
    assert (cff.topDictIndex[0].FamilyName, cff.topDictIndex[0].FullName) == ("My Hand", "My Hand Light")


def test_names_stay_where_no_family_is_given(tmp_path: Path) -> None:
    target = truetype_font(tmp_path / "a.ttf")
    was, now = TTFont(target)["name"], TTFont(built(target, tmp_path / "b.ttf"))["name"]
    for name_id in (0, 1, 2, 4, 5, 6, 13):
        assert now.getDebugName(name_id) == was.getDebugName(name_id)
    assert now.getDebugName(3) != was.getDebugName(3)
    assert now.getDebugName(10).startswith("3 glyphs of this font were generated")


def test_a_description_in_another_language_stays(tmp_path: Path) -> None:
    font = TTFont(truetype_font(tmp_path / "a.ttf"))
    font["name"].setName("自己的话。", 10, 3, 1, 0x804)
    font.save(tmp_path / "a.ttf")
    names = TTFont(built(tmp_path / "a.ttf", tmp_path / "b.ttf", note="Made by a test."))["name"]
    assert str(names.getName(10, 3, 1, 0x804)) == "自己的话。"
    assert "Made by a test." in str(names.getName(10, 3, 1, 0x409))


def test_the_same_input_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    target = truetype_font(tmp_path / "a.ttf")
    assert built(target, tmp_path / "b.ttf").read_bytes() == built(target, tmp_path / "c.ttf").read_bytes()
    settings = {"family": "New"}
    create_font(MADE, tmp_path / "d.ttf", **settings)  # type: ignore[arg-type]
    create_font(MADE, tmp_path / "e.ttf", **settings)  # type: ignore[arg-type]
    assert (tmp_path / "d.ttf").read_bytes() == (tmp_path / "e.ttf").read_bytes()


# -- a new font -------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["ttf", "otf"])
def test_a_new_font_has_all_that_a_font_needs(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"new.{ending}"
    create_font([*MADE, square("𠀀", 0, 0, 900, 800)], out, family="手写 Hand")
    font = TTFont(out)
    assert [chr(code) for code in font.getBestCmap()] == [" ", "\xa0", "é", "\u3000", "国", "東", "𠀀"]
    assert (font["hhea"].ascent, font["hhea"].descent, font["OS/2"].sTypoAscender, font["OS/2"].sTypoDescender) == (
        880,
        -120,
        880,
        -120,
    )
    assert font["OS/2"].fsSelection & (1 << 7)
    assert font["OS/2"].fsType == 0
    assert font["vmtx"]["uni6771"] == (1000, 80)
    assert open_glyphs(str(out)).to_cell() == {"units_per_em": 1000, "baseline": 880}
    assert font["name"].getDebugName(1) == "手写 Hand"
    assert font["name"].getDebugName(6).isascii()
    assert shaped(out, "国 é𠀀") == [("uni56FD", 980), ("space", 250), ("eacute", 500), ("u20000", 1000)]
    sanitized(out)


def test_quadratic_curves_stay_within_the_tolerance(tmp_path: Path) -> None:
    for tolerance in (0.3, 3.0):
        create_font([round_glyph("国")], tmp_path / "a.ttf", family="Round", tolerance=tolerance)
        contours, _ = points_of(TTFont(tmp_path / "a.ttf"), "国")
        radii = np.hypot(*(np.array(contours[0]) - (500, 400)).T)
        assert np.abs(radii - 300).max() < tolerance + 0.8  # and half a unit's rounding, and the cubic's own 0.1


def test_glyphs_that_no_font_can_hold_are_refused(tmp_path: Path) -> None:
    for glyphs, told in (
        ([], "no glyphs"),
        ([DrawnGlyph("国", Outline(), 1000)], "empty: 国"),
        ([MADE[0], MADE[0]], "twice: 国"),
        ([square("国", 0, 0, 20000, 100)], "farther than"),
        ([square("国", 0, 0, 100, 100, advance=-5)], "below 0"),
    ):
        with pytest.raises(DataError, match=told):
            create_font(glyphs, tmp_path / "a.ttf", family="No")
    assert not list(tmp_path.iterdir())


def test_too_many_glyphs_are_refused_before_any_work() -> None:
    target = open_target(str(XIAOWEI))
    there = target.font["maxp"].numGlyphs
    fits = [chr(0x20000 + i) for i in range(65_535 - there)]
    check_limits(target, fits)
    with pytest.raises(DataError, match="at most 65535"):
        check_limits(target, [*fits, "国"])


def test_a_font_of_too_few_units_is_refused(tmp_path: Path) -> None:
    target = make_font(tmp_path / "a.ttf", {"口": box(0, 0, 8, 8)}, em=16)
    thin = DrawnGlyph("一", square("一", 0, 0, 16, 1).outline, 16)
    uneven = replace(thin, outline=thin.outline.transformed(scale=0.6, dy=0.3))  # half a unit high
    with pytest.raises(DataError, match="16 units per em"):
        built(target, tmp_path / "b.ttf", [uneven])
    assert not (tmp_path / "b.ttf").exists()


def test_a_glyph_drawn_otherwise_than_made_is_found(tmp_path: Path) -> None:
    create_font(MADE, tmp_path / "a.ttf", family="Wrong")
    assert min(verify(tmp_path / "a.ttf", MADE).values()) > 0.98
    with pytest.raises(RunError, match="東 U\\+6771"):
        verify(tmp_path / "a.ttf", [MADE[0], square("東", 30, 340, 940, 1200)])
    with pytest.raises(RunError, match="not there, or not as wide: 東"):
        verify(tmp_path / "a.ttf", [square("東", 30, -60, 940, 800, advance=900)])
    with pytest.raises(RunError, match="not there"):
        verify(tmp_path / "a.ttf", [round_glyph("圆")])


# -- UFO --------------------------------------------------------------------------------------


def test_outlines_come_back_from_a_ufo_as_they_were(tmp_path: Path) -> None:
    write_ufo(tmp_path / "a.ufo", MADE, units_per_em=1000, baseline=880, family="Hand")
    read = read_ufo(tmp_path / "a.ufo")
    assert (read.units_per_em, read.baseline, read.family, read.style) == (1000, 880, "Hand", "Regular")
    assert {g.char: g.advance for g in read.glyphs} == {g.char: g.advance for g in MADE}
    create_font(MADE, tmp_path / "a.otf", family="Hand")
    create_font(read.glyphs, tmp_path / "b.otf", family="Hand")
    for glyph in MADE:
        assert points_of(TTFont(tmp_path / "a.otf"), glyph.char) == points_of(TTFont(tmp_path / "b.otf"), glyph.char)


def test_a_ufo_edited_elsewhere_is_read(tmp_path: Path) -> None:
    """Components, an anchor point, an unnamed glyph, an empty one, and a contour without a point on the curve."""
    ufo = tmp_path / "a.ufo"
    write_ufo(
        ufo,
        [square("口", 100, 0, 900, 800), square("品", 0, 0, 9, 9), square("国", 0, 0, 9, 9), square("東", 0, 0, 9, 9)],
        units_per_em=2000,
        baseline=1760,
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<glyph name="{0}" format="2"><advance width="1000"/>{1}<outline>{2}</outline></glyph>'
    component = '<component base="uni53E3" xOffset="50"/><contour><point x="5" y="5" type="move" name="top"/></contour>'
    off = '<contour><point x="0" y="0"/><point x="0" y="400"/><point x="400" y="400"/><point x="400" y="0"/></contour>'
    glif(ufo, "uni54C1").write_text(head.format("uni54C1", '<unicode hex="54C1"/>', component))
    glif(ufo, "uni56FD").write_text(head.format("uni56FD", '<unicode hex="56FD"/>', off))
    glif(ufo, "uni6771").write_text(head.format("uni6771", "", component))
    read = read_ufo(ufo)
    assert [glyph.char for glyph in read.glyphs] == ["口", "品", "国"]
    assert read.nameless == ["uni6771"]
    create_font(read.glyphs, tmp_path / "a.ttf", family="Edited", units_per_em=2000, baseline=1760)
    table = TTFont(tmp_path / "a.ttf")["glyf"]
    assert (table["uni54C1"].xMin, table["uni54C1"].xMax) == (150, 950)
    assert (table["uni56FD"].xMin, table["uni56FD"].yMax) == (0, 400)
    out = built_from(ufo, truetype_font(tmp_path / "t.ttf"), tmp_path / "b.ttf")
    assert TTFont(out)["hmtx"]["uni56FD"] == (500, 0)  # of 2000 units per em, in 1000


def built_from(source: Path, target: Path, out: Path) -> Path:
    from fontgan.cli import main

    assert main(["build-font", f"input={source}", f"target={target}", f"out={out}"]) == 0
    return out


def test_vectorize_then_build_font(tmp_path: Path, here: Here) -> None:
    """By way of the UFO, as a designer goes; cubic and quadratic ones end in the same place."""
    folder, target = tmp_path / "drawn", truetype_font(tmp_path / "t.ttf")
    assert here("render", f"font={KAI}", f"out={folder}", "charset=永国A", "size=256").returncode == 0
    for curves, kind in (("cubic", "curve"), ("quadratic", "qcurve"), ("auto", "qcurve")):
        ufo = tmp_path / f"{curves}.ufo"
        result = here("vectorize", f"input={folder}", f"out={ufo}", f"target={target}", f"curves={curves}")
        assert result.returncode == 0, result.stderr
        assert f'type="{kind}"' in glif(ufo, "uni6C38").read_text()
    assert "already" in here("vectorize", f"input={folder}", f"out={ufo}").stderr
    assert here("vectorize", f"input={folder}", f"out={ufo}", "charset=永", "overwrite=true").returncode == 0
    assert len(read_ufo(ufo).glyphs) == 1
    out = built_from(tmp_path / "cubic.ufo", target, tmp_path / "a.ttf")
    assert [name for name, _ in shaped(out, "永国A")] == ["uni6C38", "uni56FD", "u0041"]  # the target has A


def test_workers_give_the_same_outlines(tmp_path: Path, here: Here) -> None:
    folder = tmp_path / "drawn"
    chars = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会"
    assert here("render", f"font={XIAOWEI}", f"out={folder}", f"charset={chars}", "size=64").returncode == 0
    (folder / "U+4E00.png").write_bytes(b"no image")
    Image.new("L", (64, 64), 255).save(folder / "U+4E86.png")
    glyphs = []
    for workers in (1, 2):
        result = here("vectorize", f"input={folder}", f"out={tmp_path / f'{workers}.ufo'}", f"workers={workers}")
        assert result.returncode == 1, result.stderr
        assert "U+4E00.png: not an image" in result.stderr
        assert "1 images hold no ink and give no glyph: 了" in result.stderr
        glyphs.append(read_ufo(tmp_path / f"{workers}.ufo").glyphs)
    assert len(glyphs[0]) == len(chars) - 2
    assert glyphs[0] == glyphs[1]


# -- widths -----------------------------------------------------------------------------------


def test_plain_images_are_full_width_or_as_wide_as_their_ink(tmp_path: Path, here: Here) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("永", "A"):
        image = Image.new("L", (100, 100), 255)
        image.paste(0, (40, 20, 70, 88))
        image.save(folder / f"{name}.png")
    result = here("build-font", f"input={folder}", f"out={tmp_path / 'My Hand.ttf'}")
    assert result.returncode == 0, result.stderr
    font = TTFont(tmp_path / "My Hand.ttf")
    assert font["name"].getDebugName(1) == "My Hand"
    assert font["hmtx"]["uni6C38"] == pytest.approx((1000, 400), abs=2)
    assert font["hmtx"]["uni6C38"][0] == 1000
    assert font["hmtx"]["A"] == pytest.approx((300 + 2 * 60, 60), abs=2)  # its ink and two side bearings
    assert (font["glyf"]["A"].yMin, font["glyf"]["A"].yMax) == pytest.approx(
        (0, 680), abs=2
    )  # the baseline is 0.88 down


def test_widths_come_from_the_manifest_the_target_and_the_source(tmp_path: Path) -> None:
    target, source = open_glyphs(str(KAI)), open_glyphs(str(XIAOWEI))
    assert isinstance(target, FontGlyphs)
    assert isinstance(source, FontGlyphs)
    folder = tmp_path / "drawn"
    folder.mkdir()
    plain = choose_layout(folder, target=target, source=source)
    assert plain.place("永", MADE[0].outline).advance == 1000
    assert plain.place("+", MADE[0].outline).advance == source.advance("+")
    facts = {
        "size": 64,
        "cell_to_canvas": Frame(64).as_dict(),
        "font": {"to_cell": {"units_per_em": 2000, "baseline": 1700}},
        "advances": {"A": 1300},
    }
    (folder / "manifest.json").write_text(json.dumps(facts))
    told = choose_layout(folder, target=target, source=source)
    assert told.baseline == 850  # the cell that was drawn is that of the manifest's font
    assert told.place("A", MADE[0].outline).advance == 650
    assert choose_layout(folder).units_per_em == 2000
    assert choose_layout(folder, units_per_em=500, baseline=0.9).baseline == 450
    assert told.place("+", MADE[0].outline).advance == source.advance("+")  # the manifest does not tell


def test_each_script_has_its_own_width(tmp_path: Path, here: Here) -> None:
    """As in Korean fonts, whose hangul are narrower than their Han."""
    path = make_font(tmp_path / "a.ttf", {char: box(50, 0, 800, 700) for char in "가나다라一二三"})
    font = TTFont(path)
    for char in "가나다라":
        font["hmtx"][f"u{ord(char):04X}"] = (920, 50)
    font.save(path)
    layout = choose_layout(tmp_path, target=FontGlyphs(path))
    assert [layout.place(char, MADE[0].outline).advance for char in "마四か"] == [920, 1000, 920]
    # A folder that was drawn from such a font and is completed itself.
    assert here("render", f"font={path}", f"out={tmp_path / 'drawn'}", "charset=font", "size=64").returncode == 0
    layout = choose_layout(tmp_path / "drawn")
    assert [layout.place(char, MADE[0].outline).advance for char in "가마四か"] == [920, 920, 1000, 920]


def test_render_tells_the_way_back_to_font_units(tmp_path: Path, here: Here) -> None:
    assert here("render", f"font={SOURCE}", f"out={tmp_path}", "charset=永A", "size=64").returncode == 0
    facts = json.loads((tmp_path / "manifest.json").read_text())
    assert facts["font"]["to_cell"] == {"units_per_em": 1000, "baseline": 880}
    assert (facts["font"]["ascent"], facts["font"]["descent"]) == (880, -120)
    with TTFont(SOURCE) as font:
        assert facts["advances"] == {c: font["hmtx"][font.getBestCmap()[ord(c)]][0] for c in "永A"}


# -- licence ----------------------------------------------------------------------------------

OFL = (FONTS / "NotoSansSC-Regular.LICENSE.txt").read_text()
MIT = (REPOSITORY / "LICENSE").read_text()
ALLOWING = {
    "OFL, whole": OFL,
    "OFL, notice": "This Font Software is licensed under the SIL Open Font License, Version 1.1. This license is available with a FAQ at: https://openfontlicense.org",
    "MIT, whole": MIT,
    "Apache": 'Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0',
    "GPL, section 4": "You may not copy, modify, sublicense, or distribute the Program except as expressly provided under this License. However, parties who have received copies, or rights, from you under this License will not have their licenses terminated.",
    "GPL font exception": "As a special exception, if you create a document which uses this font, and embed this font or unaltered portions of this font into the document, this font does not by itself cause the resulting document to be covered by the GNU General Public License. If you modify this font, you may extend this exception to your version of the font, but you are not obligated to do so. If you do not wish to do so, delete this exception statement from your version.",
    "UFL": 'The fonts and derivatives, however, cannot be released under any other licence. "Substantially Changed" refers to Modified Versions which can be easily identified as dissimilar. Modified Versions which are Substantially Changed must be renamed to avoid use of the name of the Original Version. The name(s) of the Copyright Holder(s) shall not be used to promote, endorse or advertise any Modified Version. The Font Software, modified or unmodified, in part or in whole, must be distributed entirely under this licence, and must not be distributed under any other licence.',
    "CC BY-SA": "Creative Commons Attribution-ShareAlike 4.0 International. You must indicate if changes were made.",
    "Vera": 'The Font Software may be modified, altered, or added to, only if the fonts are renamed to names not containing the word "Vera".',
    "zlib": "Altered source versions must be plainly marked as such, and must not be misrepresented as being the original software.",
    "BSD": "Neither the name of the author may be used to endorse or promote products derived from this software without specific prior written permission.",
    "Chinese": "本字体可免费商用，允许修改。",
    "Japanese": "この書体は改変を含め自由に利用できます。",
    "plain": "Free for personal and commercial use. You may modify the font for your own use.",
}  # fmt: skip
FORBIDDING = {
    "EULA": "You may not modify, adapt, translate, reverse engineer or create derivative works based on the Font Software.",
    "passive": "The Font Software may not be modified, altered or converted without the written consent of the Foundry.",
    "agrees": "Licensee agrees not to modify the font.",
    "prohibited": "Modification of this font is strictly prohibited.",
    "no": "No modifications allowed.",
    "derivatives": "Creating derivative works is not permitted.",
    "add": "You are not allowed to add glyphs to or otherwise alter the font files.",
    "rename": "You may not rename, edit or create any derivative works from the fonts without our written permission.",
    "changes": "You must not make any changes to the Font Software.",
    "amid others": "You may use the fonts on five computers. Embedding is allowed. You shall not decompile, modify or make derivative works of it. All rights reserved.",
    "ND": "This work is licensed under CC BY-ND 4.0.",
    "ND in words": "Creative Commons Attribution-NoDerivatives 4.0 International",
    "ND address": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "Chinese": "未经授权，不得修改、改编本字体。",
    "Japanese": "本フォントの改変・再配布を禁じます。",
    "Korean": "글꼴 자체를 수정하여 배포하는 것은 금지됩니다.",
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWING)
def test_licences_that_allow_changes(name: str) -> None:
    assert forbidding_words(ALLOWING[name]) == ""


@pytest.mark.parametrize("name", FORBIDDING)
def test_licences_that_forbid_changes(name: str) -> None:
    assert forbidding_words(FORBIDDING[name])


def test_reserved_names() -> None:
    assert reserved_names("(c) 2014 Adobe, with Reserved Font Name 'Source'.") == ["Source"]
    assert reserved_names('Copyright 2010 Foo with Reserved Font Names "Foo Sans" and "Foo".') == ["Foo Sans", "Foo"]
    assert reserved_names("Copyright (c) 2011 X, with Reserved Font Name Charis SIL, Gentium.") == [
        "Charis SIL",
        "Gentium",
    ]
    assert reserved_names(OFL[OFL.index("PREAMBLE") :]) == []  # its own rule on such names reserves none
    vera = 'only if the fonts are renamed to names not containing either the words "Bitstream" or the word "Vera".'
    assert reserved_names(vera) == ["Bitstream", "Vera"]


@pytest.mark.parametrize(
    "text",
    [
        'You must accept "http://ipafont.ipa.go.jp/ipa_font_license_v1.html" to use this product.',
        "Licensed under the Ubuntu Font Licence 1.0.",
    ],
)
def test_licences_that_want_a_changed_font_renamed(tmp_path: Path, text: str) -> None:
    font = TTFont(licensed(tmp_path / "a.ttf", text))  # of the family Test
    for family in (None, "Test Two"):
        with pytest.raises(ConfigError, match="reserves the font name Test"):
            check_licence(font, confirm_ownership=False, family=family)
    told = check_licence(font, confirm_ownership=False, family="My Hand")
    assert not [finding for finding in told if finding.level == "warning"]


def test_an_unknown_licence_is_said(tmp_path: Path) -> None:
    font = TTFont(licensed(tmp_path / "a.ttf", "Example Foundry"))
    (warning,) = [f for f in check_licence(font, confirm_ownership=False, family=None) if f.level == "warning"]
    assert "names no free licence" in warning.message


def licensed(path: Path, text: str = "", *, copyright_text: str = "", fs_type: int = 0) -> Path:
    truetype_font(path)
    font = TTFont(path)
    font["name"].removeNames(nameID=13)
    for name_id, words in ((13, text), (0, copyright_text)):
        if words:
            font["name"].setName(words, name_id, 3, 1, 0x409)
    font["OS/2"].fsType = fs_type
    font.save(path)
    return path


def test_the_licence_guard(tmp_path: Path, here: Here, refused: Refused) -> None:
    write_ufo(tmp_path / "a.ufo", MADE, units_per_em=1000, baseline=880)

    def arguments(target: Path, *more: str) -> tuple[str, ...]:
        return ("build-font", f"input={tmp_path / 'a.ufo'}", f"target={target}", f"out={tmp_path / 'out.ttf'}", *more)

    eula = licensed(tmp_path / "eula.ttf", FORBIDDING["amid others"])
    told = refused(*arguments(eula))
    assert "You shall not decompile" in told
    assert "confirm_ownership=true" in told
    restricted = licensed(tmp_path / "restricted.ttf", "All rights reserved.", fs_type=2)
    assert "fsType says Restricted License" in refused(*arguments(restricted))
    reserved = licensed(tmp_path / "reserved.ttf", OFL, copyright_text="Copyright X, with Reserved Font Name 'Test'.")
    assert "reserves the font name Test" in refused(*arguments(reserved))
    assert "reserves the font name Test" in refused(*arguments(reserved, "family=My Te-st Font"))
    assert not (tmp_path / "out.ttf").exists()
    result = here(*arguments(reserved, "family=My Hand"))
    assert result.returncode == 0
    assert "SIL Open Font License" in result.stderr
    silent = licensed(tmp_path / "silent.ttf")
    result = here(*arguments(silent, "overwrite=true"))
    assert result.returncode == 0
    assert "warning: target" in result.stderr
    assert "has no licence text" in result.stderr
    assert here(*arguments(eula, "confirm_ownership=true", "overwrite=true")).returncode == 0


def test_ownership_does_not_free_a_reserved_name_chosen_anew(tmp_path: Path) -> None:
    font = TTFont(licensed(tmp_path / "a.ttf", OFL, copyright_text="Copyright X, with Reserved Font Name 'Foo'."))
    assert check_licence(font, confirm_ownership=False, family=None)  # Test is not Foo
    with pytest.raises(ConfigError, match="reserves the font name Foo"):
        check_licence(font, confirm_ownership=True, family="Foo Two")


# -- bad input --------------------------------------------------------------------------------


def test_bad_input_is_refused_in_one_line_and_nothing_is_written(tmp_path: Path, refused: Refused) -> None:
    target = truetype_font(tmp_path / "t.ttf")
    ufo = tmp_path / "a.ufo"
    write_ufo(ufo, MADE, units_per_em=1000, baseline=880)
    (tmp_path / "text.ttf").write_text("no font")
    (tmp_path / "bitmap.bdf").write_text("STARTFONT 2.1\nFONT x\nSIZE 8 75 75\nENDFONT\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "there.ttf").write_text("mine")
    (tmp_path / "folder.ttf").mkdir()
    out = tmp_path / "out.ttf"
    before = sorted(path.name for path in tmp_path.iterdir())

    def told(**changed: object) -> str:
        settings: dict[str, object] = {"input": ufo, "out": out, "target": target} | changed
        return refused("build-font", *(f"{key}={value}" for key, value in settings.items()))

    assert "not a font that can be read" in told(target=tmp_path / "text.ttf")
    assert "bitmap.bdf" in told(target=tmp_path / "bitmap.bdf")
    assert "no such font" in told(target=tmp_path / "none.ttf")
    assert "is a folder" in told(target=tmp_path / "empty")
    assert "must end in .ttf" in told(out=tmp_path / "out.woff")
    assert "target has TrueType outlines" in told(out=tmp_path / "out.otf")
    assert "target has CFF outlines" in told(target=cff_font(tmp_path / "c.otf"))
    (tmp_path / "c.otf").unlink()
    assert "is a folder" in told(out=tmp_path / "folder.ttf")
    assert "is there already" in told(out=tmp_path / "there.ttf")
    assert "is what is read" in told(out=target, overwrite="true")
    assert "is a file, not a folder" in told(out=tmp_path / "there.ttf" / "out.ttf")
    assert "no such UFO or folder" in told(input=tmp_path / "none")
    assert "neither a UFO nor a folder" in told(input=tmp_path / "there.ttf")
    assert "holds no images" in told(input=tmp_path / "empty")
    assert "tolerance=0" in told(tolerance=0)
    assert "a text in one line" in told(family="")
    assert "a text in one line" in told(style_name="''")
    assert "speck=1" in told(speck=1, input=tmp_path / "empty")
    assert "workers=0" in told(workers=0, input=tmp_path / "empty")
    assert "there is none" in told(target="null", confirm_ownership="true")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "there.ttf").read_text() == "mine"
    everything = built(target, tmp_path / "all.ttf")
    assert "has all 3 characters" in told(target=everything)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metainfo.plist", "broken"),
        ("fontinfo.plist", "<plist><dict><key>unitsPerEm</key><string>a</string></dict></plist>"),
        ("uni56FD", "<glyph"),
        ("uni56FD", '<glyph name="uni56FD" format="2"><unicode hex="56FD"/><outline><component base="none"/></outline></glyph>'),
        ("uni56FD", '<glyph name="uni56FD" format="2"><unicode hex="56FD"/><outline><component base="uni56FD"/></outline></glyph>'),
        ("uni56FD", '<glyph name="uni56FD" format="2"><unicode hex="6771"/><outline><contour><point x="0" y="0" type="line"/><point x="0" y="9" type="line"/><point x="9" y="9" type="line"/></contour></outline></glyph>'),
        ("glyphs/contents.plist", None),
    ],
)  # fmt: skip
def test_a_broken_ufo_is_refused_in_one_line(tmp_path: Path, refused: Refused, file: str, content: str | None) -> None:
    ufo = tmp_path / "a.ufo"
    write_ufo(ufo, MADE, units_per_em=1000, baseline=880)
    broken = glif(ufo, file) if file == "uni56FD" else ufo / file
    broken.unlink()
    if content is not None:
        broken.write_text(content)
    assert "not a UFO that can be read" in refused("build-font", f"input={ufo}", f"out={tmp_path / 'out.ttf'}")
    assert not (tmp_path / "out.ttf").exists()


def test_vectorize_refuses_what_is_not_its_own(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.new("L", (64, 64), 0).save(folder / "永.png")
    (tmp_path / "other.ufo").mkdir()
    told = lambda *more: refused("vectorize", f"input={folder}", *more)  # noqa: E731
    assert "ends in .ufo" in told(f"out={tmp_path / 'a.glyphs'}")
    assert "not of fontgan vectorize" in told(f"out={tmp_path / 'other.ufo'}", "overwrite=true")
    assert "choose one of cubic" in told(f"out={tmp_path / 'a.ufo'}", "curves=round")
    assert "units_per_em=8" in told(f"out={tmp_path / 'a.ufo'}", "units_per_em=8")
    assert "baseline=88" in told(f"out={tmp_path / 'a.ufo'}", "baseline=88")
    assert "no image of the characters" in told(f"out={tmp_path / 'a.ufo'}", "charset=国")
    assert not (tmp_path / "a.ufo").exists()


def test_the_commands_start_without_torch() -> None:
    code = (
        "import sys; import fontgan.commands.vectorize, fontgan.commands.build_font; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- fontbakery -------------------------------------------------------------------------------

# What its universal profile fails, and why that is right here; docs/guide/font-files.md has the same list.
REASONED = {
    "case_mapping": "a font may hold the capitals alone that its designer drew",
}
LEFT_OUT = {"fontdata_namecheck": "asks a server on the internet whether the name is free"}


def fontbakery() -> str:
    file = os.environ.get("FONTBAKERY") or REPOSITORY / ".fontbakery" / "bin" / "fontbakery"
    found = shutil.which(str(file))
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{file}: fontbakery is not there. Run make fontbakery, or set FONTBAKERY.")
    pytest.skip("fontbakery is not there: make fontbakery installs it in an environment of its own")


@pytest.mark.slow
def test_fontbakery_finds_nothing_that_the_target_did_not_have(tmp_path: Path) -> None:
    """Its universal profile, which holds the OpenType one too, on an extended font, its target, and two new fonts."""
    command = fontbakery()
    glyphs = [
        *MADE,
        square("A", 50, 0, 550, 700, 600),
        square("a", 50, 0, 450, 500, 500),
        square("É", 40, 0, 560, 700, 600),
    ]
    made = {"target": tmp_path / "target" / XIAOWEI.name, "extended": tmp_path / "extended" / XIAOWEI.name}
    made |= {ending: tmp_path / ending / f"NewHand-Regular.{ending}" for ending in ("ttf", "otf")}
    for path in made.values():
        path.parent.mkdir()
    shutil.copyfile(XIAOWEI, made["target"])
    built(XIAOWEI, made["extended"], [square(char, 30, -60, 940, 800) for char in "鬱龘"])
    for ending in ("ttf", "otf"):
        create_font(glyphs, made[ending], family="New Hand")
    left_out = [word for check in LEFT_OUT for word in ("-x", check)]
    started = {
        name: subprocess.Popen(
            [command, "check-universal", "--json", path.with_suffix(".json"), "-q", "-C", "--no-progress", *left_out, path],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name, path in made.items()
    }  # fmt: skip
    failed = {}
    for name, path in made.items():
        started[name].wait(240)
        sections = json.loads(path.with_suffix(".json").read_text())["sections"]
        checks = [check for section in sections for check in section["checks"]]
        assert sum(check["result"] == "PASS" for check in checks) > 50
        failed[name] = {
            check["key"][1].split(":")[1].rstrip(">")
            for check in checks
            if check["result"] in ("FAIL", "ERROR", "FATAL")
        }
    assert failed["extended"] <= failed["target"] | set(REASONED)
    assert failed["ttf"] <= set(REASONED)
    assert failed["otf"] <= set(REASONED)


@pytest.mark.parametrize("setting", ["speck=0.001", "workers=1"])
def test_what_only_images_need_is_refused_for_a_ufo(refused, tmp_path: Path, setting: str) -> None:
    line = refused("build-font", f"input={tmp_path / 'a.ufo'}", f"out={tmp_path / 'a.ttf'}", setting)
    assert setting.partition("=")[0] in line
    assert "UFO" in line
