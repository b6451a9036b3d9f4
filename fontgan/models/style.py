"""Style conditioning of the innermost map.

Contract of every class here: ``Style(channels, styles, **options)`` maps a map (B, channels, H, W) and
style weights (B, styles) -> (B, style.out_channels, H, W).  A row of weights is one-hot for a pure style;
any other row is a mixture, because each class reads the weights through a linear table of embeddings.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StyleTable(nn.Module):
    """Style weights (B, styles) -> embedding (B, dim): one learned row a style, mixed linearly."""

    def __init__(self, styles: int, dim: int):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(styles, dim))

    def forward(self, weights: Tensor) -> Tensor:
        return weights @ self.rows


class ConcatStyle(nn.Module):
    """Spreads the embedding over the map and stacks it on the channels.

    Source: the category embedding of zi2zi (Tian 2017, github.com/kaonashi-tyc/zi2zi).
    """

    def __init__(self, channels: int, styles: int, *, dim: int = 128):
        super().__init__()
        self.table = StyleTable(styles, dim)
        self.out_channels = channels + dim

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        embedding = self.table(weights).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return torch.cat([x, embedding], dim=1)


class FilmStyle(nn.Module):
    """x * (1 + scale) + shift, both read from the embedding; starts near the identity.

    Source: Perez et al. 2018 (FiLM), arXiv:1709.07871.
    """

    def __init__(self, channels: int, styles: int, *, dim: int = 128):
        super().__init__()
        self.table = StyleTable(styles, dim)
        self.affine = nn.Linear(dim, 2 * channels)
        self.out_channels = channels

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        scale, shift = self.affine(self.table(weights)).to(x.dtype)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


class AdainStyle(FilmStyle):
    """Takes the map's own mean and spread away and gives it those of the style: FiLM of a normalised map.

    Statistics go over the places of each channel. A map of one pixel has none (every value would become
    0 and the glyph be lost), so there they go over the channels instead.

    Source: Huang & Belongie 2017, arXiv:1703.06868.
    """

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        one_pixel = x.shape[-2] * x.shape[-1] == 1
        return super().forward(F.layer_norm(x, x.shape[1:]) if one_pixel else F.instance_norm(x), weights)


class NoStyle(nn.Module):
    """Leaves the map alone: for one target style, or to see what conditioning is worth."""

    def __init__(self, channels: int, styles: int):
        super().__init__()
        self.out_channels = channels

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x
