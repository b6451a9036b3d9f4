"""fontgan train: fit a generator to glyph pairs, or go on with a run that was stopped."""

from dataclasses import dataclass, field
from typing import Any

from fontgan.config.schema import SweepConfig, TrainingConfig, limited

ORDER = 20
SUMMARY = "fit a generator to a source and target styles, or go on with a stopped run"
EXAMPLES = (
    "fontgan train",
    "fontgan train data=fonts 'data.targets=[B.ttf,C.otf]' out=runs/mine",
    "fontgan train data=folder data.source=DIR 'data.targets={kai: DIR, brush: DIR}' out=runs/mine",
    "fontgan train experiment=scratch generator/up=gated generator/up/refine=resskip_depthwise trainer.max_steps=2000",
    "fontgan train init_from=runs/mine 'data.targets={hand: DIR}' trainer.train_only=style out=runs/with-hand",
    "fontgan train -m experiment=scratch generator/up=deconv,gated trainer.seed=1,2 out=runs/sweep",
    "fontgan train -m sweep=up_blocks sweep.budget=30TFLOP out=runs/up_blocks",
)


@dataclass
class Config(TrainingConfig):
    sweep: SweepConfig = field(default_factory=SweepConfig)
    out: str = limited(free=True)
    corpus: str | None = limited(free=True)  # data.targets, which it sets, is what shapes the run


def main(cfg: Any) -> int:
    """Trains, or goes on. Returns: exit code."""
    from fontgan.train import train

    return train(cfg)
