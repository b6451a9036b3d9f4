"""trainer.placement: true glyphs are moved to where they are drawn before losses compare them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fontgan.config.compose import compose_config
from fontgan.training.placement import placed
from tests.helpers import TINY, two_and_two_steps_are_four

REACH = 4


def glyph() -> torch.Tensor:
    """(1, 1, 32, 32): an L on paper, with grey in it."""
    image = torch.ones(1, 1, 32, 32)
    image[..., 8:20, 10:13] = -1
    image[..., 17:20, 10:22] = -0.5
    return image


@pytest.mark.parametrize("move", [(0, 0), (3, -2), (-4, 4), (1, 0)])
def test_a_glyph_goes_to_where_it_is_drawn(move: tuple[int, int]) -> None:
    there = torch.roll(glyph(), move, (2, 3))
    assert torch.equal(placed(glyph(), there, REACH), there)


@pytest.mark.parametrize("level", [1.0, 0.2, -1.0], ids=["paper", "grey", "ink"])
def test_it_stays_where_nothing_tells_of_a_better_place(level: float) -> None:
    assert torch.equal(placed(glyph(), torch.full((1, 1, 32, 32), level), REACH), glyph())


def test_each_glyph_of_a_batch_goes_its_own_way_and_none_comes_in_again_from_the_other_side() -> None:
    at_the_edge = torch.roll(glyph(), -8, 2)  # from the first row on
    target = torch.cat([glyph(), at_the_edge])
    drawn = torch.cat([torch.roll(glyph(), 2, 3), torch.ones(1, 1, 32, 32)])
    drawn[1, :, :9] = at_the_edge[0, :, 3:12]  # its lower part, three rows higher
    moved = placed(target, drawn, REACH)
    assert torch.equal(moved[:1], drawn[:1])
    assert torch.equal(moved[1, :, :9], drawn[1, :, :9])
    assert (moved[1, :, -3:] == 1).all()


def test_a_training_with_it_goes_on_to_the_bit(tmp_path: Path) -> None:
    assert compose_config("train", ["experiment=complete"]).trainer.placement > 0
    two_and_two_steps_are_four(("train", *TINY, "trainer.placement=0.1", "trainer.threads=1"), tmp_path)
