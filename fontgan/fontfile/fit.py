"""Sampled contours -> lines and cubic curves that stray from them by no more than a tolerance.

Source: P. J. Schneider 1990, "An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems. What differs:
contours are split at their extrema first, as type designers draw; at a corner the curve leaves in whatever direction fits
best; and all pieces of a glyph are fitted at once, round after round, each round those halves that the last one split.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from fontgan.fontfile.contour import STEP, Contours, cross, find_corners, following, unit

LEAN = 0.12  # sine of the angle to an axis below which a contour goes neither up nor down, left nor right
NEWTON = 3  # rounds in which samples move to their nearest place on the curve
HOPELESS = 5.0  # tolerances
SAME_WAY = 0.02  # sine of the angle at which a line may leave a knot that is no corner
REACH = 3  # samples on either side of where a piece is split that tell the direction there
# The same where samples are off by a grain of so many pixels, beside the above.
GRAIN_SAME_WAY = 0.13
GRAIN_REACH = 16
LONG = 8  # pixels of a line that ends in a knot that is no corner; shorter ones would make a polygon of a bend
NEAR = 3  # samples; an extremum so near a corner needs no knot of its own
MIN_SAMPLES = 5  # samples of a piece that is split no further


@dataclass(frozen=True)
class Pieces:
    """Parts of contours between two knots, with the line or curve for each.

    Attributes:
        contour: (S,) which contour, as the index of its first sample.
        first, many: (S,) the first sample to fit, counted along the contour, and how many.
        start, end: (S, 2) the knots.
        leave, arrive: (S, 2) unit directions at both, along the contour.
        free_start, free_end: (S,) whether the knot is a corner, where the direction is only a first guess.
        soft: (S,) whether the knot at the end may go: neither corner nor extremum.
        one, two: (S, 2) control points.
        line: (S,) whether it is a straight line.
    """

    contour: np.ndarray
    first: np.ndarray
    many: np.ndarray
    start: np.ndarray
    end: np.ndarray
    leave: np.ndarray
    arrive: np.ndarray
    free_start: np.ndarray
    free_end: np.ndarray
    soft: np.ndarray
    one: np.ndarray
    two: np.ndarray
    line: np.ndarray

    def pick(self, which: np.ndarray) -> Pieces:
        return Pieces(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @staticmethod
    def join(parts: list[Pieces]) -> Pieces:
        return Pieces(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Pieces)})

    def __len__(self) -> int:
        return len(self.contour)


def fit(contours: Contours, *, tolerance: float) -> Pieces:
    """Lines and curves that stray from the samples by ``tolerance`` pixels at most: a closed chain for each contour."""
    pieces = _first_pieces(contours, tolerance)
    done = []
    while len(pieces):
        pieces, stray, worst = _fit_once(contours, pieces, tolerance)
        split = ~pieces.line & (stray > tolerance) & (pieces.many >= MIN_SAMPLES)
        done.append(pieces.pick(~split))
        pieces = _split(contours, pieces.pick(split), worst[split])
    pieces = Pieces.join(done)
    return _merge(contours, pieces.pick(np.lexsort((pieces.first, pieces.contour))), tolerance)


def _merge(contours: Contours, pieces: Pieces, tolerance: float) -> Pieces:
    """Neighbours that one line or curve can stand for become one: halves were cut where the whole strayed most."""
    tried = np.zeros(len(pieces), bool)  # with the next
    while True:
        wanted = pieces.soft & ~tried
        wanted[-1] = False
        # Of a run of candidates every other one, so that none is in two pairs.
        run = np.arange(len(wanted)) - np.maximum.accumulate(np.where(wanted, -1, np.arange(len(wanted))))
        pair = np.flatnonzero(wanted & (run % 2 == 1))
        if not len(pair):
            return pieces
        tried[pair] = True
        left, right = pieces.pick(pair), pieces.pick(pair + 1)
        both = replace(
            left, many=left.many + right.many + 1, end=right.end, arrive=right.arrive, free_end=right.free_end,
            soft=right.soft,
        )  # fmt: skip
        both, stray, _ = _fit_once(contours, both, tolerance)
        good = stray <= tolerance
        pair = pair[good]
        kept = np.ones(len(pieces), bool)
        kept[np.r_[pair, pair + 1]] = False
        tried[pair - 1] = False  # what became longer may take in its neighbours on both sides
        pieces = Pieces.join([pieces.pick(kept), both.pick(good)])
        order = np.lexsort((pieces.first, pieces.contour))
        pieces, tried = pieces.pick(order), np.r_[tried[kept], np.zeros(len(pair), bool)][order]


def _first_pieces(contours: Contours, tolerance: float) -> Pieces:
    """Contours cut at corners, moved to where their sides meet, and at extrema, whose direction is the other axis."""
    corners, corner_place = find_corners(contours)
    points = contours.points
    trim = round(0.8 * contours.wide / STEP)  # samples on either side of a corner that are not where the edge is
    still, is_corner = np.zeros(len(points), bool), np.zeros(len(points), bool)
    still[contours.around(corners, trim)] = True
    is_corner[corners] = True
    place, along = points.copy(), np.zeros((len(points), 2))
    place[corners] = corner_place
    straight = _on_lines(contours, corners, corner_place, trim, tolerance)
    for axis in (0, 1):
        found = _extrema(contours, axis, is_corner, still)
        found = found[~straight[found]]
        along[found, 1 - axis] = np.where(contours.way(found, 2)[:, 1 - axis] < 0, -1.0, 1.0)
        along[found, axis] = 0.0
    smooth_knot = np.abs(along).sum(1) > 0
    smooth_knot[contours.around(corners, NEAR)] = False
    knots = np.flatnonzero(is_corner | smooth_knot)
    # A contour needs two knots at least: one without any gets its first sample and the one half-way round.
    starts = np.unique(contours.start)
    few = starts[np.bincount(contours.start[knots], minlength=len(points))[starts] < 2]
    lone = [knots[contours.start[knots] == start].min(initial=start + contours.count[start]) for start in few]
    lone = few + (np.array(lone, int) - few) % contours.count[few]
    knots = np.unique(np.r_[knots, lone, contours.ahead(lone, contours.count[few] // 2)])
    direction = np.where(smooth_knot[knots, None], along[knots], unit(contours.way(knots, 2)))
    corner = is_corner[knots]
    # The piece from each knot to the next on the same contour.
    start = contours.start[knots]
    follow = following(start)
    span = (knots[follow] - knots - 1) % contours.count[knots] + 1
    # Beside a corner the samples are blunted, so they are not fitted, but for a third of a short piece.
    low = np.where(corner, np.minimum(trim, (span - 1) // 3), 0) + 1
    high = span - np.where(corner[follow], np.minimum(trim, (span - 1) // 3), 0)
    begin, end = place[knots], place[knots[follow]]

    def guess(toward: np.ndarray) -> np.ndarray:
        """The direction at a corner: that to the first samples that are fitted."""
        return unit(np.where(np.hypot(*toward.T)[:, None] > 0.3, toward, unit(end - begin)))

    leave = np.where(corner[:, None], guess(contours.at(knots, low + 1) - begin), direction)
    arrive = np.where(corner[follow, None], guess(end - contours.at(knots, high - 2)), direction[follow])
    no = np.zeros(len(knots), bool)
    return Pieces(
        start, knots - start + low, np.maximum(high - low, 0), begin, end, leave, arrive, corner, corner[follow], no,
        begin, end, no,
    )  # fmt: skip


def _on_lines(contours: Contours, knots: np.ndarray, place: np.ndarray, trim: int, tolerance: float) -> np.ndarray:
    """(N,) whether a sample lies between two corners that a straight line joins."""
    on = np.zeros(len(contours.points), bool)
    if not len(knots):
        return on
    follow = following(contours.start[knots])
    for k, after, a, b in zip(knots, knots[follow], place, place[follow], strict=True):
        between = contours.ahead(k, np.arange(1, (after - k - 1) % contours.count[k] + 1))
        inner = contours.points[between[trim : len(between) - trim] if len(between) > 2 * trim else between]
        off = np.abs(cross(inner - a, b - a))
        if after != k and (off <= tolerance * np.hypot(*(b - a))).all():
            on[between] = True
    return on


def _extrema(contours: Contours, axis: int, corner: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Samples where a contour turns back along an axis, for good: a wobble on a straight stem is none."""
    way = contours.way(np.arange(len(contours.points)), max(2, round(contours.wide / STEP)))
    lean = unit(way)[:, axis]
    sign = np.where(np.abs(lean) > LEAN, np.sign(lean), 0)
    found = []
    for first in np.unique(contours.start):
        count = contours.count[first]
        signs = sign[first : first + count]
        sure = np.flatnonzero(signs)
        for k in np.flatnonzero(signs[sure] != np.roll(signs[sure], -1)):
            # Between two samples of sure and opposite direction lies the extremum: the middle of the farthest ones.
            low = sure[k]
            width = (sure[(k + 1) % len(sure)] - low) % count
            there = first + (low + np.arange(width + 1)) % count
            if corner[there].any() or still[there].all():
                continue
            values = contours.points[there, axis] * signs[low]
            best = np.flatnonzero(values >= values.max() - 0.02)
            pick = there[best[len(best) // 2]]
            if not still[pick]:
                found.append(pick)
    return np.array(found, int)


def _samples(contours: Contours, pieces: Pieces) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The samples of all pieces one after another, which piece each belongs to, and its order there."""
    piece = np.repeat(np.arange(len(pieces)), pieces.many)
    order = np.arange(len(piece)) - (np.cumsum(pieces.many) - pieces.many)[piece]
    return contours.at(pieces.contour[piece], pieces.first[piece] + order), piece, order


def _fit_once(contours: Contours, pieces: Pieces, tolerance: float) -> tuple[Pieces, np.ndarray, np.ndarray]:
    """Each piece's line, or its curve of least squares; how far that strays, and at which of its samples most."""
    stray, worst, far = np.zeros(len(pieces)), np.zeros(len(pieces), int), np.zeros(len(pieces))
    chord = pieces.end - pieces.start
    length, ahead = np.hypot(*chord.T), unit(chord)
    samples, piece, _ = _samples(contours, pieces)
    np.maximum.at(far, piece, np.abs(cross(samples - pieces.start[piece], ahead[piece])))
    direct = pieces.many * contours.step[pieces.contour] <= 1.1 * length + 1  # not there and back
    # A chord has to leave and arrive about as the contour does, where that is known.
    same = SAME_WAY + GRAIN_SAME_WAY * contours.grain
    leaves = pieces.free_start | (np.abs(cross(ahead, pieces.leave)) < same)
    arrives = pieces.free_end | (np.abs(cross(ahead, pieces.arrive)) < same)
    line = pieces.free_start & pieces.free_end & direct & (far <= tolerance)
    line |= direct & (far <= tolerance * (1 + contours.grain) / 2) & (length > LONG) & leaves & arrives
    line |= pieces.many == 0
    one, two = pieces.start + chord / 3, pieces.end - chord / 3
    # A piece whose first curve is far off is split in any case; only the others are worth a better one.
    curved = np.flatnonzero(~line)
    for newton in (0, NEWTON):
        if len(curved):
            fitted, stray[curved], worst[curved] = _least_squares(contours, pieces.pick(curved), newton)
            one[curved], two[curved] = fitted.one, fitted.two
            curved = curved[(stray[curved] > tolerance) & (stray[curved] < HOPELESS * tolerance)]
    return replace(pieces, one=one, two=two, line=line), stray, worst


def _least_squares(contours: Contours, pieces: Pieces, newton: int) -> tuple[Pieces, np.ndarray, np.ndarray]:
    """The pieces with control points, the farthest sample's distance and its order in the piece.

    Fitting takes turns, ``newton`` times: with t given, control points are linear; with these given, samples move to
    their nearest place on the curve by Newton's method.
    """
    samples, piece, order = _samples(contours, pieces)
    begin = np.flatnonzero(order == 0)
    # Samples are evenly spaced, so their order tells the first parameters.
    step = contours.step[pieces.contour]
    lead = np.hypot(*(contours.at(pieces.contour, pieces.first) - pieces.start).T)
    trail = np.hypot(*(contours.at(pieces.contour, pieces.first + pieces.many - 1) - pieces.end).T)
    whole = lead + (pieces.many - 1) * step + trail
    t = (lead[piece] + order * step[piece]) / whole[piece]
    pieces = _solve(samples, t, piece, begin, pieces, whole)
    for _ in range(newton):
        t = _nearer(samples, t, piece, pieces)
        pieces = _solve(samples, t, piece, begin, pieces, whole)
    distance = np.hypot(*(_bezier(t, piece, pieces) - samples).T)
    stray, worst = np.maximum.reduceat(distance, begin), np.zeros(len(pieces), int)
    hit = np.flatnonzero(distance == stray[piece])
    worst[piece[hit]] = order[hit]
    return pieces, stray, worst


def _solve(
    samples: np.ndarray, t: np.ndarray, piece: np.ndarray, begin: np.ndarray, pieces: Pieces, whole: np.ndarray
) -> Pieces:
    """With control points of least squares: along the known directions, and at corners also aside of them."""
    # B(t) = start (u^3 + b1) + end (t^3 + b2) + b1 p + b2 q. The control points are start + p and end + q, so what the
    # knots alone do not explain of a sample is linear in p and q.
    u = 1 - t
    b1, b2 = 3 * t * u * u, 3 * t * t * u
    rest = samples - pieces.start[piece] * (u**3 + b1)[:, None] - pieces.end[piece] * (t**3 + b2)[:, None]
    terms = np.stack([b1 * b1, b1 * b2, b2 * b2, b1 * rest[:, 0], b1 * rest[:, 1], b2 * rest[:, 0], b2 * rest[:, 1]], 1)
    sums = np.add.reduceat(terms, begin, axis=0)
    # p and q have two unknowns each: along the known direction, and at right angles to it. So each piece has normal
    # equations of 4 x 4, whose entries are the sums times the scalar products of these axes.
    leave, arrive = pieces.leave, -pieces.arrive
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    axes = np.stack([leave, leave @ turn, arrive, arrive @ turn], 1)  # (S, 4, 2)
    matrix = np.einsum("sik,sjk->sij", axes, axes)
    matrix *= sums[:, [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 2, 2], [1, 1, 2, 2]]]
    right = np.einsum("sik,sik->si", axes, sums[:, (3, 4, 3, 4, 5, 6, 5, 6)].reshape(-1, 4, 2))
    # A weak pull to handles a third of the way long; a strong one against leaving aside of a known direction.
    third = np.hypot(*(pieces.end - pieces.start).T)[:, None] / 3
    pull = np.array([2e-3, 1e-2, 2e-3, 1e-2]) * pieces.many[:, None]
    pull[~pieces.free_start, 1] = pull[~pieces.free_end, 3] = 1e6
    matrix[:, range(4), range(4)] += pull
    right[:, ::2] += pull[:, ::2] * third
    found = np.linalg.solve(matrix, right[..., None])[..., 0]
    # A handle never points backwards or grows longer than the piece.
    found[:, ::2] = np.clip(found[:, ::2], 0.1 * third, 0.75 * whole[:, None])
    one = pieces.start + found[:, :1] * axes[:, 0] + found[:, 1:2] * axes[:, 1]
    two = pieces.end + found[:, 2:3] * axes[:, 2] + found[:, 3:4] * axes[:, 3]
    return replace(pieces, one=one, two=two)


def _bezier(t: np.ndarray, piece: np.ndarray, pieces: Pieces) -> np.ndarray:
    u, t = (1 - t)[:, None], t[:, None]
    start, one, two, end = (each[piece] for each in (pieces.start, pieces.one, pieces.two, pieces.end))
    return u**3 * start + 3 * u * u * t * one + 3 * u * t * t * two + t**3 * end


def _nearer(samples: np.ndarray, t: np.ndarray, piece: np.ndarray, pieces: Pieces) -> np.ndarray:
    """One step of Newton's method for the parameter of each sample's nearest place on the curve."""
    u, v = (1 - t)[:, None], t[:, None]
    a, b, c = pieces.one - pieces.start, pieces.two - pieces.one, pieces.end - pieces.two
    off = _bezier(t, piece, pieces) - samples
    first = 3 * (u * u * a[piece] + 2 * u * v * b[piece] + v * v * c[piece])
    second = 6 * (u * (b - a)[piece] + v * (c - b)[piece])
    slope = (first * first).sum(1) + (off * second).sum(1)
    step = (off * first).sum(1) / np.where(slope > 1e-6, slope, np.inf)
    return np.clip(t - step, 1e-3, 1 - 1e-3)


def _split(contours: Contours, pieces: Pieces, worst: np.ndarray) -> Pieces:
    """Each piece cut in two at its worst sample, where both halves then share a direction."""
    if not len(pieces):
        return pieces
    margin = np.minimum(3, pieces.many // 2)
    at = np.clip(worst, margin, pieces.many - 1 - margin)
    reach = np.minimum(at, pieces.many - 1 - at).clip(1, REACH + round(GRAIN_REACH * contours.grain))
    here = contours.ahead(pieces.contour, pieces.first + at)
    knot, way = contours.points[here], unit(contours.way(here, reach))
    no = np.zeros(len(pieces), bool)
    left = replace(pieces, many=at, end=knot, arrive=way, free_end=no, soft=~no)
    first, many = pieces.first + at + 1, pieces.many - at - 1
    return Pieces.join([left, replace(pieces, first=first, many=many, start=knot, leave=way, free_start=no)])
