"""How long a training may be, so that variants can be compared at equal cost: in steps, minutes or operations."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fontgan.data.batches import GlyphBatch
from fontgan.errors import ConfigError
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.device import autocast
from fontgan.training.objective import Objective
from fontgan.training.step import TrainStep

NO_END = 1_000_000_000  # steps: of a training that only its minutes end
_FORM = re.compile(r"(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*(steps?|min|minutes?|([kMGTPE]?)FLOPs?)")
_PREFIX = {prefix: 1000**power for power, prefix in enumerate(("", "k", "M", "G", "T", "P", "E"))}


@dataclass(frozen=True)
class Budget:
    """``amount`` of "steps", "minutes" or "FLOP"."""

    amount: float
    unit: str


def parse_budget(text: str) -> Budget:
    """Reads ``2000steps``, ``5min``, ``30PFLOP``; a space before the unit is allowed. Raises: ConfigError."""
    match = _FORM.fullmatch(text.strip())
    number = float(match[1]) * _PREFIX[match[3] or ""] if match else 0.0
    if not match or not 0 < number < math.inf:
        raise ConfigError(
            f"sweep.budget={text}: cannot be read. Write steps, minutes or operations, such as 2000steps, 5min, 30PFLOP."
        )
    if match[2].startswith("step"):
        if number != int(number):
            raise ConfigError(f"sweep.budget={text}: a whole number of steps is needed.")
        return Budget(number, "steps")
    if match[2].startswith("min"):
        return Budget(number, "minutes")
    return Budget(number, "FLOP")


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

    The mean over a training, as terms may start late or end early.  A real step is counted, on torch's
    meta device, where nothing is computed; what ``trainer.gradient_checkpointing`` computes again is not.

    Args:
        frozen_parts: modules of ``generator``, see ``TrainStep``; what needs no gradient costs less.
    """
    # Copied together, so that the frozen parts are those of the copy.
    generator, discriminator, frozen_parts = copy.deepcopy((generator, discriminator, list(frozen_parts)))
    generator = generator.to("meta")
    discriminator = discriminator.to("meta") if discriminator is not None else None
    step = TrainStep(
        generator,
        discriminator,
        objective,
        optimiser_g=torch.optim.SGD(generator.parameters(), 0.0),
        optimiser_d=torch.optim.SGD(discriminator.parameters(), 0.0) if discriminator is not None else None,
        autocast=autocast(torch.device("cpu"), "fp32"),
        frozen_parts=frozen_parts,
    )
    with torch.device("meta"):
        image, style = torch.zeros(batch_size, 1, size, size), torch.zeros(batch_size, generator.styles)
        shots = generator.style.shots
        references = torch.zeros(batch_size, shots, size, size) if shots else None
    batches = [GlyphBatch(image, image, style, [""] * batch_size, references)] * accumulate

    def count(progress: float) -> int:
        with FlopCounterMode(display=False) as counter:
            step(batches, progress, 0)
        return int(counter.get_total_flops())

    return sum((end - start) * count((start + end) / 2) for start, end in objective.phases())
