"""Attention over the places of a map: at chosen encoder levels, and as a transformer on the innermost map.

Contract of the attentions: ``Attention(channels, **options)`` maps (B, channels, H, W) -> the same shape and begins
as the identity.  B is the batch, C channels, H and W the height and width of a map in pixels.  A number below 1 raises
ValueError.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.models.layers import check_at_least


class SelfAttention(nn.Module):
    """x + gain * attention(norm(x)): every place of the map looks at every other; the gain starts at 0.

    Shape:  (B, C, H, W) -> (B, C, H, W); cost grows with (H * W) squared.
    Source: Zhang et al. 2019 (SAGAN), arXiv:1805.08318.
    """

    def __init__(self, channels: int, *, head_channels: int = 32):
        super().__init__()
        self.heads = heads_for(channels, head_channels)
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        # (B, 3C, H, W) -> three of (B, heads, H*W, C / heads)
        qkv = self.qkv(self.norm(x)).reshape(x.shape[0], 3, self.heads, x.shape[1] // self.heads, -1)
        mixed = self.attend(*qkv.transpose(-1, -2).unbind(1)).transpose(-1, -2).reshape(x.shape)
        return x + self.gain * self.project(mixed)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, heads, places, channels a head) three times -> the same shape."""
        return F.scaled_dot_product_attention(q, k, v)


class LinearAttention(SelfAttention):
    """Attention whose cost grows with H * W: a product of feature maps stands in for the softmax.

    With phi(x) = elu(x) + 1 every place gets phi(q) (sum of phi(k) v) / phi(q) (sum of phi(k)).

    Source: Katharopoulos et al. 2020, arXiv:2006.16236.
    """

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        # In full precision: the sums run over all places of the map.
        q, k, v32 = F.elu(q.float()) + 1, F.elu(k.float()) + 1, v.float()
        with torch.autocast("cpu" if q.is_meta else q.device.type, enabled=False):  # operations are counted on meta
            mixed = q @ (k.transpose(-1, -2) @ v32)
            total = q @ k.sum(dim=-2).unsqueeze(-1)
        return (mixed / total).to(v.dtype)


class NoTransformer(nn.Identity):
    """Leaves the innermost map as it is."""

    def __init__(self, channels: int):
        super().__init__()


class Transformer(nn.Module):
    """Transformer blocks over the places of the innermost map, where they are few.

    A 3x3 depthwise convolution tells where a place is, so that any size works.

    Shape:  (B, C, H, W) -> (B, C, H, W).
    Source: Vaswani et al. 2017, arXiv:1706.03762, in the pre-norm form of Dosovitskiy et al. 2020 (ViT),
        arXiv:2010.11929; positions after Chu et al. 2021, arXiv:2102.10882.
    """

    def __init__(self, channels: int, *, blocks: int = 2, head_channels: int = 32, expansion: int = 4):
        check_at_least("blocks", blocks)
        check_at_least("expansion", expansion)
        super().__init__()
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.blocks = nn.Sequential(*(TransformerBlock(channels, head_channels, expansion) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.blocks((x + self.position(x)).flatten(2).transpose(1, 2))  # (B, places, C)
        return tokens.transpose(1, 2).reshape(x.shape)


class TransformerBlock(nn.Module):
    """Attention and a two-layer network, each on the normalised tokens and added to them: (B, places, C) -> same."""

    def __init__(self, channels: int, head_channels: int, expansion: int):
        super().__init__()
        self.heads = heads_for(channels, head_channels)
        self.norm_attention = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.norm_mlp = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, expansion * channels), nn.GELU(), nn.Linear(expansion * channels, channels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        batch, places, channels = tokens.shape
        # (B, places, 3C) -> three of (B, heads, places, C / heads)
        qkv = self.qkv(self.norm_attention(tokens)).view(batch, places, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, places, channels)
        tokens = tokens + self.project(mixed)
        return tokens + self.mlp(self.norm_mlp(tokens))


def heads_for(channels: int, head_channels: int) -> int:
    """How many heads of about ``head_channels`` divide the channels. Raises: ValueError if that is below 1."""
    check_at_least("head_channels", head_channels)
    return next(heads for heads in range(max(1, channels // head_channels), 0, -1) if channels % heads == 0)
