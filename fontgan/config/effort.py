"""``effort``: settings of a training that follow from how many glyphs are known."""

from collections.abc import Collection
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fontgan.config.check import check_and_resolve
from fontgan.config.conflicts import check_values
from fontgan.errors import ConfigError


def apply_effort(training: DictConfig, effort: DictConfig, known: int, typed: Collection[str]) -> dict[str, Any]:
    """Puts into a training's config what ``effort`` says for so many known glyphs, but for what was typed.

    Only a training that starts from a run is touched: one from nothing has no rows to learn alone.
    Returns: what was set, dotted key -> value.   Raises: ConfigError for an unknown setting or a wrong value.
    """
    numbers: list[int] = [number for number in effort if isinstance(number, int) and number <= known]
    if training.init_from is None or not numbers:
        return {}
    settings = {str(key): value for key, value in effort[max(numbers)].items() if key not in typed}
    for key, value in settings.items():
        part, _, name = key.partition(".")
        if part not in ("trainer", "optim") or name not in training[part]:
            raise ConfigError(f"effort.{max(numbers)}: {key} is no setting of trainer or optim. Leave it out.")
        OmegaConf.update(training, key, value, merge=False)
    check_and_resolve("train", training)
    check_values("train", training)
    return settings
