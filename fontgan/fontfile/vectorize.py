"""A folder of glyph images -> outlines, by as many processes as it takes."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from fontgan.data.image_source import CellFinder, FolderGlyphs, read_grey
from fontgan.errors import DataError, shorten
from fontgan.fontfile.metrics import Layout
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.runtime.subprocesses import map_in_processes

log = logging.getLogger(__name__)

CHUNK = 8  # images that a process traces at a time
MIN_FILES_FOR_POOL = 24  # fewer are traced by this process, sooner than others start


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

    @cached_property
    def _cells(self) -> CellFinder:
        return CellFinder(self.folder)

    def trace_file(self, file: Path) -> Outline | str:
        """The outline of one image, or why it cannot be read."""
        try:
            grey, _ = read_grey(file)
        except DataError as error:
            return str(error)
        to_units = PixelsToUnits.from_frame(self._cells.cell_to_image(grey), self.units_per_em, self.baseline)
        return trace(grey, to_units, em=self.units_per_em, tolerance=self.tolerance, speck=self.speck)

    def trace_files(self, files: list[Path]) -> list[Outline | str]:
        return [self.trace_file(file) for file in files]


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
    Raises: DataError, as ``open_images``; RunError if a process is killed.
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
    processes = min(workers, -(-len(files) // CHUNK)) if len(files) >= MIN_FILES_FOR_POOL else 1
    chunk = CHUNK if processes > 1 else 1
    chunks = [files[first : first + chunk] for first in range(0, len(files), chunk)]
    traced = map_in_processes(tracing.trace_files, chunks, processes=processes, doing="traces glyphs", key="workers")
    with contextlib.closing(traced):
        for part in traced:
            yield from part
