"""fontgan check: what is wrong with the data, in seconds, before any training."""

from __future__ import annotations

import logging

from omegaconf import DictConfig

from fontgan.build import build_plan
from fontgan.data.frame import Frame
from fontgan.data.pairs import PairPlan, find_duplicates
from fontgan.errors import DataError

log = logging.getLogger(__name__)

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}


def main(cfg: DictConfig) -> int:
    """Prints findings, the worst first. Returns: 0, or 1 if training could not start."""
    plan = build_plan(cfg)
    findings = plan.findings + find_duplicates(plan)
    for level in LEVELS:
        for finding in findings:
            if finding.level == level:
                log.log(LEVELS[level], "%s", finding)
    print(summary(plan))
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    print(f"{errors} errors, {warnings} warnings: " + ("training would stop here." if errors else "ready to train."))
    return 1 if errors else 0


def checked_plan(cfg: DictConfig, canvas: Frame | None = None) -> PairPlan:
    """The plan that training uses, after the same checks.

    Args:
        canvas: see ``build_plan``.
    Raises: DataError with the first error found; warnings and notes go to the log.
    """
    plan = build_plan(cfg, canvas)
    plan.findings += find_duplicates(plan)
    for finding in plan.findings:
        log.log(LEVELS[finding.level], "%s", finding)
    errors = [finding for finding in plan.findings if finding.level == "error"]
    if errors:
        raise DataError(f"{errors[0].message} {errors[0].remedy}")
    log.info("%s", summary(plan).replace("\n", "; "))
    return plan


def summary(plan: PairPlan) -> str:
    held_out, chars = set(plan.held_out), set(plan.chars)
    lines = [f"{len(plan.chars)} characters, {len(plan.held_out)} of them held out, at {plan.size} px"]
    for style in plan.styles:
        pairs = [char for char in style.survey.present if char in chars]
        trained = sum(char not in held_out for char in pairs)
        lines.append(f"{style.name}: {trained} pairs to train on, {len(pairs) - trained} held out")
    return "\n".join(lines)
