"""Losses against values computed by hand."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from fontgan import losses
from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, config_folder
from fontgan.config.instantiate import build, build_generator, build_objective
from fontgan.config.targets import locate
from fontgan.data.batches import GlyphBatch
from fontgan.errors import ConfigError
from fontgan.models.discriminator import DiscriminatorOutput, PatchDiscriminator
from fontgan.models.glyph_encoder import LOSS_WEIGHTS, WEIGHTS, feature_distance, glyph_encoder
from fontgan.runtime.device import autocast
from fontgan.training.budget import step_flops
from fontgan.training.objective import Objective, Term
from fontgan.training.step import TrainStep
from fontgan.values import image_from_logits, ink_from_image
from tests.helpers import TINY, on_meta

PAPER, INK = 1.0, -1.0


def page(*ink_pixels: tuple[int, int], side: int = 4) -> torch.Tensor:
    image = torch.full((1, 1, side, side), PAPER)
    for row, column in ink_pixels:
        image[0, 0, row, column] = INK
    return image


def test_l1_counts_the_full_range_as_two() -> None:
    assert float(losses.l1(page((0, 0)), page())) == pytest.approx(2 / 16)


def test_ink_bce() -> None:
    assert float(losses.ink_bce(torch.zeros(1, 1, 4, 4), page((0, 0)))) == pytest.approx(math.log(2))
    sure_of_paper = torch.full((1, 1, 4, 4), -10.0)
    assert float(losses.ink_bce(sure_of_paper, page((0, 0)))) == pytest.approx(10 / 16, rel=1e-3)


def test_soft_dice() -> None:
    two, half = page((0, 0), (0, 1)), page((0, 0))
    assert float(losses.soft_dice(two, two)) == pytest.approx(0)
    assert float(losses.soft_dice(half, two)) == pytest.approx(1 - (2 * 1 + 1) / (1 + 2 + 1))
    assert float(losses.soft_dice(page(), page())) == pytest.approx(0)


def test_sobel_is_the_convolution_it_stands_for() -> None:
    ink = torch.rand(2, 1, 9, 7)
    x = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    expected = F.conv2d(F.pad(ink, (1, 1, 1, 1), mode="replicate"), torch.stack([x, x.T])[:, None])
    assert torch.allclose(losses.sobel(ink), expected, atol=1e-6)


def test_edge_of_a_step() -> None:
    step = torch.full((1, 1, 4, 4), PAPER)
    step[..., 2:] = INK
    slopes = losses.sobel(ink_from_image(step))
    # Ink rises by 1 between columns 1 and 2; the Sobel slope spreads it over both, half each.
    assert slopes[0, 0, 0].tolist() == pytest.approx([0, 0.5, 0.5, 0])
    assert float(losses.edge(step, torch.full_like(step, PAPER))) == pytest.approx(0.5 * 8 / 32)


def test_edge_at_several_scales() -> None:
    step = torch.full((1, 1, 4, 4), PAPER)
    step[..., 2:] = INK
    # Half the size: two columns, paper and ink, with a horizontal slope of 0.5 at each of four pixels.
    expected = (0.5 * 8 / 32 + 0.5 * 4 / 8) / 2
    assert float(losses.edge(step, torch.full_like(step, PAPER), scales=2)) == pytest.approx(expected)


def test_total_variation() -> None:
    # One of twelve pairs in the rows, one of twelve in the columns.
    assert float(losses.total_variation(page((0, 0)))) == pytest.approx(2 / 12)
    assert float(losses.total_variation(page())) == 0


def test_feature_distance() -> None:
    def vector(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)

    # (0.6, 0.8) to (1, 0): 0.16 + 0.64; opposite vectors: 4.
    drawn, truth = [vector(3, 4), vector(5, 0)], [vector(2, 0), vector(-1, 0)]
    assert feature_distance(drawn, truth).tolist() == pytest.approx([(0.8 + 4) / 2])


@pytest.mark.parametrize("side", [64, 96])
def test_perceptual_is_a_loss_on_frozen_features(side: int) -> None:
    real = page(*((row, column) for row in range(10, 50) for column in range(30, 34)), side=side)
    near = page(*((row, column) for row in range(10, 50) for column in range(31, 35)), side=side)
    fake = F.avg_pool2d(real, 5, 1, 2).requires_grad_()
    assert float(losses.perceptual(real, real)) == 0
    assert 0 < float(losses.perceptual(near, real)) < float(losses.perceptual(page(side=side), real))
    descent = torch.optim.Adam([fake], 0.05)
    found = []
    for _ in range(15):
        loss = losses.perceptual(fake, real)
        descent.zero_grad()
        loss.backward()
        descent.step()
        found.append((loss.item(), float(losses.l1(fake.detach().clamp(INK, PAPER), real))))
    assert found[-1][0] < 0.5 * found[0][0]
    assert found[-1][1] < found[0][1]  # the pixels come closer too
    encoder = glyph_encoder(LOSS_WEIGHTS, fake.device)
    assert not encoder.training
    assert not any(p.requires_grad or p.grad is not None for p in encoder.parameters())


def test_loading_the_encoder_leaves_the_random_state_alone() -> None:
    glyph_encoder.cache_clear()
    before = torch.get_rng_state()
    losses.perceptual(page(side=64), page(side=64))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_encoder_of_the_loss_is_not_the_one_that_measures() -> None:
    ours, theirs = load_file(LOSS_WEIGHTS), load_file(WEIGHTS)
    assert ours.keys() == theirs.keys()
    learned = [name for name in ours if name.endswith("weight")]
    assert len(learned) > 10
    for name in learned:
        together = torch.stack([ours[name].flatten(), theirs[name].flatten()])
        assert together.shape[1] < 100 or abs(float(torch.corrcoef(together)[0, 1])) < 0.5, name


def test_constancy() -> None:
    assert float(losses.constancy(torch.zeros(1, 2, 1, 1), torch.tensor([1.0, 3.0]).view(1, 2, 1, 1))) == pytest.approx(
        5
    )


def test_adversarial_losses() -> None:
    real, fake = (DiscriminatorOutput(torch.tensor([[[[value]]]]), None) for value in (0.5, -2.0))
    assert float(losses.hinge_d(real, fake)) == pytest.approx(0.5)
    assert float(losses.hinge_g(fake)) == pytest.approx(2.0)
    assert float(losses.non_saturating_d(real, fake)) == pytest.approx(
        math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(-2))
    )
    assert float(losses.non_saturating_g(fake)) == pytest.approx(math.log(1 + math.exp(2)))
    assert float(losses.least_squares_d(real, fake)) == pytest.approx(0.5 * (0.5**2 + 2**2))
    assert float(losses.least_squares_g(fake)) == pytest.approx(0.5 * 3**2)
    assert float(losses.relativistic_d(real, fake)) == pytest.approx(math.log(1 + math.exp(-2.5)))
    assert float(losses.relativistic_g(fake, real)) == pytest.approx(math.log(1 + math.exp(2.5)))


@pytest.mark.parametrize("kind", losses.GAN_LOSSES)
def test_every_gan_loss_parts_real_from_fake_and_pulls_fake_to_real(kind: str) -> None:
    values = torch.tensor([0.5, 0.5], requires_grad=True)
    real, fake = (DiscriminatorOutput(value.view(1, 1, 1, 1), None) for value in values)
    given, term = {"d_real": real, "d_fake": fake}, Term("gan", losses.GanLoss(kind=kind))
    objective = Objective([term])
    (slope,) = torch.autograd.grad(objective.discriminator_losses(given, 0)["d_gan"], values, retain_graph=True)
    assert slope[0] < 0 < slope[1]
    (slope,) = torch.autograd.grad(objective.generator_losses(given, 0)["gan"], values)
    assert slope[1] < 0


def test_feature_matching() -> None:
    drawn = torch.tensor([[1.0, 3.0]], requires_grad=True)
    true = torch.tensor([[0.0, 0.0]], requires_grad=True)
    fake = DiscriminatorOutput(torch.zeros(1, 1, 1, 1), None, (drawn, torch.zeros(1, 4)))
    real = DiscriminatorOutput(torch.zeros(1, 1, 1, 1), None, (true, torch.ones(1, 4)))
    loss = losses.feature_matching(fake, real)
    assert loss.item() == pytest.approx((2 + 1) / 2)
    loss.backward()
    assert drawn.grad is not None
    assert true.grad is None
    with pytest.raises(ValueError, match="gives no features"):
        losses.feature_matching(DiscriminatorOutput(drawn, None), DiscriminatorOutput(true, None))


def test_r1() -> None:
    glyph = torch.ones(3, 1, 1, 2, requires_grad=True)
    slopes = torch.tensor([3.0, 4.0], requires_grad=True)
    patches = slopes * glyph  # two patches a glyph, each of one pixel
    one_patch = losses.r1(glyph, DiscriminatorOutput(patches.sum(dim=3, keepdim=True), None))
    assert one_patch.item() == pytest.approx((3**2 + 4**2) / 2)
    assert losses.r1(glyph, DiscriminatorOutput(patches, None)).item() == pytest.approx((3**2 + 4**2) / 2 / 2)
    one_patch.backward()
    assert slopes.grad is not None
    assert slopes.grad.tolist() == pytest.approx([3, 4])


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_patch_is_as_wide_as_the_docstring_says(layers: int) -> None:
    said = re.search(r"layers: .*; ([\d, ]+) make the patch ([\d, ]+) px wide", PatchDiscriminator.__doc__ or "")
    assert said is not None
    judge = PatchDiscriminator(1, ndf=2, layers=layers, spectral_norm=False).double()
    with torch.no_grad():
        for p in judge.parameters():
            p.fill_(0.1)  # nothing cancels
    glyph = torch.ones(1, 1, 192, 192, dtype=torch.float64, requires_grad=True)
    logits = judge(glyph, glyph, torch.ones(1, 1, dtype=torch.float64)).logits
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], glyph)
    widths = dict(zip(*(map(int, numbers.split(", ")) for numbers in said.groups()), strict=True))
    assert int((gradient[0, 0] != 0).any(dim=0).sum()) == widths[layers]


def test_category() -> None:
    verdict = DiscriminatorOutput(torch.zeros(1, 1, 1, 1), torch.tensor([[2.0, 0.0]]))
    assert float(losses.category(verdict, torch.tensor([[1.0, 0.0]]))) == pytest.approx(math.log(1 + math.exp(-2)))
    with pytest.raises(ValueError, match="no category head"):
        losses.category(DiscriminatorOutput(torch.zeros(1, 1, 1, 1), None), torch.tensor([[1.0, 0.0]]))


def test_a_blank_page_is_punished_harder_than_by_l1_alone() -> None:
    """Why the ink loss exists: on a blank page the gradient towards ink through L1 has faded."""
    target = page((1, 1), (1, 2), (2, 1), side=8)
    for name, loss in (("l1", losses.l1), ("bce", losses.ink_bce)):
        logits = torch.full_like(target, -8.0, requires_grad=True)
        (loss(image_from_logits(logits), target) if name == "l1" else loss(logits, target)).backward()
        assert logits.grad is not None
        pull = -float(logits.grad[0, 0, 1, 1])
        assert (pull > 1e-2) == (name == "bce")


# -- weights and schedules ------------------------------------------------------------------


def of_glyph(target: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"logits": torch.zeros_like(target), "fake": torch.zeros_like(target), "target": target}


def test_a_term_acts_from_start_to_end_and_fades() -> None:
    term = Term("x", losses.l1, weight=2, start=0.2, end=0.8, fade_in=0.2, fade_out=0.4)
    shares = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.79, 0.8, 1.0)
    assert [term.weight_at(share) for share in shares] == pytest.approx([0, 0, 1, 2, 1.5, 1, 0.05, 0, 0])
    assert [Term("x", losses.l1).weight_at(share) for share in (0.0, 0.5, 1.0)] == [1, 1, 1]


def test_cross_entropy_hands_over_to_l1() -> None:
    given = of_glyph(page((0, 0)))
    objective = Objective(
        [Term("ink_bce", losses.ink_bce, end=0.5, fade_out=0.5), Term("l1", losses.l1, weight=2, fade_in=0.5)]
    )
    assert set(objective.generator_losses(given, 0.0)) == {"ink_bce"}
    middle = objective.generator_losses(given, 0.25)
    assert float(middle["ink_bce"]) == pytest.approx(0.5 * math.log(2))
    assert float(middle["l1"]) == pytest.approx(0.5 * 2 * 1.0)
    assert set(objective.generator_losses(given, 0.5)) == {"l1"}


def test_terms_that_start_later_or_are_done_are_not_computed() -> None:
    objective = Objective([Term("l1", losses.l1), Term("dice", losses.soft_dice, start=0.5)])
    assert set(objective.generator_losses(of_glyph(page()), 0.4)) == {"l1"}
    assert set(objective.generator_losses(of_glyph(page()), 0.6, done=["l1"])) == {"dice"}
    assert objective.phases() == [(0.0, 0.5), (0.5, 1.0)]


def test_the_discriminator_starts_when_told() -> None:
    objective = Objective([Term("l1", losses.l1), Term("gan", losses.GanLoss(), start=0.4)])
    assert [objective.discriminator_at_work(share) for share in (0.0, 0.39, 0.4, 1.0)] == [False, False, True, True]
    assert not Objective([Term("l1", losses.l1)]).discriminator_at_work(1.0)


def test_what_a_term_needs_is_read_from_its_parameters() -> None:
    terms = {node: Term(node, function) for node, function in TERMS.items()}
    assert {name for name, term in terms.items() if term.asks_discriminator} == {
        "adversarial", "category", "feature_matching", "r1",
    }  # fmt: skip
    assert {name for name, term in terms.items() if term.is_penalty} == {"r1"}
    assert {name for name, term in terms.items() if term.trains_discriminator} == {"adversarial", "category"}
    assert {"total_variation", "constancy", "category"}.isdisjoint(name for name, term in terms.items() if term.draws)

    def depth(fake: torch.Tensor, depth_map: torch.Tensor) -> torch.Tensor:
        return fake

    with pytest.raises(
        ValueError, match=r"loss\.x: takes depth_map, which a training step does not have\. It has d_fake"
    ):
        Term("x", depth)


def preset(name: str) -> DictConfig:
    """With a discriminator if it takes one."""
    try:
        return compose_config("train", ["experiment=scratch", f"loss={name}", "discriminator=patch"]).loss
    except ConfigError:
        return compose_config("train", ["experiment=scratch", f"loss={name}", "discriminator=none"]).loss


PRESETS = {name: preset(name) for name in choices("loss")}
TERMS = {
    str(name): target() if isinstance(target := locate(f"loss.{name}", node["_target_"]), type) else target
    for name, node in PRESETS["ink"].items()
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_and_has_every_term(name: str) -> None:
    assert list(PRESETS[name]) == list(TERMS)
    assert {term.name for term in build_objective(PRESETS[name]).terms} == {
        term for term, node in PRESETS[name].items() if node.weight
    }


def test_zi2zi_weights_are_the_published_ones() -> None:
    loss = PRESETS["zi2zi"]
    assert {name: node.weight for name, node in loss.items() if node.weight} == {
        "l1": 100, "constancy": 15, "adversarial": 1, "category": 1,
    }  # fmt: skip
    assert loss.adversarial.kind == "bce"
    assert len(PRESETS) >= 3


def test_the_file_of_terms_names_every_gan_loss() -> None:
    text = (config_folder() / "loss" / "_terms.yaml").read_text(encoding="utf-8")
    assert all(kind in text for kind in losses.GAN_LOSSES)


ALONE = ("loss=ink", "discriminator=none")


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        *(([f"loss.{name}.weight=-1"], f"loss.{name}.weight=-1.0: 0 or more is needed") for name in TERMS),
        (["loss.l1.start=1"], "loss.l1.start=1.0: 0 or more and below 1 is needed"),
        (["loss.dice.start=0.5", "loss.dice.end=0.5"], "loss.dice: acts from 0.5 to 0.5"),
        (["loss.dice.fade_in=0.6", "loss.dice.end=0.5"], "fades in over 0.6"),
        (["loss.l1=10"], "Write loss.l1.weight=..."),
        (["loss.l1.real=1"], "loss.l1.real: no such config key"),
        (["+loss.l1.target=1"], "loss.l1.target: no such config key"),
        (["loss.adversarial.kind=wgan"], f"loss.adversarial.kind=wgan: choose one of {', '.join(losses.GAN_LOSSES)}"),
        (["loss.edge.scales=6"], "loss.edge.scales=6: 1 to 5"),
        (["loss.edge.scales=0"], "loss.edge.scales=0: 1 to 5"),
        (["loss.r1.weight=1", "loss.adversarial.weight=0", "discriminator=none"], "loss.r1.weight=1: would never be used"),
        (["loss.feature_matching.weight=1", *ALONE], "nothing trains the discriminator"),
        (["loss.feature_matching.weight=1", "discriminator=none"], "discriminator=none"),
        (["loss.category.weight=1", "discriminator=patch"], "loss.category: the discriminator has no category head"),
        (["discriminator.layers=9"], "discriminator: cannot take images of data.size=64"),
        (["loss=ink"], "discriminator: would never be used"),
        (["loss.edge.weight=0", "loss.edge.scales=3"], "loss.edge.scales=3: would never be used"),
        ([*ALONE, "loss.adversarial.kind=relativistic"], "loss.adversarial.kind=relativistic: would never be used"),
        ([*ALONE, "loss.adversarial.start=0.5"], "loss.adversarial.start=0.5: would never be used"),
        (["loss.l1.fade_in=0.7", "loss.l1.weight=0"], "loss.l1.fade_in=0.7: would never be used"),
        ([*ALONE, *(f"loss.{name}.weight=0" for name in ("ink_bce", "l1", "dice", "edge"))], "nothing draws the glyph"),
        ([*ALONE, *(f"loss.{name}.weight=0" for name in ("ink_bce", "dice", "edge"))], "at 0 of the training nothing draws"),
    ],
)  # fmt: skip
def test_what_cannot_be_or_would_never_be_used_is_refused_in_one_line(
    settings: list[str], says: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert says in refused("train", *TINY, *settings, f"out={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


# -- in training ----------------------------------------------------------------------------

JUDGED = (*TINY, "loss=ink_gan", "loss.adversarial.start=0", "discriminator=patch", "discriminator.ndf=4")


@pytest.fixture(scope="module")
def batches() -> list[GlyphBatch]:
    _, _, sampler = build_parts(compose_config("train", [*TINY]), torch.device("cpu"), "fp32")
    return [sampler.batch(index) for index in range(2)]


def make_step(*settings: str, precision: str = "fp32") -> TrainStep:
    cfg = compose_config("train", [*JUDGED, *settings])
    torch.manual_seed(0)
    generator, judge = build_generator(cfg, 3), build(cfg.discriminator, "discriminator", styles=3)
    return TrainStep(
        generator,
        judge,
        build_objective(cfg.loss),
        optimiser_g=torch.optim.Adam(generator.parameters(), 1e-3),
        optimiser_d=torch.optim.Adam(judge.parameters(), 1e-3),
        autocast=autocast(torch.device("cpu"), precision),
    )


def weights(step: TrainStep) -> list[torch.Tensor]:
    assert step.discriminator is not None
    return [p.detach().clone() for net in (step.generator, step.discriminator) for p in net.parameters()]


def train(step: TrainStep, batches: list[GlyphBatch]) -> dict[str, float]:
    """One step on each batch. Returns: what the last of them reports; fails if anything is not finite."""
    for index, batch in enumerate(batches):
        report = step([batch], 0.25, index)
    assert all(value.isfinite() for value in report.values())
    assert all(tensor.isfinite().all() for tensor in weights(step))
    return {name: float(value) for name, value in report.items()}


@pytest.fixture(scope="module")
def plain(batches: list[GlyphBatch]) -> list[torch.Tensor]:
    """Weights after a training with none of the terms that are 0 in the config."""
    step = make_step("discriminator.head=category")
    assert set(train(step, batches)) == {"ink_bce", "l1", "dice", "edge", "adversarial", "d_adversarial"}
    return weights(step)


@pytest.mark.parametrize("name", TERMS)
def test_every_term_acts_in_training(name: str, batches: list[GlyphBatch], plain: list[torch.Tensor]) -> None:
    step = make_step("discriminator.head=category", f"loss.{name}.weight=0.7")
    assert {name, f"d_{name}"} & set(train(step, batches))
    assert any(not torch.equal(ours, theirs) for ours, theirs in zip(weights(step), plain, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("discriminator", [name for name in choices("discriminator") if name != "none"])
@pytest.mark.parametrize("gan", losses.GAN_LOSSES)
def test_every_gan_loss_trains_both_networks_in_bf16(gan: str, discriminator: str, batches: list[GlyphBatch]) -> None:
    terms = ["loss.feature_matching.weight=1", "loss.r1.weight=1", "loss.perceptual.weight=1"]
    step = make_step(f"loss.adversarial.kind={gan}", f"discriminator={discriminator}", *terms, precision="bf16")
    before = weights(step)
    report = train(step, batches)
    assert {"adversarial", "d_adversarial", "feature_matching", "d_r1", "perceptual"} <= set(report)
    # A bias right before a batch norm has no effect, hence most and not all.
    moved = [not torch.equal(old, new) for old, new in zip(before, weights(step), strict=True)]
    assert sum(moved) > 0.8 * len(moved)
    assert step.discriminator is not None
    assert all(p.requires_grad and p.dtype == torch.float32 for p in step.discriminator.parameters())


@pytest.mark.parametrize("discriminator", [name for name in choices("discriminator") if name != "none"])
def test_r1_takes_the_slope_of_each_glyph_by_itself(discriminator: str, batches: list[GlyphBatch]) -> None:
    slopes = []

    def spy(target_with_grad: torch.Tensor, d_real_with_grad: DiscriminatorOutput) -> torch.Tensor:
        (slope,) = torch.autograd.grad(d_real_with_grad.logits[0].sum(), target_with_grad, retain_graph=True)
        slopes.append(slope)
        return losses.r1(target_with_grad, d_real_with_grad)

    step = make_step(f"discriminator={discriminator}", "loss.r1.weight=1")
    (penalty,) = (term for term in step.objective.terms if term.is_penalty)
    penalty.discriminator = spy
    train(step, batches)
    for slope in slopes:
        assert slope[0].abs().sum() > 0
        assert not slope[1:].any()
    assert step.discriminator is not None
    assert all(module.training for module in step.discriminator.modules())


def operations(step: TrainStep) -> float:
    return step_flops(*on_meta(step), step.objective, size=64, batch_size=4, accumulate=1)


@cache
def operations_of_no_more() -> float:
    return operations(make_step())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "dearer"),
    [
        *(([f"loss.adversarial.kind={kind}"], kind == "relativistic") for kind in losses.GAN_LOSSES),
        (["loss.feature_matching.weight=1"], True),
        (["loss.r1.weight=1"], True),
        (["loss.perceptual.weight=1"], True),
        (["loss.total_variation.weight=1", "loss.edge.scales=3"], False),
    ],
)
def test_operations_of_every_term_are_counted(settings: list[str], dearer: bool, batches: list[GlyphBatch]) -> None:
    step = make_step(*settings)
    counted = operations(step)
    assert (counted > operations_of_no_more()) == dearer
    with FlopCounterMode(display=False) as counter:
        step([batches[0]], 1.0, 0)
    assert counted == pytest.approx(counter.get_total_flops(), rel=1e-6)


@pytest.mark.slow
def test_the_term_that_the_page_adds_is_trained_with(tmp_path: Path) -> None:
    """Its function and its preset are put into a copy of the package, its command run there with a smaller training."""
    root = config_folder().parent
    page = (root / "docs" / "reference" / "losses.md").read_text(encoding="utf-8").partition("\n## Your own term\n")[2]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", page.partition("\n## ")[0], re.MULTILINE | re.DOTALL))
    assert set(blocks) == {"python", "yaml", "sh"}
    for folder in ("fontgan", "configs"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "fontgan" / "losses.py").open("a", encoding="utf-8") as file:
        file.write(blocks["python"])
    (tmp_path / blocks["yaml"].split()[1]).write_text(blocks["yaml"], encoding="utf-8")
    command = [sys.executable, "-m", *shlex.split(blocks["sh"]), *TINY, "trainer.log_every=1"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "ink_amount"
    assert OmegaConf.load(run / "config.yaml").loss.ink_amount.power == 2
    assert any(b"loss/ink_amount" in file.read_bytes() for file in run.rglob("events.*"))
