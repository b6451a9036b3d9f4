"""Self-attention over the places of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """x + gain * attention(norm(x)): every place of the map looks at every other.

    The gain starts at 0, so the block begins as the identity and learns how much to add.

    Shape:  (B, C, H, W) -> (B, C, H, W); cost grows with (H * W) squared.
    Source: Zhang et al. 2019 (SAGAN), arXiv:1805.08318.
    """

    def __init__(self, channels: int, *, head_channels: int = 32):
        super().__init__()
        self.heads = max(1, channels // head_channels)
        while channels % self.heads:
            self.heads -= 1
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        # (B, 3C, H, W) -> three of (B, heads, H*W, C / heads)
        q, k, v = (
            self.qkv(self.norm(x))
            .reshape(batch, 3, self.heads, channels // self.heads, height * width)
            .transpose(-1, -2)
            .unbind(1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(batch, channels, height, width)
        return x + self.gain * self.project(mixed)
