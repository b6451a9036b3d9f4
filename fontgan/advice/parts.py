"""Glyph images -> descriptors of their parts: left and right, top and bottom, what encloses and what is inside.

Characters that share a component have a part alike.  Nothing is known of a script but its shapes: each glyph is cut
where a cut meets the least ink, and each part is described by where its edges run and in which direction.
"""

import numpy as np
from scipy import ndimage

from fontgan.data.frame import Frame

SIDE = 64  # px of the glyph images
CANVAS = Frame(60, 2, 2)  # the em in them
KINDS = ("left part", "right part", "top part", "bottom part", "frame", "middle", "whole")
_CUTS = slice(SIDE // 4, 3 * SIDE // 4)  # where a glyph may be cut, in pixels from its left or top
_CELLS, _DIRECTIONS = 6, 4  # a part's edges are pooled in 6 x 6 places and 4 directions
FEATURES = _CELLS * _CELLS * _DIRECTIONS + 2
_SHAPE = 1.0  # weight of a part's width and height beside its edges, which have length 1
_ENCLOSED = 0.23  # of the side: what lies further in counts as the middle, the rest as the frame


def describe(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of every glyph's parts.

    Args:
        images: (N, 64, 64) uint8, 0 ink .. 255 paper.
    Returns: descriptors (kinds, N, features) float32, each of length 1; how clearly each part stands apart from the rest
        of its glyph, (kinds, N) float32, 1 where the cut meets no ink, down to 0 where it cuts as much as the glyph
        has in a row or column on average. A part without ink has 0.
    """
    descriptors = np.zeros((len(KINDS), len(images), FEATURES), dtype=np.float32)
    clear = np.zeros((len(KINDS), len(images)), dtype=np.float32)
    for n, glyph in enumerate(1 - images.astype(np.float32) / 255):
        for kind, (part, clarity) in enumerate(_parts(glyph)):
            if (found := _describe(part)) is not None:
                descriptors[kind, n], clear[kind, n] = found, clarity
    return descriptors, clear


def _parts(ink: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """The parts in the order of ``KINDS`` as (part, clarity); a part keeps its place, the rest is paper."""
    x, clear_x = _cut(ink.sum(axis=0))
    y, clear_y = _cut(ink.sum(axis=1))
    edge = round(SIDE * _ENCLOSED)
    inside = np.zeros_like(ink)
    inside[edge:-edge, edge:-edge] = 1
    border = ink[edge:-edge, edge:-edge]
    rim = (border[0].sum() + border[-1].sum() + border[:, 0].sum() + border[:, -1].sum()) / 4
    apart = _clarity(rim, ink.sum(axis=0))
    columns, rows = np.arange(SIDE)[None, :], np.arange(SIDE)[:, None]
    return [
        (ink * (columns < x), clear_x), (ink * (columns >= x), clear_x),
        (ink * (rows < y), clear_y), (ink * (rows >= y), clear_y),
        (ink * (1 - inside), apart), (ink * inside, apart),
        (ink, 0.5),
    ]  # fmt: skip


def _cut(profile: np.ndarray) -> tuple[int, float]:
    """Where a profile of ink has its deepest valley, the nearest to its middle of equal ones; and how clear that is."""
    smooth = ndimage.uniform_filter1d(profile, 3)
    away = np.abs(np.arange(SIDE) - SIDE / 2)
    place = int(np.argmin((smooth + 0.02 * away)[_CUTS])) + _CUTS.start
    return place, _clarity(smooth[place], profile)


def _clarity(ink_at_cut: np.floating, profile: np.ndarray) -> float:
    filled = profile[profile > 0.5]
    return max(0.0, 1 - float(ink_at_cut) / float(filled.mean())) if len(filled) else 0.0


def _describe(part: np.ndarray) -> np.ndarray | None:
    """Edges of a part within its box, pooled by place and direction, and the box's width and height.

    Pooling with wide, overlapping windows forgives a component that is drawn a little elsewhere or narrower.
    """
    rows, columns = (np.flatnonzero(part.max(axis=axis) > 0.5) for axis in (1, 0))
    if not len(rows):
        return None
    box = np.pad(part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 2)
    dy, dx = np.gradient(box)
    length, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi * (_DIRECTIONS / np.pi)
    down, across = map(_windows, box.shape)
    pooled = [down @ (length * _near(angle, direction)) @ across.T for direction in range(_DIRECTIONS)]
    edges = np.sqrt(np.stack(pooled).ravel())  # roots: a few long strokes must not drown the short ones
    edges /= np.linalg.norm(edges) + 1e-9
    size = _SHAPE * np.array([len(columns), len(rows)]) / SIDE
    found = np.concatenate([edges, size]).astype(np.float32)
    return found / np.linalg.norm(found)


def _near(angle: np.ndarray, direction: int) -> np.ndarray:
    """How much an angle belongs to a direction, 0 to 1; neighbouring directions share what lies between them."""
    apart = np.abs(angle - direction)
    return np.maximum(0, 1 - np.minimum(apart, _DIRECTIONS - apart))


def _windows(length: int) -> np.ndarray:
    """(6, length): triangles as wide as two of the six places on either side of their peak, of sum 1 at every pixel."""
    places = (np.arange(length) + 0.5) / length * _CELLS - 0.5
    windows = np.maximum(0, 1 - np.abs(places[None, :] - np.arange(_CELLS)[:, None]) / 1.5)
    return windows / windows.sum(axis=0, keepdims=True)
