"""What a training that diverged goes back to."""

from __future__ import annotations

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
