"""trainer.registration: true glyphs are moved, and bent, to where they are drawn before losses compare them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fontgan.config.compose import compose_config
from fontgan.data.sources import open_glyphs
from fontgan.evaluation.moved import move_to_truth
from fontgan.handwriting.sheet import canvas_frame
from fontgan.training import checkpoint as checkpoints
from fontgan.training.registration import Registration
from fontgan.values import image_from_pixels, ink_from_image
from tests.helpers import BRUSH, TINY, Here, two_and_two_steps_are_four

SHIFT = Registration(shift=0.125, bend=0)  # 4 pixels of 32


def glyph() -> torch.Tensor:
    """(1, 1, 32, 32): an L on paper, with grey in it."""
    image = torch.ones(1, 1, 32, 32)
    image[..., 8:20, 10:13] = -1
    image[..., 17:20, 10:22] = -0.5
    return image


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-4)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().mean() / 2)


@pytest.mark.parametrize("move", [(0, 0), (3, -2), (-4, 4), (1, 0)])
def test_a_glyph_goes_to_where_it_is_drawn(move: tuple[int, int]) -> None:
    there = torch.roll(glyph(), move, (2, 3))
    assert same(SHIFT(glyph(), there), there)


def test_it_goes_a_share_of_the_way() -> None:
    there = torch.roll(glyph(), (4, -2), (2, 3))
    assert same(Registration(shift=0.125, bend=0, share=0.5)(glyph(), there), torch.roll(glyph(), (2, -1), (2, 3)))


@pytest.mark.parametrize("level", [1.0, 0.2, -1.0], ids=["paper", "grey", "ink"])
def test_it_stays_where_nothing_tells_of_a_better_place(level: float) -> None:
    assert same(SHIFT(glyph(), torch.full((1, 1, 32, 32), level)), glyph())


def test_each_glyph_of_a_batch_goes_its_own_way_and_none_comes_in_again_from_the_other_side() -> None:
    at_the_edge = torch.roll(glyph(), -8, 2)  # from the first row on
    target = torch.cat([glyph(), at_the_edge])
    drawn = torch.cat([torch.roll(glyph(), 2, 3), torch.ones(1, 1, 32, 32)])
    drawn[1, :, :9] = at_the_edge[0, :, 3:12]  # its lower part, three rows higher
    moved = SHIFT(target, drawn)
    assert same(moved[:1], drawn[:1])
    assert same(moved[1, :, :9], drawn[1, :, :9])
    assert (moved[1, :, -3:] == 1).all()


@pytest.fixture(scope="module")
def hand() -> torch.Tensor:
    """(4, 1, 128, 128): glyphs of a brush hand."""
    glyphs = open_glyphs(str(BRUSH))
    return image_from_pixels(np.stack([glyphs.rasterize(char, canvas_frame(128), 128) for char in "永国森龍"]))[:, None]


def bent(images: torch.Tensor, by: float) -> torch.Tensor:
    """Upper left parts go one way, lower right parts the other, by a share of the canvas, smoothly."""
    size = images.shape[-1]
    place = (torch.arange(size) + 0.5) / size * 2 - 1
    wave = torch.sin(place * torch.pi / 2) * 2 * by
    down, right = torch.meshgrid(place - wave, place - wave, indexing="ij")
    grid = torch.stack([right, down], dim=-1).expand(len(images), -1, -1, -1)
    return 1 - F.grid_sample(1 - images, grid, align_corners=False)


def test_parts_go_to_where_they_are_drawn(hand: torch.Tensor) -> None:
    drawn = bent(hand, 0.02)
    before, moved = difference(hand, drawn), Registration(bend=0)(hand, drawn)
    assert difference(moved, drawn) > 0.7 * before  # as a whole it can hardly come nearer
    assert difference(Registration()(hand, drawn), drawn) < 0.35 * before
    further = difference(Registration(bend=0.005)(hand, drawn), drawn)
    assert 0.5 * before < further < 0.95 * before  # no further than asked for


def test_a_glyph_keeps_its_ink_and_its_sharpness(hand: torch.Tensor) -> None:
    drawn = bent(hand, 0.02)  # by bilinear sampling, which widens edges
    ink, was, drawn_ink = (ink_from_image(images) for images in (Registration()(hand, drawn), hand, drawn))
    assert ink.sum((1, 2, 3)) == pytest.approx(was.sum((1, 2, 3)), rel=0.12)
    grey, theirs = (((each > 0.1) & (each < 0.9)).sum() for each in (ink, drawn_ink))
    assert grey < 0.85 * theirs


def test_what_is_drawn_true_is_not_bent(hand: torch.Tensor) -> None:
    assert same(Registration()(hand, hand), hand)


def test_a_drawn_glyph_is_scored_where_it_fits_best(hand: torch.Tensor) -> None:
    truth = np.array([[255] * 64] * 64, np.uint8)
    truth[20:40, 20:26] = truth[34:40, 20:40] = 0
    drawn = np.roll(truth, (3, -2), (0, 1))
    assert np.array_equal(move_to_truth(drawn[None], truth[None])[0], truth)


def test_a_training_with_it_goes_on_to_the_bit(tmp_path: Path) -> None:
    assert compose_config("train", ["experiment=complete"]).trainer.registration.shift > 0
    setting = "trainer.registration={shift: 0.1, bend: 0.03, share: 0.8}"
    two_and_two_steps_are_four(("train", *TINY, setting, "trainer.threads=1"), tmp_path)


@pytest.mark.parametrize("shift", [0, 0.05])
def test_of_a_registered_run_the_newest_checkpoint_is_best(shift: float, tmp_path: Path, here: Here) -> None:
    """Scores compare in place, where the blur of early steps wins."""
    run = tmp_path / "run"
    more = (f"trainer.registration.shift={shift}", "trainer.eval_every=1", "trainer.save_every=1")
    assert here("train", *TINY, *more, f"out={run}").returncode == 0
    *_, early, newest = checkpoints.all_checkpoints(run)
    scores = {style: {**found, "ssim": 0.9, "blank": 0.0} for style, found in early.metadata["scores"].items()}
    early = replace(early, metadata={**early.metadata, "scores": scores})
    assert newest.score is not None
    assert early.score > newest.score
    assert checkpoints.best([early, newest]) == (newest if shift else early)
