"""The up path: which block goes up at each level, and that block: resize, norm, fusion, refine.

Level k is the step from the map of level k to that of level k - 1: level 1 draws the glyph, level ``depth`` leaves the
innermost map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from fontgan.models.fusion import align_to
from fontgan.models.layers import MakeLayer, check_at_least
from fontgan.models.resize import SameSizeConv


class UpBlock(nn.Module):
    """One level up: activation, resize, norm, dropout, fusion with the skip, refine.

    Shape: (B, in_channels, h, w) and skip (B, skip_channels, H, W) -> (B, out_channels, H, W),
           with H and W twice h and w, give or take the pixel that an odd size loses on its way down.
    Source: the order of activation, convolution and norm is pix2pix's (Isola et al. 2017, arXiv:1611.07004).

    Args:
        stride: 2, or 1 where the encoder has kept the size: then a 3x3 convolution takes the place of the resize.
    """

    def __init__(
        self, in_channels: int, skip_channels: int, parts: UpPath, *, norm: MakeLayer, dropout: float, stride: int
    ):
        super().__init__()
        self.activation = nn.ReLU()
        self.resize = (parts.resize if stride == 2 else SameSizeConv)(in_channels, skip_channels)
        self.norm = norm(skip_channels)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.fusion = parts.fusion(skip_channels, skip_channels)
        self.refine = parts.refine(self.fusion.out_channels, skip_channels)
        self.out_channels: int = self.refine.out_channels  # type: ignore[assignment]

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = align_to(self.resize(self.activation(x)), *skip.shape[-2:])
        return self.refine(self.fusion(self.dropout(self.norm(up)), skip))


class OutputHead(nn.Module):
    """The outermost step up, which has no skip to join: activation and resize to the glyph itself.

    Shape: (B, in_channels, h, w) and the source (B, 1, H, W), of which only the size is used -> (B, 1, H, W).

    Args:
        head_channels: 0 resizes straight to the glyph as pix2pix does; above 0 the resize gives
            that many channels and a 3x3 convolution at full size draws the glyph from them.
    Raises: ValueError if ``head_channels`` is below 0.
    """

    out_channels = 1

    def __init__(self, in_channels: int, resize: Callable[..., nn.Module], *, head_channels: int):
        check_at_least("head_channels", head_channels, 0)
        super().__init__()
        self.activation = nn.ReLU()
        self.resize = resize(in_channels, head_channels or 1, bias=True)
        draw = [nn.ReLU(), nn.Conv2d(head_channels, 1, 3, padding=1)] if head_channels else []
        self.head = nn.Sequential(*draw)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        return self.head(align_to(self.resize(self.activation(x)), *source.shape[-2:]))


@dataclass
class UpPath:
    """A preset of ``generator/up=``: the same three parts at every level, each a callable as its module's contract says."""

    resize: Callable[..., nn.Module]
    fusion: Callable[..., nn.Module]
    refine: Callable[..., nn.Module]

    def named_levels(self) -> dict[str, list[int]]:
        """The levels that its settings name, by key of ``generator``."""
        return {}

    def at(self, level: int) -> UpPath:
        """The preset that makes the block of a level."""
        return self


class HybridUpPath:
    """A preset for each level, with the methods of ``UpPath``.

    Args:
        inner, outer: presets of the levels from ``switch`` inwards, and of those outside it.
        switch: the first inner level; 1 makes all of them inner.
        levels: exceptions, level -> preset.
    """

    def __init__(self, inner: UpPath, outer: UpPath, *, switch: int, levels: Mapping[str, UpPath] | None = None):
        self.levels = {int(level): preset for level, preset in (levels or {}).items()}
        self.inner, self.outer, self.switch = inner, outer, switch

    def named_levels(self) -> dict[str, list[int]]:
        return {"up.switch": [self.switch], "up.levels": list(self.levels)}

    def at(self, level: int) -> UpPath:
        return self.levels.get(level, self.inner if level >= self.switch else self.outer)
