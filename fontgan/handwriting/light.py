"""The light on a page: how bright its bare paper is, and what is on it in even light."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from fontgan.data.frame import Box
from fontgan.handwriting.code import grid_to_mm
from fontgan.handwriting.locate import Located
from fontgan.handwriting.sheet import PAPERS, ROOM
from fontgan.handwriting.surface import Surface, projected

LIGHT_PX_PER_MM = 2.0  # of the map of the page's light
_MM_TO_LIGHT = np.array([[LIGHT_PX_PER_MM, 0, -0.5], [0, LIGHT_PX_PER_MM, -0.5], [0, 0, 1]])
_AROUND_PX = 4  # of the picture, around a cell


def page_light(grey: np.ndarray, located: Located) -> tuple[np.ndarray, np.ndarray]:
    """How bright bare paper is all over the page: (H, W) float32, ``LIGHT_PX_PER_MM`` pixels a millimetre.

    Returns: also the page itself.
    """
    page = located.page
    sides = PAPERS[page.paper]
    shrink = min(1.0, 1.5 * LIGHT_PX_PER_MM / located.surface.pixels_per_mm(sides[0] / 2, sides[1] / 2))
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    x, y = ((np.arange(math.ceil(side * LIGHT_PX_PER_MM)) + 0.5) / LIGHT_PX_PER_MM for side in sides)
    seen = located.surface.at(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    at_x, at_y = ((seen + 0.5) * shrink - 0.5).astype(np.float32).T.reshape(2, len(y), len(x))  # pixel centres
    flat = cv2.remap(small, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Closing fills whatever is dark and narrower than its kernel, and leaves the edges of wider shadows.
    side = 2 * round(max(7.0, 0.5 * page.cell) * LIGHT_PX_PER_MM / 2) + 1
    closed = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    smooth = cv2.GaussianBlur(cv2.medianBlur(closed, 5).astype(np.float32), (0, 0), 1.0 * LIGHT_PX_PER_MM)
    return np.maximum(smooth, 8), flat


def flat_cell(grey: np.ndarray, light: np.ndarray, surface: Surface, em: Box, px: int) -> np.ndarray:
    """A cell's canvas over the paper's own light: (px, px) float32, bare paper about 1."""
    canvas = canvas_box(em)
    to_mm = grid_to_mm(canvas.width / px, canvas.x0, canvas.y0)
    cell = _warped(grey, surface.around(canvas) @ to_mm, (px, px), cv2.INTER_CUBIC)
    return cell.astype(np.float32) / _warped(light, (_MM_TO_LIGHT @ to_mm)[:2], (px, px), cv2.INTER_LINEAR)


def flat_part(grey: np.ndarray, light: np.ndarray, surface: Surface, em: Box, px: int) -> tuple[np.ndarray, np.ndarray]:
    """The same in the picture's own pixels, with a few around: (h, w) float32.

    Returns: also the matrix, (3, 3), from indices of the canvas's pixels to those of its own.
    """
    canvas = canvas_box(em)
    to_mm = grid_to_mm(canvas.width / px, canvas.x0, canvas.y0)
    to_picture = surface.around(canvas) @ to_mm
    corners = projected(np.array([(0, 0), (px, 0), (px, px), (0, px)]), to_picture)
    inside = np.array(grey.shape[::-1]) - 1  # a page may reach beyond its picture
    left, top = low = np.clip(np.floor(corners.min(axis=0)).astype(int) - _AROUND_PX, 0, inside)
    right, bottom = np.maximum(np.ceil(corners.max(axis=0)).astype(int) + _AROUND_PX, low + 1)
    part = grey[top:bottom, left:right]
    to_part = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ to_picture
    to_light = _MM_TO_LIGHT @ to_mm @ np.linalg.inv(to_part)
    return part.astype(np.float32) / _warped(light, to_light, part.shape[::-1], cv2.INTER_LINEAR), to_part


def canvas_box(em: Box) -> Box:
    """The em square of a cell with the room around it that its glyph image has, in millimetres."""
    room = ROOM * em.width
    return Box(em.x0 - room, em.y0 - room, em.x1 + room, em.y1 + room)


def _warped(picture: np.ndarray, matrix: np.ndarray, size: Sequence[int], how: int) -> np.ndarray:
    """What lies where ``matrix`` leads from the pixels of the result, (width, height); the picture's edge goes on."""
    warp = cv2.warpPerspective if len(matrix) == 3 else cv2.warpAffine
    return warp(picture, matrix, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def at(light: np.ndarray, em: Box) -> float:
    x, y = em.centre
    return float(light[int(y * LIGHT_PX_PER_MM), int(x * LIGHT_PX_PER_MM)])
