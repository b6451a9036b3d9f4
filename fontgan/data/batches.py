"""Pack -> batches of pairs, drawn by a seeded permutation that any step can be reached in directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fontgan.data.augment import Augmentation, move
from fontgan.data.pack import SOURCE, Pack
from fontgan.data.pixel_store import PixelStore, Prefetch, choose_store, on_host
from fontgan.errors import DataError
from fontgan.values import image_from_pixels

CPU = torch.device("cpu")


@dataclass
class GlyphBatch:
    """Pairs of glyphs. Images are (B, 1, H, W) float32, -1 ink .. +1 paper; style weights are (B, styles)."""

    source: Tensor
    target: Tensor
    style: Tensor
    names: list[str]  # "style:character" of each pair, for messages
    references: Tensor | None = None  # (B, K, H, W): other glyphs of each pair's style, where it is read off them

    def to(self, device: torch.device, layout: torch.memory_format = torch.channels_last) -> GlyphBatch:
        return GlyphBatch(
            self.source.to(device, non_blocking=True).contiguous(memory_format=layout),
            self.target.to(device, non_blocking=True).contiguous(memory_format=layout),
            self.style.to(device, non_blocking=True),
            self.names,
            None if self.references is None else self.references.to(device, non_blocking=True),
        )


class Pairs:
    """The pairs of some characters in every style of a pack, style by style, as rows of the pack: (N,) int32."""

    def __init__(self, pack: Pack, chars: Sequence[str]):
        self.pack = pack
        source = pack.rows[SOURCE].find(chars)
        found = [pack.rows[style].find(chars) for style in pack.styles]
        self.source = np.concatenate([source[rows >= 0] for rows in found]).astype(np.int32)
        self.target = np.concatenate([rows[rows >= 0] for rows in found]).astype(np.int32)
        self.starts = np.cumsum([0, *((rows >= 0).sum() for rows in found)])  # of each style, and the end

    def __len__(self) -> int:
        return len(self.source)

    def named(self, places: np.ndarray) -> list[tuple[str, str]]:
        """(style, character) of the pairs at places (N,)."""
        styles, there = self.pack.styles, self.pack.rows[SOURCE]
        chars = (self.source[places] - there.first).tolist()
        return [(styles[i], there.chars[char]) for i, char in zip(self.style_of(places).tolist(), chars, strict=True)]

    def style_of(self, places: np.ndarray) -> np.ndarray:
        """(N,) indices into the styles, of the pairs at places (N,)."""
        return np.searchsorted(self.starts, places, side="right") - 1


@dataclass(eq=False)
class PairSampler:
    """The training pairs of a pack in a shuffled order that depends on the seed and the step alone.

    Counting glyphs from 0, glyph ``i`` is place ``i % n`` of epoch ``i // n``'s permutation; a resumed run
    asks for the step it stands at and gets what an undisturbed one would.
    Raises: DataError if a style has a single training character and references are asked for.
    """

    pack: Pack
    _: KW_ONLY
    batch_size: int  # pairs of a batch, over all processes that train together
    seed: int
    augment: Augmentation
    shots: int = 0  # references of each pair, see ``_references``
    device: torch.device = CPU  # where batches are wanted
    layout: torch.memory_format = torch.channels_last  # of their images, that of the network
    rank: int = 0  # among the processes; each gets its own, even part of what a single one would get
    world_size: int = 1
    store: InitVar[PixelStore | None] = None  # where the pixels come from; by default as ``choose_store`` decides

    def __post_init__(self, store: PixelStore | None) -> None:
        share = self.batch_size // self.world_size
        self._part = slice(self.rank * share, (self.rank + 1) * share)  # of every batch
        self.pairs = Pairs(self.pack, self.pack.trained)
        for style, count in zip(self.pack.styles, np.diff(self.pairs.starts).tolist(), strict=True):
            if self.shots and count < 2:
                why = "generator/style=reference reads the style off other characters than the one drawn"
                remedy = "Give it 2 or more, or use generator/style=film."
                raise DataError(f"style {style}: has {count} training character, and {why}. {remedy}")
        self._style_columns = np.array([self.pack.model_styles.index(style) for style in self.pack.styles])
        self._epoch, self._order = -1, np.empty(0, np.int32)
        self._store = store or choose_store(self.pack, self.device)
        self._prepared = Prefetch(self._prepare, ahead=self._store.ahead)

    def batch(self, index: int) -> GlyphBatch:
        """This process's part of the ``index``-th batch of the run, from 0, on the device."""
        fetched, maps, style, names, fetched_references = self._prepared.get(index)
        sources, targets = image_from_pixels(self._store.to_device(fetched)).chunk(2)
        both = torch.stack([sources, targets], dim=1)  # (B, 2, H, W): a pair moves as one
        if maps is not None:
            both = move(both, maps.to(self.device, non_blocking=True))
        references = None
        if fetched_references is not None:
            glyphs = image_from_pixels(self._store.to_device(fetched_references))
            references = glyphs.view(-1, self.shots, *glyphs.shape[1:])
        return GlyphBatch(both[:, :1], both[:, 1:], style, names, references).to(self.device, self.layout)

    def close(self) -> None:
        """Ends the thread that prepares batches, where there is one."""
        self._prepared.close()

    def _prepare(self, index: int) -> tuple[Tensor, Tensor | None, Tensor, list[str], Tensor | None]:
        """All that the host does for a batch. Draws for the whole of it, and keeps this process's part.

        Returns: the pixels of 2 B glyphs as the store fetched them, the sources, then the targets; (B, 2, 3)
            augmentation maps; (B, styles) style weights; the pairs' names; the pixels of B x K references.
        """
        places = self._places(index)
        mine = places[self._part]
        maps = references = None
        if self.augment.strength:
            maps = on_host(self.augment.draw(self.batch_size, _generator(self.seed, 2, index))[self._part], self.device)
        if self.shots:
            rows = self._references(places, _generator(self.seed, 3, index))
            references = self._store.load_host(rows[self._part].ravel())
        columns = torch.from_numpy(self._style_columns[self.pairs.style_of(mine)])
        return (
            self._store.load_host(np.concatenate([self.pairs.source[mine], self.pairs.target[mine]]).astype(np.int64)),
            maps,
            on_host(one_hot(columns, len(self.pack.model_styles)).float(), self.device),
            [f"{style}:{char}" for style, char in self.pairs.named(mine)],
            references,
        )

    def _places(self, index: int) -> np.ndarray:
        """Which pairs the ``index``-th batch of the run has, (B,), over all processes."""
        glyphs = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        epochs, places = np.divmod(glyphs, len(self.pairs))
        return np.concatenate([self._order_of(epoch)[places[epochs == epoch]] for epoch in np.unique(epochs).tolist()])

    def _order_of(self, epoch: int) -> np.ndarray:
        """An epoch's permutation of the pairs."""
        if epoch != self._epoch:
            order = torch.randperm(len(self.pairs), generator=_generator(self.seed, 1, epoch))
            self._epoch, self._order = epoch, order.numpy().astype(np.int32)
        return self._order

    def _references(self, places: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """(B, shots) rows: for each pair, training glyphs of its style, never the glyph that is to be drawn.

        Without repeats, unless the style has too few. Not augmented: how far a pair moves is seen from its source, and
        references that moved too would only blur where and how large the style writes.
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
    rows = pack.rows[style].find(pack.trained)
    return rows[rows >= 0].tolist()


def pairs_of(pack: Pack, chars: Sequence[str]) -> list[tuple[str, str]]:
    """(style, character) of every pair among ``chars``."""
    pairs = Pairs(pack, chars)
    return pairs.named(np.arange(len(pairs)))


def collate_pairs(pack: Pack, pairs: Sequence[tuple[str, str]]) -> GlyphBatch:
    """Reads pairs from the pack; the style weights are one-hot over the styles of its model."""
    sources = pack.pixels[[pack.rows[SOURCE][char] for _, char in pairs]]
    targets = pack.pixels[[pack.rows[style][char] for style, char in pairs]]
    styles = torch.tensor([pack.model_styles.index(style) for style, _ in pairs])
    return GlyphBatch(
        image_from_pixels(sources)[:, None],
        image_from_pixels(targets)[:, None],
        one_hot(styles, len(pack.model_styles)).float(),
        [f"{style}:{char}" for style, char in pairs],
    )


def _generator(*parts: int) -> torch.Generator:
    """Seeded by several numbers, so that neighbouring ones give unrelated streams."""
    seed = np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1)
    return torch.Generator().manual_seed(int(seed))
