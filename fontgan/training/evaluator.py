"""Evaluation during a training: scores and contact sheets of the held-out characters."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fontgan.data.batches import GlyphBatch, collate_pairs, pairs_of
from fontgan.data.pack import Pack
from fontgan.metrics.pixels import BASELINES, blank, scores
from fontgan.models.unet import UnetGenerator
from fontgan.pictures.contact_sheet import SHEET_GREY, contact_sheet
from fontgan.runtime.distributed import all_gather, broadcast_, share_of
from fontgan.runtime.subsample import subsample_evenly
from fontgan.training.dead_channels import watched_channels
from fontgan.training.monitor import StyleCollapse
from fontgan.values import ink_from_image, pixels_from_image

SCORED_AT_ONCE = 64  # glyphs
FEW_STYLES, WORST = 8, 3  # more styles than that are told of by their mean and the worst of them

Pair = tuple[str, str]  # style, character
Scores = dict[str, dict[str, float]]  # style -> score name -> value


@dataclass(eq=False)
class Evaluator:
    """Scores the averaged generator on the held-out pairs, and draws some of them beside the truth.

    Where several processes train together, each scores its share of the glyphs, and all get the same answer.
    """

    pack: Pack
    generator: UnetGenerator
    draw: Callable[[Tensor, Tensor], Tensor]  # inputs and style weights -> images, as ``draw_glyphs`` does
    num_sheet_chars: int  # held-out characters on the sheet, 0 for no sheets
    num_sheet_styles: int = 8  # styles on the sheet, of all from all over

    def __post_init__(self) -> None:
        self.pairs: dict[str, list[Pair]] = {}  # by style
        for pair in pairs_of(self.pack, self.pack.held_out):
            self.pairs.setdefault(pair[0], []).append(pair)

    def evaluate(self) -> tuple[Scores, dict[str, StyleCollapse], dict[int, tuple[int, int]]]:
        """Draws every held-out pair. Returns: scores and collapses by style, {} where nothing is held out; and level ->
        dead channels and all channels."""
        # Batch norm has seen other glyphs in each process; what is scored is what the main one saves.
        broadcast_(self.generator.buffers())
        found, drawn = {}, {}
        with watched_channels(self.generator) as channels:
            for style, pairs in self.pairs.items():
                found[style], black = self._score(pairs, lambda of: ink_from_image(self.draw(of.inputs, of.style)))
                finite = all(map(math.isfinite, found[style].values()))
                drawn[style] = StyleCollapse(len(pairs), found[style]["blank"], black, finite)
        return found, drawn, channels.dead()

    @cached_property
    def baselines(self) -> dict[str, Scores]:
        """Scores of the baseline ways to draw the held-out pairs: baseline -> style -> score -> value."""
        found: dict[str, Scores] = {name: {} for name in BASELINES} if self.pairs else {}
        for style, pairs in self.pairs.items():
            mean = self._mean_training_glyph(style)
            for name, draw in BASELINES.items():
                found[name][style], _ = self._score(pairs, partial(_baseline_ink, draw, mean))
        return found

    def _score(self, pairs: list[Pair], draw: Callable[[GlyphBatch], Tensor]) -> tuple[dict[str, float], float]:
        """Mean scores over pairs, and the share of black glyphs, with hardly any paper: their negative is ``blank``.

        Each process draws its share of them, a few at a time, so that memory does not grow with their number.
        """
        totals: dict[str, float] = {}
        mine = share_of(pairs)
        for start in range(0, len(mine), SCORED_AT_ONCE):
            batch = collate_pairs(self.pack, mine[start : start + SCORED_AT_ONCE])
            ink, truth = draw(batch), ink_from_image(batch.target)
            black = float(blank(1 - ink, 1 - truth).mean())
            for name, value in {**scores(ink, truth), "black": black}.items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.names)
        everyone = [of_one for of_one in all_gather(totals) if of_one]  # of few pairs, a process may have none
        means = {name: sum(of_one[name] for of_one in everyone) / len(pairs) for name in everyone[0]}
        return means, means.pop("black")

    def _mean_training_glyph(self, style: str) -> Tensor:
        """(1, H, W) ink."""
        rows = [self.pack.rows[style][char] for char in self.pack.trained if char in self.pack.rows[style]]
        total = np.zeros((self.pack.size, self.pack.size))
        for start in range(0, len(rows), SCORED_AT_ONCE):
            total += self.pack.pixels[rows[start : start + SCORED_AT_ONCE]].sum(axis=0, dtype=np.float64)
        return torch.from_numpy(1 - total / (255 * max(1, len(rows)))).float()[None]

    def sheet(self) -> Image.Image | None:
        """Source, and each style drawn and true, of the same held-out characters; None where no sheets are wanted."""
        if not self.sheet_chars:
            return None
        empty = np.full((self.pack.size, self.pack.size), SHEET_GREY, np.uint8)
        sources = [self._source(char) for char in self.sheet_chars]
        rows = [("source", [empty if source is None else source for source in sources])]
        for style in subsample_evenly(self.pack.styles, self.num_sheet_styles):
            there = [char for char in self.sheet_chars if char in self.pack.rows[style]]
            if there:
                batch = collate_pairs(self.pack, [(style, char) for char in there])
                drawn = pixels_from_image(self.draw(batch.inputs, batch.style)[:, 0]).numpy()
                for name, glyphs in (("drawn", drawn), ("true", self._pixels(style, there))):
                    cells = dict(zip(there, glyphs, strict=True))
                    rows.append((f"{style} {name}", [cells.get(char, empty) for char in self.sheet_chars]))
        return contact_sheet(rows)

    def _pixels(self, style: str, chars: list[str]) -> list[np.ndarray]:
        return [self.pack.pixels[self.pack.rows[style][char]] for char in chars]

    def _source(self, char: str) -> np.ndarray | None:
        """As the first style that has the character is drawn from it."""
        found = (self.pack.source_rows(style) for style in self.pack.styles if char in self.pack.rows[style])
        rows = next(found, None)
        return None if rows is None else self.pack.pixels[rows[char]]

    @cached_property
    def sheet_chars(self) -> list[str]:
        """Held-out characters spread over the charset, those that every style on it has first; else training characters."""
        held_out = self.pack.held_out
        shown = subsample_evenly(self.pack.styles, self.num_sheet_styles)
        in_all = [c for c in held_out if all(c in self.pack.rows[s] for s in shown)]
        pool = in_all or held_out or self.pack.trained
        count = min(self.num_sheet_chars, len(pool))
        return [pool[i * len(pool) // count] for i in range(count)]


def _baseline_ink(draw: Callable[[Tensor, Tensor], Tensor], mean: Tensor, batch: GlyphBatch) -> Tensor:
    return draw(ink_from_image(batch.source), mean)


def format_scores(found: Scores, baselines: dict[str, Scores]) -> str:
    """One line: each style's L1, RMSE and SSIM, in brackets the best of the baselines if there are any.

    Of many styles it has the mean, and those of the lowest SSIM; the run's files have them all.
    """
    parts = []
    if len(found) > FEW_STYLES:
        worst = sorted(found, key=lambda style: found[style]["ssim"])[:WORST]
        mean = f"mean of {len(found)} styles"
        found, *baselines_named = (
            {mean: mean_scores(of)} | {style: of[style] for style in worst} for of in (found, *baselines.values())
        )
        baselines = dict(zip(baselines, baselines_named, strict=True))
    for style, values in found.items():
        texts = []
        for key, pick in (("l1", min), ("rmse", min), ("ssim", max)):
            best = pick((by_style[style][key] for by_style in baselines.values()), default=None)
            texts.append(f"{key} {values[key]:.3f}" + ("" if best is None else f" ({best:.3f})"))
        parts.append(f"{style}: {' '.join(texts)}" + (f", {values['blank']:.0%} blank" if values["blank"] else ""))
    return "; ".join(parts)


def mean_scores(found: Scores) -> dict[str, float]:
    """Of every score the mean over the styles."""
    return {key: sum(values[key] for values in found.values()) / len(found) for key in next(iter(found.values()))}
