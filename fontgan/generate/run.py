"""What every run can do, whatever it computes with: read glyphs, place them, and show what was drawn.

Nothing here needs torch, so that a run that was exported draws without it.
"""

import logging
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from fontgan.data import unlike
from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import PAPER, GlyphSource
from fontgan.data.grey import grey_over_paper
from fontgan.data.image_source import resample
from fontgan.data.name_reading import AUTO, names_read_as
from fontgan.data.reading import survey
from fontgan.data.sources import Spec, open_glyphs
from fontgan.data.view import View
from fontgan.errors import DataError, shorten
from fontgan.generate.guides import Guide
from fontgan.generate.placement import Placement, RunInputs, place
from fontgan.generate.showing import choose_view, show
from fontgan.generate.style_reading import read_style

log = logging.getLogger(__name__)

Style = str | Mapping[str, float]
Tag = TypeVar("Tag")
REFERENCES = 64  # glyphs that a style given as images is read off at most


class BaseRun:
    """A trained generator with the preprocessing it was trained with; what computes is a class below this one."""

    styles: list[str]
    trained_styles: list[str]  # those that it was itself trained on; the others are of the run that it started from
    manifest: dict[str, Any]
    drawn_from: RunInputs
    align: bool  # whether sources and guides are brought onto the ink box of each style
    margin: float  # of a canvas that is chosen for new glyphs
    batch_size: int
    in_channels: int  # 1 + guides
    computes_alone: bool  # whether the network leaves this machine's cores free for images
    where: object  # the file or folder that it was loaded from, for messages
    names: str = AUTO  # how those of images that it draws from are read, see ``data.name_reading``
    name: str  # of what draws, for a manifest
    weights_hash: str
    reads_references: bool  # whether it takes a style as images

    def draw_batches(
        self, batches: Iterable[tuple[Tag, np.ndarray]], style: Style
    ) -> Generator[tuple[Tag, np.ndarray], None, None]:
        """Draws batches of what ``with_guides`` gives, each as soon as it is asked for, (B, size, size) uint8; ``show`` is
        still to be applied."""
        raise NotImplementedError

    def encode(self, glyphs: np.ndarray) -> np.ndarray:
        """What tells whether a guide has another form of a character than the source, see ``fontgan.data.unlike``."""
        raise NotImplementedError

    def learn_style(self, pixels: np.ndarray) -> None:
        """Makes references (K, size, size) uint8 one more style of the network, the last."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Side of the canvas in pixels."""
        return int(self.manifest["size"])

    @property
    def canvases(self) -> dict[str, Frame]:
        """Own cell -> canvas pixels of each style."""
        return {entry["name"]: Frame.from_dict(entry["canvas"]) for entry in self.manifest["styles"]}

    def draw(
        self, chars: Iterable[str], style: Style, font: Spec | None = None, *, view: View | None = None
    ) -> list[Image.Image]:
        """Draws characters, their source glyphs taken from a font.

        Args:
            chars: a string or characters.
            style: a name, or names with weights.
            font: a font or glyph folder, or several read as one, as in ``data.source``; None takes the style's own source.
            view: what the images show; None for ``run.view(style)``, the style's own cell.
        Returns: mode "L" images, in order.
        Raises: DataError if the font lacks a character or the style is unknown.
        """
        glyphs, chars = open_glyphs(font) if font else self.open_source(style), list(chars)
        there = set(glyphs.coverage(chars).present)
        if lacking := [char for char in chars if char not in there]:
            raise DataError(
                f"{glyphs.path}: has no usable glyph of {' '.join(lacking)}. Leave out or use another font."
            )
        if not chars:
            return []
        return [Image.fromarray(drawn) for drawn in self.stylise(self.inputs(glyphs, chars, style), style, view=view)]

    def draw_images(
        self, images: Sequence[Image.Image], style: Style, *, chars: Sequence[str | None] = (), view: View | None = None
    ) -> list[Image.Image]:
        """Draws from pictures of source glyphs, of any mode and size, each taken as one em cell; else as ``draw``.

        Args:
            chars: what they show, for a run with guides; without, or for None, the guides are empty.
        """
        if not images:
            return []
        sources, small, opened = [], [], [grey_over_paper(image) for image in images]
        reader, frame = survey(opened), self.placement(style).inputs[0]
        for levels in opened:
            grey, _ = reader.orient(levels)
            to_cell = View.of_em(*grey.shape[::-1]).cell.inverse()
            sources.append(resample(grey, to_cell.compose(frame), self.size))
            small.append(resample(grey, to_cell.compose(unlike.CELL), unlike.SIDE))
        inputs = self.with_guides(np.stack(sources), np.stack(small), chars or [None] * len(images), style)
        return [Image.fromarray(drawn) for drawn in self.stylise(inputs, style, view=view)]

    def source_pixels(self, glyphs: GlyphSource, chars: Sequence[str], style: Style) -> np.ndarray:
        """Source glyphs as a style is drawn from them: (N, size, size) uint8, 0 ink .. 255 paper."""
        frame = self.placement(style).inputs[0]
        return np.stack([glyphs.rasterize(char, frame, self.size) for char in chars])

    def inputs(self, glyphs: GlyphSource, chars: Sequence[str], style: Style) -> np.ndarray:
        """What the network sees of characters of a source, (N, 1 + guides, size, size) uint8, 0 ink .. 255 paper."""
        small = unlike.draw_small(glyphs, list(chars)) if self.drawn_from.guides else np.empty(0)
        return self.with_guides(self.source_pixels(glyphs, chars, style), small, chars, style)

    def with_guides(
        self, source: np.ndarray, small: np.ndarray, chars: Sequence[str | None], style: Style
    ) -> np.ndarray:
        """Source glyphs (N, size, size) uint8 -> what the network sees of them, (N, 1 + guides, size, size).

        Guides are empty where they lack the character or have another form of it, or it is not known. Any thread may ask.

        Args:
            small: the same glyphs as ``fontgan.data.unlike`` compares them; not read where there are no guides.
        """
        inputs = np.full((len(source), self.in_channels, self.size, self.size), PAPER, np.uint8)
        inputs[:, 0] = source
        named = {row: char for row, char in enumerate(chars) if char is not None}
        if not self._guides or not named:
            return inputs
        placement, seen = self.placement(style), self.encode(small[list(named)])
        for number, guide in enumerate(self._guides):
            given = guide.like(seen, list(named.values()), number, placement)
            for (row, char), glyphs in zip(named.items(), given, strict=True):
                if glyphs is not None:
                    inputs[row, 1 + number] = guide.draw(glyphs, char, placement.inputs[1 + number], self.size)
        return inputs

    @cached_property
    def _placements(self) -> dict[object, Placement]:
        return {}

    @cached_property
    def _guides(self) -> list[Guide]:
        return [Guide(self._open(spec), self.encode) for spec in self.drawn_from.guides]

    def stylise(self, inputs: np.ndarray, style: Style, *, view: View | None = None) -> np.ndarray:
        """What ``with_guides`` gives -> glyphs in a style, as the style itself has them.

        Args:
            inputs: (N, 1 + guides, size, size) uint8, 0 ink .. 255 paper.
            view: what the images show; None for ``run.view(style)``, the style's own cell.
        Returns: (N, H, W), the same range.
        """
        view = view or self.view(style)
        to_view = self.to_view(style, view)
        parts = [(None, inputs[start : start + self.batch_size]) for start in range(0, len(inputs), self.batch_size)]
        drawn = [show(image, to_view, view) for _, images in self.draw_batches(parts, style) for image in images]
        return np.stack(drawn) if drawn else np.empty((0, view.height, view.width), np.uint8)

    def view(self, style: Style, *, extent: str = "cell", size: int | None = None) -> View:
        """What images of a style show.

        Args:
            extent: "cell": what the style's own images show, as large as most of them; of a font the em square, as
                large as on the canvas. "canvas": what the network draws on, pixel for pixel. A mixture is shown as
                the style of most weight is. A font that reaches out of its em as a rule is shown on the canvas all the
                same, and the log says so.
            size: pixels of the longer side, in place of those.
        Raises: DataError for an unknown style or extent.
        """
        members = [self._entry(name) for name in self.ranked(style)]
        view = choose_view(style, members, View(self.size, self.size, self.placement(style).canvas), extent)
        return view if size is None else view.resized(size)

    def to_view(self, style: Style, view: View) -> Frame:
        """Canvas pixels of a drawn glyph -> pixels of a view, to where the style itself has it."""
        canvas = self.placement(style).canvas
        return Frame() if canvas == view.cell else canvas.inverse().compose(view.cell)

    def add_style(
        self, spec: str, name: str | None = None, *, most: int = REFERENCES, allow: Collection[str] = ()
    ) -> str:
        """Makes a style of reference glyphs known to this run, as long as it is loaded.

        They are laid on the canvas as the styles trained on were, and sources and guides are brought onto them. Their
        order does not matter, and which characters they show need not be known.

        Args:
            spec: a folder of glyph images, or a font.
            name: what the style is called; None takes the name of the folder or font.
            most: at most so many references, spread evenly over what there is.
            allow: ``blank``, ``unreadable`` or both, though most images are.
        Returns: the name.
        Raises: DataError if the style cannot be read or named so; RunError if this run does not read styles off glyphs.
        """
        entry = read_style(self, spec, name, most=most, allow=allow)
        self.styles = [*self.styles, entry["name"]]
        self.manifest = {**self.manifest, "styles": [*self.manifest["styles"], entry]}
        return str(entry["name"])

    @property
    def told_styles(self) -> str:
        """The first of its styles in one line, those that it was trained on before the others."""
        return shorten(sorted(self.styles, key=lambda name: name not in self.trained_styles), separator=", ")

    def check_known(self, names: Iterable[str], key: str = "style", also: str = "") -> None:
        """Raises: DataError, which speaks of the setting ``key``, if the run knows no style of one of these names."""
        for name in names:
            if name not in self.styles:
                raise DataError(f"{key}={name}: the run knows {self.told_styles}{also}.")

    def shares(self, style: Style) -> list[float]:
        """A style or mixture as weights of all styles that sum to 1. Raises: DataError for an unknown style or no sum."""
        mixture = {style: 1.0} if isinstance(style, str) else dict(style)
        self.check_known(mixture)
        total = sum(mixture.values())
        if not total > 0:
            raise DataError(f"style={mixture}: the weights sum to {total}; more than 0 is needed.")
        return [mixture.get(name, 0.0) / total for name in self.styles]

    def ranked(self, style: Style) -> list[str]:
        """The styles in a mixture, the one of most weight first. Raises: DataError as ``shares``."""
        weights = zip(self.shares(style), self.styles, strict=True)
        return [name for weight, name in sorted(weights, key=lambda one: -one[0]) if weight > 0]

    def source_spec(self, style: Style) -> Spec:
        """What a style, or the one of most weight in a mixture, is drawn from. Raises: DataError."""
        name = self.ranked(style)[0]
        if not (spec := self.drawn_from.own.get(name, self.drawn_from.source)):
            raise DataError(f"style {name}: the run names no source for it. Give one: font=A.ttf.")
        return spec

    def open_source(self, style: Style) -> GlyphSource:
        """The glyphs that ``source_spec`` names. Raises: DataError."""
        return self._open(self.source_spec(style))

    def _open(self, spec: Spec) -> GlyphSource:
        with names_read_as(self.names):
            return open_glyphs(spec)

    def placement(self, style: Style) -> Placement:
        """How a style lies on the canvas; for a mixture the weighted mean. Raises: DataError as ``shares``."""
        key = style if isinstance(style, str) else tuple(sorted(style.items()))
        if key not in self._placements:
            weights = self.shares(style)
            self._placements[key] = place([self._entry(name) for name in self.styles], weights)
        return self._placements[key]

    @property
    def references(self) -> dict[str, str]:
        """Of each style added to the loaded run, a hash of the glyphs that it was read off."""
        return {entry["name"]: entry["pixels"] for entry in self.manifest["styles"] if "pixels" in entry}

    def source_ink_box(self, style: Style) -> Box | None:
        """The median ink box of the source that a style was trained with, in cell coordinates."""
        stored = self.manifest["sources"][self._entry(self.ranked(style)[0])["source"]].get("median_ink_box")
        return Box(*stored) if stored else None

    def _entry(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.manifest["styles"] if entry["name"] == name)
