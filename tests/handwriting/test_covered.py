"""A finger, a pen or a scrap of paper on a page: the cells under it are named and set aside, those beside it are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fontgan.data.image_source import name_from_char
from fontgan.handwriting.cut import COVERED, cut_cells
from fontgan.handwriting.locate import find_pages
from fontgan.handwriting.sheet import ROOM
from tests.handwriting.simulated import (
    CHARS,
    DPI,
    INK,
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

MM = DPI / 25.4
SKIN, DARK_SKIN, PLASTIC, SHEET = (205, 160, 140), (100, 66, 50), (30, 30, 36), (246, 244, 238)
Object = tuple[np.ndarray, np.ndarray]  # what it hides, (H, W) bool, and its colours, (H, W, 3)


def rod(
    shape: tuple[int, ...], start: tuple[float, float], end: tuple[float, float], breadth: float, colour: Any
) -> Object:
    """A finger or a pen, darker at its sides, with a round end; millimetres."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / np.float32(MM)
    (x0, y0), (dx, dy) = start, np.subtract(end, start)
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    across = np.hypot(x - x0 - along * dx, y - y0 - along * dy) / (breadth / 2)
    gleam = 60 * np.exp(-(((across - 0.3) / 0.1) ** 2))
    return across < 1, np.array(colour) * (1 - 0.25 * np.clip(across, 0, 1)[..., None] ** 4) + gleam[..., None]


def scrap(
    shape: tuple[int, ...], middle: tuple[float, float], sides: tuple[float, float], turn: float, colour: Any
) -> Object:
    corners = cv2.boxPoints((np.array(middle) * MM, np.array(sides) * MM, turn))
    mask = cv2.fillPoly(np.zeros(shape[:2], np.uint8), [np.rint(corners).astype(np.int32)], (1,))
    return mask > 0, np.full(shape, colour, np.float64)


def lay(picture: np.ndarray, thing: Object) -> np.ndarray:
    """With the shadow that it throws to its right."""
    mask, colours = thing
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    shade = cv2.GaussianBlur(np.roll(mask, (7, 5), (0, 1)).astype(np.float32), (0, 0), 5)[..., None]
    return np.clip(picture * (1 - 0.3 * shade) * (1 - soft) + colours * soft, 0, 255).astype(np.uint8)


def hidden(mask: np.ndarray) -> dict[str, float]:
    """How much of each cell is."""
    share = {}
    for char, em in PAGE.em_boxes():
        room = ROOM * em.width
        x0, y0, x1, y1 = (round(v * MM) for v in (em.x0 - room, em.y0 - room, em.x1 + room, em.y1 + room))
        share[char] = float(mask[y0:y1, x0:x1].mean())
    return share


def cut(picture: np.ndarray) -> tuple[dict[str, np.ndarray | None], set[str], list[str]]:
    grey = cv2.addWeighted(picture[..., 1], 0.5, picture[..., 2], 0.5, 0)
    (located,), _ = find_pages(grey)
    cells, findings = cut_cells(grey, located, SIZE)
    named = {cell.char for cell in cells if COVERED in cell.doubts}
    return {cell.char: cell.glyph for cell in cells}, named, findings


THINGS: dict[str, Callable[[tuple[int, ...]], Object]] = {
    "finger from the right": lambda shape: rod(shape, (222, 150), (150, 140), 16, SKIN),
    "thin finger from below": lambda shape: rod(shape, (90, 305), (110, 190), 11, SKIN),
    "dark finger from the left": lambda shape: rod(shape, (-10, 120), (70, 160), 19, DARK_SKIN),
    "hand": lambda shape: rod(shape, (-10, 240), (60, 215), 55, SKIN),
    "pen over three cells": lambda shape: rod(shape, (40, 118), (95, 108), 8, PLASTIC),
    "pen aslant": lambda shape: rod(shape, (60, 100), (130, 230), 9, (40, 60, 150)),
    "white scrap": lambda shape: scrap(shape, (70, 225), (40, 25), 12, SHEET),
    "small yellow scrap": lambda shape: scrap(shape, (120, 160), (20, 16), -25, (250, 235, 140)),
    "ruler": lambda shape: scrap(shape, (105, 170), (150, 28), 20, (215, 190, 120)),
    "telephone": lambda shape: scrap(shape, (120, 190), (70, 140), -15, (22, 22, 26)),
}
TAKEN: list[dict[str, Any]] = [
    {"turn": 3, "noise": 3},
    {"tilt": 0.12, "turn": -4, "noise": 3},
    {"blur": 1.2, "shade": 0.3},
    {},
]


@pytest.mark.thinned(4)
@pytest.mark.parametrize("name", THINGS)
def test_cells_that_something_lies_over_are_named(name: str, page_picture: np.ndarray) -> None:
    number = list(THINGS).index(name)
    written = write(page_picture, PAGE, (KAI, BRUSH)[number % 2], seed=number, skip=SKIPPED)
    thing = THINGS[name](written.picture.shape)
    glyphs, named, findings = cut(photograph(lay(written.picture, thing), **TAKEN[number % len(TAKEN)]))
    share = hidden(thing[0])
    assert {char for char in CHARS if share[char] > 0.06} <= named
    assert not [char for char in named if share[char] == 0]
    assert findings[-1].startswith(
        f"something lies over {len(named)} cells; take it away and photograph the page again: "
    )
    assert set(findings[-1].split(": ")[1].split()) == named
    for char in set(CHARS) - named:  # also where a little of the cell's border is hidden
        glyph = glyphs[char]
        assert (glyph is None) == (char in SKIPPED), char
        assert glyph is None or overlap(glyph, written.truth[char]) > RIGHT, char


def strokes_on_the_frames(written: Written) -> np.ndarray:
    picture = written.picture.copy()
    for _, em in list(PAGE.em_boxes())[::4]:
        x0, y0, x1, y1 = (round(v * MM) for v in (em.x0 + 0.3, em.y0 + 0.3, em.x1 - 0.3, em.y1 - 0.3))
        cv2.rectangle(picture, (x0, y0), (x1, y1), INK, round(1.3 * MM))
    return picture


def brush_of_2_mm_more(written: Written) -> np.ndarray:
    ink = (written.picture.max(axis=2) < 70).astype(np.uint8)
    ink[: round(52 * MM)] = ink[round(275 * MM) :] = 0
    broader = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(2 * MM), round(2 * MM))))
    return np.where(broader[..., None] > 0, np.uint8(INK), written.picture)


def overexposed(written: Written, gain: float = 0.4) -> np.ndarray:
    """A lamp's reflection, in which frames fade to white."""
    height, width = written.picture.shape[:2]
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    light = 1 + gain * np.exp(-(((x - 0.2) / 0.5) ** 2) - ((y - 0.1) / 0.4) ** 2)
    return np.clip(written.picture * light[..., None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("honest", [strokes_on_the_frames, brush_of_2_mm_more, overexposed])
@pytest.mark.parametrize("font", [KAI, BRUSH], ids=lambda font: font.stem)
def test_nothing_lies_over_heavy_strokes_and_in_bright_light(
    font: Path, honest: Callable[[Written], np.ndarray], page_picture: np.ndarray
) -> None:
    written = write(page_picture, PAGE, font, seed=1, skip=SKIPPED, room=1.0)
    assert not cut(photograph(honest(written), turn=1, noise=3))[1]


def test_another_picture_of_a_covered_cell_is_taken(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    """Of the two cells of a character the good one, in either order; also where the other is in the folder already."""
    written = write(page_picture, PAGE, KAI, seed=3)
    thing = THINGS["hand"](written.picture.shape)
    bad, good = tmp_path / "bad.jpg", tmp_path / "good.jpg"
    save_jpeg(photograph(lay(written.picture, thing), turn=1), bad)
    save_jpeg(photograph(written.picture, turn=-1), good)
    share = hidden(thing[0])
    under = [name_from_char(char) for char in CHARS if share[char] > 0.1]
    out, size = tmp_path / "out", f"size={SIZE}"
    said = makes(here, "scan", f"pages={bad}", f"out={out}", size)
    doubtful = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["doubtful"]
    assert set(under) <= set(doubtful)
    assert all(doubts[0] == COVERED for doubts in list(doubtful.values())[: len(under)])
    assert f"{bad}: something lies over" in said
    assert "0 cells are empty" in said
    said = makes(here, "scan", f"pages={good}", f"out={out}", size)
    assert "lies over" not in said
    pages = f"pages=[{bad},{good}]", f"pages=[{good},{bad}]"
    makes(here, "scan", pages[0], f"out={tmp_path / 'a'}", size)
    makes(here, "scan", pages[1], f"out={tmp_path / 'b'}", size)
    for folder in (out, tmp_path / "a", tmp_path / "b"):
        assert min(overlaps(folder, written).values()) > RIGHT
        assert not json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["doubtful"]
