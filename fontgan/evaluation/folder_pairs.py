"""Two folders of glyph images, whoever made them -> a glyph set."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mode
from typing import NamedTuple

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.image_source import CellFinder, chars_of, image_files, resample
from fontgan.data.reading import Tally, reader_of
from fontgan.data.sources import open_glyphs
from fontgan.data.view import View
from fontgan.errors import ConfigError, DataError, encodable, shorten
from fontgan.evaluation.glyph_set import GlyphSet, Pair, add_gate
from fontgan.metrics.structure import varied
from fontgan.runtime.file_names import composed
from fontgan.runtime.progress import Bar
from fontgan.untrusted.images import GLYPH, header_size

MIN_SIZE, MAX_SIZE = 32, 512  # px: sizes at which folders are compared
LISTED = 20  # names in a note; the JSON has all


def glyph_set_of_folders(pred: Path, truth: Path, source: str | None = None, *, seed: int = 1) -> GlyphSet:
    """Pairs two folders of glyph images; subfolders that both have are styles.

    Images belong together whose names stand for the same character, or where they stand for none, are the same.
    Images of another size than most true ones are brought to that size.  Blank images count like all others.

    Args:
        source: font or folder that was drawn from; None if it is not known.
        seed: of the errors planted to calibrate the structure gates.
    Raises: ConfigError if a folder is missing; DataError if nothing can be compared.
    """
    for key, folder in (("pred", pred), ("truth", truth)):
        if not folder.is_dir():
            raise ConfigError(f"{key}={folder}: no such folder. Name a folder of glyph images.")
    if pred.resolve() == truth.resolve():
        raise ConfigError(f"pred={pred}: is the same folder as truth. Name the folder of drawn glyphs.")
    notes: list[str] = []
    styles = {
        style: _Style(style, _Folder(drawn, notes, drawn=True), _Folder(true, notes))
        for style, (drawn, true) in _styles_of(pred, truth, notes).items()
    }
    missing, extra = _unpaired(styles.values(), notes)
    pairs = [(name, char) for name, style in styles.items() for char in style.true.files if char in style.drawn.files]
    sources = None if source is None else open_glyphs(source)
    if sources is not None:
        pairs = _with_source(pairs, sources, notes)
    files = (styles[style].true.files[char] for style, char in pairs)
    sides = _of_readable(files, lambda file: max(header_size(file, GLYPH)))  # from the headers
    size = min(MAX_SIZE, max(MIN_SIZE, mode(sides or [MIN_SIZE])))
    images = _Images(size, sources)
    for pair in Bar(pairs, desc="reading folders", unit="pair", leave=False):
        style = styles[pair[0]]
        try:
            drawn, true = style.drawn.read(pair[1]), style.true.read(pair[1])
        except DataError as error:
            notes.append(encodable(str(error)))
        else:
            images.add(pair, drawn, true, style)
    for style in styles.values():
        findings = style.drawn.tally.findings() + style.true.tally.findings()
        notes += [encodable(str(finding)) for finding in findings]
    if not images.names:
        says = f"shares no readable character with truth={truth}. Name the images alike, such as U+4E00.png."
        raise DataError(f"pred={pred}: {says}")
    notes += images.resized()
    drawn, true = np.stack(images.kept["pred"]), np.stack(images.kept["truth"])
    shapes = np.stack(images.kept["source"]) if sources is not None else None
    baseline = {"blank_page": np.full_like(true, 255)}
    em_px = {name: style.canvas(size).scale for name, style in styles.items()}
    glyphs = GlyphSet(
        size, images.names, drawn, true, shapes, baseline, em_px, missing=missing, extra=extra, notes=notes
    )
    baseline["mean_glyph"] = _means_of_the_others(glyphs)
    if shapes is not None:
        baseline["copy_source"] = shapes
    for name, rows in glyphs.rows.items():
        right = true[rows] if shapes is not None else varied(true[rows], seed)
        add_gate(glyphs, name, glyphs.expected[rows], right, seed)
    if shapes is None:
        notes.append(
            "structure: no source= was given, so drawn glyphs are held against the true ones, and the confidence is "
            "calibrated on true glyphs moved a little and made bolder or lighter."
        )
    return glyphs


class _Folder:
    """One folder's images by character, or by name where that stands for none."""

    def __init__(self, path: Path, notes: list[str], *, drawn: bool = False):
        self.files: dict[str, Path] = {}
        self.cells = CellFinder(path)
        doubled = []
        files = image_files(path)
        for file, char in zip(files, chars_of(path, files), strict=True):
            first = self.files.setdefault(char or encodable(composed(file.stem)), file)
            if first != file:
                doubled.append(f"{encodable(file.name)} (also {encodable(first.name)})")
        if doubled:
            notes.append(f"{path}: {len(doubled)} files repeat a character and are left out: {shorten(doubled)}.")
        # Drawn ones are measured as they are, and a single one may be black because drawing it failed.
        self.reader = reader_of(list(self.files.values()), cleans=not drawn and not self.cells.canvas, unlike=not drawn)
        self.tally = Tally(path, cells=self.cells.canvas is not None)

    def read(self, key: str) -> np.ndarray:
        """(H, W) uint8, 0 ink .. 255 paper. Raises: DataError."""
        grey, seen = self.reader.read(self.files[key], key if len(key) == 1 else None)
        self.tally.add(self.files[key], seen)
        return grey


class _Style(NamedTuple):
    name: str
    drawn: _Folder
    true: _Folder

    def frames(self, drawn: np.ndarray, true: np.ndarray, size: int) -> list[Frame]:
        """Image pixels -> the common canvas: em square on em square where the drawn ones tell theirs, or image on image.

        True ones that tell nothing are em cells. Drawn ones that tell nothing lie as the true ones do.
        """
        if self.drawn.cells.canvas is None:
            return [View.of_em(*grey.shape[::-1]).cell.inverse().compose(Frame(size)) for grey in (drawn, true)]
        cells = self.drawn.cells.cell_to_image(drawn), self.true.cells.cell_to_image(true)
        return [cell.inverse().compose(self.canvas(size)) for cell in cells]

    def canvas(self, size: int) -> Frame:
        """Em square -> the common canvas: as the true glyphs lie."""
        cells = self.true.cells
        return Frame(size) if cells.canvas is None else cells.canvas.compose(Frame(size / cells.size))


class _Images:
    """What has been read so far, as (size, size) uint8: of pred, truth and, if it is known, the source."""

    def __init__(self, size: int, sources: GlyphSource | None):
        self.size = size
        self.sources = sources
        self.names: list[Pair] = []
        self.kept: dict[str, list[np.ndarray]] = {"pred": [], "truth": [], "source": []}
        self.shapes: dict[str, Counter[tuple[int, ...]]] = {"pred": Counter(), "truth": Counter()}

    def add(self, pair: Pair, drawn: np.ndarray, true: np.ndarray, style: _Style) -> None:
        self.names.append(pair)
        frames = style.frames(drawn, true, self.size)
        for key, grey, frame in zip(self.shapes, (drawn, true), frames, strict=True):
            self.shapes[key][grey.shape] += 1
            moved = max(abs(frame.scale - 1) * self.size, abs(frame.dx), abs(frame.dy))
            stays = grey.shape == (self.size, self.size) and moved < 0.01  # of a pixel
            self.kept[key].append(grey if stays else resample(grey, frame, self.size))
        if self.sources is not None:
            self.kept["source"].append(self.sources.rasterize(pair[1], style.canvas(self.size), self.size))

    def resized(self) -> list[str]:
        """A note for each folder on its images of other sizes."""
        notes = []
        for key, shapes in self.shapes.items():
            other = {shape: count for shape, count in shapes.items() if shape != (self.size, self.size)}
            if other:
                listed = [f"{width}x{height} px ({count})" for (height, width), count in sorted(other.items())]
                says = f"images were resized to {self.size} px to be compared: {shorten(listed, 5)}."
                notes.append(f"{key}: {sum(other.values())} {says}")
        return notes


def _styles_of(pred: Path, truth: Path, notes: list[str]) -> dict[str, tuple[Path, Path]]:
    """Style name -> folder of drawn, folder of true glyphs."""
    inside = {
        key: {encodable(composed(folder.name)): folder for folder in sorted(parent.iterdir()) if folder.is_dir() and image_files(folder)}
        for key, parent in (("pred", pred), ("truth", truth))
    }  # fmt: skip
    shared = [name for name in inside["truth"] if name in inside["pred"]]
    if image_files(truth) and image_files(pred):
        if shared:
            notes.append(f"both folders hold images, so their subfolders ({shorten(shared)}) are not looked into.")
        return {encodable(pred.resolve().name): (pred, truth)}
    if not shared:
        empty = truth if not image_files(truth) and not inside["truth"] else pred
        remedy = "Name two folders of images, or two folders with one subfolder a style."
        raise DataError(f"{empty}: holds no images, nor subfolders named as in the other folder. {remedy}")
    for key, other in (("pred", "truth"), ("truth", "pred")):
        lacking = [name for name in inside[other] if name not in inside[key]]
        if lacking:
            count = f"{len(lacking)} of the {len(inside[other])} styles"
            notes.append(f"{key} lacks {count} of {other}: {shorten(lacking)}.")
    return {name: (inside["pred"][name], inside["truth"][name]) for name in shared}


def _unpaired(styles: Iterable[_Style], notes: list[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Style -> characters that are not drawn; style -> drawn ones that have no true glyph."""
    missing, extra = {}, {}
    for name, drawn, true in styles:
        if lacking := [char for char in true.files if char not in drawn.files]:
            missing[name] = lacking
            count = f"{len(lacking)} of {len(true.files)} characters"
            notes.append(f"{name}: {count} are not drawn and not counted: {shorten(lacking, LISTED)}.")
        if more := [char for char in drawn.files if char not in true.files]:
            extra[name] = more
            says = f"drawn characters have no true glyph and are not counted: {shorten(more, LISTED)}."
            notes.append(f"{name}: {len(more)} {says}")
    return missing, extra


def _with_source(pairs: list[Pair], sources: GlyphSource, notes: list[str]) -> list[Pair]:
    chars = list(dict.fromkeys(char for _, char in pairs if len(char) == 1))
    there = set(sources.coverage(chars).present)
    lacking = list(dict.fromkeys(char for _, char in pairs if char not in there))
    if lacking:
        notes.append(f"source: lacks {len(lacking)} characters, which are not counted: {shorten(lacking, LISTED)}.")
    return [pair for pair in pairs if pair[1] in there]


def _of_readable(files: Iterable[Path], look: Callable[[Path], int]) -> list[int]:
    found = []
    for file in files:
        with suppress(DataError):  # told when its turn comes to be measured
            found.append(look(file))
    return found


def _means_of_the_others(glyphs: GlyphSet) -> np.ndarray:
    """For each glyph the mean of its style's other true ones: there are no training characters to take it from."""
    truth = glyphs.truth
    means = np.full_like(truth, 255)
    for rows in glyphs.rows.values():
        if len(rows) > 1:
            total = truth[rows].sum(axis=0, dtype=np.int64)
            means[rows] = np.rint((total - truth[rows]) / (len(rows) - 1))
    return means
