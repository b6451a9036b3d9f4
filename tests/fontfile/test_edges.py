"""Images that are not in clean grey: their outlines are the glyph's, not the pixels'; and hairlines that break are said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgan.bench.outlines import FONTS, Sample, compare, count_points, samples
from fontgan.data.hairlines import whole_at
from fontgan.fontfile.edges import GREY, STEPS, block_side, kind_of, with_square_corners
from fontgan.fontfile.layout import Layout
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.trace import PixelsToUnits, to_quadratic, trace
from fontgan.fontfile.vectorize import vectorize_folder

CHARS = "我永力"
Spoil = Callable[[np.ndarray], np.ndarray]


def black_and_white(grey: np.ndarray, level: int = 128) -> np.ndarray:
    return np.where(grey < level, 0, 255).astype(np.uint8)


def dithered(grey: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).convert("1").convert("L"))


def noisy(spread: float) -> Spoil:
    return lambda grey: (
        (25 + 0.8 * grey + np.random.default_rng(0).normal(0, spread, grey.shape)).clip(0, 255).astype(np.uint8)
    )


def turned(grey: np.ndarray) -> np.ndarray:
    """A black and white page, put straight."""
    return np.asarray(Image.fromarray(black_and_white(grey)).rotate(2, Image.Resampling.BICUBIC, fillcolor=255))


@cache
def real(font: str, size: int = 256) -> list[Sample]:
    return samples(font, CHARS, size)


def traced(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    return trace(grey, to_units, em=1000, tolerance=0.6, speck=0.0001)


def kind(grey: np.ndarray) -> str:
    return kind_of(np.pad(1 - grey / 255, 4)).kind


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize(
    ("spoil", "iou"),
    [
        (black_and_white, 0.95), (lambda grey: black_and_white(grey, 90), 0.95), (dithered, 0.965),
        (noisy(5), 0.97), (noisy(20), 0.96),
    ],
)  # fmt: skip
def test_steps_and_noise_are_not_traced(font: str, spoil: Spoil, iou: float) -> None:
    made, own = 0, 0
    for sample in real(font):
        outline = traced(spoil(sample.grey), sample.to_units)
        assert compare(outline, sample.truth).iou > iou
        made += count_points(to_quadratic(outline, 0.6))
        own += count_points(sample.truth)
    assert made < 2 * own


@pytest.mark.parametrize("font", FONTS)
def test_no_glyph_in_black_and_white_has_more_than_twice_its_points(font: str) -> None:
    """Steps hide best small rounds at the ends of strokes, and long edges that lean a little. The em has 256 px."""
    for sample in samples(font, "口水永人八云", 284):
        outline = to_quadratic(traced(black_and_white(sample.grey), sample.to_units), 0.6)
        assert count_points(outline) <= 2 * count_points(sample.truth), sample.char


@pytest.mark.parametrize("font", FONTS)
def test_clean_grey_is_taken_as_it_is(font: str) -> None:
    for size in (64, 96, 256):
        assert [kind(sample.grey) for sample in real(font, size)] == [GREY.kind] * len(CHARS)


def test_a_black_and_white_page_put_straight_has_steps_still() -> None:
    assert [kind(turned(sample.grey)) for sample in real(FONTS[2])] == [STEPS.kind] * len(CHARS)


@pytest.mark.parametrize("times", [2, 3, 5])
def test_enlarged_pixels_give_the_outline_of_the_small_image(times: int) -> None:
    for sample in real(FONTS[1], 128):
        small = black_and_white(sample.grey)
        large = np.kron(small, np.ones((times, times), np.uint8))
        assert block_side(large) == times
        to_units = PixelsToUnits(sample.to_units.scale / times, sample.to_units.dx, sample.to_units.dy)
        assert traced(large, to_units) == traced(small, sample.to_units)


def test_corners_stay_corners_in_black_and_white() -> None:
    grey = np.full((100, 100), 255, np.uint8)
    grey[20:80, 25:70] = 0
    grey[35:60, 40:55] = 255
    outline = traced(grey, PixelsToUnits(10, 0, 1000))
    assert {name for name, _ in outline.calls} == {"moveTo", "lineTo", "closePath"}
    assert count_points(outline) == 8


def hairline(size: int) -> np.ndarray:
    """An X of strokes a 64th of the side wide."""
    x, y = np.meshgrid(*[(np.arange(size * 8) + 0.5) / (8 * size)] * 2)
    inside = (np.abs(x - 0.5) < 0.3) & (np.abs(y - 0.5) < 0.4)
    ink = inside & (
        np.minimum(np.abs(0.8 * (x - 0.5) - 0.6 * (y - 0.5)), np.abs(0.8 * (x - 0.5) + 0.6 * (y - 0.5))) < 0.5 / 64
    )
    return np.round(255 * (1 - ink.reshape(size, 8, size, 8).mean((1, 3)))).astype(np.uint8)


def test_hairlines_that_break_are_said_with_the_size_to_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(hairline(64)).save(tmp_path / "X.png")
    with caplog.at_level(logging.INFO):
        vectorize_folder(tmp_path, chars=None, layout=Layout(1000, 880), workers=1)
    size = whole_at(hairline(64))
    assert size is not None
    assert 64 < size <= 192
    assert f"dashes, as they are about a pixel thin: X. Draw them at {size} pixels or more" in caplog.text
    assert whole_at(hairline(size)) is None
    assert all(whole_at(sample.grey) is None for font in FONTS for sample in real(font, 64))


def test_black_and_white_images_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(black_and_white(real(FONTS[0])[0].grey)).convert("1").save(tmp_path / "我.png")
    with caplog.at_level(logging.INFO):
        vectorize_folder(tmp_path, chars=None, layout=Layout(1000, 880), workers=1)
    assert "1 images are black and white" in caplog.text


@pytest.mark.parametrize("turn", range(4))
def test_right_angles_have_their_corner_pixel_again(turn: int) -> None:
    """口 whose edges lie in the middle of pixels: each corner of both contours has lost, or won, one pixel."""
    square = np.zeros((40, 40), bool)
    square[5:33, 4:30], square[9:29, 8:26] = True, False
    blunt = square.copy()
    for rows, columns, kind in (((5, 32), (4, 29), False), ((9, 28), (8, 25), True)):
        for row in rows:
            for column in columns:
                blunt[row, column] = kind
    assert np.array_equal(with_square_corners(np.rot90(blunt, turn).copy()), np.rot90(square, turn))
    slanted = np.tri(40, dtype=bool)
    assert np.array_equal(with_square_corners(slanted.copy()), slanted)
