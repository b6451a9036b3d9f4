"""Progress of long work: a bar on a terminal, a line now and then in a log file."""

import io
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

SECONDS_A_LINE = 10


class Bar(tqdm):  # type: ignore[type-arg]
    """tqdm's bar, shown by the first of the processes that torchrun started.

    Where standard error is no terminal it is a plain line every ``SECONDS_A_LINE`` and one at the end, each with count,
    total, time taken and left, and rate; of what is done sooner there is none.
    """

    def __init__(self, things: Iterable[Any] | None = None, *, disable: bool = False, **options: Any):
        disable = disable or sys.stderr is None or os.environ.get("RANK", "0") != "0"
        self.in_lines = not disable and not sys.stderr.isatty()
        if self.in_lines:
            # miniters: by the clock alone.  ncols: the figures without the bar.  file: for what moves the cursor.
            options |= {"mininterval": SECONDS_A_LINE, "delay": SECONDS_A_LINE, "miniters": 1, "leave": True}
            options |= {"ncols": 0, "dynamic_ncols": False, "file": io.StringIO()}
        super().__init__(things, disable=disable, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draws the bar, or writes its line."""
        if not self.in_lines:
            return super().display(msg, pos)  # type: ignore[func-returns-value]
        if time.time() - self.start_t >= SECONDS_A_LINE:
            sys.stderr.write(f"{self}\n")
