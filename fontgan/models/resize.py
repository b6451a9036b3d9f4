"""Part one of an up-path block: twice the map.

Contract of every class here: ``Resize(in_channels, out_channels, **options)`` maps
(B, in_channels, H, W) -> (B, out_channels, 2H, 2W), for any H, W >= 1.
B is the batch, C channels, H and W the height and width of a map in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DeconvResize(nn.Module):
    """Transposed convolution, the classic of pix2pix and zi2zi.

    A kernel that the stride of 2 does not divide covers output pixels unequally and draws a
    checkerboard (Odena et al. 2016, doi:10.23915/distill.00003), so it is refused.

    Raises: ValueError if ``kernel`` is odd or below 2.
    Source: Isola et al. 2017, arXiv:1611.07004 (kernel 4, stride 2, padding 1).
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 4, bias: bool = False):
        super().__init__()
        if kernel < 2 or kernel % 2:
            raise ValueError(
                f"generator.up.resize.kernel={kernel}: a deconvolution of stride 2 needs an even kernel "
                "(an odd one covers neighbouring pixels unequally and draws a checkerboard). Use 2, 4 or 6."
            )
        self.deconv = nn.ConvTranspose2d(in_channels, out_channels, kernel, 2, kernel // 2 - 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.deconv(x)


class InterpolateConvResize(nn.Module):
    """Interpolation first, then a convolution: no pixel is covered more often than its neighbour.

    Raises: ValueError if ``mode`` is unknown or ``kernel`` is even.
    Source: Odena et al. 2016, doi:10.23915/distill.00003.
    """

    MODES = ("bilinear", "bicubic", "nearest")

    def __init__(
        self, in_channels: int, out_channels: int, *, mode: str = "bilinear", kernel: int = 3, bias: bool = False
    ):
        super().__init__()
        if mode not in self.MODES:
            raise ValueError(f"generator.up.resize.mode={mode}: choose one of {', '.join(self.MODES)}.")
        if kernel % 2 == 0:
            raise ValueError(f"generator.up.resize.kernel={kernel}: an odd kernel is needed to keep the size.")
        self.mode = mode
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "nearest":
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        else:
            x = F.interpolate(x, scale_factor=2, mode=self.mode, align_corners=False)
        return self.conv(x)


class SubpixelResize(nn.Module):
    """Moves channels into space, so every output pixel is covered equally by the kernel.

    Starts as nearest-neighbour upsampling (ICNR): the four channels that become one 2x2 patch begin
    with the same weights, so an untrained block draws no checkerboard.

    Source: Shi et al. 2016, arXiv:1609.05158; initialisation Aitken et al. 2017, arXiv:1707.02937.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, icnr: bool = True, bias: bool = False):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"generator.up.resize.kernel={kernel}: an odd kernel is needed to keep the size.")
        self.icnr = icnr
        self.conv = nn.Conv2d(in_channels, 4 * out_channels, kernel, padding=kernel // 2, bias=bias)
        self.shuffle = nn.PixelShuffle(2)
        self.own_initialisation()

    def own_initialisation(self) -> None:
        """Called again after any global initialisation, which would otherwise undo ICNR."""
        if self.icnr:
            repeat_filters_for_shuffle(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.conv(x))


class ConvOnlyResize(nn.Module):
    """Convolution, GELU, pixel shuffle, convolution: all learned, nothing interpolated.

    Source: the pixel-shuffle upsampler of EDSR (Lim et al. 2017, arXiv:1707.02921) with GELU
    (Hendrycks & Gimpel 2016, arXiv:1606.08415) between and a convolution after the shuffle.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, icnr: bool = True, bias: bool = False):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"generator.up.resize.kernel={kernel}: an odd kernel is needed to keep the size.")
        self.icnr = icnr
        self.expand = nn.Conv2d(in_channels, 4 * out_channels, kernel, padding=kernel // 2, bias=bias)
        self.shuffle = nn.PixelShuffle(2)
        self.smooth = nn.Conv2d(out_channels, out_channels, kernel, padding=kernel // 2, bias=bias)
        self.own_initialisation()

    def own_initialisation(self) -> None:
        """Called again after any global initialisation, which would otherwise undo ICNR."""
        if self.icnr:
            repeat_filters_for_shuffle(self.expand)

    def forward(self, x: Tensor) -> Tensor:
        return self.smooth(self.shuffle(F.gelu(self.expand(x))))


@torch.no_grad()
def repeat_filters_for_shuffle(conv: nn.Conv2d, scale: int = 2) -> None:
    """ICNR: makes the scale*scale filters behind each shuffled channel equal, in place.

    It keeps the first filter of each group, so the scale of the initialisation that drew them stays.
    Source: Aitken et al. 2017, arXiv:1707.02937.
    """
    conv.weight.copy_(conv.weight[:: scale * scale].repeat_interleave(scale * scale, dim=0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[:: scale * scale].repeat_interleave(scale * scale, dim=0))
