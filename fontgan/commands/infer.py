"""fontgan infer: draw glyphs of a folder or a font in a trained style."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from fontgan.errors import ConfigError, shorten
from fontgan.generate.folder import draw_folder
from fontgan.generate.path import choose_path, draw_path
from fontgan.generate.sources import Sources, find_sources, warn_of_other_framing
from fontgan.inference import REFERENCES, Run, Style, load
from fontgan.runtime.distributed import all_gather, is_main, main_first, process_group
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> int:
    """Draws what is asked for, each process that torchrun started its share of it.

    Returns: 0, or 1 if some sources could not be read (the rest is done).
    """
    with process_group(torch.device("cpu")):  # what they tell each other does not need a GPU
        return draw_share(cfg)


def draw_share(cfg: DictConfig) -> int:
    """``main`` among its like: the main process makes the folders, writes the overviews and speaks."""
    with main_first():
        run, sources, jobs, path, out = prepare(cfg)
    for style, folder in jobs:
        draw_folder(run, sources, style, folder, overwrite=cfg.overwrite)
    for diagnostics in all_gather(sources.diagnostics):
        sources.diagnostics |= diagnostics
    if not is_main():
        return 0
    if path:
        asked_path = {"style_path": [str(name) for name in cfg.style_path], "extrapolate": cfg.extrapolate or 0.0}
        draw_path(run, sources, asked_path, path, out, overwrite=cfg.overwrite)
    inverted = [sources.files[name].name for name, finding in sources.found() if finding.inverted]
    if inverted:
        log.info(
            "%d of %d images are light on dark and were inverted: %s",
            len(inverted),
            len(sources.names),
            shorten(inverted),
        )
    warn_of_other_framing(run, sources)
    failed = [finding.problem for _, finding in sources.found() if finding.problem]
    for message in failed:
        log.error("%s", message)
    if failed:
        log.error("%d of %d images could not be read; the rest is done.", len(failed), len(sources.names))
    return 1 if failed else 0


def prepare(cfg: DictConfig) -> tuple[Run, Sources, list[tuple[Style, Path]], list[dict[str, float]], Path]:
    """The run, what to draw from, the styles with their folders, the mixtures of a path, and ``out``.

    Raises: UserError if something asked for is not there or does not fit; nothing is written before all is checked.
    """
    check_settings(cfg)
    run = load(cfg.checkpoint, which=cfg.which, device=cfg.device, precision=cfg.precision, batch_size=cfg.batch_size)
    log.info("step %d of %s", run.checkpoint.step, run.checkpoint.folder)
    added = None
    if cfg.style_images is not None:
        added = run.add_style(cfg.style_images, most=cfg.style_images_max or REFERENCES)
    out = user_path(cfg.out)
    path = choose_path(run, cfg)
    jobs = [] if path else choose_styles(run, added if cfg.style is None else cfg.style, out)
    asked: list[Style] = [*path, *(style for style, _ in jobs)]
    for wanted in asked:
        run.style_align(wanted)  # an unknown name is refused before anything is written
    if added is not None and not any(added in ([wanted] if isinstance(wanted, str) else wanted) for wanted in asked):
        raise ConfigError(
            f"style_images={cfg.style_images}: makes the style {added}, which is not asked for. Leave style out, name "
            f"{added} in style or style_path, or leave style_images out."
        )
    sources = find_sources(run, cfg)
    folders = [folder for _, folder in jobs] or [out]
    if cfg.input is not None and any(f.resolve() == user_path(cfg.input).resolve() for f in folders):
        raise ConfigError(
            f"out={cfg.out}: is the input folder; results would take the place of sources. Name another out=."
        )
    return run, sources, jobs, path, out


def check_settings(cfg: DictConfig) -> None:
    """Raises: ConfigError for a number out of range, or a setting that would be ignored."""
    for key in ("batch_size", "style_images_max"):
        if cfg[key] is not None and cfg[key] < 1:
            raise ConfigError(f"{key}={cfg[key]}: 1 or more is needed.")
    if cfg.style is not None and cfg.style_path is not None:
        raise ConfigError("style and style_path: draw either a style or a path between styles. Leave one of them out.")
    for key, needed in (("style_images_max", "style_images"), ("frames", "style_path"), ("extrapolate", "style_path")):
        if cfg[key] is not None and cfg[needed] is None:
            raise ConfigError(f"{key}={cfg[key]}: belongs to {needed}, which is not given. Add it, or leave {key} out.")


def choose_styles(run: Run, asked: Any, out: Path) -> list[tuple[Style, Path]]:
    """The styles to draw and the folder of each."""
    if asked is None:
        if len(run.styles) > 1:
            raise ConfigError(f"style: which one? The run knows {', '.join(run.styles)}; or style=all.")
        return [(run.styles[0], out)]
    if asked == "all":
        return [(name, out / name) for name in run.styles]
    if isinstance(asked, DictConfig):
        mixture = {str(name): value for name, value in asked.items()}
        wrong = [
            n
            for n, v in mixture.items()
            if isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v)
        ]
        if wrong:
            raise ConfigError(f"style: the weight of {wrong[0]} is {mixture[wrong[0]]!r}; a number is needed.")
        return [({name: float(value) for name, value in mixture.items()}, out)]
    run.check_known([str(asked)], also=" (or all)")
    return [(str(asked), out)]
