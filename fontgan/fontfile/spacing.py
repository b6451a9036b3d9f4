"""How wide new letters of an alphabet are and where they stand, by what the letters show that a font has already.

A letter with a diacritic is as wide as the one without it if it is so in the source; if not (a horn needs room), its right
bearing differs from that one's as it does in the source.  Any other gets, on each side, the bearing that the font's letters
have which in the source stand as close to their neighbours.

How near that comes to a designer's own: docs/guide/complete.md.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

from fontTools import unicodedata as scripts

from fontgan.data.font_source import FontGlyphs
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.widths import is_letter

ALPHABETS = frozenset({"Latn", "Grek", "Cyrl"})  # whose letters stand beside each other alike
FEWEST = 10  # shared letters of a case: by fewer nothing can be told
NEAREST = 7  # of them, those with the nearest bearing, whose median is taken
SAME = 0.01  # em: sides that are off by less from each other are off alike


class Stand(NamedTuple):
    """How a letter stands, in font units: its bearings and its width, and how far down and up its ink reaches."""

    left: float
    right: float
    width: float
    bottom: float = 0.0
    top: float = 0.0


def is_spaced(char: str) -> bool:
    """Whether it is a letter of an alphabet, and not full-width."""
    return is_letter(char) and scripts.script(char) in ALPHABETS


def base_of(char: str) -> str | None:
    """The letter that one with a diacritic is built on: a for ấ, o for ơ, d for đ; None for a plain one."""
    name, _, diacritic = unicodedata.name(char, "").partition(" WITH ")
    if diacritic:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            return None
    parts = unicodedata.normalize("NFD", char)
    return parts[0] if len(parts) > 1 else None


class LetterSpacing:
    """The spacing of a target's letters, learned against a source's; nothing if they share too few."""

    def __init__(self, target: FontGlyphs, source: FontGlyphs, em: int):
        shared = [char for char in target.characters() if is_spaced(char)]
        shared = source.coverage(target.coverage(shared).present).present
        self._em, self._source = em, source
        self._of_target = {char: _stand(target, char, em) for char in shared}
        self._of_source = {char: _stand(source, char, em) for char in shared}
        self._like = {upper: [char for char in shared if char.isupper() == upper] for upper in (True, False)}

    def place(self, outlines: Mapping[str, Outline]) -> dict[str, DrawnGlyph]:
        """Traced letters with their widths; those that nothing can be told of are left out."""
        wanted = [
            char for char in outlines if is_spaced(char) and len(self._like[char.isupper()]) >= FEWEST
        ]  # plain ones first: they may be what others are built on
        there = set(self._source.coverage(wanted).present)
        ranked = sorted((char for char in wanted if char in there), key=lambda char: len(self._built_on(char)))
        placed: dict[str, DrawnGlyph] = {}
        stands = dict(self._of_target)
        for char in ranked:
            seen = _stand(self._source, char, self._em)
            placed[char] = self._place(char, outlines[char], seen, stands)
            left, bottom, right, top = placed[char].outline.bounds or (0, 0, 0, 0)
            width = placed[char].advance
            stands[char], self._of_source[char] = Stand(left, width - right, width, bottom, top), seen
        return placed

    def _built_on(self, char: str) -> list[str]:
        chain: list[str] = []
        while (base := base_of(char)) and base not in chain:
            chain.append(char := base)
        return chain

    def _place(self, char: str, outline: Outline, seen: Stand, stands: Mapping[str, Stand]) -> DrawnGlyph:
        base = next((one for one in self._built_on(char) if one in stands and one in self._of_source), None)
        assert outline.bounds is not None
        if base is not None:
            moved, plain = outline.transformed(dx=round(self._off(outline, base, stands))), self._of_source[base]
            if abs(seen.width - plain.width) <= SAME * self._em:
                return DrawnGlyph(char, moved, round(stands[base].width))
            assert moved.bounds is not None
            return DrawnGlyph(char, moved, round(moved.bounds[2] + stands[base].right + seen.right - plain.right))
        like = self._like[char.isupper()]
        left, right = (median(stands[one][side] for one in self._nearest(like, seen[side], side)) for side in (0, 1))
        start, _, end, _ = outline.bounds
        return DrawnGlyph(char, outline.transformed(dx=round(left - start)), round(left + end - start + right))

    def _nearest(self, like: Iterable[str], bearing: float, side: int) -> list[str]:
        return sorted(like, key=lambda one: abs(self._of_source[one][side] - bearing))[:NEAREST]

    def _off(self, outline: Outline, base: str, stands: Mapping[str, Stand]) -> float:
        """How far the letter itself, without what is over or under it, is drawn from where it stands alone."""
        dotless = {"i": "ı", "j": "ȷ"}.get(base, base)
        stand = stands.get(dotless, stands[base])
        sides = _sides_between(outline, stand.bottom, stand.top)
        if sides is None:
            return 0.0
        offs = sorted((stand.left - sides[0], stand.width - stand.right - sides[1]), key=abs)
        # A horn or a stroke widens one side alone.
        return sum(offs) / 2 if abs(offs[0] - offs[1]) < SAME * self._em else offs[0]


def _stand(glyphs: FontGlyphs, char: str, em: int) -> Stand:
    box, scale = glyphs.ink_box(char), em / glyphs.units_per_em
    width, baseline = glyphs.advance(char) * scale, glyphs.to_cell()["baseline"] * scale
    return Stand(box.x0 * em, width - box.x1 * em, width, baseline - box.y1 * em, baseline - box.y0 * em)


def _sides_between(outline: Outline, bottom: float, top: float) -> tuple[float, float] | None:
    """Left and right of the ink in a band of heights; None if there is none."""
    import pathops

    assert outline.bounds is not None
    left, right = outline.bounds[0] - 1, outline.bounds[2] + 1
    path, band = pathops.Path(), pathops.Path()
    outline.draw(path.getPen())
    pen = band.getPen()
    pen.moveTo((left, bottom))
    for corner in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(corner)
    pen.closePath()
    within = pathops.op(path, band, pathops.PathOp.INTERSECTION)
    return (within.bounds[0], within.bounds[2]) if len(list(within.segments)) else None
