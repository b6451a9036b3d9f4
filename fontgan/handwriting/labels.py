"""Where the small characters above a page's cells are seen: they tell how a sheet is bent where its pale frames are lost.

In black and white only what is printed dark is left.
"""

import unicodedata

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.sources import asset, open_glyphs
from fontgan.handwriting.sheet import Page, label_box

REACH_MM = 2.0  # beyond a label, as far as a bend may carry it; farther off somebody writes
_NEAR_MM = 0.7  # beyond a label, where its ink is looked for once it is nearly found
_MIN_MM2 = 0.2  # of ink, or it is not seen
_PX = 32


def label_centres(page: Page) -> np.ndarray:
    """The middle of each label's ink: (n, 2), millimetres; nan where the bundled font does not know what is printed."""
    font = open_glyphs(str(asset("NotoSansSC-Regular.ttf")))
    known = {char for char in font.coverage(list(page.chars)).present if unicodedata.category(char)[0] != "M"}
    centres = np.full((len(page.chars), 2), np.nan)
    for i, (char, em) in enumerate(page.em_boxes()):
        if char in known:
            box = label_box(em, page.cell)
            ink = 255.0 - font.rasterize(char, Frame(_PX, 0, 0), _PX)
            y, x = (np.mgrid[:_PX, :_PX] + 0.5) * ink / ink.sum() / _PX
            centres[i] = box.x0 + box.width * x.sum(), box.y0 + box.height * y.sum()
    return centres


def ink_off(flat: np.ndarray, mm: float, side_mm: float) -> tuple[float, float]:
    """How far to the right and down of its middle a window of the page has a label's ink, in millimetres; nan: nowhere.

    Args:
        flat: (px, px), in even light, paper 1; each pixel is ``mm`` wide.
        side_mm: of the label.
    """
    dark = np.clip(1.5 - 2 * flat, 0, 1)
    at = (np.arange(len(flat)) - (len(flat) - 1) / 2) * mm
    x = y = 0.0
    for _ in range(5):
        window = (abs(at - x) < side_mm / 2 + _NEAR_MM) * (abs(at - y) < side_mm / 2 + _NEAR_MM)[:, None] * dark
        if window.sum() * mm * mm < _MIN_MM2:
            return np.nan, np.nan
        x, y = float(window.sum(axis=0) @ at / window.sum()), float(window.sum(axis=1) @ at / window.sum())
    return x, y
