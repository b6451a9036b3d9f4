"""fontgan check: what is wrong with the data, in seconds, before any training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fontgan.build import build_plan, find_origin
from fontgan.data.pairs import PairPlan, find_duplicates, find_too_few
from fontgan.errors import DataError
from fontgan.logs import say

if TYPE_CHECKING:
    from fontgan.training.transfer import Origin

log = logging.getLogger(__name__)

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}


def main(cfg: DictConfig) -> int:
    """Prints findings, the worst first. Returns: 0, or 1 if training could not start."""
    plan = _plan(cfg, find_origin(cfg))
    findings = plan.findings
    for level in LEVELS:
        for finding in findings:
            if finding.level == level:
                log.log(LEVELS[level], "%s", finding)
    say(summary(plan))
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    print(f"{errors} errors, {warnings} warnings: " + ("training would stop here." if errors else "ready to train."))
    return 1 if errors else 0


def checked_plan(cfg: DictConfig, origin: Origin | None = None) -> PairPlan:
    """The plan that training uses, after the same checks.

    Args:
        origin: the run that the training starts from.
    Raises: DataError with the first error found; warnings and notes go to the log.
    """
    plan = _plan(cfg, origin)
    for finding in plan.findings:
        log.log(LEVELS[finding.level], "%s", finding)
    errors = [finding for finding in plan.findings if finding.level == "error"]
    if errors:
        raise DataError(f"{errors[0].message} {errors[0].remedy}")
    log.info("%s", summary(plan).replace("\n", "; "))
    return plan


def _plan(cfg: DictConfig, origin: Origin | None) -> PairPlan:
    """The plan with everything that was found."""
    plan = build_plan(cfg, origin.canvas if origin else None)
    plan.findings += find_duplicates(plan)
    if origin is not None:
        new = origin.new_styles([style.name for style in plan.styles])
        plan.findings += find_too_few(plan, cfg.data.charset, new)
    return plan


def summary(plan: PairPlan) -> str:
    held_out, chars = set(plan.held_out), set(plan.chars)
    lines = [f"{len(plan.chars)} characters, {len(plan.held_out)} of them held out, at {plan.size} px"]
    for style in plan.styles:
        pairs = [char for char in style.survey.present if char in chars]
        trained = sum(char not in held_out for char in pairs)
        lines.append(f"{style.name}: {trained} pairs to train on, {len(pairs) - trained} held out")
    return "\n".join(lines)
