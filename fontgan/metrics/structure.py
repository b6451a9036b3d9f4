"""Wrong or missing strokes: is a drawn glyph the character it should be?

A drawn glyph is held against the shape it should have (its source glyph, so that it also works where no true glyph
exists).  A few numbers tell how they differ; a logistic regression, fitted on true glyphs of the style and on errors
planted into them, turns the numbers into a confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize
from torch.nn import functional as F

from fontgan.data.augment import Augmentation
from fontgan.runtime.progress import Bar
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
    far = [value for away in (missing, extra) for value in (away.mean(), np.percentile(away, LOCAL))]
    return np.array([1 - cosine(density(expected), density(drawn)), *far])


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
    rows, columns = (np.linspace(0, side, GRID + 1).astype(int) for side in glyph.shape)
    sums = np.add.reduceat(np.add.reduceat(ink, rows[:-1], axis=0), columns[:-1], axis=1)
    return (sums / np.outer(np.diff(rows), np.diff(columns))).ravel()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two density maps; 1 for two blank ones, 0 where one alone is blank."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else float(not a.any() and not b.any())


def skeleton(glyph: np.ndarray) -> np.ndarray:
    """(H, W) bool, the strokes' middle lines."""
    from skimage.morphology import skeletonize  # here, because its import takes long

    return np.asarray(skeletonize(glyph < INK))  # type: ignore[no-untyped-call]


def _distances(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """From each pixel of one line to the other, as a share of the side, at most ``FAR``; that where one is blank."""
    if not here.any() or not there.any():
        return np.full(1, 0.0 if here.any() == there.any() else FAR)
    return np.minimum(distance_transform_edt(~there)[here] / max(here.shape), FAR)


# -- planted errors -------------------------------------------------------------------------


def without_component(glyph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The glyph with one component lost: the strokes on one side of it, 20 to 40 % of the ink."""
    result, share = glyph.copy(), random.uniform(0.2, 0.4)
    lines = result.T if random.integers(2) else result  # a view, and so is this:
    lines = lines[::-1] if random.integers(2) else lines
    along = (255.0 - lines).sum(axis=1)
    lines[: np.searchsorted(np.cumsum(along) / max(along.sum(), 1), share) + 1] = 255
    return result


def varied(glyphs: np.ndarray, seed: int) -> np.ndarray:
    """The glyphs as another careful hand might draw them: moved a little, bolder or lighter, and right.

    What is right must not be the very shape it is held against, or the gate would take every deviation for a fault.
    """
    generator = torch.Generator().manual_seed(seed)
    ink = HAND(ink_from_pixels(glyphs)[:, None], generator)
    bolder, lighter = F.max_pool2d(ink, 3, 1, 1), -F.max_pool2d(-ink, 3, 1, 1)
    weight = torch.rand(len(ink), 1, 1, 1, generator=generator) * 1.6 - 0.8
    ink = ink + weight.clamp_min(0) * (bolder - ink) + (-weight).clamp_min(0) * (lighter - ink)
    return (255 * (1 - ink[:, 0])).round().clamp(0, 255).to(torch.uint8).numpy()


def wrong_characters(glyphs: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each glyph another one of the set: of some picked at random, the one that resembles it most."""
    densities = np.stack([density(glyph) for glyph in glyphs])
    found = []
    for row, own in enumerate(densities):
        others = np.delete(np.arange(len(glyphs)), row)
        picked = random.choice(others, size=min(SIMILAR_AMONG, len(others)), replace=False)
        found.append(max(picked, key=lambda other: cosine(own, densities[other])))
    return glyphs[found]


# -- the gate -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """Two-fold, of glyphs the gate was not fitted on: the shares, 0 to 1, that are below ``MIN_CONFIDENCE``."""

    right_flagged: float  # of the true glyphs
    missing_caught: float  # of those with a component lost
    wrong_caught: float  # of the wrong characters
    glyphs: int  # of each kind


@dataclass(frozen=True)
class StrokeErrorClassifier:
    """Differences -> the confidence that a glyph has the strokes it should have, 0 to 1."""

    regression: _Regression
    calibration: Calibration

    def confidence(self, expected: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """(N, H, W) twice -> (N,)."""
        return self.regression.confidence(_differences(expected, drawn))


def _differences(expected: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(N, 10), as logarithms: distances spread over orders of magnitude."""
    found = np.stack([stroke_differences(e, d) for e, d in zip(expected, drawn, strict=True)])
    return np.log(found + 1e-3)


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
    steps = Bar(kinds.items(), desc="calibrating", unit="kind", leave=False)
    found = {kind: _differences(expected, glyphs) for kind, glyphs in steps}
    caught = {kind: np.zeros(len(right), bool) for kind in kinds}
    for first in (0, 1):
        half = _fit({kind: values[first::2] for kind, values in found.items()})
        for kind, values in found.items():
            caught[kind][1 - first :: 2] = half.confidence(values[1 - first :: 2]) < MIN_CONFIDENCE
    flagged, missing, wrong = (float(caught[kind].mean()) for kind in kinds)
    return StrokeErrorClassifier(_fit(found), Calibration(flagged, missing, wrong, len(right)))


class _Regression(NamedTuple):
    weights: np.ndarray  # (11,), the last is the constant
    centre: np.ndarray
    spread: np.ndarray

    def confidence(self, found: np.ndarray) -> np.ndarray:
        """(N, 10) differences -> (N,)."""
        return _logistic(_standard(found, self.centre, self.spread) @ self.weights)


def _fit(found: dict[str, np.ndarray]) -> _Regression:
    """Logistic regression with a small ridge; the right glyphs weigh as much as all kinds of errors together.

    Args:
        found: kind -> (N, 10) differences; all kinds but "right" are errors.
    """
    good = np.concatenate([np.full(len(values), float(kind == "right")) for kind, values in found.items()])
    weight = np.where(good == 1, 0.5 / good.sum(), 0.5 / (1 - good).sum())
    every = np.concatenate(list(found.values()))
    centre, spread = every.mean(axis=0), every.std(axis=0) + 1e-9
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
    return _Regression(weights, centre, spread)


def _standard(found: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.concatenate([(found - centre) / spread, np.ones((len(found), 1))], axis=1)


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
