"""A small network that has learned to read glyphs: its features stand for what a person would notice.

It is trained by ``python -m fontgan.training.train_glyph_encoder`` and its weights come with the package, so that measuring
needs no download.  Distances on it are called ``glyph_perceptual`` and ``glyph_frechet``: they are neither LPIPS nor
FID, whose networks have seen photographs.

There are two sets of weights: one measures, the other is for ``loss.perceptual``.  A generator trained on the
measuring one would learn to please it, and score better than it draws.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
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
        for before, width in pairwise((1, *WIDTHS)):
            convs = (nn.Conv2d(channels, width, 3, padding=1, bias=False) for channels in (before, width))
            self.stages.append(nn.Sequential(*(nn.Sequential(c, nn.BatchNorm2d(width), nn.ReLU()) for c in convs)))
        self.embed = nn.Linear(WIDTHS[-1], EMBEDDING)

    def features(self, ink: Tensor) -> list[Tensor]:
        """Feature maps of the four stages, the finest first; ink of another size is brought to ``SIDE``."""
        if ink.shape[-2:] != (SIDE, SIDE):
            ink = F.interpolate(ink, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        maps: list[Tensor] = []
        for stage in self.stages:
            maps.append(stage(F.avg_pool2d(maps[-1], 2) if maps else ink))
        return maps

    def forward(self, ink: Tensor) -> Tensor:
        """The embedding, (N, 64)."""
        return self.embed(self.features(ink)[-1].mean(dim=(2, 3)))


@cache
def glyph_encoder(weights: Path = WEIGHTS, device: torch.device | str = "cpu") -> GlyphEncoder:
    """A frozen encoder: the one that measures, or with ``LOSS_WEIGHTS`` the one that ``loss.perceptual`` trains on."""
    # Drawing weights only to replace them would move the random state, which a resumed training must find unmoved.
    with torch.device("meta"):
        encoder = GlyphEncoder()
    encoder.load_state_dict(load_file(weights), strict=True, assign=True)
    return encoder.eval().requires_grad_(False).to(device)


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
    differences = (F.normalize(a, dim=1) - F.normalize(b, dim=1) for a, b in zip(drawn, truth, strict=True))
    return torch.stack([difference.square().sum(1).mean(dim=(1, 2)) for difference in differences]).mean(0)


@torch.inference_mode()
def embeddings(ink: Tensor) -> Tensor:
    """(N, 1, H, W) ink -> (N, 64)."""
    return glyph_encoder()(ink)
