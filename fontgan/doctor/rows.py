"""One line of the doctor's page, and how what raises becomes one."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from fontgan.doctor.privacy import hide
from fontgan.errors import UserError, first_line

WIDTH = 96  # columns: a report shows them without a scroll bar
_NAME = 12
_SAID = 220  # characters that an error may have


@dataclass(frozen=True)
class Row:
    section: str
    name: str
    text: str
    ok: bool | None = None  # of what must work: whether it does; None of what is only told

    def __str__(self) -> str:
        verdict = "" if self.ok is None else "ok, " if self.ok else "FAILED: "
        indent = " " * (_NAME + 1)
        return textwrap.fill(
            f"{verdict}{self.text}", WIDTH, initial_indent=f"{self.name:<{_NAME}} ", subsequent_indent=indent,
            break_on_hyphens=False,
        )  # fmt: skip


class Wrong(Exception):
    """Something that must work does not."""


def row(section: str, name: str, ask: Callable[[], str | None], *, must_work: bool = False) -> Row:
    """A line of what a function says; where it raises anything at all, why it failed, or why it is not known."""
    try:
        return Row(section, name, ask() or "none", True if must_work else None)
    except Exception as error:  # noqa: BLE001  # a broken package may raise anything, and telling of it is what this is for
        return Row(section, name, why(error), ok=False) if must_work else Row(section, name, f"not known: {why(error)}")


def why(error: Exception) -> str:
    """What an error says, in one line without private names."""
    kind = "" if isinstance(error, Wrong | UserError) else f"{type(error).__name__}: "
    said = hide(" ".join(first_line(error).split()))
    return kind + (said if len(said) <= _SAID else said[: _SAID - 3] + "...")
