"""A folder of glyph images -> outlines, by as many processes as it takes."""

import contextlib
import itertools
import sys
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fontgan.data.hairlines import tell_broken, whole_at
from fontgan.data.image_source import CellFinder, FolderGlyphs, folder_reader
from fontgan.data.reading import ImageReader, Seen, Tally
from fontgan.data.refusal import tell_or_refuse
from fontgan.errors import DataError, shorten
from fontgan.fontfile.layout import Layout
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.progress import Bar
from fontgan.runtime.subprocesses import map_in_processes

CHUNK = 8  # images that a process traces at a time
MIN_FILES_FOR_POOL = 24  # fewer are traced by this process, sooner than others start


class Traced(NamedTuple):
    """What became of an image."""

    outline: Outline | str  # or why it cannot be read
    seen: Seen | None = None
    black_and_white: bool = False
    whole_at: int | None = None  # see ``hairlines.whole_at``


def open_images(folder: Path, chars: list[str] | None, allow: Collection[str] = ()) -> dict[str, Path]:
    """The images of a folder by character; the log tells of names that stand for none.

    Args:
        chars: only these, in this order; None for all there are.
        allow: kinds of ``data.refusal`` that may make most of the images useless.
    Raises: DataError if there is no such folder, it has no image of these characters, or most stand for none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give a folder of glyph images.")
    glyphs = FolderGlyphs(folder)
    tell_or_refuse(glyphs.diagnostics, allow)
    return _files_of(glyphs, chars)


def _files_of(glyphs: FolderGlyphs, chars: list[str] | None) -> dict[str, Path]:
    """The images of some characters. Raises: DataError if there are none."""
    files = glyphs.files if chars is None else {char: glyphs.files[char] for char in chars if char in glyphs.files}
    if not files:
        raise DataError(
            f"{glyphs.path}: has no image of the characters asked for ({shorten(chars or [])}). Choose others."
        )
    return files


def vectorize_folder(
    folder: Path,
    *,
    chars: list[str] | None,
    layout: Layout,
    tolerance: float = 0.6,
    speck: float = 0.0001,
    workers: int | None = None,
    allow: Collection[str] = (),
    none_is_error: bool = True,
) -> tuple[list[DrawnGlyph], list[str]]:
    """Traces the images of a folder.

    Args:
        chars: only these; None for all there are.
        layout: where their cells lie in font units, and how wide they are: ``metrics.choose_layout``.
        tolerance, speck: as in ``trace.trace``.
        workers: processes; None for as many as cores.
        allow: kinds of ``data.refusal`` that may make most of the images useless.
        none_is_error: whether it is one that no image gives a glyph.
    Returns: the glyphs in whole font units, without overlaps, in the order of ``chars``; and the characters whose
        images cannot be read. The log names these, and blank ones, too.
    Raises: DataError, as ``open_images``, or if most images are blank or cannot be read; RunError if a process is
        killed.
    """
    files = _files_of(FolderGlyphs(folder), chars)  # what their names are like, ``open_images`` has told
    cells, reader = CellFinder(folder), folder_reader(folder)
    cell_of = replace(layout, spacing=None)  # all that the processes need of it, without the fonts
    work = partial(_trace_files, reader=reader, cells=cells, layout=cell_of, tolerance=tolerance, speck=speck)
    tally = Tally(folder, cells=cells.canvas is not None)
    chunks = [list(files.items())[first : first + CHUNK] for first in range(0, len(files), CHUNK)]
    processes = min(workers or usable_cores(), len(chunks)) if len(files) >= MIN_FILES_FOR_POOL else 1
    if processes == 1:
        chunks = [[item] for item in files.items()]
    outlines: dict[str, Outline] = {}
    blank, unreadable, black_and_white = [], [], []
    broken: dict[str, int] = {}  # characters of hairlines, and the pixels at which they would be whole
    traced = map_in_processes(work, chunks, processes=processes, doing="traces glyphs", key="workers")
    with contextlib.closing(traced):
        results = zip(files, itertools.chain.from_iterable(traced), strict=True)
        for char, (result, seen, two_levels, whole) in (
            bar := Bar(results, total=len(files), unit="glyph", desc="tracing")
        ):
            if seen:
                tally.add(files[char], seen)
            if two_levels:
                black_and_white.append(char)
            if whole is not None:
                broken[char] = whole
            if isinstance(result, str):
                bar.write(f"error: {result}", file=sys.stderr)
                unreadable.append(char)
            elif not result.calls:
                blank.append(char)
            else:
                outlines[char] = result
    if not outlines and none_is_error:
        raise DataError(f"{folder}: none of its {len(files)} images gives a glyph. Look at them.")
    found = tally.findings()
    found.tell("warning", folder, blank, "images hold no ink and give no glyph", kind="blank", of=len(files))
    found.tell("warning", folder, unreadable, "images could not be read", kind="unreadable", of=len(files))
    what, remedy = "images are black and white, so edges are a third of a pixel off", "Scan in grey for finer ones."
    found.tell("note", folder, black_and_white, what, remedy)
    tell_broken(found, folder, broken)
    tell_or_refuse(found, allow)
    return layout.place_all(outlines), unreadable


def _trace_files(
    files: list[tuple[str, Path]],
    *,
    reader: ImageReader,
    cells: CellFinder,
    layout: Layout,
    tolerance: float,
    speck: float,
) -> list[Traced]:
    """What becomes of each image."""
    found = []
    for char, file in files:
        try:
            grey, seen = reader.read(file, char)
        except DataError as error:
            found.append(Traced(str(error)))
            continue
        to_units = PixelsToUnits.from_frame(cells.cell_to_image(grey), layout.units_per_em, layout.baseline)
        outline = trace(grey, to_units, em=layout.units_per_em, tolerance=tolerance, speck=speck)
        found.append(Traced(outline, seen, bool(np.isin(grey, (0, 255)).all()), whole_at(grey)))
    return found
