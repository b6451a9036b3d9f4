"""Frames: how a glyph's own coordinates map to a canvas, and back.

Three coordinate systems meet here.
  own     what a glyph is stored in: font units (y up) or image pixels (y down)
  cell    the em square, 0 to 1 from its top left corner, y down; the same for fonts and images
  canvas  pixels of the square training image, y down; pixel i covers i to i + 1
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from fontgan.untrusted.plain_json import convert

BASELINE = 0.88  # of the em from its top where nothing else is said: most Chinese and Japanese fonts have 880/-120
MAX_TRANSFORM = 1e6  # scale and offset of a frame that is read from a file; the scale is at least 1 in so many
MIN_FIT_SCALE = 0.75  # ink outside the em may shrink the canvas scale to this share of the plain em fit, no further
MIN_WIDE_SCALE = 0.5  # and to this one where a source or glyphs to be made need it too
DEAR = 0.9  # glyphs that shrink all others to less than that are left out, where they are few
FAR = 1 / MIN_FIT_SCALE - 1  # em: ink that reaches farther out of its em fits no canvas
SIZES = (64, 96, 128, 192, 256, 384, 512)  # sides of the canvas, in pixels
Offset = Annotated[float, Meta(ge=-MAX_TRANSFORM, le=MAX_TRANSFORM)]


class Box(NamedTuple):
    """Left, top, right, bottom."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


class StoredFrame(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``Frame.as_dict``."""

    scale: Annotated[float, Meta(ge=1 / MAX_TRANSFORM, le=MAX_TRANSFORM)]
    dx: Offset
    dy: Offset


@dataclass(frozen=True)
class Frame:
    """x -> scale * x + dx, y -> scale * y + dy: one scale and one offset, the same for all glyphs of a style."""

    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    def compose(self, outer: Frame) -> Frame:
        """First this frame, then ``outer``."""
        return Frame(outer.scale * self.scale, outer.scale * self.dx + outer.dx, outer.scale * self.dy + outer.dy)

    def inverse(self) -> Frame:
        return Frame(1 / self.scale, -self.dx / self.scale, -self.dy / self.scale)

    def box(self, box: Box) -> Box:
        scale, dx, dy = self.scale, self.dx, self.dy
        return Box(scale * box.x0 + dx, scale * box.y0 + dy, scale * box.x1 + dx, scale * box.y1 + dy)

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> Frame:
        """What ``as_dict`` gave, as a file has it. Raises: ValueError if it holds anything else."""
        frame = convert(stored, StoredFrame)
        return cls(frame.scale, frame.dx, frame.dy)


def median_box(boxes: list[Box]) -> Box:
    """The box of median centre, width and height."""
    facts = ((*box.centre, box.width, box.height) for box in boxes)
    x, y, width, height = (float(median(values)) for values in zip(*facts, strict=True))
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def fit_median(boxes: list[Box], reference: list[Box]) -> Frame:
    """The frame that brings the median box of ``boxes`` onto that of ``reference``: same centre, same area."""
    have, want = median_box(boxes), median_box(reference)
    area = have.width * have.height
    scale = math.sqrt(want.width * want.height / area) if area > 0 else 1.0
    return Frame(scale, *(to - scale * at for to, at in zip(want.centre, have.centre, strict=True)))


def fit_canvas(boxes: list[Box], size: int, margin: float, least: float = MIN_FIT_SCALE) -> Frame:
    """Cell -> canvas of ``size`` pixels so that the em fits inside the margins and no ink of ``boxes`` is clipped.

    Ink outside the em first shrinks the scale, down to ``least`` of the plain fit, then shifts it; ``margin`` is the
    empty border on each side, as a fraction of the canvas, 0 to below 0.5.
    """
    room = size * (1 - 2 * margin)
    left, top, right, bottom = zip(*boxes, strict=True)
    x0, y0, x1, y1 = min(left), min(top), max(right), max(bottom)
    scale = room * max(least, min(1.0, 1 / max(x1 - x0, y1 - y0, 1e-9)))
    return Frame(scale, _offset(scale, x0, x1, size), _offset(scale, y0, y1, size))


def fit_most(boxes: list[Box], size: int, margin: float) -> Frame:
    """``fit_canvas`` to all but the hundredth of the boxes, rounded down, that reach farthest out of the em."""
    ranked = sorted(boxes, key=reach)
    return fit_canvas(ranked[: len(ranked) - len(ranked) // 100], size, margin) if ranked else Frame(size)


def fit_all(boxes: list[Box], size: int, margin: float) -> Frame:
    """``fit_canvas`` to all boxes, down to ``MIN_WIDE_SCALE``; but for the hundredth that reaches farthest if that is dear."""
    ranked = sorted(boxes, key=reach)
    whole = fit_canvas(ranked, size, margin, MIN_WIDE_SCALE)
    most = fit_canvas(ranked[: len(ranked) - len(ranked) // 100], size, margin, MIN_WIDE_SCALE)
    return whole if whole.scale >= DEAR * most.scale else most


def _offset(scale: float, low: float, high: float, size: int) -> float:
    """Centres the em, moved as little as brings low..high inside the margins; centres low..high if it cannot."""
    border = (size - scale * (high - low)) / 2  # room left on each side were the ink centred
    margin = min(border, (size - scale) / 2) if scale < size else 0.0
    at_least, at_most = margin - scale * low, size - margin - scale * high
    if at_least > at_most:
        return (at_least + at_most) / 2
    return min(max((size - scale) / 2, at_least), at_most)


def reach(box: Box) -> float:
    """How far a box in cell coordinates goes beyond the em square, in em; 0 inside it."""
    return max(0.0, -box.x0, -box.y0, box.x1 - 1, box.y1 - 1)


def farthest_usual(boxes: list[Box]) -> float:
    """How far ink of a font may reach out of its em and still be nothing unusual in it: ``FAR`` and twice the reach of
    all but the few, the square root of their number, that reach farthest.

    So one stray point in five glyphs is found, or two in thirty, and the swashes of a script that has many are none.
    """
    ranked = sorted(map(reach, boxes), reverse=True)
    return FAR + 2 * ranked[min(math.isqrt(len(ranked)), len(ranked) // 2)]


def clips(box: Box, size: float) -> bool:
    """True if a box in canvas pixels reaches over the edge by more than a hundredth of a pixel."""
    return min(box) < -0.01 or max(box) > size + 0.01
