"""Cells that a finger, a pen or a scrap of paper lies over: what is printed there is not seen.

A frame shows in a shadow and beside strokes, so where a stretch of it is missing something lies.  What is dark hides a
frame as ink does, but no stroke is so broad and goes on beyond its cell.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from fontgan.data.frame import Box
from fontgan.handwriting.sheet import CANVAS_EMS, ROOM, Page, code_box, marker_boxes

_STRETCH_MM = 2.0  # of a frame, that is seen or not
_OFF_MM, _BESIDE_MM = 0.6, 0.4  # how far a frame may be off its place, and where the paper beside it is looked at
_TENTH_MM = 0.1
_MIN_CONTRAST = 0.02  # of frames with paper; what is less is not seen anywhere
# Of the contrast that frames have on the page: of a stretch that is not there, and of those beside it.
_MISSING, _SHARP = 0.42, 0.7
_OVEREXPOSED = 245  # grey level from which on frames may be lost in the light
_MIN_STRETCHES = 3  # of a cell; fewer may be missing by chance
_MIN_SEEN = 0.3  # of all stretches, or frames say nothing
# The breadth of what is no stroke, the same by the page's pen, and the most: pens that lie there have 7 mm and more.
_BROAD_MM, _BROAD_PENS, _MAX_BROAD_MM = 2.5, 2.5, 7.0
_GLEAM_MM = 1.5  # breadth of what is bright along a pen
_PART_MM2 = 12.0  # that lies in a cell and beyond it
_TIP_MM, _TIP_PENS, _TIP_REACH_MM = 2.0, 1.2, 12.0  # breadth and length of what narrower belongs to it
_HIDES_MM2 = 4.0  # of a cell, or it is only touched


def frame_contrast(flat: np.ndarray, cell_mm: float, dark: float) -> np.ndarray:
    """How much darker than what is beside it each stretch of a cell's frame is, all around, and how bright that is.

    Args:
        flat: (px, px), a cell's canvas in even light, paper 1.
        dark: what is darker is ink.
    Returns: (2, n), nan where ink lies.
    """
    px = len(flat)
    mm = cell_mm * CANVAS_EMS / px
    line = px * ROOM / CANVAS_EMS - 0.5
    off, beside = round(_OFF_MM / _TENTH_MM), round(_BESIDE_MM / _TENTH_MM)
    at = line + np.arange(-off - beside, off + beside + 1) * _TENTH_MM / mm
    ends = np.rint(np.linspace(line, px - 1 - line, max(5, round(cell_mm / _STRETCH_MM)) + 1)).astype(int)
    found = []
    for turn in range(4):
        band = np.rot90(flat, turn)[: int(at[-1]) + 2]
        # Along the line the median leaves out strokes that cross it.
        across = [np.median(band[:, start + 1 : end], axis=1) for start, end in pairwise(ends)]
        levels = np.array([np.interp(at, np.arange(len(band)), level) for level in across])
        levels[(levels < dark).any(axis=1)] = np.nan
        either = (levels[:, : -2 * beside] + levels[:, 2 * beside :]) / 2  # also on a slope, as at a shadow's edge
        contrast = either - levels[:, beside:-beside]
        # All of a side is off alike.
        best = int(np.nan_to_num(contrast).sum(axis=0)[1:-1].argmax())
        found.append(np.stack([part[:, best : best + 3].mean(axis=1) for part in (contrast, either)]))
    return np.concatenate(found, axis=1)


def frames_missing(contrast: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Of which of a page's cells a stretch of the frame is missing, (cells,) bool; of none where frames are not seen.

    Args:
        contrast: (cells, n) of each stretch, nan where ink lies.
        grey: (cells, n), 0 to 255 in the picture beside it.
    """
    usual = float(np.nanmedian(contrast)) if np.isfinite(contrast).any() else 0.0
    missing = contrast < _MISSING * usual
    beside = np.stack([np.roll(contrast, turn, axis=1) for turn in (1, -1)])
    # In bright light frames get paler from one stretch to the next; what lies there ends within one.
    bright = missing & (grey > _OVEREXPOSED)
    ends = beside[bright & (beside >= _MISSING * usual)]
    if len(ends) and np.median(ends) < _SHARP * usual:
        missing &= ~bright
    if usual < _MIN_CONTRAST or (contrast >= _MISSING * usual).mean() < _MIN_SEEN:
        return np.zeros(len(contrast), bool)
    wide = missing & ~(beside >= _MISSING * usual).all(axis=0)
    return np.asarray(wide.sum(axis=1) >= _MIN_STRETCHES)


def broad_and_dark(even: np.ndarray, page: Page, dark: float, px_per_mm: float) -> np.ndarray:
    """Which of a page's cells something dark lies over that is broader than strokes and goes on beyond a cell.

    Args:
        even: (H, W), the whole page in even light, paper 1.
    Returns: (cells,) bool.
    """
    is_dark = (even < dark).astype(np.uint8)
    printed = [*marker_boxes(page.paper).values(), code_box(page.paper)]
    around = [Box(box.x0 - 1.5, box.y0 - 1.5, box.x1 + 1.5, box.y1 + 1.5) for box in printed]
    _fill(is_dark, around, px_per_mm, [0] * len(around))
    cells = np.zeros(even.shape, np.int32)  # 0 is beside all cells
    room = ROOM * page.cell
    canvases = [Box(em.x0 - room, em.y0 - room, em.x1 + room, em.y1 + room) for _, em in page.em_boxes()]
    _fill(cells, canvases, px_per_mm, range(1, len(canvases) + 1))
    pen = breadth(is_dark) / px_per_mm
    core = _opened(
        cv2.morphologyEx(is_dark, cv2.MORPH_CLOSE, _disc(_GLEAM_MM * px_per_mm)),
        min(max(_BROAD_MM, _BROAD_PENS * pen), _MAX_BROAD_MM) * px_per_mm,
    )
    count, parts = cv2.connectedComponents(core)
    lies = np.zeros_like(is_dark)
    for part in range(1, count):
        areas = np.bincount(cells[parts == part]) / px_per_mm**2
        if (areas > _PART_MM2).sum() > 1:
            lies[parts == part] = 1
    if lies.any():
        within = _opened(is_dark, max(_TIP_MM, _TIP_PENS * pen) * px_per_mm) | core
        for _ in range(round(_TIP_REACH_MM * px_per_mm)):
            lies = cv2.dilate(lies, np.ones((3, 3), np.uint8)) & within
    hidden = np.bincount(cells[lies > 0], minlength=len(canvases) + 1)[1:] / px_per_mm**2
    return np.asarray(hidden > _HIDES_MM2)


def breadth(ink: np.ndarray) -> float:
    """Of the strokes in an image of 0 and 1, uint8, in its pixels; 0 if it has none."""
    inside = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 5)
    middles = inside[(inside == cv2.dilate(inside, np.ones((3, 3), np.uint8))) & (inside > 0)]
    return float(2 * np.median(middles) - 1) if len(middles) else 0.0


def _fill(image: np.ndarray, boxes: Sequence[Box], px_per_mm: float, values: Sequence[int]) -> None:
    for box, value in zip(boxes, values, strict=True):
        x0, y0, x1, y1 = (max(0, round(v * px_per_mm)) for v in box)
        image[y0:y1, x0:x1] = value


def _opened(ink: np.ndarray, side_px: float) -> np.ndarray:
    """Without what is narrower."""
    return cv2.morphologyEx(ink, cv2.MORPH_OPEN, _disc(side_px))


def _disc(side_px: float) -> np.ndarray:
    side = round(side_px) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
