"""Inference: as ``fontgan infer`` draws against full precision, and a folder of images against the generator alone."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from fontgan.bench.figures import Figure, Setup, rates
from fontgan.commands import render
from fontgan.config.compose import compose_config
from fontgan.config.instantiate import build_generator
from fontgan.data.frame import Frame
from fontgan.data.unlike import limit_of
from fontgan.generate.folder import draw_folder
from fontgan.generate.inference import Run, load
from fontgan.generate.sources import FolderInput, batches
from fontgan.models.fuse_bn import cast_convolutions, fuse_conv_bn
from fontgan.models.predict import draw_glyphs
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import DTYPES, autocast, pick_precision
from fontgan.runtime.files import atomic_write
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import Task, ratio
from fontgan.training import checkpoint as checkpoints
from fontgan.values import image_from_pixels

SMALL = "scratch"  # a network so small that reading and writing images weigh most
# Drawn in a turn: so many that the contact sheet, which shows 64 of them at most, weighs little; the bundled fonts have
# a thousand.
GLYPHS = {"cpu": 96, "cuda": 960, "mps": 256}
GLYPHS_SMALL = {"cpu": 256, "cuda": 960, "mps": 960}


def measure(setup: Setup, training: str, batch_size: int, overrides: Sequence[str]) -> list[Figure]:
    """Times generators with fresh weights, of which drawing does not take longer.

    Writing does: they draw faint grey noise, whose PNGs take about as long to pack as those of glyphs at 96 px and 1.4
    times as long at 256 px, so that a trained run loses no more than is measured here.
    """
    figures: list[Figure] = []
    for name in dict.fromkeys((training, SMALL)):
        settings = [f"experiment={name}", f"trainer.seed={setup.seed}", *(overrides if name == training else ())]
        with tempfile.TemporaryDirectory() as folder:
            run = untrained_run(Path(folder) / "run", settings, batch_size, setup)
            images = Path(folder) / "glyphs"
            spec = run.source_spec(run.styles[0])
            font = spec if isinstance(spec, str) else spec[0]
            asked = [f"font={font}", f"out={images}", f"size={run.size}", "charset=gb2312-1"]
            with quiet():
                render.main(compose_config("render", asked))
            count = (GLYPHS_SMALL if name == SMALL else GLYPHS)[setup.device.type]
            for file in sorted(images.glob("*.png"))[count:]:
                file.unlink()
            column, how = f"{name}, {run.size} px", f"batches of {batch_size}, {count} glyphs"
            figures += _precisions(run, count, column, how, setup)
            figures += _whole(run, images, Path(folder) / "drawn", column, how, setup)
    return figures


def _precisions(run: Run, count: int, column: str, how: str, setup: Setup) -> list[Figure]:
    """The generator alone: as trained in full precision and in bf16, and in bf16 made ready as ``Run.drawing`` does.

    A GPU that has fp16 in bf16's place draws in that.
    """
    low = "fp16" if pick_precision("auto", run.device) == "fp16" else "bf16"
    shape = (count, run.generator.in_channels, run.size, run.size)
    source = torch.rand(shape, generator=torch.Generator().manual_seed(0)).mul(2).sub(1)
    ready = fuse_conv_bn(run.generator)
    cast_convolutions(ready, DTYPES[low])
    ways = {"fp32": (run.generator, "fp32"), low: (run.generator, low), "as infer draws": (ready, low)}
    seconds = setup.time({name: partial(_draw, run, source, *way) for name, way in ways.items()}, "drawing")
    how = f"{how}, random images in memory; as infer draws: {low}, batch norms folded, convolutions cast beforehand"
    gain = ratio(seconds["fp32"], seconds["as infer draws"])
    return [
        *rates("generator, ", count, seconds, how, column),
        Figure("generator, as infer draws over fp32", gain, "x", how, column),
    ]


def _whole(run: Run, images: Path, out: Path, column: str, how: str, setup: Setup) -> list[Figure]:
    """A folder of images in, a folder of PNGs out, and the generator that infer draws with alone on the same glyphs."""
    with quiet():
        sources = FolderInput(run, images)
        read = [inputs for _, inputs in batches(run, sources, sources.names, run.styles[0])]
        source = image_from_pixels(np.concatenate(read))
        tasks: dict[str, Task] = {
            "generator": partial(_draw, run, source, run.drawing, run.precision),  # made ready before it is timed
            "folder": lambda: draw_folder(run, FolderInput(run, images), run.styles[0], out, overwrite=True),
        }
        seconds = setup.time(tasks, "drawing a folder")
    share = ratio(seconds["generator"], seconds["folder"])
    how = f"{how}, {run.precision}, the run loaded before; fresh weights draw faint grey noise, not glyphs"
    return [
        *rates("", len(source), {"folder in, folder out": seconds["folder"]}, how, column),
        Figure("folder over generator alone", share, "x", how, column),
    ]


def _draw(run: Run, source: Tensor, generator: UnetGenerator, precision: str) -> None:
    style = run.weights(run.styles[0]).expand(len(source), -1)
    compute = autocast(run.device, precision)
    draw_glyphs(generator, source, style, device=run.device, autocast=compute, batch_size=run.batch_size)


def untrained_run(out: Path, settings: Sequence[str], batch_size: int, setup: Setup) -> Run:
    """A run of the bundled fonts that has made no step: saved and loaded as any other."""
    cfg = compose_config("train", list(settings))
    styles = list(cfg.data.targets)
    torch.manual_seed(cfg.trainer.seed)
    generator = build_generator(cfg, len(styles))
    canvas, guides = Frame(cfg.data.size).as_dict(), cfg.data.guides
    no_limit = limit_of(np.empty(0))  # every form of a guide is drawn
    shared = {"canvas": canvas, "source": 0, "inputs": [canvas] * (1 + len(guides)), "limits": [no_limit] * len(guides)}
    manifest = {
        "size": cfg.data.size,
        "trained": "",
        "held_out": "",
        "sources": [{"name": "source"}],
        "guides": [{"name": f"guide {number}"} for number in range(len(guides))],
        "styles": [{"name": name, **shared} for name in styles],
    }
    config_yaml = OmegaConf.to_yaml(cfg, resolve=True)
    metadata = {"minutes": 0.0, "scores": {}, "styles": styles, "pack": "", "data": manifest}
    networks: dict[str, nn.Module] = {"generator": generator}
    checkpoints.save(out, step=0, metadata=metadata, config_yaml=config_yaml, networks=networks, training={})
    atomic_write(out / "config.yaml", config_yaml)
    return load(out, which="last", device=str(setup.device), precision=setup.precision, batch_size=batch_size)
