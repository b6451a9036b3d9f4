"""How wide characters are: by Unicode's East Asian Width (UAX #11), and as a font has them."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median

from fontTools import unicodedata as scripts

from fontgan.runtime.subsample import subsample_evenly

MEASURED = 300  # glyphs of a script that a font's usual width is taken from
ONE_WIDTH = 0.95  # share of a font's letters that are equally wide if it is monospaced; some have a few wide ligatures
FEWEST_LETTERS = 5  # fewer may be equally wide by chance
EAST_ASIAN = frozenset({"Hani", "Hira", "Kana", "Bopo"})  # scripts whose dashes, quotes and signs fill an em; not Hang
LATIN_1 = 0xFF  # up to it, signs look like letters: of ambiguous width, and narrow in most Chinese and Japanese fonts

Advance = Callable[[str], float]


def is_full_width(char: str) -> bool:
    """Whether East Asian text gives the character a whole em."""
    return unicodedata.east_asian_width(char) in "WF"


def is_half_width(char: str) -> bool:
    """Whether it is a form of half an em, such as ｱ or ｡; the won sign, which Unicode counts among them, is none."""
    return unicodedata.name(char, "").startswith("HALFWIDTH")


def is_east_asian(char: str) -> bool:
    """Whether it tells of a font for Chinese or Japanese: Han, kana, or their punctuation."""
    wide = unicodedata.category(char)[0] == "P" and (is_full_width(char) or is_half_width(char))
    return wide or scripts.script(char) in EAST_ASIAN


def is_ambiguous(char: str) -> bool:
    """Whether it is a sign that fills an em among Han and kana, and is narrow elsewhere: dash, ellipsis, quotes, ①, →.

    Greek and Cyrillic letters, the en dash, currencies and the signs of Latin 1, which Unicode calls ambiguous too, are
    as wide as their ink in Noto Sans CJK and other fonts.
    """
    ambiguous = unicodedata.east_asian_width(char) == "A" and ord(char) > LATIN_1 and char != "–"
    return ambiguous and (category := unicodedata.category(char))[0] in "PSN" and category not in ("Sc", "Sk")


def is_mark(char: str) -> bool:
    """Whether it stands on, under or around the letter before it and takes no room of its own."""
    return unicodedata.category(char) in ("Mn", "Me")


def is_letter(char: str) -> bool:
    """Whether it is a letter that is not full-width or half-width, so that a font chooses its width."""
    return unicodedata.category(char) in ("Lu", "Ll", "Lt", "Lo") and unicodedata.east_asian_width(char) not in "WFH"


def full_widths(chars: Iterable[str], advance: Advance, scale: float = 1.0) -> dict[str, int]:
    """The most common width, times ``scale``, of full-width letters by script; that with the most of them first."""
    wide = (char for char in chars if is_full_width(char) and unicodedata.category(char)[0] == "L")
    return {script: _most_common(those, advance, scale)[0] for script, those in _by_script(wide).items()}


def letter_widths(chars: Iterable[str], advance: Advance, scale: float = 1.0) -> dict[str, float]:
    """The median width of other letters, in the same way."""
    narrow = _by_script(filter(is_letter, chars)).items()
    return {
        script: median(advance(char) * scale for char in subsample_evenly(those, MEASURED)) for script, those in narrow
    }


def usual_width(chars: Iterable[str], advance: Advance, scale: float = 1.0) -> int | None:
    """The most common width of the characters; None if there are none."""
    those = list(chars)
    return _most_common(those, advance, scale)[0] if those else None


def one_width(chars: Iterable[str], advance: Advance, scale: float = 1.0) -> int | None:
    """The width of all letters of a monospaced font; None if the font is none, or has too few to tell."""
    letters = list(filter(is_letter, chars))
    if len(letters) < FEWEST_LETTERS:
        return None
    width, share = _most_common(letters, advance, scale)
    return width if width and share >= ONE_WIDTH else None


def _most_common(chars: list[str], advance: Advance, scale: float) -> tuple[int, float]:
    """The most common width, and the share of the characters that have it."""
    measured = subsample_evenly(chars, MEASURED)
    width, count = Counter(round(advance(char) * scale) for char in measured).most_common(1)[0]
    return width, count / len(measured)


def _by_script(chars: Iterable[str]) -> dict[str, list[str]]:
    """Characters by Unicode's code of their script, the script with the most of them first."""
    found: dict[str, list[str]] = {}
    for char in chars:
        found.setdefault(scripts.script(char), []).append(char)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
