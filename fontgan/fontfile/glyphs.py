"""Outlines as a font file stores them: whole units, quadratic for TrueType, cubic for CFF."""

import hashlib
from collections import Counter
from dataclasses import replace

from fontTools.pens.roundingPen import RoundingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph

from fontgan import __version__
from fontgan.errors import DataError, shorten
from fontgan.fontfile.outline import DrawnGlyph, is_space
from fontgan.fontfile.trace import to_quadratic

MAX_COORDINATE = 16_383  # units; rasterisers reckon in 16 bits, and some double what they are given


def prepared(glyphs: list[DrawnGlyph], kind: str, *, em: int, tolerance: float) -> list[DrawnGlyph]:
    """The glyphs as the table of outlines takes them.

    Args:
        kind: ``glyf``: quadratic curves, outer contours clockwise; ``CFF ``: cubic, counter-clockwise.
        tolerance: how far quadratic curves may stray from cubic ones, in thousandths of the em.
    Raises: DataError if there are none, a character comes twice, or is drawn without ink, too large or with no width.
    """
    if not glyphs:
        raise DataError("there are no glyphs to put into the font. Choose characters that are drawn.")
    made = []
    for glyph in glyphs:
        if kind == "glyf":
            outline = to_quadratic(glyph.outline, tolerance * em / 1000)
        else:
            outline = glyph.outline.redrawn(RoundingPen).wound(clockwise=False)
        made.append(replace(glyph, outline=outline, advance=round(glyph.advance)))
    for fault, remedy, wrong in (
        ("characters are drawn twice", "Keep one of each",
         sorted(char for char, count in Counter(glyph.char for glyph in made).items() if count > 1)),
        ("outlines are empty", "Draw these glyphs, or take them out",
         [glyph.char for glyph in glyphs if not glyph.outline.calls and not is_space(glyph.char)]),
        (f"glyphs reach farther than {MAX_COORDINATE} units", "Scale them down",
         [glyph.char for glyph in made if max(map(abs, glyph.outline.bounds or (0,))) > MAX_COORDINATE]),
        ("glyphs have a width below 0 or above 65535", "Give them another",
         [glyph.char for glyph in made if not 0 <= glyph.advance <= 65_535]),
    ):  # fmt: skip
        if wrong:
            raise DataError(f"{len(wrong)} {fault}: {shorten(wrong)}. {remedy}.")
    return made


def truetype(glyph: DrawnGlyph) -> Glyph:
    pen = TTGlyphPen(None)
    glyph.outline.draw(pen)
    return pen.glyph()


def charstring(glyph: DrawnGlyph, private: object, subrs: object) -> object:
    """A Type 2 charstring without subroutines or hints; its width as the private dictionary, or none, counts it."""
    usual, nominal = (getattr(private, name, 0) for name in ("defaultWidthX", "nominalWidthX"))
    pen = T2CharStringPen(None if glyph.advance == usual else glyph.advance - nominal, None)
    glyph.outline.draw(pen)
    return pen.getCharString(private, subrs)


def digest(glyphs: list[DrawnGlyph]) -> str:
    """Letters that change with any of the glyphs."""
    return hashlib.sha256(repr(glyphs).encode()).hexdigest()[:8]


def usual_note(count: int) -> str:
    """What the name table says where the user says nothing else."""
    return f"{count} glyphs of this font were generated, and made outlines by fontgan {__version__}."
