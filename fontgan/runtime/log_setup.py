"""What the terminal is told: what is done twice speaks once, and names from outside stay what they are, text."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from fontgan.errors import UserError, one_line

# Of the package, those that speak when data are opened.
OPENING_DATA = (
    "build", "commands", "complete", "config.data_plan", "data", "generate", "run_folder", "sweep", "untrusted",
)  # fmt: skip


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
    loggers = map(logging.getLogger, names or [f"fontgan.{name}" for name in OPENING_DATA])
    levels = {logger: logger.level for logger in loggers}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def set_up_logging(verbose: bool) -> None:
    """Messages of fontgan on standard error, without a prefix for notes."""
    logger = logging.getLogger("fontgan")
    others = os.environ.get("RANK", "0") != "0"  # of several processes that torchrun started, one speaks
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if others else logging.INFO)
    logger.propagate = False
    if not any(type(handler) is logging.StreamHandler for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(OneLineFormatter("%(message)s"))
        logger.addHandler(handler)


@contextmanager
def kept_messages() -> Iterator[MemoryHandler]:
    """Keeps what is said before the run's folder exists, for its log file."""
    handler = MemoryHandler(10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    logger = logging.getLogger("fontgan")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log file whose own failure to write says nothing: the full disk is told once, by what must be saved."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


@contextmanager
def log_into_file(messages: MemoryHandler, file: Path) -> Iterator[None]:
    """Writes kept and coming messages into ``train.log``."""
    target = _LogFile(file, encoding="utf-8")
    target.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(message)s"))
    messages.setTarget(target)
    messages.flushLevel = logging.NOTSET  # from now on each at once
    messages.flush()
    try:
        yield
    except (UserError, OSError) as error:
        target.handle(logging.makeLogRecord({"levelname": "ERROR", "msg": " ".join(str(error).split())}))
        raise
    finally:
        messages.setTarget(None)
        target.close()
