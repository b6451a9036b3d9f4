"""What the terminal is told: what is done twice speaks once, and names from outside stay what they are, text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fontgan.errors import one_line

OPENING_DATA = ("fontgan.commands", "fontgan.data")


class OneLineFormatter(logging.Formatter):
    """Messages in one line each that a terminal can only show; of a trace the lines stay."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(map(one_line, super().formatException(ei).splitlines()))


def say(text: str) -> None:
    """Prints a result, of one line or several, which a terminal can only show."""
    print("\n".join(map(one_line, text.split("\n"))))


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keeps all but errors of these loggers out of the terminal; without names those that speak when data are opened."""
    loggers = [logging.getLogger(name) for name in names or OPENING_DATA]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
