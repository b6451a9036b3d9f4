"""Batch normalisation folded into the convolution before it, for drawing: one pass over each map less."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fontgan.models.unet import UnetGenerator
from fontgan.models.up import UpBlock

Conv = nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def fuse_conv_bn(generator: UnetGenerator) -> UnetGenerator:
    """A copy in evaluation mode that draws the same, up to rounding, with fewer batch norms.

    Folded are the norms that directly follow a convolution (or a pixel shuffle or fixed filter after one); the others,
    and group and instance norms, which look at each map, stay.  The copy shares all weights that folding leaves alone,
    and the whole ``reference_style``, so that a style added to one is known to both.  It is for drawing, not training.
    """
    reader = generator.reference_style
    shared: dict[int, Any] = {id(t): t for t in (*generator.parameters(), *generator.buffers())}
    if reader is not None:
        shared[id(reader)] = reader
    copied = copy.deepcopy(generator, shared)
    for module in copied.modules():
        if isinstance(module, nn.Sequential):
            for place in range(1, len(module)):
                module[place] = _fold(module[place - 1], module[place])
        elif isinstance(module, UpBlock) and (last := getattr(module.resize, "last_conv", None)):
            module.norm = _fold(module.resize.get_submodule(last), module.norm)
    for module in _without_reader(copied):
        module.training = False
    return copied


def cast_convolutions(generator: UnetGenerator, dtype: torch.dtype) -> None:
    """Casts the weights of convolutions for good, which autocast would do again for every batch.

    The results are the same to the bit, as long as the generator computes under autocast of that type.  What reads
    styles off references computes outside of it, and stays.
    """
    for module in _without_reader(generator):
        if isinstance(module, Conv):
            # New parameters: the old ones may belong to the generator that this one was folded from.
            module.weight = nn.Parameter(module.weight.detach().to(dtype), requires_grad=False)
            if module.bias is not None:
                module.bias = nn.Parameter(module.bias.detach().to(dtype), requires_grad=False)


def _without_reader(generator: UnetGenerator) -> list[nn.Module]:
    """All modules but those that read references, which a folded generator shares with the original."""
    reader = generator.reference_style
    kept = set(reader.modules()) if reader is not None else set()
    return [module for module in generator.modules() if module not in kept]


def _fold(conv: nn.Module, norm: nn.Module) -> nn.Module:
    """Folds a norm into the convolution where that is possible. Returns: what takes the norm's place."""
    if type(norm) is not nn.BatchNorm2d or not norm.track_running_stats or not isinstance(conv, Conv):
        return norm
    transposed = isinstance(conv, nn.ConvTranspose2d)
    if transposed and conv.groups > 1:
        return norm  # the weights are then ordered by group, not by output channel
    # By channel of the convolution: a pixel shuffle makes one channel of neighbouring ones.
    mean, var, weight, bias = (
        values if values is None else values.repeat_interleave(conv.out_channels // norm.num_features)
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, mean, var, norm.eps, weight, bias, transposed)  # type: ignore[arg-type]
    return nn.Identity()
