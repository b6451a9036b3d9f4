"""fontgan check: what is wrong with the data, in seconds, before any training."""

import logging
from dataclasses import dataclass, field
from typing import Any

from fontgan.config.schema import MISSING, DataConfig, limited
from fontgan.data.refusal import KINDS

log = logging.getLogger(__name__)

ORDER = 50
SUMMARY = "say what is wrong with fonts or glyph folders before training"
EXAMPLES = (
    "fontgan check data=fonts data.source=A.ttf 'data.targets=[B.ttf]'",
    "fontgan check data=folder data.source=DIR 'data.targets={mine: DIR}'",
    "fontgan check init_from=runs/mine 'data.targets={hand: DIR}'",
)


@dataclass
class Config:
    data: DataConfig = field(default_factory=DataConfig)
    init_from: str | None = MISSING
    allow: list[str] = limited(choices=KINDS)
    plugins: list[str] = MISSING


def main(cfg: Any) -> int:
    """Prints findings, the worst first. Returns: 0, or 1 if training could not start."""
    from fontgan.config.compose import find_pretrained
    from fontgan.config.data_plan import open_plan, summary
    from fontgan.data.refusal import LEVELS
    from fontgan.runtime.log_setup import say

    plan = open_plan(cfg, find_pretrained(cfg))
    diagnostics = plan.diagnostics
    for finding in sorted(diagnostics, key=lambda finding: -LEVELS[finding.level]):
        log.log(LEVELS[finding.level], "%s", finding)
    say(summary(plan))
    errors = sum(finding.level == "error" for finding in diagnostics)
    warnings = sum(finding.level == "warning" for finding in diagnostics)
    print(f"{errors} errors, {warnings} warnings: " + ("training would stop here." if errors else "ready to train."))
    return 1 if errors else 0
