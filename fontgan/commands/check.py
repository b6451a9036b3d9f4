"""fontgan check: what is wrong with the data, in seconds, before any training."""

from __future__ import annotations

import logging

from omegaconf import DictConfig

from fontgan.config.compose import find_pretrained
from fontgan.config.data_plan import LEVELS, open_plan, summary
from fontgan.runtime.log_setup import say

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> int:
    """Prints findings, the worst first. Returns: 0, or 1 if training could not start."""
    plan = open_plan(cfg, find_pretrained(cfg))
    diagnostics = plan.diagnostics
    for level in LEVELS:
        for finding in diagnostics:
            if finding.level == level:
                log.log(LEVELS[level], "%s", finding)
    say(summary(plan))
    errors = sum(finding.level == "error" for finding in diagnostics)
    warnings = sum(finding.level == "warning" for finding in diagnostics)
    print(f"{errors} errors, {warnings} warnings: " + ("training would stop here." if errors else "ready to train."))
    return 1 if errors else 0
