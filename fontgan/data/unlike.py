"""Guides that have another form of a character than the source: another region's, mostly.

A guide is unlike its source for some character where the glyph encoder, which knows characters whatever their style, sees them
much farther apart than it usually does.  That finds a glyph of another character, and of regional forms some: fewer, the less a
guide resembles the source.  What is not found the network must learn to distrust.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource

if TYPE_CHECKING:
    from fontgan.models.glyph_encoder import GlyphEncoder

SIDE = 64  # pixels of an image that is compared, as large as the encoder knows them
CELL = Frame(0.8 * SIDE, 0.1 * SIDE, 0.1 * SIDE)  # the em in it
FAR = 3.0  # standard deviations beyond the usual, as the median deviation tells them
AT_ONCE = 128  # glyphs


def draw_small(glyphs: GlyphSource, chars: list[str], frame: Frame | None = None) -> np.ndarray:
    """Characters as they are compared, (N, SIDE, SIDE) uint8; ``frame``: own cell -> the source's cell."""
    onto = (frame or Frame()).compose(CELL)
    drawn = [glyphs.rasterize(char, onto, SIDE) for char in chars]
    return np.stack(drawn) if drawn else np.empty((0, SIDE, SIDE), np.uint8)


# Glyphs (N, SIDE, SIDE) uint8, 0 ink .. 255 paper, in the cell of the source -> (N, C, places) half precision: a vector of
# length 1 at each place of the encoder's last map.
Encode = Callable[[np.ndarray], np.ndarray]


def encode(glyphs: np.ndarray) -> np.ndarray:
    """What the encoder sees of glyphs, as ``Encode`` tells."""
    import torch
    from torch.nn import functional as F

    from fontgan.values import ink_from_pixels

    @torch.inference_mode()
    def see(part: np.ndarray) -> np.ndarray:
        ink = ink_from_pixels(part)[:, None]
        maps = quick_encoder().features(ink.contiguous(memory_format=torch.channels_last))[-1]
        return F.normalize(maps.flatten(2), dim=1).half().numpy()

    return in_parts(see, glyphs)


def in_parts(see: Encode, glyphs: np.ndarray) -> np.ndarray:
    """``see`` of so many glyphs at once as memory has room for."""
    found = [see(glyphs[start : start + AT_ONCE]) for start in range(0, len(glyphs), AT_ONCE)]
    return np.concatenate(found) if found else np.empty((0, 1, 1), np.float16)


@cache
def quick_encoder() -> "GlyphEncoder":
    """The encoder with its norms folded into its convolutions; of dozens of fonts it sees tens of thousands of glyphs."""
    import copy

    import torch
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    from fontgan.models.glyph_encoder import glyph_encoder

    encoder = copy.deepcopy(glyph_encoder())
    for layer in encoder.modules():
        if not isinstance(layer, nn.Sequential):
            continue
        conv, norm = layer[0], layer[1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layer[0], layer[1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return encoder.to(memory_format=torch.channels_last)


def distances(source: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """How far the same characters lie from each other as ``encode`` gave them, (N,): 1 less their mean cosine."""
    parts = (slice(start, start + AT_ONCE) for start in range(0, len(source), AT_ONCE))
    found = [1 - (source[part].astype(np.float32) * guide[part].astype(np.float32)).sum(1).mean(1) for part in parts]
    return np.concatenate(found) if found else np.empty(0, np.float32)


def limit_of(usual: np.ndarray) -> float:
    """The distance (N,) beyond which a guide is unlike; where nothing was compared, none."""
    if not len(usual):
        return float(np.finfo(np.float32).max)
    middle = np.median(usual)
    return float(middle + FAR * 1.4826 * np.median(np.abs(usual - middle)))
