"""The glyphs that ``fontgan infer`` reads: characters of a font, or a folder of images."""

import logging
import math
import threading
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from fontgan.data import charset as charsets
from fontgan.data.frame import Box, Frame, clips, median_box
from fontgan.data.glyphs import PAPER, Diagnostics, GlyphSource
from fontgan.data.image_source import (
    CellFinder,
    chars_of,
    folder_reader,
    image_files,
    ink_box,
    name_from_char,
    resample,
)
from fontgan.data.name_reading import char_from_name
from fontgan.data.reading import Tally
from fontgan.data.refusal import KINDS, tell, tell_or_refuse
from fontgan.data.sources import Spec, open_glyphs
from fontgan.data.unlike import CELL, SIDE
from fontgan.errors import DataError
from fontgan.generate.run import BaseRun, Style
from fontgan.runtime.file_names import alike, composed, distinct, portable
from fontgan.runtime.files import user_path
from fontgan.runtime.threads import ordered_map

log = logging.getLogger(__name__)

LONGEST_STEM = 250  # bytes: what an image's ending leaves of the 255 of a file system
EMPTY = np.full((SIDE, SIDE), PAPER, np.uint8)  # of a glyph that no guide is compared with


@dataclass
class ReadImage:
    file: str
    problem: str = ""  # why it cannot be read
    box: Box | None = None  # of the ink, in cell coordinates


class FontInput:
    """Characters of a font, or of a folder of images read as one.

    Attributes:
        chars: by the name of the result; None where a name stands for no character.
        drawn_from: what the manifest calls these sources.
        read: what reading images showed, by name; none are read here.
    """

    def __init__(self, run: BaseRun, glyphs: GlyphSource, chars: Sequence[str]):
        self.chars: dict[str, str | None] = {name_from_char(char): char for char in chars}
        self.drawn_from = f"{glyphs.path.name} {glyphs.fingerprint([])[:16]}"
        self.read: dict[str, ReadImage] = {}
        self._glyphs, self._run = glyphs, run
        self._in_use = threading.Lock()  # FreeType holds one glyph at a time

    @property
    def names(self) -> list[str]:
        """Of the results."""
        return list(self.chars)

    def pixels(self, name: str, frame: Frame, size: int = 0) -> np.ndarray | None:
        """The source on a canvas, of the run's size if 0; ``frame``: cell -> pixels. Any thread may ask."""
        char = self.chars[name]
        assert char is not None
        with self._in_use:
            return self._glyphs.rasterize(char, frame, size or self._run.size)


class FolderInput:
    """Every image of a folder, as ``FontInput``; results are called as the images are, where every system takes that.

    Raises: DataError if there is none, or two have one name.
    """

    def __init__(self, run: BaseRun, folder: Path):
        if not folder.is_dir():
            raise DataError(f"input={folder}: no such folder. Give a folder of glyph images.")
        self._files: dict[str, Path] = {}
        for file, name in _name_results(image_files(folder)).items():
            if name in self._files:
                other = self._files[name].name
                raise DataError(f"{file}: has the same name as {other}, and their results would collide. Rename one.")
            self._files[name] = file
        if not self._files:
            raise DataError(f"input={folder}: holds no images. Give a folder of images (PNG or what Pillow reads).")
        self.chars = dict(zip(self._files, chars_of(folder, list(self._files.values())), strict=True))
        self.drawn_from = str(folder.resolve())
        self.read: dict[str, ReadImage] = {}
        self._cells, self._reader, self._run = CellFinder(folder), folder_reader(folder), run
        self.tally = Tally(folder, cells=self._cells.canvas is not None)

    @property
    def names(self) -> list[str]:
        """Of the results."""
        return list(self.chars)

    def pixels(self, name: str, frame: Frame, size: int = 0) -> np.ndarray | None:
        """The source on a canvas, or None (and noted) if it cannot be read. As ``FontInput.pixels``."""
        image = self.read[name] = ReadImage(self._files[name].name)
        try:
            grey, seen = self._reader.read(self._files[name], self.chars[name])
        except DataError as error:
            image.problem = str(error)
            return None
        if not size:  # else it was told when it was read for the run
            self.tally.add(self._files[name], seen)
        to_cell = self._cells.cell_to_image(grey).inverse()
        box = ink_box(grey)
        image.box = None if box is None else to_cell.box(box)
        return resample(grey, to_cell.compose(frame), size or self._run.size)


def _name_results(files: Sequence[Path]) -> dict[Path, str]:
    """Image -> what its result is called: as itself, or ``U+0041`` where a system would refuse that or hold two names for
    one, as Windows and macOS do of ``A.png`` and ``a.png``; what stands for no character has a number then."""
    stems = list(dict.fromkeys(file.stem for file in files))
    held = Counter(map(alike, stems))
    odd = {stem for stem in stems if held[alike(stem)] > 1 or portable(stem, max_bytes=LONGEST_STEM) != composed(stem)}
    called = distinct(sorted(stems, key=odd.__contains__))  # first those that keep their names
    called |= {stem: name_from_char(char) for stem in odd if (char := char_from_name(stem))}
    return {file: called[file.stem] if file.stem in odd else file.stem for file in files}


GlyphInput = FontInput | FolderInput


def open_input(
    run: BaseRun,
    *,
    folder: str | None,
    font: Spec | None,
    text: str | None,
    charset: str | None,
    styles: Sequence[Style],
    allow: Collection[str] = (),
) -> GlyphInput:
    """A folder of images, or characters of a font or else of the source that the first of the styles has.

    Raises: UserError if there are none, or most are lacking or clipped and ``allow`` does not name that.
    """
    if folder is not None:
        return FolderInput(run, user_path(folder))
    glyphs = open_glyphs(font) if font else run.open_source(styles[0])
    wanted = charsets.resolve(charset or charsets.FONT) if text is None else charsets.visible(text)
    if wanted == []:
        raise DataError("text: holds no visible character.")
    coverage = glyphs.coverage(wanted)
    if not coverage.present:
        tell(coverage.diagnostics, KINDS)
        raise DataError(f"{glyphs.path}: has none of the characters asked for.")
    if text is not None or charsets.is_list(charset or charsets.FONT):
        coverage.expect_all(glyphs.path)
    boxes = {char: glyphs.ink_box(char) for char in coverage.present}
    tell_or_refuse([*coverage.diagnostics, *find_clipped(run, glyphs.path, boxes, styles)], allow)
    return FontInput(run, glyphs, coverage.present)


def find_clipped(run: BaseRun, where: object, boxes: Mapping[str, Box], styles: Sequence[Style]) -> Diagnostics:
    """Names sources, given the boxes of their ink in the cell, that the canvas of one of the styles cuts off."""
    found, frames = Diagnostics(), [run.placement(style).inputs[0] for style in styles]
    over = [name for name, box in boxes.items() if any(clips(frame.box(box), run.size) for frame in frames)]
    what, remedy = (
        "glyphs reach over the edge of the run's canvas and are clipped",
        "Draw them smaller, or leave them out.",
    )
    found.tell("warning", where, over, what, remedy, kind="clipped", of=len(boxes))
    return found


def computes_alone(run: BaseRun) -> bool:
    """Whether the network leaves this machine's cores free for images."""
    return run.computes_alone


def batches(
    run: BaseRun, sources: GlyphInput, names: Sequence[str], style: Style
) -> Generator[tuple[list[str], np.ndarray], None, None]:
    """What the network sees of readable sources, a batch of the run's size at a time, (B, 1 + guides, size, size).

    While a GPU works on one batch, the next is read.
    """
    size, frame = run.batch_size, run.placement(style).inputs[0]

    def read(name: str) -> tuple[str, np.ndarray, np.ndarray] | None:
        pixels = sources.pixels(name, frame)
        if pixels is None:
            return None
        compared = run.drawn_from.guides and sources.chars[name]
        small = sources.pixels(name, CELL, SIDE) if compared else None
        return name, pixels, EMPTY if small is None else small

    with closing(ordered_map(read, names, max_in_flight=size, overlap=computes_alone(run))) as found:
        readable = (one for one in found if one is not None)
        while batch := list(islice(readable, size)):
            read_names, pixels, small = zip(*batch, strict=True)
            chars = [sources.chars[name] for name in read_names]
            yield list(read_names), run.with_guides(np.stack(pixels), np.stack(small), chars, style)


def say_how_read(run: BaseRun, sources: GlyphInput, styles: Sequence[Style], allow: Collection[str] = ()) -> bool:
    """Tells of images that were inverted, sit otherwise in their cells or could not be read.

    Returns: whether all could, and nothing makes most of the results useless that ``allow`` does not name.
    """
    read = [sources.read[name] for name in sources.names if name in sources.read]
    seen = sources.tally.findings() if isinstance(sources, FolderInput) else []
    boxes = {image.file: image.box for image in read if image.box is not None}
    found = [*find_clipped(run, sources.drawn_from, boxes, styles)]
    found += _find_other_framing(run, list(boxes.values()), styles[0])
    right = tell([*seen, *found], allow)
    failed = [image.problem for image in read if image.problem]
    for message in failed:
        log.error("%s", message)
    if failed:
        log.error("%d of %d images could not be read; the rest is done.", len(failed), len(sources.names))
    return right and not failed


def _find_other_framing(run: BaseRun, boxes: list[Box], style: Style) -> Diagnostics:
    """Says so when a folder's glyphs sit in their cells otherwise than those trained on."""
    found, trained = Diagnostics(), run.source_ink_box(style)
    if trained is None or len(boxes) < 5:
        return found
    here = median_box(boxes)
    scale = math.sqrt(here.width * here.height / (trained.width * trained.height))
    right, down = (here.x0 + here.x1) - (trained.x0 + trained.x1), (here.y0 + here.y1) - (trained.y0 + trained.y1)
    shift = max(abs(right) / 2, abs(down) / 2)
    if not 0.85 < scale < 1.18 or shift > 0.08:
        told = "these glyphs fill their cells otherwise than those trained on"
        told = f"{told} ({scale:.2f} times the size, moved by {shift:.2f} em); results may suffer."
        remedy = "Render the source with fontgan render, or use font=A.ttf."
        found.add("warning", told, remedy, "" if 0.5 <= scale <= 2 else "odd_size")
    return found
