"""What one pixel depends on: receptive fields, by gradients, which see attention, pooling and interpolation as they are."""

import copy
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from fontgan.models.unet import UnetGenerator

Network = TypeVar("Network", bound=nn.Module)


def receptive_field(block: nn.Module, inputs: Sequence[Any], side: int = 32) -> int | None:
    """How many pixels a side of its input maps one output pixel depends on; None for all there are.

    The block's weights are replaced by random positive ones, so that no path is cut by a gain that starts at 0, a
    dead ReLU or a chance cancellation, and norm layers by the identity, since their statistics see the whole map.
    Statistics that a block takes itself, as ``AdainStyle`` does, count.

    Args:
        inputs: what the block was once called with. Maps (B, C, H, W) are replaced by random ones, the smallest of
            ``side`` pixels and the others in the same ratio to it; all else is passed on.
        side: an even number; what spans it counts as all.
    Returns: the largest over its input maps, in pixels of the smallest, and over neighbouring output pixels.
    """
    arguments = [value[:1].detach().cpu().double() if isinstance(value, Tensor) else value for value in inputs]
    places = [place for place, value in enumerate(arguments) if isinstance(value, Tensor) and value.ndim == 4]
    smallest = min(arguments[place].shape[-1] for place in places)
    scales = [arguments[place].shape[-1] / smallest for place in places]
    maps = [_random_map(arguments[p].shape[1], round(side * scale)) for p, scale in zip(places, scales, strict=True)]
    for place, drawn in zip(places, maps, strict=True):
        arguments[place] = drawn
    out = positive(block)(*arguments)
    middle = out.shape[-1] // 2
    widest = 0
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):  # an enlarged map's pixels lie differently on the small one's
        pixel = out[0, :, middle + row, middle + column].sum()
        gradients = torch.autograd.grad(pixel, maps, retain_graph=True, allow_unused=True)
        spans = (math.ceil(_span(g) / scale) for g, scale in zip(gradients, scales, strict=True) if g is not None)
        widest = max(widest, *spans)
    return None if widest >= side else widest


def encoder_receptive_field(generator: UnetGenerator) -> int | None:
    """How many pixels a side of the glyph one place of the innermost map depends on; None for all there are.

    What spans a glyph of 16 * 2**depth pixels counts as all; convolutions of 4x4 alone see 3 * 2**depth - 2.
    """
    probe = positive(generator)
    for side in (8 * 2**generator.depth, 16 * 2**generator.depth):
        glyph = _random_map(1, side)
        innermost = probe.encode(glyph)
        middle = innermost.shape[-1] // 2
        (gradient,) = torch.autograd.grad(innermost[0, :, middle, middle].sum(), glyph)
        if (span := _span(gradient)) < side:
            return span
    return None


def positive(network: Network) -> Network:
    """A copy in double precision whose weights are random and positive, with norms that do nothing."""
    probe = copy.deepcopy(network).cpu().double().eval()
    for module in list(probe.modules()):
        for name, child in module.named_children():
            if isinstance(child, _NormBase | nn.GroupNorm | nn.LayerNorm):
                setattr(module, name, nn.Identity())
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in probe.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            drawn = torch.rand(parameter.shape, generator=draw, dtype=torch.float64)
            parameter.copy_((0.5 + drawn) / (4 * fan_in))  # values shrink, or ReLU6 and sigmoids would saturate
    return probe


def _random_map(channels: int, side: int) -> Tensor:
    draw = torch.Generator().manual_seed(side)
    return torch.rand(1, channels, side, side, generator=draw, dtype=torch.float64).requires_grad_()


def _span(gradient: Tensor) -> int:
    """(1, C, H, W) -> the longer side of the box around what is not 0."""
    touched = gradient[0].ne(0).any(0)
    rows, columns = (touched.any(axis).nonzero() for axis in (1, 0))
    return max((int(places.max() - places.min()) + 1 for places in (rows, columns) if len(places)), default=0)
