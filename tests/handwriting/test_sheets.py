"""Sheets that do not lie flat, and pictures with more than one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.handwriting.cut import BEYOND, cut_cells
from fontgan.handwriting.locate import find_pages, group_markers
from fontgan.handwriting.sheet import marker_boxes
from tests.handwriting.simulated import (
    CHARS,
    PAGE,
    RIGHT,
    SIZE,
    SKIPPED,
    Written,
    makes,
    overlap,
    overlaps,
    photograph,
    save_jpeg,
    write,
)
from tests.helpers import BRUSH, KAI, Here

FIELD = Path(__file__).parents[1] / "assets" / "field"


@pytest.fixture(scope="module")
def written(page_picture: np.ndarray) -> Written:
    return write(page_picture, PAGE, KAI, seed=5, skip=SKIPPED)


def found_in(picture: np.ndarray, written: Written) -> tuple[float, list[str]]:
    """The smallest overlap of a page's cells, and what is said."""
    grey = cv2.addWeighted(picture[..., 1], 0.5, picture[..., 2], 0.5, 0)
    (located,), lost = find_pages(grey)
    cells, findings = cut_cells(grey, located, SIZE)
    glyphs = {cell.char: cell.glyph for cell in cells}
    overlaps = [
        overlap(glyphs[char], truth) if glyphs[char] is not None else 0.0 for char, truth in written.truth.items()
    ]
    assert not [char for char in SKIPPED if glyphs[char] is not None]
    return min(overlaps), [*located.findings, *findings, *lost]


# What lenses and paper do.  A millimetre at the edge of a sheet is lens=0.01.
BENT: dict[str, dict[str, Any]] = {
    "barrel": {"lens": 0.01},
    "strong barrel": {"lens": 0.06},
    "pincushion": {"lens": -0.02},
    "strong pincushion": {"lens": -0.05, "turn": 90},
    "bowed to the right": {"bow": (1, 0)},
    "bowed far to the left": {"bow": (-4, 0)},
    "bowed down": {"bow": (0, 1)},
    "bowed far up": {"bow": (0, -4)},
    "bowed both ways in perspective": {"bow": (2, 1.5), "tilt": 0.15, "turn": -20},
    "a barrel in perspective": {"lens": 0.04, "tilt": 0.18, "turn": 176, "noise": 5},
    "all of it": {"lens": -0.02, "bow": (-1.5, 1), "turn": 5, "scale": 0.85, "blur": 1, "shade": 0.3},
}


@pytest.mark.thinned(4)
@pytest.mark.parametrize("name", BENT)
def test_bent_sheets_are_read(name: str, written: Written) -> None:
    smallest, said = found_in(photograph(written.picture, **BENT[name]), written)
    assert smallest > RIGHT
    assert not said


@pytest.mark.parametrize("lens", [-0.02, 0.02])
def test_a_bent_sheet_may_lack_a_marker(lens: float, written: Written) -> None:
    thumb = written.picture.copy()
    cv2.circle(thumb, (60, thumb.shape[0] - 110), 95, (205, 160, 140), -1)
    smallest, said = found_in(photograph(thumb, lens=lens, turn=2), written)
    assert smallest > RIGHT
    assert said == ["the marker bottom left is not seen; the cells near it may be off"]


def black_and_white(picture: np.ndarray, bound: int = 128) -> np.ndarray:
    """A picture that has markers and ink, and no cyan."""
    return np.where(picture[..., 1:].mean(axis=2, keepdims=True) < bound, 0, np.full(3, 255)).astype(np.uint8)


BOWED: list[dict[str, Any]] = [{"bow": (0.5, 0)}, {"bow": (0, -3)}, {"bend": 1}, {"bend": 2}, {"lens": 0.01}]


@pytest.mark.thinned(4)
@pytest.mark.parametrize("how", BOWED, ids=str)
def test_a_bent_sheet_in_black_and_white_is_followed_by_its_labels(how: dict[str, Any], written: Written) -> None:
    smallest, said = found_in(black_and_white(photograph(written.picture, **how, turn=1)), written)
    assert smallest > 0.72  # edges are off by up to half a pixel more
    assert not said


@pytest.mark.parametrize(
    ("bow", "said"), [((3, 0), "its pale frames are not seen"), ((0, 0), "neither its pale frames nor the labels")]
)
def test_a_sheet_of_which_only_markers_and_ink_are_seen_is_named(
    bow: tuple[float, float], said: str, written: Written
) -> None:
    grey = black_and_white(photograph(written.picture, bow=bow), 60)[..., 0]
    (located,), _ = find_pages(grey)
    assert said in cut_cells(grey, located, SIZE)[1][0]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"bow": (0, 14)}, "the sheet is bent, or the lens bends it"),
        ({"scale": 0.22}, "1.7 pixels a millimetre there; scan at 150 dpi or more"),
        ({"blur": 5}, "take a sharper or closer picture"),
    ],
)
def test_why_a_code_is_not_read_is_said(
    how: dict[str, Any], why: str, written: Written, refused: Callable[..., str], tmp_path: Path
) -> None:
    save_jpeg(photograph(written.picture, **how), tmp_path / "page.jpg", 90)
    said = refused("scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}")
    assert "its code cannot be read" in said
    assert why in said


# -- several sheets -----------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_both_of_two_whole_sheets_are_read(axis: int, page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    """Each with its own markers, of which the picture has every one twice."""
    first = write(page_picture, PAGE, KAI, seed=1, skip=CHARS[32:])
    second = write(page_picture, PAGE, BRUSH, seed=2, skip=CHARS[:32])
    sheets = [photograph(page.picture, turn=turn, scale=0.8) for page, turn in ((first, 2), (second, -3))]
    sides = np.max([sheet.shape for sheet in sheets], axis=0)
    sheets = [np.pad(sheet, [(0, a - b) for a, b in zip(sides, sheet.shape, strict=True)]) for sheet in sheets]
    save_jpeg(np.concatenate(sheets, axis=axis), tmp_path / "page.jpg")
    said = makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    assert "64 glyphs of 2 pages" in said
    for page in (first, second):
        assert min(overlaps(tmp_path / "out", page).values()) > RIGHT


def test_a_sheet_partly_in_view_is_mentioned(written: Written, page_picture: np.ndarray) -> None:
    picture = photograph(written.picture, turn=1)
    part = page_picture[:, :300]
    height = max(len(picture), len(part))
    both = [np.pad(p, ((0, height - len(p)), (0, 0), (0, 0)), constant_values=80) for p in (picture, part)]
    smallest, said = found_in(np.hstack(both), written)
    assert smallest > RIGHT
    assert said == ["another page is partly in it, with 2 markers; take a picture of its own if it is wanted"]


def test_markers_are_those_of_one_sheet_only() -> None:
    """A marker that is lost on one sheet is not made up for by the same one of another."""
    mm = 6.0

    def seen(corner: int, x: float, y: float) -> tuple[int, np.ndarray]:
        box = marker_boxes("a4")[corner]
        corners = np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
        return corner, ((corners + np.array([x, y])) * mm).astype(np.float32)

    (sheet,) = group_markers([seen(0, 0, 0), seen(1, 0, 0), seen(2, 0, 0), seen(3, 40, 25)])
    assert sorted(sheet.corners) == [0, 1, 2]
    assert len(group_markers([seen(i, 0, 0) for i in range(4)] + [seen(i, 230, 10) for i in range(4)])) == 2


def test_cells_beyond_the_picture_are_set_aside(written: Written) -> None:
    picture = photograph(written.picture, turn=30)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[: picture.shape[0] * 3 // 4]
    (located,), _ = find_pages(grey)
    cells, findings = cut_cells(grey, located, SIZE)
    middles = [located.surface.at(np.array([em.centre]))[0, 1] for _, em in PAGE.em_boxes()]
    beyond = [cell.doubts[:1] == [BEYOND] for cell in cells]
    assert any("cells reach beyond the picture; photograph the whole page" in said for said in findings)
    assert all(is_beyond for is_beyond, y in zip(beyond, middles, strict=True) if y > len(grey))
    assert not any(is_beyond for is_beyond, y in zip(beyond, middles, strict=True) if y < len(grey) - 130)
    assert len(grey) < max(middles)


# -- two levels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("light", [1.0, 0.8])
@pytest.mark.parametrize("how", ["diffused", "ordered", "black and white"])
def test_pictures_of_two_levels_are_read(how: str, light: float, written: Written, here: Here, tmp_path: Path) -> None:
    grey = cv2.cvtColor(photograph(written.picture, turn=1), cv2.COLOR_RGB2GRAY) * light
    bound = np.full(grey.shape, 110.0)
    if how == "ordered":
        order = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8
        bound = np.tile(order, (grey.shape[0] // 4 + 1, grey.shape[1] // 4 + 1))[: grey.shape[0], : grey.shape[1]]
    picture = Image.fromarray(grey.astype(np.uint8))
    picture = picture.convert("1") if how == "diffused" else Image.fromarray(grey > bound)
    picture.save(tmp_path / "page.png")
    said = makes(here, "scan", f"pages={tmp_path / 'page.png'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    assert min(overlaps(tmp_path / "out", written).values()) > RIGHT
    assert "6 cells are empty" in said
    assert ("it is dithered" in said) == (how != "black and white")
    glyph = np.asarray(Image.open(next((tmp_path / "out").glob("U+*.png"))))
    assert ((glyph > 20) & (glyph < 235)).mean() > 0.01  # no steps of pixels


# -- rough edges --------------------------------------------------------------------------------


def points(glyph: np.ndarray) -> int:
    return sum(len(at) for _, at in trace(glyph, PixelsToUnits(1, 0, 0), em=SIZE, tolerance=1, speck=3e-4).calls)


@pytest.mark.parametrize(
    "how",
    [{"noise": 9, "shade": 0.5, "blur": 0.7}, {"noise": 15}, {}],
    ids=["a dark photograph", "noise", "black and white"],
)
def test_steps_and_noise_do_not_wave_outlines(how: dict[str, Any], written: Written) -> None:
    picture = photograph(written.picture, turn=1, **how)
    grey = cv2.cvtColor(picture if how else black_and_white(picture), cv2.COLOR_RGB2GRAY)
    (located,), _ = find_pages(grey)
    cut = {
        cell.char: np.asarray(cell.glyph) for cell in cut_cells(grey, located, 2 * SIZE)[0] if cell.char not in SKIPPED
    }
    half = {char: cv2.resize(glyph, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for char, glyph in cut.items()}
    assert np.median([overlap(half[char], truth) for char, truth in written.truth.items()]) > 0.91
    assert np.median([points(cut[char]) / points(truth) for char, truth in written.truth.items()]) < 1.3
