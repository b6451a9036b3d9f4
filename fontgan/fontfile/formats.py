"""A finished font in further formats: compressed for the web, or with outlines of the other kind.

Characters, widths, names, features and line spacing stay as they are; hints do not, as they are of one kind of outlines.
"""

import io
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.errors import ConfigError, DataError, RunError
from fontgan.fontfile import names
from fontgan.fontfile.create import set_unhinted
from fontgan.fontfile.target import open_tables
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.sandbox import LimitExceeded, Limits, run_sandboxed

TOLERANCE = 0.6  # thousandths of the em that a converted curve may stray, as of exact renderings
MAX_NAMED = 64_000  # glyphs of a CFF table, which numbers their names up to 64,999
POINT_SIZE_HINTS, HINTED_WIDTHS = 1 << 2, 1 << 4  # flags of head
# Hints, and what else there is of quadratic outlines alone.
_TRUETYPE_ONLY = ("glyf", "loca", "fpgm", "prep", "cvt ", "gasp", "hdmx", "VDMX", "LTSH")
_CFF_ONLY = ("CFF ", "VORG")
_S_PER_MB = 120  # processor seconds that a conversion may take; a kai of 16 MB takes 7 of each
_PX, _CHECKED, _MIN_IOU = 128, 200, 0.5  # em drawn, glyphs at most; whole units may take much of a hairline


def further_files(formats: Sequence[str], out: Path) -> dict[str, Path]:
    """The files beside ``out``, by format.  Raises: ConfigError for the format that it has already, or for a folder."""
    own = out.suffix.lower().lstrip(".")
    if own in formats:
        raise ConfigError(f"formats: out={out} is the {own} already. Leave {own} out of formats.")
    files = {each: out.with_suffix(f".{each}") for each in formats}
    if folder := next((file for file in files.values() if file.is_dir()), None):
        raise ConfigError(f"formats: {folder} is a folder. Name another out=, or take it away.")
    return files


def check_count(formats: Collection[str], glyphs: int) -> None:
    """Raises: ConfigError if a font has more glyphs than a format holds."""
    if "otf" in formats and glyphs > MAX_NAMED:
        raise ConfigError(f"formats: an otf holds {MAX_NAMED} glyphs, and there will be {glyphs}. Leave otf out.")


def convert(font: bytes, to: str) -> bytes:
    """A static TTF or OTF file as ``woff2``, ``otf`` or ``ttf``, drawn beside what it was made of.

    Raises: DataError if it cannot be converted; RunError, an internal check, if the result draws otherwise.
    """
    limits = Limits(cpu_s=120 + _S_PER_MB * len(font) / 1e6, memory_bytes=(1 << 30) + 128 * len(font))
    try:
        made = run_sandboxed("fontgan.fontfile.formats:converted", font, limits, to=to)
    except LimitExceeded as error:
        raise DataError(f"formats: the font cannot be made {to}: {error}. Leave {to} out.") from error
    _check_alike(font, made, to)
    return made


def converted(data: bytes, *, to: str) -> bytes:
    """``convert`` without its checks; runs under limits."""
    font = open_tables(data)
    if to == "otf":
        to_cff(font)
    elif to == "ttf":
        to_truetype(font)
    else:
        font.flavor = to
    content = io.BytesIO()
    font.save(content, reorderTables=False)
    return content.getvalue()


def to_cff(font: TTFont) -> None:
    """Makes quadratic outlines cubic, in place."""
    order = list(font.getGlyphOrder())
    order[0] = ".notdef"  # as CFF calls the first, whatever it was; before any table is read by names
    font.setGlyphOrder(order)
    glyf, widths = font["glyf"], font["hmtx"].metrics
    usual = Counter(advance for advance, _ in widths.values()).most_common(1)[0][0]
    strings = {}
    for name in order:
        width, left = widths[name]
        # Each curve by itself, which is exact but for rounding: fontTools.qu2cu (4.68), which would join them, takes seconds
        # for a brush hand's contours, and its compiled form crashes on some of Noto Sans SC.
        pen = T2CharStringPen(None if width == usual else width - usual, None)
        _draw_quadratic(glyf, name, left, ReverseContourPen(pen))
        strings[name] = pen.getCharString()
    origins = {}
    if "vmtx" in font:
        origins = {name: getattr(glyf[name], "yMax", 0) + font["vmtx"][name][1] for name in order}
    _drop(font, _TRUETYPE_ONLY)
    font["maxp"].tableVersion = 0x00005000
    font["head"].flags &= ~(POINT_SIZE_HINTS | HINTED_WIDTHS)
    font["head"].indexToLocFormat = 0
    if "post" in font:
        font["post"].formatType = 3.0
    builder = FontBuilder(font=font)
    named = names.cff_names(names.family_of(font), names.style_of(font))
    private = {"defaultWidthX": usual, "nominalWidthX": usual}
    builder.setupCFF(names.postscript_of(font), named, strings, private)
    if origins:
        default = Counter(origins.values()).most_common(1)[0][0]
        builder.setupVerticalOrigins({name: y for name, y in origins.items() if y != default}, default)
    font.recalcBBoxes = True


def to_truetype(font: TTFont) -> None:
    """Makes cubic outlines quadratic, in place."""
    order, glyphs = font.getGlyphOrder(), font.getGlyphSet()
    max_error = TOLERANCE * font["head"].unitsPerEm / 1000
    drawn = {}
    for name in order:
        pen = TTGlyphPen(None)
        cubic = DecomposingRecordingPen(glyphs)  # accented letters of old fonts are made of two
        glyphs[name].draw(cubic)
        cubic.replay(Cu2QuPen(pen, max_error, reverse_direction=True))
        drawn[name] = pen.glyph()
    origins = {name: font["VORG"][name] for name in order} if "VORG" in font else {}
    named = not hasattr(font["CFF "].cff.topDictIndex[0], "ROS")
    _drop(font, _CFF_ONLY)
    font.sfntVersion = "\0\1\0\0"
    builder = FontBuilder(font=font)
    builder.isTTF = True
    builder.setupMaxp()
    builder.setupGlyf(drawn)
    set_unhinted(builder)
    # FreeType moves an outline to where its left side bearing says.
    for name, glyph in drawn.items():
        font["hmtx"][name] = (font["hmtx"][name][0], getattr(glyph, "xMin", 0))
        if name in origins and "vmtx" in font and hasattr(glyph, "yMax"):
            font["vmtx"][name] = (font["vmtx"][name][0], origins[name] - glyph.yMax)
    if "post" in font:
        font["post"].formatType = 2.0 if named else 3.0
        font["post"].extraNames, font["post"].mapping = [], {}
    font.recalcBBoxes = True


def _draw_quadratic(glyf: Any, name: str, left: int, pen: Any) -> None:
    """Draws a TrueType glyph where rasterisers do: its parts put together, its box at the left side bearing."""
    whole, glyph = Glyph(), glyf[name]
    whole.coordinates, whole.endPtsOfContours, whole.flags = glyph.getCoordinates(glyf)
    whole.numberOfContours = len(whole.endPtsOfContours)
    whole.draw(pen, glyf, left - getattr(glyph, "xMin", left))


def _drop(font: TTFont, tags: tuple[str, ...]) -> None:
    for tag in tags:
        if tag in font:
            del font[tag]


def _check_alike(font: bytes, made: bytes, to: str) -> None:
    """Draws characters of both, of many some.  Raises: RunError if they differ by more than rounding."""
    before, after = FontGlyphs(Path("font"), data=font), FontGlyphs(Path(f"font.{to}"), data=made)
    frame = Frame(_PX, _PX / 4, _PX / 4)
    for char in subsample_evenly(before.characters(), _CHECKED):
        inks = [1 - glyphs.rasterize(char, frame, _PX * 3 // 2) / 255.0 for glyphs in (before, after)]
        either = np.maximum(*inks).sum()
        if either > 1 and np.minimum(*inks).sum() < _MIN_IOU * either:
            raise RunError(
                f"internal check: U+{ord(char):04X} is drawn otherwise in the {to}. It was not kept; please report this, and "
                f"leave {to} out of formats."
            )
