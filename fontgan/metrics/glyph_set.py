"""What is measured: drawn glyphs with the true ones, from a run's held-out characters or from two folders."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fontgan.build import build_plan, load_config
from fontgan.data.batches import gather, pairs_of, to_pixels
from fontgan.data.folder import CellFinder, char_from_name, image_files, read_grey, resample, square_cell
from fontgan.data.frame import Frame
from fontgan.data.glyphs import open_glyphs
from fontgan.data.pack import SOURCE, Pack, cache_folder, make_pack
from fontgan.device import autocast
from fontgan.errors import ConfigError, DataError, RunError, some
from fontgan.inference import Run, load
from fontgan.metrics.structure import StructureGate, fit_gate
from fontgan.models.draw import draw_glyphs

log = logging.getLogger(__name__)

SMALLEST, LARGEST = 32, 512  # px: sizes at which folders are compared
MEAN_OF = 1024  # glyphs at most behind a mean glyph

Pair = tuple[str, str]  # style, character


@dataclass
class GlyphSet:
    """Drawn and true glyphs, pair by pair.  Images are (N, size, size) uint8, 0 ink .. 255 paper.

    Args:
        names: style and character of each pair.
        source: what was drawn from, or None where that is not known.
        naive: what could be drawn without learning anything: name -> (N, size, size).
        gates: what tells wrong strokes in a style; a style with too few glyphs to fit on has none.
        trained: as many characters that the run was trained on, to compare with; None for folders.
        notes: what a reader of the numbers must know.
    """

    size: int
    names: list[Pair]
    drawn: np.ndarray
    truth: np.ndarray
    source: np.ndarray | None
    naive: dict[str, np.ndarray]
    gates: dict[str, StructureGate] = field(default_factory=dict)
    trained: GlyphSet | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def styles(self) -> list[str]:
        return list(dict.fromkeys(style for style, _ in self.names))

    @property
    def expected(self) -> np.ndarray:
        """The shapes the glyphs should have: their sources, or where these are not known the true glyphs."""
        return self.truth if self.source is None else self.source


# -- a run ----------------------------------------------------------------------------------


def glyph_set_of_run(
    run: Path,
    *,
    which: str = "best",
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "auto",
    seed: int = 1,
) -> GlyphSet:
    """Draws a run's held-out characters in all its styles.

    Args:
        seed: of the errors planted to calibrate the structure gates.
    Raises: RunError if there is no usable checkpoint, its glyphs have changed, or nothing is held out.
    """
    loaded = load(run, which=which, batch_size=batch_size, device=device, precision=precision)
    pack = pack_of(loaded)
    pairs = pairs_of(pack, pack.held_out)
    if not pairs:
        raise RunError(
            f"{run}: no character is held out, so nothing unseen can be measured. Train with data.holdout=0.1."
        )
    found = draw_pairs(loaded, pack, pairs)
    found.trained = draw_pairs(loaded, pack, pairs_of(pack, spread_evenly(pack.trained, len(pack.held_out))))
    for style in found.styles:
        trained = pairs_of_style(pack, style, pack.trained)
        expected, right = rows_of(pack, SOURCE, trained), rows_of(pack, style, trained)
        add_gate(found, style, expected, right, seed)
    return found


def draw_pairs(run: Run, pack: Pack, pairs: Sequence[Pair]) -> GlyphSet:
    """Draws some of a run's pairs."""
    batch = gather(pack, pairs)
    compute = autocast(run.device, run.precision)
    drawn = draw_glyphs(
        run.generator, batch.source, batch.style, device=run.device, autocast=compute, batch_size=run.batch_size
    )
    source = np.stack([pack.pixels[pack.rows[SOURCE][char]] for _, char in pairs])
    means = {
        style: mean_glyph(rows_of(pack, style, pairs_of_style(pack, style, pack.trained))) for style in pack.styles
    }
    return GlyphSet(
        pack.size,
        list(pairs),
        to_pixels(drawn),
        np.stack([pack.pixels[pack.rows[style][char]] for style, char in pairs]),
        source,
        {
            "copy_source": source,
            "blank_page": np.full_like(source, 255),
            "mean_glyph": np.stack([means[style] for style, _ in pairs]),
        },
    )


def pack_of(run: Run) -> Pack:
    """The pack a run was trained on, made again if the cache no longer has it.

    Raises: RunError if its glyphs have changed since.
    """
    config = load_config(run.checkpoint.folder / "config.yaml")
    pack = make_pack(build_plan(config), cache_folder(config.data.cache))
    if pack.path.name != run.checkpoint.facts.get("pack"):
        raise RunError(
            f"{run.checkpoint.folder}: its glyphs have changed since the training (a font, a folder or the way they are "
            "drawn). Bring the old files back, or train again."
        )
    return pack


def pairs_of_style(pack: Pack, style: str, chars: Sequence[str]) -> list[str]:
    return [char for char in chars if char in pack.rows[style]]


def rows_of(pack: Pack, member: str, chars: Sequence[str]) -> np.ndarray:
    """The glyphs of some characters of the source or a style, (N, size, size)."""
    return pack.pixels[[pack.rows[member][char] for char in chars]]


def spread_evenly(chars: Sequence[str], count: int) -> list[str]:
    """At most ``count`` of them, from all over."""
    return list(chars) if len(chars) <= count else [chars[i * len(chars) // count] for i in range(count)]


def mean_glyph(glyphs: np.ndarray) -> np.ndarray:
    """(N, H, W) uint8 -> (H, W); paper if there is none."""
    if not len(glyphs):
        return np.full(glyphs.shape[1:], 255, np.uint8)
    some_of_them = glyphs[:: max(1, len(glyphs) // MEAN_OF)]
    return np.rint(some_of_them.mean(axis=0)).astype(np.uint8)


def add_gate(glyphs: GlyphSet, style: str, expected: np.ndarray, right: np.ndarray, seed: int) -> None:
    try:
        glyphs.gates[style] = fit_gate(expected, right, seed=seed)
    except ValueError as error:
        glyphs.notes.append(f"{style}: no structure confidence: {error}")


# -- two folders ----------------------------------------------------------------------------


def glyph_set_of_folders(pred: Path, truth: Path, source: str | None = None, *, seed: int = 1) -> GlyphSet:
    """Pairs two folders of glyph images; subfolders that both have are styles.

    Images belong together whose names stand for the same character, or where they stand for none, are the same.
    Images of another size than most true ones are brought to that size.  Blank images count like all others.

    Args:
        source: font or folder that was drawn from; None if it is not known.
    Raises: ConfigError if a folder is missing; DataError if nothing can be compared.
    """
    for key, folder in (("pred", pred), ("truth", truth)):
        if not folder.is_dir():
            raise ConfigError(f"{key}={folder}: no such folder. Name a folder of glyph images.")
    if pred.resolve() == truth.resolve():
        raise ConfigError(f"pred={pred}: is the same folder as truth. Name the folder of drawn glyphs.")
    notes: list[str] = []
    folders = _styles_of(pred, truth, notes)
    opened = {style: (_Folder(p, notes), _Folder(t, notes)) for style, (p, t) in folders.items()}
    pairs: list[Pair] = []
    for style, (drawn, true) in opened.items():
        pairs += [(style, char) for char in _shared(style, drawn, true, notes)]
    read = {pair: _read_pair(*opened[pair[0]], pair[1], notes) for pair in pairs}
    pairs = [pair for pair in pairs if read[pair] is not None]
    if not pairs:
        raise DataError(
            f"pred={pred}: shares no readable character with truth={truth}. Name the images alike, such as U+4E00.png."
        )
    sides = Counter(max(both[1].shape) for both in read.values() if both is not None)
    size = min(LARGEST, max(SMALLEST, sides.most_common(1)[0][0]))
    images = {"pred": [], "truth": []}  # type: dict[str, list[np.ndarray]]
    for style, char in pairs:
        both = read[style, char]
        assert both is not None
        for key, grey, frame in zip(images, both, _frames(*opened[style], both, size), strict=True):
            images[key].append(resample(grey, frame, size) if frame != Frame() else grey)
    _say_sizes(read, pairs, size, notes)
    drawn_pixels, true_pixels = np.stack(images["pred"]), np.stack(images["truth"])
    sources = None if source is None else _sources(source, pairs, opened, size)
    found = GlyphSet(size, pairs, drawn_pixels, true_pixels, sources, _naive(pairs, true_pixels, sources), notes=notes)
    for style in found.styles:
        rows = [row for row, pair in enumerate(pairs) if pair[0] == style]
        add_gate(found, style, found.expected[rows], true_pixels[rows], seed)
    if sources is None:
        notes.append("structure: no source= was given, so the drawn glyphs are held against the true ones.")
    return found


class _Folder:
    """One folder's images by character, or by name where that stands for none."""

    def __init__(self, path: Path, notes: list[str]):
        self.files: dict[str, Path] = {}
        self.cells = CellFinder(path)
        doubled = []
        for file in image_files(path):
            key = char_from_name(file.stem) or file.stem
            if key in self.files:
                doubled.append(f"{file.name} (also {self.files[key].name})")
            self.files.setdefault(key, file)
        if doubled:
            notes.append(f"{path}: {len(doubled)} files repeat a character and are left out: {some(doubled)}.")


def _styles_of(pred: Path, truth: Path, notes: list[str]) -> dict[str, tuple[Path, Path]]:
    """Style name -> folder of drawn, folder of true glyphs."""
    if image_files(truth) and image_files(pred):
        return {pred.resolve().name: (pred, truth)}
    inside = {folder.name: folder for folder in sorted(truth.iterdir()) if folder.is_dir() and image_files(folder)}
    shared = {name: (pred / name, folder) for name, folder in inside.items() if (pred / name).is_dir()}
    if not shared:
        empty = truth if not image_files(truth) and not inside else pred
        raise DataError(
            f"{empty}: holds no images, nor subfolders named as in the other folder. "
            "Name two folders of images, or two folders with one subfolder a style."
        )
    lacking = [name for name in inside if name not in shared]
    if lacking:
        notes.append(f"pred lacks {len(lacking)} of {len(inside)} styles: {some(lacking)}.")
    return shared


def _shared(style: str, drawn: _Folder, true: _Folder, notes: list[str]) -> list[str]:
    missing = [char for char in true.files if char not in drawn.files]
    extra = [char for char in drawn.files if char not in true.files]
    if missing:
        notes.append(
            f"{style}: {len(missing)} of {len(true.files)} characters are not drawn and not counted: {some(missing, 20)}."
        )
    if extra:
        notes.append(
            f"{style}: {len(extra)} drawn characters have no true glyph and are not counted: {some(extra, 20)}."
        )
    return [char for char in true.files if char in drawn.files]


def _read_pair(drawn: _Folder, true: _Folder, char: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    greys = []
    for folder in (drawn, true):
        try:
            grey, inverted = read_grey(folder.files[char])
        except DataError as error:
            notes.append(str(error))
            return None
        if inverted:
            notes.append(f"{folder.files[char]}: light on dark, inverted.")
        greys.append(grey)
    return greys[0], greys[1]


def _frames(drawn: _Folder, true: _Folder, greys: tuple[np.ndarray, np.ndarray], size: int) -> tuple[Frame, Frame]:
    """Image pixels -> the common canvas; the identity where an image can stay as it is.

    Where both folders say how their em squares lie, em square comes on em square; otherwise image on image.
    """
    if drawn.cells.canvas is None or true.cells.canvas is None:
        frames = [square_cell(grey).inverse().then(Frame(size)) for grey in greys]
    else:
        canvas = true.cells.canvas.then(Frame(size / true.cells.size))
        frames = [f.cells.cell_to_image(g).inverse().then(canvas) for f, g in zip((drawn, true), greys, strict=True)]
    kept = [
        Frame() if grey.shape == (size, size) and _moves_nothing(frame, size) else frame
        for grey, frame in zip(greys, frames, strict=True)
    ]
    return kept[0], kept[1]


def _moves_nothing(frame: Frame, size: int) -> bool:
    return max(abs(frame.scale - 1) * size, abs(frame.dx), abs(frame.dy)) < 0.01  # of a pixel


def _say_sizes(
    read: dict[Pair, tuple[np.ndarray, np.ndarray] | None], pairs: list[Pair], size: int, notes: list[str]
) -> None:
    for place, key in enumerate(("pred", "truth")):
        shapes = Counter(both[place].shape for pair in pairs if (both := read[pair]) is not None)
        other = {shape: count for shape, count in shapes.items() if shape != (size, size)}
        if other:
            listed = [f"{width}x{height} px ({count})" for (height, width), count in sorted(other.items())]
            notes.append(
                f"{key}: {sum(other.values())} images were resized to {size} px to be compared: {some(listed, 5)}."
            )


def _sources(spec: str, pairs: list[Pair], opened: dict[str, tuple[_Folder, _Folder]], size: int) -> np.ndarray:
    glyphs = open_glyphs(spec)
    there = set(glyphs.survey(list(dict.fromkeys(char for _, char in pairs))).present)
    lacking = [char for _, char in pairs if char not in there]
    if lacking:
        raise DataError(
            f"source={spec}: lacks {some(list(dict.fromkeys(lacking)))}. Leave source= out, or name the right one."
        )
    images = []
    for style, char in pairs:
        cells = opened[style][1].cells
        canvas = Frame(size) if cells.canvas is None else cells.canvas.then(Frame(size / cells.size))
        images.append(glyphs.draw(char, canvas, size))
    return np.stack(images)


def _naive(pairs: list[Pair], truth: np.ndarray, source: np.ndarray | None) -> dict[str, np.ndarray]:
    """The mean glyph is that of the other true glyphs of the style: there are no training characters to take it from."""
    naive = {"blank_page": np.full_like(truth, 255)}
    if source is not None:
        naive["copy_source"] = source
    mean = np.full_like(truth, 255)
    for style in {style for style, _ in pairs}:
        rows = [row for row, pair in enumerate(pairs) if pair[0] == style]
        if len(rows) > 1:
            total = truth[rows].sum(axis=0, dtype=np.int64)
            mean[rows] = np.rint((total - truth[rows].astype(np.int64)) / (len(rows) - 1)).astype(np.uint8)
    return naive | {"mean_glyph": mean}
