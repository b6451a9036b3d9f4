"""Numbers -> places on a chart.  The page's templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 14, 40
LINE_HEIGHT = 13  # of labels beside points
COLOURS = 8  # in report.css


@dataclass
class Axis:
    """A scale from values to pixels, with its ticks."""

    place: Callable[[float], float]
    ticks: list[tuple[float, str]]  # pixel, text


@dataclass
class Point:
    x: float
    y: float
    label: str
    label_y: float
    anchor: str  # start or end: the side of the point that the label stands on
    low: float  # ends of a thin upright line through the point
    high: float
    colour: int


@dataclass
class Line:
    path: str
    label: str
    colour: int
    dashed: bool
    bold: bool


@dataclass
class Chart:
    title: str
    x_title: str
    y_title: str
    x: Axis
    y: Axis
    points: list[Point] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    level: tuple[float, str] | None = None  # pixel and name of a level to compare with

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


def colour_of(place: int) -> int:
    return place % COLOURS


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers from at or above ``low`` to at or below ``high``."""
    rough = (high - low) / max(1, count - 1)
    magnitude = 10 ** math.floor(math.log10(rough))
    step = min((m * magnitude for m in (1, 2, 2.5, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def axis(values: Sequence[float], start: float, end: float, *, from_zero: bool = False) -> Axis:
    """A linear scale that holds all values with a little room.

    Args:
        start, end: the pixels of its ends.
    """
    low, high = min(values), max(values)
    if from_zero:
        low = min(0.0, low)
    room = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    low, high = (low if from_zero and low == 0 else low - room), high + room
    marks = ticks(low, high)
    decimals = max(_decimals(b - a) for a, b in pairwise(marks)) if len(marks) > 1 else 2

    def place(value: float) -> float:
        return round(start + (value - low) / (high - low) * (end - start), 1)

    return Axis(place, [(place(mark), _on_axis(mark, decimals)) for mark in marks])


def _decimals(step: float) -> int:
    """Digits after the point that tell marks ``step`` apart."""
    digits = 0
    while digits < 6 and abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1
    return digits


def _on_axis(value: float, decimals: int) -> str:
    if abs(value) >= 1e5:
        return short(value, ".3g")
    return f"{value:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def short(value: float, form: str = "#.3g") -> str:
    """12 345 678 -> 12.3 M."""
    for limit, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (0, "")):
        if abs(value) >= limit:
            return f"{value / (limit or 1):{form}}".rstrip(".") + unit
    raise AssertionError(value)


def quality_against(
    content: dict[str, Any], title: str, cost: Callable[[dict[str, Any]], float | None]
) -> Chart | None:
    """The ranking score of each variant over one of its costs; None where that was not measured."""
    main = content["main"]
    variants = content["variants"]
    costs = [cost(variant) for variant in variants]
    if any(value is None for value in costs):
        return None
    scores = [variant["scores"][main]["mean"] for variant in variants]
    spans = [[run["scores"][main] for run in variant["runs"]] + [score] for variant, score in zip(variants, scores, strict=True)]  # fmt: skip
    chart = Chart(
        title,
        title,
        content["metrics"][main]["title"],
        axis([c for c in costs if c is not None], LEFT, WIDTH - RIGHT),
        axis([value for span in spans for value in span], HEIGHT - BOTTOM, TOP),
    )
    for place, (variant, value, score, span) in enumerate(zip(variants, costs, scores, spans, strict=True)):
        assert value is not None
        x, y = chart.x.place(value), chart.y.place(score)
        beyond = x > (LEFT + WIDTH - RIGHT) * 0.6
        chart.points.append(
            Point(
                x,
                y,
                variant["label"],
                y,
                "end" if beyond else "start",
                chart.y.place(min(span)),
                chart.y.place(max(span)),
                colour_of(place),
            )
        )
    _part_labels(chart.points)
    return chart


def _part_labels(points: Sequence[Point]) -> None:
    """Moves labels up or down so that none lies on another of the same side."""
    for anchor in ("start", "end"):
        there = sorted((p for p in points if p.anchor == anchor), key=lambda p: p.y)
        for upper, lower in pairwise(there):
            if abs(upper.x - lower.x) < WIDTH / 3:
                lower.label_y = max(lower.label_y, upper.label_y + LINE_HEIGHT)
        overflow = max((p.label_y for p in there), default=0.0) - (HEIGHT - BOTTOM - 4)
        if overflow > 0:
            for p in there:
                p.label_y -= overflow


def learning_curves(content: dict[str, Any], score: str, title: str) -> Chart | None:
    """A score over the training steps: each run thin, each variant's mean bold; None if no run noted any."""
    curves = content["curves"][score]
    runs = [points for variant in curves["variants"] for points in variant["runs"] if points]
    if not runs:
        return None
    baseline = curves["baseline"]
    values = [value for points in runs for _, value in points] + ([baseline["value"]] if baseline else [])
    chart = Chart(
        title,
        "training step",
        title,
        axis([0.0, *(step for points in runs for step, _ in points)], LEFT, WIDTH - RIGHT, from_zero=True),
        axis(values, HEIGHT - BOTTOM, TOP),
    )
    for place, variant in enumerate(curves["variants"]):
        known = [points for points in variant["runs"] if points]
        colour, dashed = colour_of(place), place >= COLOURS
        if len(known) > 1:
            chart.lines += [Line(_path(chart, points), variant["label"], colour, dashed, False) for points in known]
        if known:
            chart.lines.append(Line(_path(chart, _mean_of(known)), variant["label"], colour, dashed, True))
    chart.lines.sort(key=lambda line: line.bold)
    if baseline:
        chart.level = (chart.y.place(baseline["value"]), f"best baseline: {baseline['name']}")
    return chart


def _mean_of(runs: Sequence[Sequence[Sequence[float]]]) -> list[tuple[float, float]]:
    """The mean over runs at the steps that all of them have."""
    by_step: list[dict[float, float]] = [{points[0]: points[1] for points in run} for run in runs]
    shared = sorted(set.intersection(*map(set, by_step)))
    return [(step, sum(points[step] for points in by_step) / len(by_step)) for step in shared]


def _path(chart: Chart, points: Sequence[Sequence[float]]) -> str:
    return " ".join(
        f"{'M' if place == 0 else 'L'}{chart.x.place(step)} {chart.y.place(value)}"
        for place, (step, value) in enumerate(points)
    )


@dataclass
class Bar:
    """An interval as a small bar, all variants on one scale with zero marked."""

    low: float
    mean: float
    high: float
    zero: float

    width, height = 120, 16


def interval_bars(behind: Sequence[dict[str, float] | None]) -> list[Bar]:
    """Differences to the winner, which stands at zero itself."""
    known = [each for each in behind if each is not None]
    if not known:
        return []
    scale = axis([0.0, *(v for each in known for v in (each["low"], each["high"]))], 2, Bar.width - 2).place
    none = {"mean": 0.0, "low": 0.0, "high": 0.0}
    return [Bar(scale(d["low"]), scale(d["mean"]), scale(d["high"]), scale(0)) for each in behind for d in [each or none]]  # fmt: skip
