"""A located page -> the glyph image of each cell: even light, no guides, no specks, grey levels at the ink's edges."""

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import PAPER
from fontgan.errors import shorten
from fontgan.handwriting.code import grid_to_mm
from fontgan.handwriting.covered import broad_and_dark, frame_contrast, frames_missing
from fontgan.handwriting.crossed import crossed_out
from fontgan.handwriting.locate import Located
from fontgan.handwriting.sheet import CANVAS_EMS, PAPERS, ROOM
from fontgan.handwriting.surface import Surface

CROSSED = "crossed out or scribbled over"
COVERED = "something lies over it"
SET_ASIDE = (CROSSED, COVERED)  # what is certainly no glyph
_LIGHT_PX_PER_MM = 2.0  # of the map of the page's light
_SURVEY_PX = 96  # side of a cell where levels are taken
_SPECK_EM = 0.015  # ink smaller than a square of this side is dust or noise
_SMALL_EM = 0.12  # a character all of whose ink is shorter than this is doubtful, unless it is punctuation
# So much darker than where all counts as paper is surely written, not printed or a shadow's edge.
_MIN_WRITTEN_CONTRAST = 0.08
_DARKEST_SHADOW = 0.15  # of the brightest paper; what is darker and wide is none
_FRAME_REACH_EM = 0.1  # how far from its place a cell's frame is looked for; beyond stand the labels
_ROUNDS = 3  # of fitting the surface: each looks for frames nearer to where they are
_FEW_FRAMES = 4  # fewer say nothing of the page
_FRAME_OFF_MM = 0.1  # how exactly a frame, a marker's corner or the code is found
_SETTLED_MM = 0.1
_CREASED_MM = 0.2  # frames this far off a smooth sheet
_BLIND_MM = 0.08  # markers farther off tell that a sheet is bent
_BLIND = (
    "the sheet is bent, or the lens bends it, and its pale frames are not seen, by which cells are found then; "
    "lay it flat, or scan it in grey or colour"
)
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


def cut_cells(grey: np.ndarray, located: Located, size: int, *, dithered: bool = False) -> tuple[list[Cell], list[str]]:
    """Cuts every cell of a page out of its picture, (H, W) uint8; ``size`` is the side of a glyph image in pixels.

    Of pictures that were dithered the frames have gaps, which say nothing.
    Returns: the cells in their order, and findings about the whole page.
    """
    page = located.page
    light, whole = page_light(grey, located)
    surface, findings = find_surface(grey, light, located)
    em_px = page.cell * min(surface.pixels_per_mm(*em.centre) for _, em in page.em_boxes())
    if em_px < _FEW_PX:
        findings.append(f"a cell is only {em_px:.0f} pixels wide; {_FEW_PX} or more are needed for dense characters")
    coverage = np.stack([_flat(grey, light, surface, em, _SURVEY_PX) for _, em in page.em_boxes()])
    paper = float(np.median(coverage))
    levels = find_levels(coverage / paper)
    if levels is None:
        findings.append("nothing is written on it")
    elif levels.ink > 0.75:
        findings.append("its ink is pale; write with a darker pen, or in better light")
    white, ink = (levels.white, levels.ink) if levels else (1 - _MIN_WRITTEN_CONTRAST, 0)
    brightest = float(np.percentile([_at(light, em) for _, em in page.em_boxes()], 95))
    # As many samples as the picture has, or as the glyph needs; a whole number of them a pixel.
    finer = max(1, math.ceil(CANVAS_EMS * em_px / size))
    cells, frames = [], []
    for char, em in page.em_boxes():
        flat = _flat(grey, light, surface, em, finer * size) / paper
        seen = np.clip(_reduced(flat, finer) * 230, 0, PAPER).astype(np.uint8)
        glyph, doubts = clean(_reduced(levels.curve(flat), finer), char) if levels else (None, [])
        if glyph is not None and levels:
            if np.median(seen[glyph < 128]) > 230 * (1 + levels.ink) / 2:
                doubts.append("faint ink")
            if _at(light, em) < 0.35 * brightest:
                doubts.append("in shadow or blotted")
        cells.append(Cell(char, glyph, seen, doubts))
        frames.append(frame_contrast(flat, page.cell, (1 + ink) / 2) * [[1], [paper * _at(light, em)]])
    drawn = [cell for cell in cells if cell.glyph is not None]
    for cell, crossed in zip(
        drawn, crossed_out([(c.char, c.glyph) for c in drawn if c.glyph is not None]), strict=True
    ):
        if crossed:
            cell.doubts.insert(0, CROSSED)
    even = whole / (paper * np.maximum(light, _DARKEST_SHADOW * brightest))
    covered = broad_and_dark(even, page, white, _LIGHT_PX_PER_MM)
    if not dithered and _BLIND not in findings:
        covered |= frames_missing(*np.stack(frames, axis=1))
    hidden = [cell for cell, is_covered in zip(cells, covered, strict=True) if is_covered]
    for cell in hidden:
        cell.doubts.insert(0, COVERED)
    if hidden:
        named = shorten([cell.char for cell in hidden], len(cells))
        findings.append(f"something lies over {len(hidden)} cells; take it away and photograph the page again: {named}")
    return cells, findings


def page_light(grey: np.ndarray, located: Located) -> tuple[np.ndarray, np.ndarray]:
    """How bright bare paper is all over the page: (H, W) float32, ``_LIGHT_PX_PER_MM`` pixels a millimetre.

    Returns: also the page itself.
    """
    page = located.page
    sides = PAPERS[page.paper]
    shrink = min(1.0, 1.5 * _LIGHT_PX_PER_MM / located.surface.pixels_per_mm(sides[0] / 2, sides[1] / 2))
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    x, y = ((np.arange(math.ceil(side * _LIGHT_PX_PER_MM)) + 0.5) / _LIGHT_PX_PER_MM for side in sides)
    at = located.surface.at(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    at_x, at_y = ((at + 0.5) * shrink - 0.5).astype(np.float32).T.reshape(2, len(y), len(x))  # pixel centres
    flat = cv2.remap(small, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Closing fills whatever is dark and narrower than its kernel, and leaves the edges of wider shadows.
    side = 2 * round(max(7.0, 0.5 * page.cell) * _LIGHT_PX_PER_MM / 2) + 1
    closed = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    smooth = cv2.GaussianBlur(cv2.medianBlur(closed, 5).astype(np.float32), (0, 0), 1.0 * _LIGHT_PX_PER_MM)
    return np.maximum(smooth, 8), flat


def find_surface(grey: np.ndarray, light: np.ndarray, located: Located) -> tuple[Surface, list[str]]:
    """How the page is bent, from its markers, its code and the printed frames of its cells.

    Paper and lenses bend smoothly, and so does a surface; ink and ghosts make some frames say wrong, and those are
    left out.
    Returns: the surface, and what may be wrong with it.
    """
    surface = located.surface
    boxes = [em for _, em in located.page.em_boxes()]
    middles = np.array([em.centre for em in boxes])
    off, seen = np.full(len(boxes), np.inf), np.full(len(boxes), False)
    for _ in range(_ROUNDS):
        shifts = np.array([_frame_shift(grey, light, surface, em) for em in boxes])
        seen = np.isfinite(shifts).all(axis=1)
        if seen.sum() < _FEW_FRAMES:
            break
        points, shifts = middles[seen], shifts[seen]
        moved = shifts + surface.moved(points + shifts)
        fitted, trusted = surface, np.full(len(points), True)
        for _ in range(5):
            on, by = np.split(np.concatenate([located.fixed, np.hstack([points, moved])[trusted]]), 2, axis=1)
            fitted = surface.bent_to(on, by, _FRAME_OFF_MM)
            off = np.linalg.norm(moved - fitted.moved(points), axis=1)
            trusted = off <= max(0.15, 2.5 * float(np.median(off)))
        if trusted.mean() < 0.5:
            break  # they contradict each other: no frames are seen
        surface, before = fitted, surface
        if np.abs(surface.moved(middles) - before.moved(middles)).max() < _SETTLED_MM:
            break
    if seen.sum() < _FEW_FRAMES or np.median(off) > _CREASED_MM:
        return surface, [_BLIND] if located.off_mm > _BLIND_MM else []
    creased = float(np.percentile(off, 95))
    said = f"the sheet is creased: cells are {creased:.1f} mm off a smooth one; lay it flat if they are cut"
    return surface, [said] if creased > _CREASED_MM else []


def _frame_shift(grey: np.ndarray, light: np.ndarray, surface: Surface, em: Box) -> tuple[float, float]:
    """How far to the right and down a cell's printed frame is of its place, in millimetres; nan if it is not seen."""
    reach = _FRAME_REACH_EM * em.width
    wide = Box(em.x0 - reach, em.y0 - reach, em.x1 + reach, em.y1 + reach)
    px = 192
    flat = _flat(grey, light, surface, wide, px)
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


def _flat(grey: np.ndarray, light: np.ndarray, surface: Surface, em: Box, px: int) -> np.ndarray:
    """A cell's canvas over the paper's own light: (px, px) float32, bare paper about 1."""
    room = ROOM * em.width
    canvas = Box(em.x0 - room, em.y0 - room, em.x1 + room, em.y1 + room)
    to_mm = grid_to_mm(canvas.width / px, canvas.x0, canvas.y0)
    cell = _warped(grey, surface.around(canvas) @ to_mm, (px, px), cv2.INTER_CUBIC)
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
