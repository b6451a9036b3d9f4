"""Guides that have another form of a character than the source: another region's, mostly.

A guide is unlike its source for some character where the glyph encoder, which knows characters whatever their style, sees them
much farther apart than it usually does.  Beside Noto Sans SC it left out 92 to 100 % of glyphs that were exchanged for another character's
(TW-Kai, TW-Sung, Noto Serif JP, Ma Shan Zheng, ZCOOL XiaoWei), and 0 to 2.6 % of their own.  Of the forms that Noto Sans JP or TC
draw clearly otherwise than SC it found a third in a mincho or song, and none in a kai (2026-11-26, 600 to 900 characters each).  What is not found the
network must learn to distrust.
"""

import numpy as np
import torch

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.models.glyph_encoder import glyph_encoder
from fontgan.values import ink_from_pixels

SIDE = 64  # pixels of an image that is compared, as large as the encoder knows them
CELL = Frame(0.8 * SIDE, 0.1 * SIDE, 0.1 * SIDE)  # the em in it
FAR = 3.0  # standard deviations beyond the usual, as the median deviation tells them
AT_ONCE = 128  # glyphs


def draw_small(glyphs: GlyphSource, chars: list[str], frame: Frame | None = None) -> np.ndarray:
    """Characters as they are compared, (N, SIDE, SIDE) uint8; ``frame``: own cell -> the source's cell."""
    onto = (frame or Frame()).compose(CELL)
    drawn = [glyphs.rasterize(char, onto, SIDE) for char in chars]
    return np.stack(drawn) if drawn else np.empty((0, SIDE, SIDE), np.uint8)


@torch.inference_mode()
def distances(source: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """How far the same characters lie from each other, (N,): 1 less the mean cosine of the encoder's last maps.

    Args:
        source, guide: (N, SIDE, SIDE) uint8, 0 ink .. 255 paper, in the cell of the source.
    """
    encoder, found = glyph_encoder(), [np.empty(0, np.float32)]
    for start in range(0, len(source), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        a, b = (encoder.features(ink_from_pixels(glyphs[part])[:, None])[-1] for glyphs in (source, guide))
        found.append(1 - torch.cosine_similarity(a, b, dim=1).flatten(1).mean(1).numpy())
    return np.concatenate(found)


def limit_of(usual: np.ndarray) -> float:
    """The distance (N,) beyond which a guide is unlike; where nothing was compared, none."""
    if not len(usual):
        return float(np.finfo(np.float32).max)
    middle = np.median(usual)
    return float(middle + FAR * 1.4826 * np.median(np.abs(usual - middle)))
