"""Wrong or missing strokes: is a drawn glyph the character it should be?

A drawn glyph is held against the shape it should have (its source glyph, so that it also works where no true glyph
exists).  A few numbers tell how they differ; a logistic regression, fitted on true glyphs of the style and on errors
planted into them, turns the numbers into a confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize
from torch.nn import functional as F
from tqdm import tqdm

from fontgan.data.augment import Augmentation
from fontgan.values import ink_from_pixels

GRID = 16  # cells a side of the density map
INK = 128  # grey level (of 255) below which a pixel is ink
FAR = 0.5  # of the canvas side: the distance where there is no stroke at all
LOCAL = 95  # percentile of the distances that finds a fault of a part
MIN_CONFIDENCE = 0.5  # confidence below which a glyph is flagged
MIN_FIT_GLYPHS = 8  # glyphs to fit on
MAX_FIT_GLYPHS = 240  # glyphs to fit on; more change little and take time
SIMILAR_AMONG = 24  # a wrong character is the most similar of so many
RIDGE = 1e-2
HAND = Augmentation(shift=0.02, scale=0.05, rotate=2.0, shear=0.04)
MIN_BOX_SHARE = 0.5  # of the canvas side: an ink box is taken to be no narrower, or 一 would become a block
ROOM = 0.06  # of the ink box, left free around it


def stroke_differences(expected: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How a drawn glyph differs from the expected shape, seen twice: on the canvas, and ink box on ink box.

    The second look forgives a style its own proportions; the first sees what has moved or shrunk.

    Args:
        expected, drawn: (H, W) uint8, 0 ink .. 255 paper.
    Returns: (10,), 0 is no difference; these five twice:
        density: 1 - cosine of the 16x16 ink densities.
        missing, missing_local: mean and 95th percentile of the distances from the expected skeleton to the
            drawn one, as a fraction of the canvas side: expected strokes that are not there.
        extra, extra_local: the same from the drawn skeleton to the expected one: strokes that should not be there.
    """
    return np.concatenate([_compare(expected, drawn), _compare(fit_to_ink(expected), fit_to_ink(drawn))])


def _compare(expected: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    expected_line, drawn_line = skeleton(expected), skeleton(drawn)
    missing, extra = _distances(expected_line, drawn_line), _distances(drawn_line, expected_line)
    return np.array(
        [
            1 - cosine(density(expected), density(drawn)),
            missing.mean(),
            np.percentile(missing, LOCAL),
            extra.mean(),
            np.percentile(extra, LOCAL),
        ]
    )


def fit_to_ink(glyph: np.ndarray) -> np.ndarray:
    """(H, W) uint8 -> the same shape, filled by the glyph's ink box; a blank glyph stays as it is."""
    ink = glyph < INK
    if not ink.any():
        return glyph
    (y0, y1), (x0, x1) = (_span(np.asarray(ink.any(axis=axis))) for axis in (1, 0))
    padding = max(glyph.shape)  # the box with its room may reach beyond the canvas
    padded = Image.fromarray(np.pad(glyph, padding, constant_values=255))
    box = (x0 + padding, y0 + padding, x1 + padding, y1 + padding)
    return np.asarray(padded.resize(glyph.shape[::-1], Image.Resampling.BICUBIC, box=box))


def _span(inked: np.ndarray) -> tuple[float, float]:
    places = np.flatnonzero(inked)
    middle, width = (places[0] + places[-1] + 1) / 2, places[-1] + 1 - places[0]
    half = (0.5 + ROOM) * max(width, MIN_BOX_SHARE * len(inked))
    return middle - half, middle + half


def density(glyph: np.ndarray) -> np.ndarray:
    """(H, W) uint8 -> (256,) share of ink in each of 16x16 cells, 0 to 1."""
    ink = 1 - glyph / 255
    rows = np.linspace(0, glyph.shape[0], GRID + 1).astype(int)
    columns = np.linspace(0, glyph.shape[1], GRID + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(ink, rows[:-1], axis=0), columns[:-1], axis=1)
    return (sums / np.outer(np.diff(rows), np.diff(columns))).ravel()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two density maps; 1 for two blank ones, 0 where one alone is blank."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0:
        return float(not a.any() and not b.any())
    return float(a @ b) / lengths


def skeleton(glyph: np.ndarray) -> np.ndarray:
    """(H, W) bool, the strokes' middle lines."""
    from skimage.morphology import skeletonize  # here, because its import takes long

    return np.asarray(skeletonize(glyph < INK))  # type: ignore[no-untyped-call]


def _distances(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """From each pixel of one line to the nearest of the other, as a share of the side, at most ``FAR``.

    Where one of them alone is blank, all is far.
    """
    if not here.any() or not there.any():
        return np.full(1, 0.0 if here.any() == there.any() else FAR)
    return np.minimum(distance_transform_edt(~there)[here] / max(here.shape), FAR)


# -- planted errors -------------------------------------------------------------------------

Plant = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def without_component(glyph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The glyph with one component lost: the strokes on one side of it, 20 to 40 % of the ink."""
    ink = 255.0 - glyph
    share = random.uniform(0.2, 0.4)
    axis, from_end = random.integers(2), random.integers(2)
    along = ink.sum(axis=1 - axis)
    reached = np.cumsum(along if not from_end else along[::-1]) / max(along.sum(), 1)
    cut = int(np.searchsorted(reached, share)) + 1
    lost = slice(0, cut) if not from_end else slice(len(along) - cut, None)
    result = glyph.copy()
    result[(lost, slice(None)) if axis == 0 else (slice(None), lost)] = 255
    return result


def varied(glyphs: np.ndarray, seed: int) -> np.ndarray:
    """The glyphs as another careful hand might draw them: moved a little, bolder or lighter, and right.

    What is right must not be the very shape it is held against, or the gate would take every deviation for a fault.
    """
    generator = torch.Generator().manual_seed(seed)
    ink = ink_from_pixels(glyphs)[:, None]
    ink = HAND(ink, generator)
    bolder, lighter = F.max_pool2d(ink, 3, 1, 1), -F.max_pool2d(-ink, 3, 1, 1)
    weight = torch.rand(len(ink), 1, 1, 1, generator=generator) * 1.6 - 0.8
    ink = ink + weight.clamp_min(0) * (bolder - ink) + (-weight).clamp_min(0) * (lighter - ink)
    return (255 * (1 - ink[:, 0])).round().clamp(0, 255).to(torch.uint8).numpy()


def wrong_characters(glyphs: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each glyph another one of the set: of some picked at random, the one that resembles it most."""
    densities = np.stack([density(glyph) for glyph in glyphs])
    found = []
    for row in range(len(glyphs)):
        others = np.delete(np.arange(len(glyphs)), row)
        picked = random.choice(others, size=min(SIMILAR_AMONG, len(others)), replace=False)
        found.append(max(picked, key=lambda other: cosine(densities[row], densities[other])))
    return glyphs[found]


# -- the gate -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """What the gate does with glyphs it was not fitted on (two-fold), at a confidence of ``MIN_CONFIDENCE``: shares, 0 to 1.

    Args:
        right_flagged: of the true glyphs.
        missing_caught: of those with a component lost.
        wrong_caught: of the wrong characters.
        glyphs: how many of each there were.
    """

    right_flagged: float
    missing_caught: float
    wrong_caught: float
    glyphs: int


@dataclass(frozen=True)
class StrokeErrorClassifier:
    """Differences -> the confidence that a glyph has the strokes it should have, 0 to 1."""

    weights: np.ndarray  # (11,), the last is the constant
    centre: np.ndarray
    spread: np.ndarray
    calibration: Calibration

    def confidence(self, expected: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """(N, H, W) twice -> (N,)."""
        return self._of(np.stack([stroke_differences(e, d) for e, d in zip(expected, drawn, strict=True)]))

    def _of(self, found: np.ndarray) -> np.ndarray:
        return _logistic(_standard(found, self.centre, self.spread) @ self.weights)


def fit_gate(expected: np.ndarray, right: np.ndarray, *, seed: int) -> StrokeErrorClassifier:
    """Fits a gate for one style.

    Args:
        expected: (N, H, W) uint8 shapes that the glyphs should have, such as their source glyphs.
        right: (N, H, W) uint8 true glyphs of the style.
    Raises: ValueError for fewer than ``MIN_FIT_GLYPHS`` glyphs.
    """
    if len(right) < MIN_FIT_GLYPHS:
        raise ValueError(f"{len(right)} glyphs are too few to fit on; {MIN_FIT_GLYPHS} are needed.")
    random = np.random.default_rng(seed)
    if len(right) > MAX_FIT_GLYPHS:
        rows = np.sort(random.choice(len(right), size=MAX_FIT_GLYPHS, replace=False))
        expected, right = expected[rows], right[rows]
    kinds = {
        "right": right,
        "missing": np.stack([without_component(glyph, random) for glyph in right]),
        "wrong": wrong_characters(right, random),
    }
    found = {
        kind: np.stack([stroke_differences(e, g) for e, g in zip(expected, glyphs, strict=True)])
        for kind, glyphs in tqdm(kinds.items(), desc="calibrating", unit="kind", leave=False)
    }
    fold = np.arange(len(right)) % 2 == 0
    caught: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    for part in (fold, ~fold):
        half = _fit({kind: values[part] for kind, values in found.items()})
        for kind in kinds:
            caught[kind].append(half._of(found[kind][~part]) < MIN_CONFIDENCE)
    shares = {kind: float(np.concatenate(parts).mean()) for kind, parts in caught.items()}
    return _fit(found, Calibration(shares["right"], shares["missing"], shares["wrong"], len(right)))


_UNKNOWN = Calibration(float("nan"), float("nan"), float("nan"), 0)


def _fit(found: dict[str, np.ndarray], calibration: Calibration = _UNKNOWN) -> StrokeErrorClassifier:
    """Logistic regression with a small ridge; the right glyphs weigh as much as all kinds of errors together.

    Args:
        found: kind -> (N, 10) stroke_differences; all kinds but "right" are errors.
    """
    good = np.concatenate([np.full(len(values), float(kind == "right")) for kind, values in found.items()])
    weight = np.where(good == 1, 0.5 / good.sum(), 0.5 / (1 - good).sum())
    every = np.concatenate(list(found.values()))
    logs = _log(every)
    centre, spread = logs.mean(axis=0), logs.std(axis=0) + 1e-9
    x = _standard(every, centre, spread)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = x @ weights
        value = (weight * np.logaddexp(0, np.where(good == 1, -logits, logits))).sum()
        gradient = x.T @ (weight * (_logistic(logits) - good))
        ridge = np.append(RIDGE * weights[:-1], 0.0)
        return value + 0.5 * float(ridge @ weights), gradient + ridge

    # More difference never makes a glyph more right, so no weight but the constant may be positive.
    bounds = [(None, 0.0)] * (x.shape[1] - 1) + [(None, None)]
    weights = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return StrokeErrorClassifier(weights, centre, spread, calibration)


def _log(found: np.ndarray) -> np.ndarray:
    return np.log(found + 1e-3)  # distances spread over orders of magnitude


def _standard(found: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    scaled = (_log(found) - centre) / spread
    return np.concatenate([scaled, np.ones((len(found), 1))], axis=1)


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
