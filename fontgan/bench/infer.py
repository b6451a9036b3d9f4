"""Drawing: as infer draws against full precision, and a folder of images in and out against the generator alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from fontgan.bench.figures import DRAWING_BF16_ON_CPU, FOLDER_OVER_GENERATOR, Figure
from fontgan.bench.step import CLASSIC
from fontgan.commands import render
from fontgan.config.compose import compose_config
from fontgan.config.instantiate import build_generator
from fontgan.data.pack import SOURCE
from fontgan.generate.folder import draw_folder, draw_glyph_files
from fontgan.generate.sources import FolderInput
from fontgan.inference import Run, load
from fontgan.models.fuse_bn import cast_convolutions, fuse_conv_bn
from fontgan.models.predict import draw_glyphs
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import autocast, wait_for
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import ratio, summarize, time_interleaved
from fontgan.training import checkpoint as checkpoints
from fontgan.values import image_from_pixels

SMALL = "quickstart"  # a network so small that reading and writing images weigh most
# Drawn in a turn: so many that the contact sheet, which shows 64 of them at most, weighs little; the bundled fonts have
# a thousand.
GLYPHS = {"cpu": 96, "cuda": 960}
GLYPHS_SMALL = {"cpu": 256, "cuda": 960}


def measure_drawing(
    experiment: str,
    batch_size: int,
    overrides: Sequence[str],
    *,
    device: torch.device,
    precision: str,
    rounds: int,
    minutes: float,
    seed: int,
) -> list[Figure]:
    """Times generators with fresh weights: what they draw does not change how long drawing takes.

    It does change how long writing takes: they draw faint grey noise, whose PNGs take about as long to pack as those of
    glyphs at 96 px and 1.4 times as long at 256 px, so that a trained run loses no more than is measured here.

    Args:
        precision: in which a folder is drawn: auto, bf16 or fp32.
    """
    figures: list[Figure] = []
    for name in dict.fromkeys((experiment, SMALL)):
        settings = [f"experiment={name}", f"trainer.seed={seed}", *(overrides if name == experiment else ())]
        with tempfile.TemporaryDirectory() as folder:
            run = untrained_run(Path(folder) / "run", settings, batch_size, device=device, precision=precision)
            images = Path(folder) / "glyphs"
            count = (GLYPHS_SMALL if name == SMALL else GLYPHS)[device.type]
            render_glyphs(run, images, count)
            described = f"{name}, {run.size} px, batches of {batch_size}, {count} glyphs"
            classic = name == CLASSIC and not overrides
            figures += _precisions(run, described, count, classic=classic, rounds=rounds, minutes=minutes)
            figures += _whole(run, images, described, Path(folder) / "drawn", rounds=rounds, minutes=minutes)
    return figures


def _precisions(run: Run, described: str, count: int, *, classic: bool, rounds: int, minutes: float) -> list[Figure]:
    """The generator alone: as trained in full precision and in bf16, and in bf16 made ready as ``Run.drawing`` does."""
    source = torch.rand(count, 1, run.size, run.size, generator=torch.Generator().manual_seed(0)).mul(2).sub(1)
    style = run.weights(run.styles[0]).expand(count, -1)

    ready = fuse_conv_bn(run.generator)
    cast_convolutions(ready, torch.bfloat16)

    def draw(generator: UnetGenerator, precision: str) -> None:
        draw_glyphs(
            generator,
            source,
            style,
            device=run.device,
            autocast=autocast(run.device, precision),
            batch_size=run.batch_size,
        )

    seconds = time_interleaved(
        {
            "fp32": lambda: draw(run.generator, "fp32"),
            "bf16": lambda: draw(run.generator, "bf16"),
            "as infer draws": lambda: draw(ready, "bf16"),
        },
        lambda: wait_for(run.device),
        rounds=rounds,
        minutes=minutes,
        title="drawing",
    )
    meaning = {
        "fp32": f"{described}: the generator alone, random images in memory",
        "bf16": f"{described}: the generator alone under autocast, random images in memory",
        "as infer draws": f"{described}: the generator alone in bf16 as infer draws with it, its batch norms "
        "folded and its convolutions cast beforehand, random images in memory",
    }
    target = DRAWING_BF16_ON_CPU if classic and run.device.type == "cpu" else None
    name = described.partition(",")[0]
    return [
        *(
            Figure(f"drawing {name}, {which}", summarize([count / took for took in taken]), "glyphs/s", meaning[which])
            for which, taken in seconds.items()
        ),
        *(
            Figure(
                f"drawing {name}, {which} over fp32",
                ratio(seconds["fp32"], seconds[which]),
                "x",
                meaning[which],
                target if which == "as infer draws" else None,
            )
            for which in ("bf16", "as infer draws")
        ),
    ]


def _whole(run: Run, images: Path, described: str, out: Path, *, rounds: int, minutes: float) -> list[Figure]:
    """A folder of images in, a folder of PNGs out, and the generator that infer draws with alone on the same glyphs."""
    with quiet():
        sources = FolderInput(run, images)
        pixels = [drawn for name in sources.names if (drawn := sources.pixels(name)) is not None]
    source = image_from_pixels(np.stack(pixels))[:, None]
    style = run.weights(run.styles[0]).expand(len(source), -1)
    generator = run.drawing  # made ready once, before anything is timed
    glyphs_only = out.with_name(f"{out.name}-glyphs")
    glyphs_only.mkdir()

    def generator_alone() -> None:
        draw_glyphs(
            generator,
            source,
            style,
            device=run.device,
            autocast=autocast(run.device, run.precision),
            batch_size=run.batch_size,
        )

    def loop() -> None:
        again = FolderInput(run, images)
        draw_glyph_files(run, again, again.names, run.styles[0], glyphs_only)

    def whole() -> None:
        draw_folder(run, FolderInput(run, images), run.styles[0], out, overwrite=True)

    with quiet():
        seconds = time_interleaved(
            {"generator": generator_alone, "loop": loop, "folder": whole},
            lambda: wait_for(run.device),
            rounds=rounds,
            minutes=minutes,
            title="drawing a folder",
        )
    name = described.partition(",")[0]
    alone = (
        "the run loaded before; the generator alone is the one infer draws with (batch norms folded, convolutions "
        "cast); fresh weights draw faint grey noise, not glyphs"
    )
    work = f"{described}, {run.precision}: images read, drawn, and written as PNG"
    how, how_loop = f"{work}, with manifest and contact sheet; {alone}", f"{work}, and nothing else; {alone}"
    rate = summarize([len(source) / took for took in seconds["folder"]])
    over = {which: ratio(seconds["generator"], seconds[which]) for which in ("folder", "loop")}
    return [
        Figure(f"folder {name}, rate", rate, "glyphs/s", how),
        Figure(f"folder {name}, over generator alone", over["folder"], "x", how, FOLDER_OVER_GENERATOR),
        Figure(f"folder {name}, drawing loop over generator alone", over["loop"], "x", how_loop),
    ]


def untrained_run(out: Path, settings: Sequence[str], batch_size: int, *, device: torch.device, precision: str) -> Run:
    """A run of the bundled fonts that has made no step: saved and loaded as any other.

    Raises: ConfigError for settings that do not fit.
    """
    cfg = compose_config("train", list(settings))
    styles = list(cfg.data.targets)
    torch.manual_seed(cfg.trainer.seed)
    generator: UnetGenerator = build_generator(cfg, len(styles))
    still = {"scale": 1.0, "dx": 0.0, "dy": 0.0}
    manifest = {
        "size": cfg.data.size,
        "cell_to_canvas": {"scale": float(cfg.data.size), "dx": 0.0, "dy": 0.0},
        "trained": "",
        "held_out": "",
        "members": [{"name": name, "align": still} for name in (SOURCE, *styles)],
    }
    checkpoints.save(
        out,
        step=0,
        metadata={"minutes": 0.0, "scores": {}, "styles": styles, "pack": "", "data": manifest},
        config_yaml=OmegaConf.to_yaml(cfg, resolve=True),
        networks={"generator": generator},
        training={},
    )
    (out / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    return load(out, which="last", device=device.type, precision=precision, batch_size=batch_size)


def render_glyphs(run: Run, folder: Path, count: int) -> None:
    """Draws the first characters of the run's own source font as PNGs of the run's size."""
    asked = [f"font={run.source_spec}", f"out={folder}", f"size={run.size}", "charset=gb2312-1"]
    with quiet():
        render.main(compose_config("render", asked))
    for file in sorted(folder.glob("*.png"))[count:]:
        file.unlink()
