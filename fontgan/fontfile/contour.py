"""Grey image -> closed contours along half coverage, evenly sampled, with the corners that pixels blunt found again.

A pixel's grey level is the share of it that ink covers, so the line where interpolated coverage is one half runs
within a few hundredths of a pixel of the edge that was drawn. Only at corners does it not: there it cuts across.

All contours of a glyph lie one after another in one array, since numpy is quick only with much at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP = 0.5  # pixels between samples along a contour
SHARP_EDGE = 0.29  # spread, in pixels, of an edge that is blurred by nothing but pixels: a box of 1 has 1 / sqrt(12)
ACROSS = 3  # pixels on either side of an edge that are added up
PAD = ACROSS + 1  # pixels of paper around the image
MAX_EDGE_OFFSET = (
    0.12  # pixels that an edge lies from where interpolation puts it: at most 0.086 if it is straight and alone
)
# Pixels by which a corner of 90 degrees is cut off, at most, beside the 0.12 of any: 0.35 to 0.72 by where it lies.
BLUNT = 0.74
FAINT = 0.06  # coverage that may be noise on paper
FINE = 4  # cells along each side of a pixel, where coverage is worked out
LACKS = 0.42  # square pixels of ink that may lack where a corner is sharp
CLEAR = 1.5  # pixels beside a corner that it blunts
SIDE = 2.5  # pixels of a contour, from its blunted part on, that tell a corner's side


@dataclass(frozen=True)
class Contours:
    """Closed contours, sampled every ``STEP`` pixels or so.

    Attributes:
        points: (N, 2) x and y in pixels, y down; pixel i covers i to i + 1. Ink lies on the same side of all.
        start, count: (N,) for each point, where its contour starts in ``points`` and how many points that has.
        step: (N,) pixels between samples of its contour.
        cover: the image as coverage, 0 paper .. 1 ink, with ``PAD`` pixels of paper around it.
        blur: spread of the edges in pixels, ``SHARP_EDGE`` or more.
    """

    points: np.ndarray
    start: np.ndarray
    count: np.ndarray
    step: np.ndarray
    cover: np.ndarray
    blur: float

    def ahead(self, index: np.ndarray, by: np.ndarray | int) -> np.ndarray:
        """Index of the point that is ``by`` samples further on the same contour, or before if negative."""
        return self.start[index] + (index - self.start[index] + by) % self.count[index]

    @property
    def starts(self) -> np.ndarray:
        """(C,) where each contour starts."""
        return np.flatnonzero(self.start == np.arange(len(self.start)))


def find_contours(grey: np.ndarray, *, smallest: float) -> Contours | None:
    """The contours of an image at half coverage, or None if there are none.

    Args:
        grey: (H, W) uint8, 0 ink .. 255 paper. Beyond the border is paper, so ink that touches it is closed there.
        smallest: contours that enclose less, in square pixels, are left out.
    """
    from skimage import measure

    cover = np.pad(1 - grey.astype(np.float64) / 255, PAD)
    kept, length = [], 0.0
    for rows in measure.find_contours(cover, 0.5):  # type: ignore[no-untyped-call]
        points = (
            _to_edge(cover, rows[:-1])[:, ::-1] + 0.5 - PAD
        )  # the last repeats the first; a pixel's centre is at .5
        if len(points) > 3 and abs(area(points)) >= max(smallest, 0.25):
            kept.append(_resample(points))
            length += len(points) * kept[-1][1]
    if not kept:
        return None
    counts = np.array([len(points) for points, _ in kept])
    starts = np.cumsum(counts) - counts
    perimeter = float(sum(len(points) * step for points, step in kept))
    # Across an edge of normal spread s, cover * (1 - cover) adds up to s / sqrt(pi).
    edge = cover[(cover > FAINT) & (cover < 1 - FAINT)]
    blur = float(np.sqrt(np.pi) * (edge * (1 - edge)).sum() / perimeter)
    return Contours(
        np.concatenate([points for points, _ in kept]),
        np.repeat(starts, counts),
        np.repeat(counts, counts),
        np.repeat([step for _, step in kept], counts),
        cover,
        max(SHARP_EDGE, min(blur, 4 * SHARP_EDGE)),
    )


def _to_edge(cover: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Moves points of a contour from half of the interpolated coverage to where coverage, added up, says the edge is.

    Coverage adds up to the edge's height over a column however the edge lies in it, while interpolation errs by up to
    0.086 pixels. Of the points those stay that lie between two pixels across the edge, not along it.

    Args:
        rows: (N, 2) row and column in ``cover``, one of them whole.
    """
    low = np.floor(rows).astype(int)
    upright = rows[:, 0] != low[:, 0]  # between two rows
    step = np.where(upright[:, None], (1, 0), (0, 1))
    first, second = cover[tuple(low.T)], cover[tuple((low + step).T)]
    # The slope along the other axis, at the nearer of the two pixels.
    near = np.round(rows).astype(int)
    side = step[:, ::-1]
    aside = (cover[tuple((near + side).T)] - cover[tuple((near - side).T)]) / 2
    down = second < first  # ink lies before the edge
    inner = np.where(down[:, None], low, low + step)
    out = np.where(down, 1, -1)[:, None] * step
    # From the pixel inside the edge, coverage is added up outwards, and what it lacks of 1 is taken off inwards, until it
    # rises again: there the next edge begins.
    position = np.full(len(rows), 0.5)
    for way, start in ((out, inner + out), (-out, inner)):
        at, going = start, np.ones(len(rows), bool)
        for _ in range(ACROSS):
            here = cover[tuple(at.T)]
            beyond = cover[tuple((at + way).T)]
            rest = here if way is out else 1 - here
            turns = beyond > here if way is out else beyond < here
            # Where two edges share a pixel, half of it is for each.
            position += np.where(going, rest * np.where(turns, 0.5, 1.0), 0) * (1 if way is out else -1)
            going &= ~turns
            at = at + way
    found = inner + out * position[:, None]
    moved = ((found - rows) * out).sum(1)
    found = rows + out * np.clip(moved, -MAX_EDGE_OFFSET, MAX_EDGE_OFFSET)[:, None]
    across = np.abs(second - first) >= np.abs(aside) * 0.8
    return found[across] if across.sum() >= 4 else found


def area(points: np.ndarray) -> float:
    """Signed area of a closed polygon (N, 2); positive if it turns from x towards y."""
    x, y = points[:, 0], points[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def _resample(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Evenly spaced points along a closed polygon, and the space between them."""
    closed = np.concatenate([points, points[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = max(8, round(along[-1] / STEP))
    at = np.arange(count) * (along[-1] / count)
    return np.stack([np.interp(at, along, closed[:, i]) for i in (0, 1)], 1), along[-1] / count


@dataclass(frozen=True)
class Corners:
    """Where contours turn at once.

    Attributes:
        index: (K,) the nearest sample, in order.
        place: (K, 2) where its two sides meet, which is beyond the sample.
    """

    index: np.ndarray
    place: np.ndarray


def find_corners(contours: Contours, *, least_turn: float = 0.5) -> Corners:
    """Corners are short pieces that turn much, whose sides meet about as far out as blur blunts a corner of that angle.

    What turns as much and is blunter is a bend with a radius of its own.

    Args:
        least_turn: in radians.
    """
    points, index = contours.points, np.arange(len(contours.points))
    wide = contours.blur / SHARP_EDGE
    reach = max(2, round(1.5 * wide / STEP))
    turn = np.abs(_angle(points - points[contours.ahead(index, -reach)], points[contours.ahead(index, reach)] - points))
    peak = turn > least_turn
    for by in range(1, max(2, round(1.25 * wide / STEP)) + 1):
        peak &= (turn >= turn[contours.ahead(index, -by)]) & (turn > turn[contours.ahead(index, by)])
    found = np.flatnonzero(peak)
    if not len(found):
        return Corners(found, np.zeros((0, 2)))
    blunt = CLEAR * wide
    before, after = _gaps(contours, found)
    at_before, along_before = _side(contours, found, -1, before, blunt)
    at_after, along_after = _side(contours, found, 1, after, blunt)
    place, angle = _meet(at_before, along_before, at_after, along_after)
    near = points[contours.ahead(found[:, None], np.arange(-3, 4))]
    beyond = np.hypot(*np.moveaxis(place[:, None] - near, -1, 0)).min(1)
    cut = np.tan(np.minimum(angle, 2.8) / 2)
    likely = (angle > least_turn) & (beyond < wide * np.minimum(0.12 + BLUNT * cut, 1.8))
    found, place = found[likely], place[likely]
    room = np.clip(np.minimum(before, after) * 0.5 * STEP, 1.0, 2.0)
    room = np.maximum(room, np.minimum(beyond + 0.75, 2.4))[likely]
    lacks = _ink_that_lacks(contours.cover, place, along_before[likely], along_after[likely], room)
    corner = np.abs(lacks) < LACKS * wide**0.5
    return Corners(found[corner], place[corner])


def _ink_that_lacks(
    cover: np.ndarray, place: np.ndarray, along_before: np.ndarray, along_after: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Square pixels that a sharp corner has and the image has not, within a radius of the corner's place.

    A bend of radius r and angle a has r^2 (tan(a / 2) - a / 2) less than a corner.
    """
    low = np.floor(place).astype(int) - 2
    pixel = np.arange(5)
    across = (pixel[:, None] + (np.arange(FINE) + 0.5) / FINE).ravel()
    x = low[:, None, 0] + across - place[:, None, 0]
    y = low[:, None, 1] + across - place[:, None, 1]
    # Ink lies on the right of the way a contour is run, as an image is seen. A cell has a share of it by its distance.
    of_before, of_after = (
        np.clip(
            0.5 + (way[:, 0, None, None] * y[:, :, None] - way[:, 1, None, None] * x[:, None, :])
            / (np.abs(way).sum(1)[:, None, None] / FINE), 0, 1,
        )
        for way in (along_before, along_after)
    )  # fmt: skip
    juts = (_cross(along_before, along_after) > 0)[:, None, None]
    sharp = np.where(juts, of_before * of_after, 1 - (1 - of_before) * (1 - of_after))
    sharp = sharp.reshape(-1, 5, FINE, 5, FINE).mean((2, 4))
    row, column = low[:, 1, None, None] + PAD + pixel[:, None], low[:, 0, None, None] + PAD + pixel
    there = cover[row.clip(0, cover.shape[0] - 1), column.clip(0, cover.shape[1] - 1)]
    off_x, off_y = low[:, None, 0] + pixel + 0.5 - place[:, None, 0], low[:, None, 1] + pixel + 0.5 - place[:, None, 1]
    inside = off_x[:, None, :] ** 2 + off_y[:, :, None] ** 2 < radius[:, None, None] ** 2
    return ((sharp - there) * inside).sum((1, 2))


def following(contour: np.ndarray) -> np.ndarray:
    """For things in order along contours, given the contour of each (S,): which comes next on the same, in a circle."""
    last = np.r_[contour[1:] != contour[:-1], True]
    follow = np.arange(1, len(contour) + 1)
    follow[last] = np.flatnonzero(np.r_[True, last[:-1]])
    return follow


def _gaps(contours: Contours, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples to the corner before and to the one after on the same contour; a lone one meets itself."""
    follow = following(contours.start[found])
    after = (found[follow] - found - 1) % contours.count[found] + 1
    before = np.empty_like(after)
    before[follow] = after
    return before, after


def _side(
    contours: Contours, found: np.ndarray, way: int, gap: np.ndarray, blunt: float
) -> tuple[np.ndarray, np.ndarray]:
    """The straight line that a contour runs along beside a corner: a point of it, and its direction as it is run."""
    # Between two corners that are near, only the middle is straight.
    low = np.minimum(blunt / STEP, 0.34 * gap)
    high = np.maximum(np.minimum((blunt + SIDE) / STEP, 0.66 * gap), low + 1)
    low, high = np.floor(low).astype(int), np.ceil(high).astype(int)
    by = low[:, None] + np.arange(int((high - low).max()) + 1)
    there = (by <= high[:, None]).astype(float)
    samples = contours.points[contours.ahead(found[:, None], way * by)]
    return line_through(samples, there, way)


def line_through(samples: np.ndarray, weight: np.ndarray, way: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The line of least squares through (K, M, 2) points with (K, M) weights: a point of it and its unit direction.

    ``way`` is 1 if the points come in the order in which the direction shall point, else -1.
    """
    total = weight.sum(1)
    middle = (samples * weight[..., None]).sum(1) / total[:, None]
    off = (samples - middle[:, None]) * weight[..., None]
    xx, yy, xy = (off[..., 0] ** 2).sum(1), (off[..., 1] ** 2).sum(1), (off[..., 0] * off[..., 1]).sum(1)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    along = np.stack([np.cos(angle), np.sin(angle)], 1)
    order = np.arange(samples.shape[1]) * weight
    trend = ((order - (order.sum(1) / total)[:, None])[..., None] * off).sum(1)
    return middle, along * np.where((along * trend).sum(1) * way < 0, -1.0, 1.0)[:, None]


def _meet(p: np.ndarray, along_p: np.ndarray, q: np.ndarray, along_q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where lines meet, and the angle between their directions; far away if they are parallel."""
    across = _cross(along_p, along_q)
    safe = np.where(np.abs(across) < 1e-6, 1e-6, across)
    place = p + along_p * (_cross(q - p, along_q) / safe)[:, None]
    return place, np.abs(_angle(along_p, along_q))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The turn from a to b, -pi to pi."""
    return np.arctan2(_cross(a, b), (a * b).sum(-1))
