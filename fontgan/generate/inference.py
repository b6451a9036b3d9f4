"""A trained run + glyphs -> glyph images: the Python API, and what ``fontgan infer`` stands on.

import fontgan
run = fontgan.load("runs/quickstart")
images = run.draw("永字八法", style="kai")            # list of PIL images
images = run.draw_images([picture], style={"kai": 0.6, "brush": 0.4})
"""

import hashlib
import logging
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mode
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fontgan.config.instantiate import build_generator
from fontgan.config.plugins import activate
from fontgan.config.saved import check_fits, load_config
from fontgan.data.frame import Box, Frame, fit_median
from fontgan.data.glyphs import GlyphSource
from fontgan.data.grey import grey_over_paper
from fontgan.data.image_source import resample
from fontgan.data.pack import SOURCE, member_frame
from fontgan.data.reading import survey
from fontgan.data.references import Reference, read_references
from fontgan.data.sources import check_style_name, open_glyphs, style_name
from fontgan.data.view import View
from fontgan.errors import DataError, RunError
from fontgan.generate.showing import choose_view, show
from fontgan.models.fuse_bn import cast_convolutions, fuse_conv_bn
from fontgan.models.predict import draw_pixels
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import autocast, pick_device, pick_precision
from fontgan.runtime.files import user_path
from fontgan.training.checkpoint import Checkpoint, find
from fontgan.values import image_from_pixels

log = logging.getLogger(__name__)

Style = str | Mapping[str, float]
Tag = TypeVar("Tag")
REFERENCES = 64  # glyphs that a style given as images is read off at most


def load(
    checkpoint: str | Path,
    *,
    which: str = "best",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int = 32,
    plugins: Sequence[str] = (),
) -> "Run":
    """Loads a trained run.

    Args:
        checkpoint: a run's folder, or one checkpoint inside it.
        which: "best" (by held-out SSIM less the share of blank glyphs) or "last", where ``checkpoint`` is a run.
        device: auto, cpu or cuda.   precision: auto, bf16 or fp32.
        plugins: packages with parts of the run; they are imported.
    Raises: RunError or ConfigError if there is no usable checkpoint.
    """
    activate(plugins)
    found = find(user_path(checkpoint), which)
    config = load_config(found.folder / "config.yaml")
    where = pick_device(device)
    if where.index is not None:
        torch.cuda.set_device(where)  # or every process of torchrun would pin its memory through the first GPU
    styles, manifest = list(found.metadata["styles"]), dict(found.metadata["data"])
    if manifest["size"] != config.data.size:
        raise RunError(
            f"{found.folder}: its run.json says {manifest['size']} px and its config.yaml {config.data.size}. "
            "Use another checkpoint of the run."
        )
    check_fits(config, found)
    generator = build_generator(config, len(styles))
    found.load_network(generator, "generator")
    _check_that_it_draws(generator, found)
    generator = generator.to(where).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    source, align, precision = str(config.data.source), config.data.align, pick_precision(precision, where)
    return Run(found, generator, styles, manifest, source, align, where, precision, batch_size)


def _check_that_it_draws(generator: UnetGenerator, found: Checkpoint) -> None:
    """Draws one small blank page. Raises: RunError where the parts do not go together, or give what is no number."""
    file, side = found.folder / "generator.safetensors", 2 ** (generator.depth + 1)
    if not all(bool(t.isfinite().all()) for t in generator.state_dict().values()):
        raise RunError(f"{file}: holds weights that are no numbers. Use another checkpoint of the run.")
    try:
        with torch.inference_mode():
            logits = generator.eval()(torch.ones(1, 1, side, side), torch.eye(1, generator.styles))
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise RunError(
            f"{found.folder / 'config.yaml'}: its network cannot draw ({' '.join(str(error).split())[:200]}). "
            "Use the config.yaml that was saved with it."
        ) from error
    if logits.shape != (1, 1, side, side) or not bool(logits.isfinite().all()):
        raise RunError(f"{file}: its network draws no glyphs. Use another checkpoint of the run.")


@dataclass(eq=False, repr=False)
class Run:
    """A trained generator with the preprocessing it was trained with.  Made by ``load``."""

    checkpoint: Checkpoint
    generator: UnetGenerator
    styles: list[str]
    manifest: dict[str, Any]
    source_spec: str
    align: bool  # whether styles are brought onto the source's ink box
    device: torch.device
    precision: str
    batch_size: int

    @property
    def size(self) -> int:
        """Side of the canvas in pixels."""
        return int(self.manifest["size"])

    @property
    def canvas(self) -> Frame:
        """The source's cell -> canvas pixels."""
        return Frame.from_dict(self.manifest["cell_to_canvas"])

    @property
    def source_frame(self) -> Frame:
        """Cell of a source glyph -> canvas pixels."""
        return member_frame(self.manifest, SOURCE)

    def draw(
        self, chars: Iterable[str], style: Style, font: str | None = None, *, view: View | None = None
    ) -> list[Image.Image]:
        """Draws characters, their source glyphs taken from a font.

        Args:
            chars: a string or characters.
            style: a name, or names with weights.
            font: a font or glyph folder as in ``data.source``; None takes the run's own source.
            view: what the images show; None for ``run.view(style)``, the style's own cell.
        Returns: mode "L" images, in order.
        Raises: DataError if the font lacks a character or the style is unknown.
        """
        glyphs = open_glyphs(font or self.source_spec)
        chars = list(chars)
        there = set(glyphs.coverage(chars).present)
        if lacking := [char for char in chars if char not in there]:
            raise DataError(
                f"{glyphs.path}: has no usable glyph of {' '.join(lacking)}. Leave out or use another font."
            )
        return self._pictures([self.source_pixels(glyphs, chars)] if chars else [], style, view)

    def draw_images(
        self, images: Sequence[Image.Image], style: Style, *, view: View | None = None
    ) -> list[Image.Image]:
        """Draws from pictures of source glyphs, of any mode and size, each taken as one em cell; else as ``draw``."""
        sources, opened = [], [grey_over_paper(image) for image in images]
        reader = survey(opened)
        for levels in opened:
            grey, _ = reader.orient(levels)
            cell = View.of_em(*grey.shape[::-1]).cell
            sources.append(resample(grey, cell.inverse().compose(self.source_frame), self.size)[None])
        return self._pictures(sources, style, view)

    def _pictures(self, sources: list[np.ndarray], style: Style, view: View | None) -> list[Image.Image]:
        drawn: Iterable[np.ndarray] = self.stylise(np.concatenate(sources), style, view=view) if sources else ()
        return [Image.fromarray(pixels) for pixels in drawn]

    def source_pixels(self, glyphs: GlyphSource, chars: Sequence[str]) -> np.ndarray:
        """Source glyphs on the run's canvas: (N, size, size) uint8, 0 ink .. 255 paper."""
        return np.stack([glyphs.rasterize(char, self.source_frame, self.size) for char in chars])

    def stylise(self, source: np.ndarray, style: Style, *, view: View | None = None) -> np.ndarray:
        """Source glyphs on the run's canvas -> glyphs in a style, as the style itself has them.

        Args:
            source: (N, size, size) uint8, 0 ink .. 255 paper.
            view: what the images show; None for ``run.view(style)``, the style's own cell.
        Returns: (N, H, W), the same range.
        """
        view = view or self.view(style)
        to_view = self.to_view(style, view)
        parts = [(None, source[start : start + self.batch_size]) for start in range(0, len(source), self.batch_size)]
        drawn = [show(image, to_view, view) for _, images in self.draw_batches(parts, style) for image in images]
        return np.stack(drawn) if drawn else np.empty((0, view.height, view.width), np.uint8)

    def draw_batches(
        self, batches: Iterable[tuple[Tag, np.ndarray]], style: Style
    ) -> Generator[tuple[Tag, np.ndarray], None, None]:
        """Draws batches of source glyphs as ``draw_pixels`` does; ``show`` is still to be applied."""
        context = autocast(self.device, self.precision)
        return draw_pixels(self.drawing, batches, self.weights(style), device=self.device, autocast=context)

    def view(self, style: Style, *, extent: str = "cell", size: int | None = None) -> View:
        """What images of a style show.

        Args:
            extent: "cell": what the style's own images show, as large as most of them; of a font the em square, as
                large as the canvas. "canvas": the run's canvas, which has a margin around the em. A mixture is shown as
                the style of most weight is. A font that reaches out of its em as a rule is shown on the canvas all the
                same, and the log says so.
            size: pixels of the longer side, in place of those.
        Raises: DataError for an unknown style or extent.
        """
        ranked = sorted(zip(self.weights(style)[0].tolist(), self.styles, strict=True), key=lambda one: -one[0])
        members = [entry for weight, name in ranked if weight > 0 for entry in self._entries(name)]
        view = choose_view(style, members, View(self.size, self.size, self.canvas), extent)
        return view if size is None else view.resized(size)

    def to_view(self, style: Style, view: View) -> Frame:
        """Canvas pixels of a drawn glyph -> pixels of a view, to where the style itself has it."""
        aligned = self.style_align(style).compose(self.canvas)
        return Frame() if aligned == view.cell else aligned.inverse().compose(view.cell)

    @cached_property
    def drawing(self) -> UnetGenerator:
        """The generator as glyphs are drawn with it: batch norms folded, and convolutions in the precision they run in."""
        ready = fuse_conv_bn(self.generator)
        if self.precision == "bf16":
            cast_convolutions(ready, torch.bfloat16)
        return ready

    @cached_property
    def weights_hash(self) -> str:
        """A hash of the generator's file."""
        with (self.checkpoint.folder / "generator.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def add_style(
        self, spec: str, name: str | None = None, *, most: int = REFERENCES, allow: Collection[str] = ()
    ) -> str:
        """Makes a style of reference glyphs known to this run, as long as it is loaded.

        They are brought onto the source's ink box and the canvas as the styles trained on were. Their order does
        not matter, and which characters they show need not be known.

        Args:
            spec: a folder of glyph images, or a font.
            name: what the style is called; None takes the name of the folder or font.
            most: at most so many references, spread evenly over what there is.
            allow: ``blank``, ``unreadable`` or both, though most images are.
        Returns: the name.
        Raises: DataError if the style cannot be read or named so; RunError if this run does not read styles off glyphs.
        """
        reader = self.generator.reference_style
        if reader is None:
            raise RunError(
                f"{self.checkpoint.folder}: knows its styles by name and cannot read one off images. Train with "
                "generator/style=reference, or add the style to this run: fontgan train init_from=RUN data.targets=..."
            )
        name = name or style_name(spec)
        check_style_name(name, f"style {spec}", "Rename the folder or font.")
        if name in self.styles:
            raise DataError(f"{spec}: a style cannot be called {name} here, as it is taken. Rename the folder or font.")
        references = read_references(spec, list(self.manifest["trained"]), most, allow)
        align = self._fit_to_source(references) if self.align else Frame()
        frame = align.compose(self.canvas)
        pixels = np.stack([reference.draw(frame, self.size) for reference in references])
        reader.add(image_from_pixels(pixels).to(self.device))
        entry = {
            "name": name,
            "file": Path(spec).name,
            "align": align.as_dict(),
            "references": len(references),
            "pixels": hashlib.sha256(pixels.tobytes()).hexdigest()[:16],
        }
        if view := mode(reference.view for reference in references):
            entry["view"] = view.as_dict()
        self.styles = [*self.styles, name]
        self.manifest = {**self.manifest, "members": [*self.manifest["members"], entry]}
        log.info("style %s: read off %d glyphs of %s", name, len(references), spec)
        return name

    def _fit_to_source(self, references: Sequence[Reference]) -> Frame:
        """The references' cell -> the source's, fitted on characters that the source has too, else on its median."""
        known = {reference.char: reference.box for reference in references if reference.char is not None}
        try:
            source = open_glyphs(self.source_spec)
            shared = source.coverage(list(known)).present
        except DataError as error:
            log.info("aligned without the source's own glyphs: %s", error)
            shared = []
        if shared:
            return fit_median([known[char] for char in shared], [source.ink_box(char) for char in shared])
        median = self.source_ink_box()
        return fit_median([reference.box for reference in references], [median]) if median else Frame()

    def check_known(self, names: Iterable[str], key: str = "style", also: str = "") -> None:
        """Raises: DataError, which speaks of the setting ``key``, if the run knows no style of one of these names."""
        for name in names:
            if name not in self.styles:
                raise DataError(f"{key}={name}: the run knows {', '.join(self.styles)}{also}.")

    def weights(self, style: Style) -> Tensor:
        """A style or mixture as (1, styles) weights that sum to 1. Raises: DataError for an unknown style or no sum."""
        mixture = {style: 1.0} if isinstance(style, str) else dict(style)
        self.check_known(mixture)
        total = sum(mixture.values())
        if not total > 0:
            raise DataError(f"style={mixture}: the weights sum to {total}; more than 0 is needed.")
        return torch.tensor([[mixture.get(name, 0.0) / total for name in self.styles]])

    def style_align(self, style: Style) -> Frame:
        """The style's own cell -> the source's; for a mixture the weighted mean."""
        weights = self.weights(style)[0].tolist()
        frames = [Frame.from_dict(e["align"]) for name in self.styles for e in self._entries(name)]

        def mean(key: str) -> float:
            return sum(w * getattr(frame, key) for w, frame in zip(weights, frames, strict=True))

        if not mean("scale") > 0:
            raise DataError(f"style={style}: lies so far beyond the styles that its glyphs would have no size left.")
        return Frame(mean("scale"), mean("dx"), mean("dy"))

    @property
    def references(self) -> dict[str, str]:
        """Of each style added to the loaded run, a hash of the glyphs that it was read off."""
        return {entry["name"]: entry["pixels"] for entry in self.manifest["members"] if "pixels" in entry}

    def source_ink_box(self) -> Box | None:
        """The training source's median ink box in cell coordinates."""
        stored = self._entries(SOURCE)[0].get("median_ink_box")
        return Box(*stored) if stored else None

    def _entries(self, name: str) -> list[dict[str, Any]]:
        return [entry for entry in self.manifest["members"] if entry["name"] == name]
