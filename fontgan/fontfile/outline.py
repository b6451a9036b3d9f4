"""Outlines of glyphs: closed contours of lines and Bezier curves, in font units."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True)
class Outline:
    """Closed contours as the calls of a fontTools pen that draw them; y up.

    Args:
        calls: ``("moveTo", ((x, y),))``, ``("curveTo", (p1, p2, p3))``, ... as ``RecordingPen.value`` has them.
    """

    calls: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def draw(self, pen: Any) -> None:
        """Draws with any fontTools segment pen."""
        for name, points in self.calls:
            getattr(pen, name)(*points)


@dataclass(frozen=True)
class DrawnGlyph:
    """A character's outline with its advance width, both in font units."""

    char: str
    outline: Outline
    advance: float


def is_space(char: str) -> bool:
    """Whether a character has no ink of its own."""
    return unicodedata.category(char) in ("Zs", "Cf", "Cc")
