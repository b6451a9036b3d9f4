"""Bootstrap intervals that know that glyphs of one style resemble each other."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval; all NaN where there was nothing to measure."""

    mean: float
    low: float
    high: float


class ClusterBootstrap:
    """Draws styles with replacement, then glyphs with replacement within each drawn style.

    Every quantity measured on the same glyphs with one bootstrap sees the same draws, so that intervals of
    differences are those of paired ones.

    Args:
        styles: the style of each glyph, (N,).   replicates: how often to draw.
    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap; the two levels are its cluster bootstrap.

    The part of a replicate that comes from which styles were drawn has the ``variance_stretch``.  That makes the
    variance right, not the shape: with three styles or fewer the intervals cover less than their 95 % of all styles.
    """

    def __init__(self, styles: Sequence[str], *, replicates: int, seed: int):
        self.names = list(dict.fromkeys(styles))
        self.rows = {name: np.flatnonzero(np.asarray(styles) == name) for name in self.names}
        self.replicates = replicates
        self.seed = seed

    @cached_property
    def draws(self) -> list[list[tuple[str, np.ndarray]]]:
        """For each replicate the drawn styles, each with its drawn rows."""
        random, count = np.random.default_rng(self.seed), len(self.names)
        names = ([self.names[style] for style in random.integers(count, size=count)] for _ in range(self.replicates))
        return [[(name, self._resampled(name, random)) for name in drawn] for drawn in names]

    def _resampled(self, name: str, random: np.random.Generator) -> np.ndarray:
        return random.choice(self.rows[name], size=len(self.rows[name]))

    def overall(self, statistic: Callable[[np.ndarray], float]) -> float:
        """The mean over styles of a statistic of a style's rows."""
        return _mean([statistic(self.rows[name]) for name in self.names])

    def with_interval(self, statistic: Callable[[np.ndarray], float]) -> Interval:
        """The same with its interval."""
        own = {name: statistic(self.rows[name]) for name in self.names}
        mean, stretch = _mean(list(own.values())), variance_stretch(len(self.names))
        replicates = []
        for drawn in self.draws:
            between = _mean([own[name] for name, _ in drawn]) - mean
            replicates.append(_mean([statistic(rows) for _, rows in drawn]) + (stretch - 1) * between)
        return interval(mean, replicates)

    def of_style(self, name: str, statistic: Callable[[np.ndarray], float]) -> Interval:
        """A statistic of one style's rows, with its interval over its glyphs."""
        random = np.random.default_rng(self.seed)
        drawn = [statistic(self._resampled(name, random)) for _ in range(self.replicates)]
        return interval(statistic(self.rows[name]), drawn)


class PairedBootstrap:
    """Weights of glyphs, given the style of each, in each resampling, drawn once for every variant and metric."""

    def __init__(self, styles: np.ndarray, *, replicates: int, seed: int):
        self.replicates = replicates
        self.seed = seed
        rng = np.random.default_rng(seed)
        present = np.unique(styles)
        style_weights = few_weights(len(present), replicates, rng)
        self.plain = np.zeros(len(styles))
        self.weights = np.zeros((replicates, len(styles)), np.float32)
        for place, style in enumerate(present):
            where = np.flatnonzero(styles == style)
            self.plain[where] = 1 / (len(present) * len(where))
            drawn = rng.multinomial(len(where), np.full(len(where), 1 / len(where)), size=replicates) / len(where)
            self.weights[:, where] = style_weights[:, place, None] * drawn

    def mean(self, values: np.ndarray) -> float:
        """(runs, glyphs) -> the mean over glyphs within a style, then styles and runs."""
        return float((values @ self.plain).mean())

    def means(self, values: np.ndarray, variant: int) -> np.ndarray:
        """(runs, glyphs) -> the mean in each resampling; a variant's runs are drawn apart from the others'."""
        runs = few_weights(len(values), self.replicates, np.random.default_rng([self.seed, variant + 1]))
        return np.einsum("br,br->b", self.weights @ np.asarray(values, np.float64).T, runs)


def few_weights(count: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """(replicates, count) weights, each row summing to 1, of ``count`` styles or runs drawn with replacement.

    The weights' distance from 1 / n has the ``variance_stretch``.  That makes the variance of a mean right, and nothing
    else: the percentiles of so few draws lie too close together for 95 %.  A weight may be negative.
    """
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=replicates) / count
    return 1 / count + variance_stretch(count) * (drawn - 1 / count)


def variance_stretch(count: int) -> float:
    """What makes up for the variance of means of ``count`` drawn from ``count``, which is too small by (n - 1) / n."""
    return math.sqrt(count / (count - 1)) if count > 1 else 1.0


def interval(value: float, replicates: Sequence[float]) -> Interval:
    """The percentile interval, moved so that the replicates' mean lies on the value.

    The move takes out the bias of statistics that are no plain means (a Frechet distance grows when glyphs are drawn
    twice); for means it is nearly nothing.
    """
    drawn = np.asarray(replicates, dtype=np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(drawn - drawn.mean() + value, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if value >= 0 and drawn.min() >= 0:
        low = max(0.0, low)  # a distance stays one
    return Interval(float(value), float(low), float(high))


def mean_of(values: np.ndarray) -> Callable[[np.ndarray], float]:
    """The statistic "mean of these values", those that are NaN left out; NaN if none is left."""
    return lambda rows: _mean(values[rows])


def _mean(values: Sequence[float] | np.ndarray) -> float:
    there = np.asarray(values, dtype=np.float64)
    there = there[np.isfinite(there)]
    return float(there.mean()) if len(there) else float("nan")
