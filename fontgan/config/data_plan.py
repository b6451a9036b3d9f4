"""``cfg.data`` -> the pairs of glyphs to train on, with what is wrong with them."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fontgan.config.instantiate import guide_specs, source_spec, target_specs
from fontgan.data.glyphs import Diagnostics
from fontgan.data.hairlines import find_hairlines
from fontgan.data.name_reading import AUTO
from fontgan.data.pair_findings import find_duplicates, find_outside, find_too_few
from fontgan.data.pairs import plan_pairs
from fontgan.data.plan import PairPlan
from fontgan.data.refusal import judge, tell_or_refuse
from fontgan.errors import ConfigError

if TYPE_CHECKING:
    from fontgan.data.frame import Frame
    from fontgan.training.finetune import PretrainedRun

log = logging.getLogger(__name__)


def build_plan(cfg: DictConfig, canvases: "Mapping[str, Frame] | None" = None) -> PairPlan:
    """Opens the data that ``cfg.data`` names, on the canvases of styles that a network knows already, by name."""
    data, targets, source = cfg.data, target_specs(cfg), source_spec(cfg.data.source)
    if not source and not (targets and all(target.source for target in targets.values())):
        raise ConfigError("data.source: needs a font or a glyph folder. Add data.source=A.ttf.")
    if not targets:
        raise ConfigError(
            "data.targets: needs at least one style. Add data.targets=[B.ttf] or data.targets={mine: DIR}."
        )
    keys = ("charset", "size", "margin", "align", "holdout", "holdout_chars")
    settings = {key: data[key] for key in keys}
    names = data.get("names", AUTO)  # this and the next are lacking in configs of before there was a choice
    room_for = data.get("room_for", "")
    guides = guide_specs(cfg)
    return plan_pairs(source, targets, guides=guides, canvases=canvases, names=names, room_for=room_for, **settings)


def checked_plan(cfg: DictConfig, pretrained: "PretrainedRun | None" = None) -> PairPlan:
    """The plan that a training uses; warnings and notes go to the log. Raises: DataError with the first error found."""
    plan = open_plan(cfg, pretrained)
    tell_or_refuse(plan.diagnostics)
    log.info("%s", summary(plan).replace("\n", "; "))
    return plan


def open_plan(cfg: DictConfig, pretrained: "PretrainedRun | None") -> PairPlan:
    """The plan with everything that was found; what would make most of it useless is an error unless ``cfg.allow`` has it."""
    plan = build_plan(cfg, pretrained.canvases if pretrained else None)
    plan.diagnostics += find_duplicates(plan) + find_hairlines(plan)
    names = [style.name for style in plan.styles]
    if pretrained is not None:
        names = pretrained.new_styles(names)
        plan.diagnostics += find_outside(plan, cfg.data.charset, names)
    plan.diagnostics += find_too_few(plan, names, finetuned=pretrained is not None)
    plan.diagnostics = Diagnostics(judge(plan.diagnostics, cfg.allow))
    return plan


def summary(plan: PairPlan) -> str:
    held_out, chars = set(plan.held_out), set(plan.chars)
    lines = [f"{len(plan.chars)} characters, {len(plan.held_out)} of them held out, at {plan.size} px"]
    for style in plan.styles:
        pairs = [char for char in style.coverage.present if char in chars]
        trained = sum(char not in held_out for char in pairs)
        lines.append(f"{style.name}: {trained} pairs to train on, {len(pairs) - trained} held out")
    return "\n".join(lines)
