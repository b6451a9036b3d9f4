"""Blocks against their formulas, written out in sums over pixels."""

import pytest
import torch
from torch import Tensor, nn

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, variants
from fontgan.config.instantiate import build, build_generator
from fontgan.models.attention import Transformer
from fontgan.models.fusion import GatedFusion
from fontgan.models.refine import ConvRefine, ResSkip
from fontgan.models.resize import DeconvResize, InterpolateConvResize, enlarge
from fontgan.models.unet import UnetSkipConnectionBlock, encoder_half, plan_levels


def drawn(part: nn.Module) -> nn.Module:
    """Weights, biases and norms that are not what they begin with."""
    torch.manual_seed(3)
    for parameter in part.parameters():
        nn.init.normal_(parameter, std=0.5)
    return part.double()


def picture(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, pad: int, stride: int = 1) -> Tensor:
    """y[o, i, j] = bias[o] + the sum over c, a, b of weight[o, c, a, b] x[c, stride i + a - pad, stride j + b - pad]."""
    batch, _, height, width = x.shape
    out, _, rows, columns = weight.shape
    y = torch.zeros(
        batch, out, (height + 2 * pad - rows) // stride + 1, (width + 2 * pad - columns) // stride + 1
    ).double()
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            for a in range(rows):
                for b in range(columns):
                    row, column = stride * i + a - pad, stride * j + b - pad
                    if 0 <= row < height and 0 <= column < width:
                        y[:, :, i, j] += x[:, :, row, column] @ weight[:, :, a, b].T
    return y if bias is None else y + bias[:, None, None]


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """Each channel by a 3x3 kernel of its own."""
    return torch.cat([conv(x[:, c : c + 1], weight[c : c + 1], pad=1) for c in range(x.shape[1])], 1)


def instance_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Each channel of each glyph less its mean, over its spread; then a scale and a shift."""
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]  # type: ignore[index,operator]


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def test_the_gate_mixes_both_maps() -> None:
    fusion = drawn(GatedFusion(3, 5))
    up, skip = picture(2, 3, 4, 6), picture(2, 5, 4, 6)
    projected = torch.einsum("bchw,oc->bohw", skip, fusion.project.weight[:, :, 0, 0])
    both = torch.einsum("bchw,oc->bohw", torch.cat([up, projected], 1), fusion.gate.weight[:, :, 0, 0])
    gate = 1 / (1 + torch.exp(-(both + fusion.gate.bias[:, None, None])))
    assert torch.allclose(fusion(up, skip), gate * up + (1 - gate) * projected)


@pytest.mark.parametrize(("channels", "out"), [(3, 3), (3, 5)])
@pytest.mark.parametrize("form", ["depthwise", "standard", "standard, norm first"])
def test_resskip(form: str, channels: int, out: int) -> None:
    mode, _, first = form.partition(", ")
    block = drawn(ResSkip(channels, out, mode=mode, norm_after="first" if first else "last"))
    x = picture(2, channels, 5, 4)
    skip = x if channels == out else torch.einsum("bchw,oc->bohw", x, block.skip.weight[:, :, 0, 0])
    body = block.body
    if mode == "depthwise":
        spatial = depthwise(x, body[0].weight)
        mixed = torch.einsum("bchw,oc->bohw", spatial, body[1].weight[:, :, 0, 0])
        expected = silu(instance_norm(mixed, body[2]))
    elif first:
        inner = silu(instance_norm(conv(x, body[0].weight, pad=1), body[1]))
        expected = conv(inner, body[3].weight, body[3].bias, pad=1)
    else:
        inner = silu(conv(x, body[0].weight, body[0].bias, pad=1))
        expected = instance_norm(conv(inner, body[2].weight, pad=1), body[3])
    assert torch.allclose(block(x), expected + skip)


@pytest.mark.parametrize("mode", ["depthwise", "standard"])
def test_dropout_of_resskip_lies_between_its_convolutions(mode: str) -> None:
    block = ResSkip(4, 4, mode=mode, dropout=0.5)
    kinds = [type(module) for module in block.body]
    convolutions = [at for at, kind in enumerate(kinds) if kind is nn.Conv2d]
    assert convolutions[0] < kinds.index(nn.Dropout) < convolutions[1]
    x = torch.randn(1, 4, 8, 8)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def test_the_plain_convolution() -> None:
    refine = drawn(ConvRefine(3, 5))
    x = picture(2, 3, 4, 6)
    assert torch.allclose(refine(x), conv(x, refine.conv.weight, refine.conv.bias, pad=1).clamp(min=0))
    refine = drawn(ConvRefine(3, 5, norm="instance"))
    assert torch.allclose(refine(x), instance_norm(conv(x, refine.conv.weight, pad=1), refine.norm).clamp(min=0))


@pytest.mark.parametrize("fusion", ["concat", "add"])
def test_learnable_interpolation_as_it_is_written(fusion: str) -> None:
    """Interpolation and convolution; the skip stacked or added; a plain 3x3 convolution; ReLU."""
    up, skip = picture(1, 4, 3, 5), picture(1, 2, 6, 10)
    overrides = ["experiment=scratch", "generator/up=learnable_interpolation", f"generator/up/fusion={fusion}"]
    parts = build(compose_config("train", overrides).generator.up, "generator.up")
    resize, join = drawn(parts.resize(4, 2)), parts.fusion(2, 2)
    refine = drawn(parts.refine(join.out_channels, 2))
    big = conv(bilinear(up), resize.conv.weight, pad=1)
    joined = torch.cat([skip, big], 1) if fusion == "concat" else big + skip
    expected = conv(joined, refine.conv.weight, refine.conv.bias, pad=1).clamp(min=0)
    assert torch.allclose(refine(join(resize(up), skip)), expected)


def bilinear(x: Tensor) -> Tensor:
    """Twice the map with ``align_corners=False``: pixel i of the large map lies at (i + 0.5) / 2 - 0.5 of the small one.

    That is a quarter of the way to a neighbour; at the border, where there is none, the outermost pixel is repeated.
    """
    for axis in (2, 3):
        length = x.shape[axis]
        at = [min(max((i + 0.5) / 2 - 0.5, 0), length - 1) for i in range(2 * length)]
        pieces = [
            (1 - a % 1) * x.select(axis, int(a)) + (a % 1) * x.select(axis, min(int(a) + 1, length - 1)) for a in at
        ]
        x = torch.stack(pieces, axis)
    return x


def test_bilinear_interpolation() -> None:
    x = picture(2, 3, 4, 5)
    assert torch.allclose(enlarge(x, "bilinear"), bilinear(x))
    row = enlarge(torch.tensor([[[[0.0, 4.0, 8.0]]]]), "bilinear")[0, 0, 0]
    assert row.tolist() == [0, 1, 3, 5, 7, 8]
    resize = drawn(InterpolateConvResize(3, 2, bias=True))
    assert torch.allclose(resize(x), conv(bilinear(x), resize.conv.weight, resize.conv.bias, pad=1))


@pytest.mark.parametrize("kernel", [2, 4, 6])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 7)])
def test_deconvolution_doubles_the_map(kernel: int, height: int, width: int) -> None:
    """(H - 1) * stride - 2 * padding + kernel rows, which are 2 H; each pixel lays its kernel down, and kernels add up."""
    deconv = drawn(DeconvResize(3, 2, kernel=kernel))
    x, pad = picture(1, 3, height, width), kernel // 2 - 1
    full = torch.zeros(1, 2, 2 * (height - 1) + kernel, 2 * (width - 1) + kernel).double()
    for row in range(height):
        for column in range(width):
            laid = torch.einsum("bc,coij->boij", x[:, :, row, column], deconv.deconv.weight)
            full[:, :, 2 * row : 2 * row + kernel, 2 * column : 2 * column + kernel] += laid
    y = full[:, :, pad : full.shape[2] - pad, pad : full.shape[3] - pad]
    assert (
        y.shape[2:]
        == (2 * height, 2 * width)
        == ((height - 1) * 2 - 2 * pad + kernel, (width - 1) * 2 - 2 * pad + kernel)
    )
    assert torch.allclose(deconv(x), y)


def test_the_encoder_smooths_before_it_halves() -> None:
    """With antialias_down a pixel becomes a quarter of itself, a half, a quarter in both directions; borders repeat."""
    level = plan_levels(
        3, 2, inputs=1, dropout=0, innermost_stride=2, antialias=True, attention_levels=(), refine_levels=()
    )[1]  # fmt: skip
    down = drawn(encoder_half(level, nn.Identity, nn.Identity, lambda i, o: nn.Identity(), nn.Identity))
    x = picture(1, 2, 8, 6)
    active = torch.where(x > 0, x, 0.2 * x)
    framed = torch.cat([active[:, :, :1], active, active[:, :, -1:]], 2)
    framed = torch.cat([framed[..., :1], framed, framed[..., -1:]], 3)
    rows = (framed[:, :, :-2] + 2 * framed[:, :, 1:-1] + framed[:, :, 2:]) / 4
    smooth = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    weight = next(module for module in down if isinstance(module, nn.Conv2d)).weight
    assert torch.allclose(down(x), conv(smooth, weight, pad=1, stride=2))


def test_resskip_follows_the_transformer_at_every_depth() -> None:
    for depth in (3, 5):
        cfg = compose_config(
            "train",
            ["experiment=scratch", "generator=unet_transformer_resskip", f"generator.depth={depth}", "generator.ngf=4"],
        )
        block = build_generator(cfg, 2).unet
        while isinstance(block.submodule, UnetSkipConnectionBlock):
            assert not any(isinstance(part, Transformer | ResSkip) for part in block.down)
            block = block.submodule
        assert [type(part) for part in block.down[-2:]] == [Transformer, ResSkip]


def test_norm_after_first_needs_a_norm_and_the_standard_form() -> None:
    with pytest.raises(ValueError, match="no norm"):
        ResSkip(4, 4, mode="standard", norm=False, norm_after="first")
    with pytest.raises(ValueError, match="norm_after=first: choose one of last"):
        ResSkip(4, 4, mode="depthwise", norm_after="first")
    with pytest.raises(ValueError, match="dropout=1"):
        ResSkip(4, 4, mode="standard", dropout=1)


@pytest.mark.parametrize("name", [name for name in choices("generator/up") if name != "hybrid"])
def test_every_preset_says_what_the_outermost_level_leaves_out(name: str) -> None:
    assert "\n# Level 1, which draws the glyph, has the resize alone" in variants("generator/up")[name].read_text(
        "utf-8"
    )
