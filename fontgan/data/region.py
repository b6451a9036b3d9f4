"""Whose characters a typeface has: which source draws their forms, and which set a completed font should have."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from fontgan.data import charset
from fontgan.data.font_source import FontGlyphs
from fontgan.data.glyphs import GlyphSource


@dataclass(frozen=True)
class Region:
    """Args:
    name: as messages say it.
    source: the font of the shelf that has the region's forms, of the kind that the base model knows as a source.
    sets: what a font of the region has in the end, the smallest set first.
    """

    name: str
    source: str
    sets: tuple[str, ...]


SIMPLIFIED = Region("simplified Chinese", "shelf:sans", ("gb2312-1", "gb2312", "tgh"))
TRADITIONAL = Region("traditional Chinese", "shelf:sans-tc", ("big5-1", "big5"))
JAPANESE = Region("Japanese", "shelf:sans-jp", ("kana+jis-1", "jisx0208"))
KOREAN = Region("Korean", "shelf:sans-kr", ("ksx1001-hangul", "hangul"))
LATIN = Region("Latin", "shelf:sans", ("ascii", "latin1", "latin1+latin-ext-a"))


@cache
def _marks() -> dict[Region, frozenset[str]]:
    """Characters of a region that the standard sets of no other have, but for kana, which all have."""
    every = {name: frozenset(charset.resolve(name) or ()) for name in ("gb2312", "big5", "jis-1")}

    def only(name: str, of: str) -> frozenset[str]:
        return frozenset(charset.resolve(name) or ()).difference(
            *(chars for other, chars in every.items() if other != of)
        )

    return {
        SIMPLIFIED: only("gb2312-1", "gb2312"),
        TRADITIONAL: only("big5-1", "big5"),
        JAPANESE: only("jis-1", "jis-1") | frozenset(charset.resolve("kana") or ()),
        KOREAN: frozenset(charset.resolve("ksx1001-hangul") or ()),
    }


def region_of(chars: Iterable[str]) -> Region:
    """The region of whose own characters the largest share is there.

    Han that several regions share count as simplified Chinese where nothing tells.
    """
    there = set(chars)
    shares = {region: len(there & marks) / len(marks) for region, marks in _marks().items()}
    best = max(shares, key=shares.__getitem__)
    if shares[best]:
        return best
    return SIMPLIFIED if any(char >= "\u2e80" for char in there) else LATIN


def characters_of(glyphs: GlyphSource) -> list[str]:
    """Every character that a font or folder has; of a font those of its cmap, drawn or not, which is quick."""
    return glyphs.characters() if isinstance(glyphs, FontGlyphs) else glyphs.coverage(None).present


def set_to_complete(region: Region, chars: Iterable[str]) -> str:
    """The smallest set of a region that some of the characters lack; the largest if none is lacking."""
    there = set(chars)
    lacking = (name for name in region.sets if not there.issuperset(charset.resolve(name) or ()))
    return next(lacking, region.sets[-1])
