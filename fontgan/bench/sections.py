"""The sections of ``fontgan bench``: what each reads of the config, and its measurement."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import asdict
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from fontgan.bench.figures import Figure, Setup, show_figure
from fontgan.bench.machine import Peaks, describe_machine, measure_peaks
from fontgan.bench.page import FORMAT
from fontgan.config.compose import compose_config
from fontgan.runtime.device import describe, memory_error, pick_device, pick_precision

SECTIONS = ("step", "infer", "data", "outlines", "font")

# The sections that read a setting; those not named here are read by all.
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


def measure(cfg: DictConfig) -> dict[str, Any]:
    """The figures of the sections asked for, each printed as soon as its section is done.

    Raises: RunError where memory is full.
    """
    device = pick_device(cfg.device)
    print(f"{describe(device, pick_precision(cfg.precision, device))}, torch {torch.__version__}", flush=True)
    with memory_error(f"device={device}: memory is full. Use a device with more, or end what else fills it."):
        peaks = measure_peaks(device)
    print(
        f"matrix product: bf16 {peaks.bf16_gflops:,.0f}, fp32 {peaks.fp32_gflops:,.0f} GFLOP/s; "
        f"copy: {peaks.copy_gb_s:,.1f} GB/s",
        flush=True,
    )
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
            print(f"{figure.title}: {show_figure(figure.as_dict())}", flush=True)
    return content


def measure_section(
    section: str, cfg: DictConfig, setup: Setup, peaks: Peaks
) -> tuple[list[Figure], list[dict[str, Any]]]:
    """The figures of a section, and the operations of the step where it is profiled.

    A section's imports wait for their turn: those of one are seconds that another does not need.
    """
    training = (cfg.training, cfg.batch_size, list(cfg.overrides), setup)
    if section == "step":
        from fontgan.bench.start import measure_start
        from fontgan.bench.step import measure_step

        figures, profile = measure_step(*training, peaks, compile_too=cfg.compile)
        return [*figures, measure_start(setup)], profile
    if section == "infer":
        from fontgan.bench.infer import measure_inference

        return measure_inference(*training), []
    if section == "data":
        from fontgan.bench.data import measure_data

        return measure_data(cfg.fonts, cfg.pairs, setup), []
    if section == "outlines":
        from fontgan.bench.outlines import measure_outlines

        return measure_outlines(cfg.traced, setup), []
    from fontgan.bench.font import measure_font

    return measure_font(cfg.glyphs, setup), []


def command(cfg: DictConfig) -> str:
    """The command that measures this, without where it wrote; of files given by a whole path the names alone."""
    default = compose_config("bench", [])
    changed = [
        f"{key!s}={plain(value)}"
        for key, value in cfg.items()
        if value != default[key] and key not in ("out", "page")
    ]  # fmt: skip
    text = shlex.join(["fontgan", "bench", *(item.removeprefix("what=") for item in changed)])
    return re.sub(r"(?<![\w.])/(?:[^\s/,\]'\"]+/)*(?=[^\s/,\]'\"])", "", text)


def plain(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, ListConfig):
        return "[" + ",".join(f"'{item}'" if set("=, ") & set(str(item)) else str(item) for item in value) + "]"
    return "null" if value is None else str(value)
