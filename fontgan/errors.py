"""What users are told when something of theirs does not fit: one line with where, what, the rule, the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Input, configuration or a file that the user can mend. The command line prints it and exits with 2."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class DataError(UserError):
    """Fonts, glyph folders or charsets that cannot be used as they are."""


class ConfigError(UserError):
    """Config keys, values or choices that do not exist or do not fit: one line for each."""

    def __init__(self, *faults: str):
        self.faults = [one_line(fault) for fault in faults]
        super().__init__(self.faults[0])

    def __str__(self) -> str:
        return "\n".join(self.faults)


class Faults:
    """Gathers what is wrong with a config, so that all of it is told at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Keeps the ConfigError of one check, so that the next check runs all the same."""
        try:
            yield
        except ConfigError as error:
            self.found += [fault for fault in error.faults if fault not in self.found]

    def raise_all(self) -> None:
        """Raises: ConfigError with everything that was found."""
        if self.found:
            raise ConfigError(*self.found)


class RunError(UserError):
    """A run folder or checkpoint that cannot be used as asked."""


def printable(text: str, limit: int = 300) -> str:
    """Text of a stranger in one line, of characters that show: none that move the cursor, turn the line or hide."""
    line = "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text[: 4 * limit])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def one_line(text: str) -> str:
    """Text that every terminal and file takes as one line, whatever names are in it.

    Line ends, what steers a terminal or turns the direction of reading, and bytes of a file's name that are no UTF-8
    are written as escapes: ``\\n``, ``\\x1b``, ``\\u202e``, ``\\udcff``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def encodable(text: str) -> str:
    """Text that every file takes: bytes of a file's name that are no UTF-8 are written as ``\\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def first_line(error: Exception) -> str:
    """What an error of a library says first; the name of its class where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def shorten(items: list[str] | tuple[str, ...], limit: int = 10, separator: str = " ") -> str:
    """The first items in one line, and how many more there are."""
    shown = one_line(separator.join(items[:limit]))
    return shown if len(items) <= limit else f"{shown} ... and {len(items) - limit} more"
