"""What users are told when something of theirs does not fit: one line with where, what, the rule, the remedy."""

from __future__ import annotations


class UserError(ValueError):
    """Input, configuration or a file that the user can mend. The command line prints it and exits with 2."""


class DataError(UserError):
    """Fonts, glyph folders or charsets that cannot be used as they are."""


class ConfigError(UserError):
    """A config key, value or choice that does not exist or does not fit."""


class RunError(UserError):
    """A run folder or checkpoint that cannot be used as asked."""


def some(items: list[str] | tuple[str, ...], limit: int = 10) -> str:
    """The first items in one line, and how many more there are."""
    shown = " ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} ... and {len(items) - limit} more"
