"""Numbers -> places on a chart.  The page's templates draw them as SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from fontgan.report.html import decimal

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 12, 14, HEIGHT - 40
LINE_HEIGHT = 13  # of labels beside points
COLOURS = 8  # in report.css


class Axis(NamedTuple):
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


class Line(NamedTuple):
    path: str
    label: str
    colour: int
    dashed: bool
    bold: bool


@dataclass
class Chart:
    x_title: str
    y_title: str
    x: Axis
    y: Axis
    points: list[Point] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    level: tuple[float, str] | None = None  # pixel and name of a level to compare with

    width, height = WIDTH, HEIGHT
    left, right, bottom = LEFT, RIGHT, BOTTOM


def colour_of(place: int) -> int:
    return place % COLOURS


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers from at or above ``low`` to at or below ``high``."""
    rough = (high - low) / 4
    magnitude = 10 ** math.floor(math.log10(rough))
    step = min((m * magnitude for m in (1, 2, 2.5, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def axis(values: Sequence[float], start: float, end: float, *, from_zero: bool = False) -> Axis:
    """A linear scale that holds all values with a little room.

    Args:
        start, end: the pixels of its ends.
        from_zero: whether it begins at zero; no value is below.
    """
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    low, high = (0.0 if from_zero else low - room), high + room
    marks = ticks(low, high)
    steps = [f"{b - a:.6f}".rstrip("0").partition(".")[2] for a, b in pairwise(marks)]
    digits = max(map(len, steps), default=2)  # after the point, that tell the marks apart

    def place(value: float) -> float:
        return round(start + (value - low) / (high - low) * (end - start), 1)

    return Axis(place, [(place(m), short(m, ".3g") if abs(m) >= 1e5 else decimal(m, digits)) for m in marks])


def short(value: float, form: str = "#.3g") -> str:
    """12 345 678 -> 12.3 M."""
    units = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))
    scale, unit = next((each for each in units if abs(value) >= each[0]), (1, ""))
    return f"{value / scale:{form}}".rstrip(".") + unit


def cost_charts(content: dict[str, Any]) -> list[Chart]:
    """The ranking score of each variant over each cost that is known of all."""
    main, variants = content["main"], content["variants"]
    costs = [variant["cost"] for variant in variants]
    wanted: dict[str, list[Any]] = {
        "parameters": [cost["parameters"] for cost in costs],
        "FLOPs of drawing a glyph": [cost["flops"] for cost in costs],
        "glyphs a second, training": [(cost["training"] or {}).get("glyphs_per_second") for cost in costs],
        "glyphs a second, drawing": [(cost["inference"] or {}).get("glyphs_per_second") for cost in costs],
    }
    spans = [[v["scores"][main]["mean"], *(run["scores"][main] for run in v["runs"])] for v in variants]
    y_title, y_axis = content["metrics"][main]["title"], axis([value for span in spans for value in span], BOTTOM, TOP)
    charts = []
    for title, values in wanted.items():
        if None in values:
            continue
        chart = Chart(title, y_title, axis(values, LEFT, RIGHT), y_axis)
        for place, (variant, value, span) in enumerate(zip(variants, values, spans, strict=True)):
            x = chart.x.place(value)
            y, low, high = map(y_axis.place, (span[0], min(span), max(span)))
            anchor = "end" if x > (LEFT + RIGHT) * 0.6 else "start"
            chart.points.append(Point(x, y, variant["label"], y, anchor, low, high, colour_of(place)))
        _part_labels(chart.points)
        charts.append(chart)
    return charts


def _part_labels(points: Sequence[Point]) -> None:
    """Moves labels up or down so that none lies on another of the same side."""
    for anchor in ("start", "end"):
        there = sorted((p for p in points if p.anchor == anchor), key=lambda p: p.y)
        for upper, lower in pairwise(there):
            if abs(upper.x - lower.x) < WIDTH / 3:
                lower.label_y = max(lower.label_y, upper.label_y + LINE_HEIGHT)
        overflow = max(0.0, max((p.label_y for p in there), default=0.0) - (BOTTOM - 4))
        for p in there:
            p.label_y -= overflow


def learning_curves(content: dict[str, Any]) -> list[Chart]:
    """Each score over the training steps: each run thin, each variant's mean bold; those that no run noted are left
    out."""
    charts = []
    for score, curves in content["curves"].items():
        drawn = [[points for points in variant["runs"] if points] for variant in curves["variants"]]
        known = [point for runs in drawn for points in runs for point in points]
        if not known:
            continue
        baseline = curves["baseline"]
        x_axis = axis([0.0, *(step for step, _ in known)], LEFT, RIGHT, from_zero=True)
        y_axis = axis([value for _, value in known] + ([baseline["value"]] if baseline else []), BOTTOM, TOP)
        chart = Chart("training step", score.upper(), x_axis, y_axis)
        for place, (variant, runs) in enumerate(zip(curves["variants"], drawn, strict=True)):
            look = variant["label"], colour_of(place), place >= COLOURS
            chart.lines += [Line(_path(chart, points), *look, False) for points in runs if len(runs) > 1]
            chart.lines += [Line(_path(chart, _mean_of(runs)), *look, True)] if runs else []
        chart.lines.sort(key=lambda line: line.bold)
        if baseline:
            chart.level = (y_axis.place(baseline["value"]), f"best baseline: {baseline['name']}")
        charts.append(chart)
    return charts


def _mean_of(runs: Sequence[Any]) -> list[tuple[float, float]]:
    """The mean over runs at the steps that all of them have."""
    by_step: list[dict[float, float]] = [dict(points) for points in runs]
    shared = sorted(set.intersection(*map(set, by_step)))
    return [(step, sum(points[step] for points in by_step) / len(by_step)) for step in shared]


def _path(chart: Chart, points: Sequence[Sequence[float]]) -> str:
    places = [f"{chart.x.place(step)} {chart.y.place(value)}" for step, value in points]
    return f"M{' L'.join(places)}" if places else ""


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
    spans = [(each["low"], each["mean"], each["high"]) if each else (0.0, 0.0, 0.0) for each in behind]
    if not any(behind):
        return []
    scale = axis([0.0, *(value for low, _, high in spans for value in (low, high))], 2, Bar.width - 2).place
    return [Bar(scale(low), scale(mean), scale(high), scale(0)) for low, mean, high in spans]
