"""How long a training may be, so that variants can be compared at equal cost: in steps, minutes or operations."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fontgan.errors import ConfigError
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import autocast
from fontgan.training.memory import batch_of
from fontgan.training.objective import Objective
from fontgan.training.step import TrainStep

NO_END = 1_000_000_000  # steps: of a training that only its minutes end
_FORM = re.compile(r"(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*(steps?|min|minutes?|([kMGTPE]?)FLOPs?)")
_PREFIX = {prefix: 1000**power for power, prefix in enumerate(("", "k", "M", "G", "T", "P", "E"))}


class Budget(NamedTuple):
    amount: float
    unit: str  # "steps", "minutes" or "FLOP"


def parse_budget(text: str) -> Budget:
    """Reads ``2000steps``, ``5min``, ``30PFLOP``; a space before the unit is allowed. Raises: ConfigError."""
    match = _FORM.fullmatch(text.strip())
    number = float(match[1]) * _PREFIX[match[3] or ""] if match else 0.0
    if not match or not 0 < number < math.inf:
        raise ConfigError(
            f"sweep.budget={text}: cannot be read. Write steps, minutes or operations, such as 2000steps, 5min, 30PFLOP."
        )
    unit = {"s": "steps", "m": "minutes"}.get(match[2][0], "FLOP")
    if unit == "steps" and number != int(number):
        raise ConfigError(f"sweep.budget={text}: a whole number of steps is needed.")
    return Budget(number, unit)


def step_flops(
    generator: UnetGenerator,
    discriminator: nn.Module | None,
    objective: Objective,
    *,
    size: int,
    batch_size: int,
    accumulate: int,
    frozen_parts: Sequence[nn.Module] = (),
) -> float:
    """Operations of a training step, forward and backward through both networks, a multiply-add counted as two.

    The mean over a training, as terms may start late or end early.  A real step is counted, on torch's meta device,
    where the networks are and nothing is computed; what ``trainer.gradient_checkpointing`` computes again is not.
    """
    step = TrainStep(
        generator,
        discriminator,
        objective,
        optimiser_g=torch.optim.SGD(generator.parameters(), 0.0),
        optimiser_d=torch.optim.SGD(discriminator.parameters(), 0.0) if discriminator is not None else None,
        autocast=autocast(torch.device("cpu"), "fp32"),
        frozen_parts=frozen_parts,
    )
    batches = [batch_of(torch.zeros(batch_size, 1, size, size, device="meta"), generator)] * accumulate
    total = 0.0
    for start, end in objective.phases():
        with FlopCounterMode(display=False) as counter:
            step(batches, (start + end) / 2, 0)
        total += (end - start) * counter.get_total_flops()
    return total
