"""Guides: further fonts whose glyph of the same character a network sees beside the source."""

import threading
from collections.abc import Sequence

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource


class Guide:
    """One of a run's guides, for any number of threads."""

    def __init__(self, glyphs: GlyphSource):
        self._glyphs = glyphs
        self._in_use = threading.Lock()  # FreeType holds one glyph at a time
        self._has: dict[str, bool] = {}

    def draw_into(self, pages: np.ndarray, chars: Sequence[str | None], frame: Frame) -> None:
        """Draws characters on empty pages (N, size, size) uint8, of those that it has; ``frame``: cell -> pixels."""
        with self._in_use:
            asked = [char for char in chars if char is not None and char not in self._has]
            there = set(self._glyphs.coverage(asked).present) if asked else set()
            self._has |= {char: char in there for char in asked}
            for page, char in zip(pages, chars, strict=True):
                if char is not None and self._has[char]:
                    page[:] = self._glyphs.rasterize(char, frame, len(page))
