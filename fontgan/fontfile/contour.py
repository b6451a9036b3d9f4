"""Grey image -> closed contours along half coverage, evenly sampled, with the corners that pixels blunt found again.

A pixel's grey level is the share of it that ink covers, so the line where interpolated coverage is one half runs
within a few hundredths of a pixel of the edge that was drawn. Only at corners does it not: there it cuts across.

All contours of a glyph lie one after another in one array, since numpy is quick only with much at once.
"""

from dataclasses import dataclass

import numpy as np

from fontgan.fontfile.edges import STEPS, kind_of, through_steps, with_square_corners

STEP = 0.5  # pixels between samples along a contour
SHARP_EDGE = 0.29  # spread, in pixels, of an edge that is blurred by nothing but pixels: a box of 1 has 1 / sqrt(12)
ACROSS = 3  # pixels on either side of an edge that are added up
PAD = ACROSS + 1  # pixels of paper around the image
MAX_EDGE_OFFSET = 0.12  # pixels of an edge from where interpolation puts it: at most 0.086 if it is straight and alone
# Pixels by which a corner of 90 degrees is cut off, at most, beside the 0.12 of any: 0.35 to 0.72 by where it lies.
BLUNT = 0.74
FAINT = 0.06  # coverage that may be noise on paper
FINE = 4  # cells along each side of a pixel, where coverage is worked out
LACKS = 0.42  # square pixels of ink that may lack where a corner is sharp
CLEAR = 1.5  # pixels beside a corner that it blunts
SIDE = 2.5  # pixels of a contour, from its blunted part on, that tell a corner's side
LEAST_TURN = 0.5  # radians that a contour turns by at a corner
# Where samples are off by a grain of so many pixels, beside the above: a side is longer, and more ink may lack.
GRAIN_SIDE = 5.5
GRAIN_LACKS = 0.85
GRAIN_BLUR = 0.5  # pixels by which averaging along a contour blunts its corners, as a blur would


@dataclass(frozen=True)
class Contours:
    """Closed contours, sampled every ``STEP`` pixels or so.

    Attributes:
        points: (N, 2) x and y in pixels, y down; pixel i covers i to i + 1. Ink lies on the same side of all.
        start, count: (N,) for each point, where its contour starts in ``points`` and how many points that has.
        step: (N,) pixels between samples of its contour.
        cover: the image as coverage, 0 paper .. 1 ink, with ``PAD`` pixels of paper around it.
        blur: spread of the edges in pixels, ``SHARP_EDGE`` or more.
        grain: pixels by which the samples may be off; 0 for edges in grey.
    """

    points: np.ndarray
    start: np.ndarray
    count: np.ndarray
    step: np.ndarray
    cover: np.ndarray
    blur: float
    grain: float = 0.0

    def ahead(self, index: np.ndarray, by: np.ndarray | int) -> np.ndarray:
        """Index of the point that is ``by`` samples further on the same contour, or before if negative."""
        return self.start[index] + (index - self.start[index] + by) % self.count[index]

    def at(self, index: np.ndarray, by: np.ndarray | int) -> np.ndarray:
        """The points ``by`` samples further."""
        return self.points[self.ahead(index, by)]

    def way(self, index: np.ndarray, reach: np.ndarray | int) -> np.ndarray:
        """The way from so many samples before a point to as many after it."""
        return self.at(index, reach) - self.at(index, -reach)

    def around(self, index: np.ndarray, reach: int) -> np.ndarray:
        """(K, 2 reach + 1) indices of points and of their neighbours on both sides."""
        return self.ahead(index[:, None], np.arange(-reach, reach + 1))

    @property
    def wide(self) -> float:
        """The blur as a multiple of ``SHARP_EDGE``."""
        return self.blur / SHARP_EDGE


def find_contours(grey: np.ndarray, *, smallest: float) -> Contours | None:
    """The contours of an image at half coverage, or None if there are none.

    Args:
        grey: (H, W) uint8, 0 ink .. 255 paper. Beyond the border is paper, so ink that touches it is closed there.
        smallest: contours that enclose less, in square pixels, are left out.
    """
    from skimage import measure

    cover = np.pad(1 - grey.astype(np.float64) / 255, PAD)
    edges = kind_of(cover)
    if edges is STEPS:
        cover = with_square_corners(cover > 0.5).astype(np.float64)
        edges = kind_of(cover)  # where no step is left, edges lie as exactly as grey ones
    elif edges.grain:
        cover = _between_levels(cover)
    kept = []
    for rows in measure.find_contours(cover, 0.5):  # type: ignore[no-untyped-call]
        rows = rows[:-1]  # the last point repeats the first
        if edges is STEPS:
            rows = through_steps(rows)
        elif not edges.grain:
            rows = _to_edge(cover, rows)
        points = rows[:, ::-1] + 0.5 - PAD  # a pixel's centre is at .5
        if len(points) > 3 and abs(area(points)) >= max(smallest, 0.25):
            kept.append(_smoothed(*_resample(points), edges.smooth))
    if not kept:
        return None
    counts, steps = np.array([len(points) for points, _ in kept]), np.array([step for _, step in kept])
    start, count, step = (np.repeat(each, counts) for each in (np.cumsum(counts) - counts, counts, steps))
    points = np.concatenate([points for points, _ in kept])
    if edges.grain:
        return Contours(points, start, count, step, cover, float(np.hypot(SHARP_EDGE, GRAIN_BLUR)), edges.grain)
    # Across an edge of normal spread s, cover * (1 - cover) adds up to s / sqrt(pi).
    edge = cover[(cover > FAINT) & (cover < 1 - FAINT)]
    blur = float(np.sqrt(np.pi) * (edge * (1 - edge)).sum() / sum(counts * steps))
    return Contours(points, start, count, step, cover, max(SHARP_EDGE, min(blur, 4 * SHARP_EDGE)))


def _to_edge(cover: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Moves points of a contour from half of the interpolated coverage to where coverage, added up, says the edge is.

    Coverage adds up to the edge's height over a column however the edge lies in it, while interpolation errs by up to
    0.086 pixels. Of the points those stay that lie between two pixels across the edge, not along it.

    ``rows``: (N, 2) row and column in ``cover``, one of them whole.
    """
    low = np.floor(rows).astype(int)
    upright = rows[:, 0] != low[:, 0]  # between two rows
    step = np.where(upright[:, None], (1, 0), (0, 1))
    first, second = cover[tuple(low.T)], cover[tuple((low + step).T)]
    # The slope along the other axis, at the nearer of the two pixels.
    near, side = np.round(rows).astype(int), step[:, ::-1]
    aside = (cover[tuple((near + side).T)] - cover[tuple((near - side).T)]) / 2
    down = second < first  # ink lies before the edge
    inner = np.where(down[:, None], low, low + step)
    out = np.where(down, 1, -1)[:, None] * step
    # From the pixel inside the edge, coverage is added up outwards, and what it lacks of 1 is taken off inwards, until
    # it rises again: there the next edge begins.
    position = np.full(len(rows), 0.5)
    for sign, level, at in ((1, cover, inner + out), (-1, 1 - cover, inner)):
        going = np.ones(len(rows), bool)
        for _ in range(ACROSS):
            here, at = level[tuple(at.T)], at + sign * out
            turns = level[tuple(at.T)] > here
            # Where two edges share a pixel, half of it is for each.
            position += np.where(going, here * np.where(turns, 0.5, 1.0), 0) * sign
            going &= ~turns
    moved = ((inner + out * position[:, None] - rows) * out).sum(1)
    found = rows + out * np.clip(moved, -MAX_EDGE_OFFSET, MAX_EDGE_OFFSET)[:, None]
    across = np.abs(second - first) >= np.abs(aside) * 0.8
    return found[across] if across.sum() >= 4 else found


def area(points: np.ndarray) -> float:
    """Signed area of a closed polygon (N, 2); positive if it turns from x towards y."""
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def _resample(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Evenly spaced points along a closed polygon, and the space between them."""
    closed = np.concatenate([points, points[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = max(8, round(along[-1] / STEP))
    at = np.arange(count) * (along[-1] / count)
    return np.stack([np.interp(at, along, closed[:, i]) for i in (0, 1)], 1), along[-1] / count


def _smoothed(points: np.ndarray, step: float, spread: float) -> tuple[np.ndarray, float]:
    """A sampled contour averaged along itself, so that thin strokes stay; ``spread`` in pixels, 0 for as it is."""
    from scipy.ndimage import gaussian_filter1d

    return _resample(gaussian_filter1d(points, spread / step, axis=0, mode="wrap")) if spread else (points, step)


def _between_levels(cover: np.ndarray) -> np.ndarray:
    """Coverage that is 0 on the image's own paper and 1 in its own ink."""
    inner = cover[PAD:-PAD, PAD:-PAD]
    paper, ink = inner[inner <= 0.5], inner[inner > 0.5]
    if not len(paper) or not len(ink):
        return cover
    low, high = float(np.median(paper)), float(np.median(ink))
    return np.pad(((inner - low) / (high - low)).clip(0, 1), PAD)


def find_corners(contours: Contours) -> tuple[np.ndarray, np.ndarray]:
    """Where contours turn at once: short pieces whose sides meet about as far out as blur blunts such a corner.

    What turns as much and is blunter is a bend with a radius of its own.

    Returns: (K,) index of the nearest sample, in order; (K, 2) where the two sides meet, which is beyond the sample.
    """
    points, index, wide = contours.points, np.arange(len(contours.points)), contours.wide
    reach = max(2, round(1.5 * wide / STEP))
    turn = np.abs(_angle(points - contours.at(index, -reach), contours.at(index, reach) - points))
    peak = turn > LEAST_TURN
    for by in range(1, max(2, round(1.25 * wide / STEP)) + 1):
        peak &= (turn >= turn[contours.ahead(index, -by)]) & (turn > turn[contours.ahead(index, by)])
    found = np.flatnonzero(peak)
    if not len(found):
        return found, np.zeros((0, 2))
    # Samples to the next corner on the same contour and to the one before; a lone one meets itself.
    follow = following(contours.start[found])
    after = (found[follow] - found - 1) % contours.count[found] + 1
    before = np.empty_like(after)
    before[follow] = after
    at_before, along_before = _side(contours, found, -1, before)
    at_after, along_after = _side(contours, found, 1, after)
    # Where the sides meet; far away if they are parallel.
    bend = cross(along_before, along_after)
    out = cross(at_after - at_before, along_after) / np.where(np.abs(bend) < 1e-6, 1e-6, bend)
    place = at_before + along_before * out[:, None]
    angle = np.abs(_angle(along_before, along_after))
    near = points[contours.around(found, 3)]
    beyond = np.hypot(*np.moveaxis(place[:, None] - near, -1, 0)).min(1)
    cut = np.tan(np.minimum(angle, 2.8) / 2)
    likely = (angle > LEAST_TURN) & (beyond < wide * np.minimum(0.12 + BLUNT * cut, 1.8))
    room = np.clip(np.minimum(before, after) * 0.5 * STEP, 1.0, 2.0)
    room = np.maximum(room, np.minimum(beyond + 0.75, 2.4))
    found, place, along_before, along_after, room = (
        each[likely] for each in (found, place, along_before, along_after, room)
    )
    lacks = np.abs(_ink_that_lacks(contours.cover, place, along_before, along_after, room))
    corner = lacks < (LACKS + GRAIN_LACKS * contours.grain) * wide**0.5
    return found[corner], place[corner]


def _ink_that_lacks(
    cover: np.ndarray, place: np.ndarray, along_before: np.ndarray, along_after: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Square pixels that a sharp corner has and the image has not, within a radius of the corner's place.

    A bend of radius r and angle a has r^2 (tan(a / 2) - a / 2) less than a corner.
    """
    low = np.floor(place).astype(int) - 2
    pixel = np.arange(5)
    fine = (pixel[:, None] + (np.arange(FINE) + 0.5) / FINE).ravel()
    x, y = (low[:, None, i] + fine - place[:, None, i] for i in (0, 1))

    def beside(way: np.ndarray) -> np.ndarray:
        """Ink lies on the right of the way a contour is run, as an image is seen; a cell's share is by its distance."""
        off = way[:, 0, None, None] * y[:, :, None] - way[:, 1, None, None] * x[:, None, :]
        return np.clip(0.5 + off / (np.abs(way).sum(1)[:, None, None] / FINE), 0, 1)

    juts = (cross(along_before, along_after) > 0)[:, None, None]
    one, two = beside(along_before), beside(along_after)
    sharp = np.where(juts, one * two, 1 - (1 - one) * (1 - two))
    sharp = sharp.reshape(-1, 5, FINE, 5, FINE).mean((2, 4))
    row, column = low[:, 1, None, None] + PAD + pixel[:, None], low[:, 0, None, None] + PAD + pixel
    there = cover[row.clip(0, cover.shape[0] - 1), column.clip(0, cover.shape[1] - 1)]
    off_x, off_y = (low[:, None, i] + pixel + 0.5 - place[:, None, i] for i in (0, 1))
    inside = off_x[:, None, :] ** 2 + off_y[:, :, None] ** 2 < radius[:, None, None] ** 2
    return ((sharp - there) * inside).sum((1, 2))


def following(contour: np.ndarray) -> np.ndarray:
    """For things in order along contours, given the contour of each (S,): which comes next on the same, in a circle."""
    last = np.r_[contour[1:] != contour[:-1], True]
    follow = np.arange(1, len(contour) + 1)
    follow[last] = np.flatnonzero(np.r_[True, last[:-1]])
    return follow


def _side(contours: Contours, found: np.ndarray, way: int, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line of least squares after a corner (``way`` 1) or before it (-1): a point of it, and its direction as run.

    ``gap``: samples to the next corner there.
    """
    # Between two corners that are near, only the middle is straight.
    blunt, side = CLEAR * contours.wide, SIDE + GRAIN_SIDE * contours.grain
    low = np.minimum(blunt / STEP, 0.34 * gap)
    high = np.maximum(np.minimum((blunt + side) / STEP, 0.66 * gap), low + 1)
    low, high = np.floor(low).astype(int), np.ceil(high).astype(int)
    by = low[:, None] + np.arange(int((high - low).max()) + 1)
    weight = (by <= high[:, None]).astype(float)
    samples = contours.at(found[:, None], way * by)
    total = weight.sum(1)
    middle = (samples * weight[..., None]).sum(1) / total[:, None]
    off = (samples - middle[:, None]) * weight[..., None]
    xx, yy, xy = (off[..., 0] ** 2).sum(1), (off[..., 1] ** 2).sum(1), (off[..., 0] * off[..., 1]).sum(1)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    along = np.stack([np.cos(angle), np.sin(angle)], 1)
    order = np.arange(samples.shape[1]) * weight
    trend = ((order - (order.sum(1) / total)[:, None])[..., None] * off).sum(1)
    return middle, along * np.where((along * trend).sum(1) * way < 0, -1.0, 1.0)[:, None]


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The third component of the cross product of vectors (..., 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def unit(vectors: np.ndarray) -> np.ndarray:
    """(S, 2) vectors at length 1; those of no length stay."""
    return vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None]


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The turn from a to b, -pi to pi."""
    return np.arctan2(cross(a, b), (a * b).sum(-1))
