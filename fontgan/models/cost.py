"""What a network costs: its parameters, its operations, and the width that gives a wanted number of parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fontgan.models.unet import UnetGenerator

MAX_WIDTH = 1024  # channels of level 1 that a search tries


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def forward_flops(generator: UnetGenerator, size: int) -> int:
    """Operations for one glyph of ``size`` px, a multiplication and an addition counted as two.

    Convolutions and matrix products are counted; what works value by value (CARAFE's weighted means, sampling,
    interpolation, low-passes, norms) is not.  Counted without computing (on torch's meta device), so that it is quick
    and the same on every machine.
    """
    meta = copy.deepcopy(generator).to("meta").eval()
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta(torch.zeros(1, 1, size, size), torch.zeros(1, generator.styles))
    return int(counter.get_total_flops())


def closest_width(count: Callable[[int], int], wanted: int) -> int:
    """The width, 1 to ``MAX_WIDTH``, whose count is nearest to ``wanted``.

    Args:
        count: width -> parameters; grows with the width.
    """
    low, high = 1, MAX_WIDTH
    while low < high:
        middle = (low + high) // 2
        if count(middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return min((width for width in (low - 1, low) if width), key=lambda width: abs(count(width) - wanted))
