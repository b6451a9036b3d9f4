"""The parts of a generator that ``fontgan report blocks`` swaps, one at a time, into the same network."""

from __future__ import annotations

import re

from omegaconf import DictConfig, OmegaConf

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, groups, variants
from fontgan.config.instantiate import build_generator
from fontgan.models.unet import UnetGenerator
from fontgan.models.up import UpBlock
from fontgan.report.blocks import STYLES, Candidate, Choice

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
    """The lines ``# Source:`` and ``# Use:`` at the head of a variant's file, or nothing."""
    said = dict(re.findall(r"^# (Source|Use): (.+)$", variants(group)[name].read_text(encoding="utf-8"), re.MULTILINE))
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
