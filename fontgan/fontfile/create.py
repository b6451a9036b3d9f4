"""A new font of nothing but outlines."""

from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.misc.timeTools import timestampNow
from fontTools.ttLib import newTable
from fontTools.ttLib.tables.ttProgram import Program

from fontgan.errors import ConfigError
from fontgan.fontfile import glyphs as drawing
from fontgan.fontfile import names
from fontgan.fontfile.credits import FIRST_VERSION, NONE_GIVEN, Credits
from fontgan.fontfile.outline import Bounds, DrawnGlyph, Outline
from fontgan.fontfile.shaping import warn_of_features
from fontgan.fontfile.verify import save_verified
from fontgan.fontfile.widths import is_full_width

SPACE_EM, STROKE_EM = 0.25, 0.05  # width of the space, and stroke of the missing-glyph box, as shares of the em
USE_TYPO_METRICS, REGULAR, BOLD, ITALIC = 1 << 7, 1 << 6, 1 << 5, 1 << 0  # bits of OS/2 fsSelection
# prep of fonts without hints: dropout control on, at all sizes (PUSHW 511, SCANCTRL, PUSHB 4, SCANTYPE).
PREP = bytes([0xB8, 0x01, 0xFF, 0x85, 0xB0, 0x04, 0x8D])


def create_font(
    glyphs: list[DrawnGlyph],
    out: Path,
    *,
    family: str,
    style_name: str = "Regular",
    note: str | None = None,
    units_per_em: int = 1000,
    baseline: float = 880,
    tolerance: float = 0.6,
    credits: Credits = NONE_GIVEN,
) -> None:
    """Writes a font with these glyphs, a missing-glyph box and spaces.

    Args:
        out: ends in .ttf for TrueType curves, in .otf for CFF.
        baseline: font units from the em's top down to it; the em's top and bottom become ascent and descent.
        credits: what the font says of itself beside its names.
        note: a sentence for the description in the name table; None for how many glyphs fontgan made.
        tolerance: how far quadratic curves may stray from cubic ones, in thousandths of the em.
    Raises: ConfigError if the family has no name; DataError if the font cannot hold the glyphs; RunError if the finished
        file does not draw them; OSError if it cannot be written.
    """
    if not family.strip():
        raise ConfigError("family: a new font needs a name. Add family='My Hand'.")
    kind = "glyf" if out.suffix.lower() == ".ttf" else "CFF "
    family, em, ascent = " ".join(family.split()), units_per_em, round(baseline)
    descent = ascent - em
    made = drawing.prepared(glyphs, kind, em=em, tolerance=tolerance)
    wide = any(is_full_width(glyph.char) for glyph in made)
    named, cmap = _name_glyphs(made, _box(em, ascent, clockwise=kind == "glyf"), em=em, wide=wide)
    bounds = {name: glyph.outline.bounds for name, glyph in named.items()}
    builder = FontBuilder(em, isTTF=kind == "glyf")
    builder.setupGlyphOrder(list(named))
    builder.setupCharacterMap(cmap)
    postscript = names.postscript_name(family, style_name)
    _set_outlines(builder, named, postscript, names.cff_names(family, style_name))
    widths = {name: int(glyph.advance) for name, glyph in named.items()}
    builder.setupHorizontalMetrics({n: (widths[n], round(b[0]) if (b := bounds[n]) else 0) for n in named})
    builder.setupHorizontalHeader(ascent=ascent, descent=descent, lineGap=0)
    entries = names.naming(family, style_name) | {
        names.UNIQUE: f"{credits.revision or FIRST_VERSION};{postscript};fontgan-{drawing.digest(made)}",
        names.VERSION: f"Version {FIRST_VERSION}", names.DESCRIPTION: note or drawing.usual_note(len(made)),
    }  # fmt: skip
    builder.setupNameTable(entries, mac=False)
    _set_os2(builder, style_name, ascent, descent, bounds)
    credits.write(builder.font)
    builder.setupPost(
        keepGlyphNames=True, underlinePosition=-round(em * 0.1), underlineThickness=round(em * 0.05),
        isFixedPitch=int(len(set(widths.values())) == 1),
    )  # fmt: skip
    if wide:
        _set_vertical(builder, bounds, em, ascent)
    head = builder.font["head"]
    head.created = head.modified = timestampNow()  # or SOURCE_DATE_EPOCH
    head.lowestRecPPEM = 8
    builder.font.recalcTimestamp = False
    warn_of_features([glyph.char for glyph in made], extended=False)
    save_verified(builder.font, out, glyphs)


def _set_outlines(
    builder: FontBuilder, named: dict[str, DrawnGlyph], postscript: str, cff_names: dict[str, str]
) -> None:
    if builder.isTTF:
        builder.setupGlyf({name: drawing.truetype(glyph) for name, glyph in named.items()})
        set_unhinted(builder)
    else:
        strings = {name: drawing.charstring(glyph, None, None) for name, glyph in named.items()}
        builder.setupCFF(postscript, cff_names, strings, {})


def _set_vertical(builder: FontBuilder, bounds: dict[str, Any], em: int, ascent: int) -> None:
    builder.setupVerticalHeader(ascent=em // 2, descent=em // 2 - em, lineGap=0, caretSlopeRise=0, caretSlopeRun=1)
    builder.setupVerticalMetrics({n: (em, ascent - round(b[3]) if b else 0) for n, b in bounds.items()})
    if not builder.isTTF:
        builder.setupVerticalOrigins({}, ascent)


def _name_glyphs(
    made: list[DrawnGlyph], box: DrawnGlyph, *, em: int, wide: bool
) -> tuple[dict[str, DrawnGlyph], dict[int, str]]:
    """Glyphs by name, the missing-glyph box first, with the spaces that are not drawn; and the character map."""
    spaces = {" ": round(SPACE_EM * em)} | ({"\u3000": em} if wide else {})
    glyphs = {char: DrawnGlyph(char, Outline(), width) for char, width in spaces.items()}
    named, cmap = {".notdef": box}, {}
    for char, glyph in sorted((glyphs | {glyph.char: glyph for glyph in made}).items()):
        name = names.glyph_name(char, named)
        named[name], cmap[ord(char)] = glyph, name
    cmap.setdefault(0xA0, cmap[0x20])
    return named, cmap


def _box(em: int, ascent: int, *, clockwise: bool) -> DrawnGlyph:
    """The missing-glyph box: a frame that nobody takes for a character."""
    stroke, width = round(STROKE_EM * em), round(0.5 * em)
    left, right, bottom, top = stroke, width - stroke, 0, round(0.8 * ascent)
    calls: list[tuple[str, tuple[tuple[int, int], ...]]] = []
    for inset in (0, stroke):
        x0, y0, x1, y1 = left + inset, bottom + inset, right - inset, top - inset
        corners = [(x0, y1), (x1, y1), (x1, y0)][:: -1 if clockwise == bool(inset) else 1]
        calls += [("moveTo", ((x0, y0),)), *(("lineTo", (corner,)) for corner in corners), ("closePath", ())]
    return DrawnGlyph("\0", Outline(tuple(calls)), width)


def _set_os2(builder: FontBuilder, style: str, ascent: int, descent: int, bounds: dict[str, Bounds | None]) -> None:
    """Line spacing of the em box, for all programs alike; clipping only outside of all ink."""
    boxes = [box for box in bounds.values() if box]
    bold, italic = style in ("Bold", "Bold Italic"), "italic" in style.lower()
    by_char = {code: bounds[name] for code, name in builder.font.getBestCmap().items()}
    x, cap = by_char.get(ord("x")), by_char.get(ord("H"))
    builder.setupOS2(
        version=4, sTypoAscender=ascent, sTypoDescender=descent, sTypoLineGap=0,
        usWinAscent=max(ascent, *(round(box[3]) for box in boxes)),
        usWinDescent=max(-descent, *(-round(box[1]) for box in boxes)),
        usWeightClass=names.weight_of(style), usWidthClass=5, fsType=0, achVendID="NONE",
        fsSelection=USE_TYPO_METRICS | (BOLD * bold | ITALIC * italic or REGULAR),
        sxHeight=round(x[3]) if x else 0, sCapHeight=round(cap[3]) if cap else 0,
    )  # fmt: skip
    os2 = builder.font["OS/2"]
    os2.recalcUnicodeRanges(builder.font)
    os2.recalcCodePageRanges(builder.font)
    os2.recalcAvgCharWidth(builder.font)
    os2.usDefaultChar, os2.usBreakChar, os2.usMaxContext = 0, 32, 0
    builder.font["head"].macStyle = bold | italic << 1


def set_unhinted(builder: FontBuilder) -> None:
    """No hints: smoothed at all sizes, with dropout control."""
    gasp = builder.font["gasp"] = newTable("gasp")
    gasp.version, gasp.gaspRange = 1, {0xFFFF: 0x000F}
    prep = builder.font["prep"] = newTable("prep")
    prep.program = Program()
    prep.program.fromBytecode(PREP)
    builder.font["head"].flags |= 1 << 3  # whole sizes in pixels
    builder.font["maxp"].maxZones = 1
