"""Glyphs -> rows of pixels in a pack's files, by as many processes as it takes.

Every row has its own place in the files, so what is written does not depend on who draws it.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.pack_shards import PixelWriter
from fontgan.runtime.subprocesses import map_in_processes

CHUNK_BYTES = 2**20  # drawn and written at once
MIN_S_PER_PROCESS = 0.5  # of drawing: a process takes about 0.3 s to start


class PackPart(NamedTuple):
    """Glyphs of the source or of a style, in row order."""

    glyphs: GlyphSource
    chars: str
    frame: Frame  # own cell -> canvas pixels


@dataclass(frozen=True)
class PackJob:
    """Rows to draw into the shards of a folder. Can be pickled."""

    parts: tuple[PackPart, ...]
    size: int
    folder: Path
    shard_rows: int

    def __reduce__(self) -> tuple[Any, ...]:  # without open files
        return PackJob, (self.parts, self.size, self.folder, self.shard_rows)

    @property
    def rows(self) -> int:
        return sum(len(part.chars) for part in self.parts)

    @property
    def chunk_rows(self) -> int:
        return max(1, CHUNK_BYTES // self.size**2)

    @property
    def chunks(self) -> int:
        return -(-self.rows // self.chunk_rows)

    @cached_property
    def writer(self) -> PixelWriter:
        return PixelWriter(self.folder, rows=self.rows, size=self.size, shard_rows=self.shard_rows)

    def draw_chunk(self, chunk: int) -> int:
        """Draws and writes one chunk. Returns: how many rows it has. Raises: DataError, OSError."""
        first = chunk * self.chunk_rows
        pixels = np.empty((min(self.chunk_rows, self.rows - first), self.size, self.size), np.uint8)
        start = 0
        for part in self.parts:
            low, high = max(first, start), min(first + len(pixels), start + len(part.chars))
            for row in range(low, high):
                pixels[row - first] = part.glyphs.rasterize(part.chars[row - start], part.frame, self.size)
            start += len(part.chars)
        self.writer.write(first, pixels)
        return len(pixels)


def draw_rows(job: PackJob, *, workers: int | None, progress: Callable[[int], object]) -> None:
    """Draws all rows into files on the disk.

    Args:
        workers: processes at most; None for as many as cores. There are fewer where starting them takes longer than
            what they could save.
        progress: told after every chunk how many rows it has.
    Raises: OSError if the files cannot be written; DataError if a glyph cannot be drawn; RunError if a process is killed.
    """
    workers = workers or len(os.sched_getaffinity(0))
    job.writer.create()
    began = time.perf_counter()
    progress(job.draw_chunk(0))  # by this process, and timed
    left_s = (time.perf_counter() - began) * (job.chunks - 1)
    processes = max(1, min(workers, math.ceil(left_s / MIN_S_PER_PROCESS), job.chunks - 1))
    drawn = map_in_processes(
        job.draw_chunk, range(1, job.chunks), processes=processes, doing="draws glyphs for the pack", key="data.workers"
    )
    with contextlib.closing(drawn):
        for rows in drawn:
            progress(rows)
    job.writer.sync()
