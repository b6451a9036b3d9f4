"""A trial step on a device that lacks operations, so that a part which cannot run there is refused by name at the start.

Apple's GPU is such a device: torch has no list of what it computes there, and says so only when it is asked to.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fontgan.data.batches import PairSampler
from fontgan.errors import ConfigError, first_line
from fontgan.runtime.device import out_of_memory
from fontgan.training.step import TrainStep

ELSEWHERE = "the losses, the optimiser or data.augment"


class CallingParts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which part of a network calls which operation; a part is the innermost module that fontgan wrote."""

    def __init__(self, *networks: nn.Module):
        super().__init__()  # type: ignore[no-untyped-call]
        self._networks = networks
        self._within: list[str] = []
        self._callers: dict[str, str] = {}  # operation -> the last part that called it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._within:
            self._callers[func._overloadpacket.__name__] = self._within[-1]
        return func(*args, **(kwargs or {}))

    @contextmanager
    def watching(self) -> Iterator[None]:
        hooks: list[Any] = []
        for module in {module for network in self._networks for module in network.modules()}:
            if type(module).__module__.startswith("torch."):
                continue
            hooks.append(module.register_forward_pre_hook(self._enter))
            hooks.append(module.register_forward_hook(self._leave))
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, module: nn.Module, *_: Any) -> None:
        self._within.append(type(module).__name__)

    def _leave(self, *_: Any) -> None:  # not called where the module failed, which is what ``part`` goes by
        self._within.pop()

    def part(self, error: BaseException) -> str:
        """The part in which it arose: on the way back, that which called the operation on the way there."""
        if self._within:
            return self._within[-1]
        match = re.search(r"aten::(\w+?)(_backward)?\b", str(error))
        return self._callers.get(match[1], ELSEWHERE) if match else ELSEWHERE


def refuse_what_cannot_run(train_step: TrainStep, sampler: PairSampler, device: torch.device) -> None:
    """Takes a step with the losses of each phase, which moves the networks: give it some that are thrown away.

    Raises: ConfigError if torch cannot compute it on the device.
    """
    networks = [network for network in (train_step.generator, train_step.discriminator) if network is not None]
    parts = CallingParts(*networks)
    try:
        with parts.watching():
            batch = sampler.batch(0)
            for start, end in train_step.objective.phases():
                train_step([batch], (start + end) / 2, 0)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if out_of_memory(error):
            raise
        said = " ".join(first_line(error).split())[:200].rstrip(".")
        raise ConfigError(
            f"trainer.device={device.type}: torch {torch.__version__} cannot compute {parts.part(error)} there ({said}). "
            "Use another part in its place, a newer torch, or trainer.device=cpu."
        ) from error
