"""fontgan report: compare runs in one page, with the same content as CSV and JSON beside it."""

from __future__ import annotations

import json
import logging
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fontgan import __version__
from fontgan.config.limits import MISSING, limited
from fontgan.errors import ConfigError, RunError
from fontgan.runtime.files import atomic_write, make_folder_of, out_file, user_path

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

ORDER = 80
SUMMARY = "compare runs in one page: which variant wins, by how much, at what cost"
EXAMPLES = ("fontgan report runs=runs/sweep out=report.html",)
MADE_BY_US = b'name="generator" content="fontgan'  # in the head of every report


@dataclass
class Config:
    runs: str = MISSING
    out: str = MISSING
    which: str = limited(choices=("last", "best"))
    ocr: str = MISSING
    replicates: int = limited(100)
    seed: int = limited(0)
    rates: bool = MISSING
    batch_size: int = limited(1)
    device: str = MISSING
    precision: str = MISSING
    plugins: list[str] = MISSING


def main(cfg: DictConfig) -> int:
    """Measures the runs below ``cfg.runs`` and writes the report. Returns: 0."""
    from fontgan.config.command_line import command_of
    from fontgan.metrics.recognition import find_ocr
    from fontgan.report import cost
    from fontgan.report.collect import collect
    from fontgan.report.content import content_of, to_csv
    from fontgan.report.measure import Settings, compare, measure
    from fontgan.report.page import draw_pictures, open_first_runs, render_page
    from fontgan.runtime.device import describe, pick_device, pick_precision
    from fontgan.runtime.log_setup import say

    device = pick_device(cfg.device)
    precision = pick_precision(cfg.precision, device)
    find_ocr(cfg.ocr)
    root, out = user_path(cfg.runs), check_out(cfg.out)
    asked = {key: cfg[key] for key in ("ocr", "replicates", "seed", "batch_size")}
    computing = {"device": cfg.device, "precision": cfg.precision}
    settings = Settings(**asked, **computing)
    collection = collect(root, cfg.which)
    make_folder_of(out)
    variants, not_measured = measure(collection.variants, settings)
    if not variants:
        raise RunError(f"runs={root}: no run could be measured. {not_measured[0].name}: {not_measured[0].reason}")
    comparison = compare(variants, settings)
    opened, notes = open_first_runs(variants, settings)
    costs = cost.costs_of(variants, opened if cfg.rates else (), **computing, batch_size=cfg.batch_size)
    made = {
        "fontgan": __version__,
        "runs": str(root),
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, precision),
        "which": cfg.which,
        **asked,
        "rates": cfg.rates,
        "rounds": cost.ROUNDS,
        "versions": {
            "fontgan": __version__,
            **{name: version(name) for name in ("torch", "numpy", "torchmetrics")},
            "Python": platform.python_version(),
        },
        "command": command_of("report", cfg, "runs"),
        "files": beside(out),
    }
    left_out = [*collection.left_out, *not_measured]
    content = content_of(collection, variants, comparison, costs, left_out, notes, made)
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
    log.info("%s (%.1f MB), with %s beside it", out, len(page) / 1e6, " and ".join(beside(out)))
    return 0


def check_out(asked: str) -> Path:
    """The page's file. Raises: ConfigError for a name that is no page's or is taken."""
    out = out_file("out", asked, ".html", ".htm", make_folder=True)
    if out.is_file() and MADE_BY_US not in out.read_bytes()[:4096]:
        raise ConfigError(f"out={out}: is a page that fontgan report did not make. Name another file.")
    taken = [] if out.is_file() else [name for name in beside(out) if (out.parent / name).exists()]
    if taken:
        raise ConfigError(f"out={out}: {taken[0]} is there already and would be written too. Name another file.")
    return out


def beside(out: Path) -> list[str]:
    return [out.with_suffix(suffix).name for suffix in (".csv", ".json")]
