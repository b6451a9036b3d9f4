"""Would a type designer keep a drawn glyph?  Held against the true glyph: its strokes, and where its contour runs.

A glyph is kept if no stroke is lost, added, joined to another or broken, and its contour lies within 2 % of the em of
the true one almost everywhere.  Ink is what a tracer takes for ink: darker than half grey.

Strokes are compared in two ways.  Ink and paper of the one that lie deep in the paper and ink of the other are strokes
lost or added, gaps filled or torn open.  And no two parts (of ink, or of paper) that are apart in one may be connected
in the other: a bridge or a gap, however small, connects or parts either ink or paper.  The true glyph has the benefit
of the doubt: what hangs together, or is parted, by a hair in it may be either in a drawn one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from fontgan.metrics.artefacts import contours

# Lengths are shares of the em.
WITHIN = 0.02  # the contours' distance that a designer accepts
ALMOST_ALL = 0.95  # of the length of either contour has to be so near
STEP = 0.005  # between the points of a contour that are measured
GRID_PX = 256  # side of the em on which strokes are compared, whatever the images' size
SOFT = 0.004  # standard deviation of the blur that closes hair gaps and takes off hairs
HAIR = 0.3  # of ink above or below half, within which the true glyph may be taken either way
DEPTH = 0.006  # ink or paper nowhere so deep is a hair or a speck
AWAY = 0.025  # from the other's ink, or paper: there it is missing, not moved
AREA = 0.015**2  # of what is missing, in em squared: less is a tip drawn shorter
OVERLAP = 0.5  # of a part has to lie in one part of the other for them to be the same

EIGHT = np.ones((3, 3), bool)  # ink hangs together by corners too, paper does not
REASONS = ("lost", "added", "joined", "broken", "contour")


@dataclass(frozen=True)
class Keepable:
    """What a designer would keep of N glyphs.

    Attributes:
        kept: (N,) bool.
        why: for each glyph what is wrong, some of ``REASONS`` parted by a blank; empty where it is kept.
        contour_within: (N,) the share, 0 to 1, of the contour that lies within ``within`` of the other's: of the drawn
            or the true one, whichever has less.
    """

    kept: np.ndarray
    why: list[str]
    contour_within: np.ndarray


def keepable(
    made: np.ndarray, true: np.ndarray, *, em_px: float | np.ndarray | None = None, within: float = WITHIN
) -> Keepable:
    """Judges drawn glyphs by the true ones.

    Args:
        made, true: (N, H, W) uint8, 0 ink .. 255 paper, of the same characters in the same frame.
        em_px: side of the em in pixels, of all or (N,) of each; the images' longer side where it is not given.
        within: how far, as a share of the em, the contours may lie from each other.
    Raises: ValueError if the arrays are not alike, or not of this kind.
    """
    if made.shape != true.shape or made.ndim != 3 or made.dtype != np.uint8 or true.dtype != np.uint8:
        has = f"made is {made.dtype} {made.shape}, true is {true.dtype} {true.shape}"
        raise ValueError(f"keepable: {has}; two uint8 arrays of the same shape (N, H, W) are needed.")
    em = np.broadcast_to(max(made.shape[1:]) if em_px is None else em_px, len(made))
    glyphs = list(zip(made, true, em.tolist(), strict=True))
    near = np.array([contour_within(m, t, within * side, STEP * side) for m, t, side in glyphs], np.float64)
    why = [
        [*stroke_errors(*each), *(["contour"] if share < ALMOST_ALL else [])]
        for each, share in zip(glyphs, near, strict=True)
    ]
    return Keepable(np.array([not reasons for reasons in why], bool), [" ".join(reasons) for reasons in why], near)


# -- the contour ----------------------------------------------------------------------------


def contour_within(made: np.ndarray, true: np.ndarray, within: float, step: float) -> float:
    """The share of the contour within ``within`` pixels of the other's, 0 to 1: the smaller of both directions.

    Args:
        made, true: (H, W) uint8.
        step: pixels between the points that are measured.
    Returns: 1 for two blank glyphs, 0 if one alone is blank.
    """
    ours, theirs = (contour_points(glyph, step) for glyph in (made, true))
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    return min(_near(ours, theirs, within), _near(theirs, ours, within))


def contour_points(glyph: np.ndarray, step: float) -> np.ndarray:
    """(points, 2) row and column on the contours at half grey, evenly spaced, about ``step`` pixels apart."""
    found = [np.empty((0, 2))]
    for contour in contours(1 - glyph / 255):
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(contour, axis=0).T))])
        places = np.linspace(0.0, along[-1], max(1, round(along[-1] / step)), endpoint=False)
        found.append(np.stack([np.interp(places, along, contour[:, axis]) for axis in (0, 1)], axis=1))
    return np.concatenate(found)


def _near(points: np.ndarray, others: np.ndarray, within: float) -> float:
    distance, _ = cKDTree(others).query(points, distance_upper_bound=within)
    return float(np.isfinite(distance).mean())


# -- the strokes ----------------------------------------------------------------------------


def stroke_errors(made: np.ndarray, true: np.ndarray, em_px: float) -> list[str]:
    """What is wrong with the strokes of (H, W) uint8 ``made``: "lost", "added", "joined", "broken", or nothing."""
    ours, theirs = (_Seen.of(glyph, GRID_PX / em_px) for glyph in (made, true))
    # What is ink or paper of the true glyph beyond doubt, and what may be.
    ink, paper = theirs.parts(0.5 + HAIR), theirs.parts(0.5 - HAIR, paper=True)
    may_be_ink, may_be_paper = theirs.parts(0.5 - HAIR), theirs.parts(0.5 + HAIR, paper=True)
    our_ink, our_paper = ours.parts(0.5), ours.parts(0.5, paper=True)
    found = {
        "lost": missing(theirs.depth, ours.depth),
        "added": missing(ours.depth, theirs.depth),
        "joined": missing(-theirs.depth, -ours.depth) or merged(may_be_ink, our_ink) or merged(our_paper, paper),
        "broken": missing(-ours.depth, -theirs.depth) or merged(our_ink, ink) or merged(may_be_paper, our_paper),
    }
    return [reason for reason, there in found.items() if there]


class _Seen(NamedTuple):
    """A glyph on the grid where strokes are compared."""

    ink: np.ndarray  # (h, w) 0 paper .. 1 ink, without hairs
    depth: np.ndarray  # (h, w) em from the edge, above 0 in ink and below 0 in paper

    @classmethod
    def of(cls, glyph: np.ndarray, scale: float) -> _Seen:
        height, width = (max(1, round(side * scale)) for side in glyph.shape)
        image = Image.fromarray(glyph).resize((width, height), Image.Resampling.BICUBIC)
        # With paper around: the paper outside hangs together, and ink may reach the image's edge.
        ink = ndimage.gaussian_filter(np.pad(1 - np.asarray(image, np.float32) / 255, 2), SOFT * GRID_PX)
        inside, outside = (ndimage.distance_transform_edt(side) for side in (ink > 0.5, ink <= 0.5))
        depth = inside - outside if (ink > 0.5).any() else -np.full(ink.shape, np.inf)
        return cls(ink, (depth - 0.5 * np.sign(depth)) / GRID_PX)

    def parts(self, level: float, *, paper: bool = False) -> np.ndarray:
        """(h, w) int, the connected parts of ink above a level or of paper below it, from 1; hairs and specks are 0."""
        there = self.ink <= level if paper else self.ink > level
        labels, count = ndimage.label(there, None if paper else EIGHT)
        depth = -self.depth if paper else self.depth
        deep = np.bincount(labels[depth >= DEPTH], minlength=count + 1) > 0
        deep[0] = False
        return np.where(deep, np.arange(count + 1), 0)[labels]


def missing(here: np.ndarray, there: np.ndarray) -> bool:
    """True if a part of what is inside by ``here`` lies ``AWAY`` or farther from all that is inside by ``there``.

    Args:
        here, there: (h, w) em from the edge, above 0 inside.
    """
    labels, count = ndimage.label((here > 0) & (there <= -AWAY), EIGHT)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= AREA * GRID_PX**2
    return bool(large[labels[(labels > 0) & (here >= DEPTH)]].any())


def merged(parts: np.ndarray, others: np.ndarray) -> bool:
    """True if two of the parts lie in one of the others. Both are (h, w) labels, 0 for none."""
    count, many = int(parts.max()) + 1, int(others.max()) + 1
    both = np.bincount((parts.astype(np.int64) * many + others).ravel(), minlength=count * many).reshape(count, many)
    share = both / np.maximum(both.sum(axis=1, keepdims=True), 1)
    held = (share >= OVERLAP)[1:, 1:]  # row: part, column: other
    return bool((held.sum(axis=0) > 1).any())
