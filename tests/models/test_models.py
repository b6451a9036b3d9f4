"""Networks: every combination of the groups builds, keeps the size and learns; the classic one has its known size."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from fontgan.build import check_single_pixels
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, variants
from fontgan.config.instantiate import build, build_generator
from fontgan.config.saved import load_config
from fontgan.errors import ConfigError
from fontgan.models.fusion import align_to
from fontgan.models.init import SCHEMES, initialise
from fontgan.models.layers import ConvNormAct, LowPass, ResidualAdd
from fontgan.models.refine import Bottleneck, DepthwiseSeparable, FusedMBConv, InvertedResidual, ResSkip
from fontgan.models.resize import SameSizeConv
from fontgan.models.style import Affine, StyleEmbedding
from fontgan.models.unet import UnetGenerator, UnetSkipConnectionBlock
from fontgan.models.up import UpBlock, UpPath
from fontgan.values import image_from_logits, ink_from_image, sharp_image_from_logits
from tests.helpers import combinations

UPS, STYLES, NORMS = choices("generator/up"), choices("generator/style"), choices("generator/norm")
RESIZES, FUSIONS, REFINES = (choices(f"generator/up/{part}") for part in ("resize", "fusion", "refine"))
ENCODER_REFINES, ATTENTIONS, INNERMOSTS = (
    choices(f"generator/{group}") for group in ("encoder_refine", "attention", "innermost")
)
SMALL = ["experiment=scratch", "generator.ngf=4", "generator.depth=3", "data.size=64"]


def generator(*overrides: str, styles: int = 3) -> UnetGenerator:
    torch.manual_seed(0)
    return build_generator(compose_config("train", [*SMALL, *overrides]), styles)  # type: ignore[return-value]


def some_style(network: UnetGenerator, height: int, width: int) -> torch.Tensor:
    """For two glyphs: mixtures of styles, or references where the network reads them."""
    if network.reference_style is not None:
        return torch.rand(2, 3, height, width) * 2 - 1
    return torch.softmax(torch.randn(2, network.styles), 1)


def part(group: str, name: str, **settings: Any) -> Any:
    """One part as its file makes it, to be called with its channels; composing all of a config would take far longer."""
    node = OmegaConf.merge(OmegaConf.load(variants(group)[name]), settings)
    return build(node, group.replace("/", "."))


PARTS = {
    kind: {name: part(f"generator/up/{kind}", name) for name in names}
    for kind, names in (("resize", RESIZES), ("fusion", FUSIONS), ("refine", REFINES))
}


def assert_draws_and_learns(network: UnetGenerator, height: int, width: int) -> None:
    inputs = torch.rand(2, network.in_channels, height, width) * 2 - 1
    logits = network(inputs, some_style(network, height, width))
    assert logits.shape == (2, 1, height, width)
    assert logits.isfinite().all()
    logits.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert parameter.grad.isfinite().all(), name


def test_the_variants_are_found() -> None:
    assert {"deconv", "interpolate_conv", "subpixel", "conv_only", "gated", "resskip", "hybrid"} <= set(UPS)
    assert {"concat", "film", "adain", "none", "film_all", "adain_all", "cross_attention", "reference"} <= set(STYLES)
    assert {"batch", "instance", "group"} <= set(NORMS)
    assert {"concat", "add", "gated", "attention", "none"} <= set(FUSIONS)
    assert {
        "none", "conv", "resskip_depthwise", "resskip_standard", "bottleneck", "linear_bottleneck", "inverted_residual",
        "mbconv", "fused_mbconv", "depthwise_separable",
    } <= set(REFINES) == set(ENCODER_REFINES)  # fmt: skip
    assert {
        "deconv", "interpolate_conv", "subpixel", "conv_only", "nearest_conv", "carafe", "dysample", "meta",
        "blur_subpixel",
    } <= set(RESIZES)  # fmt: skip
    assert {"self", "linear"} <= set(ATTENTIONS)
    assert {"none", "transformer"} <= set(INNERMOSTS)
    assert len(UPS) >= 14


@pytest.mark.slow
@pytest.mark.parametrize(("up", "norm"), combinations(UPS, NORMS))
def test_every_preset_with_every_norm(up: str, norm: str) -> None:
    """Every preset with every style is trained in tests/test_blocks.py."""
    assert_draws_and_learns(generator(f"generator/up={up}", f"generator/norm={norm}"), 16, 24)


@pytest.mark.parametrize(("style", "norm"), combinations(STYLES, NORMS))
def test_every_style_with_every_norm(style: str, norm: str) -> None:
    assert_draws_and_learns(generator(f"generator/style={style}", f"generator/norm={norm}"), 16, 24)


@pytest.mark.parametrize(("up", "style"), combinations(UPS, STYLES))
def test_every_preset_and_every_style_with_a_guide(up: str, style: str) -> None:
    network = generator(f"generator/up={up}", f"generator/style={style}", "data.guides=[guide.ttf]")
    assert network.in_channels == 2
    assert_draws_and_learns(network, 16, 24)


@pytest.mark.parametrize(("resize", "fusion", "refine"), list(product(RESIZES, FUSIONS, REFINES)))
def test_every_combination_of_parts(resize: str, fusion: str, refine: str) -> None:
    """As one block, on odd sides: maps that do not line up by a pixel."""
    torch.manual_seed(0)
    parts = UpPath(PARTS["resize"][resize], PARTS["fusion"][fusion], PARTS["refine"][refine])
    block = UpBlock(6, 4, parts, norm=nn.InstanceNorm2d, dropout=0.0, stride=2)
    result = block(torch.randn(2, 6, 5, 7), torch.randn(2, 4, 11, 15))
    assert result.shape == (2, block.out_channels, 11, 15)
    result.square().mean().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert parameter.grad.isfinite().all(), name


@pytest.mark.slow
@pytest.mark.parametrize("refine", ENCODER_REFINES)
@pytest.mark.parametrize("levels", [[], ["generator.encoder_refine_levels=[2]"]], ids=["everywhere", "level 2"])
def test_refinement_in_the_encoder(refine: str, levels: list[str]) -> None:
    if refine == "none":
        levels = []  # which would be refused
    network = generator(f"generator/encoder_refine={refine}", *levels)
    assert_draws_and_learns(network, 16, 24)
    plain = sum(p.numel() for p in generator().parameters())
    assert (sum(p.numel() for p in network.parameters()) > plain) == (refine != "none")


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        *([f"generator/attention={name}", "generator.attention_levels=[1,3]"] for name in ATTENTIONS),
        *([f"generator/innermost={name}"] for name in INNERMOSTS),
        *([f"generator={name}"] for name in choices("generator")),
        ["generator.antialias_down=true"],
        ["generator.innermost_stride=1"],
        ["generator.innermost_stride=1", "generator.antialias_down=true", "generator/innermost=transformer"],
    ],
    ids=" ".join,
)
def test_what_can_be_added_to_the_encoder(overrides: list[str]) -> None:
    assert_draws_and_learns(generator(*overrides), 17, 22)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_combinations(data: st.DataObject) -> None:
    depth = data.draw(st.integers(2, 5))
    up = data.draw(st.sampled_from(UPS))
    parts = [
        f"generator/up/resize={data.draw(st.sampled_from(RESIZES))}",
        f"generator/up/fusion={data.draw(st.sampled_from(FUSIONS))}",
        f"generator/up/refine={data.draw(st.sampled_from(REFINES))}",
    ]
    inner, outer = (data.draw(st.sampled_from([name for name in UPS if name != "hybrid"])) for _ in range(2))
    switch = data.draw(st.integers(1, depth))
    attention_levels = data.draw(st.lists(st.integers(1, depth), max_size=2, unique=True))
    attention = [f"generator.attention_levels={attention_levels}"]
    if attention_levels:
        attention.append(f"generator/attention={data.draw(st.sampled_from(ATTENTIONS))}")
    overrides = [
        f"generator/up={up}",
        *(
            [f"generator.up.inner={inner}", f"generator.up.outer={outer}", f"generator.up.switch={switch}"]
            if up == "hybrid"
            else parts
        ),
        f"generator/style={data.draw(st.sampled_from(STYLES))}",
        f"generator/norm={data.draw(st.sampled_from(NORMS))}",
        f"generator.ngf={data.draw(st.integers(2, 6))}",
        f"generator.depth={depth}",
        f"generator.dropout={data.draw(st.sampled_from([0.0, 0.5]))}",
        f"generator/encoder_refine={data.draw(st.sampled_from(ENCODER_REFINES))}",
        f"generator/innermost={data.draw(st.sampled_from(INNERMOSTS))}",
        f"generator.innermost_stride={data.draw(st.sampled_from([1, 2]))}",
        f"generator.antialias_down={data.draw(st.sampled_from(['true', 'false']))}",
        *attention,
        f"generator.head_channels={data.draw(st.sampled_from([0, 3]))}",
        f"generator.init={data.draw(st.sampled_from(SCHEMES))}",
    ]
    least = max(16, 2 ** (depth + 1))  # at least 2 pixels where it is normalised; references are halved three times
    side = st.integers(least, least + 9)
    assert_draws_and_learns(
        generator(*overrides, styles=data.draw(st.integers(1, 4))), data.draw(side), data.draw(side)
    )


@pytest.mark.parametrize("resize", RESIZES)
def test_resize_doubles_the_map(resize: str) -> None:
    y = part("generator/up/resize", resize)(6, 4)(torch.randn(2, 6, 5, 7))  # unequal sides catch swapped axes
    assert y.shape == (2, 4, 10, 14)


@pytest.mark.parametrize("resize", [name for name in RESIZES if name != "conv_only"])  # which bends values, by GELU
def test_resize_keeps_what_lies_where(resize: str) -> None:
    """A map moved by a pixel comes out moved by two: no part mixes up rows, columns or places."""
    torch.manual_seed(0)
    network = part("generator/up/resize", resize)(3, 2)
    x = torch.randn(1, 3, 16, 18)
    moved = torch.roll(x, (1, 2), dims=(-2, -1))
    y, y_moved = network(x), network(moved)
    assert torch.allclose(y[..., 10:-10, 10:-10], y_moved[..., 12:-8, 14:-6], atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dysample_begins_as_bilinear_interpolation(scheme: str) -> None:
    resize = part("generator/up/resize", "dysample", kernel=1)(8, 8)
    initialise(resize, scheme)
    with torch.no_grad():
        resize.conv.weight.copy_(torch.eye(8)[:, :, None, None])
    x = torch.randn(1, 8, 6, 7)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(resize(x), expected, atol=2e-2)
    nn.init.constant_(resize.offset.bias, 1.0)
    assert not torch.allclose(resize(x), expected, atol=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_meta_begins_as_nearest_neighbour_and_learns_places(scheme: str) -> None:
    resize = part("generator/up/resize", "meta")(5, 3)
    initialise(resize, scheme)
    x = torch.randn(1, 5, 6, 7)
    assert torch.allclose(resize(x), F.interpolate(resize.mix(x), scale_factor=2, mode="nearest"), atol=1e-6)
    nn.init.normal_(resize.predict[2].weight)
    y = resize(x)
    assert not torch.allclose(y[..., ::2, ::2], y[..., 1::2, 1::2], atol=1e-2)


def test_carafe_averages_by_weights_that_sum_to_one() -> None:
    resize = part("generator/up/resize", "carafe", kernel=1)(4, 2)
    nn.init.normal_(resize.predict.weight)
    x = torch.randn(1, 4, 6, 7)
    values, y = resize.conv(x), resize(x)
    assert y.amin() >= values.amin() - 1e-5
    assert y.amax() <= values.amax() + 1e-5
    # By hand, at one place: the 5x5 neighbours weighted by the softmax of what was predicted for its four new pixels.
    predicted = resize.predict(resize.compress(x))[0, :, 2, 3].view(25, 4).softmax(0)
    neighbours = values[0, :, 0:5, 1:6].flatten(1)
    assert torch.allclose(y[0, :, 4:6, 6:8].flatten(1), neighbours @ predicted, atol=1e-5)


def test_low_pass_takes_the_checkerboard_out_and_leaves_a_constant() -> None:
    blur = LowPass((1, 3, 3, 1))
    assert torch.allclose(blur(torch.full((1, 1, 6, 6), 3.0)), torch.full((1, 1, 6, 6), 3.0))
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
    assert blur(checkerboard)[..., 2:-2, 2:-2].abs().max() < 1e-6
    spike = torch.zeros(1, 1, 7, 7)
    spike[..., 3, 3] = 1
    taps = torch.tensor([1.0, 3, 3, 1]) / 8
    assert torch.allclose(blur(spike)[0, 0, 1:5, 1:5], torch.outer(taps, taps))
    assert torch.allclose(LowPass((1, 2, 1))(spike)[0, 0, 3, 2:5], torch.tensor([1.0, 2, 1]) / 8)


def test_the_classic_network_has_its_known_size() -> None:
    network = build_generator(compose_config("train", ["experiment=zi2zi_classic"]), 3).eval()
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(55.46e6, rel=2e-4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, 256, 256), torch.eye(3)[:1])
    assert counter.get_total_flops() == pytest.approx(11.9e9, rel=2e-3)


@pytest.mark.parametrize("style", [s for s in STYLES if s != "none"])
def test_styles_change_the_result_and_mix(style: str) -> None:
    network = generator(f"generator/style={style}").eval()
    for module in network.modules():
        if isinstance(module, StyleEmbedding):
            nn.init.normal_(module.weight)
    if network.reference_style is not None:
        nn.init.normal_(network.reference_style.prototypes)
    source = torch.rand(1, 1, 32, 32)
    one, other, mixed = (
        network(source, torch.tensor([weights])) for weights in ([1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0])
    )
    assert not torch.equal(one, other)
    assert not torch.equal(mixed, one)
    assert not torch.equal(mixed, other)


def test_a_mixture_reads_the_mean_of_the_rows() -> None:
    table = StyleEmbedding(3, 5)
    assert torch.allclose(table(torch.tensor([[0.25, 0.75, 0.0]]))[0], 0.25 * table.weight[0] + 0.75 * table.weight[1])


def test_without_style_conditioning_all_styles_are_one() -> None:
    network = generator("generator/style=none").eval()
    source = torch.rand(1, 1, 32, 32)
    assert torch.equal(network(source, torch.tensor([[1.0, 0, 0]])), network(source, torch.tensor([[0, 1.0, 0]])))


@pytest.mark.parametrize(("style", "scheme"), combinations(["film", "film_all", "adain", "reference"], SCHEMES))
def test_a_style_starts_near_the_identity_with_every_initialisation(style: str, scheme: str) -> None:
    torch.manual_seed(0)
    network = generator(f"generator/style={style}", f"generator.init={scheme}", "generator.ngf=16")
    found = [module for module in network.modules() if isinstance(module, Affine)]
    assert found
    for affine in found:
        x = torch.ones(64, affine.out_features // 2, 1, 1)
        assert (affine(x, torch.randn(64, affine.in_features)) - x).std() < 0.5
        assert affine.weight.std() > 0.01


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_gate_starts_with_an_equal_say_with_every_initialisation(scheme: str) -> None:
    fusion = PARTS["fusion"]["gated"](4, 4)
    initialise(fusion, scheme)
    assert not fusion.gate.bias.any()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("resize", ["subpixel", "conv_only", "blur_subpixel"])
def test_icnr_survives_every_global_initialisation(resize: str, scheme: str) -> None:
    block = PARTS["resize"][resize](6, 4)
    initialise(block, scheme)
    conv = block.expand if resize == "conv_only" else block.conv
    groups = conv.weight.view(-1, 4, *conv.weight.shape[1:])  # (channel, place in the 2x2 patch, ...)
    assert torch.equal(groups, groups[:, :1].expand_as(groups))
    assert groups.std() > 0
    shuffled = block.shuffle(conv(torch.randn(1, 6, 5, 5)))
    assert torch.allclose(shuffled[..., ::2, ::2], shuffled[..., 1::2, 1::2])


@pytest.mark.parametrize(("min_channels", "both"), [(16, True), (1, False)])
def test_the_last_step_of_conv_only_draws_plain_paper_and_plain_ink(min_channels: int, both: bool) -> None:
    torch.manual_seed(0)
    block = part("generator/up/resize", "conv_only", min_channels=min_channels)(64, 1)
    plain = 20 * torch.randn(200, 64, 1, 1).expand(-1, -1, 6, 6)
    logits = block(plain)[..., 4:8, 4:8].detach()
    assert (min(-logits.min(), logits.max()) > 0.1 * logits.abs().max()) == both


def test_without_icnr_the_phases_differ() -> None:
    block = part("generator/up/resize", "subpixel", icnr=False)(6, 4)
    shuffled = block.shuffle(block.conv(torch.randn(1, 6, 5, 5)))
    assert not torch.allclose(shuffled[..., ::2, ::2], shuffled[..., 1::2, 1::2], atol=1e-2)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def depthwise_groups(network: nn.Module) -> list[tuple[int, int]]:
    """(groups, channels) of the 3x3 convolutions."""
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    return [(conv.groups, conv.in_channels) for conv in convs]


def test_depthwise_is_really_depthwise() -> None:
    assert count(DepthwiseSeparable(32, 64, norm="none")) == 2432
    assert count(ConvNormAct(32, 64)) == 18496
    assert depthwise_groups(DepthwiseSeparable(32, 64)) == [(32, 32)]
    assert depthwise_groups(ResSkip(8, 8, mode="depthwise")) == [(8, 8)]
    assert depthwise_groups(ResSkip(8, 8, mode="standard")) == [(1, 8), (1, 8)]
    assert depthwise_groups(InvertedResidual(8, 8, expansion=3)) == [(24, 24)]
    assert depthwise_groups(FusedMBConv(8, 8, expansion=3)) == [(1, 8)]
    assert depthwise_groups(Bottleneck(8, 8, reduction=4)) == [(1, 2)]


def test_parameters_of_the_papers_blocks() -> None:
    """By hand, without norms, a bias with each convolution."""
    conv = lambda i, o, k, groups=1: i // groups * o * k * k + o  # noqa: E731
    assert count(Bottleneck(64, 64, norm="none")) == conv(64, 16, 1) + conv(16, 16, 3) + conv(16, 64, 1)
    assert count(Bottleneck(32, 64, norm="none")) - conv(32, 64, 1) == conv(32, 16, 1) + conv(16, 16, 3) + conv(
        16, 64, 1
    )
    inverted = conv(16, 96, 1) + conv(96, 96, 3, 96) + conv(96, 24, 1)
    assert count(InvertedResidual(16, 24, norm="none")) == inverted
    squeeze = conv(96, 4, 1) + conv(4, 96, 1)
    assert count(InvertedResidual(16, 24, squeeze_excitation=0.25, norm="none")) == inverted + squeeze
    assert count(FusedMBConv(16, 24, norm="none")) == conv(16, 64, 3) + conv(64, 24, 1)
    assert count(ResSkip(8, 8, mode="standard", norm=False)) == 2 * conv(8, 8, 3)
    assert count(ResSkip(8, 12, mode="depthwise", norm=False)) == 8 * 9 + conv(8, 12, 1) + 8 * 12


def test_the_identity_is_added_only_where_shapes_allow() -> None:
    for block in (InvertedResidual, FusedMBConv):
        assert isinstance(block(8, 8).block, ResidualAdd)
        assert not isinstance(block(8, 12).block, ResidualAdd)
    assert isinstance(Bottleneck(8, 8).block.skip, nn.Identity)
    assert isinstance(Bottleneck(8, 12).block.skip, ConvNormAct)
    assert isinstance(ResSkip(8, 8, mode="standard").skip, nn.Identity)
    assert isinstance(ResSkip(8, 12, mode="standard").skip, nn.Conv2d)


@pytest.mark.parametrize("make", [lambda: InvertedResidual(6, 6), lambda: FusedMBConv(6, 6), lambda: Bottleneck(6, 6)])
def test_a_residual_block_whose_last_layer_is_zero_is_the_identity(make: Callable[[], nn.Module]) -> None:
    block = make()
    last = block.block.body[-1]
    nn.init.zeros_(last.norm.weight)
    x = torch.rand(2, 6, 5, 5)  # not negative: the bottleneck ends with a ReLU
    assert torch.equal(block(x), x)


def test_activation_follows_the_sum_in_a_bottleneck_unless_it_is_linear() -> None:
    x = torch.randn(2, 8, 5, 5)
    assert Bottleneck(8, 8)(x).amin() == 0
    assert Bottleneck(8, 8, linear=True)(x).amin() < 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "refine", [name for name, file in variants("generator/up/refine").items() if "\nnorm:" in file.read_text("utf-8")]
)
def test_norm_activation_and_expansion_are_keys_of_each_refinement(refine: str) -> None:
    keys = {
        str(key)
        for key in compose_config("train", ["experiment=scratch", f"generator/up/refine={refine}"]).generator.up.refine
    }
    assert "activation" in keys
    block = part("generator/up/refine", refine, norm="none", activation="gelu")(8, 8)
    kinds = [type(module) for module in block.modules()]
    assert nn.GELU in kinds
    assert not {nn.InstanceNorm2d, nn.BatchNorm2d, nn.GroupNorm} & set(kinds)
    for scale in keys & {"expansion", "reduction"}:
        usual, other = (part("generator/up/refine", refine, **{scale: n})(8, 8) for n in (2, 4))
        assert count(usual) != count(other)


def test_fusion_projects_where_channels_differ() -> None:
    for name in ("add", "gated"):
        fusion = PARTS["fusion"][name](6, 4)
        assert fusion.project.weight.shape == (6, 4, 1, 1)
        assert fusion(torch.randn(1, 6, 3, 3), torch.randn(1, 4, 3, 3)).shape == (1, 6, 3, 3)
        assert isinstance(PARTS["fusion"][name](4, 4).project, nn.Identity)


def test_attention_gate_shuts_the_skip_out() -> None:
    fusion = PARTS["fusion"]["attention"](4, 4)
    up, skip = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    for bias, kept in ((-100.0, 0.0), (100.0, 1.0)):
        nn.init.zeros_(fusion.weight.weight)
        nn.init.constant_(fusion.weight.bias, bias)
        assert torch.allclose(fusion(up, skip), torch.cat([kept * skip, up], 1))


def test_without_fusion_the_skip_takes_no_part() -> None:
    fusion = PARTS["fusion"]["none"](4, 4)
    up = torch.randn(1, 4, 3, 3)
    assert fusion(up, torch.randn(1, 4, 3, 3)) is up


def test_align_crops_and_pads_the_last_row_and_column() -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert torch.equal(align_to(x, 2, 3), x[..., :2, :])
    padded = align_to(x, 4, 4)
    assert torch.equal(padded[..., :3, :3], x)
    assert torch.equal(padded[..., 3, :3], x[..., 2, :])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_begins_as_the_identity(attention: str) -> None:
    overrides = [f"generator/attention={attention}", "generator.attention_levels=[2,3]"]
    plain, attending = generator().eval(), generator(*overrides).eval()
    missing, unexpected = attending.load_state_dict(plain.state_dict(), strict=False)
    assert missing
    assert not unexpected
    source, weights = torch.rand(1, 1, 32, 32), torch.eye(3)[:1]
    assert torch.equal(plain(source, weights), attending(source, weights))
    for name, parameter in attending.named_parameters():
        if name in missing and not parameter.any():
            nn.init.ones_(parameter)
    assert not torch.equal(plain(source, weights), attending(source, weights))


def test_linear_attention_by_hand() -> None:
    attention = part("generator/attention", "linear")(8)
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in range(3))
    phi = lambda x: F.elu(x) + 1  # noqa: E731
    weights = phi(q) @ phi(k).transpose(-1, -2)
    assert torch.allclose(attention.attend(q, k, v), weights / weights.sum(-1, keepdim=True) @ v, atol=1e-5)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_an_innermost_level_of_stride_1_keeps_the_size(depth: int) -> None:
    overrides = [f"generator.depth={depth}", "generator.innermost_stride=1"]
    network = generator(*overrides)
    side = 2 ** (depth - 1) * 3
    assert network.encode(torch.zeros(2, 1, side, side + 2 ** (depth - 1))).shape[-2:] == (3, 4)
    innermost = [m for m in network.modules() if isinstance(m, UnetSkipConnectionBlock) and m.innermost]
    (block,) = innermost
    conv = next(m for m in block.down if isinstance(m, nn.Conv2d))
    assert (conv.kernel_size, conv.stride, conv.padding) == ((3, 3), (1, 1), (1, 1))
    assert isinstance(block.up.resize, SameSizeConv)
    assert_draws_and_learns(network, 4 * side + 1, 4 * side + 3)


def test_stride_1_leaves_room_for_one_more_level() -> None:
    network = generator("generator.depth=7", "generator.innermost_stride=1").eval()
    assert network.encode(torch.zeros(1, 1, 64, 64)).shape[-2:] == (1, 1)
    with pytest.raises(ConfigError, match=r"Use generator.depth=7 or data.size=128"):
        generator("generator.depth=8", "generator.innermost_stride=1")


def test_hybrid_takes_its_presets_level_by_level() -> None:
    def resizes(*overrides: str) -> list[str]:
        """From level 1 inwards."""
        network = generator("generator/up=hybrid", "generator.depth=4", *overrides)
        found, block = [], network.unet
        while isinstance(block, UnetSkipConnectionBlock):
            found.append(type(block.up.resize).__name__)  # type: ignore[union-attr]
            block = block.submodule  # type: ignore[assignment]
        return found

    assert resizes("generator.up.inner=deconv", "generator.up.outer=carafe", "generator.up.switch=3") == [
        "CarafeResize", "CarafeResize", "DeconvResize", "DeconvResize",
    ]  # fmt: skip
    assert resizes("generator.up.levels={1: deconv, 4: meta}", "generator.up.inner=subpixel")[::3] == [
        "DeconvResize", "MetaResize",
    ]  # fmt: skip
    assert resizes("generator.up.levels=[null,meta,null,deconv]")[1::2] == ["MetaResize", "DeconvResize"]


def test_a_hybrids_saved_config_needs_no_names(tmp_path: Path) -> None:
    cfg = compose_config("train", ["experiment=scratch", "generator/up=hybrid", "generator.up.levels={2: deconv}"])
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    saved = load_config(tmp_path / "config.yaml")
    assert saved.generator.up.levels["2"].resize._target_.endswith("DeconvResize")
    assert saved.generator.up.inner.fusion._target_.startswith("fontgan.models.fusion.")
    assert count(build_generator(saved, 2)) == count(build_generator(cfg, 2))


@pytest.mark.parametrize("style", ["film_all", "adain_all", "reference"])
def test_every_level_is_conditioned(style: str) -> None:
    network = generator(f"generator/style={style}", "generator.depth=4")
    blocks = [m for m in network.modules() if isinstance(m, UnetSkipConnectionBlock)]
    assert [block.condition is not None for block in blocks] == [
        True,
        True,
        True,
        False,
    ]  # the innermost has the style itself
    plain = generator(f"generator/style={style}", "generator.depth=4", "generator.style.every_level=false")
    assert all(m.condition is None for m in plain.modules() if isinstance(m, UnetSkipConnectionBlock))


def test_references_are_a_set() -> None:
    reader = generator("generator/style=reference").eval().reference_style
    assert reader is not None
    references = torch.rand(1, 5, 32, 32)
    code = reader.embed(references)
    assert torch.allclose(code, reader.embed(references[:, [3, 1, 4, 0, 2]]), atol=1e-6)
    assert torch.allclose(code, reader.embed(torch.cat([references, references], 1)), atol=1e-6)
    assert not torch.allclose(code, reader.embed(references.flip(-1)), atol=1e-6)


def test_a_reference_style_is_remembered_and_added() -> None:
    network = generator("generator/style=reference").eval()
    reader = network.reference_style
    assert reader is not None
    source, references = torch.rand(1, 1, 32, 32), torch.rand(5, 32, 32)
    reader.set_prototype(1, references)
    remembered = network(source, torch.eye(3)[1:2])
    assert torch.allclose(remembered, network(source, references[None]), atol=1e-6)
    assert reader.add(references) == 3
    assert torch.allclose(remembered, network(source, torch.eye(4)[3:4]), atol=1e-6)


def test_encode_gives_the_innermost_map() -> None:
    assert generator().encode(torch.zeros(2, 1, 64, 48)).shape == (2, 16, 8, 6)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["generator.depth=7"], "Use generator.depth=6 or data.size=128"),
        (["generator.depth=10"], "Use generator.depth=6."),
        (["generator.depth=1"], "generator.depth=1: 2 or more"),
        (["generator.attention_levels=[4]"], "levels go from 1 to generator.depth=3"),
        (["generator.dropout=1"], "generator.dropout"),
        (["generator.init=magic"], "normal, kaiming, xavier, torch"),
        (["generator.innermost_stride=4"], "generator.innermost_stride=4: choose one of 1, 2"),
        (
            ["generator/encoder_refine=mbconv", "generator.encoder_refine_levels=[0]"],
            "generator.encoder_refine_levels: no level 0; levels go from 1",
        ),
        (
            ["generator/encoder_refine=mbconv", "generator.encoder_refine.expansion=0"],
            "generator.encoder_refine.expansion=0",
        ),
        (
            ["generator/up/refine=mbconv", "generator.up.refine.norm=layer"],
            "generator.up.refine.norm=layer: choose one of",
        ),
        (
            ["generator/up/resize=carafe", "generator.up.resize.up_kernel=4"],
            "generator.up.resize.up_kernel=4: an odd kernel",
        ),
        (["generator/up/resize=nearest_conv", "generator.up.resize.mode=area"], "bilinear, bicubic, nearest"),
        (
            ["generator/up/resize=deconv", "generator.up.resize.kernel=3"],
            "generator.up.resize.kernel=3: a deconvolution",
        ),
        (
            ["generator/up=hybrid", "generator.up.switch=4"],
            "generator.up.switch: no level 4; levels go from 1 to generator.depth=3",
        ),
        (["generator/up=hybrid", "generator.up.levels={4: gated}"], "generator.up.levels: no level 4"),
        (["generator/up=hybrid", "generator.up.levels={0: gated}"], "0 is no level"),
        (["generator/up=hybrid", "generator.up.levels={2: 3}"], "generator.up.levels.2=3: no such preset"),
        (["generator/up=hybrid", "generator.up.inner=null"], "generator.up.inner=None: no such preset"),
        (
            ["generator.attention_levels=[2]", "generator.attention.head_channels=0"],
            "generator.attention.head_channels=0",
        ),
        (
            ["generator/up/resize=deconv", "generator/up/refine=depthwise_separable", "generator.up.refine.kernel=4"],
            "generator.up.refine.kernel=4",
        ),
        (["generator/style=film", "generator.style.dim=0"], "generator.style.dim=0"),
        (["generator/norm=group", "generator.norm.groups=0"], "groups=0: 1 or more"),
        (
            ["generator/up=hybrid", "generator/up/refine=bottleneck"],
            "generator/up=hybrid has no generator/up/refine of its own",
        ),
        (["generator/attention=linear"], "generator.attention_levels=[] leaves it out"),
        (["generator.encoder_refine_levels=[2]"], "generator/encoder_refine=none leaves it out"),
        (["generator/up=hybrid", "generator.up.levels={x: gated}"], "x is no level"),
        (["generator/up=hybrid", "generator.up.levels=deconv"], "write a map"),
        (["generator/up=hybrid", "generator.up.outer=gate"], "Did you mean gated?"),
        (["generator/up=hybrid", "generator.up.inner=hybrid"], "generator.up.inner=hybrid: no such preset"),
        (["generator/innermost=transformer", "generator.innermost.blocks=0"], "generator.innermost.blocks=0"),
        (["generator/style=cross_attention", "generator.style.tokens=0"], "generator.style.tokens=0"),
        (["generator/style=reference", "generator.style.shots=0"], "generator.style.shots=0"),
    ],
)
def test_impossible_networks_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        generator(*overrides)


@pytest.mark.slow
def test_a_norm_that_meets_a_single_pixel_is_refused_before_training() -> None:
    overrides = ["generator.depth=6", "generator/encoder_refine=mbconv"]
    for norm, batch_size in (("instance", 2), ("group", 2), ("batch", 1)):
        more = [*overrides, f"generator.encoder_refine.norm={norm}", f"trainer.batch_size={batch_size}"]
        with pytest.raises(ConfigError, match="would leave nothing of it"):
            check_single_pixels(compose_config("train", [*SMALL, *more]), generator(*more))
    for fine in ("generator.encoder_refine_levels=[2]", "generator.encoder_refine.norm=batch"):
        more = [*overrides, fine]
        check_single_pixels(compose_config("train", [*SMALL, *more]), generator(*more))


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 96, 128, 192, 256, 384, 512])
def test_every_size_works_with_every_depth_that_fits(size: int) -> None:
    deepest = size.bit_length() - 1
    network = build_generator(
        compose_config(
            "train",
            [
                "experiment=scratch",
                f"data.size={size}",
                f"generator.depth={deepest}",
                "generator.ngf=1",
                "generator/norm=batch",
            ],
        ),
        1,
    ).eval()
    assert network(torch.zeros(1, 1, size, size), torch.ones(1, 1)).shape == (1, 1, size, size)
    with pytest.raises(ConfigError, match="halved"):
        build_generator(
            compose_config("train", ["experiment=scratch", f"data.size={size}", f"generator.depth={deepest + 1}"]), 1
        )


def test_image_from_logits() -> None:
    image = image_from_logits(torch.tensor([-50.0, 0.0, 50.0]))
    assert image.tolist() == pytest.approx([1, 0, -1])


def edge(shift: float, *, blurred: bool) -> torch.Tensor:
    """(1, 1, 32, 32) ink of a page whose left half is black, up to 16 + shift pixels."""
    ink = (torch.arange(32) < 16).float()
    ink[16] = shift
    if blurred:
        ink = torch.nn.functional.avg_pool1d(ink[None], 5, 1, padding=2, count_include_pad=False)[0]
    return ink.expand(1, 1, 32, 32)


@pytest.mark.parametrize("shift", [0.1, 0.3, 0.5, 0.9])
def test_sharpening_narrows_an_edge_where_it_is(shift: float) -> None:
    true, blurred = edge(shift, blurred=False), edge(shift, blurred=True)

    def drawn(ink: torch.Tensor) -> torch.Tensor:
        return ink_from_image(sharp_image_from_logits(torch.logit(ink, eps=0.01), 3.0))

    assert (drawn(blurred) - true).abs().mean() < 0.5 * (blurred - true).abs().mean()
    assert (drawn(true) - true).abs().max() < 0.2  # what is crisp is left as it is, nearly
    logits = torch.randn(9, 1, 8, 8)
    assert torch.equal(sharp_image_from_logits(logits, 1.0), image_from_logits(logits))
    assert sharp_image_from_logits(logits, 3.0).shape == logits.shape


@pytest.mark.parametrize(
    "overrides",
    [
        *([f"discriminator={name}"] for name in choices("discriminator") if name != "none"),
        ["discriminator=patch", "discriminator.head=category"],
    ],
    ids=" ".join,
)
def test_discriminators_judge_patches_and_learn(overrides: list[str]) -> None:
    cfg = compose_config(
        "train", ["experiment=scratch", "loss=ink_gan", "loss.category.weight=0", *overrides]
    ).discriminator
    if "ndf" in cfg:
        cfg.ndf = 4
    judge = build(cfg, "discriminator", styles=3)
    source, glyph = torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64)
    said = judge(source, glyph, torch.eye(3)[:2])
    assert said.logits.shape[:2] == (2, 1)
    assert said.logits.shape[-1] > 1
    assert said.features
    if said.class_logits is not None:
        assert said.class_logits.shape == (2, 3)
    outputs = [part for part in (said.logits, said.class_logits) if part is not None]
    sum(part.square().mean() for part in outputs).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in judge.parameters())
    judge.eval()
    said = judge(source, glyph, torch.eye(3)[:2])
    # Conditional on the source: another source, another verdict; and on the style, by one of the two ways.
    assert not torch.equal(said.logits, judge(source.flip(-1), glyph, torch.eye(3)[:2]).logits)
    by_style = not torch.equal(said.logits, judge(source, glyph, torch.eye(3)[1:]).logits)
    assert by_style == (said.class_logits is None)


def test_there_are_two_discriminators() -> None:
    assert {"none", "patch", "zi2zi"} <= set(choices("discriminator"))
