"""The name table, and the names of glyphs."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Container

from fontTools import agl
from fontTools.ttLib import TTFont

from fontgan.errors import ConfigError, printable

RIBBI = ("Regular", "Italic", "Bold", "Bold Italic")  # the four styles that old programs know
FAMILY, STYLE, UNIQUE, FULL, VERSION, POSTSCRIPT, DESCRIPTION = 1, 2, 3, 4, 5, 6, 10
TYPO_FAMILY, TYPO_STYLE, COMPATIBLE_FULL, CID_NAME = 16, 17, 18, 20
WWS_FAMILY, WWS_STYLE, PREFIX = 21, 22, 25
_WITH_FAMILY = (FAMILY, STYLE, FULL, POSTSCRIPT, TYPO_FAMILY, TYPO_STYLE, COMPATIBLE_FULL, CID_NAME, WWS_FAMILY, WWS_STYLE, PREFIX)  # fmt: skip
_WEIGHTS = {
    "Thin": 100, "ExtraLight": 200, "UltraLight": 200, "Light": 300, "Medium": 500, "SemiBold": 600, "DemiBold": 600,
    "ExtraBold": 800, "UltraBold": 800, "Bold": 700, "Black": 900, "Heavy": 900,
}  # fmt: skip


def glyph_name(char: str, taken: Container[str] = ()) -> str:
    """A name that tells the character: as Adobe's list has it, else uni4E00 or u20000; numbered if it is taken."""
    code = ord(char)
    name = agl.UV2AGL.get(code) or (f"uni{code:04X}" if code <= 0xFFFF else f"u{code:05X}")
    number, free = 1, name
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    return free


def check_name(key: str, name: str | None) -> None:
    """Raises: ConfigError if a family or style name that a user gave holds no letter, or what no name may hold."""
    if name is not None and (not name.strip() or any(unicodedata.category(char) == "Cc" for char in name)):
        raise ConfigError(f"{key}={name!r}: a name in one line is needed. Write one, or leave {key} out.")


def family_of(font: TTFont) -> str:
    """The family, of characters that show: a name of a stranger goes into messages, UFOs and pages."""
    return printable(_entry(font, TYPO_FAMILY) or _entry(font, FAMILY))


def style_of(font: TTFont) -> str:
    return printable(_entry(font, TYPO_STYLE) or _entry(font, STYLE)) or "Regular"


def _entry(font: TTFont, name_id: int) -> str:
    return (font["name"].getDebugName(name_id) or "") if "name" in font else ""


def naming(family: str, style: str) -> dict[int, str]:
    """The family's and the style's name wherever the name table has them."""
    style = " ".join(style.split())
    linked = style if style in RIBBI else "Regular"
    names = {
        FAMILY: family if style in RIBBI else f"{family} {style}",
        STYLE: linked,
        FULL: f"{family} {style}",
        POSTSCRIPT: postscript_name(family, style),
    }
    if style not in RIBBI:
        names |= {TYPO_FAMILY: family, TYPO_STYLE: style}
    return names


def weight_of(style: str) -> int:
    """usWeightClass for the name of a style."""
    plain = style.replace(" ", "").replace("-", "").casefold()
    # The longest first: ExtraBold is not Bold.
    return next((_WEIGHTS[name] for name in sorted(_WEIGHTS, key=len, reverse=True) if name.casefold() in plain), 400)


def postscript_name(family: str, style: str) -> str:
    """ASCII without spaces or brackets, 63 characters at most. A family without ASCII letters gets a number of its own."""

    def plain(text: str) -> str:
        decomposed = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        return re.sub(r"[^A-Za-z0-9]", "", decomposed)

    start = plain(family)
    if not re.search("[A-Za-z]", start):
        start = f"Font{zlib.crc32(family.encode()):08X}"
    return f"{start[:42]}-{plain(style)[:20] or 'Regular'}"


def rename(font: TTFont, family: str, style: str) -> None:
    """Gives a font another family and style name wherever it bears them; localised ones go."""
    table = font["name"]
    platforms = {(record.platformID, record.platEncID, record.langID) for record in table.names}
    for name_id in _WITH_FAMILY:
        table.removeNames(nameID=name_id)
    for name_id, text in naming(family, style).items():
        _set(font, name_id, text, platforms)
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames[0] = postscript_name(family, style)
        top = cff.topDictIndex[0]
        if family.isascii():
            top.FamilyName, top.FullName = family, f"{family} {style}"
        else:
            top.FamilyName = postscript_name(family, "").split("-")[0]
            top.FullName = postscript_name(family, style).replace("-", " ")


def annotate(font: TTFont, note: str, digest: str) -> None:
    """Appends a sentence to the description, and makes the unique identifier that of another font.

    Args:
        digest: letters that change with the glyphs.
    """
    table = font["name"]
    platforms = {(record.platformID, record.platEncID, record.langID) for record in table.names}
    before = _entry(font, DESCRIPTION)
    if note not in before:
        _set(font, DESCRIPTION, f"{before.rstrip()} {note}".strip(), platforms)
    old = _entry(font, UNIQUE)
    table.removeNames(nameID=UNIQUE)
    unique = f"{old};fontgan-{digest}" if old and family_of(font) in old else f"{_entry(font, VERSION)};{_entry(font, POSTSCRIPT)};fontgan-{digest}"  # fmt: skip
    _set(font, UNIQUE, unique, platforms)


def _set(font: TTFont, name_id: int, text: str, platforms: set[tuple[int, int, int]]) -> None:
    """Sets an English name for Windows, and for Mac OS too where the font has such names and they can hold it."""
    table = font["name"]
    table.setName(text, name_id, 3, 1, 0x409)
    for platform in ((1, 0, 0), (0, 3, 0), (0, 4, 0)):
        if platform in platforms and not (platform[0] == 1 and not _is_mac_roman(text)):
            table.setName(text, name_id, *platform)


def _is_mac_roman(text: str) -> bool:
    try:
        text.encode("mac_roman")
    except UnicodeEncodeError:
        return False
    return True
