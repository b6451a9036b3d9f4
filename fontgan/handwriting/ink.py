"""What was written on the screen -> a glyph image: paths of a pen that presses, drawn as a pen of round tip draws them.

The browser draws by the same rules (fontgan/studio/static/ink_shape.js), so that what is saved is what was seen:

  width   a pen of width w makes a line ``w * (0.25 + 1.5 * pressure)`` wide: w itself at pressure 0.5, which is what
          mouse and touch report, a quarter of it at 0 and 1.75 times as much at 1.
  path    the quadratic B-spline whose control points are the points of the stroke, of x, y and width alike. It begins
          and ends where the stroke does and has no corners, so a jitter of the hand's device does not show.
  shape   circles along the path; the ink is all that lies in the convex hull of one and the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta, Struct

from fontgan.data.glyphs import PAPER
from fontgan.handwriting.sheet import canvas_frame
from fontgan.untrusted.plain_json import Char, Share, convert

FORMAT = 1
MAX_STROKES = 256
MAX_STROKE_POINTS = 4096
MAX_POINTS = 8192  # of all strokes; a character of thirty strokes, written with a fast pen, has some 2000
MAX_BYTES = 2**20  # of the JSON of so many points, written as the browser writes them
MIN_PX, MAX_PX = 16, 2048  # side of the picture
THIN, PER_PRESSURE = 0.25, 1.5  # the law of width
_TOLERANCE = 1 / 4096  # em: what the circles' hulls may miss of the path
_MAX_STEPS = 8  # circles for one point; a hand that moves too fast for them crosses half the em between two points
_SAMPLES = 8  # a pixel is the mean of so many by so many
_HULLS_AT_ONCE = 64  # what they cross fits the cache

Coordinate = Annotated[float, Meta(ge=-0.25, le=1.25)]


class Stroke(Struct, frozen=True, forbid_unknown_fields=True):
    """One stroke of the pen, or of the eraser.

    points: x and y in em from the upper left of the em square, y down, -0.25 .. 1.25; pressure, 0 .. 1.
    width: of the line at pressure 0.5, in em.
    """

    points: Annotated[list[tuple[Coordinate, Coordinate, Share]], Meta(min_length=1, max_length=MAX_STROKE_POINTS)]
    width: Annotated[float, Meta(ge=0.005, le=0.5)]
    erase: bool


class Ink(Struct, frozen=True, forbid_unknown_fields=True):
    """The strokes of one character, in the order in which they were written."""

    char: Char
    strokes: Annotated[list[Stroke], Meta(max_length=MAX_STROKES)]
    format: int = FORMAT

    def __post_init__(self) -> None:
        points = sum(len(stroke.points) for stroke in self.strokes)
        if points > MAX_POINTS:
            raise ValueError(f"{points} points, where at most {MAX_POINTS} are taken")

    def as_json(self) -> bytes:
        """What ``parse_ink`` reads."""
        return msgspec.json.encode(self)


def parse_ink(data: bytes) -> Ink:
    """The ink that JSON describes, whoever wrote it.

    Raises: ValueError, in one line, if it is larger than 1 MiB, no UTF-8, no JSON, of another format, or out of range.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 2**20} MiB")
    try:
        content: Any = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return convert(content, Ink, version=FORMAT)


def draw_ink(ink: Ink, size: int, base: np.ndarray | None = None) -> np.ndarray:
    """The glyph image that the strokes make, each over those before it.

    Args:
        size: side in pixels, 16 .. 2048.
        base: (size, size) uint8, a glyph image on the same canvas that the strokes mend; blank paper if None.
    Returns: (size, size) uint8, 0 ink .. 255 paper, on the canvas of ``canvas_frame(size)``; what reaches beyond it
        is cut off.
    Raises: ValueError for another size, or a base of another shape or type.
    """
    if not MIN_PX <= size <= MAX_PX:
        raise ValueError(f"size {size}: {MIN_PX} to {MAX_PX} pixels are needed")
    if base is not None and (base.shape != (size, size) or base.dtype != np.uint8):
        raise ValueError(f"base is {base.dtype} of shape {base.shape}, where uint8 of ({size}, {size}) is needed")
    paper = np.ones((size, size), np.float32) if base is None else base.astype(np.float32) / PAPER
    frame = canvas_frame(size)
    for stroke in ink.strokes:
        circles = _circles(stroke) * frame.scale + (frame.dx, frame.dy, 0)
        cover, rows, columns = _cover(circles, size)
        part = paper[rows, columns]
        part[:] = 1 - (1 - part) * (1 - cover) if stroke.erase else part * (1 - cover)
    return np.rint(paper * PAPER).astype(np.uint8)


def _circles(stroke: Stroke) -> np.ndarray:
    """Circles along a stroke's path, close enough for their hulls: (N, 3) of x, y and radius, in em."""
    points = np.array(stroke.points, np.float64)
    points[:, 2] = stroke.width * (THIN + PER_PRESSURE * points[:, 2]) / 2
    if len(points) == 1:
        return points
    # Between the middles of its legs the control polygon's curve is a parabola, whose control point is the corner.
    middles = (points[:-1] + points[1:]) / 2
    start, corner, end = middles[:-1], points[1:-1], middles[1:]
    # A chord across 1 / n of a parabola misses it by a quarter of its second difference, over n squared.
    bend = np.linalg.norm(start - 2 * corner + end, axis=1)
    steps = np.clip(np.ceil(np.sqrt(bend / (4 * _TOLERANCE))), 1, _MAX_STEPS).astype(int)
    which, step = _spread(steps)
    t = ((step + 1) / steps[which])[:, None]
    curve = (1 - t) ** 2 * start[which] + 2 * t * (1 - t) * corner[which] + t**2 * end[which]
    return np.vstack([points[:1], middles[:1], curve, points[-1:]])


class _Part(NamedTuple):
    """What a stroke covers of each pixel, 0 .. 1, and which rows and columns of the canvas these are."""

    cover: np.ndarray
    rows: slice
    columns: slice


def _cover(circles: np.ndarray, size: int) -> _Part:
    """``circles``: (N, 3) of x, y and radius in pixels."""
    reach = circles[:, 2:]
    low = np.clip(np.floor((circles[:, :2] - reach).min(axis=0)), 0, size).astype(int)
    high = np.clip(np.ceil((circles[:, :2] + reach).max(axis=0)), low, size).astype(int)
    (columns, rows) = high - low
    shape = (rows * _SAMPLES, columns * _SAMPLES)
    # A span adds one where it begins and takes it where it ends: where the sum along a row is not 0, there is ink.
    change = np.zeros((shape[0], shape[1] + 1), np.int32)
    samples = ((circles - (*low, 0)) * _SAMPLES).astype(np.float32)
    for row, left, right in _spans(samples, *shape):
        np.add.at(change, (row, left), 1)
        np.add.at(change, (row, right), -1)
    inside = np.cumsum(change, axis=1)[:, :-1] > 0
    cover = inside.reshape(rows, _SAMPLES, columns, _SAMPLES).mean(axis=(1, 3), dtype=np.float32)
    return _Part(cover, slice(low[1], high[1]), slice(low[0], high[0]))


def _spans(circles: np.ndarray, height: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The rows of samples that hulls of successive circles cross, and the first sample inside and the first after it."""
    first = circles[:-1] if len(circles) > 1 else circles
    second = circles[1:] if len(circles) > 1 else circles
    for at in range(0, len(first), _HULLS_AT_ONCE):
        a, b = first[at : at + _HULLS_AT_ONCE], second[at : at + _HULLS_AT_ONCE]
        top = np.clip(np.ceil(np.minimum(a[:, 1] - a[:, 2], b[:, 1] - b[:, 2]) - 0.5), 0, height).astype(int)
        end = np.clip(np.floor(np.maximum(a[:, 1] + a[:, 2], b[:, 1] + b[:, 2]) + 0.5), top, height).astype(int)
        which, row = _spread(end - top)
        row += top[which]
        left, right = _hull_span(a[which], b[which], row.astype(np.float32) + np.float32(0.5))
        start = np.clip(np.ceil(left - 0.5), 0, width).astype(int)
        stop = np.clip(np.floor(right + 0.5), start, width).astype(int)
        yield row, start, stop


def _hull_span(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the line at height y enters the convex hull of two circles, and where it leaves it.

    It does so on either circle or on one of the two lines that touch both, which are none if one circle holds the other.
    """
    (x0, y0, r0), (x1, y1, r1) = a.T, b.T
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN stands for "does not cross", and fmin passes over it
        crossings = []
        for x, centre, radius in ((x0, y0, r0), (x1, y1, r1)):
            half = np.sqrt(radius**2 - (y - centre) ** 2)
            crossings += [x - half, x + half]
        dx, dy = x1 - x0, y1 - y0
        distance = np.hypot(dx, dy)
        dx, dy, along = dx / distance, dy / distance, (r0 - r1) / distance
        across = np.sqrt(1 - along**2)
        for side in (across, -across):
            nx, ny = along * dx - side * dy, along * dy + side * dx  # from each centre to where the line touches
            from_y, to_y = y0 + r0 * ny, y1 + r1 * ny
            t = (y - from_y) / (to_y - from_y)
            t = np.where((t >= 0) & (t <= 1), t, np.nan)
            crossings.append(x0 + r0 * nx + t * (x1 + r1 * nx - x0 - r0 * nx))
        left, right = np.fmin.reduce(crossings), np.fmax.reduce(crossings)
    crossed = ~np.isnan(left)
    return np.where(crossed, left, 0), np.where(crossed, right, 0)


def _spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ``[2, 3]`` the owners ``[0, 0, 1, 1, 1]`` and the places ``[0, 1, 0, 1, 2]``."""
    which = np.repeat(np.arange(len(counts)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
