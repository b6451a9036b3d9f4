"""Glyphs -> rows of pixels in a pack's files, by several processes: each row has its place, whoever draws it."""

import contextlib
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.pack_shards import PixelWriter
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.subprocesses import map_in_processes

CHUNK_BYTES = 2**20  # drawn and written at once
MIN_S_PER_PROCESS = 0.5  # of drawing: a process takes about 0.3 s to start


class PackJob(NamedTuple):
    """Rows to draw into the shards of a folder. Can be pickled."""

    # Of each block its glyphs, characters in row order, and own cell -> canvas pixels.
    parts: tuple[tuple[GlyphSource, str, Frame], ...]
    writer: PixelWriter

    @property
    def chunk_rows(self) -> int:
        return max(1, CHUNK_BYTES // self.writer.size**2)

    def draw_chunk(self, chunk: int) -> int:
        """Draws and writes one chunk. Returns: how many rows it has. Raises: DataError, OSError."""
        first, size = chunk * self.chunk_rows, self.writer.size
        pixels = np.empty((min(self.chunk_rows, self.writer.rows - first), size, size), np.uint8)
        start = 0
        for glyphs, chars, frame in self.parts:
            for row in range(max(first, start), min(first + len(pixels), start + len(chars))):
                pixels[row - first] = glyphs.rasterize(chars[row - start], frame, size)
            start += len(chars)
        self.writer.write(first, pixels)
        return len(pixels)


def draw_rows(job: PackJob, *, workers: int | None, progress: Callable[[int], object]) -> None:
    """Draws all rows into files on the disk; ``progress`` is told after every chunk how many rows it has.

    By at most ``workers`` processes, None for as many as cores, and fewer where starting them costs more than it saves.
    Raises: OSError if files cannot be written; DataError if a glyph cannot be drawn; RunError if a process is killed.
    """
    job.writer.create()
    began = time.perf_counter()
    progress(job.draw_chunk(0))  # by this process, and timed
    left = range(1, -(-job.writer.rows // job.chunk_rows))
    worthwhile = math.ceil((time.perf_counter() - began) * len(left) / MIN_S_PER_PROCESS)
    processes = max(1, min(workers or usable_cores(), worthwhile, len(left)))
    doing = "draws glyphs for the pack"
    drawn = map_in_processes(job.draw_chunk, left, processes=processes, doing=doing, key="data.workers")
    with contextlib.closing(drawn):
        for rows in drawn:
            progress(rows)
    job.writer.sync()
