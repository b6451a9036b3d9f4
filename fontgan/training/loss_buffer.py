"""What the latest steps report, kept on the device until it is looked at, so that no step waits for the last one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepReport:
    """The losses of one step, on the host."""

    step: int
    values: dict[str, float]  # of the glyphs of this process
    names: list[str]  # "style:character" of each of those glyphs
    gradients: dict[str, float] = field(default_factory=dict)  # norms of each network's, over all processes

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, (*self.values.values(), *self.gradients.values())))

    def say(self) -> str:
        losses = not all(map(math.isfinite, self.values.values()))
        shown = ", ".join(f"{name}={value:g}" for name, value in (self.values if losses else self.gradients).items())
        return f"a {'loss' if losses else 'gradient'} is not finite ({shown}) on {' '.join(self.names)}"


@dataclass
class _Kept:
    step: int
    losses: dict[str, Tensor]
    names: list[str]
    gradients: dict[str, Tensor]

    @property
    def scalars(self) -> list[Tensor]:
        return [*self.losses.values(), *self.gradients.values()]


class LossBuffer:
    """``record`` what each step returns; ``copy_async`` it on its way to the host now and then, and ``collect`` it there later.

    On CUDA the copy goes into pinned memory behind the step's own work; reading waits for it alone, and whatever was
    queued after it computes meanwhile.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._sent: list[tuple[list[_Kept], Tensor, torch.cuda.Event | None]] = []

    def __len__(self) -> int:
        """Steps kept and not yet sent."""
        return len(self._kept)

    @property
    def pending(self) -> bool:
        """Whether something was sent and not yet read."""
        return bool(self._sent)

    def record(
        self, step: int, losses: dict[str, Tensor], names: list[str], gradients: dict[str, Tensor] | None = None
    ) -> None:
        """Takes the losses and gradient norms of a step, scalars on the device, without looking at them."""
        self._kept.append(_Kept(step, losses, names, gradients or {}))

    def copy_async(self) -> None:
        """Starts copying all that is kept to the host."""
        if not self._kept:
            return
        flat = torch.stack([value.detach().float() for kept in self._kept for value in kept.scalars])
        event = None
        if flat.is_cuda:
            host = torch.empty(flat.shape, pin_memory=True)
            host.copy_(flat, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
            flat = host
        self._sent.append((self._kept, flat, event))
        self._kept = []

    def collect(self) -> list[StepReport]:
        """What was sent, oldest step first; waits until it has arrived."""
        found = []
        for kept, flat, event in self._sent:
            if event is not None:
                event.synchronize()
            values = iter(flat.tolist())
            found += [
                StepReport(k.step, {n: next(values) for n in k.losses}, k.names, {n: next(values) for n in k.gradients})
                for k in kept
            ]
        self._sent = []
        return found
