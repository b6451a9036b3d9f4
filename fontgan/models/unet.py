"""The generator: a U-Net made of blocks that each hold the next one inside.

Images are (B, 1, H, W) with -1 ink and +1 paper.  B is the batch, C channels, H and W pixels.
A map of level k has H / 2**k rows; level 0 is the image, level ``depth`` the innermost map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from fontgan.models.attention import SelfAttention
from fontgan.models.init import initialise
from fontgan.models.up import UpPath

Role = Literal["outer", "middle", "inner"]


class UnetSkipConnectionBlock(nn.Module):
    """One level of the U-Net: down, what lies inside, up again beside its own skip.

    outer:  convolution down, the block inside, up to the glyph; no skip.
    middle: activation, convolution down, norm, the block inside, up with the skip.
    inner:  activation, convolution down, style conditioning, up with the skip.

    Shape:  (B, outer_channels, H, W) -> (B, block.out_channels, H, W).
    Source: Isola et al. 2017 (pix2pix), arXiv:1611.07004; style at the innermost map after zi2zi.
    """

    def __init__(
        self,
        outer_channels: int,
        inner_channels: int,
        *,
        role: Role,
        inside: nn.Module,
        up: Callable[[int], nn.Module],
        norm: Callable[[int], nn.Module],
        attention: bool = False,
    ):
        """
        Args:
            inside: the next block, or for ``role="inner"`` the style conditioning; has ``out_channels``.
            up: channels that come out of ``inside`` -> the block that goes up again.
        """
        super().__init__()
        self.role = role
        with_norm = role == "middle"
        down: list[nn.Module] = [] if role == "outer" else [nn.LeakyReLU(0.2)]
        down.append(nn.Conv2d(outer_channels, inner_channels, 4, stride=2, padding=1, bias=not with_norm))
        if with_norm:
            down.append(norm(inner_channels))
        if attention:
            down.append(SelfAttention(inner_channels))
        self.down = nn.Sequential(*down)
        self.inside = inside
        self.up = up(inside.out_channels)  # type: ignore[arg-type]
        self.out_channels: int = getattr(self.up, "out_channels", outer_channels)

    def encode(self, x: Tensor) -> Tensor:
        """(B, outer_channels, H, W) -> the innermost map, before any style."""
        down = self.down(x)
        return down if self.role == "inner" else self.inside.encode(down)  # type: ignore[operator]

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        inside = self.inside(self.down(x), style)
        if self.role == "outer":
            return self.up(inside, *x.shape[-2:])
        return self.up(inside, x)


class UnetGenerator(nn.Module):
    """Draws a source glyph in a style.

    Shape: source (B, 1, H, W) and style weights (B, styles) -> ink logits (B, 1, H, W), float32.
           ``image_from_logits`` turns them into an image, -1 ink .. +1 paper.

    Args:
        styles: how many styles the model knows.
        up: makes the up-path blocks, see ``fontgan.models.up.UpPath``.
        style: conditioning of the innermost map as a callable (channels, styles).
        norm: channels -> normalisation layer.
        ngf: channels of level 1; they double each level up to 8 * ngf.
        depth: how often the map is halved; an image needs at least 2**depth pixels a side.
        dropout: probability 0 to 1, in the up path's middle levels of full width (8 * ngf), as in pix2pix.
        attention_levels: levels (1 to depth) whose encoder map gets self-attention.
        head_channels: see ``LastUp``.
        init: a scheme of ``fontgan.models.init``.

    Raises: ValueError where ``depth``, ``dropout`` or ``attention_levels`` are out of range.
    """

    def __init__(
        self,
        *,
        styles: int,
        up: UpPath,
        style: Callable[..., nn.Module],
        norm: Callable[[int], nn.Module],
        ngf: int = 64,
        depth: int = 8,
        dropout: float = 0.0,
        attention_levels: Sequence[int] = (),
        head_channels: int = 0,
        init: str = "normal",
    ):
        super().__init__()
        if depth < 2:
            raise ValueError(f"generator.depth={depth}: the U-Net needs an outer and an inner level, at least 2.")
        if ngf < 1:
            raise ValueError(f"generator.ngf={ngf}: at least 1 channel is needed.")
        if not 0 <= dropout < 1:
            raise ValueError(f"generator.dropout={dropout}: a probability from 0 to below 1 is needed.")
        if head_channels < 0:
            raise ValueError(f"generator.head_channels={head_channels}: 0 or more channels are needed.")
        beyond = [level for level in attention_levels if not 1 <= level <= depth]
        if beyond:
            raise ValueError(f"generator.attention_levels={beyond}: levels go from 1 to generator.depth={depth}.")
        self.styles = styles
        self.depth = depth
        widths = [1] + [ngf * min(2**level, 8) for level in range(depth)]  # channels of level 0 .. depth

        inside = style(widths[depth], styles)
        for level in range(depth, 1, -1):
            full_width = widths[level] == widths[level - 1] and level < depth
            inside = UnetSkipConnectionBlock(
                widths[level - 1],
                widths[level],
                role="inner" if level == depth else "middle",
                inside=inside,
                up=partial(
                    up.block, skip_channels=widths[level - 1], norm=norm, dropout=dropout if full_width else 0.0
                ),
                norm=norm,
                attention=level in attention_levels,
            )
        self.unet = UnetSkipConnectionBlock(
            widths[0],
            widths[1],
            role="outer",
            inside=inside,
            up=partial(up.last, out_channels=1, head_channels=head_channels),
            norm=norm,
            attention=1 in attention_levels,
        )
        initialise(self, init)

    def encode(self, source: Tensor) -> Tensor:
        """(B, 1, H, W) -> the innermost map (B, C, H / 2**depth, W / 2**depth), before any style."""
        return self.unet.encode(source)

    def forward(self, source: Tensor, style: Tensor) -> Tensor:
        return self.unet(source, style).float()


def image_from_logits(logits: Tensor) -> Tensor:
    """Ink logits -> image from -1 (ink) to +1 (paper): 1 - 2 * sigmoid(logits)."""
    return torch.tanh(-0.5 * logits)
