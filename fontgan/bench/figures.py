"""A measured figure, and the target it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fontgan.runtime.timing import Spread

Reached = Literal["aim", "target", "no"]


@dataclass(frozen=True)
class Target:
    """What a figure has to be, and what it should be.

    Attributes:
        most: the figure has to be at most this, not at least.
    """

    need: float
    aim: float | None = None
    most: bool = False

    def reached(self, value: float) -> Reached:
        sign = -1 if self.most else 1
        if self.aim is not None and sign * value >= sign * self.aim:
            return "aim"
        return "target" if sign * value >= sign * self.need else "no"


# On the CPU of a laptop and on one H100 or H200; step: zi2zi_classic as it stands, batches of 16.
STEP_ON_CPU = Target(4, aim=8)
STEP_ON_GPU = Target(5, aim=10)
SHARE_OF_FLOOR_ON_GPU = Target(0.35, aim=0.6)
DRAWING_BF16_ON_CPU = Target(3.5, aim=5)
FOLDER_OVER_GENERATOR = Target(0.85, aim=0.97)
INPUT_OVER_STEP = Target(10)
TWO_WORKERS = Target(1.8)
PACKED_AT_128 = Target(3000)
FIRST_STEP = Target(8, aim=4, most=True)
TRACED_MS = Target(30, most=True)  # a glyph at 256 px, by one core of a laptop
FONT_SECONDS = Target(240, most=True)  # GB2312 at 256 px, from images to a font, by two cores of a laptop


@dataclass(frozen=True)
class Figure:
    """A number with its spread.

    Attributes:
        how: what was measured and how, in a sentence.
        target: None where none was set for what was measured.
    """

    name: str
    spread: Spread
    unit: str
    how: str
    target: Target | None = None

    def as_dict(self) -> dict[str, Any]:
        target = None
        if self.target is not None:
            target = {
                "need": self.target.need,
                "aim": self.target.aim,
                "most": self.target.most,
                "reached": self.target.reached(self.spread.value),
            }
        return {"name": self.name, "unit": self.unit, **self.spread.as_dict(), "how": self.how, "target": target}
