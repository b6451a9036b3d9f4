"""Part one of an up-path block: twice the map.

Contract of every class here: ``Resize(in_channels, out_channels, **options)`` maps
(B, in_channels, H, W) -> (B, out_channels, 2H, 2W), for any H, W >= 1.  The outermost level asks for ``bias=True``.
An even ``kernel`` (but for ``DeconvResize``), a number below 1 or an unknown ``mode`` raises ValueError.

``last_conv`` names the convolution that a class ends with, for drawing folds a batch norm behind it into its weights
(``fontgan.models.fuse_bn``).  What follows it in the class may only treat all channels alike and keep a constant map
constant, as a pixel shuffle and a low-pass do, so that scale and shift pass through.  A class that names none, as those
that predict their weights, keeps its norm: the pictures are the same, drawn in one pass more.
B is the batch, C channels, H and W the height and width of a map in pixels.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.models.layers import LowPass, check_at_least, check_choice, check_odd, same_size_conv


class DeconvResize(nn.Sequential):
    """Transposed convolution, the classic of pix2pix and zi2zi.

    A kernel that the stride of 2 does not divide covers output pixels unequally and draws a
    checkerboard (Odena et al. 2016, doi:10.23915/distill.00003), so it is refused.

    Raises: ValueError if ``kernel`` is odd or below 2.
    Source: Isola et al. 2017, arXiv:1611.07004 (kernel 4, stride 2, padding 1).
    """

    last_conv = "deconv"

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 4, bias: bool = False):
        super().__init__()
        if kernel < 2 or kernel % 2:
            raise ValueError(
                f"kernel={kernel}: a deconvolution of stride 2 needs a kernel that 2 divides (any other covers "
                "neighbouring pixels unequally and draws a checkerboard). Use 2, 4 or 6."
            )
        self.deconv = nn.ConvTranspose2d(in_channels, out_channels, kernel, 2, kernel // 2 - 1, bias=bias)


class InterpolateConvResize(nn.Module):
    """Interpolation first, then a convolution: no pixel is covered more often than its neighbour.

    Source: Odena et al. 2016, doi:10.23915/distill.00003.
    """

    last_conv = "conv"
    MODES = ("bilinear", "bicubic", "nearest")

    def __init__(
        self, in_channels: int, out_channels: int, *, mode: str = "bilinear", kernel: int = 3, bias: bool = False
    ):
        check_choice("mode", mode, self.MODES)
        super().__init__()
        self.mode = mode
        self.conv = same_size_conv(in_channels, out_channels, kernel, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(enlarge(x, self.mode))


class ShuffleConv(nn.Conv2d):
    """The convolution before a pixel shuffle: (B, in_channels, H, W) -> (B, 4 * out_channels, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, icnr: bool, bias: bool):
        check_odd("kernel", kernel)
        super().__init__(in_channels, 4 * out_channels, kernel, padding=kernel // 2, bias=bias)
        self.icnr = icnr
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """ICNR (Aitken et al. 2017, arXiv:1707.02937): the four filters behind each shuffled channel begin equal.

        Called again after any global initialisation; it keeps the first of the four, and so the scale of what drew them.
        """
        for values in (self.weight, self.bias):
            if self.icnr and values is not None:
                values.copy_(values[::4].repeat_interleave(4, dim=0))


class SubpixelResize(nn.Sequential):
    """Moves channels into space, so every output pixel is covered equally by the kernel.

    Starts as nearest-neighbour upsampling (ICNR): the four channels that become one 2x2 patch begin
    with the same weights, so an untrained block draws no checkerboard.

    Source: Shi et al. 2016, arXiv:1609.05158; initialisation Aitken et al. 2017, arXiv:1707.02937.
    """

    last_conv = "conv"

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, icnr: bool = True, bias: bool = False):
        super().__init__()
        self.conv = ShuffleConv(in_channels, out_channels, kernel=kernel, icnr=icnr, bias=bias)
        self.shuffle = nn.PixelShuffle(2)


class BlurSubpixelResize(SubpixelResize):
    """Pixel shuffle, then a fixed low-pass of four taps, [1, 3, 3, 1] in both directions.

    The filter has a zero at the highest frequency, so that a checkerboard which training brings into the shuffled
    channels is taken out again; it moves the map by half a pixel, which the convolutions learn to undo.

    Source: Shi et al. 2016, arXiv:1609.05158, with ICNR, Aitken et al. 2017, arXiv:1707.02937; a low-pass after the
        shuffle after Sugawara et al. 2018, arXiv:1806.02658; the filter is StyleGAN2's, Karras et al. 2020,
        arXiv:1912.04958.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, icnr: bool = True, bias: bool = False):
        super().__init__(in_channels, out_channels, kernel=kernel, icnr=icnr, bias=bias)
        self.blur = LowPass((1, 3, 3, 1))


class ConvOnlyResize(nn.Module):
    """Convolution, GELU, pixel shuffle, convolution: all learned, nothing interpolated.

    Source: the pixel-shuffle upsampler of EDSR (Lim et al. 2017, arXiv:1707.02921) with GELU
    (Hendrycks & Gimpel 2016, arXiv:1606.08415) between and a convolution after the shuffle.

    Args:
        min_channels: of the maps between the convolutions, where fewer come out. Paper and ink of the one map that the
            last level draws cannot both get through the GELU of one channel: with 1, paper stays grey.
    """

    last_conv = "smooth"

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, icnr: bool = True, min_channels: int = 1,
        bias: bool = False,
    ):  # fmt: skip
        super().__init__()
        check_at_least("min_channels", min_channels)
        between = max(out_channels, min_channels)
        self.expand = ShuffleConv(in_channels, between, kernel=kernel, icnr=icnr, bias=bias)
        self.shuffle = nn.PixelShuffle(2)
        self.smooth = same_size_conv(between, out_channels, kernel, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.smooth(self.shuffle(F.gelu(self.expand(x))))


class CarafeResize(nn.Module):
    """Every new pixel is a weighted mean of the old ones around it, with weights read from what is there.

    The weights are predicted by a small convolutional network and sum to 1 (softmax), so the block begins without a
    grid and keeps a constant map constant.  A convolution to the wanted channels comes first, at the small size.

    Source: Wang et al. 2019 (CARAFE), arXiv:1905.02188.

    Args:
        kernel: of the convolution to the wanted channels.
        up_kernel: side in pixels of the neighbourhood that is averaged; odd too.
        compressed_channels: channels that the weights are predicted from.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, up_kernel: int = 5,
        compressed_channels: int = 64, bias: bool = False,
    ):  # fmt: skip
        check_odd("up_kernel", up_kernel)
        check_at_least("compressed_channels", compressed_channels)
        super().__init__()
        self.up_kernel = up_kernel
        self.conv = same_size_conv(in_channels, out_channels, kernel, bias=bias)
        self.compress = nn.Conv2d(in_channels, compressed_channels, 1)
        self.predict = nn.Conv2d(compressed_channels, 4 * up_kernel * up_kernel, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        predicted = self.predict(self.compress(x)).float()
        weights = predicted.view(batch, self.up_kernel**2, 1, 4, height, width).softmax(dim=1)
        values = self.conv(x)
        weights = weights.to(values.dtype)
        values = F.pad(values, 4 * (self.up_kernel // 2,), mode="replicate")
        # One neighbour after the other: unfolding all of them at once takes up_kernel**2 times the memory.
        mixed = values.new_zeros(())
        for place in range(self.up_kernel**2):
            row, column = divmod(place, self.up_kernel)
            mixed = mixed + weights[:, place] * values[:, :, None, row : row + height, column : column + width]
        return F.pixel_shuffle(mixed.flatten(1, 2), 2)


class DySampleResize(nn.Module):
    """Bilinear sampling at places that a 1x1 convolution moves, then a convolution.

    It begins as bilinear interpolation; the learned offsets let samples keep to one side of an edge.

    Source: Liu et al. 2023 (DySample, the "LP" form with a static scope of a quarter), arXiv:2308.15085.

    Args:
        kernel: of the convolution after the sampling.
        groups: channels that move together, in as many groups as the greatest common divisor of this and the channels.
    """

    last_conv = "conv"
    SCOPE = 0.25  # of an offset, in pixels of the small map
    OFFSET_SPREAD = 0.001  # of the offsets' first weights

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, groups: int = 4, bias: bool = False):
        check_at_least("groups", groups)
        super().__init__()
        self.groups = math.gcd(groups, in_channels)
        self.offset = nn.Conv2d(in_channels, 8 * self.groups, 1)
        self.conv = same_size_conv(in_channels, out_channels, kernel, bias=bias)
        self.init_weights()

    def init_weights(self) -> None:
        """Called again after any global initialisation, which would otherwise scatter the samples."""
        nn.init.normal_(self.offset.weight, 0.0, self.OFFSET_SPREAD)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        # In full precision: bf16 has no place for a quarter of a pixel beyond the 64th.
        offset = F.pixel_shuffle(self.SCOPE * self.offset(x).float(), 2)
        offset = offset.reshape(batch * self.groups, 2, 2 * height, 2 * width)
        # Where the new pixels' centres lie, in pixels of the small map from its edge.
        columns, rows = (
            (torch.arange(2 * side, device=x.device, dtype=torch.float32) + 0.5) / 2 for side in (width, height)
        )
        # grid_sample counts -1 .. 1 from edge to edge.
        across = 2 * (columns[None, None, :] + offset[:, 0]) / width - 1
        down = 2 * (rows[None, :, None] + offset[:, 1]) / height - 1
        grouped, places = x.float().reshape(batch * self.groups, -1, height, width), torch.stack([across, down], dim=-1)
        sampled = F.grid_sample(grouped, places, mode="bilinear", padding_mode="border", align_corners=False)
        return self.conv(sampled.reshape(batch, channels, 2 * height, 2 * width).to(x.dtype))


class MetaResize(nn.Module):
    """Convolution kernels for each of the four sub-pixel places, predicted from where the place lies.

    The kernels of neighbouring places come from one small network instead of being learned apart.  Meta-SR predicts
    full kernels, which it can for 64 channels; at a U-Net's 512 the predictor alone would have 600 million weights.
    So here a 1x1 convolution mixes the channels, at the small size, and the predicted kernels are depthwise.

    Source: Hu et al. 2019 (Meta-SR), arXiv:1903.00875.

    Args:
        kernel: side of the predicted kernels.
        hidden: width of the predicting network.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, hidden: int = 64, bias: bool = False):
        check_odd("kernel", kernel)
        check_at_least("hidden", hidden)
        super().__init__()
        self.kernel = kernel
        self.mix = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.predict = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, out_channels * kernel**2))
        # Where the four new pixels lie from the old one's centre, in the order of pixel_shuffle.
        places = [[row, column] for row in (-0.25, 0.25) for column in (-0.25, 0.25)]
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.init_weights()

    def init_weights(self) -> None:
        """Begins near nearest-neighbour upsampling, as ICNR does: the same kernel everywhere, 1 in its middle."""
        first, last = self.predict[0], self.predict[2]
        nn.init.kaiming_uniform_(first.weight, a=5**0.5)  # type: ignore[arg-type]
        nn.init.uniform_(first.bias, -0.5, 0.5)  # type: ignore[arg-type]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            last.bias[self.kernel**2 // 2 :: self.kernel**2] = 1  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x)
        channels, side = x.shape[1], self.kernel
        # Each channel gives four, one a place, side by side as pixel_shuffle wants them.
        kernels = self.predict(self.places).view(4, channels, side, side).transpose(0, 1)
        x = F.pad(x, 4 * (side // 2,), mode="replicate")
        return F.pixel_shuffle(F.conv2d(x, kernels.reshape(4 * channels, 1, side, side), groups=channels), 2)


class SameSizeConv(nn.Sequential):
    """In place of a resize at an innermost level of stride 1: (B, in_channels, H, W) -> (B, out_channels, H, W)."""

    last_conv = "conv"

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)


def enlarge(x: Tensor, mode: str) -> Tensor:
    """Twice the map by interpolation: bilinear, bicubic or nearest."""
    return F.interpolate(x, scale_factor=2, mode=mode, align_corners=None if mode == "nearest" else False)
