"""Named character sets, text files and literal strings -> characters."""

import difflib
import re
import unicodedata

from fontgan.data.charset_sets import NAMED, is_visible, unique
from fontgan.errors import DataError
from fontgan.runtime.files import user_path
from fontgan.untrusted.images import is_file, read_bytes

FONT = "font"  # the charset that means: all the source has
MAX_BYTES = 16 * 2**20  # of a text file: all of Unicode, three times
_MAX_MARKS = 30  # on one letter, as Unicode's stream-safe text has it: composing takes the square of their number


def visible(text: str) -> list[str]:
    """The visible characters of a text in order, without repeats; letters and their combining marks composed."""
    # Only marks are composed: Unicode's NFC would also replace compatibility ideographs, which are glyphs of their own.
    marked = rf"\w[\u0300-\u036f\u3099\u309a]{{1,{_MAX_MARKS}}}"
    composed = re.sub(marked, lambda match: unicodedata.normalize("NFC", match[0]), text)
    return unique(filter(is_visible, composed))


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
        return unique(char for name in names for char in NAMED[name]())
    if len(unknown) < len(names):
        raise DataError(f"{key}={spec}: {unknown[0]} is no set.{_nearest(unknown[0])} {_CHOICES}")
    path_like = names_file(spec)
    if not path_like and spec.isascii() and len(spec) > 2 and spec[0].isalnum() and ("-" in spec or spec.islower()):
        # A mistyped name must not silently become the five letters it is made of.
        remedy = "To mean these very letters, put them in a text file."
        raise DataError(f"{key}={spec}: no set of that name.{_nearest(unknown[0])} {_CHOICES} {remedy}")
    chars = visible(_read_text(spec, key) if path_like else spec)
    if not chars:
        raise DataError(f"{key}={spec!r}: holds no visible character. {_CHOICES}")
    return chars


def names_file(spec: str) -> bool:
    """Whether a charset is the name of a text file."""
    return spec.endswith((".txt", ".TXT")) or (len(spec) > 1 and ("/" in spec or "\\" in spec) and spec.isascii())


def is_list(spec: str) -> bool:
    """Whether a charset lists its characters, by themselves or in a file; a named set is whatever there is of it."""
    return spec != FONT and not set(spec.casefold().split("+")) <= set(NAMED)


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, NAMED, n=1)
    return f" Did you mean {close[0]}?" if close else ""


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
