"""A cell of a photograph, cut again as a person asks: where its ink ends, where it lies, and how large."""

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import PAPER
from fontgan.data.image_source import resample

EDGE = 48  # grey levels over which ink becomes paper, as at the edges of a sharp photograph


def recut(seen: np.ndarray, *, level: float, right: float = 0, down: float = 0, scale: float = 1) -> np.ndarray:
    """The glyph image of a cell as its picture has it.

    Args:
        seen: (size, size) uint8, what ``fontgan scan cells=`` keeps: the cell in even light.
        level: what is darker counts as ink, 0 to 1 of white; of faint ink more, of dirty paper less.
        right, down: how far the glyph is moved, as a share of the canvas.
        scale: how much larger it is made, about the middle of the canvas.
    Returns: (size, size) uint8, 0 ink .. 255 paper.
    """
    size = len(seen)
    middle = (1 - scale) * size / 2
    placed = resample(seen, Frame(scale, middle + right * size, middle + down * size), size)
    inked = (placed.astype(np.float32) - (level * PAPER - EDGE / 2)) / EDGE
    return np.rint(np.clip(inked, 0, 1) * PAPER).astype(np.uint8)
