"""The up path: which block goes up at each level, and that block: resize, norm, fusion, refine.

Level k is the step from the map of level k to that of level k - 1: level 1 draws the glyph, level ``depth`` leaves the
innermost map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from fontgan.models.fusion import align_to
from fontgan.models.layers import check_at_least
from fontgan.models.resize import SameSizeConv


class UpBlock(nn.Module):
    """One level up: activation, resize, norm, dropout, fusion with the skip, refine.

    Shape: (B, in_channels, h, w) and skip (B, skip_channels, H, W) -> (B, out_channels, H, W),
           with H and W twice h and w, give or take the pixel that an odd size loses on its way down.
    Source: the order of activation, convolution and norm is pix2pix's (Isola et al. 2017, arXiv:1611.07004).

    Args:
        resize, fusion, refine: the three parts, each a callable as its module's contract says.
        norm: channels -> normalisation layer, put after the resize.
        dropout: probability of dropping a value after the norm, 0 to 1.
        stride: 2, or 1 where the encoder's convolution of this level has kept the size: then a 3x3 convolution
            takes the place of the resize.
    """

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        *,
        resize: Callable[..., nn.Module],
        fusion: Callable[..., nn.Module],
        refine: Callable[..., nn.Module],
        norm: Callable[[int], nn.Module],
        dropout: float = 0.0,
        stride: int = 2,
    ):
        super().__init__()
        self.activation = nn.ReLU()
        self.resize = (resize if stride == 2 else SameSizeConv)(in_channels, skip_channels)
        self.norm = norm(skip_channels)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.fusion = fusion(skip_channels, skip_channels)
        self.refine = refine(self.fusion.out_channels, skip_channels)
        self.out_channels: int = self.refine.out_channels  # type: ignore[assignment]

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = align_to(self.resize(self.activation(x)), *skip.shape[-2:])
        up = self.dropout(self.norm(up))
        return self.refine(self.fusion(up, skip))


class OutputHead(nn.Module):
    """The outermost step up, which has no skip to join: activation and resize to the glyph itself.

    Shape: (B, in_channels, h, w) and the source (B, 1, H, W), of which only the size is used -> (B, out_channels, H, W).

    Args:
        head_channels: 0 resizes straight to ``out_channels`` as pix2pix does; above 0 the resize gives
            that many channels and a 3x3 convolution at full size draws the glyph from them.
    Raises: ValueError if ``head_channels`` is below 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, resize: Callable[..., nn.Module], head_channels: int = 0
    ):
        check_at_least("head_channels", head_channels, 0)
        super().__init__()
        self.out_channels = out_channels
        self.activation = nn.ReLU()
        self.resize = resize(in_channels, head_channels or out_channels, bias=True)
        self.head: nn.Module = nn.Identity()
        if head_channels:
            self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(head_channels, out_channels, 3, padding=1))

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        return self.head(align_to(self.resize(self.activation(x)), *source.shape[-2:]))


class UpPath:
    """A preset of ``generator/up=``: the same three parts at every level."""

    def __init__(
        self,
        resize: Callable[..., nn.Module],
        fusion: Callable[..., nn.Module],
        refine: Callable[..., nn.Module],
    ):
        self.resize, self.fusion, self.refine = resize, fusion, refine

    def named_levels(self) -> dict[str, list[int]]:
        """The levels that its settings name, by key of ``generator``."""
        return {}

    def at(self, level: int) -> UpPath:
        """The preset that makes the block of a level."""
        return self

    def block(
        self,
        in_channels: int,
        skip_channels: int,
        *,
        norm: Callable[[int], nn.Module],
        dropout: float = 0.0,
        stride: int = 2,
    ) -> UpBlock:
        """The block that goes up from ``in_channels`` to the level of a skip of ``skip_channels``."""
        return UpBlock(
            in_channels,
            skip_channels,
            resize=self.resize,
            fusion=self.fusion,
            refine=self.refine,
            norm=norm,
            dropout=dropout,
            stride=stride,
        )

    def last(self, in_channels: int, out_channels: int, *, head_channels: int) -> OutputHead:
        """The outermost step, which draws the glyph."""
        return OutputHead(in_channels, out_channels, resize=self.resize, head_channels=head_channels)


class HybridUpPath:
    """A preset for each level.

    Args:
        inner: of the levels from ``switch`` inwards.
        outer: of the levels outside ``switch``.
        switch: the first inner level; 1 makes all of them inner.
        levels: exceptions, level -> preset.
    Raises: ValueError if ``switch`` or a level is below 1.
    """

    def __init__(self, inner: UpPath, outer: UpPath, *, switch: int, levels: Mapping[str, UpPath] | None = None):
        self.levels = {int(level): preset for level, preset in (levels or {}).items()}
        for key, level in (("switch", switch), *(("levels", level) for level in self.levels)):
            if level < 1:
                raise ValueError(f"{key}={level}: levels count from 1, the outermost.")
        self.inner, self.outer, self.switch = inner, outer, switch

    def named_levels(self) -> dict[str, list[int]]:
        """The levels that its settings name, by key of ``generator``."""
        return {"up.switch": [self.switch], "up.levels": list(self.levels)}

    def at(self, level: int) -> UpPath:
        """The preset that makes the block of a level."""
        return self.levels.get(level, self.inner if level >= self.switch else self.outer)
