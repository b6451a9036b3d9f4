"""Pairs <-> a folder of uint8 images, made once and found again by the hash of what is in it.

A pack is a folder ``<key>/`` with shards ``pixels-00000.npy``, ``pixels-00001.npy``, ..., each (rows, size, size)
uint8, 0 ink .. 255 paper, ``checksums.npy`` with the CRC-32 of each row, and ``index.json``: the manifest, the rows in
a shard, for the source and each style its characters in row order, and checksums of itself and of the other one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from fontgan.data.frame import Frame
from fontgan.data.manifest import Manifest, MemberName
from fontgan.data.pack_shards import HEADER_BYTES, SUMS, PixelRows, PixelWriter, rows_in_a_shard
from fontgan.data.pack_writer import PackJob, draw_rows
from fontgan.data.pairs import PairPlan, manifest
from fontgan.errors import DataError
from fontgan.runtime.checksums import FileSum, file_sum, read_sealed, sealed
from fontgan.runtime.files import atomic_write, replace_folder, shared_lock, sync_folder
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.progress import Bar
from fontgan.untrusted.plain_json import convert

log = logging.getLogger(__name__)

RECIPE = 1  # change it when the same plan would give other pixels: it is part of the key
FORMAT = 3  # of the folder
VERIFIED_AT_ONCE = 2**30  # bytes of pixels that are all read before a training starts; of more, each when it is needed
SOURCE = "source"


class PackIndex(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``index.json`` without its own sum."""

    format: int
    shard_rows: Annotated[int, Meta(ge=1)]
    rows: dict[MemberName, str]
    manifest: Manifest
    checksums: FileSum


class CharRows(Mapping[str, int]):
    """Character -> row of one member, without a dictionary: the characters' order says it."""

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
    rows: Mapping[str, CharRows]  # member name -> character -> row
    manifest: dict[str, Any]
    model_styles: tuple[str, ...]  # in the order of the style weights; more than ``styles`` after init_from

    @property
    def styles(self) -> list[str]:
        return [name for name in self.rows if name != SOURCE]

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


def member_frame(manifest: dict[str, Any], member: str) -> Frame:
    """The own cell of the source or of a style -> canvas pixels, as the manifest of a pack or run stores it."""
    entry = next(entry for entry in manifest["members"] if entry["name"] == member)
    return Frame.from_dict(entry["align"]).compose(Frame.from_dict(manifest["cell_to_canvas"]))


def pack_key(plan: PairPlan) -> str:
    """A hash of everything that shapes the pack: glyphs, characters, split, transforms, size."""
    chars = set(plan.chars)
    recipe = {
        "format": RECIPE,
        "size": plan.size,
        "canvas": plan.canvas.as_dict(),
        "chars": "".join(plan.chars),
        "held_out": "".join(plan.held_out),
        "members": [
            {
                "name": member.name,
                "align": member.align.as_dict(),
                "glyphs": member.glyphs.fingerprint([c for c in member.coverage.present if c in chars]),
            }
            for member in plan.members
        ],
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
    with (
        shared_lock(folder.parent),
        # What is left in it at the end is what had the pack's name before.
        TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True) as aside,
    ):
        _write(plan, Path(aside), workers)
        sync_folder(Path(aside))
        with quiet(__name__):  # what is damaged was told before
            if _intact(folder) is None:  # else it is another run's, that serves as well
                replace_folder(Path(aside), folder)
                sync_folder(folder.parent)
    log.info("packed %d characters into %s", len(plan.chars), folder)
    return open_pack(folder)


def _write(plan: PairPlan, folder: Path, workers: int | None) -> None:
    chars = set(plan.chars)
    drawn = {m.name: "".join(c for c in m.coverage.present if c in chars) for m in plan.members}
    parts = tuple((m.glyphs, drawn[m.name], plan.frame(m)) for m in plan.members)
    rows = sum(map(len, drawn.values()))
    writer = PixelWriter(folder, rows=rows, size=plan.size, shard_rows=rows_in_a_shard(plan.size))
    with Bar(total=rows, unit="glyph", desc="packing", leave=False) as bar:
        draw_rows(PackJob(parts, writer), workers=workers, progress=bar.update)
    write_index(folder, drawn, manifest(plan), writer.shard_rows)


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
        return None
    return pack


def open_pack(folder: Path) -> Pack:
    """Opens a pack without loading its pixels. Raises: DataError if it is damaged."""
    where, remedy = "index.json: ", "Delete that folder; it is made again."
    try:
        stored = read_sealed(folder / "index.json", FORMAT)
        index = convert(stored, PackIndex)
        where = ""
        firsts = [0, *accumulate(map(len, index.rows.values()))]
        # First, since their length is that of the rows: a wrong index must not cost time.
        sums = _read_sums(folder, index.checksums, firsts[-1])
        pixels = PixelRows(folder, rows=len(sums), size=index.manifest.size, shard_rows=index.shard_rows, sums=sums)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the pack is damaged ({where}{error}). {remedy}") from error
    rows = {name: CharRows(chars, first) for (name, chars), first in zip(index.rows.items(), firsts, strict=False)}
    return Pack(folder, pixels, rows, stored["manifest"], tuple(name for name in rows if name != SOURCE))


def _read_sums(folder: Path, listed: FileSum, rows: int) -> np.ndarray:
    """(rows,) uint32. Raises: ValueError or OSError if the file is not what the index says."""
    file = folder / SUMS
    if not file.stat().st_size == listed.bytes == HEADER_BYTES + 4 * rows:
        raise ValueError(f"{SUMS} is cut off or too long")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != listed.sha256:
        raise ValueError(f"{SUMS} does not fit its own checksum")
    return np.frombuffer(data, "<u4", offset=HEADER_BYTES)


def write_index(folder: Path, rows: Mapping[str, str], manifest: dict[str, Any], shard_rows: int) -> None:
    """Writes ``index.json``, last of a pack's files; ``rows`` are the characters of each member in row order."""
    sums = file_sum((folder / SUMS).read_bytes())
    index = {"format": FORMAT, "shard_rows": shard_rows, "rows": rows, "manifest": manifest, "checksums": sums}
    atomic_write(folder / "index.json", sealed(index))
