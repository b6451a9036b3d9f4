"""Outlines of glyphs: closed contours of lines and Bezier curves, in font units."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fontTools.pens.areaPen import AreaPen
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.transformPen import TransformPen

Point = tuple[int | float, int | float]
Bounds = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class Outline:
    """Closed contours as the calls of a fontTools pen that draw them; y up.

    Args:
        calls: ``("moveTo", ((x, y),))``, ``("curveTo", (p1, p2, p3))``, ... as ``RecordingPen.value`` has them.
    """

    calls: tuple[tuple[str, tuple[Point, ...]], ...] = ()

    def draw(self, pen: Any) -> None:
        """Draws with any fontTools segment pen."""
        for name, points in self.calls:
            getattr(pen, name)(*points)

    def redrawn(self, filtered: Callable[[RecordingPen], Any]) -> Outline:
        """What arrives behind a filter: a function that makes a pen which draws on the pen that it is given."""
        recording = RecordingPen()
        self.draw(filtered(recording))
        return Outline(tuple(recording.value))

    @cached_property
    def bounds(self) -> Bounds | None:
        """The box that the ink fills; None if there is none."""
        pen = BoundsPen(None)
        self.draw(pen)
        return pen.bounds

    def transformed(self, *, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> Outline:
        """Scaled about the origin, then moved."""
        if (scale, dx, dy) == (1.0, 0.0, 0.0):
            return self
        return self.redrawn(lambda pen: TransformPen(pen, (scale, 0, 0, scale, dx, dy)))

    def wound(self, *, clockwise: bool) -> Outline:
        """Outer contours wound as asked, holes the other way, if they are wound against each other."""
        pen = AreaPen()
        self.draw(pen)
        return self if pen.value == 0 or (pen.value < 0) == clockwise else self.redrawn(ReverseContourPen)


@dataclass(frozen=True)
class DrawnGlyph:
    """A character's outline with its advance width, both in font units."""

    char: str
    outline: Outline
    advance: int | float

    def scaled(self, scale: float) -> DrawnGlyph:
        """In units of another em."""
        return DrawnGlyph(self.char, self.outline.transformed(scale=scale), self.advance * scale)


def is_space(char: str) -> bool:
    """Whether a character has no ink of its own."""
    return unicodedata.category(char) in ("Zs", "Cf", "Cc")
