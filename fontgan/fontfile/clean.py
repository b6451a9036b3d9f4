"""Fitted pieces -> an outline as a font takes it: whole units, straight stems, no overlaps, contours wound one way."""

from dataclasses import replace
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.roundingPen import RoundingPen

from fontgan.fontfile.contour import following
from fontgan.fontfile.fit import Pieces
from fontgan.fontfile.outline import Outline

LEAN = 1.0  # thousandths of the em by which a line may be off before it is made upright or level
# Square units that Skia's removal of overlaps changes where there are none: at most 0.026 on 318 glyphs of bundled fonts.
UNTOUCHED = 0.03
SLIVER = 4  # square units; less is no contour but what is left where two edges crossed


def clean(pieces: Pieces, turn: np.ndarray, move: np.ndarray, *, em: float) -> Outline:
    """The outline of pieces, in whole units (point * turn + move), no overlaps, outer contours counter-clockwise."""
    points = {name: getattr(pieces, name) * turn + move for name in ("start", "one", "two", "end")}
    pieces = _straighten(replace(pieces, **points), within=LEAN * em / 1000)
    contours = [_draw(pieces.pick(pieces.contour == contour)) for contour in np.unique(pieces.contour)]
    return without_overlaps(Outline(tuple(call for calls in contours for call in calls))).wound(clockwise=False)


def _straighten(pieces: Pieces, *, within: float) -> Pieces:
    """Lines that lean by no more than ``within`` become upright or level; handles move with their knots."""
    knots = pieces.start.copy()
    follow = following(pieces.contour)
    off = np.abs(pieces.end - pieces.start)
    for axis in (0, 1):
        flat = np.flatnonzero(pieces.line & (off[:, axis] <= within) & (off[:, 1 - axis] > 4 * off[:, axis]))
        for i in flat:
            knots[[i, follow[i]], axis] = (knots[i, axis] + knots[follow[i], axis]) / 2
        for i in flat[::-1]:  # what one line moved, the line before it has to follow
            knots[i, axis] = knots[follow[i], axis]
    moved = knots - pieces.start
    return replace(pieces, start=knots, one=pieces.one + moved, two=pieces.two + moved[follow], end=knots[follow])


def _draw(pieces: Pieces) -> list[tuple[str, tuple[Any, ...]]]:
    """One contour as calls of a pen, in whole units; none if nothing is left of it."""
    start, one, two, end = (
        [(int(x), int(y)) for x, y in np.round(points)] for points in (pieces.start, pieces.one, pieces.two, pieces.end)
    )
    calls: list[tuple[str, tuple[Any, ...]]] = [("moveTo", (start[0],))]
    for p0, p1, p2, p3, line in zip(start, one, two, end, pieces.line, strict=True):
        if line or (p1 == p0 and p2 == p3):
            if p0 != p3:
                calls.append(("lineTo", (p3,)))
        elif not p0 == p1 == p2 == p3:
            calls.append(("curveTo", (p1, p2, p3)))
    lines = all(name == "lineTo" for name, _ in calls[1:])
    if calls[-1] == ("lineTo", (start[0],)):
        calls.pop()  # closing draws it
    return [] if len(calls) < (3 if lines else 2) else [*calls, ("closePath", ())]


def without_overlaps(outline: Outline) -> Outline:
    """Overlaps and crossings removed, with Skia's path operations; an outline that has none comes back as it is.

    Skia's result lies a hair beside whole units, so that rounding it may let edges cross anew; it is looked at again.
    """
    import pathops

    for _ in range(3):
        path = pathops.Path()
        outline.draw(path.getPen(glyphSet=None))
        apart = pathops.Path(path)
        apart.simplify(fix_winding=True, keep_starting_points=True)
        same = len(list(path.contours)) == len(list(apart.contours))
        if same and abs(abs(path.area) - abs(apart.area)) < UNTOUCHED:
            break
        drawn = RecordingPen()
        for contour in apart.contours:
            if abs(contour.area) >= SLIVER:
                contour.draw(RoundingPen(_CubicPen(drawn)))
        outline = Outline(tuple(drawn.value))
    return outline


class _CubicPen(BasePen):  # type: ignore[misc]
    """Hands on what it is told, quadratic curves as the cubic ones that they are, lines of no length left out."""

    def __init__(self, to: RecordingPen):
        super().__init__()
        self._moveTo, self._closePath, self._endPath = to.moveTo, to.closePath, to.endPath
        self.to = to

    def _lineTo(self, point: Any) -> None:
        if point != self._getCurrentPoint():
            self.to.lineTo(point)

    def _curveToOne(self, one: Any, two: Any, end: Any) -> None:
        self.to.curveTo(tuple(map(round, one)), tuple(map(round, two)), end)
