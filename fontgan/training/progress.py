"""Progress bar of a training: pace, expected end and the latest losses."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from fontgan.runtime.distributed import is_main
from fontgan.training.schedule import Schedule


class Progress:
    """One bar for the whole training, shown by the main process alone."""

    def __init__(self, schedule: Schedule, step: int):
        self.schedule = schedule
        self.bar = tqdm(
            # Where minutes end the run, the first log tells about how many steps they allow.
            total=None if schedule.max_minutes else schedule.max_steps,
            initial=step,
            unit="step",
            desc="training",
            dynamic_ncols=True,
            disable=not is_main(),
            # On a terminal often enough to watch; in a log file a line now and then.
            mininterval=0.5 if sys.stderr.isatty() else 20,
        )
        self.start(step)

    def start(self, step: int) -> None:
        """Begins to measure the pace, from this step on."""
        self.bar.n = step
        self._started = self._last = time.monotonic(), step

    def glyphs_per_second(self, step: int, glyphs_a_step: int) -> float:
        """Mean pace since this was last asked."""
        now = time.monotonic()
        then, step_then = self._last
        self._last = now, step
        return (step - step_then) * glyphs_a_step / max(now - then, 1e-9)

    def show(self, step: int, minutes: float, pace: float, losses: Mapping[str, float]) -> None:
        """Shows the losses and where the training will end: at ``max_steps``, or when its minutes are over.

        Args:
            step, minutes: how far the training is now.   pace: glyphs per second.
        """
        self.bar.total = self.schedule.max_steps
        if self.schedule.max_minutes:
            started, first = self._started
            seconds_a_step = (time.monotonic() - started) / max(1, step - first)
            seconds_left = max(0.0, 60 * (self.schedule.max_minutes - minutes))
            self.bar.total = min(self.schedule.max_steps, step + math.ceil(seconds_left / seconds_a_step))
        said = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        self.bar.set_postfix_str(f"{pace:.0f} glyphs/s {said}", refresh=False)


@contextmanager
def progress_bar(schedule: Schedule, step: int) -> Iterator[Progress]:
    """A ``Progress`` that log messages do not break, closed at the end of the block."""
    with logging_redirect_tqdm([logging.getLogger("fontgan")]):
        progress = Progress(schedule, step)
        try:
            yield progress
        finally:
            progress.bar.close()
