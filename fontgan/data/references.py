"""Glyphs that a style is read off: those of a pack's styles, and those of a font or folder that a user gives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from fontgan.data.batches import training_rows
from fontgan.data.frame import Box, Frame
from fontgan.data.image_source import CellFinder, char_from_name, image_files, ink_box, read_grey, resample
from fontgan.data.pack import Pack
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError, shorten
from fontgan.runtime.files import user_path
from fontgan.runtime.subsample import subsample_evenly
from fontgan.values import image_from_pixels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """One glyph of a style."""

    char: str | None  # None where the image's name stands for no character
    box: Box  # its ink, in cell coordinates
    draw: Callable[[Frame, int], np.ndarray]  # (cell -> canvas, canvas size) -> (size, size) uint8, 0 ink .. 255 paper


def style_references(pack: Pack, style: str, count: int) -> Tensor:
    """At most ``count`` training glyphs of a pack's style, always the same ones: (K, H, W), -1 ink .. +1 paper."""
    return image_from_pixels(pack.pixels[subsample_evenly(training_rows(pack, style), count)])


def read_references(spec: str, preferred: Sequence[str], count: int) -> list[Reference]:
    """Reads reference glyphs from a font or a folder of images.

    Args:
        spec: as ``open_glyphs`` takes it. In a folder every image counts, whatever its name.
        preferred: characters to take from a font, where it has any of them.
        count: at most so many, spread evenly over the file names, or over the characters of a font.
    Raises: DataError if there is no glyph with ink.
    """
    folder = user_path(spec)
    found = _from_folder(folder, count) if folder.is_dir() else _from_font(spec, preferred, count)
    if not found:
        raise DataError(
            f"{spec}: holds no glyph with ink to read a style off. Give a font or a folder of glyph images."
        )
    return found


def _from_font(spec: str, preferred: Sequence[str], count: int) -> list[Reference]:
    glyphs = open_glyphs(spec)
    present = glyphs.coverage(list(preferred)).present or glyphs.coverage(None).present

    def drawer(char: str) -> Callable[[Frame, int], np.ndarray]:
        return lambda frame, size: glyphs.rasterize(char, frame, size)

    return [Reference(char, glyphs.ink_box(char), drawer(char)) for char in subsample_evenly(present, count)]


def _from_folder(folder: Path, count: int) -> list[Reference]:
    files, cells = image_files(folder), CellFinder(folder)
    found, unusable, inverted = [], [], []
    for file in subsample_evenly(files, count):
        try:
            grey, was_inverted = read_grey(file)
        except DataError as error:
            log.warning("%s", error)
            unusable.append(file.name)
            continue
        box = ink_box(grey)
        if box is None:
            unusable.append(file.name)
            continue
        if was_inverted:
            inverted.append(file.name)
        to_cell = cells.cell_to_image(grey).inverse()
        found.append(Reference(char_from_name(file.stem), to_cell.box(box), _image_drawer(grey, to_cell)))
    if unusable:
        log.warning("%s: %d images are blank or cannot be read: %s", folder, len(unusable), shorten(unusable))
    if inverted:
        log.info("%s: %d images are light on dark and were inverted: %s", folder, len(inverted), shorten(inverted))
    return found


def _image_drawer(grey: np.ndarray, to_cell: Frame) -> Callable[[Frame, int], np.ndarray]:
    return lambda frame, size: resample(grey, to_cell.compose(frame), size)
