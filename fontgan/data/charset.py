"""Named character sets, text files and literal strings -> an ordered list of characters.

The sets come from Python's own codecs and from Unicode's block ranges, so nothing needs to be shipped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from fontgan.errors import DataError
from fontgan.runtime.files import user_path
from fontgan.untrusted.images import is_file, read_bytes

FONT = "font"  # the charset that means: all the source has
MAX_BYTES = 16 * 2**20  # of a text file: all of Unicode, three times
_MAX_MARKS = 30  # on one letter, as Unicode's stream-safe text has it: composing takes the square of their number


def _block(first: int, last: int) -> Callable[[], list[str]]:
    """Every assigned, visible character of a code point range."""
    return lambda: [char for char in map(chr, range(first, last + 1)) if unicodedata.category(char)[0] not in "CZ"]


def _codec_rows(codec: str, rows: Iterable[int], cells: Iterable[int]) -> Callable[[], list[str]]:
    """Two-byte characters of a codec, by lead byte (row) and trail byte (cell)."""

    def characters() -> list[str]:
        found = []
        for row in rows:
            for cell in cells:
                try:
                    char = bytes((row, cell)).decode(codec)
                except UnicodeDecodeError:
                    continue  # an unassigned cell of the code table
                if len(char) == 1 and unicodedata.category(char)[0] not in "CZ":
                    found.append(char)
        return found

    return characters


def _join(*parts: Callable[[], list[str]]) -> Callable[[], list[str]]:
    return lambda: unique(char for part in parts for char in part())


_EUC_CELLS = range(0xA1, 0xFF)
_BIG5_CELLS = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
# Level 1 ends inside row 0xC6; what follows in that row are later additions.
_BIG5_1 = _join(_codec_rows("big5", range(0xA4, 0xC6), _BIG5_CELLS), _codec_rows("big5", [0xC6], range(0x40, 0x7F)))
_BIG5_2 = _codec_rows("big5", range(0xC9, 0xFA), _BIG5_CELLS)
_KANA = _join(_block(0x3041, 0x3096), _block(0x30A1, 0x30FA), _block(0x30FC, 0x30FC))
_JIS_1 = _codec_rows("euc_jp", range(0xB0, 0xD0), _EUC_CELLS)
_JIS_2 = _codec_rows("euc_jp", range(0xD0, 0xF5), _EUC_CELLS)
_JAMO = _block(0x3131, 0x318E)
_KS_HANGUL = _codec_rows("euc_kr", range(0xB0, 0xC9), _EUC_CELLS)
_KS_HANJA = _codec_rows("euc_kr", range(0xCA, 0xFE), _EUC_CELLS)

NAMED: dict[str, Callable[[], list[str]]] = {
    "ascii": _block(0x21, 0x7E),
    "latin1": _join(_block(0x21, 0x7E), _block(0xA1, 0xFF)),
    "latin-ext-a": _block(0x100, 0x17F),
    "greek": _block(0x370, 0x3FF),
    "cyrillic": _block(0x400, 0x45F),
    "hiragana": _block(0x3041, 0x3096),
    "katakana": _join(_block(0x30A1, 0x30FA), _block(0x30FC, 0x30FC)),
    "kana": _KANA,
    "bopomofo": _block(0x3105, 0x312F),
    "cjk-punctuation": _join(_block(0x3001, 0x303F), _block(0xFF01, 0xFF5E)),
    "gb2312-1": _codec_rows("gb2312", range(0xB0, 0xD8), _EUC_CELLS),
    "gb2312-2": _codec_rows("gb2312", range(0xD8, 0xF8), _EUC_CELLS),
    "gb2312": _codec_rows("gb2312", range(0xB0, 0xF8), _EUC_CELLS),
    "gb2312-symbols": _codec_rows("gb2312", range(0xA1, 0xAA), _EUC_CELLS),
    "big5-1": _BIG5_1,
    "big5-2": _BIG5_2,
    "big5": _join(_BIG5_1, _BIG5_2),
    "jis-1": _JIS_1,
    "jis-2": _JIS_2,
    "jisx0208": _join(_KANA, _JIS_1, _JIS_2),
    "jamo": _JAMO,
    "hangul": _block(0xAC00, 0xD7A3),
    "ksx1001-hangul": _KS_HANGUL,
    "ksx1001-hanja": _KS_HANJA,
    "ksx1001": _join(_JAMO, _KS_HANGUL, _KS_HANJA),
    "cjk": _block(0x4E00, 0x9FFF),
}


def unique(chars: Iterable[str]) -> list[str]:
    """Keeps the first of equal characters, in order."""
    return list(dict.fromkeys(chars))


def visible(text: str) -> list[str]:
    """The visible characters of a text in order, without repeats; letters and their combining marks composed."""
    # Only marks are composed: Unicode's NFC would also replace compatibility ideographs, which are glyphs of their own.
    marked = rf"\w[\u0300-\u036f\u3099\u309a]{{1,{_MAX_MARKS}}}"
    composed = re.sub(marked, lambda match: unicodedata.normalize("NFC", match[0]), text)
    return unique(char for char in composed if unicodedata.category(char)[0] not in "CZ")


def resolve(spec: str) -> list[str] | None:
    """Turns a charset as written in a config into characters.

    Args:
        spec: a name of ``NAMED``, several joined by ``+`` (``ascii+kana``), a UTF-8 text file (every visible
            character in it), a literal string of characters, or ``font``.
    Returns: characters in order without repeats; None for ``font``.
    Raises: DataError if a file cannot be read as UTF-8 or is larger than ``MAX_BYTES``, or nothing visible is left.
    """
    if spec == FONT:
        return None
    names = spec.casefold().split("+")
    unknown = [name for name in names if name not in NAMED]
    if not unknown:
        return unique(char for name in names for char in NAMED[name]())
    if len(unknown) < len(names):
        raise DataError(f"charset={spec}: {unknown[0]} is no set. {_CHOICES}")
    if _looks_like_path(spec):
        text = _read_text(spec)
    elif spec.isascii() and len(spec) > 2 and (spec[0].isalnum() and ("-" in spec or spec.islower())):
        # A mistyped name must not silently become the five letters it is made of.
        raise DataError(
            f"charset={spec}: no set of that name. {_CHOICES} To mean these very letters, put them in a text file."
        )
    else:
        text = spec
    chars = visible(text)
    if not chars:
        raise DataError(f"charset={spec!r}: holds no visible character. {_CHOICES}")
    return chars


def _read_text(spec: str) -> str:
    try:
        path = user_path(spec)
    except RuntimeError:  # ~name of nobody
        path = Path(spec)
    if not is_file(path):
        raise DataError(f"charset={spec}: no such file, and no set of that name. {_CHOICES}")
    try:
        return read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"charset={spec}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"charset={spec}: cannot be read ({error}). Give a text file of the characters.") from error


def _looks_like_path(spec: str) -> bool:
    return spec.endswith((".txt", ".TXT")) or (len(spec) > 1 and ("/" in spec or "\\" in spec) and spec.isascii())


_CHOICES = f"Choose one of {', '.join(NAMED)}, font, a .txt file, or the characters themselves."
