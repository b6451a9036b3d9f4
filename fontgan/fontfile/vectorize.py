"""A folder of glyph images -> outlines, by as many processes as it takes."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

from fontgan.data.image_source import CellFinder, FolderGlyphs, read_grey
from fontgan.errors import DataError, RunError, shorten
from fontgan.fontfile.metrics import Layout
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.runtime.subprocesses import start_helper

log = logging.getLogger(__name__)

CHUNK = 8  # images that a helper traces at a time
WORTH_HELPERS = 24  # images; fewer are traced by this process, sooner than helpers start
_HELPER = "from fontgan.fontfile.vectorize import help_trace; help_trace()"


@dataclass(frozen=True)
class Vectorized:
    """The outlines of a folder, and the characters whose images gave none."""

    glyphs: list[DrawnGlyph]
    blank: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tracing:
    """How to trace the images of one folder. Can be pickled."""

    folder: Path
    units_per_em: int
    baseline: float
    tolerance: float
    speck: float

    def trace_file(self, file: Path, cells: CellFinder) -> Outline | str:
        """The outline of one image, or why it cannot be read."""
        try:
            grey, _ = read_grey(file)
        except DataError as error:
            return str(error)
        to_units = PixelsToUnits.from_frame(cells.cell_to_image(grey), self.units_per_em, self.baseline)
        return trace(grey, to_units, em=self.units_per_em, tolerance=self.tolerance, speck=self.speck)

    def trace_files(self, files: list[Path]) -> list[Outline | str]:
        cells = CellFinder(self.folder)
        return [self.trace_file(file, cells) for file in files]


def open_images(folder: Path, chars: list[str] | None) -> dict[str, Path]:
    """The images of a folder by character; the log tells of names that stand for none.

    Args:
        chars: only these, in this order; None for all there are.
    Raises: DataError if there is no such folder, or it has no image of these characters.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give a folder of glyph images.")
    glyphs = FolderGlyphs(folder)
    CellFinder(folder)  # its error, before any image is read
    for finding in glyphs.diagnostics:
        log.warning("%s", finding)
    if chars is None:
        return glyphs.files
    files = {char: glyphs.files[char] for char in chars if char in glyphs.files}
    if not files:
        raise DataError(f"{folder}: has no image of the characters asked for ({shorten(chars)}). Choose others.")
    return files


def vectorize_folder(
    folder: Path,
    *,
    chars: list[str] | None,
    layout: Layout,
    tolerance: float = 0.6,
    speck: float = 0.0001,
    workers: int | None = None,
    none_is_error: bool = True,
) -> Vectorized:
    """Traces the images of a folder.

    Args:
        chars: only these; None for all there are.
        layout: where their cells lie in font units, and how wide they are: ``metrics.choose_layout``.
        tolerance: how far a curve may stray from the traced contour, in thousandths of the em.
        speck: contours that enclose less are dropped, as a share of the em square.
        workers: processes; None for as many as cores.
        none_is_error: whether it is one that no image gives a glyph.
    Returns: whole font units, without overlaps, in the order of ``chars``; images that are blank or cannot be read are
        named in the log too.
    Raises: DataError, as ``open_images``; RunError if a process dies.
    """
    files = open_images(folder, chars)
    tracing = Tracing(folder, layout.units_per_em, layout.baseline, tolerance, speck)
    found = Vectorized([])
    traced = _trace_all(tracing, list(files.values()), workers or len(os.sched_getaffinity(0)))
    bar = tqdm(zip(files, traced, strict=True), total=len(files), unit="glyph", desc="tracing")
    with contextlib.closing(traced):
        for char, result in bar:
            if isinstance(result, str):
                bar.write(f"error: {result}", file=sys.stderr)
                found.unreadable.append(char)
            elif not result.calls:
                found.blank.append(char)
            else:
                found.glyphs.append(layout.place(char, result))
    if found.blank:
        log.warning("%s: %d images hold no ink and give no glyph: %s", folder, len(found.blank), shorten(found.blank))
    if not found.glyphs and none_is_error:
        raise DataError(f"{folder}: none of its {len(files)} images gives a glyph. Look at them.")
    return found


def _trace_all(tracing: Tracing, files: list[Path], workers: int) -> Generator[Outline | str, None, None]:
    """The results in the order of the files."""
    workers = min(workers, -(-len(files) // CHUNK))
    if workers == 1 or len(files) < WORTH_HELPERS:
        cells = CellFinder(tracing.folder)
        for file in files:
            yield tracing.trace_file(file, cells)
        return
    with contextlib.ExitStack() as helpers_end:
        idle: SimpleQueue[Helper] = SimpleQueue()
        for _ in range(workers):
            idle.put(helpers_end.enter_context(Helper(tracing)))

        def ask(chunk: list[Path]) -> list[Outline | str]:
            helper = idle.get()
            try:
                return helper.trace_files(chunk)
            finally:
                idle.put(helper)

        pool = ThreadPoolExecutor(workers)  # a thread waits for each helper
        helpers_end.callback(pool.shutdown, cancel_futures=True)
        for part in pool.map(ask, (files[i : i + CHUNK] for i in range(0, len(files), CHUNK))):
            yield from part


class Helper:
    """Another process that traces. A process and not a thread, since tracing is Python's own work."""

    def __init__(self, tracing: Tracing):
        self.process = start_helper(_HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._say(tracing)

    def trace_files(self, files: list[Path]) -> list[Outline | str]:
        """Raises: what the helper raised; RunError if it was killed."""
        self._say(files)
        assert self.process.stdout is not None
        try:
            answer = pickle.load(self.process.stdout)  # noqa: S301  # from our own process
        except (EOFError, pickle.UnpicklingError) as error:  # before an answer, or within one
            raise RunError(
                f"a process that traces glyphs ended with code {self.process.wait()}. See whether memory is short and "
                "start again, or set workers=1."
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def _say(self, thing: object) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended; reading its answer tells
            pickle.dump(thing, self.process.stdin)
            self.process.stdin.flush()

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()


def help_trace() -> None:
    """What a helper runs: traces the files that it is told, until its starter is gone."""
    tracing: Tracing = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own process
    while True:
        try:
            files = pickle.load(sys.stdin.buffer)  # noqa: S301
        except EOFError:
            return
        answer: object
        try:
            answer = tracing.trace_files(files)
        except Exception as error:  # noqa: BLE001  # none is lost: the starter raises it again
            answer = error
        sys.stdout.buffer.write(pickle.dumps(answer))
        sys.stdout.buffer.flush()
