"""Scores of the same glyphs by several variants -> who is best, by how much, how sure.

The bootstrap draws styles, then characters within a style, and the runs (seeds) of each variant.  Glyphs are drawn
once for all variants, so that differences are paired: what makes a character hard is hard for everyone.

Styles and runs are few.  Their weights are stretched so that the variance is right; the quantiles are not those of
Student's t, so with three styles and two seeds an interval covers less than its 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fontgan.metrics.intervals import Interval, PairedBootstrap
from fontgan.report.html import decimal


@dataclass(frozen=True)
class Standing:
    """How a variant does by one metric."""

    variant: int  # place in the given order
    score: Interval
    behind: Interval | None  # this less the winner, of the same glyphs; None for the winner
    best_in: float  # share of the resamplings in which it is the best

    @property
    def level_with_winner(self) -> bool:
        """Whether the resampling cannot tell it from the winner (who is level with itself)."""
        return self.behind is None or self.behind.low <= 0 <= self.behind.high


def rank(values: Sequence[np.ndarray], bootstrap: PairedBootstrap, *, higher_is_better: bool) -> list[Standing]:
    """Orders variants by their mean, the best first.

    Args:
        values: (runs, glyphs) scores of each variant on the same glyphs.
    """
    sign = 1 if higher_is_better else -1
    means = np.array([bootstrap.mean(of_runs) for of_runs in values])
    drawn = np.stack([bootstrap.means(of_runs, variant) for variant, of_runs in enumerate(values)])  # (V, B)
    best = drawn == (sign * drawn).max(axis=0) * sign
    best_in = (best / best.sum(axis=0)).mean(axis=1)  # equals share a resampling
    order = np.argsort(-sign * means, kind="stable").tolist()
    first, found = order[0], []
    for place in order:
        behind = None if place == first else interval(means[place] - means[first], drawn[place] - drawn[first])
        found.append(Standing(place, interval(means[place], drawn[place]), behind, float(best_in[place])))
    return found


def interval(mean: float, drawn: np.ndarray) -> Interval:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(float(mean), float(low), float(high))


def answer(
    title: str, standings: Sequence[Standing], labels: Sequence[str], *, higher_is_better: bool, replicates: int
) -> str:
    """The comparison in one sentence: which variant, by how much, how sure; or that there is no clear winner."""
    first, *others = standings
    name, score = labels[first.variant], f"{title} {first.score.mean:.3f}"
    if not others:
        return (
            f"{name} draws held-out characters with {score} ({say_interval(first.score)}); "
            "there is no other variant to compare it with."
        )
    level = [labels[standing.variant] for standing in others if standing.level_with_winner]
    behind = others[0].behind
    assert behind is not None
    lead = Interval(-behind.mean, -behind.high, -behind.low) if higher_is_better else behind
    digits = min(6, max(3, 1 - math.floor(math.log10(abs(lead.mean) or 1))))  # two that count
    by_how_much = (
        f"{decimal(lead.mean, digits)} {'above' if higher_is_better else 'below'} {labels[others[0].variant]} "
        f"({say_interval(lead, digits)})"
    )
    how_often = f"it is best in {say_share(first.best_in)} of {replicates} resamplings"
    if level:
        return (
            f"No clear winner: {name} has the best {title}, {first.score.mean:.3f}, {by_how_much}; "
            f"resampling cannot tell it from {say_list(level)}, and {how_often}."
        )
    return f"{name} draws held-out characters closest to the truth: {score}, {by_how_much}; {how_often}."


def say_interval(interval: Interval, digits: int = 3) -> str:
    return f"95 % interval {decimal(interval.low, digits)} to {decimal(interval.high, digits)}"


def say_share(share: float) -> str:
    """A share in per cent; never 100 % or 0 % of something that was resampled unless it is that."""
    if 0.995 <= share < 1:
        return "over 99 %"
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{share:.0%}".replace("%", " %")


def say_list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
