"""Part three of an up-path block: works on the joined map.

Contract of every class here: ``Refine(in_channels, out_channels, **options)`` maps
(B, in_channels, H, W) -> (B, refine.out_channels, H, W).  ``out_channels`` is what the U-Net asks for;
``NoRefine`` alone answers with ``in_channels``, because it has nothing to change them with.
"""

from __future__ import annotations

from torch import Tensor, nn

from fontgan.models.fusion import match_channels


class NoRefine(nn.Module):
    """Leaves the joined map as it is, like the classic U-Net."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        return x


class ResSkip(nn.Module):
    """A residual refinement: body(x) + skip(x), the skip projected by 1x1 where channels differ.

    depthwise: 3x3 depthwise convolution, 1x1 pointwise, InstanceNorm (if ``norm``), SiLU.
    standard:  3x3 convolution, SiLU, 3x3 convolution, InstanceNorm (if ``norm``).

    Raises: ValueError if ``mode`` is unknown.
    Source: He et al. 2015, arXiv:1512.03385 (residual); Howard et al. 2017, arXiv:1704.04861 (depthwise).
    """

    MODES = ("depthwise", "standard")

    def __init__(self, in_channels: int, out_channels: int, *, mode: str, norm: bool = True):
        super().__init__()
        self.out_channels = out_channels
        last_norm: list[nn.Module] = [nn.InstanceNorm2d(out_channels, affine=True)] if norm else []
        if mode == "depthwise":
            self.body = nn.Sequential(
                nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
                nn.Conv2d(in_channels, out_channels, 1, bias=not norm),
                *last_norm,
                nn.SiLU(),
            )
        elif mode == "standard":
            self.body = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=not norm),
                *last_norm,
            )
        else:
            raise ValueError(f"generator.up.refine.mode={mode}: choose one of {', '.join(self.MODES)}.")
        self.skip = match_channels(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.body(x)
