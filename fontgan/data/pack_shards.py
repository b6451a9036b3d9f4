"""The glyph images of a pack: rows of uint8 pixels over several ``.npy`` files, none of them ever whole in memory.

Every shard but the last holds the same number of rows, so a row's place follows from its number alone. They are read
with ``preadv``, not mapped: pages of a map that were touched count as memory of the process, and stay there. The CRC-32
of every row stands in ``checksums.npy`` and is compared whenever the row is read, so that opening a pack costs nothing.
"""

from __future__ import annotations

import io
import os
import threading
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fontgan.errors import DataError

SHARD_BYTES = 256 * 2**20  # at most; whole rows
SUMS = "checksums.npy"
VERIFY_BYTES = 16 * 2**20  # of pixels read at once where all are verified
OPEN_SHARDS = 64  # of a pack at once: a process may often have no more than 1024 files open


def rows_in_a_shard(size: int) -> int:
    """How many (size, size) rows a new pack keeps in one file."""
    return max(1, SHARD_BYTES // size**2)


def shard_name(number: int) -> str:
    return f"pixels-{number:05d}.npy"


class PixelRows:
    """Rows to read: ``pixels[row]``, ``pixels[first:last]`` and ``pixels[[row, row, ...]]`` give uint8 arrays in memory.

    An index of several dimensions gives as many before (H, W). May be read from several threads.
    """

    def __init__(self, files: Sequence[Path], *, rows: int, size: int, shard_rows: int, sums: np.ndarray):
        """
        Args:
            files: the shards in their order.
            rows: in all of them together.
            shard_rows: in each but the last.
            sums: (rows,) CRC-32 of each row.
        Raises: ValueError or OSError if a shard is missing or is not what it should be.
        """
        if len(files) != -(-rows // shard_rows):
            raise ValueError(f"{rows} rows are in {len(files)} files")
        if sums.shape != (rows,):
            raise ValueError(f"{rows} rows have {len(sums)} checksums")
        self.shape = (rows, size, size)
        self._files = list(files)
        self._shard_rows = shard_rows
        self._sums = sums
        self._starts = [
            _check_shard(file, (min(shard_rows, rows - i * shard_rows), size, size)) for i, file in enumerate(files)
        ]
        self._opened: dict[int, _OpenFile] = {}  # by shard, the least recently used first
        self._opening = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    def __getitem__(self, key: int | slice | Sequence[int] | Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        if isinstance(key, slice):
            key = np.arange(*key.indices(len(self)))
        wanted = np.asarray(key, dtype=None if np.size(key) else np.int64)
        if wanted.dtype.kind not in "iu":
            raise TypeError(f"rows are found by whole numbers, not by {wanted.dtype}")
        out = np.empty((wanted.size, *self.shape[1:]), np.uint8)
        self.read_into(wanted.ravel(), out)
        return out.reshape(*wanted.shape, *self.shape[1:])

    def read_into(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Reads rows (N,) into ``out``, (N, H, W) uint8 in one piece.

        Raises: IndexError if a row is not there; DataError if it is damaged or its file was cut off; OSError if it
            cannot be read.
        """
        if not len(rows):
            return
        rows = rows.astype(np.int64)
        rows[rows < 0] += len(self)
        if not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows {int(rows.min())} to {int(rows.max())} of {len(self)}")
        buffer, row_bytes = out.data.cast("B"), self.shape[1] * self.shape[2]
        # Neighbours are read at once, as far as their file goes.
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            at, row = start, int(rows[start])
            while at < stop:
                shard, place = divmod(row, self._shard_rows)
                count = min(stop - at, self._shard_rows - place)
                self._read(shard, place * row_bytes, buffer[at * row_bytes : (at + count) * row_bytes])
                at, row = at + count, row + count
        self._compare(rows, buffer)

    def verify(self) -> None:
        """Reads everything. Raises: DataError if a row is damaged; OSError if it cannot be read."""
        step = max(1, VERIFY_BYTES // max(1, self.shape[1] * self.shape[2]))
        for first in range(0, len(self), step):
            self[first : first + step]

    def _compare(self, rows: np.ndarray, buffer: memoryview) -> None:
        """Raises: DataError if rows, as read into ``buffer`` one after the other, are not what was written."""
        row_bytes = self.shape[1] * self.shape[2]
        for place, (row, expected) in enumerate(zip(rows.tolist(), self._sums[rows].tolist(), strict=True)):
            if zlib.crc32(buffer[place * row_bytes : (place + 1) * row_bytes]) != expected:
                shard, inside = divmod(row, self._shard_rows)
                raise DataError(
                    f"{self._files[shard]}: the pack is damaged (row {inside} does not fit its checksum). "
                    "Delete its folder; it is made again."
                )

    def _read(self, shard: int, offset: int, into: memoryview) -> None:
        file, offset = self._open(shard), self._starts[shard] + offset
        while into:
            count = os.preadv(file.descriptor, [into], offset)  # at most 2 GiB at once
            if count == 0:
                raise DataError(
                    f"{self._files[shard]}: the pack was cut off while it was read. Delete its folder; it is made again."
                )
            into, offset = into[count:], offset + count

    def _open(self, shard: int) -> _OpenFile:
        with self._opening:
            file = self._opened.pop(shard, None) or _OpenFile(self._files[shard])
            self._opened[shard] = file
            if len(self._opened) > OPEN_SHARDS:
                del self._opened[next(iter(self._opened))]
            return file


class _OpenFile:
    """A file to read from, closed when nobody holds it any more: so never under a thread that is reading."""

    def __init__(self, path: Path):
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)


class PixelWriter:
    """Rows to write into shards of a folder, each at its own place, from one process or several, and their checksums.

    Written plainly: through a memory map a full disk would kill the process instead of raising OSError.
    """

    def __init__(self, folder: Path, *, rows: int, size: int, shard_rows: int):
        self.folder = folder
        self.shape = (rows, size, size)
        self.shard_rows = shard_rows
        self._opened: dict[str, int] = {}  # by name
        weakref.finalize(self, _close, self._opened)

    @property
    def shards(self) -> int:
        return -(-self.shape[0] // self.shard_rows)

    def create(self) -> None:
        """Makes the files, so that any process can fill them."""
        for shard in range(self.shards):
            header, shape = self._header(shard)
            with (self.folder / shard_name(shard)).open("xb") as file:
                file.write(header)
                file.truncate(len(header) + int(np.prod(shape)))
        with (self.folder / SUMS).open("xb") as file:
            file.write(self._sums_header)
            file.truncate(len(self._sums_header) + 4 * self.shape[0])

    def write(self, first: int, pixels: np.ndarray) -> None:
        """Writes (N, size, size) uint8 as the rows from ``first`` on."""
        sums = np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in pixels], "<u4")
        self._write(SUMS, sums.data.cast("B"), len(self._sums_header) + 4 * first)
        while len(pixels):
            shard, place = divmod(first, self.shard_rows)
            count = min(len(pixels), self.shard_rows - place)
            offset = len(self._header(shard)[0]) + place * self.shape[1] * self.shape[2]
            self._write(shard_name(shard), np.ascontiguousarray(pixels[:count]).data.cast("B"), offset)
            first, pixels = first + count, pixels[count:]

    def _write(self, name: str, left: memoryview, offset: int) -> None:
        file = self._open(name)
        while left:
            written = os.pwrite(file, left, offset)
            # Starts the disk on it now, so that ``sync`` has little to wait for; what is on its way is not dropped.
            os.posix_fadvise(file, offset, written, os.POSIX_FADV_DONTNEED)
            left, offset = left[written:], offset + written

    def sync(self) -> None:
        """Waits until all that any process has written is on the disk."""
        for name in [*map(shard_name, range(self.shards)), SUMS]:
            os.fsync(self._open(name))

    @property
    def _sums_header(self) -> bytes:
        return _npy_header("<u4", (self.shape[0],))

    def _header(self, shard: int) -> tuple[bytes, tuple[int, int, int]]:
        shape = (min(self.shard_rows, self.shape[0] - shard * self.shard_rows), *self.shape[1:])
        return _npy_header("|u1", shape), shape

    def _open(self, name: str) -> int:
        if name not in self._opened:
            self._opened[name] = os.open(self.folder / name, os.O_WRONLY | os.O_CLOEXEC)
        return self._opened[name]


def _npy_header(descr: str, shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue()


def _check_shard(path: Path, shape: tuple[int, int, int]) -> int:
    """Where in the file its pixels begin. Raises: ValueError or OSError if it does not hold rows of this shape."""
    header = _npy_header("|u1", shape)
    with path.open("rb") as file:
        # Compared, not parsed: there is one header that it can have, and numpy's parser was not made for strangers.
        if file.read(len(header)) != header:
            raise ValueError(f"{path.name} does not hold uint8 {shape}, as the index says")
        if os.fstat(file.fileno()).st_size != len(header) + int(np.prod(shape)):
            raise ValueError(f"{path.name} is cut off or too long")
    return len(header)


def _close(opened: dict[str, int]) -> None:
    for file in opened.values():
        os.close(file)
    opened.clear()
