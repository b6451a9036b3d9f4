"""A located page -> the glyph image of each cell: even light, no guides, no specks, grey levels at the ink's edges."""

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import PAPER
from fontgan.handwriting.locate import Located, grid_to_mm, pixels_per_mm
from fontgan.handwriting.sheet import CANVAS_EMS, PAPERS, ROOM

_LIGHT_PX_PER_MM = 2.0  # of the map of the page's light
_SURVEY_PX = 96  # side of a cell where levels are taken
_SPECK_EM = 0.015  # ink smaller than a square of this side is dust or noise
_SMALL_EM = 0.12  # a character all of whose ink is shorter than this is doubtful, unless it is punctuation
# So much darker than where all counts as paper is surely written, not printed or a shadow's edge.
_MIN_WRITTEN_CONTRAST = 0.08
_FRAME_REACH_EM = 0.1  # how far from its place a cell's frame is looked for; beyond stand the labels
_MAX_BEND_EM = 0.07  # cells farther off than this are said
_FEW_PX = 60  # pixels of a picture across an em, below which strokes of Han characters run together


class Cell(NamedTuple):
    char: str
    glyph: np.ndarray | None  # (size, size) uint8, 0 ink .. 255 paper, as ``canvas_frame``; None if nothing is written
    seen: np.ndarray  # the same cut as the picture has it, only the light made even
    doubts: list[str]  # why someone should look at it


class Levels(NamedTuple):
    """Of a page in even light, where its bare paper is 1: its ink, and from where on all is paper."""

    ink: float
    white: float

    def curve(self, cell: np.ndarray) -> np.ndarray:
        """Grey levels of a cell, 0 ink .. 255 paper, float32; edges stay where they are, as the middle of both does."""
        ink = self.ink
        dark = cell[cell < self.white - _MIN_WRITTEN_CONTRAST]
        if len(dark) > 0.002 * cell.size:
            # Who wrote this cell with less pressure has a paler ink; what is hardly darker than guides is no ink.
            ink = min(max(float(np.percentile(dark, 20)), ink), (1 + self.ink) / 2)
        middle = (1 + ink) / 2
        half = max(self.white - middle, 0.06)
        return np.clip((cell - (middle - half)) / (2 * half), 0, 1) * np.float32(PAPER)


def canvas_frame(size: int) -> Frame:
    """Cell -> canvas: the em square with room around it on all sides."""
    scale = size / CANVAS_EMS
    return Frame(scale, ROOM * scale, ROOM * scale)


def cut_cells(grey: np.ndarray, located: Located, size: int) -> tuple[list[Cell], list[str]]:
    """Cuts every cell of a page out of its picture, (H, W) uint8; ``size`` is the side of a glyph image in pixels.

    Returns: the cells in their order, and findings about the whole page.
    """
    page = located.page
    findings = []
    em_px = page.cell * min(pixels_per_mm(located.to_picture, x, y) for _, (x, y, _, _) in page.em_boxes())
    if em_px < _FEW_PX:
        findings.append(f"a cell is only {em_px:.0f} pixels wide; {_FEW_PX} or more are needed for dense characters")
    light = page_light(grey, located)
    cells_em, bend = find_frames(grey, light, located)
    if bend > _MAX_BEND_EM * page.cell:
        findings.append(f"the page is bent: cells are up to {bend:.1f} mm off their place; lay it flat if they are cut")
    coverage = np.stack([_flat(grey, light, located, em, _SURVEY_PX) for em in cells_em])
    paper = float(np.median(coverage))
    levels = find_levels(coverage / paper)
    if levels is None:
        findings.append("nothing is written on it")
    elif levels.ink > 0.75:
        findings.append("its ink is pale; write with a darker pen, or in better light")
    brightest = float(np.percentile([_at(light, em) for _, em in page.em_boxes()], 95))
    # As many samples as the picture has, or as the glyph needs; a whole number of them a pixel.
    finer = max(1, math.ceil(CANVAS_EMS * em_px / size))
    cells = []
    for char, em in zip(page.chars, cells_em, strict=True):
        flat = _flat(grey, light, located, em, finer * size) / paper
        seen = np.clip(_reduced(flat, finer) * 230, 0, PAPER).astype(np.uint8)
        glyph, doubts = clean(_reduced(levels.curve(flat), finer), char) if levels else (None, [])
        if glyph is not None and levels:
            if np.median(seen[glyph < 128]) > 230 * (1 + levels.ink) / 2:
                doubts.append("faint ink")
            if _at(light, em) < 0.35 * brightest:
                doubts.append("in shadow or blotted")
        cells.append(Cell(char, glyph, seen, doubts))
    return cells, findings


def page_light(grey: np.ndarray, located: Located) -> np.ndarray:
    """How bright bare paper is all over the page: (H, W) float32, ``_LIGHT_PX_PER_MM`` pixels a millimetre."""
    page = located.page
    sides = PAPERS[page.paper]
    shrink = min(1.0, 1.5 * _LIGHT_PX_PER_MM / pixels_per_mm(located.to_picture, sides[0] / 2, sides[1] / 2))
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    to_small = np.diag([shrink, shrink, 1.0])
    to_small[:2, 2] = (shrink - 1) / 2  # pixel centres
    to_small = to_small @ located.to_picture @ grid_to_mm(1 / _LIGHT_PX_PER_MM, 0, 0)
    flat = _warped(small, to_small, [math.ceil(side * _LIGHT_PX_PER_MM) for side in sides], cv2.INTER_LINEAR)
    # Closing fills whatever is dark and narrower than its kernel, and leaves the edges of wider shadows.
    side = 2 * round(max(7.0, 0.5 * page.cell) * _LIGHT_PX_PER_MM / 2) + 1
    closed = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    smooth = cv2.GaussianBlur(cv2.medianBlur(closed, 5).astype(np.float32), (0, 0), 1.0 * _LIGHT_PX_PER_MM)
    return np.maximum(smooth, 8)


def find_frames(grey: np.ndarray, light: np.ndarray, located: Located) -> tuple[list[Box], float]:
    """The em boxes where their printed frames are, which is not quite where a flat page would have them.

    Paper bends smoothly, so a surface of low degree is laid through what the single frames say; ink and ghosts
    make some of them say wrong, and those are left out.
    Returns: the boxes, and by how many millimetres the farthest has moved.
    """
    boxes = [em for _, em in located.page.em_boxes()]
    moved = np.array([_frame_shift(grey, light, located, em) for em in boxes])
    middles = np.array([em.centre for em in boxes])
    x, y = ((middles - middles.mean(axis=0)) / 100).T
    curved = np.stack([x**0, x, y, x * y, x * x, y * y, x * x * y, x * y * y, x * x * y * y], axis=1)
    seen = np.isfinite(moved).all(axis=1)
    # What few cells say is no more than how the page lies as a whole.
    terms = next((t for t in (curved, curved[:, :3], curved[:, :1]) if _determined(t[seen])), None)
    if terms is None:
        return boxes, 0.0
    trusted, fitted = seen, np.zeros_like(moved)
    for _ in range(5):
        fitted = terms @ np.linalg.lstsq(terms[trusted], moved[trusted], rcond=None)[0]
        off = np.linalg.norm(moved - fitted, axis=1)
        trusted = off <= max(0.15, 2.5 * float(np.nanmedian(off)))
    if trusted.mean() < 0.5:
        return boxes, 0.0  # they contradict each other: no frames are seen
    found = [Box(em.x0 + dx, em.y0 + dy, em.x1 + dx, em.y1 + dy) for em, (dx, dy) in zip(boxes, fitted, strict=True)]
    return found, float(np.linalg.norm(fitted, axis=1).max())


def _determined(terms: np.ndarray) -> bool:
    """Whether so many cells in such places fix the terms of a fit, with as many again to spare."""
    count, wanted = terms.shape
    return count >= max(4, 2 * wanted) and int(np.linalg.matrix_rank(terms)) == wanted


def _frame_shift(grey: np.ndarray, light: np.ndarray, located: Located, em: Box) -> tuple[float, float]:
    """How far to the right and down a cell's printed frame is of its place, in millimetres; nan if it is not seen."""
    reach = _FRAME_REACH_EM * em.width
    wide = Box(em.x0 - reach, em.y0 - reach, em.x1 + reach, em.y1 + reach)
    px = 192
    flat = _flat(grey, light, located, wide, px)
    step = wide.width * CANVAS_EMS / px  # millimetres
    flat = flat / float(np.median(flat))
    ink = cv2.dilate((flat < 0.7).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    pale = np.where(ink, np.nan, np.clip(1 - flat, -0.1, 0.25))
    near = (px - em.width / step) / 2 - 0.5  # index of the frame's first line
    far, span = px - 1 - near, reach / step
    inside = slice(round(near + 6), round(far - 5))
    shifts = np.arange(-span, span + 0.5, 0.5)
    found = []
    for lines in (pale[inside], pale[:, inside].T):
        seen = np.isfinite(lines).sum(axis=0)
        profile = np.nansum(lines, axis=0) / np.maximum(seen, 1)
        at = np.arange(px)
        score = np.interp(near + shifts, at, profile) + np.interp(far + shifts, at, profile)
        best = int(score.argmax())
        if score[best] < 0.02 or score[best] < 2 * np.median(np.abs(score)):
            return np.nan, np.nan
        around = slice(max(0, best - 3), best + 4)
        weight = np.maximum(score[around] - np.median(score), 0)
        found.append(float((weight * shifts[around]).sum() / max(weight.sum(), 1e-9)) * step)
    return found[0], found[1]


def _flat(grey: np.ndarray, light: np.ndarray, located: Located, em: Box, px: int) -> np.ndarray:
    """A cell's canvas over the paper's own light: (px, px) float32, bare paper about 1."""
    to_mm = grid_to_mm(em.width * CANVAS_EMS / px, em.x0 - ROOM * em.width, em.y0 - ROOM * em.height)
    cell = _warped(grey, located.to_picture @ to_mm, (px, px), cv2.INTER_CUBIC)
    to_light = np.array([[_LIGHT_PX_PER_MM, 0, -0.5], [0, _LIGHT_PX_PER_MM, -0.5], [0, 0, 1]]) @ to_mm
    return cell.astype(np.float32) / _warped(light, to_light[:2], (px, px), cv2.INTER_LINEAR)


def _warped(picture: np.ndarray, matrix: np.ndarray, size: Sequence[int], how: int) -> np.ndarray:
    """What lies where ``matrix`` leads from the pixels of the result, (width, height); the picture's edge goes on."""
    warp = cv2.warpPerspective if len(matrix) == 3 else cv2.warpAffine
    return warp(picture, matrix, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _at(light: np.ndarray, em: Box) -> float:
    x, y = em.centre
    return float(light[int(y * _LIGHT_PX_PER_MM), int(x * _LIGHT_PX_PER_MM)])


def _reduced(fine: np.ndarray, factor: int) -> np.ndarray:
    """The mean of each square of ``factor`` pixels a side."""
    side = len(fine) // factor
    return fine if factor == 1 else fine.reshape(side, factor, side, factor).mean(axis=(1, 3))


def find_levels(coverage: np.ndarray) -> Levels | None:
    """The page's levels, from all its cells in even light: (n, s, s), bare paper about 1. None: nothing is written.

    What is printed in pale colour tells how dark paper may look: the frames stand where they are known to stand.
    """
    side = coverage.shape[-1]
    line, reach, ends = round(side * ROOM / CANVAS_EMS), 2, slice(side // 8, -side // 8)
    near, far = slice(line - reach, line + reach + 1), slice(side - line - reach - 1, side - line + reach)
    frames = [coverage[:, near, ends].min(axis=1), coverage[:, far, ends].min(axis=1)]
    frames += [coverage[:, ends, near].min(axis=2), coverage[:, ends, far].min(axis=2)]
    guide = float(np.percentile(np.concatenate([f.ravel() for f in frames]), 30))
    spread = 1.48 * float(np.median(np.abs(coverage - 1)))  # of bare paper, as a standard deviation
    white = min(0.86, guide - 0.03, 1 - 4 * spread)
    dark = coverage[coverage < white - _MIN_WRITTEN_CONTRAST]
    if len(dark) < 0.00005 * coverage.size:
        return None
    ink = float(np.percentile(dark, 20))
    return Levels(ink, max(white, (1 + ink) / 2 + 0.06))


def clean(levels: np.ndarray, char: str) -> tuple[np.ndarray | None, list[str]]:
    """Takes specks, remnants of guides and neighbours' strokes out of grey levels, (size, size), 0 ink .. 255 paper.

    Returns: the glyph as uint8, or None if nothing is left; and its doubts.
    """
    glyph = np.clip(np.rint(levels), 0, PAPER).astype(np.uint8)
    size = len(glyph)
    frame, em = canvas_frame(size), size / CANVAS_EMS
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((glyph < PAPER - 10).astype(np.uint8), connectivity=8)
    coverage = (PAPER - glyph).astype(np.float64) / PAPER
    whole, cell = slice(None), slice(int(frame.dx), math.ceil(frame.dx + em))
    ink, inside = (
        np.bincount(labels[part, part].ravel(), coverage[part, part].ravel(), minlength=count) for part in (whole, cell)
    )
    darkest = np.full(count, PAPER, np.int64)
    np.minimum.at(darkest, labels.ravel(), glyph.ravel())
    x, y, width, height, _ = boxes.T
    at_edge = (x == 0) | (y == 0) | (x + width == size) | (y + height == size)
    kept = ink >= (_SPECK_EM * em) ** 2
    kept &= darkest < 128  # remnants of guides stay paler than half
    kept &= ~(at_edge & (inside < 0.5 * ink))  # a neighbour's stroke
    kept[0] = False  # the paper
    if not kept.any():
        return None, []
    glyph = np.where(kept[labels], glyph, np.uint8(PAPER))
    doubts = []
    rows, columns = np.flatnonzero((glyph < 128).any(axis=1)), np.flatnonzero((glyph < 128).any(axis=0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    if longest < _SMALL_EM * em and unicodedata.category(char)[0] not in "PSM":
        doubts.append("very little ink")
    if (kept & at_edge).any():
        doubts.append("ink reaches the edge of its cell")
    return glyph, doubts
