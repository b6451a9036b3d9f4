"""Guides: further fonts whose glyph of the same character a network sees beside the source."""

import threading
from collections.abc import Sequence

import numpy as np

from fontgan.data import unlike
from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource


class Guide:
    """One of a run's guides, for any number of threads."""

    def __init__(self, glyphs: GlyphSource):
        self._glyphs = glyphs
        self._in_use = threading.Lock()  # FreeType holds one glyph at a time
        self._has: dict[str, bool] = {}

    def like(self, source: np.ndarray, chars: Sequence[str | None], frame: Frame, limit: float) -> list[str | None]:
        """The characters that it has as the source has them, None in place of the others.

        Args:
            source: (N, SIDE, SIDE) uint8 as ``unlike`` compares them.
            frame: own cell -> the source's.   limit: of the distance.
        """
        with self._in_use:
            asked = [char for char in chars if char is not None and char not in self._has]
            there = set(self._glyphs.coverage(asked).present) if asked else set()
            self._has |= {char: char in there for char in asked}
            places = [place for place, char in enumerate(chars) if char is not None and self._has[char]]
            drawn = unlike.draw_small(self._glyphs, [str(chars[place]) for place in places], frame)
        apart = unlike.distances(unlike.encode(source[places]), unlike.encode(drawn)) if places else np.empty(0)
        given: list[str | None] = [None] * len(chars)
        for place, distance in zip(places, apart.tolist(), strict=True):
            given[place] = chars[place] if distance <= limit else None
        return given

    def draw_into(self, pages: np.ndarray, chars: Sequence[str | None], frame: Frame) -> None:
        """Draws characters that it has on empty pages (N, size, size) uint8; ``frame``: own cell -> pixels."""
        with self._in_use:
            for page, char in zip(pages, chars, strict=True):
                if char is not None:
                    page[:] = self._glyphs.rasterize(char, frame, len(page))
