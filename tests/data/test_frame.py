"""Frames: composition, the way back, and canvases that clip nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fontgan.data.frame import MIN_FIT_SCALE, Box, Frame, clips, fit_canvas, fit_median

coordinate = st.floats(-0.2, 1.2)
boxes = st.lists(
    st.tuples(coordinate, coordinate, st.floats(0.01, 0.3), st.floats(0.01, 0.3)).map(
        lambda t: Box(t[0], t[1], t[0] + t[2], t[1] + t[3])
    ),
    min_size=1,
    max_size=6,
)
frames = st.builds(Frame, st.floats(0.1, 10), st.floats(-5, 5), st.floats(-5, 5))


@given(frames, frames, boxes)
def test_then_and_inverse(first: Frame, second: Frame, some: list[Box]) -> None:
    for box in some:
        there = first.compose(second).box(box)
        assert there == pytest.approx(second.box(first.box(box)), abs=1e-6)
        assert first.compose(second).inverse().box(there) == pytest.approx(box, abs=1e-6)


@given(boxes, st.sampled_from([64, 96, 128, 256]), st.floats(0, 0.2))
def test_no_ink_is_clipped_unless_the_scale_would_fall_too_far(some: list[Box], size: int, margin: float) -> None:
    canvas = fit_canvas(some, size, margin)
    plain = size * (1 - 2 * margin)
    assert plain * MIN_FIT_SCALE - 1e-6 <= canvas.scale <= plain + 1e-6
    width = max(b.x1 for b in some) - min(b.x0 for b in some)
    height = max(b.y1 for b in some) - min(b.y0 for b in some)
    if max(width, height) * MIN_FIT_SCALE < 1:
        assert not any(clips(canvas.box(box), size) for box in some)


def test_ink_inside_the_em_leaves_the_em_centred() -> None:
    canvas = fit_canvas([Box(0.1, 0.1, 0.9, 0.9)], 100, 0.05)
    assert canvas == Frame(90, 5, 5)


def test_fit_median_brings_centre_and_area_together() -> None:
    fitted = fit_median([Box(0.2, 0.3, 0.6, 0.7)], [Box(0.1, 0.1, 0.9, 0.9)])
    assert fitted.scale == pytest.approx(2)
    assert fitted.box(Box(0.2, 0.3, 0.6, 0.7)) == pytest.approx(Box(0.1, 0.1, 0.9, 0.9))
