"""Two folders of glyph images, whoever made them -> a glyph set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.image_source import CellFinder, char_from_name, image_files, read_grey, resample, square_cell
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, encodable, shorten
from fontgan.evaluation.glyph_set import GlyphSet, Pair, add_gate
from fontgan.metrics.structure import varied
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.images import GLYPH, header_size

MIN_SIZE, MAX_SIZE = 32, 512  # px: sizes at which folders are compared
LISTED = 20  # names in a note; the JSON has all
POLARITY_FROM = 32  # images of a folder tell whether it is light on dark


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
    found = _Found()
    styles = {
        style: _Style(_Folder(drawn, found.notes), _Folder(true, found.notes))
        for style, (drawn, true) in _styles_of(pred, truth, found.notes).items()
    }
    pairs = [(style, char) for style in styles for char in _shared(style, styles[style], found)]
    sources = None if source is None else open_glyphs(source)
    if sources is not None:
        pairs = _with_source(pairs, sources, found.notes)
    size = _most_common_side([styles[style].true.files[char] for style, char in pairs])
    for pair in tqdm(pairs, desc="reading folders", unit="pair", leave=False):
        _read(pair, styles[pair[0]], size, sources, found)
    if not found.names:
        raise DataError(
            f"pred={pred}: shares no readable character with truth={truth}. Name the images alike, such as U+4E00.png."
        )
    found.say_sizes(size)
    drawn, true = np.stack(found.drawn), np.stack(found.truth)
    shapes = np.stack(found.source) if found.source else None
    baseline = {"blank_page": np.full_like(true, 255), "mean_glyph": _means_of_the_others(found.names, true)}
    if shapes is not None:
        baseline["copy_source"] = shapes
    glyphs = GlyphSet(
        size, found.names, drawn, true, shapes, baseline, missing=found.missing, extra=found.extra, notes=found.notes
    )
    for style in glyphs.styles:
        rows = [row for row, (name, _) in enumerate(glyphs.names) if name == style]
        right = true[rows] if shapes is not None else varied(true[rows], seed)
        add_gate(glyphs, style, glyphs.expected[rows], right, seed)
    if shapes is None:
        glyphs.notes.append(
            "structure: no source= was given, so drawn glyphs are held against the true ones, and the confidence is "
            "calibrated on true glyphs moved a little and made bolder or lighter."
        )
    return glyphs


class _Folder:
    """One folder's images by character, or by name where that stands for none."""

    def __init__(self, path: Path, notes: list[str]):
        self.files: dict[str, Path] = {}
        self.cells = CellFinder(path)
        doubled = []
        for file in image_files(path):
            key = char_from_name(file.stem) or encodable(file.stem)
            if key in self.files:
                doubled.append(f"{encodable(file.name)} (also {encodable(self.files[key].name)})")
            self.files.setdefault(key, file)
        if doubled:
            notes.append(f"{path}: {len(doubled)} files repeat a character and are left out: {shorten(doubled)}.")
        self.light_on_dark = self._most_are_light_on_dark()
        if self.light_on_dark:
            notes.append(f"{path}: light ink on dark paper; all images are inverted.")

    def _most_are_light_on_dark(self) -> bool:
        """By their majority: a single image may be black because drawing it failed."""
        votes = []
        for key in subsample_evenly(list(self.files), POLARITY_FROM):
            try:
                votes.append(read_grey(self.files[key])[1])
            except DataError:
                continue  # told when its turn comes to be measured
        return 2 * sum(votes) > len(votes)

    def read(self, key: str) -> np.ndarray:
        """(H, W) uint8, 0 ink .. 255 paper. Raises: DataError."""
        grey, inverted = read_grey(self.files[key])
        return grey if inverted == self.light_on_dark else 255 - grey


@dataclass
class _Style:
    drawn: _Folder
    true: _Folder

    def frames(self, drawn: np.ndarray, true: np.ndarray, size: int) -> tuple[Frame, Frame]:
        """Image pixels -> the common canvas.

        Where both folders say how their em squares lie, em square comes on em square; otherwise image on image.
        """
        if self.drawn.cells.canvas is None or self.true.cells.canvas is None:
            first, second = (square_cell(grey).inverse().compose(Frame(size)) for grey in (drawn, true))
            return first, second
        canvas = self.canvas(size)
        return (
            self.drawn.cells.cell_to_image(drawn).inverse().compose(canvas),
            self.true.cells.cell_to_image(true).inverse().compose(canvas),
        )

    def canvas(self, size: int) -> Frame:
        """Em square -> the common canvas: as the true glyphs lie."""
        cells = self.true.cells
        return Frame(size) if cells.canvas is None else cells.canvas.compose(Frame(size / cells.size))


@dataclass
class _Found:
    """What has been read so far; images are (size, size) uint8."""

    names: list[Pair] = field(default_factory=list)
    drawn: list[np.ndarray] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    source: list[np.ndarray] = field(default_factory=list)
    shapes: dict[str, Counter[tuple[int, ...]]] = field(default_factory=lambda: {"pred": Counter(), "truth": Counter()})
    missing: dict[str, list[str]] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def say_sizes(self, size: int) -> None:
        for key, shapes in self.shapes.items():
            other = {shape: count for shape, count in shapes.items() if shape != (size, size)}
            if other:
                listed = [f"{width}x{height} px ({count})" for (height, width), count in sorted(other.items())]
                self.notes.append(
                    f"{key}: {sum(other.values())} images were resized to {size} px to be compared: {shorten(listed, 5)}."
                )


def _read(pair: Pair, style: _Style, size: int, sources: GlyphSource | None, found: _Found) -> None:
    """Adds a pair, or a note if one of its images cannot be read."""
    try:
        drawn, true = style.drawn.read(pair[1]), style.true.read(pair[1])
    except DataError as error:
        found.notes.append(encodable(str(error)))
        return
    found.names.append(pair)
    images = (("pred", drawn, found.drawn), ("truth", true, found.truth))
    for (key, grey, kept), frame in zip(images, style.frames(drawn, true, size), strict=True):
        found.shapes[key][grey.shape] += 1
        stays = grey.shape == (size, size) and _moves_nothing(frame, size)
        kept.append(grey if stays else resample(grey, frame, size))
    if sources is not None:
        found.source.append(sources.rasterize(pair[1], style.canvas(size), size))


def _moves_nothing(frame: Frame, size: int) -> bool:
    return max(abs(frame.scale - 1) * size, abs(frame.dx), abs(frame.dy)) < 0.01  # of a pixel


def _styles_of(pred: Path, truth: Path, notes: list[str]) -> dict[str, tuple[Path, Path]]:
    """Style name -> folder of drawn, folder of true glyphs."""
    inside = {
        key: {encodable(folder.name): folder for folder in sorted(parent.iterdir()) if folder.is_dir() and image_files(folder)}
        for key, parent in (("pred", pred), ("truth", truth))
    }  # fmt: skip
    shared = [name for name in inside["truth"] if name in inside["pred"]]
    if image_files(truth) and image_files(pred):
        if shared:
            notes.append(f"both folders hold images, so their subfolders ({shorten(shared)}) are not looked into.")
        return {encodable(pred.resolve().name): (pred, truth)}
    if not shared:
        empty = truth if not image_files(truth) and not inside["truth"] else pred
        raise DataError(
            f"{empty}: holds no images, nor subfolders named as in the other folder. "
            "Name two folders of images, or two folders with one subfolder a style."
        )
    for key, other in (("pred", "truth"), ("truth", "pred")):
        lacking = [name for name in inside[other] if name not in inside[key]]
        if lacking:
            notes.append(
                f"{key} lacks {len(lacking)} of the {len(inside[other])} styles of {other}: {shorten(lacking)}."
            )
    return {name: (inside["pred"][name], inside["truth"][name]) for name in shared}


def _shared(name: str, style: _Style, found: _Found) -> list[str]:
    missing = [char for char in style.true.files if char not in style.drawn.files]
    extra = [char for char in style.drawn.files if char not in style.true.files]
    if missing:
        found.missing[name] = missing
        found.notes.append(
            f"{name}: {len(missing)} of {len(style.true.files)} characters are not drawn and not counted: "
            f"{shorten(missing, LISTED)}."
        )
    if extra:
        found.extra[name] = extra
        found.notes.append(
            f"{name}: {len(extra)} drawn characters have no true glyph and are not counted: {shorten(extra, LISTED)}."
        )
    return [char for char in style.true.files if char in style.drawn.files]


def _with_source(pairs: list[Pair], sources: GlyphSource, notes: list[str]) -> list[Pair]:
    chars = list(dict.fromkeys(char for _, char in pairs if len(char) == 1))
    there = set(sources.coverage(chars).present)
    lacking = list(dict.fromkeys(char for _, char in pairs if char not in there))
    if lacking:
        notes.append(f"source: lacks {len(lacking)} characters, which are not counted: {shorten(lacking, LISTED)}.")
    return [pair for pair in pairs if pair[1] in there]


def _most_common_side(files: list[Path]) -> int:
    """In pixels, from the images' headers, within what can be compared."""
    sides: Counter[int] = Counter()
    for file in files:
        try:
            sides[max(header_size(file, GLYPH))] += 1
        except DataError:
            continue  # told when its turn comes to be read
    return min(MAX_SIZE, max(MIN_SIZE, sides.most_common(1)[0][0])) if sides else MIN_SIZE


def _means_of_the_others(names: list[Pair], truth: np.ndarray) -> np.ndarray:
    """For each glyph the mean of its style's other true ones: there are no training characters to take it from."""
    means = np.full_like(truth, 255)
    for style in {style for style, _ in names}:
        rows = [row for row, pair in enumerate(names) if pair[0] == style]
        total = sum((truth[row].astype(np.int64) for row in rows), np.zeros(truth.shape[1:], np.int64))
        for row in rows if len(rows) > 1 else ():
            means[row] = np.rint((total - truth[row]) / (len(rows) - 1))
    return means
