"""Part three of an up-path block: works on the joined map.  The same blocks can follow each encoder level.

Contract of every class here: ``Refine(in_channels, out_channels, **options)`` maps
(B, in_channels, H, W) -> (B, refine.out_channels, H, W).  ``out_channels`` is what the U-Net asks for;
``NoRefine`` alone answers with ``in_channels``, because it has nothing to change them with.
No block has a stride: a refinement keeps the map's size, which the resize and the encoder's convolutions alone change.

A ``norm`` is instance, batch, group or none, an ``activation`` one of ``fontgan.models.layers.ACTIVATIONS``.  An unknown
name or a number out of range raises ValueError.
"""

from functools import partial

from torch import Tensor, nn

from fontgan.models.layers import (
    ACTIVATIONS,
    NORMS,
    ConvNormAct,
    ResidualAdd,
    check_at_least,
    check_choice,
    check_probability,
    match_channels,
)


class NoRefine(nn.Identity):
    """Leaves the joined map as it is, like the classic U-Net."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.out_channels = in_channels


class ConvRefine(ConvNormAct):
    """One plain convolution with norm and activation; no residual, so it must carry the whole map.

    Source: Ronneberger et al. 2015, arXiv:1505.04597 (two of them, without norm, follow each joined map there).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, norm: str = "none", activation: str = "relu"
    ):
        super().__init__(in_channels, out_channels, kernel, norm=norm, activation=activation)
        self.out_channels = out_channels


class ResSkip(ResidualAdd):
    """A residual refinement: body(x) + skip(x), the skip projected by 1x1 where channels differ.

    depthwise: 3x3 depthwise convolution, 1x1 pointwise, norm, activation.
    standard:  3x3 convolution, activation, 3x3 convolution, norm;
               with ``norm_after="first"`` 3x3 convolution, norm, activation, 3x3 convolution.

    Source: He et al. 2015, arXiv:1512.03385 (residual); Howard et al. 2017, arXiv:1704.04861 (depthwise).

    Args:
        norm: true is InstanceNorm, false is none; or a norm's name.
        norm_after: the convolution that the norm follows, "last" or, in the standard form, "first".
        dropout: probability 0 to below 1, between the two convolutions as in wide residual networks
            (Zagoruyko & Komodakis 2016, arXiv:1605.07146).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, mode: str, norm: bool | str = True, norm_after: str = "last",
        activation: str = "silu", dropout: float = 0.0,
    ):  # fmt: skip
        if isinstance(norm, bool):
            norm = "instance" if norm else "none"
        check_choice("mode", mode, ("depthwise", "standard"))
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("norm", norm, NORMS)
        check_choice("norm_after", norm_after, ("last", "first") if mode == "standard" else ("last",))
        if norm == "none" and norm_after == "first":
            raise ValueError("norm_after=first: there is no norm that it could place. Use norm=true, or leave it out.")
        check_probability("dropout", dropout)
        bias = norm == "none"  # a norm takes it away again
        normalise, activate = NORMS[norm](out_channels), ACTIVATIONS[activation]()
        drop = [nn.Dropout(dropout)] if dropout else []
        if mode == "depthwise":
            depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
            pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
            body = [depthwise, *drop, pointwise, normalise, activate]
        else:
            first = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias or norm_after == "last")
            second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias or norm_after == "first")
            if norm_after == "first":
                body = [first, normalise, activate, *drop, second]
            else:
                body = [first, activate, *drop, second, normalise]
        super().__init__(nn.Sequential(*body), match_channels(in_channels, out_channels))
        self.out_channels = out_channels


class Bottleneck(nn.Sequential):
    """1x1 to fewer channels, 3x3 there, 1x1 back; the skip is projected where channels differ.

    Source: He et al. 2015 (ResNet), arXiv:1512.03385.

    Args:
        reduction: how many times fewer channels the 3x3 convolution works on than come out.
        linear: leaves the activation after the sum out, so that the block ends with a plain projection,
            as Sandler et al. 2018 (arXiv:1801.04381) advise where channels are few.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, reduction: int = 4, linear: bool = False, norm: str = "instance",
        activation: str = "relu",
    ):  # fmt: skip
        check_at_least("reduction", reduction)
        super().__init__()
        self.out_channels = out_channels
        inner = max(1, out_channels // reduction)
        body = nn.Sequential(
            ConvNormAct(in_channels, inner, 1, norm=norm, activation=activation),
            ConvNormAct(inner, inner, 3, norm=norm, activation=activation),
            ConvNormAct(inner, out_channels, 1, norm=norm),
        )
        skip = None if in_channels == out_channels else ConvNormAct(in_channels, out_channels, 1, norm=norm)
        self.block = ResidualAdd(body, skip)
        self.activation = nn.Identity() if linear else ACTIVATIONS[activation]()


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 depthwise there, a linear 1x1 back; x is added where channels agree.

    A full 3x3 convolution in the middle and a projected shortcut, as some tutorials draw the block, are no option: the
    first has as many times the weights as there are channels inside (``FusedMBConv`` is the affordable form), and the
    paper adds x only where channels agree.

    Source: Sandler et al. 2018 (MobileNetV2), arXiv:1801.04381; with squeeze-excitation
        (Hu et al. 2018, arXiv:1709.01507) the MBConv block of Tan & Le 2019 (EfficientNet), arXiv:1905.11946.

    Args:
        expansion: channels of the 3x3 convolution over those that come in; 1 leaves the first 1x1 out.
        squeeze_excitation: channels squeezed to, as a share of those that come in; 0 for none.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, expansion: int = 6, squeeze_excitation: float = 0.0,
        norm: str = "instance", activation: str = "relu6",
    ):  # fmt: skip
        check_at_least("expansion", expansion)
        if not 0 <= squeeze_excitation <= 1:
            raise ValueError(f"squeeze_excitation={squeeze_excitation}: a share from 0 to 1 is needed.")
        super().__init__()
        self.out_channels = out_channels
        wide = expansion * in_channels
        body = nn.Sequential(*self.widen(in_channels, wide, norm, activation))
        if squeeze_excitation:
            from torchvision.ops import SqueezeExcitation  # here, because its import takes long

            squeezed = max(1, round(squeeze_excitation * in_channels))
            body.append(SqueezeExcitation(wide, squeezed, activation=nn.SiLU))
        body.append(ConvNormAct(wide, out_channels, 1, norm=norm))
        self.block: nn.Module = ResidualAdd(body) if in_channels == out_channels else body

    def widen(self, in_channels: int, wide: int, norm: str, activation: str) -> list[nn.Module]:
        """The layers that look at neighbours, with ``wide`` channels coming out."""
        layer = partial(ConvNormAct, norm=norm, activation=activation)
        return [*([layer(in_channels, wide, 1)] if wide > in_channels else []), layer(wide, wide, 3, groups=wide)]

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class FusedMBConv(InvertedResidual):
    """One full 3x3 convolution to more channels, a linear 1x1 back; x is added where channels agree.

    On hardware that is slow at depthwise convolutions it can be quicker than MBConv, at many more parameters.

    Source: Tan & Le 2021 (EfficientNetV2), arXiv:2104.00298.

    Args: as of ``InvertedResidual``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, expansion: int = 4, squeeze_excitation: float = 0.0,
        norm: str = "instance", activation: str = "silu",
    ):  # fmt: skip
        super().__init__(
            in_channels, out_channels, expansion=expansion, squeeze_excitation=squeeze_excitation, norm=norm,
            activation=activation,
        )  # fmt: skip

    def widen(self, in_channels: int, wide: int, norm: str, activation: str) -> list[nn.Module]:
        return [ConvNormAct(in_channels, wide, 3, norm=norm, activation=activation)]


class DepthwiseSeparable(nn.Sequential):
    """3x3 depthwise, then 1x1 pointwise, each with norm and activation; no residual.

    Source: Howard et al. 2017 (MobileNet), arXiv:1704.04861.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, norm: str = "instance", activation: str = "relu"
    ):
        super().__init__()
        self.out_channels = out_channels
        layer = partial(ConvNormAct, norm=norm, activation=activation)
        self.depthwise = layer(in_channels, in_channels, kernel, groups=in_channels)
        self.pointwise = layer(in_channels, out_channels, 1)
