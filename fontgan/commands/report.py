"""fontgan report: compare runs in one page, with the same content as CSV and JSON beside it."""

from __future__ import annotations

import json
import logging
import platform
import shlex
import tempfile
import time
from collections.abc import Container, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from fontgan import __version__
from fontgan.config.compose import compose_config
from fontgan.errors import ConfigError, RunError
from fontgan.metrics.recognition import find_ocr
from fontgan.report import cost
from fontgan.report.collect import collect
from fontgan.report.content import content_of, to_csv
from fontgan.report.measure import MeasuredVariant, Settings, compare, measure
from fontgan.report.page import render_page
from fontgan.report.pictures import draw_pictures, open_first_runs
from fontgan.runtime.device import describe, pick_device, pick_precision
from fontgan.runtime.files import atomic_write, user_path
from fontgan.runtime.log_setup import say

log = logging.getLogger(__name__)

MADE_BY_US = b'name="generator" content="fontgan'  # in the head of every report


def main(cfg: DictConfig) -> int:
    """Measures the runs below ``cfg.runs`` and writes the report. Returns: 0."""
    out = _check(cfg)
    root = user_path(cfg.runs)
    settings = Settings(
        ocr=cfg.ocr,
        replicates=cfg.replicates,
        seed=cfg.seed,
        batch_size=cfg.batch_size,
        device=cfg.device,
        precision=cfg.precision,
    )
    collection = collect(root, cfg.which)
    make_room(out)
    variants, not_measured = measure(collection.variants, settings)
    if not variants:
        raise RunError(f"runs={root}: no run could be measured. {not_measured[0].name}: {not_measured[0].reason}")
    comparison = compare(variants, settings)
    opened, notes = open_first_runs(variants, settings)
    costs = _costs(variants, cfg, opened)
    left_out = [*collection.left_out, *not_measured]
    content = content_of(collection, variants, comparison, costs, left_out, notes, _made(cfg, root, out))
    page = render_page(content, draw_pictures(opened, content))
    numbers = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    atomic_write(out, page)  # first: it says whose the others are, so that a report cut short here can be made again
    atomic_write(out.with_suffix(".json"), numbers + "\n")
    atomic_write(out.with_suffix(".csv"), to_csv(content))
    for entry in content["left_out"]:
        log.info("left out: %s: %s (%s)", entry["name"], entry["reason"], entry["status"])
    for note in content["notes"]:
        log.info("%s", note)
    say(content["answer"])
    log.info("%s", " ".join(content["how_sure"]))
    log.info("%s (%.1f MB), with %s beside it", out, len(page) / 1e6, " and ".join(_beside(out)))
    return 0


def _check(cfg: DictConfig) -> Path:
    """The page's file. Raises: ConfigError for numbers out of range, or a name that is no page's or is taken."""
    for key, lowest in (("replicates", 100), ("seed", 0), ("batch_size", 1)):
        if cfg[key] < lowest:
            raise ConfigError(f"{key}={cfg[key]}: {lowest} or more is needed.")
    out = user_path(cfg.out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"out={out}: the report is a page. Name a file that ends in .html.")
    if out.is_dir():
        raise ConfigError(f"out={out}: is a folder. Name a file that ends in .html.")
    if out.is_file() and MADE_BY_US not in out.read_bytes()[:4096]:
        raise ConfigError(f"out={out}: is a page that fontgan report did not make. Name another file.")
    taken = [] if out.is_file() else [name for name in _beside(out) if (out.parent / name).exists()]
    if taken:
        raise ConfigError(f"out={out}: {taken[0]} is there already and would be written too. Name another file.")
    pick_precision(cfg.precision, pick_device(cfg.device))
    find_ocr(cfg.ocr)
    return out


def make_room(out: Path) -> None:
    """Raises: ConfigError if the page could not be written; said before anything is measured."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ConfigError(f"out={out}: its folder cannot be written to ({error.strerror}). Name another.") from error


def _costs(variants: Sequence[MeasuredVariant], cfg: DictConfig, timed: Container[str]) -> list[cost.Cost]:
    """Counts every variant's parameters and operations, and measures the rates of those in ``timed``."""
    configs = [variant.runs[0].run.config for variant in variants]
    styles = [len(variant.runs[0].run.checkpoint.metadata["styles"]) for variant in variants]
    costs = [cost.count(config, count) for config, count in zip(configs, styles, strict=True)]
    places = [place for place, variant in enumerate(variants) if variant.label in timed]
    if cfg.rates and places:
        training, inference = cost.measure_rates(
            [configs[place] for place in places],
            [variants[place].runs[0].run.checkpoint for place in places],
            device=cfg.device,
            precision=cfg.precision,
            batch_size=cfg.batch_size,
        )
        for place, train, draw in zip(places, training, inference, strict=True):
            costs[place].training, costs[place].inference = train, draw
    return costs


def _made(cfg: DictConfig, root: Path, out: Path) -> dict[str, Any]:
    device = pick_device(cfg.device)
    return {
        "fontgan": __version__,
        "runs": str(root),
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, pick_precision(cfg.precision, device)),
        "which": cfg.which,
        "ocr": cfg.ocr,
        "replicates": cfg.replicates,
        "seed": cfg.seed,
        "batch_size": cfg.batch_size,
        "rates": cfg.rates,
        "rounds": cost.ROUNDS,
        "versions": {
            "fontgan": __version__,
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "torchmetrics": version("torchmetrics"),
            "Python": platform.python_version(),
        },
        "command": _command(cfg),
        "files": _beside(out),
    }


def _command(cfg: DictConfig) -> str:
    """The command that repeats this report: what differs from the defaults."""
    default = compose_config("report", [f"runs={cfg.runs}"])
    changed = [f"{key!s}={value}" for key, value in cfg.items() if key != "runs" and value != default[key]]
    return shlex.join(["fontgan", "report", f"runs={cfg.runs}", *changed])


def _beside(out: Path) -> list[str]:
    return [out.with_suffix(suffix).name for suffix in (".csv", ".json")]
