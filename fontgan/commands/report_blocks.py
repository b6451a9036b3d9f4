"""fontgan report blocks: a page of what every block of the generator costs, with the same numbers as JSON beside it."""

from __future__ import annotations

import json
import logging
import re
import shlex
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fontgan import __version__
from fontgan.build import build_generator, choices, compose_config, config_folder, groups
from fontgan.commands.report import make_room
from fontgan.device import describe, pick_device, pick_precision
from fontgan.errors import ConfigError
from fontgan.files import user_path, write_whole
from fontgan.models.unet import UnetGenerator
from fontgan.models.up import UpBlock
from fontgan.report.blocks import MADE_BY_US, STYLES, Candidate, Choice, measure_blocks, to_markdown
from fontgan.report.cost import ROUNDS

log = logging.getLogger(__name__)

COMMON = (
    "~experiment", "name=blocks", "generator=unet", "generator/up=deconv", "generator/style=concat",
    "generator/norm=batch",  # at the start it passes maps on as they are, so that a grid is the block's own
)  # fmt: skip
NOT_BLOCKS = ("generator/norm",)

KEYS = (
    Choice(
        "keys of the generator",
        "generator.innermost_stride=1",
        ("generator.innermost_stride=1",),
        "none; the classic has stride 2",
        "small glyphs, and parts that need places to work on: the innermost map is twice as fine, and sees less.",
    ),
    Choice(
        "keys of the generator",
        "generator.antialias_down=true",
        ("generator.antialias_down=true",),
        "Zhang 2019, arXiv:1904.11486; Karras et al. 2020, arXiv:1912.04958",
        "thin strokes, whose fine detail would fold into false coarse detail where a map is halved.",
    ),
)


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
    write_whole(out, to_markdown(base, rows, made))  # first: it says whose the other is
    text = json.dumps(numbers, ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(out.with_suffix(".json"), text + "\n")
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


# -- what there is --------------------------------------------------------------------------


def discover() -> list[Choice]:
    """Every variant of every part of the generator, its presets, and the keys that change its shape."""
    found = [Choice(g, name, swap(g, name), *_said_in_file(g, name)) for g in part_groups() for name in choices(g)]
    return [*found, *KEYS]


def part_groups() -> list[str]:
    """The groups whose variants are generators or blocks of one, read from the config folder."""
    return [group for group in groups() if group.split("/")[0] == "generator" and group not in NOT_BLOCKS]


def swap(group: str, name: str) -> tuple[str, ...]:
    """The overrides that put a variant to work: attention also needs a level, here two above the innermost."""
    chosen: tuple[str, ...] = (f"{group}={name}",)
    if group == "generator/attention":
        depth = int(compose_config("train", list(COMMON)).generator.depth)
        chosen += (f"generator.attention_levels=[{max(1, depth - 2)}]",)
    return chosen


def _said_in_file(group: str, name: str) -> tuple[str, str]:
    """The lines ``# Source:`` and ``# Use:`` at the head of a variant's file or of one that it consists of, or nothing."""
    text = (config_folder() / group / f"{name}.yaml").read_text(encoding="utf-8")
    said = dict(re.findall(r"^# (Source|Use): (.+)$", text, re.MULTILINE))
    if same := re.search(r"^  - /([\w/]+)@_here_: (\w+)$", text, re.MULTILINE):
        source, use = _said_in_file(same[1], same[2])
        said = {"Source": source, "Use": use} | said
    return said.get("Source", ""), said.get("Use", "")


def baseline() -> list[str]:
    """The overrides of the generator that everything is swapped into: no part that could be left out."""
    optional = [g for g in part_groups() if g.count("/") == 1 and g != "generator/style" and "none" in choices(g)]
    return [*COMMON, *(f"{group}=none" for group in optional)]


def candidate(choice: Choice, *settings: str) -> Candidate:
    """The baseline with a choice in it, and with further overrides. Raises: ConfigError."""
    # A preset of the whole generator chooses optional parts itself; what was typed would take them out again.
    below = COMMON if choice.group == "generator" else baseline()
    cfg = compose_config("train", [*below, *settings, *choice.overrides])

    def build(ngf: int | None) -> UnetGenerator:
        width = {} if ngf is None else {"generator": {"ngf": ngf}}
        return build_generator(OmegaConf.merge(cfg, width), STYLES)  # type: ignore[arg-type]

    return Candidate(OmegaConf.to_yaml(cfg.generator), build, _class_of_block(choice.group, cfg))


def _class_of_block(group: str, cfg: DictConfig) -> str | None:
    """Module and name of the class that a group's variant makes; a preset of the up path makes ``UpBlock``."""
    if group == "generator" or group not in groups():
        return None
    if group == "generator/up":
        return f"{UpBlock.__module__}.{UpBlock.__qualname__}"
    return str(OmegaConf.select(cfg, f"{group.replace('/', '.')}._target_"))
