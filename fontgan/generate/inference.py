"""A trained run + glyphs -> glyph images: the Python API, and what ``fontgan infer`` stands on.

import fontgan
run = fontgan.load("runs/quickstart")
images = run.draw("永字八法", style="kai")            # list of PIL images
images = run.draw_images([picture], style={"kai": 0.6, "brush": 0.4})
"""

import hashlib
import logging
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fontgan.base import run_path
from fontgan.config.instantiate import build_generator, guide_specs, source_spec, target_specs
from fontgan.config.plugins import activate
from fontgan.config.saved import check_fits, load_config
from fontgan.data import unlike
from fontgan.data.name_reading import AUTO
from fontgan.errors import ConfigError, RunError, first_line
from fontgan.generate.placement import RunInputs
from fontgan.generate.run import REFERENCES, BaseRun, Style, Tag
from fontgan.models.fuse_bn import cast_convolutions, fuse_conv_bn
from fontgan.models.predict import draw_glyphs, draw_pixels
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import DTYPES, autocast, out_of_memory, pick_device, pick_precision
from fontgan.training.checkpoint import Checkpoint, find
from fontgan.values import image_from_pixels

__all__ = ["REFERENCES", "Run", "Style", "load"]

log = logging.getLogger(__name__)


def load(
    checkpoint: str | Path,
    *,
    which: str = "best",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int = 32,
    plugins: Sequence[str] = (),
    key: str = "checkpoint",
) -> "Run":
    """Loads a trained run.

    Args:
        checkpoint: a run's folder, one checkpoint inside it, ``base``, or ``hf://OWNER/NAME``.
        which: "best" (see ``checkpoint.best``) or "last", where ``checkpoint`` is a run.
        device: auto, cpu, cuda, cuda:N or mps.   precision: auto, bf16, fp16 or fp32.
        plugins: packages with parts of the run; they are imported.
        key: the setting that names ``checkpoint``, for messages.
    Raises: RunError or ConfigError if there is no usable checkpoint.
    """
    activate(plugins)
    found = find(run_path(checkpoint), which, key)
    config = load_config(found.folder / "config.yaml")
    where = pick_device(device)
    styles, manifest = list(found.metadata["styles"]), dict(found.metadata["data"])
    if manifest["size"] != config.data.size:
        raise RunError(
            f"{found.folder}: its run.json says {manifest['size']} px and its config.yaml {config.data.size}. "
            "Use another checkpoint of the run."
        )
    if len(manifest["guides"]) != len(config.data.guides):
        told = (
            f"its run.json speaks of {len(manifest['guides'])} guides and its config.yaml of {len(config.data.guides)}"
        )
        raise RunError(f"{found.folder}: {told}. Use another checkpoint of the run.")
    guides = guide_specs(config)
    fonts = [1 if isinstance(guide, str) else len(guide) for guide in guides]
    for style in manifest["styles"]:
        if any(number >= of for number, of in zip(style.get("preferred", ()), fonts, strict=False)):
            told = f"style {style['name']} prefers a font that its guide has not"
            raise RunError(f"{found.folder / 'run.json'}: {told}. Use another checkpoint of the run.")
    check_fits(config, found)
    generator = build_generator(config, len(styles))
    found.load_network(generator, "generator")
    _check_that_it_draws(generator, found)
    generator = generator.to(where).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    precision = pick_precision(precision, where)
    if where.type == "mps":
        _check_that_device_draws(generator, where, precision)
    targets = target_specs(config)
    own = {name: target.source for name, target in targets.items() if target.source}
    inputs = RunInputs(source_spec(config.data.source), own, guides)
    geometry = (config.data.align, config.data.margin)
    trained_styles = [name for name in styles if name in targets]
    run = Run(
        found, generator, styles, trained_styles, manifest, inputs, *geometry, where, precision, batch_size
    )  # fmt: skip
    run.names = config.data.get("names", AUTO)
    return run


def _check_that_it_draws(generator: UnetGenerator, found: Checkpoint) -> None:
    """Draws one small blank page. Raises: RunError where the parts do not go together, or give what is no number."""
    file, side = found.folder / "generator.safetensors", 2 ** (generator.depth + 1)
    if not all(bool(t.isfinite().all()) for t in generator.state_dict().values()):
        raise RunError(f"{file}: holds weights that are no numbers. Use another checkpoint of the run.")
    try:
        with torch.inference_mode():
            logits = generator.eval()(torch.ones(1, generator.in_channels, side, side), torch.eye(1, generator.styles))
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise RunError(
            f"{found.folder / 'config.yaml'}: its network cannot draw ({' '.join(str(error).split())[:200]}). "
            "Use the config.yaml that was saved with it."
        ) from error
    if logits.shape != (1, 1, side, side) or not bool(logits.isfinite().all()):
        raise RunError(f"{file}: its network draws no glyphs. Use another checkpoint of the run.")


def _check_that_device_draws(generator: UnetGenerator, device: torch.device, precision: str) -> None:
    """Draws one small blank page on a device that lacks operations. Raises: ConfigError where it lacks one of these."""
    side, compute = 2 ** (generator.depth + 1), autocast(device, precision)
    page, style = torch.ones(1, generator.in_channels, side, side), torch.eye(1, generator.styles)
    try:
        draw_glyphs(generator, page, style, device=device, autocast=compute)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if out_of_memory(error):
            raise
        said = " ".join(first_line(error).split())[:200].rstrip(".")
        raise ConfigError(
            f"device={device.type}: torch {torch.__version__} cannot draw with this network there ({said}). "
            "Use device=cpu, or a newer torch."
        ) from error


@dataclass(eq=False, repr=False)
class Run(BaseRun):
    """A trained generator with the preprocessing it was trained with.  Made by ``load``."""

    checkpoint: Checkpoint
    generator: UnetGenerator
    styles: list[str]
    trained_styles: list[str]  # those that it was itself trained on; the others are of the run that it started from
    manifest: dict[str, Any]
    drawn_from: RunInputs
    align: bool  # whether sources and guides are brought onto the ink box of each style
    margin: float  # of a canvas that is chosen for new glyphs
    device: torch.device
    precision: str
    batch_size: int

    def draw_batches(
        self, batches: Iterable[tuple[Tag, np.ndarray]], style: Style
    ) -> Generator[tuple[Tag, np.ndarray], None, None]:
        """Draws batches of what ``with_guides`` gives as ``draw_pixels`` does; ``show`` is still to be applied."""
        context = autocast(self.device, self.precision)
        return draw_pixels(self.drawing, batches, self.weights(style), device=self.device, autocast=context)

    @cached_property
    def drawing(self) -> UnetGenerator:
        """The generator as glyphs are drawn with it: batch norms folded, and convolutions in the precision they run in."""
        ready = fuse_conv_bn(self.generator)
        if self.precision in DTYPES:
            cast_convolutions(ready, DTYPES[self.precision])
        return ready

    @cached_property
    def weights_hash(self) -> str:  # type: ignore[override]
        """A hash of the generator's file."""
        with (self.checkpoint.folder / "generator.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def weights(self, style: Style) -> Tensor:
        """``shares`` as (1, styles)."""
        return torch.tensor([self.shares(style)])

    def encode(self, glyphs: np.ndarray) -> np.ndarray:
        return unlike.encode(glyphs)

    @property
    def reads_references(self) -> bool:  # type: ignore[override]
        return self.generator.reference_style is not None

    def learn_style(self, pixels: np.ndarray) -> None:
        reader = self.generator.reference_style
        assert reader is not None
        reader.add(image_from_pixels(pixels).to(self.device))

    @property
    def in_channels(self) -> int:  # type: ignore[override]
        return self.generator.in_channels

    @property
    def computes_alone(self) -> bool:  # type: ignore[override]
        return self.device.type != "cpu"

    @property
    def where(self) -> Path:  # type: ignore[override]
        return self.checkpoint.folder

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.where.resolve().parent.parent.name}/{self.where.name}"
