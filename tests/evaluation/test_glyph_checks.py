"""Which of a network's inputs made glyphs are held against, and what is found of them."""

from __future__ import annotations

import numpy as np
import pytest

from fontgan.data.charset import resolve
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.evaluation.glyph_checks import check_glyphs, fit_stroke_check
from tests.helpers import BRUSH, KAI, SOURCE

SIZE, FRAME = 64, Frame(56, 4, 4)


@pytest.fixture(scope="module")
def chars() -> str:
    there = set(FontGlyphs(BRUSH).coverage(None).present) & set(FontGlyphs(KAI).coverage(None).present)
    return "".join([char for char in resolve("gb2312-1") or () if char in there][:120])


@pytest.fixture(scope="module")
def glyphs(chars: str) -> dict[str, np.ndarray]:
    fonts = {"sans": SOURCE, "kai": KAI, "brush": BRUSH}
    return {
        name: np.stack([FontGlyphs(file).rasterize(char, FRAME, SIZE) for char in chars])
        for name, file in fonts.items()
    }


def test_a_brush_is_held_against_the_kai_not_the_sans(chars: str, glyphs: dict[str, np.ndarray]) -> None:
    inputs = np.stack([glyphs["sans"], glyphs["kai"]], axis=1)
    inputs[-20:, 1] = 255  # characters that the kai lacks
    found = fit_stroke_check(inputs[:80], glyphs["brush"][:80], seed=1)
    assert found.number == 1
    assert found.gate.calibration.right_flagged < found.by_source.calibration.right_flagged
    sure = found.confidence(inputs[80:], glyphs["brush"][80:])
    assert sure[:20] == pytest.approx(found.gate.confidence(glyphs["kai"][80:100], glyphs["brush"][80:100]))
    assert sure[20:] == pytest.approx(found.by_source.confidence(glyphs["sans"][100:], glyphs["brush"][100:]))


def test_a_guide_that_is_mostly_empty_or_another_character_is_not_taken(glyphs: dict[str, np.ndarray]) -> None:
    sans, brush = glyphs["sans"], glyphs["brush"]
    for other in (np.full_like(sans, 255), np.roll(sans, 7, axis=0)):
        found = fit_stroke_check(np.stack([sans, other], axis=1), brush, seed=1)
        assert found.number == 0
        assert found.gate is found.by_source


def test_a_glyph_without_ink_and_one_that_is_cut_off_are_flagged(chars: str, glyphs: dict[str, np.ndarray]) -> None:
    drawn = glyphs["brush"][:3].copy()
    drawn[0] = 255
    drawn[1, :, 0] = 0
    found = check_glyphs(chars[:3], glyphs["sans"][:3, None], drawn, strokes=None, reader=None)
    assert [one.flags for one in found] == [("blank",), ("clipped",), ()]
    assert [one.doubt for one in found] == [1.0, 1.0, 0.0]
