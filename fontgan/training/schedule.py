"""How far a training is, its learning rate, and when it logs, evaluates and saves."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """When the run ends, and the learning rate on the way: linear warm-up, then a cosine."""

    max_steps: int  # the run ends here or after ``max_minutes``, whichever comes first; the cosine follows whichever is
    max_minutes: float | None  # nearer its end, so that it always arrives
    warmup_steps: int
    final_share: float  # share of the full rate that is left at the end

    def progress(self, step: int, minutes: float) -> float:
        """Share of the training done, 0 to 1."""
        by_time = minutes / self.max_minutes if self.max_minutes else 0.0
        return min(1.0, max(step / self.max_steps, by_time))

    def rate(self, step: int, minutes: float) -> float:
        """Share of the full learning rate for the step after ``step``."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, minutes)))
        return warm * (self.final_share + (1 - self.final_share) * cosine)


@dataclass(frozen=True)
class TrainingPlan:
    """How long a training runs, and what it does on the way."""

    schedule: Schedule
    log_every: int  # steps, as the two below
    eval_every: int
    save_every: int
    accumulate: int  # batches of a step
    stop_at: int | None  # the step at which it stops as if interrupted, None for never
    # "stop" ends a training that loses what it has learned; "rollback" goes on from its last good checkpoint, which may
    # be its start, at half the learning rate.
    on_divergence: str
