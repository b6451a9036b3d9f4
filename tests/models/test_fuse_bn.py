"""Folding batch norm into convolutions: the same pictures, the original as it was."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from torch import nn

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, variants
from fontgan.config.instantiate import build_generator
from fontgan.models.fuse_bn import cast_convolutions, fuse_conv_bn
from fontgan.models.unet import UnetGenerator

STYLES = 2
SMALL = ("experiment=scratch", "generator.ngf=8", "generator.depth=4", "generator/norm=batch", "generator.init=kaiming")


def trained_like(*overrides: str) -> UnetGenerator:
    """A small generator whose batch norms hold what a training could have left there."""
    torch.manual_seed(0)
    generator = build_generator(compose_config("train", [*SMALL, *overrides]), STYLES)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 3)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return generator.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def draw(network: nn.Module, side: tuple[int, int] = (48, 32)) -> torch.Tensor:
    source = torch.randn(3, 1, *side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network(source, torch.eye(STYLES)[[0, 1, 0]])


@cache
def batch_norm_settings() -> list[str]:
    """Every preset of the up path, every resize, and every refinement with batch norm of its own in place of its norm."""
    normed = [name for name, file in variants("generator/up/refine").items() if "\nnorm:" in file.read_text("utf-8")]
    return [
        *(f"generator/up={name}" for name in choices("generator/up")),
        *(f"generator/up/resize={name}" for name in choices("generator/up/resize")),
        *(f"generator/up/refine={name} generator.up.refine.norm=batch" for name in normed),
    ]


@pytest.mark.thinned(6)
@pytest.mark.parametrize("setting", batch_norm_settings())
def test_a_folded_generator_draws_the_same(setting: str) -> None:
    generator = trained_like(*setting.split())
    before = copy.deepcopy(generator.state_dict())
    plain, ready = draw(generator), fuse_conv_bn(generator)
    assert norms(ready) < norms(generator)
    assert not ready.training
    assert plain.std() > 0.01, "a flat picture would agree with anything"
    assert (draw(ready) - plain).abs().max() < 1e-4 * max(1.0, float(plain.abs().max()))
    after = generator.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(draw(generator), plain)


def test_there_are_settings_of_both_kinds() -> None:
    assert len(batch_norm_settings()) >= 16 + 9 + 8


def test_all_norms_of_the_classic_network_are_folded() -> None:
    """Of four levels, two have a norm on the way down and three on the way up."""
    generator = trained_like("generator/up=deconv")
    assert norms(generator) == 5
    ready = fuse_conv_bn(generator)
    assert norms(ready) == 0
    assert isinstance(ready.unet.submodule, nn.Module)


@pytest.mark.parametrize("side", [(48, 32), (45, 39)])
def test_sizes_that_halve_unevenly_fold_too(side: tuple[int, int]) -> None:
    generator = trained_like("generator/up=blur_subpixel")
    assert (draw(fuse_conv_bn(generator), side) - draw(generator, side)).abs().max() < 1e-4


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_norms_that_look_at_the_map_stay(norm: str) -> None:
    generator = trained_like(f"generator/norm={norm}")
    assert torch.equal(draw(fuse_conv_bn(generator)), draw(generator))


def test_norms_whose_resize_predicts_its_weights_stay() -> None:
    assert norms(fuse_conv_bn(trained_like("generator/up=carafe"))) == 3  # the way up keeps them, the way down does not


def test_norms_after_an_activation_stay() -> None:
    norm = nn.BatchNorm2d(8)
    generator = trained_like()
    generator.unet.down.append(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), norm.eval()))
    norm.running_mean = torch.ones(8)
    ready = fuse_conv_bn(generator)
    assert isinstance(ready.unet.down[-1][2], nn.BatchNorm2d)  # type: ignore[index]
    assert (draw(ready) - draw(generator)).abs().max() < 1e-4


@pytest.mark.parametrize("style", ["film", "reference"])
def test_the_mode_of_the_original_is_left_alone(style: str) -> None:
    generator = trained_like("generator.dropout=0.5", f"generator/style={style}").train()
    ready = fuse_conv_bn(generator)
    assert all(module.training for module in generator.modules())
    shared = set(generator.reference_style.modules()) if generator.reference_style is not None else set()
    assert bool(shared) == (style == "reference")
    assert not any(module.training for module in ready.modules() if module not in shared)


def test_casting_beforehand_gives_what_autocast_gives() -> None:
    generator = trained_like("generator/style=reference")
    ready = fuse_conv_bn(generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        by_autocast = draw(ready)
    cast_convolutions(ready, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(draw(ready), by_autocast)
    assert all(parameter.dtype == torch.float32 for parameter in generator.parameters())
    assert generator.reference_style is not None
    assert ready.reference_style is generator.reference_style
    assert sum(p.dtype == torch.bfloat16 for p in ready.parameters()) > 5
