"""Characters that share a part with one: what a designer looks at beside it, to draw the part alike."""

from collections.abc import Sequence

import numpy as np

from fontgan.advice.coverage import ALIKE_FROM, SAME_FROM
from fontgan.advice.parts import CANVAS, SIDE, describe
from fontgan.data.glyphs import GlyphSource

_CLEAR = 0.4  # a part that hangs together with the rest more than this tells little


class Neighbours:
    """Of some characters, as a source draws them."""

    def __init__(self, source: GlyphSource, chars: Sequence[str]):
        there = source.coverage(list(chars)).present
        self.places = {char: place for place, char in enumerate(there)}
        images = [source.rasterize(char, CANVAS, SIDE) for char in there]
        self.descriptors, self.clear = describe(np.stack(images) if images else np.empty((0, SIDE, SIDE), np.uint8))

    def of(self, char: str, n: int) -> list[str]:
        """At most ``n`` others that share a part with a character, the most alike part first; none of one not known."""
        place = self.places.get(char)
        if place is None:
            return []
        alike = np.einsum("kf,knf->kn", self.descriptors[:, place], self.descriptors)
        alike[self.clear[:, place] < _CLEAR] = 0
        best = alike.max(axis=0)
        best[place] = 0
        chars = list(self.places)
        order = np.argsort(-best, kind="stable")[:n]
        # What is as alike as the same component of two characters is, or half way to it.
        return [chars[other] for other in order if best[other] > (ALIKE_FROM + SAME_FROM) / 2]
