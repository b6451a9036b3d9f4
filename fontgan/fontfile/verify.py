"""A finished font file, opened anew and drawn, beside the outlines that it was made of."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.pens.freetypePen import FreeTypePen
from fontTools.ttLib import TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.errors import DataError, RunError, shorten
from fontgan.fontfile.metrics import bounds_of
from fontgan.fontfile.outline import DrawnGlyph
from fontgan.runtime.files import temporary_sibling
from fontgan.runtime.subsample import subsample_evenly

PX = 128  # the em, drawn
MAX_PX = 2048  # side of a drawing
MAX_DRAWN = 400  # glyphs; of more, as many spread evenly
MIN_IOU = 0.75  # ink in common, over ink in either: below, something is wrong with the file and not with its rounding
FEW_UNITS = 64  # per em: with fewer, rounding to whole units may take as much; with as many, 0.86 were the least shared


@dataclass(frozen=True)
class Verified:
    """
    Args:
        drawn: how many glyphs were drawn and compared.
        mean, lowest: ink in common as a share of ink in either, 0 to 1; ``lowest_char`` has the lowest.
    """

    drawn: int
    of: int
    mean: float
    lowest: float
    lowest_char: str

    def __str__(self) -> str:
        which = "each" if self.drawn == self.of else f"{self.drawn} of {self.of}, spread evenly,"
        return (
            f"opened anew, {which} drawn at {PX} px: shares {self.mean:.4f} of its ink with the outlines on average, "
            f"at least {self.lowest:.4f} ({self.lowest_char})"
        )


def verify(file: Path, glyphs: list[DrawnGlyph]) -> Verified | None:
    """Opens a font with fontTools and FreeType, and draws the glyphs put into it.

    Args:
        glyphs: those with ink are looked at.
    Returns: None if there is none.
    Raises: RunError, an internal check, if a glyph is not there or is drawn otherwise; DataError if the font has so few
        units per em that the glyphs lose their shape.
    """
    glyphs = [glyph for glyph in glyphs if glyph.outline.calls]
    if not glyphs:
        return None
    with TTFont(file, lazy=True) as font:
        cmap, em = font.getBestCmap(), font["head"].unitsPerEm
        missing = [glyph.char for glyph in glyphs if ord(glyph.char) not in cmap]
        wide = [
            g.char for g in glyphs if g.char not in missing and font["hmtx"][cmap[ord(g.char)]][0] != round(g.advance)
        ]
    if missing or wide:
        raise RunError(
            f"internal check: {len(missing or wide)} of the glyphs put into the font are not there, or not as wide: "
            f"{shorten(missing or wide)}. Nothing was kept; please report this."
        )
    drawn = FontGlyphs(file, data=file.read_bytes())  # our own
    shares = {glyph.char: _common_ink(drawn, glyph, em) for glyph in subsample_evenly(glyphs, MAX_DRAWN)}
    worst = min(shares, key=lambda char: shares[char])
    if shares[worst] < MIN_IOU and em < FEW_UNITS:
        raise DataError(
            f"the font has {em} units per em, and {worst} U+{ord(worst):04X} loses its shape in whole units (it would share "
            f"{shares[worst]:.2f} of its ink). Nothing was kept; give a target of {FEW_UNITS} units per em or more."
        )
    if shares[worst] < MIN_IOU:
        raise RunError(
            f"internal check: {worst} U+{ord(worst):04X} is drawn otherwise than it was made (they share "
            f"{shares[worst]:.2f} of their ink). Nothing was kept; please report this."
        )
    return Verified(len(shares), len(glyphs), float(np.mean(list(shares.values()))), shares[worst], worst)


def _common_ink(font: FontGlyphs, glyph: DrawnGlyph, em: int) -> float:
    """Ink in common over ink in either, of a glyph in the font and its outline, both drawn by FreeType."""
    bounds = bounds_of(glyph.outline)
    assert bounds is not None
    # A glyph that reaches far beyond its em is drawn smaller: pixels are counted in memory.
    scale = min(PX / em, MAX_PX / max(bounds[2] - bounds[0], bounds[3] - bounds[1], 1))
    left, bottom, right, top = (value * scale for value in bounds)
    size = int(np.ceil(max(right - left, top - bottom, 1.0))) + 4
    # Both with their lower left corner two pixels inside: the cell's y counts down from the font's own em.
    baseline = font.to_cell()["baseline"] * scale
    inside = Frame(scale * em, 2 - left, size - 2 + bottom - baseline)
    of_file = 1 - font.rasterize(glyph.char, inside, size) / 255.0
    pen = FreeTypePen(None)
    glyph.outline.draw(pen)
    of_outline = pen.array(width=size, height=size, transform=(scale, 0, 0, scale, 2 - left, 2 - bottom))
    return float(np.minimum(of_file, of_outline).sum() / max(np.maximum(of_file, of_outline).sum(), 1e-9))


def save_verified(font: TTFont, out: Path, glyphs: list[DrawnGlyph]) -> Verified | None:
    """Writes a font aside, verifies it, and renames it to ``out``, which is whole or not there.

    Raises: RunError and DataError as ``verify``; OSError if it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    font.save(content, reorderTables=False)
    with temporary_sibling(out) as folder:
        aside = folder / out.name
        with aside.open("wb") as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        verified = verify(aside, glyphs)
        aside.replace(out)
    return verified
