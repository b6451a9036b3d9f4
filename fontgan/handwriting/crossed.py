"""Cells that were crossed out or scribbled over: they have strokes that their characters have not.

The bundled font says roughly what a character is like.  Hands differ from it in every place, but hardly in what is
compared here: how long the longest straight strokes are, how many strokes lie side by side, how much is filled
more broadly than the page's pen draws.  What is asked of the bounds stands in tests/handwriting/test_crossed.py.
A single line straight across or down is mostly taken for a stroke of the character.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.sources import asset, open_glyphs
from fontgan.handwriting.covered import breadth
from fontgan.handwriting.sheet import CANVAS_EMS, ROOM

_SIDE_PX = 64
_EM_PX = _SIDE_PX / CANVAS_EMS
_STEP = 4  # degrees from one direction to the next
_TURNED_PX = 92  # side of a square that holds the other, turned
_HAND = Frame(0.9, 0.05, 0.05).compose(Frame(_EM_PX, ROOM * _EM_PX, ROOM * _EM_PX))  # as large as people write
_DIAGONAL = np.array([20 <= angle % 90 <= 68 for angle in range(0, 180, _STEP)])
# In ems.  Of a character that the font has, what is beyond it; of another, what hardly any character has.
_LONG, _LONGER = 0.78, 0.3
_LONG_DIAGONAL, _LONG_ALONE = 0.9, 1.02
_BESIDE, _BESIDE_ALONE = 1.25, 5.3
# Of straight strokes in one direction, times their breadth in pixels.
_PIECE, _PARALLEL, _PARALLEL_ALONE = 0.5, 8.0, 11.0
_PEN_EM, _BY_PEN = 0.06, 9.0
_SOLID = 0.08  # square ems
_BROAD_EM, _BROAD_PENS, _MAX_PEN_EM = 0.2, 3.0, 0.12  # broader than this, and than so many strokes, is filled
_FEW = 4  # characters tell how large someone writes


def crossed_out(cells: Sequence[tuple[str, np.ndarray]]) -> list[bool]:
    """Which of a page's cells, characters with square images of 0 ink .. 255 paper, seem crossed or scribbled out."""
    font = open_glyphs(str(asset("NotoSansSC-Regular.ttf")))
    known = set(font.coverage([char for char, _ in cells]).present)
    models = [_ink(font.rasterize(char, _HAND, _SIDE_PX)) if char in known else None for char, _ in cells]
    written = [_ink(cv2.resize(glyph, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)) for _, glyph in cells]
    larger = [_size(ink) / _size(model) for ink, model in zip(written, models, strict=True) if model is not None]
    hand = float(np.clip(np.median(larger), 1, 1.25)) if len(larger) >= _FEW else 1.0
    pen = min(float(np.median([breadth(ink) for ink in written])) / _EM_PX, _MAX_PEN_EM) if written else _PEN_EM
    return [_has_more(ink, model, hand, pen) for ink, model in zip(written, models, strict=True)]


def _has_more(ink: np.ndarray, model: np.ndarray | None, hand: float, pen: float) -> bool:
    """Whether ink, (s, s) uint8 of 0 and 1, has strokes that its character as the font has it, if it does, lacks."""
    rows = _straight(ink) / hand
    longest = rows.max(axis=1)
    broad = max(_BROAD_EM, _BROAD_PENS * pen)
    thick = max(0.0, pen - _PEN_EM)
    longer = _BY_PEN * thick  # strokes of a marker run together, and one may look straight through several
    if model is None:
        parallel = np.where(rows > _PIECE, rows, 0).sum(axis=1).max()
        return bool(
            longest[_DIAGONAL].max() > _LONG_DIAGONAL + longer
            or longest.max() > _LONG_ALONE + longer
            or parallel > _PARALLEL_ALONE * (1 + thick / _PEN_EM)
            or (parallel > _PARALLEL and _beside(ink).max() > _BESIDE_ALONE)
            or _solid(ink, broad) > _SOLID
        )
    if (_beside(ink) - _beside(model)).max() > _BESIDE or _solid(ink, broad) - _solid(model, broad) > _SOLID:
        return True
    if longest.max() < _LONG:
        return False
    own = _straight(model).max(axis=1)
    near = np.max([np.roll(own, turn) for turn in range(-3, 4)], axis=0)  # nobody keeps a direction to 12 degrees
    return bool((longest - near)[longest >= _LONG].max() > _LONGER + longer)


def _ink(glyph: np.ndarray) -> np.ndarray:
    return (glyph < 128).astype(np.uint8)


def _size(ink: np.ndarray) -> float:
    """The longer side of the ink's box, in pixels."""
    return float(max(1, *cv2.boundingRect(ink)[2:]))


def _straight(ink: np.ndarray) -> np.ndarray:
    """The longest straight run of ink in each column of the turned image: (angles, columns), ems."""
    angles = 180 // _STEP
    turned = np.empty((_TURNED_PX, angles, _TURNED_PX), np.uint8)
    for i in range(angles):
        matrix = np.asarray(cv2.getRotationMatrix2D(((_SIDE_PX - 1) / 2, (_SIDE_PX - 1) / 2), i * _STEP, 1), float)
        matrix[:, 2] += (_TURNED_PX - _SIDE_PX) / 2
        turned[:, i] = cv2.warpAffine(ink * 255, matrix, (_TURNED_PX, _TURNED_PX)) > 127
    run = longest = np.zeros((angles, _TURNED_PX), np.uint8)
    for row in turned:
        run = (run + 1) * row
        longest = np.maximum(longest, run)
    return longest / _EM_PX


def _beside(ink: np.ndarray) -> np.ndarray:
    """How many strokes lie beside each other, on average where they are most: (2,), along rows and along columns."""
    starts = [((ink == 1) & (np.roll(ink, 1, axis=axis) == 0)).sum(axis=axis) for axis in (1, 0)]
    return np.array([np.sort(count)[-round(0.4 * _EM_PX) :].mean() for count in starts])


def _solid(ink: np.ndarray, broad: float) -> float:
    """How much is filled more broadly than ``broad`` ems, in square ems."""
    side = round(broad * _EM_PX) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return float(cv2.morphologyEx(ink, cv2.MORPH_OPEN, disc).sum()) / _EM_PX**2
