"""Figures of a benchmark, and the settings that all sections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from fontgan.runtime.device import wait_for
from fontgan.runtime.timing import Spread, Task, time_interleaved


@dataclass(frozen=True)
class Figure:
    """A measured number with its spread.

    Attributes:
        name: the row of the section's table.
        how: what was measured and how, in a sentence.
        column: of the table; "" where it has one column only.
    """

    name: str
    spread: Spread
    unit: str
    how: str
    column: str = ""

    @property
    def title(self) -> str:
        return ", ".join(part for part in (self.column, self.name) if part)

    def as_dict(self) -> dict[str, Any]:
        return {
            "column": self.column, "name": self.name, "unit": self.unit, **self.spread.as_dict(), "how": self.how,
        }  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """Device and length of the measurements.

    Attributes:
        precision: auto, bf16 or fp32.
        rounds, minutes: of ``time_interleaved``.
    """

    device: torch.device
    precision: str
    rounds: int
    minutes: float
    seed: int

    def wait(self) -> None:
        """Returns when the device is done."""
        wait_for(self.device)

    def time(self, tasks: Mapping[str, Task], title: str, **options: Any) -> dict[str, list[float]]:
        """Seconds of each task by round; see ``time_interleaved``."""
        return time_interleaved(tasks, self.wait, rounds=self.rounds, minutes=self.minutes, title=title, **options)


def exact(value: float) -> Spread:
    """A number that was measured once, or computed."""
    return Spread(value, value, value, 1)


def show_figure(figure: dict[str, Any]) -> str:
    """A figure of ``Figure.as_dict`` as text: ``2.58 x (2.51 to 2.73)``."""
    text = f"{number(figure['value'])} {figure['unit']}".strip()
    return text if figure["rounds"] < 2 else f"{text} ({number(figure['low'])} to {number(figure['high'])})"


def number(value: float) -> str:
    """Three significant digits; whole with commas from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 or not value else f"{value:#.3g}"
