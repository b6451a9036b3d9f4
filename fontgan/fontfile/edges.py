"""What the edges of an image are: grey, in steps of whole pixels, or rough of noise and dithering.

Steps and noise are the picture's and not the glyph's, so a contour that follows them exactly is wrong by them.
"""

from math import gcd
from typing import NamedTuple

import numpy as np

TREAD = 3  # pixels; an antialiased edge that leans so little has pale steps
# Median contrast across such steps: antialiased ones have up to 0.31, those of whole pixels 0.5 and more.
STEPPED = 0.45
FEW_STEPS = 3  # fewer may be the glyph's own
RAGGED = 0.03  # share of spikes among the pixels of an edge: 0.01 where it was cut at a level, 0.04 to 0.3 if dithered
FEW_SPIKES = 16  # as many may be specks
BETWEEN = 0.02  # share of pixels between black and white among those of an edge; compression leaves some
NOISY = 0.012  # spread of flat paper and ink, of coverage: 3 of 255 grey levels
FEW_CHANGES = 16  # rows and columns that differ from the one before; fewer may lie on a coarse grid by accident
STRAIGHT = 6  # pixels of a side that make a right angle


class Edges(NamedTuple):
    """How samples of a contour are taken from an image's edges."""

    kind: str  # "grey", "stepped" or "rough"
    smooth: float = 0.0  # pixels along the contour over which samples are averaged, as a standard deviation
    grain: float = 0.0  # pixels by which samples may still be off


GREY, STEPS, ROUGH = Edges("grey"), Edges("stepped", 1.0, 0.45), Edges("rough", 1.5, 0.4)


class Runs(NamedTuple):
    """Straight parts of a contour of whole pixels, in order: (R,) each, and the contour begins with the first.

    A contour is given as the middles of the pixel edges that it follows, (N, 2) row and column: one of them is whole.
    """

    first: np.ndarray  # which of the middles begins it
    many: np.ndarray  # how many it has
    goes_on: np.ndarray  # whether the contour turns one way at its start and the other at its end, as on a stair


def runs_of(rows: np.ndarray) -> tuple[np.ndarray, Runs]:
    """The contour, turned so that a run begins it, and its runs."""
    level = rows[:, 0] != np.floor(rows[:, 0])  # between two rows, so the pixel edge is level
    starts = np.flatnonzero(level != np.roll(level, 1))
    if not len(starts):
        return rows, Runs(np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool))
    rows, level, first = np.roll(rows, -starts[0], 0), np.roll(level, -starts[0]), starts - starts[0]
    many = np.diff(np.r_[first, len(rows)])
    middle = (rows[first] + rows[first + many - 1]) / 2
    across, run = np.where(level[first], 0, 1), np.arange(len(first))
    before = (middle - np.roll(middle, 1, 0))[run, across]
    after = (np.roll(middle, -1, 0) - middle)[run, across]
    return rows, Runs(first, many, before * after > 0)


def through_steps(rows: np.ndarray) -> np.ndarray:
    """Leaves of a contour of whole pixels what says where the edge is: the middle of each step, not the tread.

    Where an edge leans, it crosses half of a pixel's height about where the image has a step of one pixel; half-way
    between two steps it is up to half a pixel off the tread. Treads beside a corner and at an extremum stay.
    """
    rows, (first, many, goes_on) = runs_of(rows)
    if len(first) < 4:
        return rows
    run = np.repeat(np.arange(len(first)), many)
    order = np.arange(len(rows)) - first[run]
    left = many[run] - 1 - order
    step_before, step_after = np.roll(many, 1)[run] == 1, np.roll(many, -1)[run] == 1
    tread = np.where(goes_on[run], True, np.abs(order - left) > 1)  # of an extremum the middle stays
    drop = (many[run] > 1) & np.where(step_before & step_after, tread, np.where(order < left, step_before, step_after))
    return rows[~drop] if (~drop).sum() > 3 else rows


def with_square_corners(ink: np.ndarray) -> np.ndarray:
    """An image of whole pixels, (H, W) bool, whose right angles have their outermost pixel again.

    Where the two edges of a right angle lie in the middle of a pixel, the one in the corner is covered by a quarter, and
    lost. Both sides must be straight for ``STRAIGHT`` pixels; ink and paper are treated alike.
    """
    from scipy.ndimage import binary_hit_or_miss

    side = STRAIGHT + 2
    corner, sides, outside = np.zeros((3, side, side), bool)
    corner[1, -2] = True
    sides[1, :-2], sides[2:, -2] = True, True
    outside[0, :], outside[:, -1] = True, True
    for turn in range(4):
        here, inner, outer = (np.rot90(pattern, turn) for pattern in (corner, sides, outside | corner))
        off = np.argwhere(here)[0] - side // 2  # scipy marks a pattern by its middle
        for kind in (True, False):
            found = np.argwhere(binary_hit_or_miss(ink == kind, inner, outer)) + off
            ink[tuple(found.T)] = kind
    return ink


def kind_of(cover: np.ndarray) -> Edges:
    """What the edges of an image are, by its coverage, (H, W) 0 paper .. 1 ink, with paper around it."""
    from skimage import measure

    ink = (cover > 0.5).astype(float)
    noise = _noise(cover, ink)
    if noise > NOISY:
        return ROUGH._replace(smooth=min(1.5, 0.7 + 15 * noise), grain=min(0.5, 0.24 + 3 * noise))
    contrast, spikes, stairs, length = [], 0, 0, 0
    for closed in measure.find_contours(ink, 0.5):  # type: ignore[no-untyped-call]
        rows, (first, many, goes_on) = runs_of(closed[:-1])
        length += len(rows)
        spikes += int(((many == 1) & ~goes_on).sum())
        step = (many == 1) & goes_on & (np.minimum(np.roll(many, 1), np.roll(many, -1)) >= TREAD)
        at = rows[first[step]]
        low, high = np.floor(at).astype(int), np.ceil(at).astype(int)
        contrast.append(np.abs(cover[tuple(low.T)] - cover[tuple(high.T)]))
        stairs += int(((many == 1) & goes_on).sum())
    if ((cover > 0.25) & (cover < 0.75)).sum() < BETWEEN * length:  # black and white
        return ROUGH if spikes > max(FEW_SPIKES, RAGGED * length) else STEPS if stairs else GREY
    steps = np.concatenate(contrast) if contrast else np.zeros(0)
    return STEPS if len(steps) >= FEW_STEPS and np.median(steps) > STEPPED else GREY


def _noise(cover: np.ndarray, ink: np.ndarray) -> float:
    """The spread of what is flat, three pixels and more from any edge, in coverage."""
    from scipy.ndimage import maximum_filter, minimum_filter

    flat = maximum_filter(ink, 7) == minimum_filter(ink, 7)
    # The paper that was put around the image has none.
    image = (cover != 0).any(1)[:, None] & (cover != 0).any(0)
    both = flat[:, 1:] & flat[:, :-1] & image[:, 1:] & image[:, :-1]
    if both.sum() < 50:
        return 0.0
    # A quarter of the differences of two values of spread s is larger than 1.15 * sqrt(2) * s.
    return float(np.percentile(np.abs(np.diff(cover, axis=1))[both], 75)) / 1.63


def block_side(grey: np.ndarray) -> int:
    """How many pixels wide and high the squares of one level are that an enlarged image consists of; 1: it is none."""
    columns = np.flatnonzero((grey[:, 1:] != grey[:, :-1]).any(0)) + 1
    rows = np.flatnonzero((grey[1:] != grey[:-1]).any(1)) + 1
    changes = np.r_[rows, columns]
    return gcd(*map(int, changes)) if len(changes) >= FEW_CHANGES else 1
