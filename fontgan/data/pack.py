"""Pairs <-> a folder of uint8 images, made once and found again by the hash of what is in it.

A pack is a folder ``<key>/`` with shards ``pixels-00000.npy``, ``pixels-00001.npy``, ..., each (rows, size, size)
uint8, 0 ink .. 255 paper, ``checksums.npy`` with the CRC-32 of each row, and ``index.json``: the manifest, the rows in a
shard, for the source and each style its characters in row order, and checksums of itself and of the other one.  Pixels
are not read before they are asked for, and compared with their checksums whenever they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from tqdm import tqdm

from fontgan.data.frame import Frame
from fontgan.data.manifest import Manifest, MemberName
from fontgan.data.pack_shards import SUMS, PixelRows, rows_in_a_shard, shard_name
from fontgan.data.pack_writer import PackJob, PackPart, draw_rows
from fontgan.data.pairs import PairPlan, manifest
from fontgan.errors import DataError
from fontgan.runtime.checksums import FileSum, file_sum, read_sealed, sealed
from fontgan.runtime.files import atomic_write, replace_folder, shared_lock, sync_folder
from fontgan.runtime.log_setup import quiet
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
        have, wanted = _codes(self.chars), _codes("".join(chars))
        order = np.argsort(have)
        places = order[np.searchsorted(have, wanted, sorter=order).clip(max=len(have) - 1)]
        return np.where(have[places] == wanted, self.first + places, -1)


@dataclass(frozen=True)
class Pack:
    """An opened pack."""

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

    def frame(self, member: str) -> Frame:
        """The member's own cell -> canvas pixels."""
        return member_frame(self.manifest, member)


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
    """Finds the plan's pack in the cache, or draws it there.

    It is written aside and renamed, so a pack is whole or not there, and two runs that make the same one at
    once both end with it. One that is damaged is named in the log and made again.

    Args:
        workers: processes that draw, as ``draw_rows`` takes it; the pack is the same with any number.
    Raises: OSError if the cache cannot be written; DataError if a glyph cannot be drawn.
    """
    folder = cache / "packs" / pack_key(plan)
    pack = _intact(folder)
    if pack is not None:
        log.info("found the glyphs packed in %s", folder)
        return pack
    folder.parent.mkdir(parents=True, exist_ok=True)
    with shared_lock(folder.parent):
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(plan, aside, workers)
            sync_folder(aside)
            _put_in_place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)  # or what had its name before
    log.info("packed %d characters into %s", len(plan.chars), folder)
    return open_pack(folder)


def _intact(folder: Path) -> Pack | None:
    """The pack in a folder; None, and what is wrong in the log, if it is damaged, or not there."""
    if not folder.is_dir():
        return None
    try:
        pack = open_pack(folder)
        if pack.pixels.nbytes <= VERIFIED_AT_ONCE:
            pack.pixels.verify()
    except DataError as error:
        log.warning(
            "%s", str(error).replace("Delete that folder; it is", "It is").replace("Delete its folder; it is", "It is")
        )
        return None
    return pack


def _put_in_place(aside: Path, folder: Path) -> None:
    """Renames a pack that was just written; what has the name is damaged, or another run's that serves as well."""
    with quiet(__name__):  # what is damaged was told before
        if _intact(folder) is None:
            replace_folder(aside, folder)
            sync_folder(folder.parent)


def open_pack(folder: Path) -> Pack:
    """Opens a pack without loading its pixels. Raises: DataError if it is damaged."""
    try:
        stored = read_sealed(folder / "index.json", FORMAT)
        index = convert(stored, PackIndex)
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"index.json: {error}") from error
    rows: dict[str, CharRows] = {}
    total = 0
    for name, chars in index.rows.items():
        rows[name] = CharRows(chars, total)
        total += len(chars)
    try:
        # First, since their length is that of the rows: a wrong index must not cost time.
        sums = _read_sums(folder, index.checksums, total)
        files = [folder / shard_name(i) for i in range(-(-total // index.shard_rows))]
        pixels = PixelRows(files, rows=total, size=index.manifest.size, shard_rows=index.shard_rows, sums=sums)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, str(error)) from error
    return Pack(folder, pixels, rows, stored["manifest"], tuple(name for name in rows if name != SOURCE))


def _damaged(folder: Path, reason: str) -> DataError:
    return DataError(f"{folder}: the pack is damaged ({reason}). Delete that folder; it is made again.")


def _read_sums(folder: Path, listed: FileSum, rows: int) -> np.ndarray:
    """(rows,) uint32. Raises: ValueError or OSError if the file is not what the index says."""
    file = folder / SUMS
    if file.stat().st_size != listed.bytes:
        raise ValueError(f"{SUMS} is cut off or too long")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != listed.sha256 or len(data) < 4 * rows:
        raise ValueError(f"{SUMS} does not fit its own checksum")
    return np.frombuffer(data, "<u4", offset=len(data) - 4 * rows)


def write_index(folder: Path, rows: Mapping[str, str], manifest: dict[str, Any], shard_rows: int) -> None:
    """Writes ``index.json``, last of a pack's files; ``rows`` are the characters of each member in row order."""
    sums = file_sum((folder / SUMS).read_bytes())
    index = {"format": FORMAT, "shard_rows": shard_rows, "rows": rows, "manifest": manifest, "checksums": sums}
    atomic_write(folder / "index.json", sealed(index))


def _write(plan: PairPlan, folder: Path, workers: int | None) -> None:
    chars = set(plan.chars)
    drawn = {m.name: "".join(c for c in m.coverage.present if c in chars) for m in plan.members}
    parts = tuple(PackPart(m.glyphs, drawn[m.name], plan.frame(m)) for m in plan.members)
    job = PackJob(parts, plan.size, folder, rows_in_a_shard(plan.size))
    with tqdm(total=job.rows, unit="glyph", desc="packing", leave=False) as bar:
        draw_rows(job, workers=workers, progress=bar.update)
    write_index(folder, drawn, manifest(plan), job.shard_rows)


def _codes(chars: str) -> np.ndarray:
    return np.frombuffer(chars.encode("utf-32-le", "surrogatepass"), np.uint32)
