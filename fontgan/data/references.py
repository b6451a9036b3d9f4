"""Glyphs of a font or folder that a user gives, for a style to be read off."""

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.data.image_source import CellFinder, chars_of, folder_reader, image_files
from fontgan.data.reading import Tally
from fontgan.data.refusal import tell_or_refuse
from fontgan.data.sources import open_glyphs
from fontgan.data.view import View
from fontgan.errors import DataError
from fontgan.runtime.files import user_path
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)


class Reference(NamedTuple):
    char: str | None  # None where the image's name stands for no character
    box: Box  # its ink, in cell coordinates
    view: View | None  # of its image; None of a font's
    draw: Callable[[Frame, int], np.ndarray]  # (cell -> canvas, canvas size) -> (size, size) uint8, 0 ink .. 255 paper


def read_references(spec: str, preferred: Sequence[str], count: int, allow: Collection[str] = ()) -> list[Reference]:
    """Reads reference glyphs from a font or a folder of images, as ``open_glyphs`` takes them.

    At most ``count``, spread evenly over the images, whatever their names, or over the characters of the font, of which
    the ``preferred`` ones are taken where it has any of them.
    Raises: DataError if there is no glyph with ink, or most images are useless and ``allow`` does not name that.
    """
    folder = user_path(spec)
    if folder.is_dir():
        found = _from_folder(folder, count, allow)
    else:
        glyphs = open_glyphs(spec)
        present = glyphs.coverage(list(preferred)).present or glyphs.coverage(None).present
        chosen = subsample_evenly(present, count)
        found = [Reference(char, glyphs.ink_box(char), None, partial(glyphs.rasterize, char)) for char in chosen]
    if not found:
        remedy = "Give a font or a folder of glyph images."
        raise DataError(f"{spec}: holds no glyph with ink to read a style off. {remedy}")
    return found


def _from_folder(folder: Path, count: int, allow: Collection[str]) -> list[Reference]:
    cells, reader, found, blank, unreadable = CellFinder(folder), folder_reader(folder), [], [], []
    tally = Tally(folder, cells=cells.canvas is not None)
    files = image_files(folder)
    named = list(zip(files, chars_of(folder, files), strict=True))
    for file, char in subsample_evenly(named, count):
        try:
            grey, seen = reader.read(file, char)
            box = cells.ink_box(grey)
        except DataError as error:
            log.warning("%s", error)
            unreadable.append(file.name)
            continue
        if box is None:
            blank.append(file.name)
            continue
        tally.add(file, seen)
        found.append(Reference(char, box, cells.view(*grey.shape), partial(cells.rasterize, grey)))
    findings, count = tally.findings(), len(found) + len(blank) + len(unreadable)
    findings.tell("warning", folder, unreadable, "images cannot be read", kind="unreadable", of=count)
    findings.tell("warning", folder, blank, "images are blank", kind="blank", of=count)
    if found:
        tell_or_refuse(findings, allow)
    return found
