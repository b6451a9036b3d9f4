"""Texts of others, such as errors, without what tells whose machine it is: paths, the user's name, the host's."""

import getpass
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

_END = r"[^\s'\"`:;,()<>\[\]]*"  # of a path in a sentence
# Rooted, and not the middle of a word: bf16/fp32 is none. What follows a blank belongs to it if it has a slash too.
_ROOT = r"(?<![\w.~])(?:[A-Za-z]:(?=[\\/])|~\w*)?[\\/]"
_PATH = re.compile(rf"{_ROOT}{_END}(?: {_END}[\\/]{_END})*")
# A path with blanks in it, as errors have them: in quotes, in brackets, or as the first of the message.
_ENCLOSED = re.compile(
    rf"(?<=')({_ROOT}[^']*)(?=')|(?<=\")({_ROOT}[^\"]*)(?=\")|(?<=\()({_ROOT}[^()]*)(?=\))|^({_ROOT}[^:]*)(?=: )"
)
_FILE = re.compile(r"[\w.+-]*\w\.[A-Za-z]\w*\Z")


def hide(text: str) -> str:
    """Of each path only the name of its file is left, of the home folder ``~``; names become ``(user)`` and ``(host)``."""
    for folder in _known_folders():
        # These may hold blanks, which would end a path in a sentence.
        text = re.sub(rf"{re.escape(folder)}(?!\w){_END}", lambda found: _short(found[0]), text)
    for pattern in (_ENCLOSED, _PATH):
        text = pattern.sub(lambda found: _short(found[0]), text)
    for name, shown in _names().items():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", shown, text)
    return text


def _short(path: str) -> str:
    if path.rstrip("\\/") in (str(Path.home()), "~"):
        return "~"
    name = re.split(r"[\\/]", path.rstrip("."))[-1]
    return f".../{name}" if _FILE.fullmatch(name) else "..."


def _known_folders() -> list[str]:
    """Folders that messages may name, the longest first."""
    asked: list[str | Path] = [
        Path.home(), Path.cwd(), tempfile.gettempdir(), sys.prefix, sys.base_prefix, Path(__file__).parents[2], *sys.path,
        *(os.environ.get(name, "") for name in ("FONTGAN_CACHE", "XDG_CACHE_HOME", "TMPDIR", "VIRTUAL_ENV")),
    ]  # fmt: skip
    folders = {str(folder).rstrip("\\/") for folder in asked if Path(folder).is_absolute()}
    return sorted(filter(None, folders), key=len, reverse=True)


def _names() -> dict[str, str]:
    """What to show instead of a name; not of one so short that it is part of many a text."""
    host = platform.node()
    names = {host: "(host)", host.partition(".")[0]: "(host)", Path.home().name: "(user)"}
    try:
        names[getpass.getuser()] = "(user)"
    except (OSError, KeyError, ImportError):  # an account without a name
        pass
    return {name: shown for name, shown in names.items() if len(name) > 1 and name != "root"}
