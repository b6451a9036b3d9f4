"""The code of a page, read where it must stand."""

from typing import NamedTuple

import cv2
import numpy as np

from fontgan.data.frame import Box
from fontgan.handwriting.sheet import CODE_MM, MAX_MODULES, Page, code_box

_SAMPLES = 5  # a side of each module of the code
_REACH_MM = 4.0  # how far off its place the code is looked for: as far as a bent sheet may carry it
_COUNTS = range(21, MAX_MODULES + 1, 4)
_AWAY = np.maximum(np.abs(np.arange(9) - 4), np.abs(np.arange(9) - 4)[:, None])
_FINDER = (_AWAY <= 1) | (_AWAY == 3)  # a corner's pattern: a black square, a white ring, a black one, and white


class Code(NamedTuple):
    page: Page
    points: np.ndarray  # (n, 2) millimetres of the page: middles of corner patterns
    moved: np.ndarray  # (n, 2) millimetres: how far each is off its place


def read_code(grey: np.ndarray, to_picture: np.ndarray, paper: str) -> Code | None:
    """Reads a page's code; ``to_picture`` leads from millimetres there to pixels. None if it cannot be read.

    Each module is sampled at its place and drawn anew, black or white, and OpenCV reads that drawing: it reads
    clean codes of any size with its corners given, and photographs of large ones often not.
    Raises: NotAPage if it says something else.
    """
    box = code_box(paper)
    points, moved = _find_corners(grey, to_picture, box)
    onto = cv2.getAffineTransform(points.astype(np.float32), (points + moved).astype(np.float32))
    nothing = np.empty((0, 2))
    for place, seen in (
        (to_picture @ np.vstack([onto, (0, 0, 1)]), (points, moved)),
        (to_picture, (nothing, nothing)),  # a corner is dirty, and was found elsewhere
    ):
        for modules in _likely_sizes(grey, place, box):
            text = _read_modules(modules)
            if text:
                return Code(Page.from_text(text), *seen)
    return None


def _find_corners(grey: np.ndarray, to_picture: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the three corner patterns by the likeliest number of modules, and how far off they are: (3, 2) each."""
    best = -1.0, np.zeros((3, 2)), np.zeros((3, 2))
    for count in _COUNTS:
        module = CODE_MM / count
        step, inset = module / _SAMPLES, 3.5 * module
        points = np.array(
            [(box.x0 + inset, box.y0 + inset), (box.x1 - inset, box.y0 + inset), (box.x0 + inset, box.y1 - inset)]
        )
        pattern = np.kron(np.where(_FINDER, 0, 255), np.ones((_SAMPLES, _SAMPLES))).astype(np.uint8)
        reach = 4.5 * module + _REACH_MM
        moved, fit = [], []
        for x, y in points:
            side = round(2 * reach / step)
            near = _sampled(grey, to_picture, x - reach, y - reach, step, side)
            match = cv2.matchTemplate(near, pattern, cv2.TM_CCOEFF_NORMED)
            _, highest, _, (right, down) = cv2.minMaxLoc(match)
            fit.append(highest)
            moved.append(((right - (len(match) - 1) / 2) * step, (down - (len(match) - 1) / 2) * step))
        best = max(best, (float(np.mean(fit)), points, np.array(moved)), key=lambda entry: entry[0])
    return best[1:]


def _likely_sizes(grey: np.ndarray, to_picture: np.ndarray, box: Box) -> list[np.ndarray]:
    """The code sampled with as many modules a side as it may have, the likeliest first; (n, n) bool, True is black."""
    likely = []
    for count in _COUNTS:
        fine = count * _SAMPLES
        drawn = _sampled(grey, to_picture, box.x0, box.y0, CODE_MM / fine, fine)
        # The middle three fifths of each module: its rim belongs half to its neighbours.
        levels = drawn.reshape(count, _SAMPLES, count, _SAMPLES)[:, 1:-1, :, 1:-1].mean(axis=(1, 3), dtype=np.float32)
        # Light falls off across the code: black is what is darker than the middle of its surroundings' extremes.
        kernel = np.ones((9, 9), np.uint8)  # wider than a finder pattern's black
        low, high = cv2.erode(levels, kernel), cv2.dilate(levels, kernel)
        black = levels < cv2.blur((low + high) / 2, (5, 5))
        likely.append((_finder_fit(black), black))
    likely.sort(key=lambda entry: -entry[0])
    return [black for fit, black in likely[:3] if fit > 0.8]


def _sampled(grey: np.ndarray, to_picture: np.ndarray, x: float, y: float, step: float, side: int) -> np.ndarray:
    """A square of the page from (x, y) on, ``side`` samples of ``step`` millimetres: (side, side) uint8."""
    # INTER_AREA does not exist here; the picture's own blur stands in, and several samples a module are averaged.
    return np.asarray(
        cv2.warpPerspective(
            grey,
            to_picture @ grid_to_mm(step, x, y),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=255,
        )
    )


def _finder_fit(black: np.ndarray) -> float:
    """Share of the three corner patterns' modules, with the white around them, that are as they must be."""
    corners = (black[:8, :8], black[:8, -8:][:, ::-1], black[-8:, :8][::-1])
    return float(np.mean([np.mean(corner == _FINDER[1:, 1:]) for corner in corners]))


def _read_modules(black: np.ndarray) -> str:
    """What OpenCV reads in a clean drawing of the modules; empty if nothing."""
    scale, border = 8, 40
    modules = np.kron(np.where(black, 0, 255), np.ones((scale, scale))).astype(np.uint8)
    drawn = np.pad(modules, border, constant_values=255)
    far = border + scale * len(black) - 1
    corners = np.array([[[border, border], [far, border], [far, far], [border, far]]], np.float32)
    try:
        return str(cv2.QRCodeDetector().decode(drawn, corners)[0])
    except (cv2.error, UnicodeDecodeError):  # what it raises on modules that are no code
        return ""


def grid_to_mm(step: float, x: float, y: float) -> np.ndarray:
    """Indices of a grid's squares, of ``step`` millimetres from (x, y) on -> their middles on the page: (3, 3)."""
    return np.array([[step, 0, x + step / 2], [0, step, y + step / 2], [0, 0, 1]])
