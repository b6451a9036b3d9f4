"""Small layers that several blocks are made of; B, C, H, W: batch, channels, height and width of a map in pixels."""

from collections.abc import Callable, Collection
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.models.norm import group_norm

MakeLayer = Callable[[int], nn.Module]  # channels -> layer

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": partial(nn.LeakyReLU, 0.2),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "none": nn.Identity,
}
NORMS: dict[str, MakeLayer] = {
    "instance": partial(nn.InstanceNorm2d, affine=True),
    "batch": nn.BatchNorm2d,
    "group": group_norm,
    "none": lambda channels: nn.Identity(),
}


class ConvNormAct(nn.Sequential):
    """Convolution that keeps the size, normalisation, activation; a bias only where no norm takes it away again.

    Shape:  (B, in_channels, H, W) -> (B, out_channels, H, W).
    Raises: ValueError if ``norm`` or ``activation`` is unknown or the kernel is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, *, groups: int = 1, norm: str = "none",
        activation: str = "none",
    ):  # fmt: skip
        check_choice("norm", norm, NORMS)
        check_choice("activation", activation, ACTIVATIONS)
        super().__init__()
        self.conv = same_size_conv(in_channels, out_channels, kernel, groups=groups, bias=norm == "none")
        self.norm = NORMS[norm](out_channels)
        self.activation = ACTIVATIONS[activation]()


class ResidualAdd(nn.Module):
    """skip(x) + body(x); without a skip of its own x + body(x). Source: He et al. 2015 (ResNet), arXiv:1512.03385."""

    def __init__(self, body: nn.Module, skip: nn.Module | None = None):
        super().__init__()
        self.body = body
        self.skip = skip or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.body(x)


class LowPass(nn.Module):
    """A fixed binomial filter in both directions; borders are repeated, so that a constant map stays as it is.

    ``taps`` are scaled to sum to 1.  An even number of them moves the map by half a pixel to the left and up.

    Shape:  (B, C, H, W) -> (B, C, H, W).
    Source: Zhang 2019, arXiv:1904.11486.
    """

    def __init__(self, taps: tuple[int, ...]):
        super().__init__()
        self.weights = [tap / sum(taps) for tap in taps]

    def forward(self, x: Tensor) -> Tensor:
        before = (len(self.weights) - 1) // 2
        after = len(self.weights) - 1 - before
        x = F.pad(x, (before, after, before, after), mode="replicate")
        # Sums of shifted maps: a depthwise convolution by a fixed kernel is many times slower on a CPU.
        for axis in (-2, -1):
            length = x.shape[axis] - len(self.weights) + 1
            shifted = [weight * x.narrow(axis, start, length) for start, weight in enumerate(self.weights)]
            x = sum(shifted[1:], start=shifted[0])
        return x


def match_channels(have: int, want: int) -> nn.Module:
    """Identity where channels agree, a 1x1 convolution where they do not."""
    return nn.Identity() if have == want else nn.Conv2d(have, want, 1, bias=False)


def check_choice(key: str, value: object, choices: Collection[object]) -> None:
    """Raises: ValueError, with the choices, if ``value`` is none of them."""
    if value not in choices:
        raise ValueError(f"{key}={value}: choose one of {', '.join(map(str, choices))}.")


def check_at_least(key: str, value: float, least: float = 1) -> None:
    """Raises: ValueError if a number is below ``least``."""
    if value < least:
        raise ValueError(f"{key}={value}: {least} or more is needed.")


def check_probability(key: str, value: float) -> None:
    """Raises: ValueError if a dropout is not from 0 to below 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{key}={value}: a probability from 0 to below 1 is needed.")


def same_size_conv(in_channels: int, out_channels: int, kernel: int, *, groups: int = 1, bias: bool) -> nn.Conv2d:
    """A convolution that keeps the size of the map. Raises: ValueError if the kernel is even."""
    check_odd("kernel", kernel)
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=bias)


def check_odd(key: str, kernel: int) -> None:
    """Raises: ValueError if a kernel that must keep the size cannot."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"{key}={kernel}: an odd kernel is needed to keep the size.")
