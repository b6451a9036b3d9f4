"""A small network that has learned to read glyphs: its features stand for what a person would notice.

It is trained by ``python -m fontgan.training.train_glyph_encoder`` and its weights come with the package, so that measuring
needs no download.  Distances on it are called ``glyph_perceptual`` and ``glyph_frechet``: they are neither LPIPS nor
FID, whose networks have seen photographs.

There are two sets of weights: one measures, the other is for ``loss.perceptual``.  A generator trained on the
measuring one would learn to please it, and score better than it draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).with_name("glyph_encoder.safetensors")
LOSS_WEIGHTS = Path(__file__).with_name("loss_encoder.safetensors")  # the same recipe with --seed 2
SIDE = 64  # px; other sizes are brought to it
WIDTHS = (16, 32, 64, 96)
EMBEDDING = 64


class GlyphEncoder(nn.Module):
    """Four stages of two 3x3 convolutions, each stage at half the side of the one before.

    Shape: ink (N, 1, H, W), 0 paper .. 1 ink -> feature maps (N, C_k, 64 / 2**k, 64 / 2**k), k = 0 .. 3,
           and the embedding (N, 64).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        channels = 1
        for width in WIDTHS:
            self.stages.append(nn.Sequential(_ConvNormAct(channels, width), _ConvNormAct(width, width)))
            channels = width
        self.embed = nn.Linear(channels, EMBEDDING)

    def features(self, ink: Tensor) -> list[Tensor]:
        """Feature maps of the four stages, the finest first."""
        x = to_side(ink)
        maps: list[Tensor] = []
        for stage in self.stages:
            if maps:
                x = F.avg_pool2d(x, 2)
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, ink: Tensor) -> Tensor:
        """The embedding, (N, 64)."""
        return self.embed(self.features(ink)[-1].mean(dim=(2, 3)))


class _ConvNormAct(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
        )


def to_side(ink: Tensor) -> Tensor:
    """Brings (N, 1, H, W) ink to the side the encoder was trained at."""
    if ink.shape[-2:] == (SIDE, SIDE):
        return ink
    return F.interpolate(ink, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


@cache
def glyph_encoder() -> GlyphEncoder:
    """The encoder that measures, with the weights that come with the package."""
    return load_encoder(WEIGHTS)


@cache
def loss_encoder(device: torch.device) -> GlyphEncoder:
    """The encoder that ``loss.perceptual`` trains on."""
    return load_encoder(LOSS_WEIGHTS).to(device)


def load_encoder(weights: Path) -> GlyphEncoder:
    """A frozen encoder on the CPU."""
    # Drawing weights only to replace them would move the random state, which a resumed training must find unmoved.
    with torch.device("meta"):
        encoder = GlyphEncoder()
    encoder.load_state_dict(load_file(weights), strict=True, assign=True)
    return encoder.eval().requires_grad_(False)


@torch.inference_mode()
def perceptual_distance(drawn: Tensor, truth: Tensor) -> Tensor:
    """How differently the encoder sees two glyphs: (N, 1, H, W) ink twice -> (N,), 0 for equal ones."""
    encoder = glyph_encoder()
    return feature_distance(encoder.features(drawn), encoder.features(truth))


def feature_distance(drawn: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Distance of two glyphs' feature maps, each (N, C_k, H_k, W_k) -> (N,).

    At each stage and place the feature vectors are scaled to length 1; the squared differences are averaged
    over places and stages.

    Source: the construction is that of LPIPS (Zhang et al. 2018, arXiv:1801.03924) without its learned channel weights.
    """
    distances = []
    for a, b in zip(drawn, truth, strict=True):
        difference = F.normalize(a, dim=1) - F.normalize(b, dim=1)
        distances.append(difference.square().sum(1).mean(dim=(1, 2)))
    return torch.stack(distances).mean(0)


@torch.inference_mode()
def embeddings(ink: Tensor) -> Tensor:
    """(N, 1, H, W) ink -> (N, 64)."""
    return glyph_encoder()(ink)
