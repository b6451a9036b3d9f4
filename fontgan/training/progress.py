"""Progress bar of a training: pace, expected end and the latest losses."""

import math
import time
from collections.abc import Mapping

from fontgan.runtime.progress import Bar
from fontgan.training.schedule import Schedule


class Progress(Bar):
    """One bar for the whole training."""

    def __init__(self, schedule: Schedule, step: int):
        self.schedule = schedule
        super().__init__(
            # Where minutes end the run, the first log tells about how many steps they allow.
            total=None if schedule.max_minutes else schedule.max_steps,
            initial=step,
            unit="step",
            desc="training",
            dynamic_ncols=True,
            mininterval=0.5,
        )

    def restart(self, step: int) -> None:
        """Begins to measure the pace, from this step on."""
        self.n = step
        self._began = self._asked = time.monotonic(), step

    def glyphs_per_second(self, step: int, glyphs_a_step: int) -> float:
        """Mean pace since this was last asked."""
        (then, step_then), now = self._asked, time.monotonic()
        self._asked = now, step
        return (step - step_then) * glyphs_a_step / max(now - then, 1e-9)

    def show(self, step: int, minutes: float, pace: float, losses: Mapping[str, float]) -> None:
        """Shows the losses, the pace in glyphs per second, and where the training will end, by steps or minutes."""
        self.total = self.schedule.max_steps
        if self.schedule.max_minutes:
            began, first = self._began
            seconds_a_step = (time.monotonic() - began) / max(1, step - first)
            seconds_left = max(0.0, 60 * (self.schedule.max_minutes - minutes))
            self.total = min(self.total, step + math.ceil(seconds_left / seconds_a_step))
        said = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        self.set_postfix_str(f"{pace:.0f} glyphs/s {said}", refresh=False)
