"""The glyph images of a pack: rows of uint8 pixels over several ``.npy`` files, none of them ever whole in memory.

Every shard but the last holds the same number of rows, so a row's place follows from its number alone. They are read
plainly, not mapped: pages of a map that were touched count as memory of the process, and stay there. The CRC-32
of every row stands in ``checksums.npy`` and is compared whenever the row is read, so that opening a pack costs nothing.
"""

import io
import os
import threading
import weakref
import zlib
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.data.glyphs import PAPER
from fontgan.errors import DataError
from fontgan.runtime.linux import start_writing

SHARD_BYTES = 256 * 2**20  # at most; whole rows
SUMS = "checksums.npy"
HEADER_BYTES = 128  # of each file, as numpy pads what it says of its array
VERIFY_BYTES = 16 * 2**20  # of pixels read at once where all are verified
OPEN_SHARDS = 64  # of a pack at once: a process may often have no more than 1024 files open


def rows_in_a_shard(size: int) -> int:
    """How many (size, size) rows a new pack keeps in one file."""
    return max(1, SHARD_BYTES // size**2)


def shard_name(number: int) -> str:
    return f"pixels-{number:05d}.npy"


def _shard_shapes(rows: int, size: int, shard_rows: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every shard."""
    firsts = range(0, rows, shard_rows)
    return {shard_name(i): (min(shard_rows, rows - first), size, size) for i, first in enumerate(firsts)}


class _OpenFile:
    """A file that threads read and write in turns. It is closed when nobody holds it any more, never under a thread."""

    def __init__(self, path: Path, mode: str):
        self.file = io.FileIO(path, mode)
        weakref.finalize(self, self.file.close)
        self._turn = threading.Lock()

    def read_into(self, view: memoryview, offset: int) -> int:
        with self._turn:
            self.file.seek(offset)
            return self.file.readinto(view)

    def write(self, view: memoryview, offset: int) -> int:
        with self._turn:
            self.file.seek(offset)
            return self.file.write(view)


class PixelRows:
    """Rows to read from any thread, found as in numpy's first dimension: ``pixels[[row, row]]`` is uint8 (2, H, W)."""

    def __init__(self, folder: Path, *, rows: int, size: int, shard_rows: int, sums: np.ndarray):
        """``sums`` (rows,) are their CRC-32. Raises: ValueError or OSError if a shard is missing or has other rows."""
        self.shape = (rows, size, size)
        self.row_bytes, self.nbytes = size**2, rows * size**2
        self._files = []
        for name, shape in _shard_shapes(rows, size, shard_rows).items():
            with (folder / name).open("rb") as file:
                # Compared, not parsed: there is one header that it can have, and numpy's parser is not for strangers.
                if file.read(HEADER_BYTES) != npy_header("|u1", shape):
                    raise ValueError(f"{name} does not hold uint8 {shape}, as the index says")
                if os.fstat(file.fileno()).st_size != HEADER_BYTES + int(np.prod(shape)):
                    raise ValueError(f"{name} is cut off or too long")
            self._files.append(folder / name)
        self._shard_rows, self._sums = shard_rows, sums
        self._open = lru_cache(OPEN_SHARDS)(partial(_OpenFile, mode="rb"))  # and drops those long not used

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: int | slice | Sequence[int] | Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        rows: np.ndarray = np.arange(len(self))[key]
        return self.take(rows)

    def read_into(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Reads rows (N,), 0 or more each, or -1 for an empty page, into ``out``, (N, H, W) uint8 in one piece.

        Raises: DataError if a row is damaged or its file was cut off; OSError.
        """
        if not len(rows):
            return
        buffer, row_bytes = out.data.cast("B"), self.row_bytes
        # Neighbours are read at once, as far as their file goes.
        shards, places = np.divmod(rows, self._shard_rows)
        starts = np.flatnonzero((np.diff(rows, prepend=-3) != 1) | (places == 0))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            if rows[start] < 0:
                out[start] = PAPER
            else:
                self._read(int(shards[start]), int(places[start]), buffer[start * row_bytes : stop * row_bytes])
        for at, expected in enumerate(self._sums[rows].tolist()):
            if rows[at] >= 0 and zlib.crc32(buffer[at * row_bytes : (at + 1) * row_bytes]) != expected:
                raise self._damaged(int(shards[at]), f"is damaged (row {places[at]} does not fit its checksum)")

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Rows of any shape, -1 for an empty page -> (*shape, H, W) uint8. Raises as ``read_into``."""
        out = np.empty((*rows.shape, *self.shape[1:]), np.uint8)
        self.read_into(rows.ravel(), out.reshape(-1, *self.shape[1:]))
        return out

    def verify(self) -> None:
        """Reads everything, which raises as ``read_into``."""
        step = max(1, VERIFY_BYTES // self.row_bytes)
        for first in range(0, len(self), step):
            self[first : first + step]

    def _read(self, shard: int, place: int, into: memoryview) -> None:
        file, offset = self._open(self._files[shard]), HEADER_BYTES + place * self.row_bytes
        while into:
            count = file.read_into(into, offset)  # at most 2 GiB at once
            if count == 0:
                raise self._damaged(shard, "was cut off while it was read")
            into, offset = into[count:], offset + count

    def _damaged(self, shard: int, what: str) -> DataError:
        return DataError(f"{self._files[shard]}: the pack {what}. Delete its folder; it is made again.")


class PixelWriter:
    """Rows to write into shards of a folder, each at its own place, from one process or several, and their checksums.

    Written plainly: through a memory map a full disk would kill the process instead of raising OSError.
    """

    def __init__(self, folder: Path, *, rows: int, size: int, shard_rows: int):
        self.folder, self.rows, self.size, self.shard_rows = folder, rows, size, shard_rows
        self._shapes = {**_shard_shapes(rows, size, shard_rows), SUMS: (rows,)}
        self._opened: dict[str, _OpenFile] = {}

    def __reduce__(self) -> tuple[Any, ...]:  # without open files
        shape = {"rows": self.rows, "size": self.size, "shard_rows": self.shard_rows}
        return partial(PixelWriter, self.folder, **shape), ()

    def create(self) -> None:
        """Makes the files, so that any process can fill them."""
        for name, shape in self._shapes.items():
            kind = "<u4" if name == SUMS else "|u1"
            with (self.folder / name).open("xb") as file:
                file.write(npy_header(kind, shape))
                file.truncate(HEADER_BYTES + int(np.prod(shape)) * np.dtype(kind).itemsize)

    def write(self, first: int, pixels: np.ndarray) -> None:
        """Writes (N, size, size) uint8 as the rows from ``first`` on."""
        pixels = np.ascontiguousarray(pixels)
        self._write(SUMS, first, np.array([zlib.crc32(row) for row in pixels], "<u4"))
        while len(pixels):
            shard, place = divmod(first, self.shard_rows)
            count = min(len(pixels), self.shard_rows - place)
            self._write(shard_name(shard), place, pixels[:count])
            first, pixels = first + count, pixels[count:]

    def _write(self, name: str, place: int, rows: np.ndarray) -> None:
        file, left, offset = self._open(name), rows.data.cast("B"), HEADER_BYTES + place * rows[0].nbytes
        while left:
            written = file.write(left, offset)
            # So that ``sync`` has little to wait for; what is on its way is not dropped.
            start_writing(file.file.fileno(), offset=offset, length=written)
            left, offset = left[written:], offset + written

    def sync(self) -> None:
        """Waits until all that any process has written is on the disk."""
        for name in self._shapes:
            os.fsync(self._open(name).file.fileno())

    def close(self) -> None:
        """Lets go of the files, without which Windows neither renames nor removes them."""
        for opened in self._opened.values():
            opened.file.close()
        self._opened.clear()

    def _open(self, name: str) -> _OpenFile:
        if name not in self._opened:
            self._opened[name] = _OpenFile(self.folder / name, "rb+")
        return self._opened[name]


def npy_header(kind: str, shape: tuple[int, ...]) -> bytes:
    """What stands before an array in its file."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": shape})
    assert header.tell() == HEADER_BYTES
    return header.getvalue()
