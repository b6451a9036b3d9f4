"""Which of an image's two tones is ink.

Paper lies around a glyph and covers more than it. An image cropped to its ink has neither: 口 is a dark frame at the
border. So an image speaks for itself only where both say the same, and what most of a folder's images are decides
the others.
"""

import unicodedata
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 64  # px that an image is looked at in
MIN_CONTRAST = 24  # grey levels between the means of both tones, or it has one
ALL_ROUND = 0.9  # share of the border that is of one tone where a glyph lies free in its cell
MAX_UNEVENNESS = 0.15  # of such a border: around a photograph's light middle it is uneven
MOST = 0.55  # share of an image that paper covers surely


class Tones(NamedTuple):
    """How an image's dark and light lie; shares of 1."""

    dark: float = 0.0
    dark_border: float = 0.0
    dark_corners: float = 0.0
    unevenness: float = 0.0  # standard deviation of the border's paper, of the contrast of both tones
    has_margin: bool = True  # whether one of its sides is of one tone

    @property
    def says(self) -> int:
        """1 for dark on light, -1 for light on dark, 0 if it may be either."""
        if self.dark_border + self.dark_corners <= 1:
            return int(self.dark <= 0.5)  # a light border round much dark: a filled square, or a light frame
        return -int(self.dark >= MOST)  # a dark border round much light: a frame

    @property
    def is_sure(self) -> bool:
        """Whether even paper lies all around its ink, and covers most of it."""
        return (
            0.001 < self.dark < 0.999
            and self.unevenness < MAX_UNEVENNESS
            and (
                (self.dark_border <= 1 - ALL_ROUND and self.dark <= 1 - MOST)
                or (self.dark_border >= ALL_ROUND and self.dark >= MOST)
            )
        )


def tones(grey: np.ndarray) -> Tones:
    """The tones of an image, (H, W) uint8."""
    image = Image.fromarray(grey)
    small = np.asarray(image.reduce(max(1, -(-max(image.size) // SIDE))))
    if int(small.max()) - int(small.min()) < MIN_CONTRAST:
        return _one_tone(small)
    level, *means = _halves(small)
    contrast = means[1] - means[0]
    if contrast < MIN_CONTRAST:
        return _one_tone(small)
    dark = small <= level
    border, levels = (np.concatenate([of[0], of[-1], of[:, 0], of[:, -1]]) for of in (dark, small))
    part = max(1, min(dark.shape) // 12)
    ends = np.r_[:part, -part:0]
    corners = dark[np.ix_(ends, ends)]
    unevenness = float(levels[border == (border.mean() > 0.5)].std() / contrast)
    has_margin = any(side.all() or not side.any() for side in (dark[0], dark[-1], dark[:, 0], dark[:, -1]))
    return Tones(float(dark.mean()), float(border.mean()), float(corners.mean()), unevenness, has_margin)


def _one_tone(grey: np.ndarray) -> Tones:
    dark = float(grey.mean() < 128)
    return Tones(dark, dark, dark)


def _halves(grey: np.ndarray) -> tuple[float, float, float]:
    """The level halfway between the means of both sides of it, and these. Source: Ridler & Calvard 1978."""
    counts = np.bincount(grey.ravel(), minlength=256)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    level, dark, light = (int(grey.min()) + int(grey.max())) / 2, 0.0, 0.0
    for _ in range(10):
        n, total = int(below[int(level)]), int(sums[int(level)])
        dark, light = total / n, (int(sums[-1]) - total) / (grey.size - n)
        level = (dark + light) / 2
    return level, dark, light


def may_be_solid(char: str | None) -> bool:
    """Whether the character is one of the symbols, such as █ and ◘, whose ink may cover its cell."""
    return char is not None and unicodedata.category(char) == "So"
