"""What is done twice speaks once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

OPENING_DATA = ("fontgan.commands", "fontgan.data")


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
