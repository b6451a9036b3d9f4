"""Glyphs -> rows of pixels in a pack's files, by as many processes as it takes.

This process draws from the first moment on. Helpers that join it import neither torch nor the program that started
them; they take the next rows from a tally that all share, and every row has its own place in the files, so what is
written does not depend on who draws it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.pack_shards import PixelWriter
from fontgan.errors import DataError
from fontgan.runtime.subprocesses import start_helper

log = logging.getLogger(__name__)

CHUNK_BYTES = 2**20  # drawn and written at once
WORTH_A_HELPER_S = 0.3  # of drawing for each process: a helper takes about 0.2 s to start
_WAIT_S = 0.005  # between two looks at what helpers have left to do
_HELPER = "from fontgan.data.pack_writer import help_draw; help_draw()"


class Part(NamedTuple):
    """What the source or a style gives to a pack, in row order."""

    glyphs: GlyphSource
    chars: str
    frame: Frame  # own cell -> canvas pixels


@dataclass(frozen=True)
class Drawing:
    """Rows to draw into the shards of a folder. Can be pickled."""

    parts: tuple[Part, ...]
    size: int
    folder: Path
    shard_rows: int

    @property
    def rows(self) -> int:
        return sum(len(part.chars) for part in self.parts)

    @property
    def chunk_rows(self) -> int:
        return max(1, CHUNK_BYTES // self.size**2)

    @property
    def chunks(self) -> int:
        return -(-self.rows // self.chunk_rows)

    def writer(self) -> PixelWriter:
        return PixelWriter(self.folder, rows=self.rows, size=self.size, shard_rows=self.shard_rows)

    def draw_chunk(self, chunk: int, writer: PixelWriter) -> int:
        """Draws and writes one chunk. Returns: how many rows it has. Raises: DataError, OSError."""
        first = chunk * self.chunk_rows
        pixels = np.empty((min(self.chunk_rows, self.rows - first), self.size, self.size), np.uint8)
        start = 0
        for part in self.parts:
            low, high = max(first, start), min(first + len(pixels), start + len(part.chars))
            for row in range(low, high):
                pixels[row - first] = part.glyphs.draw(part.chars[row - start], part.frame, self.size)
            start += len(part.chars)
        writer.write(first, pixels)
        return len(pixels)


def draw_rows(drawing: Drawing, *, workers: int | None, progress: Callable[[int], object]) -> None:
    """Draws all rows into files on the disk.

    Args:
        workers: processes at most, this one among them; None for as many as cores. There are fewer where starting
            them takes longer than what they could save.
        progress: told now and then how many rows are done.
    Raises: OSError if the files cannot be written; DataError if a glyph cannot be drawn or a helper dies.
    """
    if workers is not None and workers < 1:
        raise DataError(f"data.workers={workers}: 1 or more is needed, or null for as many as cores.")
    workers = workers or len(os.sched_getaffinity(0))
    writer = drawing.writer()
    writer.create()
    with tempfile.TemporaryFile() as shared, contextlib.ExitStack() as helpers_end:
        tally = Tally(shared.fileno())
        helpers: list[Helper] = []
        began = time.perf_counter()
        while (chunk := tally.claim(drawing.chunks)) is not None:
            tally.finish(drawing.draw_chunk(chunk, writer))
            if chunk == 0:
                left_s = (time.perf_counter() - began) * (drawing.chunks - 1)
                wanted = min(workers, math.ceil(left_s / WORTH_A_HELPER_S), drawing.chunks) - 1
                try:
                    while len(helpers) < wanted:
                        helpers.append(helpers_end.enter_context(Helper(drawing, tally)))
                except OSError as error:  # no process or memory left to give: the work goes on with those there are
                    log.warning(
                        "packing with %d processes, as no further one can be started (%s); see whether memory is short, "
                        "or set data.workers=%d.",
                        *(1 + len(helpers), str(error), 1 + len(helpers)),
                    )
            for helper in helpers:
                helper.check()
            progress(tally.done())
        while tally.done() < drawing.rows:  # helpers are at their last chunks
            for helper in helpers:
                helper.check()
            progress(tally.done())
            time.sleep(_WAIT_S)
        progress(drawing.rows)
    writer.sync()


class Tally:
    """Which chunk is next and how many rows are done, in a file that the processes share.

    A record lock guards it: the kernel takes it back from a process that dies.
    """

    def __init__(self, file: int):
        self.file = file  # descriptor

    def claim(self, chunks: int) -> int | None:
        """The next chunk, which nobody else will get; None if there is none left."""
        with self._counters() as counters:
            if counters[0] == chunks:
                return None
            counters[0] += 1
            return int(counters[0]) - 1

    def finish(self, rows: int) -> None:
        with self._counters() as counters:
            counters[1] += rows

    def done(self) -> int:
        """Rows that are written."""
        with self._counters() as counters:
            return int(counters[1])

    @contextlib.contextmanager
    def _counters(self) -> Iterator[np.ndarray]:
        """To read and change: the next chunk, and the rows done."""
        fcntl.lockf(self.file, fcntl.LOCK_EX)
        try:
            counters = np.frombuffer(os.pread(self.file, 16, 0).ljust(16, b"\0"), np.int64).copy()
            yield counters
            os.pwrite(self.file, counters.tobytes(), 0)
        finally:
            fcntl.lockf(self.file, fcntl.LOCK_UN)


class Helper:
    """Another process that draws. It is ended on leaving the context: by then it is done, or no longer wanted."""

    def __init__(self, drawing: Drawing, tally: Tally):
        """Raises: OSError if it cannot be started."""
        with contextlib.ExitStack() as files:
            # Files, not pipes: with these, one of the two would wait for the other to read or write.
            job, self.told, self.printed = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            pickle.dump((drawing, tally.file, os.getpid()), job)
            job.seek(0)
            self.process = start_helper(
                _HELPER, stdin=job, stdout=self.told, stderr=self.printed, pass_fds=[tally.file]
            )
            self._files = files.pop_all()

    def check(self) -> None:
        """Raises: what the helper raised; DataError if it was killed."""
        code = self.process.poll()
        if code is None or code == 0:
            return
        self.told.seek(0)
        self.printed.seek(0)
        if told := self.told.read():
            error = pickle.loads(told)  # noqa: S301  # from our own process
            if isinstance(error, Exception):
                raise error
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        last = self.printed.read().decode(errors="replace").strip().splitlines()[-1:]
        raise DataError(
            f"a process that draws glyphs for the pack ended with {how}{': ' if last else ''}{''.join(last)}. "
            "Nothing is kept of this pack. See whether memory is short and start again, or set data.workers=1."
        )

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._files.close()


def help_draw() -> None:
    """What a helper runs: draws chunks until there are none left, or its starter is gone."""
    try:
        drawing, file, starter = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own process
        tally, writer = Tally(file), drawing.writer()
        while os.getppid() == starter and (chunk := tally.claim(drawing.chunks)) is not None:
            tally.finish(drawing.draw_chunk(chunk, writer))
    except Exception as error:  # noqa: BLE001  # none is lost: the starter raises it again
        sys.stdout.buffer.write(pickle.dumps(error))
        sys.stdout.buffer.flush()
        sys.exit(1)
