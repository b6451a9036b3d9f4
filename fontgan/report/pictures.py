"""What the page shows of each variant: the glyphs of the wall and its worst ones, as PNGs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from fontgan.inference import load
from fontgan.metrics.glyph_set import draw_pairs, pack_of
from fontgan.report.measure import MeasuredVariant, Pair, Settings, quiet


@dataclass
class Pictures:
    """PNGs by style and character."""

    truth: dict[Pair, bytes] = field(default_factory=dict)
    source: dict[Pair, bytes] = field(default_factory=dict)
    drawn: dict[str, dict[Pair, bytes]] = field(default_factory=dict)  # by variant


def draw_pictures(variants: Sequence[MeasuredVariant], content: dict[str, Any], settings: Settings) -> Pictures:
    """Draws what the page needs with the first run of each variant.

    Raises: UserError if a run cannot be drawn any more.
    """
    pictures = Pictures()
    worst = {variant["label"]: [(g["style"], g["char"]) for g in variant["worst"]] for variant in content["variants"]}
    for variant in variants:
        pairs = list(dict.fromkeys([*wall_pairs(content), *worst[variant.label]]))
        run = load(
            variant.runs[0].run.checkpoint.folder,
            device=settings.device,
            precision=settings.precision,
            batch_size=settings.batch_size,
        )
        with quiet():
            glyphs = draw_pairs(run, pack_of(run), pairs)
        assert glyphs.source is not None
        pictures.truth |= _pngs(glyphs.names, glyphs.truth)
        pictures.source |= _pngs(glyphs.names, glyphs.source)
        pictures.drawn[variant.label] = _pngs(glyphs.names, glyphs.drawn)
    return pictures


def wall_pairs(content: dict[str, Any]) -> list[Pair]:
    return [(style, char) for style, chars in content["wall"].items() for char in chars]


def _pngs(names: Sequence[Pair], images: np.ndarray) -> dict[Pair, bytes]:
    return {name: _png(image) for name, image in zip(names, images, strict=True)}


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
