"""The parts of a generator that ``fontgan report blocks`` swaps, one at a time, into the same network."""

import re

from omegaconf import OmegaConf

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

KEYS = tuple(
    Choice("keys of the generator", override, (override,), source, use)
    for override, source, use in (
        ("generator.innermost_stride=1", "none; the classic has stride 2",
         "small glyphs, and parts that need places to work on: the innermost map is twice as fine, and sees less."),
        ("generator.antialias_down=true", "Zhang 2019, arXiv:1904.11486; Karras et al. 2020, arXiv:1912.04958",
         "thin strokes, whose fine detail would fold into false coarse detail where a map is halved."),
    )
)  # fmt: skip


def discover() -> list[Choice]:
    """Every variant of every part of the generator, its presets, and the keys that change its shape."""
    depth = int(compose_config("train", list(COMMON)).generator.depth)
    # Attention also needs a level, here two above the innermost.
    needs = {"generator/attention": (f"generator.attention_levels=[{max(1, depth - 2)}]",)}
    found = []
    for group in part_groups():
        for name, file in sorted(variants(group).items()):
            said = dict(re.findall(r"^# (Source|Use): (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE))
            overrides = (f"{group}={name}", *needs.get(group, ()))
            found.append(Choice(group, name, overrides, said.get("Source", ""), said.get("Use", "")))
    return [*found, *KEYS]


def part_groups() -> list[str]:
    """The groups whose variants are generators or blocks of one, read from the config folder."""
    return [group for group in groups() if group.split("/")[0] == "generator" and group not in NOT_BLOCKS]


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

    block = None
    if choice.group == "generator/up":  # a preset of the up path
        block = f"{UpBlock.__module__}.{UpBlock.__qualname__}"
    elif choice.group in groups() and choice.group != "generator":
        block = str(OmegaConf.select(cfg, f"{choice.group.replace('/', '.')}._target_"))
    return Candidate(OmegaConf.to_yaml(cfg.generator), build, block)
