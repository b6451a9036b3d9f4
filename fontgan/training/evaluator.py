"""Evaluation during a training: scores and contact sheets of the held-out characters."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fontgan.data.batches import GlyphBatch, collate_pairs, pairs_of
from fontgan.data.pack import SOURCE, Pack
from fontgan.metrics.pixels import BASELINES, blank, scores
from fontgan.models.predict import draw_glyphs
from fontgan.models.unet import UnetGenerator
from fontgan.pictures.contact_sheet import SHEET_GREY, contact_sheet
from fontgan.runtime.distributed import all_gather, broadcast_, share_of
from fontgan.training.dead_channels import watched_channels
from fontgan.training.monitor import StyleCollapse
from fontgan.values import ink_from_image, pixels_from_image

if TYPE_CHECKING:
    from PIL import Image

SCORED_AT_ONCE = 64  # glyphs

Scores = dict[str, dict[str, float]]  # style -> score name -> value


class Evaluation(NamedTuple):
    """What was found on the held-out pairs, by style; {} where nothing is held out."""

    scores: Scores
    drawn: dict[str, StyleCollapse]
    dead: dict[int, tuple[int, int]]  # level -> dead channels and all channels


class Evaluator:
    """Scores the averaged generator on the held-out pairs, and draws some of them beside the truth.

    Where several processes train together, each scores its share of the glyphs, and all get the same answer.

    Args:
        sheet_chars: held-out characters on the sheet, 0 for no sheets.
    """

    def __init__(
        self,
        pack: Pack,
        generator: UnetGenerator,
        *,
        device: torch.device,
        autocast: Callable[[], torch.autocast],
        sheet_chars: int,
    ):
        self.pack = pack
        self.generator = generator
        self.draw = partial(draw_glyphs, generator, device=device, autocast=autocast)
        self.sheet_chars = self._choose_sheet_chars(sheet_chars)
        held_out = pairs_of(pack, pack.held_out)
        by_style = {style: [pair for pair in held_out if pair[0] == style] for style in pack.styles}
        self.pairs = {style: pairs for style, pairs in by_style.items() if pairs}

    # -- scores ---------------------------------------------------------------------------------

    def evaluate(self) -> Evaluation:
        """Scores every held-out pair. Returns: the same in every process."""
        # Batch norm has seen other glyphs in each process; what is scored is what the main one saves.
        broadcast_(self.generator.buffers())
        found, drawn = {}, {}
        with watched_channels(self.generator) as channels:
            for style, pairs in self.pairs.items():
                values = self._score(pairs, lambda batch: ink_from_image(self.draw(batch.source, batch.style)))
                finite = all(map(math.isfinite, values.values()))
                drawn[style] = StyleCollapse(len(pairs), values["blank"], values.pop("black"), finite)
                found[style] = values
        return Evaluation(found, drawn, channels.dead())

    @cached_property
    def baselines(self) -> dict[str, Scores]:
        """Scores of the baseline ways to draw the held-out pairs: baseline -> style -> score -> value."""
        found: dict[str, Scores] = {}
        for style, pairs in self.pairs.items():
            mean = self._mean_training_glyph(style)
            for name, draw in BASELINES.items():
                values = self._score(pairs, partial(_baseline_ink, draw, mean))
                del values["black"]
                found.setdefault(name, {})[style] = values
        return found

    def _score(self, pairs: list[tuple[str, str]], draw: Callable[[GlyphBatch], Tensor]) -> dict[str, float]:
        """Mean scores over pairs, a few at a time, so that memory does not grow with their number.

        Beside them ``black``, the share of glyphs with hardly any paper: those whose negative is ``blank``. Each process draws its share of them, and the totals of all are summed.
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
        return {name: sum(of_one[name] for of_one in everyone) / len(pairs) for name in everyone[0]}

    def _mean_training_glyph(self, style: str) -> Tensor:
        """(1, H, W) ink."""
        rows = [self.pack.rows[style][char] for char in self.pack.trained if char in self.pack.rows[style]]
        total = np.zeros((self.pack.size, self.pack.size))
        for start in range(0, len(rows), SCORED_AT_ONCE):
            total += self.pack.pixels[rows[start : start + SCORED_AT_ONCE]].sum(axis=0, dtype=np.float64)
        return torch.from_numpy(1 - total / (255 * max(1, len(rows)))).float()[None]

    # -- sheets ---------------------------------------------------------------------------------

    def sheet(self) -> Image.Image | None:
        """Source, and each style drawn and true, of the same held-out characters; None where no sheets are wanted."""
        if not self.sheet_chars:
            return None
        rows = [("source", [self._pixels(SOURCE, char) for char in self.sheet_chars])]
        for style in self.pack.styles:
            there = [char for char in self.sheet_chars if char in self.pack.rows[style]]
            if not there:
                continue
            batch = collate_pairs(self.pack, [(style, char) for char in there])
            drawn = dict(zip(there, pixels_from_image(self.draw(batch.source, batch.style)[:, 0]).numpy(), strict=True))
            true = {char: self._pixels(style, char) for char in there}
            empty = np.full((self.pack.size, self.pack.size), SHEET_GREY, np.uint8)
            for name, cells in (("drawn", drawn), ("true", true)):
                rows.append((f"{style} {name}", [cells.get(char, empty) for char in self.sheet_chars]))
        return contact_sheet(rows)

    def _pixels(self, style: str, char: str) -> np.ndarray:
        return self.pack.pixels[self.pack.rows[style][char]]

    def _choose_sheet_chars(self, count: int) -> list[str]:
        """Held-out characters spread over the charset, those that every style has first.

        Where nothing is held out, training characters: better than no picture at all.
        """
        held_out = self.pack.held_out
        in_all = [c for c in held_out if all(c in self.pack.rows[s] for s in self.pack.styles)]
        pool = in_all or held_out or self.pack.trained
        if len(pool) <= count:
            return pool
        return [pool[i * len(pool) // count] for i in range(count)]


def _baseline_ink(draw: Callable[[Tensor, Tensor], Tensor], mean: Tensor, batch: GlyphBatch) -> Tensor:
    return draw(ink_from_image(batch.source), mean)


def format_scores(found: Scores, baselines: dict[str, Scores]) -> str:
    """One line: each style's L1, RMSE and SSIM, in brackets the best of the baselines if there are any."""
    parts = []
    for style, values in found.items():
        texts = []
        for key, pick in (("l1", min), ("rmse", min), ("ssim", max)):
            best = pick((by_style[style][key] for by_style in baselines.values()), default=None)
            texts.append(f"{key} {values[key]:.3f}" + ("" if best is None else f" ({best:.3f})"))
        parts.append(f"{style}: {' '.join(texts)}" + (f", {values['blank']:.0%} blank" if values["blank"] else ""))
    return "; ".join(parts)
