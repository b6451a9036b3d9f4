"""Pack -> batches of pairs, drawn by a seeded permutation that any step can be reached in directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from torch import Tensor

from fontgan.data.augment import Augmentation, move
from fontgan.data.pack import SOURCE, Pack
from fontgan.data.pixel_store import PixelStore, Prefetch, choose_store, on_host
from fontgan.errors import ConfigError, DataError
from fontgan.values import image_from_pixels

CPU = torch.device("cpu")


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

    def to(self, device: torch.device, layout: torch.memory_format = torch.channels_last) -> GlyphBatch:
        return GlyphBatch(
            self.source.to(device, non_blocking=True).contiguous(memory_format=layout),
            self.target.to(device, non_blocking=True).contiguous(memory_format=layout),
            self.style.to(device, non_blocking=True),
            self.names,
            None if self.references is None else self.references.to(device, non_blocking=True),
        )


class Pairs(Sequence[tuple[str, str]]):
    """The pairs of some characters in every style of a pack, as (style, character), held as arrays of rows.

    ``source`` and ``target`` are (N,) int32 rows of the pack; the pairs of style ``i`` are those from ``starts[i]`` to
    ``starts[i + 1]``.
    """

    def __init__(self, pack: Pack, chars: Sequence[str]):
        self.pack = pack
        self.styles = pack.styles
        source_rows = pack.rows[SOURCE].find(chars)
        sources, targets = [], []
        for style in self.styles:
            rows = pack.rows[style].find(chars)
            sources.append(source_rows[rows >= 0].astype(np.int32))
            targets.append(rows[rows >= 0].astype(np.int32))
        self.source, self.target = np.concatenate(sources), np.concatenate(targets)
        self.starts = np.cumsum([0, *map(len, targets)])

    def __len__(self) -> int:
        return len(self.source)

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[str, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self.named(np.array([place]))[0]

    def named(self, places: np.ndarray) -> list[tuple[str, str]]:
        """(style, character) of the pairs at places (N,)."""
        there = self.pack.rows[SOURCE]
        chars = (self.source[places] - there.first).tolist()
        return [
            (self.styles[i], there.chars[char]) for i, char in zip(self.style_of(places).tolist(), chars, strict=True)
        ]

    def style_of(self, places: np.ndarray) -> np.ndarray:
        """(N,) indices into the styles, of the pairs at places (N,)."""
        return np.searchsorted(self.starts, places, side="right") - 1


@dataclass
class _HostBatch:
    """What the host prepares of one batch: the pixels as the store fetched them, and all that is drawn at random."""

    pixels: Tensor  # of 2 B glyphs: the sources, then the targets
    maps: Tensor | None  # (B, 2, 3) augmentation
    style: Tensor  # (B, styles)
    names: list[str]
    references: Tensor | None  # of B x K glyphs


class PairSampler:
    """The training pairs of a pack in a shuffled order that depends on the seed and the step alone.

    Counting glyphs from 0, glyph ``i`` is place ``i % n`` of epoch ``i // n``'s permutation; a resumed run
    asks for the step it stands at and gets what an undisturbed one would.

    Args:
        batch_size: pairs of a batch, over all processes that train together.
        shots: references of each pair, see ``_references``; 0 gives none.
        device: where batches are wanted.
        layout: of their images in memory, that of the network.
        rank, world_size: of the processes that train together; each gets its own part of every batch, and
            together they get what a single one would.
        store: where the pixels come from; by default as ``choose_store`` decides.
    Raises: ConfigError if the processes cannot share a batch evenly; DataError if a style has a single training
        character and references are asked for.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        batch_size: int,
        seed: int,
        augment: Augmentation,
        shots: int = 0,
        device: torch.device = CPU,
        layout: torch.memory_format = torch.channels_last,
        rank: int = 0,
        world_size: int = 1,
        store: PixelStore | None = None,
    ):
        if batch_size % world_size:
            raise ConfigError(
                f"trainer.batch_size={batch_size}: {world_size} processes cannot share it evenly. "
                f"Choose a multiple of {world_size}."
            )
        self.pack = pack
        self.batch_size = batch_size
        self.seed = seed
        self.augment = augment
        self.shots = shots
        self.device = device
        self.layout = layout
        share = batch_size // world_size
        self.part = slice(rank * share, (rank + 1) * share)  # of every batch
        self.pairs = Pairs(pack, pack.trained)
        for style, count in zip(self.pairs.styles, np.diff(self.pairs.starts).tolist(), strict=True):
            if shots and count < 2:
                raise DataError(
                    f"style {style}: has {count} training character, and generator/style=reference reads the style "
                    "off other characters than the one drawn. Give it 2 or more, or use generator/style=film."
                )
        self._style_columns = np.array([pack.model_styles.index(style) for style in self.pairs.styles])
        self._epoch = -1
        self._order = np.empty(0, np.int32)
        self.store = store or choose_store(pack, device)
        self._recipes = Prefetch(self._prepare, ahead=self.store.ahead)

    def batch(self, index: int) -> GlyphBatch:
        """This process's part of the ``index``-th batch of the run, from 0, on the device."""
        recipe = self._recipes.get(index)
        pixels = image_from_pixels(self.store.to_device(recipe.pixels))
        both = torch.stack(pixels.chunk(2), dim=1)  # (B, 2, H, W): a pair moves as one
        if recipe.maps is not None:
            both = move(both, recipe.maps.to(self.device, non_blocking=True))
        references = None
        if recipe.references is not None:
            glyphs = image_from_pixels(self.store.to_device(recipe.references))
            references = glyphs.view(-1, self.shots, *glyphs.shape[1:])
        return GlyphBatch(both[:, :1], both[:, 1:], recipe.style, recipe.names, references).to(self.device, self.layout)

    def close(self) -> None:
        """Ends the thread that prepares batches, where there is one."""
        self._recipes.close()

    def _prepare(self, index: int) -> _HostBatch:
        """All that the host does for a batch. Draws for the whole of it, and keeps this process's part."""
        places = self._places(index)
        mine = places[self.part]
        columns = torch.from_numpy(self._style_columns[self.pairs.style_of(mine)])
        maps = None
        if self.augment.strength:
            maps = self.augment.draw(self.batch_size, torch.Generator().manual_seed(_mix(self.seed, 2, index)))
            maps = on_host(maps[self.part], self.device)
        references = None
        if self.shots:
            rows = self._references(places, torch.Generator().manual_seed(_mix(self.seed, 3, index)))
            references = self.store.load_host(rows[self.part].ravel())
        return _HostBatch(
            self.store.load_host(np.concatenate([self.pairs.source[mine], self.pairs.target[mine]]).astype(np.int64)),
            maps,
            on_host(torch.nn.functional.one_hot(columns, len(self.pack.model_styles)).float(), self.device),
            [f"{style}:{char}" for style, char in self.pairs.named(mine)],
            references,
        )

    def _places(self, index: int) -> np.ndarray:
        """Which pairs the ``index``-th batch of the run has, (B,), over all processes."""
        parts, glyph, end = [], index * self.batch_size, (index + 1) * self.batch_size
        while glyph < end:
            epoch, place = divmod(glyph, len(self.pairs))
            parts.append(self._order_of(epoch)[place : place + end - glyph])
            glyph += len(parts[-1])
        return np.concatenate(parts)

    def _order_of(self, epoch: int) -> np.ndarray:
        """An epoch's permutation of the pairs."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(_mix(self.seed, 1, epoch))
            self._order = torch.randperm(len(self.pairs), generator=generator).numpy().astype(np.int32)
            self._epoch = epoch
        return self._order

    def _references(self, places: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """(B, shots) rows: for each pair, training glyphs of its style, never the glyph that is to be drawn.

        Without repeats, unless the style has too few. They are not augmented: a pair moves as one, and how far is
        seen from its source; references that moved too would only blur where and how large the style writes.
        """
        picked = []
        for pair, style in zip(places.tolist(), self.pairs.style_of(places).tolist(), strict=True):
            first = int(self.pairs.starts[style])
            others = int(self.pairs.starts[style + 1]) - first - 1
            if others >= self.shots:
                drawn = torch.randperm(others, generator=generator)[: self.shots]
            else:
                drawn = torch.randint(others, (self.shots,), generator=generator)
            drawn += drawn >= pair - first  # all places of the style but its own
            picked.append(self.pairs.target[first + drawn.numpy()])
        return np.stack(picked).astype(np.int64)


def training_rows(pack: Pack, style: str) -> list[int]:
    """The pack's rows of a style's training glyphs."""
    rows: list[int] = pack.rows[style].find(pack.trained).tolist()
    return [row for row in rows if row >= 0]


def pairs_of(pack: Pack, chars: Sequence[str]) -> list[tuple[str, str]]:
    """(style, character) of every pair among ``chars``."""
    there = {style: set(pack.rows[style]) for style in pack.styles}
    return [(style, char) for style in pack.styles for char in chars if char in there[style]]


def collate_pairs(pack: Pack, pairs: Sequence[tuple[str, str]]) -> GlyphBatch:
    """Reads pairs from the pack; the style weights are one-hot over the styles of its model."""
    source_rows = [pack.rows[SOURCE][char] for _, char in pairs]
    target_rows = [pack.rows[style][char] for style, char in pairs]
    styles = torch.tensor([pack.model_styles.index(style) for style, _ in pairs])
    return GlyphBatch(
        image_from_pixels(pack.pixels[source_rows])[:, None],
        image_from_pixels(pack.pixels[target_rows])[:, None],
        torch.nn.functional.one_hot(styles, len(pack.model_styles)).float(),
        [f"{style}:{char}" for style, char in pairs],
    )


def _mix(*parts: int) -> int:
    """One seed from several numbers, so that neighbouring ones give unrelated streams."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
