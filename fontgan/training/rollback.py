"""What a training that diverged goes back to."""

from __future__ import annotations

from typing import Any

from fontgan.errors import ConfigError
from fontgan.training.monitor import ON_DIVERGENCE

MAX_ROLLBACKS = 3  # of a run: an eighth of the learning rate then; what diverges even so has another cause
MIN_STEPS_BETWEEN = (
    200  # steps; a run that diverges again so soon after going back was in trouble before the save it went back to
)


def check_on_divergence(choice: str) -> None:
    """Raises: ConfigError."""
    if choice not in ON_DIVERGENCE:
        raise ConfigError(f"trainer.on_divergence={choice}: choose one of {', '.join(ON_DIVERGENCE)}.")


def rollbacks_of(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The rollbacks that a checkpoint tells of; none in those of older versions. Raises: ValueError if it is damaged."""
    found = metadata.get("rollbacks", [])
    if not isinstance(found, list) or not all(
        isinstance(past, dict) and type(past.get("step")) is int and type(past.get("back_to")) is int for past in found
    ):
        raise ValueError("rollbacks are no list of steps")
    return found
