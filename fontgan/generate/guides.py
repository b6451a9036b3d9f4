"""Guides: further fonts whose glyph of the same character a network sees beside the source."""

import threading
from collections.abc import Sequence

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.guides import choose_fonts, distances_to
from fontgan.data.unlike import Encode
from fontgan.generate.placement import Placement


class Guide:
    """One of a run's guides, for any number of threads."""

    def __init__(self, glyphs: GlyphSource, encode: Encode):
        self._glyphs, self._encode = glyphs, encode
        self._in_use = threading.Lock()  # FreeType holds one glyph at a time
        self._has: dict[str, bool] = {}

    def like(
        self, seen: np.ndarray, chars: Sequence[str], number: int, placement: Placement
    ) -> list[GlyphSource | None]:
        """What to draw each character from, None in place of those that it lacks or has in another form than the source.

        Args:
            seen: what ``encode`` gave of the source's glyphs.
            number: of this guide among those of the run, which ``placement`` tells of.
        """
        with self._in_use:
            asked = [char for char in chars if char not in self._has]
            there = set(self._glyphs.coverage(asked).present) if asked else set()
            self._has |= {char: char in there for char in asked}
            places = [place for place, char in enumerate(chars) if self._has[char]]
            given: list[GlyphSource | None] = [None] * len(chars)
            if places:
                named, limit = [chars[place] for place in places], placement.limits[number]
                preferred, frame = placement.preferred[number], placement.to_source(number)
                apart = distances_to(self._glyphs, preferred, named, seen[places], frame, self._encode)
                chosen, apart = choose_fonts(
                    self._glyphs, named, seen[places], frame, preferred, apart, limit, self._encode
                )
                for place, distance in zip(places, apart.tolist(), strict=True):
                    given[place] = chosen if distance <= limit else None
        return given

    def draw(self, glyphs: GlyphSource, char: str, frame: Frame, size: int) -> np.ndarray:
        """A character of what ``like`` gave for it, (size, size) uint8; ``frame``: own cell -> pixels."""
        with self._in_use:
            return glyphs.rasterize(char, frame, size)
