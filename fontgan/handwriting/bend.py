"""How a page is bent, by what is printed all over it."""

from collections.abc import Callable

import cv2
import numpy as np

from fontgan.data.frame import Box
from fontgan.handwriting.labels import REACH_MM, ink_off, label_centres
from fontgan.handwriting.light import flat_cell
from fontgan.handwriting.locate import Located
from fontgan.handwriting.sheet import CANVAS_EMS, label_box
from fontgan.handwriting.surface import Surface

_FRAME_REACH_EM = 0.1  # how far from its place a cell's frame is looked for; beyond stand the labels
_ROUNDS = 3  # of fitting the surface: each looks for frames nearer to where they are
_FEW_FRAMES = 4  # fewer say nothing of the page
_FRAME_OFF_MM = 0.1  # how exactly a frame, a marker's corner or the code is found
_LABEL_OFF_MM = 0.3  # the same of a label, whose font may be another
_LABEL_PX_PER_MM = 8
_SETTLED_MM = 0.1
_CREASED_MM = 0.2  # frames this far off a smooth sheet
_BLIND_MM = 0.08  # markers farther off tell that a sheet is bent
BLIND = (
    "the sheet is bent, or the lens bends it, and its pale frames are not seen, by which cells are found then; "
    "lay it flat, or scan it in grey or colour"
)
UNSURE = (
    "neither its pale frames nor the labels above them are seen, by which cells of a bent sheet are found; "
    "look whether they are cut right, or scan it in grey or colour"
)


def find_surface(grey: np.ndarray, light: np.ndarray, located: Located) -> tuple[Surface, list[str]]:
    """How the page is bent, from its markers, its code and the printed frames of its cells, or if these are not seen
    the labels above them.

    Paper and lenses bend smoothly, and so does a surface; ink and ghosts make some frames say wrong, and those are
    left out.
    Returns: the surface, and what may be wrong with it.
    """
    boxes = [em for _, em in located.page.em_boxes()]
    surface, seen, off = _followed(
        located,
        np.array([em.centre for em in boxes]),
        lambda surface: [_frame_shift(grey, light, surface, em) for em in boxes],
        _FRAME_OFF_MM,
    )
    if seen >= _FEW_FRAMES and np.median(off) <= _CREASED_MM:
        creased = float(np.percentile(off, 95))
        said = f"the sheet is creased: cells are {creased:.1f} mm off a smooth one; lay it flat if they are cut"
        return surface, [said] if creased > _CREASED_MM else []
    centres, side = label_centres(located.page), label_box(boxes[0], located.page.cell).width
    by_labels, labels, off = _followed(
        located,
        centres,
        lambda surface: [_label_shift(grey, light, surface, centre, side) for centre in centres],
        _LABEL_OFF_MM,
    )
    if labels >= max(_FEW_FRAMES, len(boxes) / 2) and np.median(off) <= _LABEL_OFF_MM:
        return by_labels, []
    if located.off_mm > _BLIND_MM:
        return surface, [BLIND]
    return surface, [UNSURE] if max(seen, labels) < len(boxes) / 2 else []


def _followed(
    located: Located,
    points: np.ndarray,
    shifts_of: Callable[[Surface], list[tuple[float, float]]],
    off_mm: float,
) -> tuple[Surface, int, np.ndarray]:
    """The page's surface through what is printed at some points, (n, 2), each known to ``off_mm``.

    Returns: also how many are seen by ``shifts_of``, and how far each of these is off the surface, millimetres.
    """
    surface, off, seen = located.surface, np.full(1, np.inf), np.full(len(points), False)
    known = points[np.isfinite(points).all(axis=1)]
    for _ in range(_ROUNDS):
        shifts = np.array(shifts_of(surface))
        seen = np.isfinite(shifts).all(axis=1)
        if seen.sum() < _FEW_FRAMES:
            break
        there, shifts = points[seen], shifts[seen]
        moved = shifts + surface.moved(there + shifts)
        fitted, trusted = surface, np.full(len(there), True)
        for _ in range(5):
            on, by = np.split(np.concatenate([located.fixed, np.hstack([there, moved])[trusted]]), 2, axis=1)
            fitted = surface.bent_to(on, by, off_mm)
            off = np.linalg.norm(moved - fitted.moved(there), axis=1)
            trusted = off <= max(1.5 * off_mm, 2.5 * float(np.median(off)))
        if trusted.mean() < 0.5:
            break  # they contradict each other: nothing is seen
        surface, before = fitted, surface
        if np.abs(surface.moved(known) - before.moved(known)).max() < _SETTLED_MM:
            break
    return surface, int(seen.sum()), off


def _label_shift(
    grey: np.ndarray, light: np.ndarray, surface: Surface, centre: np.ndarray, side: float
) -> tuple[float, float]:
    """The same of the label above a cell, whose ink should have its middle at ``centre``."""
    if not np.isfinite(centre).all():
        return np.nan, np.nan
    half = (side / 2 + REACH_MM) / CANVAS_EMS
    px = round(2 * half * CANVAS_EMS * _LABEL_PX_PER_MM)
    window = Box(*(centre - half), *(centre + half))
    return ink_off(flat_cell(grey, light, surface, window, px), 2 * half * CANVAS_EMS / px, side)


def _frame_shift(grey: np.ndarray, light: np.ndarray, surface: Surface, em: Box) -> tuple[float, float]:
    """How far to the right and down a cell's printed frame is of its place, in millimetres; nan if it is not seen."""
    reach = _FRAME_REACH_EM * em.width
    wide = Box(em.x0 - reach, em.y0 - reach, em.x1 + reach, em.y1 + reach)
    px = 192
    flat = flat_cell(grey, light, surface, wide, px)
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
