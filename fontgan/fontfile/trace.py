"""A grey glyph image -> its outline in font units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fontgan.data.frame import Frame
from fontgan.fontfile.clean import clean, wind
from fontgan.fontfile.contour import SHARP_EDGE, find_contours
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
        """Undoes a drawing.

        Args:
            cell_to_image: the frame that the glyph was drawn with.
            baseline: as in ``FontGlyphs.to_cell``: y in the cell is (baseline - y in units) / units_per_em.
        """
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
    contours = find_contours(grey, smallest=speck * (em / to_units.scale) ** 2)
    if contours is None:
        return Outline()
    noise = NOISE * (contours.blur / SHARP_EDGE) ** 0.5
    pieces = fit(contours, tolerance=max(tolerance * em / 1000 / to_units.scale, noise))
    turn = np.array([to_units.scale, -to_units.scale])
    move = np.array([to_units.dx, to_units.dy])
    return clean(pieces, turn, move, em=em)


def to_quadratic(outline: Outline, max_error_units: float) -> Outline:
    """The same outline in quadratic curves as TrueType has them: outer contours clockwise.

    Args:
        max_error_units: how far they may stray from the cubic ones, before they are rounded to whole units.
    """
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.pens.roundingPen import RoundingPen

    drawn = RecordingPen()
    outline.draw(Cu2QuPen(RoundingPen(drawn), max_error_units))
    return wind(Outline(tuple((name, tuple(points)) for name, points in drawn.value)), clockwise=True)
