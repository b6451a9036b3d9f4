"""Where each point of a page is seen in its picture: a plane in perspective, bent smoothly by the paper or the lens.

Points are (n, 2) float64: x right, y down.  On the page they are millimetres, in the picture pixel indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from fontgan.data.frame import Box

_POWERS = np.array([(i, j) for i in range(4) for j in range(4)])  # of x and y in the terms of a bend
# How far each term may plausibly reach 100 mm from the page's middle, in millimetres: turns and scales at will, bows
# of paper and lens by some, finer waves hardly.  It holds the fit where nothing is seen.
_LIKELY_MM = np.array([10.0, 10.0, 4.0, 2.0, 0.5, 0.25, 0.1])[_POWERS.sum(axis=1)]
_UNIT_MM = 100.0


class Surface(NamedTuple):
    """A page as its picture shows it."""

    plane: np.ndarray  # (3, 3), millimetres -> pixels, were the page flat and the lens true
    middle: tuple[float, float]  # of the page, millimetres
    bend: np.ndarray  # (terms, 2), millimetres: how far each point seems moved on that plane

    def moved(self, points: np.ndarray) -> np.ndarray:
        """How far points seem moved on the plane, in millimetres."""
        return np.asarray(_terms(points, self.middle) @ self.bend)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Points of the page -> of the picture."""
        return projected(points + self.moved(points), self.plane)

    def around(self, box: Box) -> np.ndarray:
        """The same as a matrix, (3, 3), that is exact at a small box's corners."""
        corners = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
        # In single precision, so near the origin: a picture may be 10,000 pixels wide.
        at = self.at(corners)
        matrix = cv2.getPerspectiveTransform((corners - corners[0]).astype(np.float32), (at - at[0]).astype(np.float32))
        return _shift(*at[0]) @ np.asarray(matrix) @ _shift(*-corners[0])

    def pixels_per_mm(self, x: float, y: float) -> float:
        """How large the picture shows the page at a place."""
        at = self.at(np.array([[x, y], [x + 1, y], [x, y + 1]]))
        return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))

    def bent_to(self, points: np.ndarray, moved: np.ndarray, off_mm: float) -> Surface:
        """The likeliest bend by which points are moved so, each known to ``off_mm``."""
        weights = np.concatenate([np.full(len(points), 1 / off_mm), 1 / _LIKELY_MM])[:, None]
        terms = np.concatenate([_terms(points, self.middle), np.eye(len(_POWERS))])
        wanted = np.concatenate([moved, np.zeros((len(_POWERS), 2))])
        return self._replace(bend=np.linalg.lstsq(terms * weights, wanted * weights, rcond=None)[0])


def lay(on_page: np.ndarray, in_picture: np.ndarray, sides: Sequence[float], lens: float = 0) -> tuple[Surface, float]:
    """A page of these sides in millimetres, as a lens shows it that moves points by ``lens`` times their distance from
    the middle cubed (in units of 100 mm), where some points are seen; and how far they are off it, root mean square.

    Raises: ValueError if they lie in no plane.
    """
    bend = np.zeros((len(_POWERS), 2))
    for axis, powers in ((0, ([3, 0], [1, 2])), (1, ([2, 1], [0, 3]))):
        bend[[_POWERS.tolist().index(power) for power in powers], axis] = lens * _UNIT_MM
    surface = Surface(np.eye(3), (sides[0] / 2, sides[1] / 2), bend)
    on_plane = on_page + surface.moved(on_page)
    plane, _ = cv2.findHomography(on_plane, in_picture)
    if plane is None or abs(np.linalg.det(plane)) < 1e-12:
        raise ValueError("the points lie in no plane")
    off = projected(in_picture, np.linalg.inv(plane)) - on_plane
    return surface._replace(plane=np.asarray(plane)), float(np.sqrt((off**2).sum(axis=1).mean()))


def projected(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points that a matrix, (3, 3), leads to."""
    return np.asarray(cv2.perspectiveTransform(np.asarray(points, np.float64).reshape(-1, 1, 2), matrix)).reshape(-1, 2)


def _terms(points: np.ndarray, middle: tuple[float, float]) -> np.ndarray:
    x, y = ((points - np.array(middle)) / _UNIT_MM).T[:, :, None]
    return np.asarray(x ** _POWERS[:, 0] * y ** _POWERS[:, 1])


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
