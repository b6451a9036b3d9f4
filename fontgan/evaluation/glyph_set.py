"""What is measured: drawn glyphs with the true ones.  Here those of a run; ``folder_pairs`` makes them of two folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from fontgan.config.data_plan import build_plan
from fontgan.config.saved import load_config
from fontgan.data.batches import collate_pairs, pairs_of
from fontgan.data.pack import CharRows, Pack, make_pack
from fontgan.errors import RunError
from fontgan.generate.inference import Run
from fontgan.metrics.structure import StrokeErrorClassifier, fit_gate
from fontgan.models.predict import draw_glyphs
from fontgan.runtime.device import autocast
from fontgan.runtime.files import cache_folder
from fontgan.runtime.subsample import subsample_evenly
from fontgan.values import pixels_from_image

AT_ONCE = 256  # pairs: as images in memory, they are many times larger than in the pack
MEAN_OF = 1024  # glyphs behind a mean glyph, at most
NEAREST_PX = 32  # side at which the nearest glyph is looked for

Pair = tuple[str, str]  # style, character


@dataclass
class GlyphSet:
    """Drawn and true glyphs, pair by pair.  Images are (N, size, size) uint8, 0 ink .. 255 paper."""

    size: int
    names: list[Pair]
    drawn: np.ndarray
    truth: np.ndarray
    source: np.ndarray | None  # what was drawn from, where that is known
    baseline: dict[str, np.ndarray]  # what could be drawn without learning anything
    em_px: dict[str, float] = field(default_factory=dict)  # style -> side of its em; the images' where it is not said
    gates: dict[str, StrokeErrorClassifier] = field(default_factory=dict)  # a style of too few glyphs has none
    trained: GlyphSet | None = None  # as many characters that the run was trained on; None for folders
    missing: dict[str, list[str]] = field(default_factory=dict)  # style -> characters that only the true glyphs have
    extra: dict[str, list[str]] = field(default_factory=dict)  # style -> characters that only the drawn glyphs have
    notes: list[str] = field(default_factory=list)  # what a reader of the numbers must know

    @property
    def rows(self) -> dict[str, list[int]]:
        """Style -> places of its pairs."""
        found = defaultdict(list)
        for row, (style, _) in enumerate(self.names):
            found[style].append(row)
        return found

    @property
    def em_of_each(self) -> np.ndarray:
        """(N,) the side of each pair's em in pixels."""
        return np.array([self.em_px.get(style, self.size) for style, _ in self.names])

    @property
    def styles(self) -> list[str]:
        return list(self.rows)

    @property
    def expected(self) -> np.ndarray:
        """The shapes the glyphs should have: their sources, or where these are not known the true glyphs."""
        return self.truth if self.source is None else self.source


def glyph_set_of_run(run: Run, *, seed: int = 1) -> GlyphSet:
    """Draws a run's held-out characters in all the styles it was trained on.

    Args:
        seed: of the errors planted to calibrate the structure gates.
    Raises: RunError if its glyphs have changed, or nothing is held out.
    """
    pack = pack_of(run)
    found = draw_pairs(run, pack, held_out_pairs(run, pack))
    found.trained = draw_pairs(run, pack, pairs_of(pack, subsample_evenly(pack.trained, len(pack.held_out))))
    for style in found.styles:
        trained = [char for char in pack.trained if char in pack.rows[style]]
        add_gate(
            found,
            style,
            rows_of(pack, pack.source_rows(style), trained),
            rows_of(pack, pack.rows[style], trained),
            seed,
        )
    return found


def held_out_pairs(run: Run, pack: Pack) -> list[Pair]:
    """The held-out characters in each style. Raises: RunError if there are none."""
    pairs = pairs_of(pack, pack.held_out)
    if not pairs:
        says = "no character is held out, so nothing unseen can be measured. Train with data.holdout=0.1."
        raise RunError(f"{run.checkpoint.folder}: {says}")
    return pairs


def draw_pairs(run: Run, pack: Pack, pairs: Sequence[Pair]) -> GlyphSet:
    """Draws some of a run's pairs."""
    compute = autocast(run.device, run.precision)
    draw = partial(draw_glyphs, run.generator, device=run.device, autocast=compute, batch_size=run.batch_size)
    batches = (collate_pairs(pack, pairs[start : start + AT_ONCE]) for start in range(0, len(pairs), AT_ONCE))
    drawn = [pixels_from_image(draw(batch.inputs, batch.style)[:, 0]).numpy() for batch in batches]
    source = pack.pixels[[pack.source_rows(style)[char] for style, char in pairs]]
    means = {style: _mean_training_glyph(pack, style) for style in pack.styles}
    baseline = {
        "copy_source": source,
        "blank_page": np.full_like(source, 255),
        "mean_glyph": np.stack([means[style] for style, _ in pairs]),
        "nearest_glyph": _nearest_training_glyphs(pack, pairs),
    }
    truth = pack.pixels[[pack.rows[style][char] for style, char in pairs]]
    em_px = {style: run.canvases[style].scale for style in pack.styles}
    return GlyphSet(pack.size, list(pairs), np.concatenate(drawn), truth, source, baseline, em_px)


def pack_of(run: Run) -> Pack:
    """The pack a run was trained on, made again if the cache no longer has it.

    Raises: RunError if its glyphs have changed since.
    """
    # Into the user's own cache: a run may be a stranger's, and what ``data.cache`` says there is no place to write to.
    config = load_config(run.checkpoint.folder / "config.yaml")
    canvases = run.canvases if config.get("init_from") else None
    pack = make_pack(build_plan(config, canvases), cache_folder(None)).for_model(run.styles)
    if pack.path.name != run.checkpoint.metadata.get("pack"):
        says = "its glyphs have changed since the training (a font, a folder or the way they are drawn)."
        raise RunError(f"{run.checkpoint.folder}: {says} Bring the old files back, or train again.")
    return pack


def rows_of(pack: Pack, rows: CharRows, chars: Sequence[str]) -> np.ndarray:
    """The glyphs of some characters, (N, size, size)."""
    return pack.pixels[[rows[char] for char in chars]]


def _mean_training_glyph(pack: Pack, style: str) -> np.ndarray:
    """(size, size) uint8; paper if there is none."""
    chars = subsample_evenly([char for char in pack.trained if char in pack.rows[style]], MEAN_OF)
    mean = rows_of(pack, pack.rows[style], chars).mean(axis=0) if chars else np.full((pack.size, pack.size), 255)
    return np.rint(mean).astype(np.uint8)


def _nearest_training_glyphs(pack: Pack, pairs: Sequence[Pair]) -> np.ndarray:
    """For each pair the style's glyph of the training character whose source differs least; paper if there is none."""
    step = max(1, pack.size // NEAREST_PX)
    found = np.full((len(pairs), pack.size, pack.size), 255, np.uint8)
    for style in pack.styles:
        sources, rows = pack.source_rows(style), pack.rows[style]
        chars = subsample_evenly([char for char in pack.trained if char in rows], MEAN_OF)
        small = rows_of(pack, sources, chars)[:, ::step, ::step].astype(np.int16)
        for place, (_, char) in enumerate(pairs):
            others = [i for i, one in enumerate(chars) if one != char]
            if pairs[place][0] == style and others:
                own = pack.pixels[sources[char]][::step, ::step]
                apart = np.abs(small[others] - own).sum(axis=(1, 2))
                found[place] = pack.pixels[rows[chars[others[int(apart.argmin())]]]]
    return found


def add_gate(glyphs: GlyphSet, style: str, expected: np.ndarray, right: np.ndarray, seed: int) -> None:
    try:
        glyphs.gates[style] = fit_gate(expected, right, seed=seed)
    except ValueError as error:
        glyphs.notes.append(f"{style}: no structure confidence: {error}")
