"""Figures of a benchmark, and the settings that all sections share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.timing import Spread, Task, summarize, time_interleaved


@dataclass(frozen=True)
class Figure:
    """A measured number with its spread."""

    name: str  # the row of the section's table
    spread: Spread
    unit: str
    how: str  # what was measured and how, in a sentence
    column: str = ""  # of the table; "" where it has one only

    def as_dict(self) -> dict[str, Any]:
        place = {"column": self.column, "name": self.name, "unit": self.unit}
        return {**place, **asdict(self.spread), "how": self.how}


@dataclass(frozen=True)
class Setup:
    """Device, precision (auto, bf16, fp16 or fp32) and length of the measurements, as ``time_interleaved`` takes it."""

    device: torch.device
    precision: str
    rounds: int
    minutes: float
    seed: int

    def time(self, tasks: Mapping[str, Task], title: str, **options: Any) -> dict[str, list[float]]:
        """Seconds of each task by round; see ``time_interleaved``."""
        wait = partial(wait_for, self.device)
        return time_interleaved(tasks, wait, rounds=self.rounds, minutes=self.minutes, title=title, **options)


def rates(prefix: str, count: int, seconds: Mapping[str, Sequence[float]], how: str, column: str = "") -> list[Figure]:
    """Glyphs a second of each task that takes ``count`` of them at once."""
    return [
        Figure(prefix + name, summarize([count / took for took in taken]), "glyphs/s", how, column)
        for name, taken in seconds.items()
    ]


def show_figure(figure: dict[str, Any]) -> str:
    """A figure's ``as_dict`` as text, ``2.58 x (2.51 to 2.73)``: three digits, whole with commas from 100 on."""
    numbers = (figure[key] for key in ("value", "low", "high"))
    value, low, high = (f"{n:,.0f}" if abs(n) >= 100 or not n else f"{n:#.3g}" for n in numbers)
    text = f"{value} {figure['unit']}".strip()
    return text if figure["rounds"] < 2 else f"{text} ({low} to {high})"
