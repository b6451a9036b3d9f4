"""Sampled contours -> lines and cubic curves that stray from them by no more than a tolerance.

Source: P. J. Schneider 1990, "An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems. What differs:
contours are split at their extrema first, as type designers draw; at a corner the curve leaves in whatever direction fits
best; and all pieces of a glyph are fitted at once, round after round, each round those halves that the last one split.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from fontgan.fontfile.contour import SHARP_EDGE, STEP, Contours, Corners, find_corners, following

LEAN = 0.12  # sine of the angle to an axis below which a contour goes neither up nor down, left nor right
NEWTON = 3  # rounds in which samples move to their nearest place on the curve
HOPELESS = 5.0  # tolerances
SAME_WAY = 0.02  # sine of the angle at which a line may leave a knot that is no corner
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
    """Lines and curves along contours, in order: contour by contour, each a closed chain.

    Args:
        tolerance: how far they may stray from the samples, in pixels.
    """
    corners = find_corners(contours)
    still = np.zeros(len(contours.points), bool)
    blunted = _blunted(contours)
    if len(corners.index):
        still[contours.ahead(corners.index[:, None], np.arange(-blunted, blunted + 1)).ravel()] = True
    pieces = _first_pieces(contours, corners, still, tolerance)
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
        if len(wanted):
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
        kept = np.ones(len(pieces), bool)
        kept[np.r_[pair[good], pair[good] + 1]] = False
        # What became longer may take in its neighbours on both sides.
        again = Pieces.join([pieces.pick(kept), both.pick(good)])
        was = np.r_[tried[kept], np.zeros(good.sum(), bool)]
        before = pair[good] - 1
        marked = np.zeros(len(pieces), bool)
        marked[before[before >= 0]] = True
        was[: kept.sum()] &= ~marked[kept]
        order = np.lexsort((again.first, again.contour))
        pieces, tried = again.pick(order), was[order]


def _first_pieces(contours: Contours, corners: Corners, still: np.ndarray, tolerance: float) -> Pieces:
    """Contours cut at corners and extrema."""
    # Knots are corners, moved to where their sides meet, and extrema, whose direction is that of the other axis.
    is_corner = np.zeros(len(contours.points), bool)
    is_corner[corners.index] = True
    place = contours.points.copy()
    place[corners.index] = corners.place
    along = np.zeros((len(contours.points), 2))
    straight = _on_lines(contours, corners, tolerance)
    for axis in (0, 1):
        found = _extrema(contours, axis, is_corner, still)
        found = found[~straight[found]]
        along[found, 1 - axis] = 1.0
        heads = contours.points[contours.ahead(found, 2)] - contours.points[contours.ahead(found, -2)]
        along[found, 1 - axis] = np.where(heads[:, 1 - axis] < 0, -1.0, 1.0)
        along[found, axis] = 0.0
    smooth_knot = np.abs(along).sum(1) > 0
    if len(corners.index):
        smooth_knot[contours.ahead(corners.index[:, None], np.arange(-NEAR, NEAR + 1)).ravel()] = False
    knots = np.flatnonzero(is_corner | smooth_knot)
    # A contour needs two knots at least: one without any gets its first sample and the one half-way round.
    starts = contours.starts
    few = starts[np.bincount(contours.start[knots], minlength=len(contours.points))[starts] < 2]
    lone = np.array([knots[contours.start[knots] == start].min(initial=start + contours.count[start]) for start in few])
    if len(few):
        lone = few + (lone - few) % contours.count[few]
        knots = np.unique(np.r_[knots, lone, contours.ahead(lone, contours.count[few] // 2)])
    rough = contours.points[contours.ahead(knots, 2)] - contours.points[contours.ahead(knots, -2)]
    rough /= np.maximum(np.hypot(*rough.T), 1e-9)[:, None]
    direction = np.where(smooth_knot[knots, None], along[knots], rough)
    corner = is_corner[knots]
    # The piece from each knot to the next on the same contour.
    start = contours.start[knots]
    follow = following(start)
    count = contours.count[knots]
    span = (knots[follow] - knots - 1) % count + 1
    trim = _blunted(contours)
    # Beside a corner the samples are blunted, so they are not fitted, but for a third of a short piece.
    low = np.where(corner, np.minimum(trim, (span - 1) // 3), 0) + 1
    high = span - np.where(corner[follow], np.minimum(trim, (span - 1) // 3), 0)
    many = np.maximum(high - low, 0)
    begin, end = place[knots], place[knots[follow]]
    leave, arrive = direction.copy(), direction[follow].copy()
    chord = end - begin
    chord /= np.maximum(np.hypot(*chord.T), 1e-9)[:, None]
    # At a corner the first guess of the direction is that to the first samples that are fitted.
    if len(knots):
        toward = contours.points[contours.ahead(knots, low + 1)] - begin
        toward = np.where(np.hypot(*toward.T)[:, None] > 0.3, toward, chord)
        leave = np.where(corner[:, None], toward / np.hypot(*toward.T)[:, None].clip(1e-9), leave)
        toward = end - contours.points[contours.ahead(knots, high - 2)]
        toward = np.where(np.hypot(*toward.T)[:, None] > 0.3, toward, chord)
        arrive = np.where(corner[follow, None], toward / np.hypot(*toward.T)[:, None].clip(1e-9), arrive)
    return Pieces(
        start, knots - start + low, many, begin, end, leave, arrive, corner, corner[follow],
        np.zeros(len(knots), bool), begin.copy(), end.copy(), np.zeros(len(knots), bool),
    )  # fmt: skip


def _on_lines(contours: Contours, corners: Corners, tolerance: float) -> np.ndarray:
    """(N,) whether a sample lies between two corners that a straight line joins."""
    on = np.zeros(len(contours.points), bool)
    knots = corners.index
    if not len(knots):
        return on
    follow = following(contours.start[knots])
    trim = _blunted(contours)
    for k, after, a, b in zip(knots, knots[follow], corners.place, corners.place[follow], strict=True):
        span = (after - k - 1) % contours.count[k] + 1
        between = contours.ahead(k, np.arange(1, span))
        inner = contours.points[between[trim : len(between) - trim] if len(between) > 2 * trim else between]
        chord = b - a
        off = np.abs((inner[:, 0] - a[0]) * chord[1] - (inner[:, 1] - a[1]) * chord[0])
        if after != k and (off <= tolerance * np.hypot(*chord)).all():
            on[between] = True
    return on


def _blunted(contours: Contours) -> int:
    """Samples on either side of a corner that are not where the edge is."""
    return round(0.8 * contours.blur / SHARP_EDGE / STEP)


def _extrema(contours: Contours, axis: int, corner: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Samples where a contour turns back along an axis, for good: a wobble on a straight stem is none."""
    index = np.arange(len(contours.points))
    reach = max(2, round(contours.blur / SHARP_EDGE / STEP))
    way = contours.points[contours.ahead(index, reach)] - contours.points[contours.ahead(index, -reach)]
    lean = way[:, axis] / np.maximum(np.hypot(*way.T), 1e-9)
    sign = np.where(lean > LEAN, 1, np.where(lean < -LEAN, -1, 0))
    found = []
    for first in contours.starts:
        count = contours.count[first]
        signs = sign[first : first + count]
        sure = np.flatnonzero(signs)
        if len(sure) < 2:
            continue
        turns = np.flatnonzero(signs[sure] != np.roll(signs[sure], -1))
        for k in turns:
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
    """The samples of all pieces one after another, which piece each belongs to, and where each piece's begin."""
    many = pieces.many
    begin = np.cumsum(many) - many
    piece = np.repeat(np.arange(len(many)), many)
    order = np.arange(int(many.sum())) - begin[piece]
    index = contours.ahead(pieces.contour[piece], pieces.first[piece] + order)
    return contours.points[index], piece, begin


def _fit_once(contours: Contours, pieces: Pieces, tolerance: float) -> tuple[Pieces, np.ndarray, np.ndarray]:
    """Each piece's line, or its curve of least squares; how far that strays, and at which of its samples most."""
    total = len(pieces)
    stray, worst = np.zeros(total), np.zeros(total, int)
    chord = pieces.end - pieces.start
    length = np.hypot(*chord.T)
    unit = chord / np.maximum(length, 1e-9)[:, None]
    samples, piece, _ = _samples(contours, pieces)
    line = np.ones(total, bool)
    if len(piece):
        off = samples - pieces.start[piece]
        aside = np.abs(off[:, 0] * unit[piece, 1] - off[:, 1] * unit[piece, 0])
        far = np.zeros(total)
        np.maximum.at(far, piece, aside)
        direct = pieces.many * contours.step[pieces.contour] <= 1.1 * length + 1  # not there and back
        firm = pieces.free_start & pieces.free_end & direct
        line = firm & (far <= tolerance)
        line |= direct & (far <= tolerance / 2) & (length > LONG) & _may_be_line(pieces, unit, length)
        line |= pieces.many == 0
    one, two = pieces.start + chord / 3, pieces.end - chord / 3
    # A piece whose first curve is far off is split in any case; only the others are worth a better one.
    curved = np.flatnonzero(~line)
    for newton in (0, NEWTON):
        if len(curved):
            fitted = _least_squares(contours, pieces.pick(curved), newton)
            one[curved], two[curved], stray[curved], worst[curved] = fitted
            curved = curved[(stray[curved] > tolerance) & (stray[curved] < HOPELESS * tolerance)]
    return replace(pieces, one=one, two=two, line=line), stray, worst


def _may_be_line(pieces: Pieces, unit: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Whether a chord leaves and arrives about as the contour does, where that is known."""
    bend_start = np.abs(unit[:, 0] * pieces.leave[:, 1] - unit[:, 1] * pieces.leave[:, 0])
    bend_end = np.abs(unit[:, 0] * pieces.arrive[:, 1] - unit[:, 1] * pieces.arrive[:, 0])
    return (pieces.free_start | (bend_start < SAME_WAY)) & (pieces.free_end | (bend_end < SAME_WAY))


def _least_squares(
    contours: Contours, pieces: Pieces, newton: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Control points, the farthest sample's distance and its order in the piece.

    Args:
        newton: rounds in which samples move to their nearest place on the curve.
    """
    # Fitting takes turns: with t given, control points are linear; with these given, t is improved by Newton's method.
    samples, piece, begin = _samples(contours, pieces)
    many = pieces.many
    # Samples are evenly spaced, so their order tells the first parameters.
    step = contours.step[pieces.contour]
    lead = np.hypot(*(contours.points[contours.ahead(pieces.contour, pieces.first)] - pieces.start).T)
    trail = np.hypot(*(contours.points[contours.ahead(pieces.contour, pieces.first + many - 1)] - pieces.end).T)
    whole = lead + (many - 1) * step + trail
    order = np.arange(len(piece)) - begin[piece]
    t = (lead[piece] + order * step[piece]) / whole[piece]
    third = np.hypot(*(pieces.end - pieces.start).T) / 3
    for turn in range(newton + 1):
        one, two = _solve(samples, t, piece, begin, pieces, third, whole)
        if turn == newton:
            break
        t = _nearer(samples, t, piece, pieces, one, two)
    off = _bezier(t, piece, pieces, one, two) - samples
    distance = np.hypot(*off.T)
    stray = np.maximum.reduceat(distance, begin)
    hit = np.flatnonzero(distance == stray[piece])
    worst = np.zeros(len(pieces), int)
    worst[piece[hit]] = order[hit]
    return one, two, stray, worst


def _solve(
    samples: np.ndarray, t: np.ndarray, piece: np.ndarray, begin: np.ndarray, pieces: Pieces, third: np.ndarray,
    whole: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Control points of least squares: along the known directions, and at corners also aside of them."""
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
    matrix[:, :2, :2] *= sums[:, 0, None, None]
    matrix[:, 2:, 2:] *= sums[:, 2, None, None]
    matrix[:, :2, 2:] *= sums[:, 1, None, None]
    matrix[:, 2:, :2] *= sums[:, 1, None, None]
    right = np.einsum("sik,sik->si", axes, sums[:, (3, 4, 3, 4, 5, 6, 5, 6)].reshape(-1, 4, 2))
    # A weak pull to handles a third of the way long; a strong one against leaving aside of a known direction.
    many = np.maximum(pieces.many, 1)[:, None]
    pull = np.array([2e-3, 1e-2, 2e-3, 1e-2]) * many
    pull[:, 1] = np.where(pieces.free_start, pull[:, 1], 1e6)
    pull[:, 3] = np.where(pieces.free_end, pull[:, 3], 1e6)
    matrix[:, range(4), range(4)] += pull
    right[:, 0] += pull[:, 0] * third
    right[:, 2] += pull[:, 2] * third
    found = np.linalg.solve(matrix, right[..., None])[..., 0]
    # A handle never points backwards or grows longer than the piece.
    found[:, (0, 2)] = np.clip(found[:, (0, 2)], 0.1 * third[:, None], 0.75 * whole[:, None])
    one = pieces.start + found[:, :1] * axes[:, 0] + found[:, 1:2] * axes[:, 1]
    two = pieces.end + found[:, 2:3] * axes[:, 2] + found[:, 3:4] * axes[:, 3]
    return one, two


def _bezier(t: np.ndarray, piece: np.ndarray, pieces: Pieces, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    u, t = (1 - t)[:, None], t[:, None]
    return (
        u**3 * pieces.start[piece] + 3 * u * u * t * one[piece] + 3 * u * t * t * two[piece] + t**3 * pieces.end[piece]
    )


def _nearer(
    samples: np.ndarray, t: np.ndarray, piece: np.ndarray, pieces: Pieces, one: np.ndarray, two: np.ndarray
) -> np.ndarray:
    """One step of Newton's method for the parameter of each sample's nearest place on the curve."""
    u, v = (1 - t)[:, None], t[:, None]
    a, b, c = one - pieces.start, two - one, pieces.end - two
    off = _bezier(t, piece, pieces, one, two) - samples
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
    reach = np.minimum(3, np.minimum(at, pieces.many - 1 - at))
    reach = np.maximum(reach, 1)
    here = contours.ahead(pieces.contour, pieces.first + at)
    knot = contours.points[here]
    way = contours.points[contours.ahead(here, reach)] - contours.points[contours.ahead(here, -reach)]
    way /= np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    no = np.zeros(len(pieces), bool)
    left = replace(pieces, many=at, end=knot, arrive=way, free_end=no, soft=~no)
    right = replace(
        pieces, first=pieces.first + at + 1, many=pieces.many - at - 1, start=knot, leave=way, free_start=no
    )
    return Pieces.join([left, right])
