"""Guides that have another form of a character than the source: another region's, mostly.

A guide is unlike its source for some character where it lies much farther from it than it usually does.  Of TW-Sung,
which has Taiwan's forms, beside Noto Sans SC it finds 45 % of the characters of GB 2312 level 1 that Noto Sans SC and TC
draw clearly differently, and drops 2 % of those that they draw alike; of Noto Serif JP 40 % and 3 %; of a kai (TW-Kai),
which differs everywhere from a sans, 6 % and 2 % (2026-11-26).  What is not found the network must learn to distrust.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.values import ink_from_pixels

SIDE = 48  # pixels of the em in which glyphs are compared
STROKE, PART = 2.0, 6.0  # pixels: strokes are blurred so far, and compared in windows as large as a part of a character
FAR = 4.0  # standard deviations beyond the usual, as the median deviation tells them
AT_ONCE = 512  # glyphs


def draw_small(glyphs: GlyphSource, chars: list[str], frame: Frame | None = None) -> np.ndarray:
    """Characters as they are compared, (N, SIDE, SIDE) uint8; ``frame``: own cell -> the source's cell."""
    onto = (frame or Frame()).compose(Frame(SIDE))
    drawn = [glyphs.rasterize(char, onto, SIDE) for char in chars]
    return np.stack(drawn) if drawn else np.empty((0, SIDE, SIDE), np.uint8)


@torch.inference_mode()
def distances(source: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """How far the same characters lie from each other, (N,) 0 or more.

    The largest difference in any window between what both have of ink and what they share of it, blurred, over the mean.

    Args:
        source, guide: (N, SIDE, SIDE) uint8, 0 ink .. 255 paper, in the cell of the source.
    """
    found = [np.empty(0, np.float32)]
    for start in range(0, len(source), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        a, b = (_blur(ink_from_pixels(glyphs[part])[:, None], STROKE) for glyphs in (source, guide))
        both = (_blur(a * a, PART) * _blur(b * b, PART)).sqrt()
        apart = (both - _blur(a * b, PART)).flatten(1).amax(1)
        found.append((apart / both.flatten(1).mean(1).clamp_min(1e-6)).numpy())
    return np.concatenate(found)


def limit_of(usual: np.ndarray) -> float:
    """The distance (N,) beyond which a guide is unlike; where nothing was compared, none."""
    if not len(usual):
        return float(np.finfo(np.float32).max)
    middle = np.median(usual)
    return float(middle + FAR * 1.4826 * np.median(np.abs(usual - middle)))


def _blur(images: Tensor, sigma: float) -> Tensor:
    """(N, 1, H, W) by a Gaussian of so many pixels; around them nothing."""
    reach = int(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.sum()
    wide = F.conv2d(images, weights[None, None, None, :], padding=(0, reach))
    return F.conv2d(wide, weights[None, None, :, None], padding=(reach, 0))
