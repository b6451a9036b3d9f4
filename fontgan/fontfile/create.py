"""A new font of nothing but outlines."""

from __future__ import annotations

from pathlib import Path

from fontTools.cffLib import PrivateDict
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.timeTools import timestampNow
from fontTools.ttLib import newTable

from fontgan.errors import ConfigError
from fontgan.fontfile import glyphs as drawing
from fontgan.fontfile import names
from fontgan.fontfile.extend import Built
from fontgan.fontfile.metrics import Bounds, bounds_of, is_full_width
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.target import check_limits
from fontgan.fontfile.verify import save_verified

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
    copyright_text: str = "",
) -> Built:
    """Writes a font with these glyphs, a missing-glyph box and spaces.

    Args:
        out: ends in .ttf for TrueType curves, in .otf for CFF.
        baseline: font units from the em's top down to it; the em's top and bottom become ascent and descent.
        note: a sentence for the description in the name table; None for how many glyphs fontgan made.
        tolerance: how far quadratic curves may stray from cubic ones, in thousandths of the em.
        copyright_text: for the name table; empty to leave it out.
    Raises: ConfigError if the family has no name; DataError if the font cannot hold the glyphs; RunError if the finished
        file does not draw them; OSError if it cannot be written.
    """
    if not family.strip():
        raise ConfigError("family: a new font needs a name. Add family='My Hand'.")
    check_limits(None, [glyph.char for glyph in glyphs])
    kind = "glyf" if out.suffix.lower() == ".ttf" else "CFF "
    family, em, ascent = " ".join(family.split()), units_per_em, round(baseline)
    descent = ascent - em
    made = drawing.prepared(glyphs, kind, em=em, tolerance=tolerance)
    wide = any(is_full_width(glyph.char) for glyph in made)
    named, cmap = _name_glyphs(made, _spaces(made, em, wide), _box(em, ascent, clockwise=kind == "glyf"))
    bounds = {name: bounds_of(glyph.outline) for name, glyph in named.items()}
    builder = FontBuilder(em, isTTF=kind == "glyf")
    builder.setupGlyphOrder(list(named))
    builder.setupCharacterMap(cmap)
    _set_outlines(builder, named, family, style_name)
    widths = {name: int(glyph.advance) for name, glyph in named.items()}
    builder.setupHorizontalMetrics({n: (widths[n], round(b[0]) if (b := bounds[n]) else 0) for n in named})
    builder.setupHorizontalHeader(ascent=ascent, descent=descent, lineGap=0)
    _set_names(builder, family, style_name, note or drawing.usual_note(len(made)), drawing.digest(made), copyright_text)
    _set_os2(builder, style_name, ascent, descent, bounds)
    builder.setupPost(
        keepGlyphNames=True, underlinePosition=-round(em * 0.1), underlineThickness=round(em * 0.05),
        isFixedPitch=int(len(set(widths.values())) == 1),
    )  # fmt: skip
    if wide:
        builder.setupVerticalHeader(ascent=em // 2, descent=em // 2 - em, lineGap=0, caretSlopeRise=0, caretSlopeRun=1)
        builder.setupVerticalMetrics({n: (em, ascent - round(b[3]) if (b := bounds[n]) else 0) for n in named})
        if kind == "CFF ":
            builder.setupVerticalOrigins({}, ascent)
    if kind == "glyf":
        _set_unhinted(builder)
    head = builder.font["head"]
    head.created = head.modified = timestampNow()  # or SOURCE_DATE_EPOCH
    head.lowestRecPPEM = 8
    builder.font.recalcTimestamp = False
    return Built(out, len(made), (), save_verified(builder.font, out, glyphs))


def _name_glyphs(
    made: list[DrawnGlyph], spaces: list[DrawnGlyph], box: DrawnGlyph
) -> tuple[dict[str, DrawnGlyph], dict[int, str]]:
    """Glyphs by name, the missing-glyph box first, and the character map."""
    named, cmap = {".notdef": box}, {}
    for glyph in sorted([*spaces, *made], key=lambda glyph: ord(glyph.char)):
        name = names.glyph_name(glyph.char, named)
        named[name], cmap[ord(glyph.char)] = glyph, name
    if 0x20 in cmap:
        cmap.setdefault(0xA0, cmap[0x20])
    return named, cmap


def _set_outlines(builder: FontBuilder, named: dict[str, DrawnGlyph], family: str, style: str) -> None:
    if builder.isTTF:
        builder.setupGlyf({name: drawing.truetype(glyph) for name, glyph in named.items()})
        return
    postscript = names.postscript_name(family, style)
    facts = {
        "FullName": postscript.replace("-", " "), "FamilyName": names.postscript_name(family, "").split("-")[0],
    }  # fmt: skip
    charstrings = {name: drawing.charstring(glyph, _plain_private(), None) for name, glyph in named.items()}
    builder.setupCFF(postscript, facts, charstrings, {})


def _spaces(glyphs: list[DrawnGlyph], em: int, wide: bool) -> list[DrawnGlyph]:
    """The space, and the ideographic space where there are full-width characters; unless they are drawn already."""
    there = {glyph.char for glyph in glyphs}
    widths = {" ": round(SPACE_EM * em)} | ({"\u3000": em} if wide else {})
    return [DrawnGlyph(char, Outline(), width) for char, width in widths.items() if char not in there]


def _box(em: int, ascent: int, *, clockwise: bool) -> DrawnGlyph:
    """The missing-glyph box: a frame that nobody takes for a character."""
    stroke, width = round(STROKE_EM * em), round(0.5 * em)
    left, right, bottom, top = stroke, width - stroke, 0, round(0.8 * ascent)
    calls: list[tuple[str, tuple[tuple[int, int], ...]]] = []
    for inset in (0, stroke):
        x0, y0, x1, y1 = left + inset, bottom + inset, right - inset, top - inset
        corners = [(x0, y0), (x0, y1), (x1, y1), (x1, y0)]  # clockwise
        if clockwise == bool(inset):
            corners = [corners[0], *corners[:0:-1]]
        calls += [("moveTo", (corners[0],)), *(("lineTo", (corner,)) for corner in corners[1:]), ("closePath", ())]
    return DrawnGlyph("\0", Outline(tuple(calls)), width)


def _plain_private() -> PrivateDict:
    """The private dictionary that FontBuilder makes: widths are counted from 0."""
    private = PrivateDict()
    private.defaultWidthX = private.nominalWidthX = 0
    return private


def _set_names(builder: FontBuilder, family: str, style: str, note: str, digest: str, copyright_text: str) -> None:
    table = builder.font["name"] = newTable("name")
    table.names = []
    postscript = names.postscript_name(family, style)
    version = "Version 1.000"
    entries = {0: copyright_text} | names.naming(family, style)
    entries |= {
        names.UNIQUE: f"1.000;{postscript};fontgan-{digest}", names.VERSION: version, names.DESCRIPTION: note,
    }  # fmt: skip
    for name_id, text in sorted(entries.items()):
        if text:
            table.setName(text, name_id, 3, 1, 0x409)


def _set_os2(builder: FontBuilder, style: str, ascent: int, descent: int, bounds: dict[str, Bounds | None]) -> None:
    """Line spacing of the em box, for all programs alike; clipping only outside of all ink."""
    boxes = [box for box in bounds.values() if box]
    bold, italic = style in ("Bold", "Bold Italic"), "italic" in style.lower()
    selection = USE_TYPO_METRICS | (BOLD if bold else 0) | (ITALIC if italic else 0)
    by_char = {code: bounds[name] for code, name in builder.font.getBestCmap().items()}
    x, cap = by_char.get(ord("x")), by_char.get(ord("H"))
    builder.setupOS2(
        version=4, sTypoAscender=ascent, sTypoDescender=descent, sTypoLineGap=0,
        usWinAscent=max(ascent, *(round(box[3]) for box in boxes)),
        usWinDescent=max(-descent, *(-round(box[1]) for box in boxes)),
        usWeightClass=names.weight_of(style), usWidthClass=5, fsType=0, achVendID="NONE",
        fsSelection=selection if bold or italic else selection | REGULAR,
        sxHeight=round(x[3]) if x else 0, sCapHeight=round(cap[3]) if cap else 0,
    )  # fmt: skip
    os2 = builder.font["OS/2"]
    os2.recalcUnicodeRanges(builder.font)
    os2.recalcCodePageRanges(builder.font)
    os2.recalcAvgCharWidth(builder.font)
    os2.usDefaultChar, os2.usBreakChar, os2.usMaxContext = 0, 32, 0
    builder.font["head"].macStyle = (1 if bold else 0) | (2 if italic else 0)


def _set_unhinted(builder: FontBuilder) -> None:
    """No hints: smoothed at all sizes, with dropout control."""
    from fontTools.ttLib.tables.ttProgram import Program

    gasp = builder.font["gasp"] = newTable("gasp")
    gasp.version, gasp.gaspRange = 1, {0xFFFF: 0x000F}
    prep = builder.font["prep"] = newTable("prep")
    prep.program = Program()
    prep.program.fromBytecode(PREP)
    builder.font["head"].flags |= 1 << 3  # whole sizes in pixels
    builder.font["maxp"].maxZones = 1
