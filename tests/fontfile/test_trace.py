"""Tracing: real glyphs held against their own outlines, shapes whose outlines are known, and what an outline may not have."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
import torch
from fontTools.pens.areaPen import AreaPen
from shapely.geometry import LinearRing, Polygon

from fontgan.bench.figures import Setup
from fontgan.bench.outlines import (
    FONTS,
    Sample,
    compare,
    count_points,
    flatten,
    measure,
    samples,
    shared_chars,
    spoil,
)
from fontgan.data.frame import Frame
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.trace import PixelsToUnits, to_quadratic, trace

CHARS = "愿永国我龙东书是"
AS_DRAWN = PixelsToUnits(10, 0, 1000)  # 100 px are 1000 units


def traced(grey: np.ndarray, to_units: PixelsToUnits = AS_DRAWN, *, tolerance: float = 0.6) -> Outline:
    return trace(grey, to_units, em=1000, tolerance=tolerance, speck=0.0001)


@cache
def real(font: str, size: int) -> tuple[tuple[Sample, Outline], ...]:
    return tuple((sample, traced(sample.grey, sample.to_units)) for sample in samples(font, CHARS, size))


def black_and_white(grey: np.ndarray) -> np.ndarray:
    return np.where(grey < 128, 0, 255).astype(np.uint8)


def painted(inside: Callable[[np.ndarray, np.ndarray], np.ndarray], size: int = 100, fine: int = 16) -> np.ndarray:
    """The coverage of a shape, which is given as a test of x and y in pixels."""
    at = (np.arange(size * fine) + 0.5) / fine
    cover = inside(at[None, :], at[:, None]).reshape(size, fine, size, fine).mean((1, 3))
    return np.round(255 * (1 - cover)).astype(np.uint8)


def disc(radius: float, x: float = 50.3, y: float = 49.8) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda u, v: (u - x) ** 2 + (v - y) ** 2 < radius**2


def box(x0: float, y0: float, x1: float, y1: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda u, v: (u > x0) & (u < x1) & (v > y0) & (v < y1)


def contours(outline: Outline) -> Iterator[Outline]:
    start = 0
    for i, (name, _) in enumerate(outline.calls):
        if name == "closePath":
            yield Outline(outline.calls[start : i + 1])
            start = i + 1


def area_of(outline: Outline) -> float:
    pen = AreaPen()
    outline.draw(pen)
    return pen.value


def knots(outline: Outline) -> np.ndarray:
    return np.array([points[-1] for _, points in outline.calls if points])


# -- real glyphs ------------------------------------------------------------------------------


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize(("size", "iou", "mean", "farthest"), [(128, 0.985, 0.5, 16), (256, 0.991, 0.3, 9)])
def test_outlines_are_those_the_images_were_drawn_from(
    font: str, size: int, iou: float, mean: float, farthest: float
) -> None:
    alike = [compare(outline, sample.truth) for sample, outline in real(font, size)]
    assert np.median([a.iou for a in alike]) > iou
    assert np.median([a.mean for a in alike]) < mean
    assert np.median([a.farthest for a in alike]) < farthest


def test_a_threshold_would_fail_these_bounds() -> None:
    for sample, outline in real(FONTS[0], 128):
        coarse = traced(black_and_white(sample.grey), sample.to_units)
        assert compare(coarse, sample.truth).mean > 2 * compare(outline, sample.truth).mean
        assert compare(coarse, sample.truth).iou < 0.985


@pytest.mark.parametrize("font", FONTS)
def test_there_are_about_as_many_points_as_in_the_font(font: str) -> None:
    made = sum(count_points(outline) for _, outline in real(font, 256))
    own = sum(count_points(sample.truth) for sample, _ in real(font, 256))
    assert 0.5 * own < made < 2.1 * own


@pytest.mark.slow
def test_no_contour_crosses_itself_or_another() -> None:
    chars = random.Random(3).sample(shared_chars(), 25)
    seen = 0
    for font in FONTS:
        for sample in samples(font, chars, 128):
            outline = traced(sample.grey, sample.to_units)
            rings = [LinearRing(polygon) for polygon in flatten(outline, 16)]
            seen += len(rings)
            for i, ring in enumerate(rings):
                assert Polygon(ring).is_valid, (font, sample.char)
                assert not any(ring.crosses(other) for other in rings[:i]), (font, sample.char)
            for name, points in outline.calls:
                assert name in ("moveTo", "lineTo", "curveTo", "closePath")
                assert all(isinstance(number, int) for point in points for number in point)
    assert seen > 300


def test_no_segment_has_no_length() -> None:
    for sample, outline in [pair for font in FONTS for pair in real(font, 256)]:
        for contour in contours(outline):
            points = knots(contour)
            same = (points == np.roll(points, -1, 0)).all(1)
            if contour.calls[-2][0] == "curveTo":
                same[-1] = False  # a curve ends where the contour begins
            assert not same.any(), sample.char


def test_blurred_and_noisy_images_give_smooth_outlines() -> None:
    for font in FONTS:
        images = samples(font, CHARS[:5], 128)
        outlines = [traced(spoil(sample.grey), sample.to_units) for sample in images]
        for sample, outline in zip(images, outlines, strict=True):
            assert compare(outline, sample.truth).iou > 0.96
        assert sum(map(count_points, outlines)) < 2 * sum(count_points(sample.truth) for sample in images)


def test_the_same_image_gives_the_same_outline() -> None:
    sample, outline = real(FONTS[2], 128)[0]
    assert traced(sample.grey.copy(), sample.to_units) == outline


def test_quadratic_curves_stay_within_tolerance_and_turn_round() -> None:
    for font in FONTS:
        for _, outline in real(font, 256):
            quadratic = to_quadratic(outline, 0.6)
            assert {name for name, _ in quadratic.calls} <= {"moveTo", "lineTo", "qCurveTo", "closePath"}
            assert compare(quadratic, outline).farthest < 0.6 + 1  # and rounding to whole units
            assert area_of(quadratic) < 0 < area_of(outline)


# -- shapes -----------------------------------------------------------------------------------


def test_a_disc_has_its_radius_and_points_at_its_extrema() -> None:
    outline = traced(painted(disc(30)))
    away = np.hypot(*(flatten(outline)[0] - (503, 502)).T)
    assert abs(away - 300).max() < 1.5
    assert area_of(outline) == pytest.approx(np.pi * 300**2, rel=0.003)
    points = knots(outline)
    for x, y in ((803, 502), (203, 502), (503, 802), (503, 202)):
        nearest = points[np.hypot(*(points - (x, y)).T).argmin()]
        # Near an extremum an arc hardly moves along the axis, but much along the other.
        assert abs(nearest - (x, y)).min() <= 1
        assert abs(nearest - (x, y)).max() <= 25
    assert count_points(outline) <= 1 + 3 * 8


def test_a_ring_is_a_disc_with_a_hole_wound_the_other_way() -> None:
    outline = traced(painted(lambda u, v: disc(35)(u, v) & ~disc(20)(u, v)))
    areas = sorted(area_of(contour) for contour in contours(outline))
    assert areas == pytest.approx([-np.pi * 200**2, np.pi * 350**2], rel=0.005)


@pytest.mark.parametrize("off", [0.0, 0.13, 0.37, 0.5, 0.81])
def test_a_square_is_four_exact_lines(off: float) -> None:
    outline = traced(painted(box(20 + off, 30 + off, 60 + off, 70 + off)))
    assert [name for name, _ in outline.calls] == ["moveTo", "lineTo", "lineTo", "lineTo", "closePath"]
    points = knots(outline)
    want = np.array([[200, 700], [600, 700], [600, 300], [200, 300]]) + np.array([10 * off, -10 * off])
    for place in want:
        assert np.hypot(*(points - place).T).min() < 1.5
    edges = np.roll(points, -1, 0) - points
    assert (np.abs(edges).min(1) == 0).all()  # upright or level, exactly


def test_a_slanted_bar_keeps_its_corners() -> None:
    angle = 0.4
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])

    def bar(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (abs((u - 50) * along[0] + (v - 50) * along[1]) < 30) & (
            abs((u - 50) * across[0] + (v - 50) * across[1]) < 5
        )

    outline = traced(painted(bar))
    points = knots(outline)
    for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        x, y = 50 + i * 30 * along + j * 5 * across
        assert np.hypot(*(points - (10 * x, 1000 - 10 * y)).T).min() < 3
    assert count_points(outline) <= 8


@pytest.mark.parametrize("width", [1.0, 1.5, 2.5])
def test_a_thin_line_stays_whole_and_as_wide(width: float) -> None:
    outline = traced(painted(box(10, 50, 90, 50 + width)))
    assert len(list(contours(outline))) == 1
    assert area_of(outline) == pytest.approx(800 * 10 * width, rel=0.06)


def test_ink_at_the_border_is_closed_there() -> None:
    outline = traced(painted(box(-1, -1, 40, 101)))
    points = knots(outline)
    assert [points.min(0).tolist(), points.max(0).tolist()] == [[0, 0], [400, 1000]]
    assert area_of(traced(np.zeros((40, 60), np.uint8))) == pytest.approx(40 * 60 * 100, rel=0.002)


def test_specks_and_pinholes_are_dropped() -> None:
    def shape(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        speck, pinhole = box(5, 5, 5.9, 5.9), box(50, 50, 50.9, 50.9)
        return (box(30, 30, 70, 70)(u, v) & ~pinhole(u, v)) | speck(u, v)

    grey = painted(shape)
    assert len(list(contours(traced(grey)))) == 1
    kept = trace(grey, AS_DRAWN, em=1000, tolerance=0.6, speck=0)
    assert len(list(contours(kept))) == 3


def test_a_coarser_tolerance_takes_fewer_points() -> None:
    sample = samples(FONTS[2], "龙", 256)[0]
    fine, coarse = (traced(sample.grey, sample.to_units, tolerance=t) for t in (0.6, 6))
    assert count_points(coarse) < 0.75 * count_points(fine)
    assert compare(coarse, sample.truth).iou > 0.95


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (64, 64)])
@pytest.mark.parametrize("level", [255, 250, 200, 130])
def test_paper_gives_an_empty_outline(shape: tuple[int, int], level: int) -> None:
    assert traced(np.full(shape, level, np.uint8)) == Outline()
    assert to_quadratic(Outline(), 1) == Outline()


def test_noise_alone_is_no_error() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8)
    for polygon in flatten(traced(grey)):
        assert np.isfinite(polygon).all()


def test_units_are_those_of_the_frame() -> None:
    to_units = PixelsToUnits.from_frame(Frame(90, 5, 7), 2048, 1800)
    # The top left corner of the cell lies at 5, 7 px and stands for x 0, y at the baseline's height.
    assert to_units.dx + to_units.scale * 5 == pytest.approx(0)
    assert to_units.dy - to_units.scale * 7 == pytest.approx(1800)
    assert to_units.scale * 90 == pytest.approx(2048)


@pytest.mark.slow
def test_tracers_are_measured_side_by_side() -> None:
    setup = Setup(torch.device("cpu"), "auto", rounds=3, minutes=0, seed=1)
    found = {(f.name, f.column): f.spread.value for f in measure(setup, 1)}
    for size in ("128 px", "256 px", "128 px, blurred and noisy"):
        assert found[f"{size}, ours", "points"] < found[f"{size}, marching squares", "points"] / 2
        assert found[f"{size}, ours", "differing area"] < 3
    assert found["256 px, ours", "time"] > 0
