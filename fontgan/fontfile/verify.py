"""A finished font file, opened anew and drawn, beside the outlines that it was made of."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from fontTools.pens.freetypePen import FreeTypePen
from fontTools.pens.roundingPen import RoundingPen
from fontTools.ttLib import TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.errors import DataError, RunError, shorten
from fontgan.fontfile.outline import DrawnGlyph
from fontgan.fontfile.target import file_of
from fontgan.runtime import files
from fontgan.runtime.files import atomic_write, temporary_sibling
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)

PX = 128  # the em, drawn
MAX_PX = 2048  # side of a drawing
MAX_DRAWN = 400  # glyphs; of more, as many spread evenly
MIN_IOU = 0.75  # ink in common, over ink in either: below, something is wrong with the file and not with its rounding
FEW_UNITS = 64  # per em: with fewer, rounding to whole units may take as much; with as many, 0.86 were the least shared


def verify(file: Path, glyphs: list[DrawnGlyph]) -> dict[str, float]:
    """Opens a font with fontTools and FreeType, and draws glyphs with ink that were put into it, of many some.

    Returns: the ink in common with the outline by character, as a share of ink in either, 0 to 1.
    Raises: RunError, an internal check, if a glyph is not there or is drawn otherwise; DataError if the font has so few
        units per em that the glyphs lose their shape.
    """
    with TTFont(file, lazy=True) as font:
        cmap, em = font.getBestCmap(), font["head"].unitsPerEm
        widths = {glyph.char: font["hmtx"][cmap[ord(glyph.char)]][0] for glyph in glyphs if ord(glyph.char) in cmap}
    wrong = [glyph.char for glyph in glyphs if widths.get(glyph.char) != round(glyph.advance)]
    if wrong:
        raise RunError(
            f"internal check: {len(wrong)} of the glyphs put into the font are not there, or not as wide: "
            f"{shorten(wrong)}. Nothing was kept; please report this."
        )
    drawn = FontGlyphs(file, data=file.read_bytes())  # our own
    shares = {glyph.char: _common_ink(drawn, glyph, em) for glyph in subsample_evenly(glyphs, MAX_DRAWN)}
    worst = min(shares, key=lambda char: shares[char])
    if shares[worst] < MIN_IOU and em >= FEW_UNITS:
        # Strokes as thin as the pixels, or as a unit, share less by rounding alone.
        thin = [glyph for glyph in glyphs if shares.get(glyph.char, 1) < MIN_IOU]
        whole = [replace(glyph, outline=glyph.outline.redrawn(RoundingPen)) for glyph in thin]
        shares |= {glyph.char: _common_ink(drawn, glyph, em, px=MAX_PX) for glyph in whole}
        worst = min(shares, key=lambda char: shares[char])
    told, share = f"{worst} U+{ord(worst):04X}", shares[worst]
    if share < MIN_IOU and em < FEW_UNITS:
        raise DataError(
            f"the font has {em} units per em, and {told} loses its shape in whole units (it would share {share:.2f} of "
            f"its ink). Nothing was kept; give a target of {FEW_UNITS} units per em or more."
        )
    if share < MIN_IOU:
        raise RunError(
            f"internal check: {told} is drawn otherwise than it was made (they share {share:.2f} of their ink). "
            "Nothing was kept; please report this."
        )
    return shares


def _common_ink(font: FontGlyphs, glyph: DrawnGlyph, em: int, *, px: int = PX) -> float:
    """Ink in common over ink in either, of a glyph in the font and its outline, both drawn by FreeType."""
    assert glyph.outline.bounds is not None
    left, bottom, right, top = glyph.outline.bounds
    # A glyph that reaches far beyond its em is drawn smaller: pixels are counted in memory.
    scale = min(px / em, MAX_PX / max(right - left, top - bottom, 1))
    left, bottom, right, top = (value * scale for value in glyph.outline.bounds)
    size = int(np.ceil(max(right - left, top - bottom, 1.0))) + 4
    # Both with their lower left corner two pixels inside: the cell's y counts down from the font's own em.
    baseline = font.to_cell()["baseline"] * scale
    inside = Frame(scale * em, 2 - left, size - 2 + bottom - baseline)
    of_file = 1 - font.rasterize(glyph.char, inside, size) / 255.0
    pen = FreeTypePen(None)
    glyph.outline.draw(pen)
    of_outline = pen.array(width=size, height=size, transform=(scale, 0, 0, scale, 2 - left, 2 - bottom))
    return float(np.minimum(of_file, of_outline).sum() / max(np.maximum(of_file, of_outline).sum(), 1e-9))


def save_verified(font: TTFont, out: Path, glyphs: list[DrawnGlyph]) -> None:
    """Writes a font aside, verifies it, and renames it to ``out``, which is whole or not there.

    Raises: RunError and DataError as ``verify``; OSError if it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    inked = [glyph for glyph in glyphs if glyph.outline.calls]
    with temporary_sibling(out) as folder:
        aside = folder / out.name
        atomic_write(aside, file_of(font))
        shares = verify(aside, inked) if inked else {}
        files.replace(aside, out)
    if shares:
        which = "each" if len(shares) == len(inked) else f"{len(shares)} of {len(inked)}, spread evenly,"
        worst = min(shares, key=lambda char: shares[char])
        log.info(
            "opened anew, %s drawn at %d px: shares %.4f of its ink with the outlines on average, at least %.4f (%s)",
            which, PX, np.mean(list(shares.values())), shares[worst], worst,
        )  # fmt: skip
