"""A located page -> the glyph image of each cell: even light, no guides, no specks, grey levels at the ink's edges."""

import math
import unicodedata
from typing import NamedTuple

import cv2
import numpy as np

from fontgan.data.frame import Box
from fontgan.data.glyphs import PAPER
from fontgan.errors import shorten
from fontgan.handwriting.bend import BLIND, UNSURE, find_surface
from fontgan.handwriting.covered import broad_and_dark, frame_contrast, frames_missing
from fontgan.handwriting.crossed import crossed_out
from fontgan.handwriting.light import LIGHT_PX_PER_MM, at, flat_cell, flat_part, page_light
from fontgan.handwriting.locate import Located
from fontgan.handwriting.retrace import retraced
from fontgan.handwriting.sheet import CANVAS_EMS, ROOM, canvas_frame
from fontgan.handwriting.surface import Surface

CROSSED = "crossed out or scribbled over"
COVERED = "something lies over it"
BEYOND = "it reaches beyond the picture"
SET_ASIDE = (CROSSED, COVERED, BEYOND)  # what is certainly no glyph
_SURVEY_PX = 96  # side of a cell where levels are taken
_SPECK_EM = 0.015  # ink smaller than a square of this side is dust or noise
_SMALL_EM = 0.12  # a character all of whose ink is shorter than this is doubtful, unless it is punctuation
# So much darker than where all counts as paper is surely written, not printed or a shadow's edge.
_MIN_WRITTEN_CONTRAST = 0.08
_DARKEST_SHADOW = 0.15  # of the brightest paper; what is darker and wide is none
_ENLARGED = 2  # samples of a picture for a pixel of the glyph; of more, what is rough in the picture averages out
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

    def ink_of(self, cell: np.ndarray) -> float:
        """The ink of a cell: who wrote it with less pressure has a paler one; what is hardly darker than guides is none."""
        dark = cell[cell < self.white - _MIN_WRITTEN_CONTRAST]
        if len(dark) <= 0.002 * cell.size:
            return self.ink
        return min(max(float(np.percentile(dark, 20)), self.ink), (1 + self.ink) / 2)

    def curve(self, cell: np.ndarray) -> np.ndarray:
        """Grey levels of a cell, 0 ink .. 255 paper, float32; edges stay where they are, as the middle of both does."""
        middle = (1 + self.ink_of(cell)) / 2
        half = max(self.white - middle, 0.06)
        return np.clip((cell - (middle - half)) / (2 * half), 0, 1) * np.float32(PAPER)

    def with_noise(self, cell: np.ndarray) -> np.ndarray:
        """Grey levels that keep noise and guides, uint8: paper is a little darker than white, ink paler than black."""
        ink = self.ink_of(cell)
        return np.clip(15 + 225 * (cell - ink) / (1 - ink), 0, 255).astype(np.uint8)


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
    coverage = np.stack([flat_cell(grey, light, surface, em, _SURVEY_PX) for _, em in page.em_boxes()])
    paper = float(np.median(coverage))
    levels = find_levels(coverage / paper)
    if levels is None:
        findings.append("nothing is written on it")
    elif levels.ink > 0.75:
        findings.append("its ink is pale; write with a darker pen, or in better light")
    white, ink = (levels.white, levels.ink) if levels else (1 - _MIN_WRITTEN_CONTRAST, 0)
    brightest = float(np.percentile([at(light, em) for _, em in page.em_boxes()], 95))
    # As many samples as the picture has, or as the glyph needs; a whole number of them a pixel.
    finer = max(1, math.ceil(CANVAS_EMS * em_px / size))
    cells, frames = [], []
    for char, em in page.em_boxes():
        flat = flat_cell(grey, light, surface, em, finer * size) / paper
        seen = np.clip(_reduced(flat, finer) * 230, 0, PAPER).astype(np.uint8)
        glyph: np.ndarray | None = None
        doubts: list[str] = []
        if levels:
            traced = None
            if finer <= _ENLARGED:
                part, to_part = flat_part(grey, light, surface, em, size)
                traced = retraced(levels.with_noise(part / paper), to_part, size)
            glyph, doubts = clean(_reduced(levels.curve(flat), finer) if traced is None else traced, char)
        if glyph is not None and levels:
            if np.median(seen[glyph < 128]) > 230 * (1 + levels.ink) / 2:
                doubts.append("faint ink")
            if at(light, em) < 0.35 * brightest:
                doubts.append("in shadow or blotted")
        cells.append(Cell(char, glyph, seen, doubts))
        frames.append(frame_contrast(flat, page.cell, (1 + ink) / 2) * [[1], [paper * at(light, em)]])
    drawn = [cell for cell in cells if cell.glyph is not None]
    for cell, crossed in zip(
        drawn, crossed_out([(c.char, c.glyph) for c in drawn if c.glyph is not None]), strict=True
    ):
        if crossed:
            cell.doubts.insert(0, CROSSED)
    even = whole / (paper * np.maximum(light, _DARKEST_SHADOW * brightest))
    covered = broad_and_dark(even, page, white, LIGHT_PX_PER_MM)
    if not dithered and not {BLIND, UNSURE} & set(findings):
        covered |= frames_missing(*np.stack(frames, axis=1))
    beyond = np.array([not _is_within(surface, em, grey) for _, em in page.em_boxes()])
    for doubt, found, told in (
        (COVERED, covered & ~beyond, "something lies over {} cells; take it away and photograph the page again"),
        (BEYOND, beyond, "{} cells reach beyond the picture; photograph the whole page"),
    ):
        doubted = [cell for cell, is_found in zip(cells, found, strict=True) if is_found]
        for cell in doubted:
            cell.doubts.insert(0, doubt)
        if doubted:
            findings.append(f"{told.format(len(doubted))}: {shorten([cell.char for cell in doubted], len(cells))}")
    return cells, findings


def _is_within(surface: Surface, em: Box, picture: np.ndarray) -> bool:
    corners = surface.at(np.array([(em.x0, em.y0), (em.x1, em.y0), (em.x1, em.y1), (em.x0, em.y1)]))
    return bool(((corners > -1) & (corners < picture.shape[::-1])).all())


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
