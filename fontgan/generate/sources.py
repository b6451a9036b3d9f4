"""The glyphs that ``fontgan infer`` reads: characters of a font, or a folder of images."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from fontgan.data import charset as charsets
from fontgan.data.frame import Box, median_box
from fontgan.data.image_source import CellFinder, image_files, ink_box, name_from_char, read_grey, resample
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError
from fontgan.inference import Run
from fontgan.runtime.files import user_path
from fontgan.runtime.threads import ordered_map

log = logging.getLogger(__name__)


@dataclass
class Diagnostic:
    """What reading an image showed."""

    problem: str = ""  # why it cannot be read
    inverted: bool = False
    box: Box | None = None  # of the ink, in cell coordinates


@dataclass
class Sources:
    """Source glyphs to draw from: their result names, and how to get their pixels."""

    names: list[str]
    run: Run
    glyphs: Any = None  # a GlyphSource, or None for image files
    chars: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    cells: CellFinder | None = None
    drawn_from: str = ""  # what the manifest calls these sources
    diagnostics: dict[str, Diagnostic] = field(default_factory=dict)  # of the image files read so far, by name
    glyphs_in_use: threading.Lock = field(default_factory=threading.Lock)  # FreeType holds one glyph at a time

    def pixels(self, name: str) -> np.ndarray | None:
        """The source on the run's canvas, or None (and noted) if it cannot be read. Any thread may ask."""
        if self.glyphs is not None:
            with self.glyphs_in_use:
                return self.glyphs.draw(self.chars[name], self.run.source_frame, self.run.size)
        assert self.cells is not None
        finding = self.diagnostics[name] = Diagnostic()
        try:
            grey, finding.inverted = read_grey(self.files[name])
        except DataError as error:
            finding.problem = str(error)
            return None
        to_cell = self.cells.cell_to_image(grey).inverse()
        box = ink_box(grey)
        finding.box = None if box is None else to_cell.box(box)
        return resample(grey, to_cell.compose(self.run.source_frame), self.run.size)

    def found(self) -> list[tuple[str, Diagnostic]]:
        """The findings in the order of the names."""
        return [(name, self.diagnostics[name]) for name in self.names if name in self.diagnostics]


def find_sources(run: Run, cfg: DictConfig) -> Sources:
    """What to draw from. Raises: ConfigError or DataError if nothing or too much is asked for."""
    from_font = [key for key in ("font", "text", "charset") if cfg[key] is not None]
    if cfg.input is not None and from_font:
        raise ConfigError(f"input and {from_font[0]}: give either a folder of images or a font with text or charset.")
    if cfg.text is not None and cfg.charset is not None:
        raise ConfigError("text and charset: give one of them.")
    if cfg.input is not None:
        folder = user_path(cfg.input)
        if not folder.is_dir():
            raise DataError(f"input={folder}: no such folder. Give a folder of glyph images.")
        files = image_files(folder)
        if not files:
            raise DataError(
                f"input={folder}: holds no images. Give a folder of glyph images (PNG or what Pillow reads)."
            )
        named: dict[str, Path] = {}
        for file in files:
            if file.stem in named:
                raise DataError(
                    f"{file}: has the same name as {named[file.stem].name}, and their results would collide. Rename one."
                )
            named[file.stem] = file
        return Sources(list(named), run, files=named, cells=CellFinder(folder), drawn_from=str(folder.resolve()))
    if not from_font:
        raise ConfigError(
            "input: what to draw? Add input=FOLDER, or text=... or charset=... (with font=A.ttf for another font)."
        )
    glyphs = open_glyphs(cfg.font or run.source_spec)
    if cfg.text is not None:
        wanted: list[str] | None = charsets.visible(cfg.text)
        if not wanted:
            raise DataError("text: holds no visible character.")
    else:
        wanted = charsets.resolve(cfg.charset or charsets.FONT)
    coverage = glyphs.coverage(wanted)
    for finding in coverage.diagnostics:
        log.log(logging.WARNING if cfg.text is not None else logging.INFO, "%s", finding)
    if not coverage.present:
        raise DataError(f"{glyphs.path}: has none of the characters asked for.")
    chars = {name_from_char(char): char for char in coverage.present}
    return Sources(
        list(chars), run, glyphs=glyphs, chars=chars, drawn_from=f"{glyphs.path.name} {glyphs.fingerprint([])[:16]}"
    )


def computes_alone(run: Run) -> bool:
    """Whether the network leaves this machine's cores free for images."""
    return run.device.type != "cpu"


def batches(sources: Sources, names: Sequence[str], size: int) -> Generator[tuple[list[str], np.ndarray], None, None]:
    """Readable sources, ``size`` at a time; while a GPU works on one batch, the next is read."""
    with closing(ordered_map(sources.pixels, names, max_in_flight=size, overlap=computes_alone(sources.run))) as found:
        unescape = ((name, pixels) for name, pixels in zip(names, found, strict=True) if pixels is not None)
        while batch := list(islice(unescape, size)):
            yield [name for name, _ in batch], np.stack([pixels for _, pixels in batch])


def warn_of_other_framing(run: Run, sources: Sources) -> None:
    """Says so when a folder's glyphs sit in their cells otherwise than those trained on."""
    trained = run.source_ink_box()
    boxes = [finding.box for _, finding in sources.found() if finding.box is not None]
    if trained is None or len(boxes) < 5:
        return
    here = median_box(boxes)
    scale = math.sqrt(here.width * here.height / (trained.width * trained.height))
    shift = max(
        abs((here.x0 + here.x1) - (trained.x0 + trained.x1)) / 2,
        abs((here.y0 + here.y1) - (trained.y0 + trained.y1)) / 2,
    )
    if not 0.85 < scale < 1.18 or shift > 0.08:
        log.warning(
            "these glyphs fill their cells otherwise than those trained on (%.2f times the size, moved by %.2f em); "
            "results may suffer. Render the source with fontgan render, or use font=A.ttf.", scale, shift,
        )  # fmt: skip
