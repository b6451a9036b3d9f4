"""What the latest steps report, kept on the device until it is looked at, so that no step waits for the last one."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fontgan.runtime.accelerator import to_host


@dataclass(frozen=True)
class StepReport:
    """What one step reports: scalars on the device, and numbers once they are collected."""

    step: int
    values: dict[str, Any]  # losses, of the glyphs of this process
    names: list[str]  # "style:character" of each of those glyphs
    gradients: dict[str, Any]  # norms of each network's, over all processes
    scaled: bool = False  # whether losses were scaled, as in fp16: a gradient that is not finite was then skipped

    @property
    def scalars(self) -> list[Any]:
        return [*self.values.values(), *self.gradients.values()]

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, self.values.values() if self.scaled else self.scalars))

    @property
    def moved(self) -> dict[str, Any]:
        """The norms of the gradients that moved their network."""
        return {name: norm for name, norm in self.gradients.items() if math.isfinite(norm)}

    def say(self) -> str:
        losses = not all(map(math.isfinite, self.values.values()))
        shown = ", ".join(f"{name}={value:g}" for name, value in (self.values if losses else self.gradients).items())
        return f"a {'loss' if losses else 'gradient'} is not finite ({shown}) on {' '.join(self.names)}"


class LossBuffer:
    """Add what each step reports to ``kept``; ``copy_async`` it to the host now and then, and ``collect`` it later.

    On CUDA the copy goes into pinned memory behind the step's own work; reading waits for it alone, and whatever was
    queued after it computes meanwhile.
    """

    def __init__(self) -> None:
        self.kept: list[StepReport] = []  # and not yet sent
        self.sent: list[tuple[list[StepReport], Tensor, torch.cuda.Event | None]] = []  # and not yet read

    def copy_async(self) -> None:
        """Starts copying all that is kept to the host."""
        if not self.kept:
            return
        flat = torch.stack([value.detach().float() for report in self.kept for value in report.scalars])
        self.sent.append((self.kept, *to_host(flat)))
        self.kept = []

    def collect(self) -> list[StepReport]:
        """What was sent, oldest step first; waits until it has arrived."""
        found = []
        for reports, flat, event in self.sent:
            if event is not None:
                event.synchronize()
            numbers = iter(flat.tolist())
            for report in reports:
                values, norms = ({n: next(numbers) for n in said} for said in (report.values, report.gradients))
                found.append(replace(report, values=values, gradients=norms))
        self.sent = []
        return found
