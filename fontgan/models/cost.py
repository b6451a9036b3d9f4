"""What a network costs: its parameters, its operations, and the width that gives a wanted number of parameters.

Networks to count with are made on torch's meta device, where weights take no memory.
"""

import copy
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from fontgan.models.unet import UnetGenerator

MAX_WIDTH = 1024  # channels of level 1 that a search tries


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def forward_flops(generator: UnetGenerator, size: int) -> int:
    """Operations for one glyph of ``size`` px, a multiplication and an addition counted as two.

    Convolutions and matrix products are counted; what works value by value (CARAFE's weighted means, sampling,
    interpolation, low-passes, norms) is not.  Nothing is computed, so it is quick and the same on every machine.
    """
    meta = copy.deepcopy(generator).to("meta").eval()
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta(torch.zeros(1, generator.in_channels, size, size), torch.zeros(1, generator.styles))
    return int(counter.get_total_flops())


def closest_width(count: Callable[[int], int], wanted: int) -> int:
    """The width, 1 to ``MAX_WIDTH``, whose count, which grows with it, is nearest to ``wanted``."""
    above = 1 + bisect_left(range(1, MAX_WIDTH), wanted, key=count)
    return min((width for width in (above - 1, above) if width), key=lambda width: abs(count(width) - wanted))


@contextmanager
def on_meta_device() -> Iterator[None]:
    """What is built in here is on torch's meta device, and nothing is drawn for it."""
    with torch.device("meta"), NothingDrawn():
        yield


class NothingDrawn(TorchFunctionMode):
    """For work on the meta device: weights are neither drawn nor, by spectral norm, normalised.

    To do it there would change nothing, and takes torch seconds of importing first.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name in ("normal_", "uniform_", "normalize"):
            return args[0] if args else next(iter(kwargs.values()))
        return (torch.empty if name in ("randn", "rand") else func)(*args, **kwargs)
