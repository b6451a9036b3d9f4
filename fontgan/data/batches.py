"""Pack -> batches of pairs, drawn by a seeded permutation that any step can be reached in directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fontgan.data.augment import Augmentation, move
from fontgan.data.pack import CharRows, Pack
from fontgan.data.pixel_store import PixelStore, Prefetch, choose_store, on_host
from fontgan.errors import DataError
from fontgan.runtime.accelerator import to_device
from fontgan.values import image_from_pixels

CPU = torch.device("cpu")
PAIR, FONT = "pair", "font"  # what may come equally often: every pair, or every style


@dataclass
class GlyphBatch:
    """Pairs of glyphs. Images are float32, -1 ink .. +1 paper; style weights are (B, styles)."""

    inputs: Tensor  # (B, 1 + guides, H, W): the source, then the guides, empty where they lack the character
    target: Tensor  # (B, 1, H, W)
    style: Tensor
    names: list[str]  # "style:character" of each pair, for messages
    references: Tensor | None = None  # (B, K, H, W): other glyphs of each pair's style, where it is read off them

    @property
    def source(self) -> Tensor:
        """(B, 1, H, W)"""
        return self.inputs[:, :1]

    def to(self, device: torch.device, layout: torch.memory_format = torch.channels_last) -> GlyphBatch:
        return GlyphBatch(
            to_device(self.inputs, device).contiguous(memory_format=layout),
            to_device(self.target, device).contiguous(memory_format=layout),
            to_device(self.style, device),
            self.names,
            None if self.references is None else to_device(self.references, device),
        )


class Pairs:
    """The pairs of some characters in every style of a pack, style by style, as rows of the pack.

    Attributes:
        target: (N,) int32.
        inputs: (N, 1 + guides) int32; -1 where a guide lacks the character.
        starts: of each style, and the end.
    """

    def __init__(self, pack: Pack, chars: Sequence[str]):
        self.pack = pack
        targets, inputs = [], []
        for style in pack.styles:
            rows = pack.rows[style].find(chars)
            there = [char for char, row in zip(chars, rows.tolist(), strict=True) if row >= 0]
            targets.append(rows[rows >= 0])
            inputs.append(input_rows(pack.inputs[style], there))
        self.target = np.concatenate(targets).astype(np.int32)
        self.inputs = np.concatenate(inputs).astype(np.int32)
        self.starts = np.cumsum([0, *map(len, targets)])

    def __len__(self) -> int:
        return len(self.target)

    def named(self, places: np.ndarray) -> list[tuple[str, str]]:
        """(style, character) of the pairs at places (N,)."""
        styles = [self.pack.styles[i] for i in self.style_of(places).tolist()]
        rows = self.target[places].tolist()
        return [
            (name, (own := self.pack.rows[name]).chars[row - own.first]) for name, row in zip(styles, rows, strict=True)
        ]

    def style_of(self, places: np.ndarray) -> np.ndarray:
        """(N,) indices into the styles, of the pairs at places (N,)."""
        return np.searchsorted(self.starts, places, side="right") - 1


def input_rows(inputs: Sequence[CharRows], chars: Sequence[str]) -> np.ndarray:
    """Rows of what characters are drawn from, (N, 1 + guides) int64; -1 where one lacks the character."""
    return np.stack([rows.find(chars) for rows in inputs], axis=1)


@dataclass(eq=False)
class PairSampler:
    """The training pairs of a pack in a shuffled order that depends on the seed and the step alone.

    Counting glyphs from 0, glyph ``i`` is place ``i % n`` of epoch ``i // n``'s permutation; a resumed run
    asks for the step it stands at and gets what an undisturbed one would.  Balanced by font, the permutation is one of
    the styles, and each of them goes through its own pairs by permutations of its own.
    Raises: DataError if a style has a single training character and references are asked for.
    """

    pack: Pack
    _: KW_ONLY
    batch_size: int  # pairs of a batch, over all processes that train together
    seed: int
    augment: Augmentation
    guide_dropout: float = 0.0  # probability that a pair goes without one of its guides, of each guide
    balance: str = PAIR  # PAIR or FONT
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
        self._orders: dict[int, tuple[int, np.ndarray]] = {}  # of each style, or -1: its epoch and permutation
        self._store = store or choose_store(self.pack, self.device)
        self._prepared = Prefetch(self._prepare, ahead=self._store.ahead)

    def batch(self, index: int) -> GlyphBatch:
        """This process's part of the ``index``-th batch of the run, from 0, on the device."""
        fetched, maps, style, names, fetched_references = self._prepared.get(index)
        glyphs = image_from_pixels(self._store.to_device(fetched))
        pairs = glyphs.view(len(names), -1, *glyphs.shape[1:])  # (B, inputs + 1, H, W): a pair moves as one
        if maps is not None:
            pairs = move(pairs, to_device(maps, self.device))
        references = None
        if fetched_references is not None:
            glyphs = image_from_pixels(self._store.to_device(fetched_references))
            references = glyphs.view(-1, self.shots, *glyphs.shape[1:])
        return GlyphBatch(pairs[:, :-1], pairs[:, -1:], style, names, references).to(self.device, self.layout)

    def close(self) -> None:
        """Ends the thread that prepares batches, where there is one."""
        self._prepared.close()

    def _prepare(self, index: int) -> tuple[Tensor, Tensor | None, Tensor, list[str], Tensor | None]:
        """All that the host does for a batch. Draws for the whole of it, and keeps this process's part.

        Returns: the pixels of B x (inputs + 1) glyphs as the store fetched them, each target after its inputs; (B, 2, 3)
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
        inputs = self.pairs.inputs[places]
        if self.guide_dropout and inputs.shape[1] > 1:
            drawn = torch.rand(len(places), inputs.shape[1] - 1, generator=_generator(self.seed, 4, index))
            inputs[:, 1:][drawn.numpy() < self.guide_dropout] = -1
        columns = torch.from_numpy(self._style_columns[self.pairs.style_of(mine)])
        rows = np.concatenate([inputs[self._part], self.pairs.target[mine, None]], axis=1)
        return (
            self._store.load_host(rows.astype(np.int64).ravel()),
            maps,
            on_host(one_hot(columns, len(self.pack.model_styles)).float(), self.device),
            [f"{style}:{char}" for style, char in self.pairs.named(mine)],
            references,
        )

    def _places(self, index: int) -> np.ndarray:
        """Which pairs the ``index``-th batch of the run has, (B,), over all processes."""
        glyphs = range(index * self.batch_size, (index + 1) * self.batch_size)
        if self.balance != FONT:
            return np.array([self._permuted(-1, len(self.pairs), glyph) for glyph in glyphs])
        starts, places = self.pairs.starts, []
        there = np.flatnonzero(np.diff(starts))  # styles that have pairs
        for glyph in glyphs:
            style = int(there[self._permuted(-1, len(there), glyph)])
            drawn_before = glyph // len(there)
            places.append(
                int(starts[style]) + self._permuted(style, int(starts[style + 1] - starts[style]), drawn_before)
            )
        return np.array(places)

    def _permuted(self, of: int, count: int, glyph: int) -> int:
        """Where the ``glyph``-th of an endless row of permutations of ``count`` things leads; -1: of all pairs or styles."""
        epoch, place = divmod(glyph, count)
        at, order = self._orders.get(of, (-1, np.empty(0, np.int32)))
        if at != epoch:
            drawn = torch.randperm(count, generator=_generator(self.seed, 1, epoch, *([] if of < 0 else [of])))
            order = drawn.numpy().astype(np.int32)
            self._orders[of] = epoch, order
        return int(order[place])

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
    inputs = np.array([[rows.get(char, -1) for rows in pack.inputs[style]] for style, char in pairs])
    targets = pack.pixels[[pack.rows[style][char] for style, char in pairs]]
    styles = torch.tensor([pack.model_styles.index(style) for style, _ in pairs])
    return GlyphBatch(
        image_from_pixels(pack.pixels.take(inputs)),
        image_from_pixels(targets)[:, None],
        one_hot(styles, len(pack.model_styles)).float(),
        [f"{style}:{char}" for style, char in pairs],
    )


def _generator(*parts: int) -> torch.Generator:
    """Seeded by several numbers, so that neighbouring ones give unrelated streams."""
    seed = np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1)
    return torch.Generator().manual_seed(int(seed))
