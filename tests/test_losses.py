"""Losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from fontgan import losses
from fontgan.build import build, choices, compose_config
from fontgan.models.discriminator import Verdict
from fontgan.models.unet import image_from_logits
from fontgan.training.objective import Objective

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
    slopes = losses.sobel(losses.ink_of(step))
    # Ink rises by 1 between columns 1 and 2; the Sobel slope spreads it over both, half each.
    assert slopes[0, 0, 0].tolist() == pytest.approx([0, 0.5, 0.5, 0])
    assert float(losses.edge(step, torch.full_like(step, PAPER))) == pytest.approx(0.5 * 8 / 32)


def test_constancy() -> None:
    assert float(losses.constancy(torch.zeros(1, 2, 1, 1), torch.tensor([1.0, 3.0]).view(1, 2, 1, 1))) == pytest.approx(
        5
    )


def test_adversarial_losses() -> None:
    real, fake = (Verdict(torch.tensor([[[[value]]]]), None) for value in (0.5, -2.0))
    assert float(losses.hinge_d(real, fake)) == pytest.approx(0.5)
    assert float(losses.hinge_g(fake)) == pytest.approx(2.0)
    assert float(losses.bce_d(real, fake)) == pytest.approx(math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(-2)))
    assert float(losses.bce_g(fake)) == pytest.approx(math.log(1 + math.exp(2)))


def test_category() -> None:
    verdict = Verdict(torch.zeros(1, 1, 1, 1), torch.tensor([[2.0, 0.0]]))
    assert float(losses.category(verdict, torch.tensor([[1.0, 0.0]]))) == pytest.approx(math.log(1 + math.exp(-2)))
    with pytest.raises(ValueError, match="no category head"):
        losses.category(Verdict(torch.zeros(1, 1, 1, 1), None), torch.tensor([[1.0, 0.0]]))


def test_a_blank_page_is_punished_harder_than_by_l1_alone() -> None:
    """Why the ink loss exists: on a blank page the gradient towards ink through L1 has faded."""
    target = page((1, 1), (1, 2), (2, 1), side=8)
    for name, loss in (("l1", losses.l1), ("bce", losses.ink_bce)):
        logits = torch.full_like(target, -8.0, requires_grad=True)
        (loss(image_from_logits(logits), target) if name == "l1" else loss(logits, target)).backward()
        assert logits.grad is not None
        pull = -float(logits.grad[0, 0, 1, 1])
        assert (pull > 1e-2) == (name == "bce")


def test_handover_from_cross_entropy_to_l1() -> None:
    objective = Objective(l1=2, ink_bce=1, handover=0.5, dice=0, edge=0)
    logits, target = torch.zeros(1, 1, 4, 4), page((0, 0))
    assert set(objective.reconstruction(logits, target, 0.0)) == {"ink_bce"}
    middle = objective.reconstruction(logits, target, 0.25)
    assert float(middle["ink_bce"]) == pytest.approx(0.5 * math.log(2))
    assert float(middle["l1"]) == pytest.approx(0.5 * 2 * 1.0)
    assert set(objective.reconstruction(logits, target, 0.5)) == {"l1"}
    both = Objective(l1=1, ink_bce=1, handover=0, dice=0, edge=0)
    assert set(both.reconstruction(logits, target, 0.9)) == {"l1", "ink_bce"}


def test_terms_of_weight_zero_are_not_computed() -> None:
    terms = Objective(l1=1, ink_bce=0, handover=0, dice=0, edge=0).reconstruction(torch.zeros(1, 1, 4, 4), page(), 1.0)
    assert set(terms) == {"l1"}


def test_the_discriminator_starts_when_told() -> None:
    objective = Objective(adversarial=0.1, adversarial_from=0.4)
    assert [objective.uses_discriminator(p) for p in (0.0, 0.39, 0.4, 1.0)] == [False, False, True, True]
    assert not Objective().uses_discriminator(1.0)


@pytest.mark.parametrize(
    "wrong", [{"l1": -1}, {"handover": 2}, {"gan": "x"}, {"l1": 0, "ink_bce": 0, "dice": 0, "edge": 0}]
)
def test_wrong_weights_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="loss"):
        Objective(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", choices("loss"))
def test_every_loss_config_builds(name: str) -> None:
    assert isinstance(build(compose_config("train", [f"loss={name}"]).loss, "loss"), Objective)


def test_zi2zi_weights_are_the_published_ones() -> None:
    loss = build(compose_config("train", ["loss=zi2zi"]).loss, "loss")
    assert (loss.l1, loss.constancy, loss.ink_bce, loss.gan) == (100, 15, 0, "bce")
    assert len(choices("loss")) >= 3
