"""Discriminators: is this a real glyph of that style, drawn from that source?

Contract of every class here: ``Discriminator(styles, **options)`` maps a source and a glyph image, both
(B, 1, H, W) with -1 ink and +1 paper, and style weights (B, styles) -> ``DiscriminatorOutput``.  It runs on torch's meta
device too, where it is asked before training starts whether it takes the size of the images and what it gives.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fontgan.models.init import initialise
from fontgan.models.layers import check_at_least, check_choice


class DiscriminatorOutput(NamedTuple):
    """Discriminator output for one batch."""

    logits: Tensor  # (B, 1, h, w) logits, one a patch; positive is real
    class_logits: Tensor | None  # (B, styles) logits, or None without a category head; where a loss term asks for them
    features: tuple[Tensor, ...] = ()  # the trunk's maps (B, C, h, w) after each activation, large to small


class PatchDiscriminator(nn.Module):
    """PatchGAN: real or fake of overlapping patches, seen beside the source; conditional on the style by a head.

    head="projection": the style's embedding times the features of each patch, averaged over the channels, is added to
    the patch logits (Miyato & Koyama 2018, arXiv:1802.05637, who sum).  head="category": an auxiliary classifier names
    the style (Odena et al. 2017, arXiv:1610.09585).

    Raises: ValueError if ``head`` is unknown, or a number is out of range.
    Source: Isola et al. 2017, arXiv:1611.07004 (patches, conditional on the input).

    Args:
        ndf: channels of the first layer; they double each layer up to 8 * ndf.
        layers: stride-2 layers, 1 to 9; 1, 2, 3, 4 make the patch 12, 26, 54, 110 px wide.
        spectral_norm: bounds each layer's gain (Miyato et al. 2018, arXiv:1802.05957).
    """

    def __init__(
        self, styles: int, *, ndf: int = 64, layers: int = 3, head: str = "projection", spectral_norm: bool = True
    ):
        super().__init__()
        check_choice("discriminator.head", head, ("projection", "category"))
        if not 1 <= layers <= 9:
            raise ValueError(
                f"discriminator.layers={layers}: 1 to 9 are needed; each halves a map of 512 pixels at most."
            )
        check_at_least("discriminator.ndf", ndf)
        widths = [2] + [ndf * min(2**layer, 8) for layer in range(layers + 1)]
        trunk: list[nn.Module] = []
        for layer in range(layers + 1):
            # Padding 1 shrinks small maps to nothing at the last two 4x4 layers of stride 1, hence 3x3 there.
            kernel, stride = (4, 2) if layer < layers else (3, 1)
            trunk += [nn.Conv2d(widths[layer], widths[layer + 1], kernel, stride, 1), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*trunk)
        self.to_logits = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.to_class_logits = nn.Linear(widths[-1], styles) if head == "category" else None
        self.projection = nn.Linear(styles, widths[-1], bias=False) if head == "projection" else None
        initialise(self, "xavier" if spectral_norm else "normal")
        if spectral_norm:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.utils.parametrizations.spectral_norm(module)

    def forward(self, source: Tensor, glyph: Tensor, style: Tensor) -> DiscriminatorOutput:
        maps = collect_features(self.trunk, torch.cat([source, glyph], dim=1))
        features = maps[-1]
        logits = self.to_logits(features)
        if self.projection is not None:
            row = self.projection(style)[:, :, None, None]
            logits = logits + (features * row).mean(dim=1, keepdim=True)
        class_logits = None if self.to_class_logits is None else self.to_class_logits(features.mean(dim=(2, 3))).float()
        return DiscriminatorOutput(logits.float(), class_logits, maps)


class Zi2ziDiscriminator(nn.Module):
    """Patch logits and a category head over batch-normalised 5x5 layers, the discriminator of zi2zi.

    The original flattens its last map, which ties it to one image size; here the logits stay patches and
    the category head reads the mean over places, so any size works.

    Source: Tian 2017, github.com/kaonashi-tyc/zi2zi.
    """

    def __init__(self, styles: int, *, ndf: int = 64):
        super().__init__()
        trunk: list[nn.Module] = [nn.Conv2d(2, ndf, 5, stride=2, padding=2), nn.LeakyReLU(0.2)]
        for channels, stride in ((ndf, 2), (2 * ndf, 2), (4 * ndf, 1)):
            conv = nn.Conv2d(channels, 2 * channels, 5, stride, padding=2, bias=False)
            trunk += [conv, nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*trunk)
        self.to_logits = nn.Conv2d(8 * ndf, 1, 1)
        self.to_class_logits = nn.Linear(8 * ndf, styles)
        initialise(self, "normal")

    def forward(self, source: Tensor, glyph: Tensor, style: Tensor) -> DiscriminatorOutput:
        maps = collect_features(self.trunk, torch.cat([source, glyph], dim=1))
        class_logits = self.to_class_logits(maps[-1].mean(dim=(2, 3))).float()
        return DiscriminatorOutput(self.to_logits(maps[-1]).float(), class_logits, maps)


def collect_features(trunk: nn.Sequential, x: Tensor) -> tuple[Tensor, ...]:
    """The maps after each activation of a trunk that ends in one."""
    maps = []
    for layer in trunk:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            maps.append(x)
    return tuple(maps)
