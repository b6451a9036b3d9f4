"""Several fonts or folders read as one: each character from the first that has it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fontgan.data.frame import Box, Frame, fit_median
from fontgan.data.glyphs import Coverage, Diagnostics, GlyphSource
from fontgan.errors import shorten
from fontgan.runtime.subsample import subsample_evenly

FITTED_ON = 300  # characters that two parts share, at most


class SourceList:
    """Sources in order; all lie in the cell of the first, brought there by their ink as far as they share characters."""

    def __init__(self, parts: Sequence[GlyphSource]):
        self.parts = list(parts)
        self.path = parts[0].path
        self._frames: list[Frame | None] = [Frame(), *(None for _ in parts[1:])]  # a part's own cell -> the first's
        self._part_of: dict[str, int] = {}

    def choosing(self, part_of: Mapping[str, int]) -> "SourceList":
        """The same sources, with each of these characters from the part of this number, which must have it."""
        chosen = SourceList(self.parts)
        chosen._frames = self._frames  # the same list: each is fitted once
        chosen._part_of = {**self._part_of, **part_of}
        return chosen

    def coverage(self, wanted: list[str] | None) -> Coverage:
        found = self.parts[0].coverage(wanted)
        present, diagnostics = list(found.present), Diagnostics(d for d in found.diagnostics if d.level != "note")
        left_out = found.left_out
        for number, part in enumerate(self.parts):
            if number:
                there = set(present)
                lacking = None if wanted is None else [char for char in wanted if char not in there]
                found = part.coverage(lacking)
                more = [char for char in found.present if char not in there]
                told = f"{part.path.name}: gives {len(more)} characters that {self.path.name} lacks: {shorten(more)}."
                diagnostics.add("note", told)
                diagnostics += [d for d in found.diagnostics if d.level != "note"]
                present += more
                left_out = found.left_out  # of those that no part so far has had
            self._part_of |= {char: number for char in found.present if char not in self._part_of}
        if wanted is not None:
            have = set(present)
            present = [char for char in wanted if char in have]
            diagnostics.tell(
                "note", self.path.name, left_out.get("missing", []), "characters are in none of the sources"
            )
        return Coverage(present, left_out, diagnostics)

    def ink_box(self, char: str) -> Box:
        part, frame = self._find(char)
        return frame.box(part.ink_box(char))

    def rasterize(self, char: str, frame: Frame, size: int) -> np.ndarray:
        part, own = self._find(char)
        return part.rasterize(char, own.compose(frame), size)

    def fingerprint(self, chars: list[str]) -> str:
        numbers = {char: self.number_of(char) for char in chars}
        own = [[char for char in chars if numbers[char] == number] for number in range(len(self.parts))]
        prints = [part.fingerprint(of_part) for part, of_part in zip(self.parts, own, strict=True)]
        return hashlib.sha256(f"{prints}|{sorted(numbers.items())}".encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        return {**self.parts[0].describe(), "then": [part.path.name for part in self.parts[1:]]}

    def _find(self, char: str) -> tuple[GlyphSource, Frame]:
        number = self.number_of(char)
        return self.parts[number], self.frame_of(number)

    def number_of(self, char: str) -> int:
        """Which of the parts a character comes from."""
        if char not in self._part_of:
            self.coverage([char])
        return self._part_of.get(char, 0)  # which says what is the matter with it

    def frame_of(self, number: int) -> Frame:
        """The own cell of a part -> that of the first, fitted on characters of both; their ems are one where they share none."""
        if (frame := self._frames[number]) is None:
            part, first = self.parts[number], self.parts[0]
            shared = subsample_evenly(part.coverage(first.coverage(None).present).present, FITTED_ON)
            boxes = [part.ink_box(char) for char in shared]
            frame = fit_median(boxes, [first.ink_box(char) for char in shared]) if shared else Frame()
            self._frames[number] = frame
        return frame
