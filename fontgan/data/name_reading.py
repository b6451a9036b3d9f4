"""How the names of glyph images are read: as code points in hexadecimal or decimal digits, or as characters alone.

``20013.png`` is 中 where names are decimal, and U+20013 where they are hexadecimal.  A folder is named in one way, so all
of its names decide together; a name such as ``U+4E2D`` can only be read in one.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from fontgan.errors import DataError, shorten
from fontgan.runtime.file_names import composed

log = logging.getLogger(__name__)

AUTO, HEX, DECIMAL, CHAR = READINGS = ("auto", "hex", "decimal", "char")
DECISIVE = 2  # times as many names must fit one reading as the other
FEW = 0.1  # share of names that are hexadecimal alone, which a folder of decimal ones may have by chance
_PREFIXED = re.compile(r"(?:[uU]\+|uni|[uU])([0-9A-Fa-f]{4,6})")
_HEX = re.compile(r"[0-9A-Fa-f]{4,6}")
_DECIMAL = re.compile(r"[1-9][0-9]{1,6}")
_EITHER = re.compile(r"[1-9][0-9]{3,6}")  # shorter ones are rather numbers of pages than code points
_HEX_ALONE = re.compile(r"0[0-9A-Fa-f]{3,5}|(?=.*[0-9])(?=.*[A-Fa-f])[0-9A-Fa-f]{4,6}")  # and no word, such as face
_asked_for: ContextVar[str] = ContextVar("names", default=AUTO)


@contextmanager
def names_read_as(reading: str) -> Iterator[None]:
    """Within it every folder's names are read in this way; ``auto`` changes nothing."""
    token = _asked_for.set(_asked_for.get() if reading == AUTO else reading)
    try:
        yield
    finally:
        _asked_for.reset(token)


def char_from_name(stem: str, reading: str = HEX) -> str | None:
    """The character a file name stands for: ``U+4E00``, ``uni4E00``, ``u1F600`` or the character itself, and as
    ``reading`` says ``4E00`` (hex) or ``19968`` (decimal).

    Also where a file system has taken it apart (か + ゛ for が); None if it stands for none.
    """
    char = composed(stem)
    bare = {HEX: _HEX, DECIMAL: _DECIMAL}.get(reading)
    if match := _PREFIXED.fullmatch(stem):
        char = _char(int(match[1], 16))
    elif bare and bare.fullmatch(stem):
        char = _char(int(stem, 16 if reading == HEX else 10))
    if len(char) != 1:
        return None
    category = unicodedata.category(char)
    return None if category[0] == "Z" or category in ("Cc", "Cf", "Cs", "Cn") else char


def _char(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else ""


def choose_reading(folder: Path, stems: Sequence[str], source: Collection[str] = ()) -> str:
    """How the names of a folder are read, told in the log where two ways were possible.

    Args:
        stems: of all its images.
        source: characters that they are paired with, where these are known.
    Raises: DataError if they fit one way no better than the other.
    """
    if (asked_for := _asked_for.get()) != AUTO:
        return asked_for
    numbers = list(filter(_EITHER.fullmatch, stems))
    if not numbers or sum(map(bool, map(_HEX_ALONE.fullmatch, stems))) > FEW * len(numbers):
        return HEX
    # Shorter ones count too, now that they are hardly numbers of pages.
    every = list(filter(_DECIMAL.fullmatch, stems))
    read = {way: [char for stem in every if (char := char_from_name(stem, way))] for way in (HEX, DECIMAL)}
    tests: list[Callable[[str], bool]] = [set(source).__contains__, _usual().__contains__, bool]
    for fits in tests:
        counts = {way: sum(map(fits, chars)) for way, chars in read.items()}
        way, other = sorted(counts, key=counts.__getitem__, reverse=True)
        if counts[way] and counts[way] >= DECISIVE * counts[other]:
            if way == DECIMAL or counts[other]:
                _say(folder, way, f"{numbers[0]} is {char_from_name(numbers[0], way)}")
            return way
    if not any(read.values()):
        return HEX
    meant = " or ".join(f"{char_from_name(numbers[0], way)} ({way})" for way in read)
    raise DataError(
        f"{folder}: {len(numbers)} names are digits alone ({shorten(numbers)}), and nothing tells whether they are "
        f"hexadecimal or decimal: {numbers[0]} is {meant}. Add data.names=hex|decimal|char (names= where no data is "
        f"configured), or name them U+4E2D.png."
    )


@cache
def _usual() -> frozenset[str]:
    """The characters of every named set, of all scripts that fonts are drawn for most."""
    from fontgan.data.charset_sets import NAMED  # opens image files too, and every verb's config names the readings

    return frozenset(char for characters in NAMED.values() for char in characters())


@cache
def _say(folder: Path, way: str, example: str) -> None:
    """Once a folder: many steps of one command open it."""
    other = DECIMAL if way == HEX else HEX
    log.info("%s: names of digits alone are read as %s: %s; names=%s reads them otherwise", folder, way, example, other)
