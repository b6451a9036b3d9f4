"""Cells that were crossed out or scribbled over are doubtful, and honest ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char
from fontgan.data.sources import open_glyphs
from fontgan.handwriting.crossed import crossed_out
from fontgan.handwriting.cut import CROSSED
from fontgan.handwriting.sheet import canvas_frame
from tests.handwriting.simulated import CHARS, DPI, INK, PAGE, SIZE, makes, photograph, save_jpeg, write
from tests.helpers import BRUSH, FONTS, KAI, SOURCE, XIAOWEI, Here

EM = canvas_frame(SIZE)


def drawn(font: Path, chars: str, *, pen: int, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """A font's characters by a hand that leans, in a pen so many pixels broader."""
    glyphs, rng = open_glyphs(str(font)), np.random.default_rng(seed)
    cells = []
    for char in glyphs.coverage(list(chars)).present:
        scale = 0.86 * rng.uniform(0.95, 1.05)
        hand = Frame(scale, (1 - scale) / 2 + rng.uniform(-0.03, 0.03), (1 - scale) / 2 + rng.uniform(-0.03, 0.03))
        image = glyphs.rasterize(char, hand.compose(EM), SIZE)
        lean = rng.uniform(-0.08, 0.08)
        matrix = np.array([[1, lean, -lean * SIZE / 2], [0.5 * lean, 1, -lean * SIZE / 4]])
        image = cv2.warpAffine(image, matrix, (SIZE, SIZE), borderValue=(255,))
        cells.append((char, cv2.erode(image, np.ones((pen + 1, pen + 1))) if pen else image))
    return cells


def strokes(kind: str, rng: np.random.Generator) -> list[np.ndarray]:
    """What is drawn over a cell, in ems: (n, 2) each."""
    low, high = rng.uniform(0.06, 0.14, 2), 1 - rng.uniform(0.06, 0.14, 2)
    down, up = np.array([low, high]), np.array([[low[0], high[1]], [high[0], low[1]]])
    if kind in ("cross", "diagonal"):
        return [down, up] if kind == "cross" else [down]
    if kind == "hatch":
        return [np.array([[low[0], y], [high[0], y + 0.06]]) for y in np.linspace(low[1], high[1] - 0.06, 9)]
    if kind == "zigzag":
        x = np.linspace(low[0], high[0], 14)
        return [np.stack([x, np.where(np.arange(14) % 2, low[1], high[1])], axis=1)]
    turn = np.linspace(0, 14 * np.pi, 300)
    return [np.stack([0.35 + 0.3 * turn / turn[-1] + 0.15 * np.cos(turn), 0.5 + 0.35 * np.sin(turn)], axis=1)]


def crossed(image: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    over, breadth = image.copy(), round(rng.uniform(0.03, 0.06) * EM.scale)
    for points in strokes(kind, rng):
        cv2.polylines(over, [np.rint(points * EM.scale + EM.dx).astype(np.int32)], False, (0,), breadth, cv2.LINE_AA)
    return over


@pytest.mark.parametrize("kind", ["cross", "diagonal", "hatch", "zigzag", "loops"])
@pytest.mark.parametrize("font", [KAI, BRUSH, XIAOWEI, SOURCE], ids=lambda font: font.stem)
def test_what_is_drawn_over_a_character_is_seen(font: Path, kind: str) -> None:
    rng = np.random.default_rng(1)
    cells = [(char, crossed(image, kind, rng)) for char, image in drawn(font, CHARS[::3] + "gQ8", pen=1)]
    assert len(cells) > 20
    assert np.mean(crossed_out(cells)) > 0.85


@pytest.mark.parametrize("pen", [0, 2, 4])
@pytest.mark.parametrize("font", sorted(FONTS.glob("*.ttf")), ids=lambda font: font.stem)
def test_honest_characters_are_not_doubted(font: Path, pen: int) -> None:
    cells = drawn(font, CHARS + "XxZNKMW%&#/\\×÷+*一二三十王工田目国人义又风区一—…。、「」〇々〆ノメ", pen=pen)
    doubted = [char for (char, _), out in zip(cells, crossed_out(cells), strict=True) if out]
    # The broadest is a marker of 2 mm in cells of 20 mm, in which strokes of dense characters run together.
    assert len(doubted) <= (0.04 if pen == 4 else 0.02) * len(cells), doubted


def test_characters_that_the_font_lacks_are_judged_by_themselves() -> None:
    """The same glyphs under a name that no bundled font knows."""
    cells = [("\U00020000", image) for _, image in drawn(KAI, CHARS, pen=1)]
    assert np.mean(crossed_out(cells)) <= 0.02
    rng = np.random.default_rng(2)
    for kind in ("cross", "diagonal", "hatch", "loops"):
        assert np.mean(crossed_out([(char, crossed(image, kind, rng)) for char, image in cells])) > 0.75, kind


def test_crossed_cells_come_first(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    written = write(page_picture, PAGE, KAI, seed=0)
    boxes, mm = dict(PAGE.em_boxes()), DPI / 25.4

    def over(char: str, kind: str, breadth: float) -> None:
        em = boxes[char]
        for points in strokes(kind, np.random.default_rng(4)):
            at = (points * em.width + (em.x0, em.y0)) * mm
            cv2.polylines(written.picture, [np.rint(at).astype(np.int32)], False, INK, round(breadth * mm))

    em = boxes[CHARS[3]]  # a stroke that runs over, which is another doubt
    ends = [(round(x * mm), round(em.centre[1] * mm)) for x in (em.centre[0], em.x1 + 3)]
    cv2.line(written.picture, ends[0], ends[1], INK, round(mm))
    out = {CHARS[20]: "cross", CHARS[33]: "hatch", CHARS[47]: "loops"}
    for char, kind in out.items():
        over(char, kind, 0.7)
    save_jpeg(photograph(written.picture, turn=2, noise=3), tmp_path / "page.jpg")
    said = makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    doubtful = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["doubtful"]
    names = [name_from_char(char) for char in out]
    assert list(doubtful)[:3] == names
    assert all(doubtful[name][0] == CROSSED for name in names)
    assert not [name for name in list(doubtful)[3:] if CROSSED in doubtful[name]]
    assert doubtful[name_from_char(CHARS[3])] == ["ink reaches the edge of its cell"]
    assert f"{names[0]} ({CROSSED})" in said
