"""Held-out scores of a training as a picture: one line, and a level for each baseline that it is to beat."""

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup, escape

from fontgan.studio.words import BASELINES

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, LINE = 640, 200, 44, 150, 14, 26, 15  # px


class Scores(NamedTuple):
    """Held-out scores of a training and of the baselines, by metric: ``ssim``, ``l1``."""

    steps: list[tuple[int, dict[str, float]]]
    baselines: dict[str, dict[str, float]]


def plot(scores: Scores, say: Callable[..., str], metric: str = "ssim") -> Markup:
    """An SVG picture of a metric over the steps; empty where nothing was scored yet."""
    points = [(step, values[metric]) for step, values in scores.steps if metric in values]
    levels = {name: values[metric] for name, values in scores.baselines.items() if metric in values}
    if not points:
        return Markup("")
    found = [value for _, value in points] + list(levels.values())
    low, high = min(found), max(found)
    room = 0.08 * (high - low) or 0.05
    low, high, last = low - room, high + room, max(step for step, _ in points)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = []
    step, value = points[-1]
    if levels:
        name, level = max(levels.items(), key=lambda one: one[1])
        label = escape(f"{say(BASELINES.get(name, name))} {level:.2f}")
        at = y(level)
        if abs(at - y(value)) < LINE:  # the two numbers would lie upon each other
            at = y(value) + (LINE if level <= value else -LINE)
        parts.append(
            f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
            f'<text x="{WIDTH - RIGHT + 8}" y="{at + 4:.1f}">{label}</text>'
        )
    way = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
    parts.append(f'<polyline points="{way}"/><circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3.5"/>')
    parts.append(f'<text class="now" x="{WIDTH - RIGHT + 8}" y="{y(value) + 4:.1f}">{value:.2f}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">0</text>')
    parts.append(
        f'<text class="end" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}">{escape(say("step %(number)s", number=last))}</text>'
    )
    title = escape(say("Likeness to glyphs it has never seen (SSIM)"))
    return Markup(
        f'<figure class="plot"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}: {value:.2f}">{"".join(parts)}</svg></figure>'
    )
