"""Named character sets (of Python's own codecs, Unicode's ranges and one table), text files and literal strings -> characters."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from fontgan.errors import DataError
from fontgan.runtime.files import user_path
from fontgan.untrusted.images import is_file, read_bytes

FONT = "font"  # the charset that means: all the source has
_TGH = Path(__file__).parents[1] / "assets" / "charsets" / "tgh.txt"
MAX_BYTES = 16 * 2**20  # of a text file: all of Unicode, three times
_VIETNAMESE = "ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư₫"
_MAX_MARKS = 30  # on one letter, as Unicode's stream-safe text has it: composing takes the square of their number


def _is_visible(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CZ"


def _block(*ranges: tuple[int, int]) -> Callable[[], list[str]]:
    """Every assigned, visible character of code point ranges."""
    return lambda: [char for first, last in ranges for char in map(chr, range(first, last + 1)) if _is_visible(char)]


def _codes(codec: str, first: int, last: int) -> Callable[[], list[str]]:
    """Two-byte characters of a codec; what is no code is decoded to several, or to one that stands for it."""

    def characters() -> list[str]:
        found = (code.to_bytes(2, "big").decode(codec, "replace") for code in range(first, last + 1))
        return [char for char in found if len(char) == 1 and char != "\ufffd" and _is_visible(char)]

    return characters


def _sets(*names: str) -> Callable[[], list[str]]:
    return lambda: unique(char for name in names for char in NAMED[name]())


def _tgh(level: int) -> Callable[[], list[str]]:
    """A level of the Table of General Standard Chinese Characters of 2013 (8,105), after Unihan's kTGH."""
    return lambda: list(_TGH.read_text(encoding="utf-8").splitlines()[level - 1])


NAMED: dict[str, Callable[[], list[str]]] = {
    "ascii": _block((0x21, 0x7E)),
    "latin1": _block((0x21, 0x7E), (0xA1, 0xFF)),
    "latin-ext-a": _block((0x100, 0x17F)),
    "latin-ext-b": _block((0x180, 0x24F)),
    "latin-ext-additional": _block((0x1E00, 0x1EFF)),
    "vietnamese": lambda: [*_VIETNAMESE, *map(chr, range(0x1EA0, 0x1EFA))],  # what ASCII lacks of its alphabet
    "greek": _block((0x370, 0x3FF)),
    "cyrillic": _block((0x400, 0x45F), (0x490, 0x491)),  # Ґ, without which there is no Ukrainian
    "hiragana": _block((0x3041, 0x3096)),
    "katakana": _block((0x30A1, 0x30FA), (0x30FC, 0x30FC)),
    "kana": _sets("hiragana", "katakana"),
    "bopomofo": _block((0x3105, 0x312F)),
    "cjk-punctuation": _block((0x3001, 0x303F), (0xFF01, 0xFF5E)),
    "gb2312-1": _codes("gb2312", 0xB0A1, 0xD7FE),
    "gb2312-2": _codes("gb2312", 0xD8A1, 0xF7FE),
    "gb2312": _sets("gb2312-1", "gb2312-2"),
    "gb2312-symbols": _codes("gb2312", 0xA1A1, 0xA9FE),
    "tgh-1": _tgh(1),
    "tgh-2": _tgh(2),
    "tgh-3": _tgh(3),
    "tgh": _sets("tgh-1", "tgh-2", "tgh-3"),
    "big5-1": _codes("big5", 0xA440, 0xC67E),  # what follows in this row are later additions
    "big5-2": _codes("big5", 0xC940, 0xF9FE),
    "big5": _sets("big5-1", "big5-2"),
    "jis-1": _codes("euc_jp", 0xB0A1, 0xCFFE),
    "jis-2": _codes("euc_jp", 0xD0A1, 0xF4FE),
    "jisx0208": _sets("kana", "jis-1", "jis-2"),
    "jamo": _block((0x3131, 0x318E)),
    "hangul": _block((0xAC00, 0xD7A3)),
    "ksx1001-hangul": _codes("euc_kr", 0xB0A1, 0xC8FE),
    "ksx1001-hanja": _codes("euc_kr", 0xCAA1, 0xFDFE),
    "ksx1001": _sets("jamo", "ksx1001-hangul", "ksx1001-hanja"),
    "cjk": _block((0x4E00, 0x9FFF)),
}


def unique(chars: Iterable[str]) -> list[str]:
    """In order, the first of equal ones."""
    return list(dict.fromkeys(chars))


def visible(text: str) -> list[str]:
    """The visible characters of a text in order, without repeats; letters and their combining marks composed."""
    # Only marks are composed: Unicode's NFC would also replace compatibility ideographs, which are glyphs of their own.
    marked = rf"\w[\u0300-\u036f\u3099\u309a]{{1,{_MAX_MARKS}}}"
    composed = re.sub(marked, lambda match: unicodedata.normalize("NFC", match[0]), text)
    return unique(filter(_is_visible, composed))


def resolve(spec: str, key: str = "charset") -> list[str] | None:
    """Turns a charset as written in a config into characters, in order without repeats; None for ``font``.

    ``spec`` is a name of ``NAMED``, several joined by ``+`` (``ascii+kana``), a UTF-8 text file (every visible
    character in it), a literal string of characters, or ``font``; ``key`` is the setting that errors tell of.
    Raises: DataError if a file cannot be read as UTF-8 or is larger than ``MAX_BYTES``, or nothing visible is left.
    """
    if spec == FONT:
        return None
    names = spec.casefold().split("+")
    unknown = [name for name in names if name not in NAMED]
    if not unknown:
        return _sets(*names)()
    if len(unknown) < len(names):
        raise DataError(f"{key}={spec}: {unknown[0]} is no set. {_CHOICES}")
    path_like = spec.endswith((".txt", ".TXT")) or (len(spec) > 1 and ("/" in spec or "\\" in spec) and spec.isascii())
    if not path_like and spec.isascii() and len(spec) > 2 and spec[0].isalnum() and ("-" in spec or spec.islower()):
        # A mistyped name must not silently become the five letters it is made of.
        remedy = "To mean these very letters, put them in a text file."
        raise DataError(f"{key}={spec}: no set of that name. {_CHOICES} {remedy}")
    chars = visible(_read_text(spec, key) if path_like else spec)
    if not chars:
        raise DataError(f"{key}={spec!r}: holds no visible character. {_CHOICES}")
    return chars


def is_list(spec: str) -> bool:
    """Whether a charset lists its characters, by themselves or in a file; a named set is whatever there is of it."""
    return spec != FONT and not set(spec.casefold().split("+")) <= set(NAMED)


def _read_text(spec: str, key: str) -> str:
    path = user_path(spec)
    if not is_file(path):
        raise DataError(f"{key}={spec}: no such file, and no set of that name. {_CHOICES}")
    try:
        return read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{key}={spec}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{key}={spec}: cannot be read ({error}). Give a text file of the characters.") from error


_CHOICES = f"Choose one of {', '.join(NAMED)}, font, a .txt file, or the characters themselves."
