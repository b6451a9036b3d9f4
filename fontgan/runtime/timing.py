"""Tasks timed interleaved, round after round in one process, and their medians and extremes."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fontgan.runtime.progress import Bar

SECONDS_A_TURN = 0.2  # what is quicker is done several times in a turn
MIN_ROUNDS = 3  # a median of less says nothing of the spread

Task = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """The median of a number over rounds, and its extremes."""

    value: float
    low: float
    high: float
    rounds: int


def summarize(values: Sequence[float]) -> Spread:
    """One number a round -> median and extremes."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The ratio of two numbers of the same rounds, formed round by round, so that a slow round meets both alike."""
    return summarize([a / b for a, b in zip(over, under, strict=True)])


def time_interleaved(
    tasks: Mapping[str, Task], wait: Callable[[], None], *, rounds: int, minutes: float, title: str, warm_up: int = 1,
    once: bool = False, show: bool = True,
) -> dict[str, list[float]]:  # fmt: skip
    """Seconds that each task takes once, in each round; every round does all tasks, every other one backwards.

    Args:
        wait: returns when the device has done all it was asked for.
        rounds: ends after so many, or after ``minutes`` and ``MIN_ROUNDS``, whichever comes first.
        title: of the progress bar.
        warm_up: how often each task is done before; the last time tells how often it goes into a turn.
        once: do a task once a turn even where it is quick, because doing it again is something else (a cache is warm).
        show: with a progress bar.
    """
    repeats = {}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    with Bar(total=len(tasks) * (rounds + 1), unit="turn", desc=title, leave=False, disable=not show) as bar:
        for name, task in tasks.items():
            for _ in range(warm_up):
                took = timed(task, wait)
            repeats[name] = 1 if once else max(1, min(1000, round(SECONDS_A_TURN / max(took, 1e-6))))
            bar.update()
        started = time.monotonic()
        for turn in range(rounds):
            if turn >= MIN_ROUNDS and time.monotonic() - started > 60 * minutes:
                break
            for name in list(tasks)[:: 1 if turn % 2 == 0 else -1]:
                seconds[name].append(timed(tasks[name], wait, repeats[name]))
                bar.update()
    return seconds


def timed(task: Task, wait: Callable[[], None], times: int = 1) -> float:
    """Seconds that a task takes, the mean of ``times``."""
    wait()
    started = time.perf_counter()
    for _ in range(times):
        task()
    wait()
    return (time.perf_counter() - started) / times
