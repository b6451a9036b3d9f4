"""Part two of an up-path block: joins the upsampled map and the encoder's skip.

Contract of every class here: ``Fusion(up_channels, skip_channels)`` maps
(B, up_channels, H, W) and (B, skip_channels, H, W) -> (B, fusion.out_channels, H, W).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.models.layers import check_at_least, match_channels


def align_to(x: Tensor, height: int, width: int) -> Tensor:
    """Crops or edge-pads the bottom and right of (B, C, H, W) to the given size.

    The one place where maps that differ by a pixel (odd sizes halve downwards) are made to meet.
    Bottom and right, because a stride-2 convolution drops exactly that last row and column.
    """
    x = x[..., :height, :width]
    missing = (0, width - x.shape[-1], 0, height - x.shape[-2])
    return F.pad(x, missing, mode="replicate") if any(missing) else x


class ConcatFusion(nn.Module):
    """Stacks the skip on the upsampled map. Source: Ronneberger et al. 2015, arXiv:1505.04597."""

    def __init__(self, up_channels: int, skip_channels: int):
        super().__init__()
        self.out_channels = skip_channels + up_channels

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([skip, up], dim=1)


class NoFusion(nn.Module):
    """Leaves the skip out: the glyph is drawn from the innermost map alone, to see what skips are worth."""

    def __init__(self, up_channels: int, skip_channels: int):
        super().__init__()
        self.out_channels = up_channels

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        return up


class AddFusion(nn.Module):
    """Adds the skip; projects it first where channels differ. Source: LinkNet, arXiv:1707.03718."""

    def __init__(self, up_channels: int, skip_channels: int):
        super().__init__()
        self.out_channels = up_channels
        self.project = match_channels(skip_channels, up_channels)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        return up + self.project(skip)


class GatedFusion(nn.Module):
    """gate * up + (1 - gate) * skip, with a gate per pixel and channel read from both maps.

    The gate's bias starts at 0, so both maps begin with an equal say.
    Source: highway networks' coupled gate, Srivastava et al. 2015, arXiv:1505.00387.
    """

    def __init__(self, up_channels: int, skip_channels: int):
        super().__init__()
        self.out_channels = up_channels
        self.project = match_channels(skip_channels, up_channels)
        self.gate = nn.Conv2d(2 * up_channels, up_channels, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """Called again after any global initialisation."""
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        skip = self.project(skip)
        gate = torch.sigmoid(self.gate(torch.cat([up, skip], dim=1)))
        return gate * up + (1 - gate) * skip


class AttentionFusion(nn.Module):
    """Stacks the skip, each of its places weighted from 0 to 1, on the upsampled map.

    The weight is read from both maps by an additive attention gate.  The paper's gate works on the coarser map and is
    interpolated; here both maps have the same size already.

    Source: Oktay et al. 2018 (Attention U-Net), arXiv:1804.03999.

    Args:
        reduction: how many times fewer channels than the skip's the gate compares the maps in, 1 or more.
    """

    def __init__(self, up_channels: int, skip_channels: int, *, reduction: int = 2):
        check_at_least("reduction", reduction)
        super().__init__()
        self.out_channels = skip_channels + up_channels
        between = max(1, skip_channels // reduction)
        self.from_up = nn.Conv2d(up_channels, between, 1)
        self.from_skip = nn.Conv2d(skip_channels, between, 1, bias=False)
        self.weight = nn.Conv2d(between, 1, 1)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        weight = torch.sigmoid(self.weight(F.relu(self.from_up(up) + self.from_skip(skip))))
        return torch.cat([weight * skip, up], dim=1)
