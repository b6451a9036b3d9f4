"""A grey glyph image -> its outline in font units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.roundingPen import RoundingPen

from fontgan.data.frame import Frame
from fontgan.fontfile.clean import clean
from fontgan.fontfile.contour import find_contours
from fontgan.fontfile.edges import block_side
from fontgan.fontfile.fit import fit
from fontgan.fontfile.outline import Outline

NOISE = 0.1  # pixels; how far a contour may lie from the edge that was drawn, so that no curve needs to be nearer


@dataclass(frozen=True)
class PixelsToUnits:
    """x -> dx + scale * x, y -> dy - scale * y: pixels (y down; pixel i covers i to i + 1) to font units (y up)."""

    scale: float
    dx: float
    dy: float

    @classmethod
    def from_frame(cls, cell_to_image: Frame, units_per_em: float, baseline: float) -> PixelsToUnits:
        """Undoes a drawing with a frame; ``baseline`` as in ``FontGlyphs.to_cell``."""
        back = cell_to_image.inverse()
        return cls(units_per_em * back.scale, units_per_em * back.dx, baseline - units_per_em * back.dy)


def trace(grey: np.ndarray, to_units: PixelsToUnits, *, em: float, tolerance: float, speck: float) -> Outline:
    """The outline of a glyph image: lines and cubic curves along half coverage, without overlaps.

    Args:
        grey: (H, W) uint8, 0 ink .. 255 paper.
        em: units per em.
        tolerance: how far a curve may stray from the edge, in thousandths of the em.
        speck: contours that enclose less are dropped, ink and paper alike, as a share of the em square.
    Returns: whole units, outer contours counter-clockwise; empty for an image without ink.
    """
    side = block_side(grey)
    grey, scale = grey[::side, ::side], to_units.scale * side
    contours = find_contours(grey, smallest=speck * (em / scale) ** 2)
    if contours is None:
        return Outline()
    nearest = contours.grain or NOISE * contours.wide**0.5
    pieces = fit(contours, tolerance=max(tolerance * em / 1000 / scale, nearest))
    return clean(pieces, np.array([scale, -scale]), np.array([to_units.dx, to_units.dy]), em=em)


def to_quadratic(outline: Outline, max_error_units: float) -> Outline:
    """The same outline in quadratic curves as TrueType has them: in whole units, outer contours clockwise.

    They stray from the cubic ones by ``max_error_units`` at most, before they are rounded.
    """
    return outline.redrawn(lambda pen: Cu2QuPen(RoundingPen(pen), max_error_units)).wound(clockwise=True)
