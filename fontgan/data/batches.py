"""Pack -> batches of pairs, drawn by a seeded permutation that any step can be reached in directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fontgan.data.augment import Augmentation
from fontgan.data.pack import SOURCE, Pack
from fontgan.errors import DataError

Thing = TypeVar("Thing")


@dataclass
class GlyphBatch:
    """Pairs of glyphs. Images are (B, 1, H, W) float32, -1 ink .. +1 paper; style weights are (B, styles)."""

    source: Tensor
    target: Tensor
    style: Tensor
    names: list[str]  # "style:character" of each pair, for messages
    references: Tensor | None = (
        None  # (B, K, H, W): other glyphs of each pair's style, where the style is read off them
    )

    def to(self, device: torch.device) -> GlyphBatch:
        return GlyphBatch(
            self.source.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last),
            self.target.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last),
            self.style.to(device, non_blocking=True),
            self.names,
            None if self.references is None else self.references.to(device, non_blocking=True),
        )


def to_image(pixels: np.ndarray) -> Tensor:
    """(..., H, W) uint8, 0 ink .. 255 paper -> (..., 1, H, W) float32, -1 ink .. +1 paper."""
    return torch.from_numpy(np.array(pixels)).float().div_(127.5).sub_(1).unsqueeze(-3)


def to_pixels(image: Tensor) -> np.ndarray:
    """(..., 1, H, W) image, -1 ink .. +1 paper -> (..., H, W) uint8, 0 ink .. 255 paper."""
    return image.detach().squeeze(-3).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


class PairSampler:
    """The training pairs of a pack in a shuffled order that depends on the seed and the step alone.

    Counting glyphs from 0, glyph ``i`` is place ``i % n`` of epoch ``i // n``'s permutation; a resumed run
    asks for the step it stands at and gets what an undisturbed one would.

    Args:
        shots: references of each pair, see ``_references``; 0 gives none.
    Raises: DataError if a style has a single training character and references are asked for.
    """

    def __init__(self, pack: Pack, *, batch_size: int, seed: int, augment: Augmentation, shots: int = 0):
        self.pack = pack
        self.batch_size = batch_size
        self.seed = seed
        self.augment = augment
        self.shots = shots
        self.pairs = pairs_of(pack, pack.trained)
        self._style_rows = {style: training_rows(pack, style) for style in pack.styles} if shots else {}
        for style, rows in self._style_rows.items():
            if len(rows) < 2:
                raise DataError(
                    f"style {style}: has {len(rows)} training character, and generator/style=reference reads the style "
                    "off other characters than the one drawn. Give it 2 or more, or use generator/style=film."
                )
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.long)

    def batch(self, index: int) -> GlyphBatch:
        """The ``index``-th batch of the run, from 0."""
        picked = []
        for glyph in range(index * self.batch_size, (index + 1) * self.batch_size):
            epoch, place = divmod(glyph, len(self.pairs))
            if epoch != self._epoch:
                order_generator = torch.Generator().manual_seed(_mix(self.seed, 1, epoch))
                self._order, self._epoch = torch.randperm(len(self.pairs), generator=order_generator), epoch
            picked.append(self.pairs[int(self._order[place])])
        batch = gather(self.pack, picked)
        both = torch.cat([batch.source, batch.target], dim=1)
        both = self.augment(both, torch.Generator().manual_seed(_mix(self.seed, 2, index)))
        batch.source, batch.target = both[:, :1], both[:, 1:]
        if self.shots:
            batch.references = self._references(picked, torch.Generator().manual_seed(_mix(self.seed, 3, index)))
        return batch

    def _references(self, pairs: Sequence[tuple[str, str]], generator: torch.Generator) -> Tensor:
        """(B, shots, H, W): for each pair, training glyphs of its style, never the glyph that is to be drawn.

        Without repeats, unless the style has too few. They are not augmented: a pair moves as one, and how far is
        seen from its source; references that moved too would only blur where and how large the style writes.
        """
        picked = []
        for style, char in pairs:
            rows = self._style_rows[style]
            own, others = rows.index(self.pack.rows[style][char]), len(rows) - 1
            if others >= self.shots:
                places = torch.randperm(others, generator=generator)[: self.shots]
            else:
                places = torch.randint(others, (self.shots,), generator=generator)
            picked.append([rows[place + (place >= own)] for place in places.tolist()])  # all places but its own
        return to_image(self.pack.pixels[picked]).squeeze(2)


def training_rows(pack: Pack, style: str) -> list[int]:
    """The pack's rows of a style's training glyphs."""
    return [pack.rows[style][char] for char in pack.trained if char in pack.rows[style]]


def pairs_of(pack: Pack, chars: Sequence[str]) -> list[tuple[str, str]]:
    """(style, character) of every pair among ``chars``."""
    return [(style, char) for style in pack.styles for char in chars if char in pack.rows[style]]


def spread_evenly(things: Sequence[Thing], count: int) -> list[Thing]:
    """At most ``count`` of them, from all over."""
    return list(things) if len(things) <= count else [things[i * len(things) // count] for i in range(count)]


def gather(pack: Pack, pairs: Sequence[tuple[str, str]]) -> GlyphBatch:
    """Reads pairs from the pack; the style weights are one-hot over the styles of its model."""
    source_rows = [pack.rows[SOURCE][char] for _, char in pairs]
    target_rows = [pack.rows[style][char] for style, char in pairs]
    styles = torch.tensor([pack.model_styles.index(style) for style, _ in pairs])
    return GlyphBatch(
        to_image(pack.pixels[source_rows]),
        to_image(pack.pixels[target_rows]),
        torch.nn.functional.one_hot(styles, len(pack.model_styles)).float(),
        [f"{style}:{char}" for style, char in pairs],
    )


def _mix(*parts: int) -> int:
    """One seed from several numbers, so that neighbouring ones give unrelated streams."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
