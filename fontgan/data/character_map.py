"""Which glyph a font has for each character: by its Unicode cmap, or where it has none by that of an older encoding."""

import copy
import logging
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from fontTools.ttLib import TTFont

log = logging.getLogger(__name__)

SYMBOLS = 0xF000  # where Windows looks for the 256 characters of a symbol font: here, and the byte after it

# (platform, encoding) -> what it is called and Python's codec of it, a superset where there is one; the best first.
CODECS: dict[tuple[int, int], tuple[str, str]] = {
    (3, 3): ("GB 2312 and GBK", "gbk"),
    (3, 4): ("Big5", "cp950"),
    (3, 2): ("Shift-JIS", "cp932"),
    (3, 5): ("Wansung", "cp949"),
    (3, 6): ("Johab", "johab"),
    (1, 25): ("GB 2312 of the Macintosh", "gb2312"),
    (1, 2): ("Big5 of the Macintosh", "big5"),
    (1, 1): ("Shift-JIS of the Macintosh", "shift_jis"),
    (1, 3): ("Korean of the Macintosh", "euc_kr"),
    (3, 0): ("symbols, by the byte that Windows types them with", "cp1252"),
    (1, 0): ("Mac Roman", "mac_roman"),
}


class CharacterMap(NamedTuple):
    glyphs: dict[int, str]  # names by code point
    legacy: str = ""  # where it is no Unicode cmap: which, and how it was read


def character_map(font: TTFont) -> CharacterMap:
    """The characters of a font.

    A legacy table that is read leaves the font's own one as it is, so that its bytes are the same when it is written.
    Raises: whatever fontTools raises of a broken table.
    """
    if "cmap" not in font:
        return CharacterMap({})
    if found := font.getBestCmap():
        return CharacterMap(found)
    tables = {(table.platformID, table.platEncID): table for table in font["cmap"].tables if table.format != 14}
    for place, (name, codec) in CODECS.items():
        if place not in tables:
            continue
        char_of, codes = _reader(codec, symbols=place == (3, 0)), copy.copy(tables[place]).cmap
        glyphs: dict[int, str] = {}
        there = font.getReverseGlyphMap()
        for code, glyph in codes.items():
            if glyph in there and (char := char_of(code)):
                glyphs.setdefault(ord(char), glyph)
        if glyphs:
            told = f"its cmap {place[0]},{place[1]} is read as {name} ({len(glyphs)} characters"
            odd = f"; {len(codes) - len(glyphs)} codes stand for none or for one that is there)"
            return CharacterMap(glyphs, told + (odd if len(codes) > len(glyphs) else ")"))
    return CharacterMap({})


def _reader(codec: str, *, symbols: bool) -> Callable[[int], str | None]:
    """Code -> character, None where the codec has none."""

    def char_of(code: int) -> str | None:
        if symbols and SYMBOLS < code <= SYMBOLS + 0xFF:
            code -= SYMBOLS
        elif symbols and code > 0xFF:
            return chr(code)  # what is no byte was meant as Unicode
        if not 0x20 <= code <= 0xFFFF:
            return None  # controls
        try:
            char = code.to_bytes(1 if code <= 0xFF else 2, "big").decode(codec)
        except UnicodeDecodeError:
            return None
        return char if len(char) == 1 else None

    return char_of


@cache
def say_legacy(file: str, legacy: str) -> None:
    """Once a file: many steps of one command open it."""
    log.info("%s: has no Unicode cmap; %s", file, legacy)
