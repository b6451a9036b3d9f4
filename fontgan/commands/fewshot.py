"""fontgan fewshot: how well a recipe draws fonts of which it knows few glyphs."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from fontgan.config.schema import MISSING, TrainingConfig, limited
from fontgan.errors import ConfigError

ORDER = 75
SUMMARY = "measure how well a recipe, or a run that is started from, draws fonts of which few glyphs are known"
EXAMPLES = (
    "fontgan fewshot fonts=[A.ttf,B.ttf] data.source=NotoSansSC.ttf out=fewshot/from-nothing",
    "fontgan fewshot fonts=[A.ttf,B.ttf] init_from=runs/mine known=[30,100,300,800] out=fewshot/base against=[fewshot/from-nothing]",
)


@dataclass
class Config(TrainingConfig):
    fonts: Any = MISSING
    known: list[int] = limited(10)
    drawn: int = limited(10)
    budget: Any = MISSING
    effort: dict[int, Any] = MISSING
    seeds: list[int] = limited(0, 2**63)
    out: str = MISSING
    against: list[str] = MISSING
    replicates: int = limited(1)
    ocr: str = MISSING


SET_HERE = {
    "data.targets": "fonts", "data.holdout": "drawn", "data.holdout_chars": "drawn", "trainer.max_steps": "budget",
    "trainer.max_minutes": "budget", "trainer.seed": "seeds",
}  # fmt: skip
TRAINING = [key.name for key in fields(TrainingConfig)]


def conflicts(cfg: Config, typed: set[str]) -> None:
    """Raises: ConfigError where a typed setting would be replaced."""
    for key in sorted(typed):
        if (plain := key.lstrip("+~")) in SET_HERE:
            raise ConfigError(f"{plain}: fontgan fewshot sets it. Use {SET_HERE[plain]}=... instead.")


def main(cfg: Any, typed: Collection[str] = ()) -> int:
    """Trains, draws and measures what is not done yet, and writes the table. Returns: exit code."""
    from fontgan.evaluation.fewshot import measure_fewshot

    return measure_fewshot(cfg, TRAINING, typed)
