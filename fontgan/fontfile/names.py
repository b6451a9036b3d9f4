"""The name table, and the names of glyphs."""

import re
import unicodedata
import zlib
from collections.abc import Container

from fontTools import agl
from fontTools.ttLib import TTFont

from fontgan.errors import ConfigError, printable

RIBBI = ("Regular", "Italic", "Bold", "Bold Italic")  # the four styles that old programs know
FAMILY, STYLE, UNIQUE, FULL, VERSION, POSTSCRIPT, DESCRIPTION = 1, 2, 3, 4, 5, 6, 10
TYPO_FAMILY, TYPO_STYLE = 16, 17
MAX_FAMILY = 31  # UTF-16 units
_WITH_FAMILY = (FAMILY, STYLE, FULL, POSTSCRIPT, TYPO_FAMILY, TYPO_STYLE, 18, 20, 21, 22, 25)  # 18 on: rarer ones
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
    """Raises: ConfigError if an entry of the name table that a user gave holds nothing, or what none may hold."""
    if name is not None and (not name.strip() or any(unicodedata.category(char) == "Cc" for char in name)):
        raise ConfigError(f"{key}={name!r}: a text in one line is needed. Write one, or leave {key} out.")


def check_lengths(family: str, style: str) -> None:
    """Raises: ConfigError if a name is longer than Windows programs can tell.

    GDI has 31 letters for a family (LOGFONT); of longer ones, Word shows all but ASCII in another font.
    """
    named = naming(family, style)
    letters = len(named[FAMILY].encode("utf-16-le")) // 2
    if letters > MAX_FAMILY:
        both = "" if named[STYLE] == style else f" with style_name={style}"
        raise ConfigError(
            f"family={family}{both}: {letters} letters, and Windows programs know a family by {MAX_FAMILY} at most. "
            "Give a shorter family."
        )


def family_of(font: TTFont) -> str:
    """The family, of characters that show: a name of a stranger goes into messages, UFOs and pages."""
    return printable(entry_of(font, TYPO_FAMILY) or entry_of(font, FAMILY))


def style_of(font: TTFont) -> str:
    return printable(entry_of(font, TYPO_STYLE) or entry_of(font, STYLE)) or "Regular"


def postscript_of(font: TTFont) -> str:
    """The PostScript name, or one made of the others where the font has none or one that none may be."""
    own = entry_of(font, POSTSCRIPT)
    return own if re.fullmatch(r"[!-~]{1,63}", own) else postscript_name(family_of(font), style_of(font))


def entry_of(font: TTFont, name_id: int) -> str:
    """An entry of the name table, the English one where there are several; empty where there is none."""
    return (font["name"].getDebugName(name_id) or "") if "name" in font else ""


def naming(family: str, style: str) -> dict[int, str]:
    """The family's and the style's name wherever the name table has them."""
    style = " ".join(style.split())
    names = {FULL: f"{family} {style}", POSTSCRIPT: postscript_name(family, style)}
    if style in RIBBI:
        return names | {FAMILY: family, STYLE: style}
    return names | {FAMILY: f"{family} {style}", STYLE: "Regular", TYPO_FAMILY: family, TYPO_STYLE: style}


def weight_of(style: str) -> int:
    """usWeightClass for the name of a style."""
    plain = style.replace(" ", "").replace("-", "").casefold()
    # The longest first: ExtraBold is not Bold.
    return next((_WEIGHTS[name] for name in sorted(_WEIGHTS, key=len, reverse=True) if name.casefold() in plain), 400)


def postscript_name(family: str, style: str) -> str:
    """ASCII without spaces or brackets, 63 characters at most. A family without ASCII letters gets its own number."""
    first, last = (re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKD", text)) for text in (family, style))
    if not re.search("[A-Za-z]", first):
        first = f"Font{zlib.crc32(family.encode()):08X}"
    return f"{first[:42]}-{last[:20] or 'Regular'}"


def cff_names(family: str, style: str) -> dict[str, str]:
    """What a CFF table holds beside the PostScript name, in ASCII."""
    full = postscript_name(family, style).replace("-", " ")
    return {"FamilyName": full.split(" ")[0], "FullName": full}


def rename(font: TTFont, family: str, style: str) -> None:
    """Gives a font another family and style name wherever it bears them; localised ones go."""
    replace(font, _WITH_FAMILY, naming(family, style))
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames[0] = postscript_name(family, style)
        plain = (family, f"{family} {style}") if family.isascii() else cff_names(family, style).values()
        cff.topDictIndex[0].FamilyName, cff.topDictIndex[0].FullName = plain


def annotate(font: TTFont, note: str, digest: str) -> None:
    """Appends a sentence to the description, and makes the unique identifier that of another font by a digest of it."""
    before, old = entry_of(font, DESCRIPTION), entry_of(font, UNIQUE)
    own = old if old and family_of(font) in old else f"{entry_of(font, VERSION)};{entry_of(font, POSTSCRIPT)}"
    description = {} if note in before else {DESCRIPTION: f"{before.rstrip()} {note}".strip()}
    replace(font, (UNIQUE,), description | {UNIQUE: f"{own};fontgan-{digest}"})


def replace(font: TTFont, gone: tuple[int, ...], names: dict[int, str]) -> None:
    """Sets English names for Windows, and for Mac OS too where the font has such names and they can hold them."""
    table = font["name"]
    platforms = {(record.platformID, record.platEncID, record.langID) for record in table.names}
    for name_id in gone:
        table.removeNames(nameID=name_id)
    for name_id, text in names.items():
        table.setName(text, name_id, 3, 1, 0x409)
        mac_roman = text.encode("mac_roman", "ignore").decode("mac_roman") == text
        for platform in platforms & {(0, 3, 0), (0, 4, 0), *([(1, 0, 0)] if mac_roman else [])}:
            table.setName(text, name_id, *platform)
