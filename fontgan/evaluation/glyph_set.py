"""What is measured: drawn glyphs with the true ones.  Here those of a run; ``folder_pairs`` makes them of two folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fontgan.config.data_plan import build_plan
from fontgan.config.saved import load_config
from fontgan.data.batches import collate_pairs, pairs_of
from fontgan.data.frame import Frame
from fontgan.data.pack import SOURCE, Pack, make_pack
from fontgan.errors import RunError
from fontgan.generate.inference import Run, load
from fontgan.metrics.structure import StrokeErrorClassifier, fit_gate
from fontgan.models.predict import draw_glyphs
from fontgan.runtime.device import autocast
from fontgan.runtime.files import cache_folder
from fontgan.runtime.subsample import subsample_evenly
from fontgan.values import pixels_from_image

log = logging.getLogger(__name__)

AT_ONCE = 256  # pairs: as images in memory, they are many times larger than in the pack
MEAN_OF = 1024  # glyphs behind a mean glyph, at most

Pair = tuple[str, str]  # style, character


@dataclass
class GlyphSet:
    """Drawn and true glyphs, pair by pair.  Images are (N, size, size) uint8, 0 ink .. 255 paper.

    Args:
        names: style and character of each pair.
        source: what was drawn from, or None where that is not known.
        baseline: what could be drawn without learning anything: name -> (N, size, size).
        gates: what tells wrong strokes in a style; a style with too few glyphs to fit on has none.
        trained: as many characters that the run was trained on, to compare with; None for folders.
        missing, extra: style -> characters that only the true, only the drawn glyphs have.
        notes: what a reader of the numbers must know.
    """

    size: int
    names: list[Pair]
    drawn: np.ndarray
    truth: np.ndarray
    source: np.ndarray | None
    baseline: dict[str, np.ndarray]
    gates: dict[str, StrokeErrorClassifier] = field(default_factory=dict)
    trained: GlyphSet | None = None
    missing: dict[str, list[str]] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def styles(self) -> list[str]:
        return list(dict.fromkeys(style for style, _ in self.names))

    @property
    def expected(self) -> np.ndarray:
        """The shapes the glyphs should have: their sources, or where these are not known the true glyphs."""
        return self.truth if self.source is None else self.source


# -- a run ----------------------------------------------------------------------------------


def glyph_set_of_run(
    run: Path,
    *,
    which: str = "best",
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "auto",
    seed: int = 1,
) -> GlyphSet:
    """Draws a run's held-out characters in all the styles it was trained on.

    Args:
        seed: of the errors planted to calibrate the structure gates.
    Raises: RunError if there is no usable checkpoint, its glyphs have changed, or nothing is held out.
    """
    loaded = load(run, which=which, batch_size=batch_size, device=device, precision=precision)
    pack = pack_of(loaded)
    found = draw_pairs(loaded, pack, held_out_pairs(loaded, pack))
    found.trained = draw_pairs(loaded, pack, pairs_of(pack, subsample_evenly(pack.trained, len(pack.held_out))))
    for style in found.styles:
        trained = pairs_of_style(pack, style, pack.trained)
        expected, right = rows_of(pack, SOURCE, trained), rows_of(pack, style, trained)
        add_gate(found, style, expected, right, seed)
    return found


def held_out_pairs(run: Run, pack: Pack) -> list[Pair]:
    """The held-out characters in each style. Raises: RunError if there are none."""
    pairs = pairs_of(pack, pack.held_out)
    if not pairs:
        raise RunError(
            f"{run.checkpoint.folder}: no character is held out, so nothing unseen can be measured. "
            "Train with data.holdout=0.1."
        )
    return pairs


def draw_pairs(run: Run, pack: Pack, pairs: Sequence[Pair]) -> GlyphSet:
    """Draws some of a run's pairs."""
    drawn, compute = [], autocast(run.device, run.precision)
    for start in range(0, len(pairs), AT_ONCE):
        batch = collate_pairs(pack, pairs[start : start + AT_ONCE])
        images = draw_glyphs(
            run.generator, batch.source, batch.style, device=run.device, autocast=compute, batch_size=run.batch_size
        )
        drawn.append(pixels_from_image(images[:, 0]).numpy())
    source = rows_of(pack, SOURCE, [char for _, char in pairs])
    means = {
        style: mean_glyph(rows_of(pack, style, subsample_evenly(pairs_of_style(pack, style, pack.trained), MEAN_OF)))
        for style in pack.styles
    }
    return GlyphSet(
        pack.size,
        list(pairs),
        np.concatenate(drawn),
        pack.pixels[[pack.rows[style][char] for style, char in pairs]],
        source,
        {
            "copy_source": source,
            "blank_page": np.full_like(source, 255),
            "mean_glyph": np.stack([means[style] for style, _ in pairs]),
        },
    )


def pack_of(run: Run) -> Pack:
    """The pack a run was trained on, made again if the cache no longer has it.

    The user's own cache: a run may be a stranger's, and what ``data.cache`` says there is no place to write to.

    Raises: RunError if its glyphs have changed since.
    """
    config = load_config(run.checkpoint.folder / "config.yaml")
    canvas = Frame.from_dict(run.manifest["cell_to_canvas"]) if config.get("init_from") else None
    pack = make_pack(build_plan(config, canvas), cache_folder(None)).for_model(run.styles)
    if pack.path.name != run.checkpoint.metadata.get("pack"):
        raise RunError(
            f"{run.checkpoint.folder}: its glyphs have changed since the training (a font, a folder or the way they are "
            "drawn). Bring the old files back, or train again."
        )
    return pack


def pairs_of_style(pack: Pack, style: str, chars: Sequence[str]) -> list[str]:
    return [char for char in chars if char in pack.rows[style]]


def rows_of(pack: Pack, member: str, chars: Sequence[str]) -> np.ndarray:
    """The glyphs of some characters of the source or a style, (N, size, size)."""
    return pack.pixels[[pack.rows[member][char] for char in chars]]


def mean_glyph(glyphs: np.ndarray) -> np.ndarray:
    """(N, H, W) uint8 -> (H, W); paper if there is none."""
    if not len(glyphs):
        return np.full(glyphs.shape[1:], 255, np.uint8)
    return np.rint(glyphs.mean(axis=0)).astype(np.uint8)


def add_gate(glyphs: GlyphSet, style: str, expected: np.ndarray, right: np.ndarray, seed: int) -> None:
    try:
        glyphs.gates[style] = fit_gate(expected, right, seed=seed)
    except ValueError as error:
        glyphs.notes.append(f"{style}: no structure confidence: {error}")
