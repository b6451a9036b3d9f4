"""Names of files and folders that Windows, macOS and Linux all take, and that stay apart on each of them.

Windows refuses ``<>:"/\\|?*`` and control characters, drops dots and blanks at the end, and keeps CON, NUL, COM1 and the
like for devices, whatever their ending and case (Microsoft, "Naming Files, Paths, and Namespaces").  Windows and macOS
hold ``A.png`` and ``a.png`` for one file, and macOS holds letters with marks for the same whole or taken apart.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

# Systems end at 255 bytes or UTF-16 units of a name, and Windows by default at 260 units of a whole path.
MAX_BYTES = 120
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')  # surrogates: of names that are no UTF-8
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?= *(\.|$))", re.IGNORECASE)
_OF_THE_SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", ".localized", "icon\r")


def portable(name: str, *, max_bytes: int = MAX_BYTES) -> str:
    """A name that every system takes, as like this one as can be; the same where it is one already.

    Its last ending (``.ttf``) stays where it has to be cut.  ``_`` where nothing is left.
    """
    plain = composed(_REFUSED.sub("-", name)).rstrip(". ")
    plain = _DEVICE.sub(r"\1_", plain, count=1) if _DEVICE.match(plain) else plain
    stem, dot, ending = plain.rpartition(".")
    if not stem or len(ending) > 10:  # a point within a name
        stem, dot, ending = plain, "", ""
    room = max_bytes - len(f"{dot}{ending}".encode())
    return f"{_cut(stem, room)}{dot}{ending}" or "_"


def _cut(text: str, max_bytes: int) -> str:
    if len(text.encode()) <= max_bytes:
        return text
    return text.encode()[:max_bytes].decode("utf-8", "ignore").rstrip(". ")


def composed(name: str) -> str:
    """Letters and their marks as one again, where macOS has taken them apart (か + ゛ for が, ㅎ + ㅏ + ㄴ for 한).

    Unicode's NFC, but for what it would replace by something else when it stands alone: compatibility ideographs.
    """
    runs = groupby(name, lambda char: unicodedata.is_normalized("NFC", char))
    return "".join(
        unicodedata.normalize("NFC", run) if whole else run for whole, part in runs for run in ["".join(part)]
    )


def alike(name: str) -> str:
    """The same for names that one of the systems holds for one: ``A.png`` and ``a.png``, が whole and taken apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def find_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two that one of the systems holds for one name; None if there are none."""
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(alike(name), name)) != name:
            return first, name
    return None


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Name -> a portable one, of which no two are alike: those that would be have ``-2``, ``-3``, ... at their end."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = made = portable(name)
        count = 1
        while alike(made) in taken:
            count += 1
            made = portable(plain, max_bytes=MAX_BYTES - 8) + f"-{count}"
        found[name] = made
        taken.add(alike(made))
    return found


def is_of_the_system(name: str) -> bool:
    """Whether Windows or macOS left such a file by itself: pictures in small, a folder's looks, ``._name`` beside name."""
    return name.startswith("._") or name.lower() in _OF_THE_SYSTEM
