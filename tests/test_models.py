"""Networks: every combination of the groups builds, keeps the size and learns; the classic one has its known size."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fontgan.build import build, build_generator, choices, compose_config
from fontgan.errors import ConfigError
from fontgan.models.attention import SelfAttention
from fontgan.models.fusion import align_to
from fontgan.models.init import SCHEMES, initialise
from fontgan.models.unet import UnetGenerator, image_from_logits

UPS, STYLES, NORMS = choices("generator/up"), choices("generator/style"), choices("generator/norm")
RESIZES, FUSIONS, REFINES = (choices(f"generator/up/{part}") for part in ("resize", "fusion", "refine"))
SMALL = ["generator.ngf=4", "generator.depth=3", "data.size=64"]


def generator(*overrides: str, styles: int = 3) -> UnetGenerator:
    torch.manual_seed(0)
    return build_generator(compose_config("train", [*SMALL, *overrides]), styles)  # type: ignore[return-value]


def assert_draws_and_learns(network: UnetGenerator, height: int, width: int) -> None:
    source = torch.rand(2, 1, height, width) * 2 - 1
    weights = torch.softmax(torch.randn(2, network.styles), 1)
    logits = network(source, weights)
    assert logits.shape == source.shape
    assert logits.isfinite().all()
    logits.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert parameter.grad.isfinite().all(), name


def test_the_variants_are_found() -> None:
    assert {"deconv", "interpolate_conv", "subpixel", "conv_only", "gated", "resskip"} <= set(UPS)
    assert {"concat", "film", "adain", "none"} <= set(STYLES)
    assert {"batch", "instance", "group"} <= set(NORMS)
    assert {"concat", "add", "gated"} <= set(FUSIONS)
    assert {"none", "resskip_depthwise", "resskip_standard"} <= set(REFINES)
    assert len(RESIZES) >= 4


@pytest.mark.parametrize(("up", "style", "norm"), list(product(UPS, STYLES, NORMS)))
def test_every_preset_with_every_style_and_norm(up: str, style: str, norm: str) -> None:
    assert_draws_and_learns(
        generator(f"generator/up={up}", f"generator/style={style}", f"generator/norm={norm}"), 16, 24
    )


@pytest.mark.parametrize(("resize", "fusion", "refine"), list(product(RESIZES, FUSIONS, REFINES)))
def test_every_combination_of_parts(resize: str, fusion: str, refine: str) -> None:
    parts = [f"generator/up/resize={resize}", f"generator/up/fusion={fusion}", f"generator/up/refine={refine}"]
    assert_draws_and_learns(generator(*parts), 17, 21)  # odd sides: maps that do not line up by a pixel


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_combinations(data: st.DataObject) -> None:
    depth = data.draw(st.integers(2, 5))
    overrides = [
        f"generator/up={data.draw(st.sampled_from(UPS))}",
        f"generator/up/resize={data.draw(st.sampled_from(RESIZES))}",
        f"generator/up/fusion={data.draw(st.sampled_from(FUSIONS))}",
        f"generator/up/refine={data.draw(st.sampled_from(REFINES))}",
        f"generator/style={data.draw(st.sampled_from(STYLES))}",
        f"generator/norm={data.draw(st.sampled_from(NORMS))}",
        f"generator.ngf={data.draw(st.integers(2, 6))}",
        f"generator.depth={depth}",
        f"generator.dropout={data.draw(st.sampled_from([0.0, 0.5]))}",
        f"generator.attention_levels={data.draw(st.lists(st.integers(1, depth), max_size=2, unique=True))}",
        f"generator.head_channels={data.draw(st.sampled_from([0, 3]))}",
        f"generator.init={data.draw(st.sampled_from(SCHEMES))}",
    ]
    side = st.integers(2 ** (depth + 1), 2 ** (depth + 1) + 9)  # at least 2 pixels at the last normalised level
    assert_draws_and_learns(
        generator(*overrides, styles=data.draw(st.integers(1, 4))), data.draw(side), data.draw(side)
    )


@pytest.mark.parametrize("resize", RESIZES)
def test_resize_doubles_the_map(resize: str) -> None:
    part = build(compose_config("train", [f"generator/up/resize={resize}"]).generator.up.resize, "resize")(6, 4)
    y = part(torch.randn(2, 6, 5, 7))  # unequal sides catch swapped axes
    assert y.shape == (2, 4, 10, 14)


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
    nn.init.normal_(network.unet.inside.inside.inside.table.rows)  # type: ignore[union-attr, arg-type]
    source = torch.rand(1, 1, 32, 32)
    one, other, mixed = (
        network(source, torch.tensor([weights])) for weights in ([1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0])
    )
    assert not torch.equal(one, other)
    assert not torch.equal(mixed, one)
    assert not torch.equal(mixed, other)


def test_without_style_conditioning_all_styles_are_one() -> None:
    network = generator("generator/style=none").eval()
    source = torch.rand(1, 1, 32, 32)
    assert torch.equal(network(source, torch.tensor([[1.0, 0, 0]])), network(source, torch.tensor([[0, 1.0, 0]])))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("resize", ["subpixel", "conv_only"])
def test_icnr_survives_every_global_initialisation(resize: str, scheme: str) -> None:
    part = build(compose_config("train", [f"generator/up/resize={resize}"]).generator.up.resize, "resize")(6, 4)
    initialise(part, scheme)
    conv = part.conv if resize == "subpixel" else part.expand
    groups = conv.weight.view(4, 4, *conv.weight.shape[1:])  # (channel, place in the 2x2 patch, ...)
    assert torch.equal(groups, groups[:, :1].expand_as(groups))
    assert groups.std() > 0
    shuffled = part.shuffle(conv(torch.randn(1, 6, 5, 5)))
    assert torch.allclose(shuffled[..., ::2, ::2], shuffled[..., 1::2, 1::2])


def test_without_icnr_the_phases_differ() -> None:
    overrides = ["generator/up/resize=subpixel", "generator.up.resize.icnr=false"]
    part = build(compose_config("train", overrides).generator.up.resize, "resize")(6, 4)
    shuffled = part.shuffle(part.conv(torch.randn(1, 6, 5, 5)))
    assert not torch.allclose(shuffled[..., ::2, ::2], shuffled[..., 1::2, 1::2], atol=1e-2)


def test_depthwise_is_really_depthwise() -> None:
    refine = build(compose_config("train", ["generator/up/refine=resskip_depthwise"]).generator.up.refine, "refine")(
        8, 8
    )
    assert refine.body[0].groups == 8
    assert refine.body[0].weight.numel() == 8 * 9


def test_align_crops_and_pads_the_last_row_and_column() -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert torch.equal(align_to(x, 2, 3), x[..., :2, :])
    padded = align_to(x, 4, 4)
    assert torch.equal(padded[..., :3, :3], x)
    assert torch.equal(padded[..., 3, :3], x[..., 2, :])


def test_attention_begins_as_the_identity() -> None:
    plain, attending = generator().eval(), generator("generator.attention_levels=[2,3]").eval()
    missing, unexpected = attending.load_state_dict(plain.state_dict(), strict=False)
    assert missing
    assert not unexpected
    source, weights = torch.rand(1, 1, 32, 32), torch.eye(3)[:1]
    assert torch.equal(plain(source, weights), attending(source, weights))
    for module in attending.modules():
        if isinstance(module, SelfAttention):
            torch.nn.init.ones_(module.gain)
    assert not torch.equal(plain(source, weights), attending(source, weights))


def test_encode_gives_the_innermost_map() -> None:
    assert generator().encode(torch.zeros(2, 1, 64, 48)).shape == (2, 16, 8, 6)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["generator.depth=7"], "Use generator.depth=6 or data.size=128"),
        (["generator.depth=10"], "Use generator.depth=6."),
        (["generator.depth=1"], "at least 2"),
        (["generator.attention_levels=[4]"], "levels go from 1 to generator.depth=3"),
        (["generator.dropout=1"], "generator.dropout"),
        (["generator.init=magic"], "normal, kaiming, xavier, torch"),
    ],
)
def test_impossible_networks_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        generator(*overrides)


@pytest.mark.parametrize("size", [64, 96, 128, 192, 256, 384, 512])
def test_every_size_works_with_every_depth_that_fits(size: int) -> None:
    deepest = size.bit_length() - 1
    network = build_generator(
        compose_config(
            "train", [f"data.size={size}", f"generator.depth={deepest}", "generator.ngf=1", "generator/norm=batch"]
        ),
        1,
    ).eval()
    assert network(torch.zeros(1, 1, size, size), torch.ones(1, 1)).shape == (1, 1, size, size)
    with pytest.raises(ConfigError, match="halved"):
        build_generator(compose_config("train", [f"data.size={size}", f"generator.depth={deepest + 1}"]), 1)


def test_image_from_logits() -> None:
    image = image_from_logits(torch.tensor([-50.0, 0.0, 50.0]))
    assert image.tolist() == pytest.approx([1, 0, -1])


@pytest.mark.parametrize("name", [d for d in choices("discriminator") if d != "none"])
@pytest.mark.parametrize("head", ["projection", "category"])
def test_discriminators_judge_patches_and_learn(name: str, head: str) -> None:
    overrides = [f"discriminator={name}", "discriminator.ndf=4"] + (
        [f"discriminator.head={head}"] if name == "patch" else []
    )
    judge = build(compose_config("train", overrides).discriminator, "discriminator", styles=3)
    source, glyph = torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64)
    verdict = judge(source, glyph, torch.eye(3)[:2])
    assert verdict.realness.shape[:2] == (2, 1)
    assert verdict.realness.shape[-1] > 1
    has_category = name == "zi2zi" or head == "category"
    assert (verdict.category is not None) == has_category
    total = verdict.realness.mean() + (verdict.category.square().mean() if has_category else 0)
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in judge.parameters())
    # Conditional on the source: another source, another verdict.
    assert not torch.equal(
        judge.eval()(source, glyph, torch.eye(3)[:2]).realness, judge(source.flip(-1), glyph, torch.eye(3)[:2]).realness
    )
    if head == "projection" and name == "patch":
        assert not torch.equal(
            judge(source, glyph, torch.eye(3)[:2]).realness, judge(source, glyph, torch.eye(3)[1:]).realness
        )


def test_there_are_two_discriminators() -> None:
    assert {"none", "patch", "zi2zi"} <= set(choices("discriminator"))
