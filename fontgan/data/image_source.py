"""A folder of glyph images -> glyphs.

One image is one em cell: its edges are the em square's, whatever its size in pixels.  A folder that fontgan
made holds a ``manifest.json`` that says where in the image the em square lies.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from PIL import Image

from fontgan.data.frame import Box, Frame, StoredFrame
from fontgan.data.glyphs import PAPER, Coverage, Diagnostics
from fontgan.data.name_reading import char_from_name, choose_reading
from fontgan.data.reading import INK_LEVEL, ImageReader, Tally, reader_of
from fontgan.data.refusal import is_most
from fontgan.data.view import View
from fontgan.errors import DataError, one_line, shorten
from fontgan.runtime.file_names import composed
from fontgan.untrusted.images import GLYPH, is_file
from fontgan.untrusted.plain_json import convert, read_json

MANIFEST = "manifest.json"
SHEET = "_sheet.png"  # the contact sheet that fontgan infer leaves in a folder; never taken for a glyph
STRIP, ANIMATION = "strip.png", "path.gif"  # what it leaves of a path; no glyphs where a manifest says it was there
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_CELL_RATIO = 100  # images: how much larger or smaller than an image, and how far off it, its em square may lie
MAX_CANVAS_PIXELS = 2**28  # pixels of an image with the paper around it that a canvas shows
READER = "folder-3"  # change it when the same image would give other pixels: it is part of the pack's key
IMAGE_ENDINGS = frozenset(Image.registered_extensions())  # also of formats that are refused, so that they are named


def name_from_char(char: str) -> str:
    """``U+4E00`` for 一: safe in every file system, where the character itself may not be."""
    return f"U+{ord(char):04X}"


def image_files(folder: Path) -> list[Path]:
    """The glyph images of a folder by their endings, sorted by name; without hidden files and fontgan's overviews."""
    overviews = {SHEET, STRIP, ANIMATION} if (folder / MANIFEST).is_file() else {SHEET}
    named = filter(named_as_image, folder.iterdir())
    found = (file for file in named if file.name not in overviews and is_file(file))
    return sorted(found, key=lambda file: composed(file.name))  # the same on every system


def named_as_image(file: Path) -> bool:
    """Whether a file's name has an image's ending; hidden files are left alone."""
    return file.suffix.lower() in IMAGE_ENDINGS and not file.name.startswith(".")


def chars_of(folder: Path, files: Sequence[Path], source: Collection[str] = ()) -> list[str | None]:
    """The character that each image of a folder shows; None where its name stands for none.

    ``source`` and what is raised: as ``choose_reading``.
    """
    reading = choose_reading(folder, [file.stem for file in files], source)
    return [char_from_name(file.stem, reading) for file in files]


class _Cell(Struct, frozen=True):
    """What a manifest says of its images."""

    size: Annotated[int, Meta(ge=1, le=GLYPH.side)]
    cell_to_canvas: StoredFrame

    def __post_init__(self) -> None:
        cell, most = self.cell_to_canvas, self.size * MAX_CELL_RATIO
        if not self.size / MAX_CELL_RATIO <= cell.scale <= most:
            raise ValueError(f"cell_to_canvas: a scale of {cell.scale:g} is out of proportion to a size of {self.size}")
        if max(abs(cell.dx), abs(cell.dy)) > most:
            raise ValueError(f"cell_to_canvas: it lies too far off images of size {self.size}")


class CellFinder:
    """Where the em square lies in the images of a folder: as its ``manifest.json`` says, or the whole image."""

    def __init__(self, folder: Path):
        """Raises: DataError if there is a manifest that is not fontgan's."""
        file = folder / MANIFEST
        self.canvas: Frame | None = None
        self.size = 0
        if not file.is_file():
            return
        try:
            stored = convert(read_json(file, MAX_MANIFEST_BYTES), _Cell)
        except (OSError, ValueError) as error:
            remedy = "Take it out, and each image counts as a whole em cell."
            raise DataError(f"{file}: not a manifest of fontgan ({error}). {remedy}") from error
        cell = stored.cell_to_canvas
        self.canvas, self.size = Frame(cell.scale, cell.dx, cell.dy), stored.size

    def cell_to_image(self, grey: np.ndarray) -> Frame:
        """Cell -> pixels of this image."""
        return self.view(*grey.shape).cell

    def view(self, height: int, width: int) -> View:
        """What an image of this size shows."""
        if self.canvas is None:
            return View.of_em(width, height)
        # The images may have been scaled since.
        return View(width, height, self.canvas.compose(Frame(max(width, height) / self.size)))

    def ink_box(self, grey: np.ndarray) -> Box | None:
        """The ink's box in cell coordinates, or None for a blank image."""
        box = ink_box(grey)
        return None if box is None else self.cell_to_image(grey).inverse().box(box)

    def rasterize(self, grey: np.ndarray, frame: Frame, size: int) -> np.ndarray:
        """``resample``, where ``frame`` maps cell to canvas."""
        return resample(grey, self.cell_to_image(grey).inverse().compose(frame), size)


def ink_box(grey: np.ndarray) -> Box | None:
    """The ink's box in pixels of the image, or None for a blank image."""
    ink = grey < PAPER - INK_LEVEL
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def folder_reader(folder: Path) -> ImageReader:
    """How the images of a folder are read. What fontgan drew there is taken as it is."""
    return reader_of(image_files(folder), cleans=not (folder / MANIFEST).is_file())


class FolderGlyphs:
    """Glyph images in one folder, one a character."""

    def __init__(self, path: Path, source: Collection[str] = ()):
        """
        Args:
            source: characters that they are paired with, where these are known: see ``choose_reading``.
        Raises: DataError if the folder holds no image whose name stands for a character, or two readings fit the names.
        """
        self.path = path
        self.files: dict[str, Path] = {}
        unparsed: list[str] = []
        doubled: list[str] = []
        files = image_files(path)
        for file, char in zip(files, chars_of(path, files, source), strict=True):
            if char is None:
                unparsed.append(file.name)
            elif char in self.files:
                doubled.append(f"{file.name} (also {self.files[char].name})")
            else:
                self.files[char] = file
        strange = sorted(file.name for file in path.iterdir() if named_as_image(file) and not is_file(file))
        self.diagnostics = Diagnostics()
        remedy = "Links may lead nowhere; folders are not looked into."
        what = "are named as images but are no files, and are left out"
        self.diagnostics.tell("warning", path, strange, what, remedy)
        remedy = "Name them U+4E00.png, 4E00.png, uni4E00.png or by the character itself."
        what, images = "file names stand for no character and are left out", len(self.files) + len(unparsed)
        self.diagnostics.tell("warning", path, unparsed, what, remedy, kind="unnamed", of=images)
        what, remedy = "files repeat a character and are left out", "Keep one image a character."
        self.diagnostics.tell("warning", path, doubled, what, remedy)
        if not self.files:
            what = f"{len(unparsed)} images, none named after a character" if unparsed else "no images"
            remedy = "Put glyph images there, named U+4E00.png, 4E00.png, uni4E00.png or 一.png."
            raise DataError(f"{path}: the folder holds {what}. {remedy}")
        self._cells = CellFinder(path)
        self._boxes: dict[str, Box] = {}
        self._views: Counter[View] = Counter()  # of the images surveyed last
        self._hashes: dict[str, str] = {}  # of the images' files as they were surveyed or hashed

    @cached_property
    def reader(self) -> ImageReader:
        """How the images are read."""
        return folder_reader(self.path)

    def coverage(self, wanted: list[str] | None) -> Coverage:
        present: list[str] = []
        left_out: dict[str, list[str]] = {"missing": [], "unreadable": [], "empty": []}
        problems: list[str] = []
        diagnostics = Diagnostics(self.diagnostics)
        tally = Tally(self.path, cells=self._cells.canvas is not None)
        sizes: Counter[tuple[int, ...]] = Counter()
        for char in self.files if wanted is None else wanted:
            if char not in self.files:
                left_out["missing"].append(char)
                continue
            try:
                grey, seen = self.reader.read(self.files[char], char)
            except DataError as error:
                left_out["unreadable"].append(char)
                problems.append(str(error))
                continue
            box = self._cells.ink_box(grey)
            if box is None:
                left_out["empty"].append(char)
                continue
            present.append(char)
            self._boxes[char], self._hashes[char] = box, seen.digest
            sizes[grey.shape] += 1
            tally.add(self.files[char], seen)
        self._views = Counter({self._cells.view(*shape): count for shape, count in sizes.items()})
        found = len(present) + len(problems) + len(left_out["empty"])
        for problem in problems:
            diagnostics.add("warning", problem)
        if is_most(len(problems), found):
            told = f"{self.path}: {len(problems)} of {found} images cannot be read; the first: {problems[0]}"
            diagnostics.add("warning", told, kind="unreadable")
        if present and not tally.inverted:
            diagnostics.add("note", f"{self.path}: dark ink on light paper.")
        diagnostics += tally.findings()
        if len(sizes) > 1:
            told = shorten([f"{w}x{h} px ({count})" for (h, w), count in sizes.most_common()], 5)
            told = f"images of {len(sizes)} sizes: {told}; each is taken as a whole em cell."
            diagnostics.add("note", f"{self.path}: {told}", "Cut them all to the same cell if they are not.")
        diagnostics.tell("note", self.path, left_out["missing"], "characters left out as missing")
        what, remedy = "images hold no ink and are left out", "Draw them or take them out."
        diagnostics.tell("warning", self.path, left_out["empty"], what, remedy, kind="blank", of=found)
        return Coverage(present, {reason: chars for reason, chars in left_out.items() if chars}, diagnostics)

    def ink_box(self, char: str) -> Box:
        box = self._boxes.get(char) or self._cells.ink_box(self.reader.read(self.files[char], char)[0])
        if box is None:
            raise DataError(f"{self.files[char]}: the image holds no ink.")
        return box

    def rasterize(self, char: str, frame: Frame, size: int) -> np.ndarray:
        """Raises: DataError if the image cannot be read, or is no longer the one that was surveyed or hashed."""
        grey, seen = self.reader.read(self.files[char], char)
        if self._hashes.get(char, seen.digest) != seen.digest:
            raise DataError(f"{self.files[char]}: was changed while its folder was in use. Start again.")
        try:
            return self._cells.rasterize(grey, frame, size)
        except DataError as error:
            raise DataError(f"{self.files[char]}: {error}") from error

    def fingerprint(self, chars: list[str]) -> str:
        key = hashlib.sha256(f"{READER}|{self.reader.key}|{self._cells.canvas}|{self._cells.size}".encode())
        for char in chars:
            if char not in self._hashes:
                self._hashes[char] = self.reader.read(self.files[char], char)[1].digest
            key.update(f"{char}{self._hashes[char]}".encode())
        return key.hexdigest()

    @property
    def usual_view(self) -> View | None:
        """What most of the images surveyed last show."""
        return next((view for view, _ in self._views.most_common(1)), None)

    def describe(self) -> dict[str, Any]:
        facts = {"kind": "folder", "file": one_line(self.path.name), "images": len(self.files)}
        return facts | ({"view": self.usual_view.as_dict()} if self.usual_view else {})


def resample(grey: np.ndarray, to_canvas: Frame, size: int) -> np.ndarray:
    """Moves an image, (H, W) uint8, 0 ink .. 255 paper, onto a canvas, (size, size) uint8.

    It is antialiased also where it shrinks; what lies outside is paper; ``to_canvas`` maps the pixels of both.
    Raises: DataError if the canvas would show more than ``MAX_CANVAS_PIXELS`` pixels of image and paper around it.
    """
    height, width = grey.shape
    region = to_canvas.inverse().box(Box(0, 0, size, size))  # what the canvas shows, in image pixels
    across = max(region.x1, width) - min(region.x0, 0)
    down = max(region.y1, height) - min(region.y0, 0)
    if not across * down <= MAX_CANVAS_PIXELS:  # also what is no number
        remedy = "Scale the image down, or see whether its ink fills its cell as it does in the other images."
        raise DataError(f"an image of {width}x{height} pixels would lie on {across:.3g}x{down:.3g} of paper. {remedy}")
    left, top = max(0, math.ceil(-region.x0)), max(0, math.ceil(-region.y0))
    right, bottom = max(0, math.ceil(region.x1 - width)), max(0, math.ceil(region.y1 - height))
    padded = np.pad(grey, ((top, bottom), (left, right)), constant_values=PAPER)
    high, wide = map(float, padded.shape)
    box = (max(0, region.x0 + left), max(0, region.y0 + top), min(wide, region.x1 + left), min(high, region.y1 + top))
    return np.asarray(Image.fromarray(padded).resize((size, size), Image.Resampling.BICUBIC, box=box))
