"""Texts that show a font: sentences that it can set, and its made characters among its own.

The sentences are our own, of frequent characters, so that small fonts can set them too.
"""

import unicodedata
from collections.abc import Collection, Sequence
from itertools import cycle
from typing import NamedTuple

from fontgan.data.charset import visible
from fontgan.runtime.subsample import subsample_evenly

# Language and phrases. A font without the comma and full stop of its script gets spaces in their place.
SENTENCES: tuple[tuple[str, str], ...] = (
    ("zh-Hans", "春天来了，水从山上流下来。我在路口等你，三个人看着同一条河。老师说明天有雨，今夜的风还不大。"),
    ("zh-Hant", "春天來了，水從山上流下來。我在路口等你，三個人看著同一條河。老師說明天有雨，今夜的風還不大。"),
    ("ja", "春になると、山の雪がとけて川に入る。町の人は、朝から海のほうへ歩いて行く。"),
    ("ko", "봄이 오면 산에 눈이 녹고, 강물은 마을을 지나 바다로 간다. 아이들은 길에서 노래한다."),
    ("en", "In spring the river is quick and cold. Six boats wait, just by the old bridge; 24 men have gone up to mend the quay, a few lazily."),
    ("ru", "Весной река быстрая и холодная. Шесть лодок ждут у старого моста, и дети поют."),
    ("el", "Την άνοιξη το ποτάμι τρέχει γρήγορα. Έξι βάρκες περιμένουν κοντά στη γέφυρα."),
)  # fmt: skip
_PUNCTUATION = "，。、,.;·"
_AMONG = 24  # made characters shown among the font's own


class Specimen(NamedTuple):
    """A text with its language, for the page's ``lang``; ``vertical`` if it may be set in columns too."""

    lang: str
    text: str
    vertical: bool


def sentences(chars: Collection[str]) -> list[Specimen]:
    """Those of our sentences that a font with these characters can set; if none, sixty characters from all over it."""
    have = set(chars)
    found = []
    for lang, text in SENTENCES:
        fitted = " ".join("".join(c if c in have or c not in _PUNCTUATION else " " for c in text).split())
        if set(visible(fitted)) <= have:
            found.append(Specimen(lang, fitted, is_cjk(fitted)))
    some = "".join(subsample_evenly(sorted(chars), 60))
    return found or [Specimen("", some, is_cjk(some))]


def mixed_with_latin(specimens: Sequence[Specimen], chars: Collection[str]) -> Specimen | None:
    """A line that goes from one script to the other and back, if the font has both."""
    latin = "fontgan 2026 Rg"
    wide = [specimen for specimen in specimens if specimen.vertical and len(specimen.text) > 16]
    if not wide or not set(visible(latin)) <= set(chars):
        return None
    return Specimen(wide[0].lang, f"{wide[0].text[:8]} {latin} {wide[0].text[8:16]}", False)


def is_cjk(chars: Sequence[str]) -> bool:
    """True for a text that is mostly of wide characters, which may be set in columns."""
    return 2 * sum(map(is_wide, chars)) > len(chars)


def is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def alternating(made: Sequence[str], own: Sequence[str]) -> str:
    """Own and made characters by turns, spread over both, so that a difference of weight shows."""
    return "".join(b + a for a, b in zip(subsample_evenly(made, _AMONG), _alike(own, made), strict=False))


def in_context(doubtful: Sequence[str], own: Sequence[str]) -> list[str]:
    """Each of the first doubtful characters between two of the font's own; none if the font has none of its own."""
    sides = cycle(_alike(own, doubtful))
    return [f"{before}{char}{after}" for char, before, after in zip(doubtful[:_AMONG], sides, sides, strict=False)]


def _alike(own: Sequence[str], made: Sequence[str]) -> list[str]:
    """The font's own characters of the made ones' kind: wide letters beside wide ones; else any letters there are."""
    wide = is_cjk(made)
    letters = [char for char in own if unicodedata.category(char)[0] == "L"]
    return subsample_evenly([char for char in letters if is_wide(char) == wide] or letters, 2 * _AMONG)
