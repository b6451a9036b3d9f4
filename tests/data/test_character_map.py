"""Fonts without a Unicode cmap: read by the encoding of the table that they have, trained on, and completed."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

from fontgan.data.character_map import CODECS, character_map
from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.fontfile.extend import extend_font
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.target import open_target
from tests.helpers import KAI, SOURCE, TINY, error_line, fontgan_here, part_of

HAN = "的一是不了在人有我他中大为和国地到以生能下自年"  # of which every old set has most
ASCII = "ABCabc123"
EAST_ASIAN = [place for place, (_, codec) in CODECS.items() if codec not in ("cp1252", "mac_roman")]


def with_cmap(font: Path, out: Path, place: tuple[int, int], codes: dict[int, str], kind: int) -> Path:
    """A font whose only cmap has these codes, of glyphs by character."""
    tables = TTFont(font)
    names = tables.getBestCmap()
    table = CmapSubtable.newSubtable(kind)
    (table.platformID, table.platEncID), table.language = place, 0
    table.cmap = {code: names[ord(char)] for code, char in codes.items()}
    tables["cmap"].tables = [table]
    tables.save(out)
    return out


def codes_of(chars: str, codec: str) -> dict[int, str]:
    """Codes of those characters that a codec has."""
    found = {}
    for char in chars:
        try:
            found[int.from_bytes(char.encode(codec), "big")] = char
        except UnicodeEncodeError:
            continue
    return found


@pytest.fixture(scope="module")
def kai(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part_of(KAI, HAN + ASCII, tmp_path_factory.mktemp("kai") / "kai.ttf")


def legacy(kai: Path, out: Path, place: tuple[int, int], kind: int = 4) -> Path:
    return with_cmap(kai, out, place, codes_of(HAN + ASCII, CODECS[place][1]), kind)


def cmap_bytes(font: Path, place: tuple[int, int]) -> bytes:
    (table,) = (t for t in TTFont(font)["cmap"].tables if (t.platformID, t.platEncID) == place)
    return bytes(table.data)  # as it lies in the file, not yet taken apart


@pytest.mark.parametrize("place", EAST_ASIAN)
@pytest.mark.parametrize("kind", [2, 4])
def test_every_old_encoding_gives_the_glyphs_that_unicode_gave(
    kai: Path, tmp_path: Path, place: tuple[int, int], kind: int
) -> None:
    font = legacy(kai, tmp_path / "old.ttf", place, kind)
    chars = sorted(codes_of(HAN + ASCII, CODECS[place][1]).values())
    glyphs, true = open_glyphs(str(font)), open_glyphs(str(kai))
    assert glyphs.coverage(None).present == chars
    assert len(set(chars) & set(HAN)) >= 12
    for char in chars:
        drawn, expected = (one.rasterize(char, Frame(64), 64) for one in (glyphs, true))
        assert np.array_equal(drawn, expected), char


def test_a_font_of_symbols_is_read_as_windows_types_them(kai: Path, tmp_path: Path) -> None:
    codes = {0xF000 + ord(char): char for char in ASCII} | {0xF080: "的", 0x4E00: "一", 0xF081: "是", 0xF101: "不"}
    symbols = open_glyphs(str(with_cmap(kai, tmp_path / "symbols.ttf", (3, 0), codes, 4)))
    assert set(symbols.coverage(None).present) == {*ASCII, "€", "一", "\uf101"}  # 0x81 is none of Windows' bytes
    true = open_glyphs(str(kai))
    assert np.array_equal(symbols.rasterize("€", Frame(64), 64), true.rasterize("的", Frame(64), 64))


def test_an_old_font_of_a_macintosh_is_read(kai: Path, tmp_path: Path) -> None:
    codes = {ord(char): char for char in ASCII} | {0x80: "的"}
    mac = open_glyphs(str(with_cmap(kai, tmp_path / "mac.ttf", (1, 0), codes, 0)))
    assert set(mac.coverage(None).present) == {*ASCII, "Ä"}


def test_how_it_is_read_is_said_once(kai: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    font = legacy(kai, tmp_path / "old.ttf", (3, 3))
    with caplog.at_level(logging.INFO, "fontgan"):
        for _ in range(2):
            open_glyphs(str(font))
    said = f"{font}: has no Unicode cmap; its cmap 3,3 is read as GB 2312 and GBK ({len(HAN + ASCII)} characters)"
    assert caplog.messages == [said]


def test_unicode_goes_before_all_others(kai: Path) -> None:
    assert character_map(TTFont(kai)) == (TTFont(kai).getBestCmap(), "")


def test_codes_that_stand_for_nothing_are_told(kai: Path, tmp_path: Path) -> None:
    codes = codes_of(HAN, "gbk") | {0xFF: "的", 0x0D: "一", 0xFFFF: "是", 0xA1: "不"}
    glyphs, told = character_map(TTFont(with_cmap(kai, tmp_path / "odd.ttf", (3, 3), codes, 4)))
    assert {chr(code) for code in glyphs} == set(HAN)
    assert told.endswith("4 codes stand for none or for one that is there)")


def test_no_known_table_is_one_line(kai: Path, tmp_path: Path) -> None:
    font = with_cmap(kai, tmp_path / "none.ttf", (3, 7), codes_of(HAN, "gbk"), 4)
    assert "no cmap of Unicode" in error_line(fontgan_here("coverage", f"font={font}"))


@pytest.mark.parametrize("kind", [2, 4])
@pytest.mark.parametrize("damage", ["short", "noise", "ones"])
def test_a_damaged_table_is_one_line_or_read(kai: Path, tmp_path: Path, kind: int, damage: str) -> None:
    font = legacy(kai, tmp_path / "old.ttf", (3, 3), kind)
    data, tables = bytearray(font.read_bytes()), TTFont(font)
    entry = tables.reader.tables["cmap"]
    start, end = entry.offset + 12 + 6, entry.offset + entry.length  # after the header and that of the subtable
    if damage == "noise":
        noise = hashlib.sha512(b"noise").digest() * (1 + (end - start) // 64)
        data[start:end] = noise[: end - start]
    elif damage == "ones":
        data[start:end] = b"\xff" * (end - start)
    else:
        data[entry.offset + 14 : entry.offset + 16] = (9).to_bytes(2, "big")  # the subtable's own length
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(data)
    result = fontgan_here("coverage", f"font={broken}")
    assert "Traceback" not in result.stderr
    assert result.returncode == 0 or error_line(result)


def test_an_old_font_is_checked_and_trained_on(kai: Path, tmp_path: Path) -> None:
    font = legacy(kai, tmp_path / "old.ttf", (3, 3), 2)
    data = ("data=fonts", f"data.source={SOURCE}", f"data.targets=[{font}]", f"data.charset={HAN}")
    checked = fontgan_here("check", *data)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(HAN)} characters" in checked.stdout
    trained = fontgan_here("train", *TINY, *data, f"out={tmp_path / 'run'}")
    assert trained.returncode == 0, trained.stderr


def square(char: str) -> DrawnGlyph:
    corners = ((100, 0), (100, 600), (700, 600), (700, 0))
    calls = [("moveTo", (corners[0],)), *(("lineTo", (corner,)) for corner in corners[1:]), ("closePath", ())]
    return DrawnGlyph(char, Outline(calls), 1000)


@pytest.mark.parametrize(("place", "kind"), [((3, 3), 2), ((3, 4), 4), ((3, 0), 4), ((1, 0), 0)])
def test_what_is_added_goes_into_a_unicode_table_beside_the_old_one(
    kai: Path, tmp_path: Path, place: tuple[int, int], kind: int
) -> None:
    shift = 0xF000 if place == (3, 0) else 0
    chars = HAN + ASCII if CODECS[place][1] not in ("cp1252", "mac_roman") else ASCII
    codes = {shift + code: char for code, char in codes_of(chars, CODECS[place][1]).items()}
    font, out = with_cmap(kai, tmp_path / "old.ttf", place, codes, kind), tmp_path / "new.ttf"
    extend_font(open_target(str(font)), [square("永"), square("𠀀")], out)
    assert cmap_bytes(out, place) == cmap_bytes(font, place)
    old, new = TTFont(font), TTFont(out)
    at = {(table.platformID, table.platEncID): table.cmap for table in new["cmap"].tables}
    there = {ord(char) for char in codes.values()}
    assert set(at) == {place, (3, 1), (3, 10)}
    assert set(at[3, 1]) == there | {ord("永")}
    assert set(at[3, 10]) == there | {ord("永"), ord("𠀀")}
    numbers = {code: new.getGlyphID(at[3, 1][code]) for code in there}
    assert numbers == {code: old.getGlyphID(name) for code, name in character_map(old).glyphs.items()}
    for tag in sorted(
        set(old.reader.keys()) - {"cmap", "head", "maxp", "hhea", "hmtx", "glyf", "loca", "OS/2", "name", "post"}
    ):
        assert new.reader[tag] == old.reader[tag], tag
    assert new.reader["glyf"].startswith(old.reader["glyf"].rstrip(b"\0"))
