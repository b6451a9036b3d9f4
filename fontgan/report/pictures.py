"""What the page shows of each variant: the glyphs of the wall and its worst ones, as PNGs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from fontgan.data.pack import Pack
from fontgan.errors import UserError
from fontgan.evaluation.glyph_set import Pair, draw_pairs, pack_of
from fontgan.generate.inference import Run, load
from fontgan.report.measure import MeasuredVariant, Settings
from fontgan.runtime.log_setup import quiet


@dataclass
class Pictures:
    """PNGs by style and character."""

    truth: dict[Pair, bytes] = field(default_factory=dict)
    source: dict[Pair, bytes] = field(default_factory=dict)
    drawn: dict[str, dict[Pair, bytes]] = field(default_factory=dict)  # by variant


def open_first_runs(
    variants: Sequence[MeasuredVariant], settings: Settings
) -> tuple[dict[str, tuple[Run, Pack]], list[str]]:
    """The first run of each variant with its data.

    A run may have been measured long ago, and its fonts be gone since; then it can only be shown in numbers.

    Returns: by variant, those that can be opened; a note about each of the others.
    """
    opened, notes = {}, []
    for variant in variants:
        try:
            run = load(
                variant.runs[0].run.checkpoint.folder,
                device=settings.device,
                precision=settings.precision,
                batch_size=settings.batch_size,
            )
            with quiet():
                opened[variant.label] = run, pack_of(run)
        except UserError as error:
            notes.append(
                f"{variant.label}: measured before; now neither drawn nor timed, because its data cannot be opened: {' '.join(str(error).split())}"
            )
    return opened, notes


def draw_pictures(opened: Mapping[str, tuple[Run, Pack]], content: dict[str, Any]) -> Pictures:
    """Draws what the page needs of the variants that could be opened."""
    pictures = Pictures()
    worst = {variant["label"]: [(g["style"], g["char"]) for g in variant["worst"]] for variant in content["variants"]}
    for label, (run, pack) in opened.items():
        glyphs = draw_pairs(run, pack, list(dict.fromkeys([*wall_pairs(content), *worst[label]])))
        assert glyphs.source is not None
        pictures.truth |= _pngs(glyphs.names, glyphs.truth)
        pictures.source |= _pngs(glyphs.names, glyphs.source)
        pictures.drawn[label] = _pngs(glyphs.names, glyphs.drawn)
    return pictures


def wall_pairs(content: dict[str, Any]) -> list[Pair]:
    return [(style, char) for style, chars in content["wall"].items() for char in chars]


def _pngs(names: Sequence[Pair], images: np.ndarray) -> dict[Pair, bytes]:
    return {name: _png(image) for name, image in zip(names, images, strict=True)}


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
