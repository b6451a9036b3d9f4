"""Content and the glyphs of the wall and the worst ones, as PNGs -> one HTML file that needs nothing else."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from fontgan.data.pack import Pack
from fontgan.errors import UserError
from fontgan.evaluation.glyph_set import Pair, draw_pairs, pack_of
from fontgan.generate.inference import Run, load
from fontgan.report import charts
from fontgan.report.collect import Variant
from fontgan.report.content import BASELINE_NAMES
from fontgan.report.html import asset_text, data_uri, decimal, render_template
from fontgan.report.measure import Settings
from fontgan.report.ranking import say_share
from fontgan.runtime.log_setup import quiet

BESIDE_THE_RANKING = ("l1", "phase_spread", "recognition")
PIXELATED_BELOW_PX = 160


@dataclass
class Pictures:
    """PNGs by style and character."""

    truth: dict[Pair, bytes] = field(default_factory=dict)
    source: dict[Pair, bytes] = field(default_factory=dict)
    drawn: dict[str, dict[Pair, bytes]] = field(default_factory=dict)  # by variant


def render_page(content: dict[str, Any], pictures: Pictures) -> str:
    """Draws the page. Every text in it is escaped, and its policy lets no script run but its own."""
    filters: dict[str, Callable[..., Any]] = {
        "number": number, "signed": signed, "share": say_share, "short": charts.short, "breakable": breakable,
        "png": data_uri, "colour": charts.colour_of,
    }  # fmt: skip
    return render_template(
        "report",
        filters,
        style=asset_text("report.css"),
        content=content,
        main=content["metrics"][content["main"]],
        beside=[key for key in BESIDE_THE_RANKING if key in content["metrics"] and key != content["main"]],
        bars=charts.interval_bars([v["scores"][content["main"]]["behind"] for v in content["variants"]]),
        baseline=baseline_rows(content),
        cost_charts=charts.cost_charts(content),
        curves=charts.learning_curves(content),
        **vars(pictures),
        truth_ids={pair: f"truth-{place}" for place, pair in enumerate(wall_pairs(content))},
        pixelated=content["compared"]["size"] < PIXELATED_BELOW_PX,
    )


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


def open_first_runs(variants: Sequence[Variant], settings: Settings) -> tuple[dict[str, tuple[Run, Pack]], list[str]]:
    """The first run of each variant with its data.

    A run may have been measured long ago, and its fonts be gone since; then it can only be shown in numbers.

    Returns: by variant, those that can be opened; a note about each of the others.
    """
    opened, notes = {}, []
    for variant in variants:
        try:
            run = load(variant.runs[0].checkpoint.folder, **settings.computing)
            with quiet():
                opened[variant.label] = run, pack_of(run)
        except UserError as error:
            why = " ".join(str(error).split())
            notes.append(
                f"{variant.label}: measured before; now neither drawn nor timed, because its data cannot be opened: {why}"
            )
    return opened, notes


def draw_pictures(opened: Mapping[str, tuple[Run, Pack]], content: dict[str, Any]) -> Pictures:
    """Draws what the page needs of the variants that could be opened."""
    pictures = Pictures()
    worst = {variant["label"]: [(g["style"], g["char"]) for g in variant["worst"]] for variant in content["variants"]}
    for label, (run, pack) in opened.items():
        glyphs = draw_pairs(run, pack, list(dict.fromkeys([*wall_pairs(content), *worst[label]])))
        assert glyphs.source is not None
        sets = (glyphs.truth, glyphs.source, glyphs.drawn)
        truth, source, drawn = (dict(zip(glyphs.names, map(_png, images), strict=True)) for images in sets)
        pictures.truth |= truth
        pictures.source |= source
        pictures.drawn[label] = drawn
    return pictures


def wall_pairs(content: dict[str, Any]) -> list[Pair]:
    return [(style, char) for style, chars in content["wall"].items() for char in chars]


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


# -- filters --------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Three digits after the point where the number is near 1, fewer where it is large."""
    if value is None:
        return "\N{EN DASH}"
    steps = ((1000, 0), (10, 1), (4, 2), (0.0095, 3))
    return decimal(value, next((digits for limit, digits in steps if abs(value) >= limit), 4 if value else 3))


def signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def breakable(text: str) -> Markup:
    """Escapes a name and lets it break after its punctuation rather than anywhere."""
    return Markup("<wbr>").join(re.findall(r"[^_=,./-]*[_=,./-]|[^_=,./-]+", text))
