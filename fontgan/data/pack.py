"""Pairs <-> a folder of uint8 images, made once and found again by the hash of what is in it.

A pack is a folder ``<key>/`` with shards ``pixels-00000.npy``, ``pixels-00001.npy``, ..., each (rows, size, size)
uint8, 0 ink .. 255 paper, ``checksums.npy`` with the CRC-32 of each row, and ``index.json``: the manifest, the rows in
a shard, the blocks of rows with their characters, of each style the blocks of its glyphs and of what it is drawn from,
and checksums of itself and of the other one.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from msgspec import Meta, Struct

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.manifest import Chars, Manifest, StyleName, manifest
from fontgan.data.pack_shards import HEADER_BYTES, SUMS, PixelRows, PixelWriter, rows_in_a_shard
from fontgan.data.pack_writer import PackJob, draw_rows
from fontgan.data.plan import PairPlan, StyleInput
from fontgan.data.sources import STYLE_NAME
from fontgan.errors import DataError
from fontgan.runtime.checksums import FileSum, file_sum, read_sealed, sealed
from fontgan.runtime.files import (
    atomic_write,
    clear_all_dead_asides,
    replace_folder,
    sync_folder,
    temporary_sibling,
)  # fmt: skip
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.progress import Bar
from fontgan.untrusted.plain_json import convert

log = logging.getLogger(__name__)

RECIPE = 1  # change it when the same plan would give other pixels: it is part of the key
FORMAT = 4  # of the folder
VERIFIED_AT_ONCE = 2**30  # bytes of pixels that are all read before a training starts; of more, each when it is needed


# A style's own glyphs are called as it is; what styles are drawn from is numbered, since several may share it.
BlockName = Annotated[str, Meta(pattern=rf"{STYLE_NAME}|^/\d+\Z")]


class PackIndex(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``index.json`` without its own sum."""

    format: int
    shard_rows: Annotated[int, Meta(ge=1)]
    blocks: dict[BlockName, Chars]
    styles: dict[StyleName, Annotated[list[BlockName], Meta(min_length=2)]]  # glyphs, source, guides
    manifest: Manifest
    checksums: FileSum

    def __post_init__(self) -> None:
        for name, blocks in self.styles.items():
            if unknown := [block for block in blocks if block not in self.blocks]:
                raise ValueError(f"style {name} has no block {unknown[0]}")
            if len(blocks) != len(self.manifest.guides) + 2:
                raise ValueError(f"style {name} has {len(blocks)} blocks, not {len(self.manifest.guides) + 2}")


class CharRows(Mapping[str, int]):
    """Character -> row of one block, without a dictionary: the characters' order says it."""

    def __init__(self, chars: str, first: int):
        self.chars = chars  # in row order
        self.first = first  # row of the first

    def __getitem__(self, char: str) -> int:
        place = self.chars.find(char) if isinstance(char, str) and len(char) == 1 else -1
        if place < 0:
            raise KeyError(char)
        return self.first + place

    def __iter__(self) -> Iterator[str]:
        return iter(self.chars)

    def __len__(self) -> int:
        return len(self.chars)

    def find(self, chars: Sequence[str]) -> np.ndarray:
        """Rows of many characters at once, (N,) int64; -1 where there is none."""
        if not self.chars or not chars:
            return np.full(len(chars), -1)
        texts = (self.chars, "".join(chars))
        have, wanted = (np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32) for text in texts)
        order = np.argsort(have)
        places = order[np.searchsorted(have, wanted, sorter=order).clip(max=len(have) - 1)]
        return np.where(have[places] == wanted, self.first + places, -1)


@dataclass(frozen=True)
class Pack:
    path: Path
    pixels: PixelRows  # (rows, size, size) uint8
    rows: Mapping[str, CharRows]  # style -> character -> row of its glyph
    inputs: Mapping[str, list[CharRows]]  # style -> of its source, then of each guide, the same
    manifest: dict[str, Any]
    model_styles: tuple[str, ...]  # in the order of the style weights; more than ``styles`` after init_from

    @property
    def styles(self) -> list[str]:
        return list(self.rows)

    def source_rows(self, style: str) -> CharRows:
        return self.inputs[style][0]

    def for_model(self, styles: Sequence[str]) -> Pack:
        """The same glyphs for a model that knows these styles, those without glyphs here among them."""
        return replace(self, model_styles=tuple(styles))

    @property
    def size(self) -> int:
        return int(self.manifest["size"])

    @property
    def held_out(self) -> list[str]:
        return list(self.manifest["held_out"])

    @property
    def trained(self) -> list[str]:
        return list(self.manifest["trained"])


class Block(NamedTuple):
    """Rows of a pack: characters of a font or folder, drawn in one frame."""

    glyphs: GlyphSource
    chars: str  # in row order
    frame: Frame  # own cell -> canvas pixels


def plan_blocks(plan: PairPlan) -> tuple[dict[str, Block], dict[str, list[str]]]:
    """Name -> block, and style -> the names of the blocks of its glyphs, its source and its guides.

    What is drawn from the same font in the same frame is drawn once.
    """
    there = [set(style.coverage.present) for style in plan.styles]
    used: dict[tuple[int, Frame], list[tuple[StyleInput, set[str]]]] = {}  # with the characters that a style has of it
    for style, chars in zip(plan.styles, there, strict=True):
        for seen in style.inputs:
            used.setdefault((id(seen.entry), style.frame_of(seen)), []).append((seen, chars))
    blocks = {style.name: Block(style.glyphs, "".join(style.coverage.present), style.canvas) for style in plan.styles}
    names: dict[tuple[int, Frame], str] = {}
    for key, users in used.items():
        wanted = {char for seen, chars in users for char in seen.chars if char in chars}
        entry = users[0][0].entry
        names[key] = f"/{len(names)}"
        blocks[names[key]] = Block(entry.glyphs, "".join(c for c in entry.coverage.present if c in wanted), key[1])
    of_style = {
        style.name: [style.name, *(names[id(seen.entry), style.frame_of(seen)] for seen in style.inputs)]
        for style in plan.styles
    }
    return blocks, of_style


def pack_key(plan: PairPlan) -> str:
    """A hash of everything that shapes the pack: glyphs, characters, split, transforms, size."""
    blocks, of_style = plan_blocks(plan)
    recipe = {
        "format": RECIPE,
        "size": plan.size,
        "chars": "".join(plan.chars),
        "held_out": "".join(plan.held_out),
        "styles": of_style,
        "blocks": {
            name: [block.glyphs.fingerprint(list(block.chars)), block.chars, block.frame.as_dict()]
            for name, block in blocks.items()
        },
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:24]


def make_pack(plan: PairPlan, cache: Path, *, workers: int | None = None) -> Pack:
    """Finds the plan's pack in the cache, or draws it there, by ``workers`` processes as ``draw_rows`` takes them.

    It is written aside and renamed, so a pack is whole or not there, and two runs that make the same one at
    once both end with it. One that is damaged is named in the log and made again.
    Raises: OSError if the cache cannot be written; DataError if a glyph cannot be drawn.
    """
    folder = cache / "packs" / pack_key(plan)
    pack = _intact(folder)
    if pack is not None:
        log.info("found the glyphs packed in %s", folder)
        return replace(pack, manifest=manifest(plan))  # which may know more than when it was packed
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear_all_dead_asides(folder.parent)
    with temporary_sibling(folder) as aside:  # at the end what had the pack's name before is in it
        fresh = aside / "pack"
        fresh.mkdir()
        _write(plan, fresh, workers)
        sync_folder(fresh)
        with quiet(__name__):  # what is damaged was told before
            if _intact(folder) is None:  # else it is another run's, that serves as well
                replace_folder(fresh, folder)
                sync_folder(folder.parent)
    log.info("packed %d characters into %s", len(plan.chars), folder)
    return open_pack(folder)


def _write(plan: PairPlan, folder: Path, workers: int | None) -> None:
    blocks, of_style = plan_blocks(plan)
    rows = sum(len(block.chars) for block in blocks.values())
    writer = PixelWriter(folder, rows=rows, size=plan.size, shard_rows=rows_in_a_shard(plan.size))
    with closing(writer), Bar(total=rows, unit="glyph", desc="packing", leave=False) as bar:
        draw_rows(PackJob(tuple(blocks.values()), writer), workers=workers, progress=bar.update)
    chars = {name: block.chars for name, block in blocks.items()}
    write_index(folder, chars, of_style, manifest(plan), writer.shard_rows)


def _intact(folder: Path) -> Pack | None:
    """The pack in a folder; None, and what is wrong in the log, if it is damaged, or not there."""
    if not folder.is_dir():
        return None
    try:
        pack = open_pack(folder)
        if pack.pixels.nbytes <= VERIFIED_AT_ONCE:
            pack.pixels.verify()
    except DataError as error:
        log.warning("%s", re.sub("Delete (that|its) folder; it", "It", str(error)))
        gc.collect()  # the error may hold files of it open, and Windows replaces no folder of these
        return None
    return pack


def open_pack(folder: Path) -> Pack:
    """Opens a pack without loading its pixels. Raises: DataError if it is damaged."""
    where, remedy = "index.json: ", "Delete that folder; it is made again."
    try:
        stored = read_sealed(folder / "index.json", FORMAT)
        index = convert(stored, PackIndex)
        where = ""
        firsts = [0, *accumulate(map(len, index.blocks.values()))]
        # First, since their length is that of the rows: a wrong index must not cost time.
        sums = _read_sums(folder, index.checksums, firsts[-1])
        pixels = PixelRows(folder, rows=len(sums), size=index.manifest.size, shard_rows=index.shard_rows, sums=sums)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the pack is damaged ({where}{error}). {remedy}") from error
    blocks = {name: CharRows(chars, first) for (name, chars), first in zip(index.blocks.items(), firsts, strict=False)}
    rows = {style: blocks[names[0]] for style, names in index.styles.items()}
    inputs = {style: [blocks[name] for name in names[1:]] for style, names in index.styles.items()}
    return Pack(folder, pixels, rows, inputs, stored["manifest"], tuple(rows))


def _read_sums(folder: Path, listed: FileSum, rows: int) -> np.ndarray:
    """(rows,) uint32. Raises: ValueError or OSError if the file is not what the index says."""
    file = folder / SUMS
    if not file.stat().st_size == listed.bytes == HEADER_BYTES + 4 * rows:
        raise ValueError(f"{SUMS} is cut off or too long")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != listed.sha256:
        raise ValueError(f"{SUMS} does not fit its own checksum")
    return np.frombuffer(data, "<u4", offset=HEADER_BYTES)


def write_index(
    folder: Path,
    blocks: Mapping[str, str],
    styles: Mapping[str, Sequence[str]],
    manifest: dict[str, Any],
    shard_rows: int,
) -> None:
    """Writes ``index.json``, last of a pack's files.

    Args:
        blocks: name -> characters in row order.
        styles: name -> the blocks of its glyphs, its source and each guide.
    """
    sums = file_sum((folder / SUMS).read_bytes())
    index = {"format": FORMAT, "shard_rows": shard_rows, "blocks": blocks, "styles": styles, "manifest": manifest}
    atomic_write(folder / "index.json", sealed(index | {"checksums": sums}))
