"""fontgan report blocks: a page of what every block of the generator costs, with the same numbers as JSON beside it."""

from __future__ import annotations

import json
import logging
import shlex
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from fontgan import __version__
from fontgan.commands.report import make_room
from fontgan.config.compose import compose_config
from fontgan.errors import ConfigError
from fontgan.report.block_choices import candidate, discover
from fontgan.report.blocks import MADE_BY_US, measure_blocks, to_markdown
from fontgan.report.cost import ROUNDS
from fontgan.runtime.device import describe, pick_device, pick_precision
from fontgan.runtime.files import atomic_write, user_path

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> int:
    """Measures every block and writes the page. Returns: 0."""
    out = _check(cfg)
    make_room(out)
    base, rows = measure_blocks(
        discover(),
        lambda choice: candidate(choice, f"data.size={cfg.size}", f"generator.ngf={cfg.ngf}"),
        size=cfg.size,
        batch_size=cfg.batch_size,
        ngf=cfg.ngf,
        device=cfg.device,
        precision=cfg.precision,
        seed=cfg.seed,
    )
    made = _made(cfg)
    numbers = {"made": made, "baseline": base.as_dict(), "rows": [row.as_dict() for row in rows]}
    atomic_write(out, to_markdown(base, rows, made))  # first: it says whose the other is
    text = json.dumps(numbers, ensure_ascii=False, indent=1, allow_nan=False)
    atomic_write(out.with_suffix(".json"), text + "\n")
    log.info("%s: %d choices, with %s beside it", out, len(rows), out.with_suffix(".json").name)
    return 0


def _check(cfg: DictConfig) -> Path:
    """The page's file. Raises: ConfigError for numbers out of range, or a name that is no page's or is taken."""
    for key, lowest in (("size", 64), ("batch_size", 2), ("ngf", 1), ("seed", 0)):
        if cfg[key] < lowest:
            raise ConfigError(f"{key}={cfg[key]}: {lowest} or more is needed.")
    out = user_path(cfg.out)
    if out.suffix.lower() != ".md" or out.is_dir():
        raise ConfigError(f"out={out}: the page is Markdown. Name a file that ends in .md.")
    if out.is_file() and not out.read_bytes().startswith(MADE_BY_US.encode()):
        raise ConfigError(f"out={out}: is a page that fontgan report blocks did not make. Name another file.")
    if not out.is_file() and (beside := out.with_suffix(".json")).exists():
        raise ConfigError(f"out={out}: {beside.name} is there already and would be written too. Name another file.")
    pick_precision(cfg.precision, pick_device(cfg.device))
    return out


def _made(cfg: DictConfig) -> dict[str, Any]:
    device = pick_device(cfg.device)
    default = compose_config("report_blocks", [])
    changed = [f"{key!s}={value}" for key, value in cfg.items() if value != default[key]]
    return {
        "fontgan": __version__,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, pick_precision(cfg.precision, device)),
        "command": shlex.join(["fontgan", "report", "blocks", *changed]),
        "size": cfg.size,
        "batch_size": cfg.batch_size,
        "ngf": cfg.ngf,
        "seed": cfg.seed,
        "rounds": ROUNDS,
    }
