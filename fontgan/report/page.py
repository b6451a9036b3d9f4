"""Content -> one HTML file that needs nothing else: styles, script and pictures inside, no network, names escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from fontgan.report import charts
from fontgan.report.content import BASELINE_NAMES
from fontgan.report.html import asset_text, render_template, spaced
from fontgan.report.pictures import Pictures, wall_pairs
from fontgan.report.ranking import say_share

ARTEFACTS = ("phase_spread",)  # scores of what an up-path leaves behind, shown beside the ranking
BESIDE_THE_RANKING = ("l1", *ARTEFACTS, "recognition")
PIXELATED_BELOW_PX = 160


def render_page(content: dict[str, Any], pictures: Pictures) -> str:
    """Draws the page. Every text in it is escaped, and its policy lets no script run but its own."""
    filters: dict[str, Callable[..., Any]] = {
        "number": number,
        "signed": signed,
        "share": say_share,
        "short": charts.short,
        "png": png,
        "colour": charts.colour_of,
        "spaced": spaced,
        "breakable": breakable,
    }
    return render_template(
        "report.html.j2",
        filters,
        style=asset_text("report.css"),
        script=asset_text("report.js"),
        content=content,
        main=content["metrics"][content["main"]],
        beside=[key for key in BESIDE_THE_RANKING if key in content["metrics"] and key != content["main"]],
        bars=charts.interval_bars([v["scores"][content["main"]]["behind"] for v in content["variants"]]),
        baseline=baseline_rows(content),
        cost_charts=cost_charts(content),
        curves=learning_curves(content),
        drawn=pictures.drawn,
        truth=pictures.truth,
        source=pictures.source,
        truth_ids={pair: f"truth-{place}" for place, pair in enumerate(wall_pairs(content))},
        pixelated=content["compared"]["size"] < PIXELATED_BELOW_PX,
    )


def cost_charts(content: dict[str, Any]) -> list[charts.Chart]:
    """Quality against each cost that is known."""

    def rate(kind: str) -> Any:
        return lambda variant: (variant["cost"][kind] or {}).get("glyphs_per_second")

    wanted = [
        ("parameters", lambda variant: float(variant["cost"]["parameters"])),
        ("FLOPs of drawing a glyph", lambda variant: float(variant["cost"]["flops"])),
        ("glyphs a second, training", rate("training")),
        ("glyphs a second, drawing", rate("inference")),
    ]
    drawn = [charts.quality_against(content, title, cost) for title, cost in wanted]
    return [chart for chart in drawn if chart is not None]


def learning_curves(content: dict[str, Any]) -> list[charts.Chart]:
    titles = {"ssim": "SSIM", "l1": "L1"}
    drawn = [charts.learning_curves(content, score, titles[score]) for score in content["curves"]]
    return [chart for chart in drawn if chart is not None]


def baseline_rows(content: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """What to compare with: the baselines' scores, and the true glyphs' own: (name, metric -> value)."""
    found: dict[str, dict[str, float]] = {}
    for key, metric in content["metrics"].items():
        for name, value in metric["baselines"].items():
            found.setdefault(BASELINE_NAMES.get(name, name), {})[key] = value
    ceilings = {key: metric["ceiling"] for key, metric in content["metrics"].items() if metric["ceiling"] is not None}
    if ceilings:
        found["the true glyphs"] = ceilings
    return list(found.items())


# -- filters --------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Three digits after the point where the number is near 1, fewer where it is large."""
    if value is None:
        return "\N{EN DASH}"
    size = abs(value)
    if size >= 1000:
        text = spaced(round(value))
    elif size >= 10:
        text = f"{value:.1f}"
    elif size >= 4:
        text = f"{value:.2f}"
    elif size >= 0.0095 or size == 0:
        text = f"{value:.3f}"
    else:
        text = f"{value:.4f}"
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def breakable(text: str) -> Markup:
    """Escapes a name and lets it break after its punctuation rather than anywhere."""
    return Markup("<wbr>").join(re.findall(r"[^_=,./-]*[_=,./-]|[^_=,./-]+", text))


def png(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
