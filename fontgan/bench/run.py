"""fontgan bench: how fast this machine trains, draws, reads data and makes fonts, as JSON and as a page."""

from __future__ import annotations

import json
import logging
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from fontgan.bench.figures import Figure
from fontgan.bench.machine import describe_machine
from fontgan.bench.page import FORMAT, MADE_BY_US, read_figures, say_figure, to_markdown
from fontgan.bench.peaks import Peaks, measure_peaks
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.config.groups import choices
from fontgan.errors import ConfigError, RunError
from fontgan.runtime.device import describe, out_of_memory, pick_device, pick_precision
from fontgan.runtime.files import atomic_write, user_path
from fontgan.runtime.log_setup import quiet

log = logging.getLogger(__name__)

SECTIONS = ("step", "infer", "data", "blocks", "growth", "outlines", "font")
LEARNING = SECTIONS[:5]  # those that compute with a network or its data, on a device
WORDS = (*SECTIONS, "all", "page")

# The sections that read a setting; those not named here are read by all.
READ_BY = {
    "training": ("step", "infer"),
    "batch_size": ("step", "infer", "blocks"),
    "overrides": ("step", "infer"),
    "compile": ("step",),
    "rounds": ("step", "infer", "data", "growth", "outlines", "font"),
    "minutes": ("step", "infer", "data", "growth", "outlines", "font"),
    "fonts": ("data",),
    "pairs": ("data",),
    "traced": ("outlines",),
    "glyphs": ("font",),
    "seed": (*LEARNING, "outlines"),
    "device": SECTIONS,  # its peaks are measured beside every section
    "precision": SECTIONS,
    "threads": SECTIONS,
}
# Settings of a training that fontgan bench sets itself, and the key of its own for each.
OWN = {
    "experiment": "training",
    "trainer.batch_size": "batch_size",
    "trainer.precision": "precision",
    "trainer.device": "device",
    "trainer.seed": "seed",
    "trainer.compile": "compile",
}


def run_bench(cfg: DictConfig) -> int:
    """Measures what is asked for, prints it, and writes the figures and the page. Returns: 0."""
    out, page = _check(cfg)
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    if cfg.what != "page":
        out.parent.mkdir(parents=True, exist_ok=True)
        numbers = measure(cfg)
        atomic_write(out, json.dumps(numbers, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        log.info("%s: %d figures", out, len(numbers["figures"]))
    if page is not None:
        found = read_figures(out.parent)
        if not found:
            raise ConfigError(f"out={out}: no figures of fontgan bench lie beside it. Measure first.")
        page.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(page, to_markdown(found))
        log.info("%s: %d machines or settings", page, len(found))
    return 0


@contextmanager
def full_memory_said(says: str) -> Iterator[None]:
    """Raises: RunError that says so, in place of what torch says of memory that is full."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise RunError(says) from error


def measure(cfg: DictConfig) -> dict[str, Any]:
    """The figures of the sections asked for, each printed as soon as its section is done."""
    device = pick_device(cfg.device)
    numbers: dict[str, Any] = {
        "format": FORMAT,
        "made_by": "fontgan bench",
        "command": command(cfg),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(device),
        "peaks": {},
        "figures": [],
        "profile": [],
    }
    print(f"{describe(device, pick_precision(cfg.precision, device))}, torch {torch.__version__}", flush=True)
    with full_memory_said(f"device={device}: memory is full. Use a device with more, or end what else fills it."):
        peaks = measure_peaks(device)
    numbers["peaks"] = peaks.as_dict()
    print(
        f"matrix product: bf16 {peaks.bf16_gflops:,.0f}, fp32 {peaks.fp32_gflops:,.0f} GFLOP/s; "
        f"copy: {peaks.copy_gb_s:,.1f} GB/s",
        flush=True,
    )
    for section in SECTIONS if cfg.what == "all" else (cfg.what,):
        says = f"what={section}: memory is full. Use a device with more, or leave this section out."
        if section in READ_BY["batch_size"]:
            says = f"batch_size={cfg.batch_size}: does not fit in memory. Lower it."
        with full_memory_said(says):
            figures, profile = _measure_section(section, cfg, device, peaks)
        numbers["profile"] += profile
        _tell(figures, numbers["figures"])
    return numbers


def _measure_section(
    section: str, cfg: DictConfig, device: torch.device, peaks: Peaks
) -> tuple[list[Figure], list[dict[str, Any]]]:
    """The figures of a section, and the operations of the step where it is profiled."""
    profile: list[dict[str, Any]] = []
    if section == "step":
        from fontgan.bench.start import measure_start
        from fontgan.bench.step import measure_step

        figures, profile = measure_step(
            cfg.training,
            cfg.batch_size,
            list(cfg.overrides),
            device=device,
            precision=cfg.precision,
            peaks=peaks,
            compile_too=cfg.compile,
            rounds=cfg.rounds,
            minutes=cfg.minutes,
            seed=cfg.seed,
        )
        figures += measure_start(device, rounds=cfg.rounds, minutes=cfg.minutes)
    elif section == "infer":
        from fontgan.bench.infer import measure_drawing

        figures = measure_drawing(
            cfg.training,
            cfg.batch_size,
            list(cfg.overrides),
            device=device,
            precision=cfg.precision,
            rounds=cfg.rounds,
            minutes=cfg.minutes,
            seed=cfg.seed,
        )
    elif section == "data":
        figures = _measure_data(cfg, device)
    elif section == "outlines":
        from fontgan.bench.outlines import measure_outlines

        figures = measure_outlines(glyphs=cfg.traced, rounds=cfg.rounds, minutes=cfg.minutes, seed=cfg.seed)
    elif section == "font":
        from fontgan.bench.fontfile import measure_font

        figures = measure_font(glyphs=cfg.glyphs, rounds=cfg.rounds, minutes=cfg.minutes)
    elif section == "growth":
        from fontgan.bench.growth import measure_growth

        figures = measure_growth(
            device=device, precision=cfg.precision, rounds=cfg.rounds, minutes=cfg.minutes, seed=cfg.seed
        )
    else:
        from fontgan.bench.blocks import measure_block_times

        figures = measure_block_times(cfg.batch_size, device=device, precision=cfg.precision, seed=cfg.seed)
    return figures, profile


def _measure_data(cfg: DictConfig, device: torch.device) -> list[Figure]:
    """Packing, reading beside a step, and a pack of many pairs."""
    from fontgan.bench.packing import bundled_many_times, given_fonts, measure_packing
    from fontgan.bench.reading import measure_reading

    figures = measure_packing("bundled fonts", bundled_many_times(), rounds=cfg.rounds, minutes=cfg.minutes)
    if cfg.fonts is not None:
        figures += measure_packing("given fonts", given_fonts(cfg.fonts), rounds=cfg.rounds, minutes=cfg.minutes)
    figures += measure_reading(device, cfg.precision, rounds=cfg.rounds, minutes=cfg.minutes, seed=cfg.seed)
    if cfg.pairs:
        from fontgan.bench.big_pack import measure_big_pack

        figures += measure_big_pack(cfg.pairs, seed=cfg.seed, rounds=cfg.rounds, minutes=cfg.minutes)
    return figures


def _tell(figures: list[Figure], kept: list[dict[str, Any]]) -> None:
    """Prints a section's figures and keeps them for the file."""
    for figure in figures:
        kept.append(figure.as_dict())
        print("  ".join(say_figure(kept[-1])), flush=True)


def command(cfg: DictConfig) -> str:
    """The command that gave this config, with the names alone of files that are given by a whole path."""
    default = compose_config("bench", [])
    changed = [f"{key!s}={_plain(value)}" for key, value in cfg.items() if value != default[key]]
    text = shlex.join(["fontgan", "bench", *(item.removeprefix("what=") for item in changed)])
    return re.sub(r"(?<![\w.])/(?:[^\s/,\]'\"]+/)*(?=[^\s/,\]'\"])", "", text)


def _plain(value: Any) -> str:
    if isinstance(value, ListConfig):
        return "[" + ",".join(f"'{item}'" if set("=, ") & set(str(item)) else str(item) for item in value) + "]"
    return "null" if value is None else str(value)


def _check(cfg: DictConfig) -> tuple[Path, Path | None]:
    """The files to write. Raises: ConfigError for a word, number or name that does not fit, or a name that is taken."""
    if cfg.what not in WORDS:
        raise ConfigError(f"what={cfg.what}: choose one of {', '.join(WORDS)}.")
    if cfg.training not in choices("experiment"):
        raise ConfigError(f"training={cfg.training}: choose one of {', '.join(choices('experiment'))}.")
    default = compose_config("bench", [])
    for key, sections in READ_BY.items():
        if cfg.what not in ("all", *sections) and cfg[key] != default[key]:
            raise ConfigError(f"{key}={_plain(cfg[key])}: what={cfg.what} does not read it. Leave it out.")
    for override in cfg.overrides:
        key = str(override).lstrip("+~").partition("=")[0]
        if key in OWN:
            raise ConfigError(f"overrides: {key} is a setting of fontgan bench itself. Use {OWN[key]}=... instead.")
    compose_config("train", [f"experiment={cfg.training}", *cfg.overrides])
    if cfg.fonts is not None and len(cfg.fonts) < 2:
        raise ConfigError(f"fonts={_plain(cfg.fonts)}: a source and at least one more font are needed.")
    pick_precision(cfg.precision, pick_device(cfg.device))
    out, page = user_path(cfg.out), None if cfg.page is None else user_path(cfg.page)
    if out.suffix != ".json" or out.is_dir():
        raise ConfigError(f"out={out}: the figures are JSON. Name a file that ends in .json.")
    if out.is_file() and out not in [file for file, _ in read_figures(out.parent)]:
        raise ConfigError(f"out={out}: is a file that fontgan bench did not make. Name another file.")
    if cfg.what == "page" and page is None:
        raise ConfigError("page: needs a value. Add page=FILE.md.")
    if page is not None and (page.suffix.lower() != ".md" or page.is_dir()):
        raise ConfigError(f"page={page}: the page is Markdown. Name a file that ends in .md.")
    if page is not None and page.is_file() and not page.read_bytes().startswith(MADE_BY_US.encode()):
        raise ConfigError(f"page={page}: is a page that fontgan bench did not make. Name another file.")
    if cfg.fonts is not None:
        from fontgan.bench.packing import given_fonts

        with quiet():
            build_plan(given_fonts(cfg.fonts))  # what cannot be read is refused before anything is measured
    return out, page
