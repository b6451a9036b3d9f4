"""fontgan bench: how fast this machine trains, draws, reads data and makes fonts, as JSON and as a page."""

import json
import logging
import re
import shlex
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from fontgan.bench.figures import Figure, Setup, show_figure
from fontgan.bench.machine import Peaks, describe_machine, measure_peaks
from fontgan.bench.page import FORMAT, MADE_BY_US, read_figures, to_markdown
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.config.groups import choices
from fontgan.errors import ConfigError
from fontgan.runtime.device import describe, memory_error, pick_device, pick_precision
from fontgan.runtime.files import atomic_write, out_file
from fontgan.runtime.log_setup import quiet

log = logging.getLogger(__name__)

SECTIONS = ("step", "infer", "data", "outlines", "font")
WORDS = (*SECTIONS, "all", "page")
# The sections that read a setting, which their ``measure`` takes by name; those not named here are read by all.
READ_BY = {
    "training": ("step", "infer"),
    "batch_size": ("step", "infer"),
    "overrides": ("step", "infer"),
    "compile": ("step",),
    "fonts": ("data",),
    "pairs": ("data",),
    "traced": ("outlines",),
    "glyphs": ("font",),
    "seed": ("step", "infer", "data", "outlines"),
}
# Settings of a training that fontgan bench sets itself, and the key of its own for each.
OWN = {
    "experiment": "training",
    **{f"trainer.{key}": key for key in ("batch_size", "precision", "device", "seed", "compile")},
}


def run_bench(cfg: DictConfig) -> int:
    """What the command does. Returns: 0."""
    _check(cfg)
    out, page = _files(cfg)
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    if cfg.what != "page":
        out.parent.mkdir(parents=True, exist_ok=True)
        content = measure(cfg)
        atomic_write(out, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        log.info("%s: %d figures", out, len(content["figures"]))
    if page is not None:
        found = read_figures(out.parent)
        if not found:
            raise ConfigError(f"out={out}: no figures of fontgan bench lie beside it. Measure first.")
        page.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(page, to_markdown(found, page))
        log.info("%s: %d files of figures", page, len(found))
    return 0


def _check(cfg: DictConfig) -> None:
    """Raises: ConfigError for a word or setting that does not fit."""
    for key, known in (("what", WORDS), ("training", choices("experiment"))):
        if cfg[key] not in known:
            raise ConfigError(f"{key}={cfg[key]}: choose one of {', '.join(known)}.")
    default = compose_config("bench", [])
    for key, sections in READ_BY.items():
        if cfg.what not in ("all", *sections) and cfg[key] != default[key]:
            raise ConfigError(f"{key}={plain(cfg[key])}: what={cfg.what} does not read it. Leave it out.")
    for override in cfg.overrides:
        key = str(override).lstrip("+~").partition("=")[0]
        if key in OWN:
            raise ConfigError(f"overrides: {key} is a setting of fontgan bench itself. Use {OWN[key]}=... instead.")
    compose_config("train", [f"experiment={cfg.training}", *cfg.overrides])
    pick_precision(cfg.precision, pick_device(cfg.device))
    if cfg.fonts is not None:
        if len(cfg.fonts) < 2:
            raise ConfigError(f"fonts={plain(cfg.fonts)}: a source and at least one more font are needed.")
        from fontgan.bench.data import given_fonts

        with quiet():
            build_plan(given_fonts(cfg.fonts))  # what cannot be read is refused before anything is measured


def _files(cfg: DictConfig) -> tuple[Path, Path | None]:
    """The files to write. Raises: ConfigError for a name that does not fit or is taken."""
    out = out_file("out", cfg.out, ".json", make_folder=True)
    if out.is_file() and out not in [file for file, _ in read_figures(out.parent)]:
        raise ConfigError(f"out={out}: is a file that fontgan bench did not make. Name another file.")
    if cfg.page is None:
        if cfg.what == "page":
            raise ConfigError("page: needs a value. Add page=FILE.md.")
        return out, None
    page = out_file("page", cfg.page, ".md", make_folder=True)
    if page.is_file() and not page.read_bytes().startswith(MADE_BY_US.encode()):
        raise ConfigError(f"page={page}: is a page that fontgan bench did not make. Name another file.")
    return out, page


def measure(cfg: DictConfig) -> dict[str, Any]:
    """The figures of the sections asked for, each printed as soon as its section is done.

    Raises: RunError where memory is full.
    """
    device = pick_device(cfg.device)
    print(f"{describe(device, pick_precision(cfg.precision, device))}, torch {torch.__version__}", flush=True)
    with memory_error(f"device={device}: memory is full. Use a device with more, or end what else fills it."):
        peaks = measure_peaks(device)
    products = f"bf16 {peaks.bf16_gflops:,.0f}, fp32 {peaks.fp32_gflops:,.0f} GFLOP/s"
    print(f"matrix product: {products}; copy: {peaks.copy_gb_s:,.1f} GB/s", flush=True)
    content: dict[str, Any] = {
        "format": FORMAT,
        "made_by": "fontgan bench",
        "command": command(cfg),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(device),
        "peaks": asdict(peaks),
        "figures": [],
        "profile": [],
    }
    setup = Setup(device, cfg.precision, cfg.rounds, cfg.minutes, cfg.seed)
    for section in SECTIONS if cfg.what == "all" else (cfg.what,):
        says = f"what={section}: memory is full. Use a device with more, or leave this section out."
        if section in READ_BY["batch_size"]:
            says = f"batch_size={cfg.batch_size}: does not fit in memory. Lower it."
        with memory_error(says):
            figures, profile = measure_section(section, cfg, setup, peaks)
        content["profile"] += profile
        for figure in figures:
            content["figures"].append({"section": section, **figure.as_dict()})
            title = ", ".join(filter(None, (figure.column, figure.name)))
            print(f"{title}: {show_figure(figure.as_dict())}", flush=True)
    return content


def measure_section(section: str, cfg: DictConfig, setup: Setup, peaks: Peaks) -> tuple[list[Figure], list[Any]]:
    """The figures of a section, and the operations of the step where it is profiled.

    A section's imports wait for their turn: those of one are seconds that another does not need.
    """
    settings = {key: cfg[key] for key, sections in READ_BY.items() if section in sections and key != "seed"}
    if section == "step":
        from fontgan.bench.start import measure_start
        from fontgan.bench.step import measure_step

        figures, profile = measure_step(setup, peaks, **settings)
        return [*figures, measure_start(setup)], profile
    return import_module(f"fontgan.bench.{section}").measure(setup, **settings), []


def command(cfg: DictConfig) -> str:
    """The command that measures this, without where it wrote; of files given by a whole path the names alone."""
    default = compose_config("bench", [])
    changed = [key for key in cfg if cfg[key] != default[key] and key not in ("out", "page")]
    settings = [f"{key!s}={plain(cfg[key])}".removeprefix("what=") for key in changed]
    text = shlex.join(["fontgan", "bench", *settings])
    return re.sub(r"(?<![\w.])/(?:[^\s/,\]'\"]+/)*(?=[^\s/,\]'\"])", "", text)


def plain(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, ListConfig):
        return "[" + ",".join(f"'{item}'" if set("=, ") & set(str(item)) else str(item) for item in value) + "]"
    return "null" if value is None else str(value)
