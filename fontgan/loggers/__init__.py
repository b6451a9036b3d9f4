"""Loggers: where the numbers, pictures and texts of a training go. One class and one file of ``configs/logger/`` each."""

import importlib
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.errors import ConfigError
from fontgan.extras import how_to_install
from fontgan.runtime.files import atomic_write

Settings = Mapping[str, str | int | float | bool]


class Logger:
    """What a training tells while it runs. A subclass overrides what it can show; the rest is passed over.

    The main process alone makes it, before anything is written. Steps come in order, but ``start`` may go back.

    Args:
        run: the run's folder. A subclass takes the settings of its file in ``configs/logger/`` besides.
    Raises: ConfigError if it needs a package that is not installed.
    """

    def __init__(self, run: Path):
        self.run = run

    def start(self, step: int) -> None:
        """Opens the log, or goes back in it: what it holds beyond ``step`` comes once more, and must not be there twice.

        Called before anything is logged, when a training starts (``step`` 0), is resumed and is rolled back.
        """

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers by their tag, such as ``loss/g_l1`` or ``held_out/kai/ssim``."""

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Takes a picture, (H, W) uint8, 0 black to 255 white."""

    def text(self, step: int, name: str, text: str) -> None:
        """Takes a text in Markdown."""

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        """Takes the settings that tell this run from others, and its final scores; called once, at the end."""

    def close(self) -> None:
        """Writes what is left. May be called before ``start``, and more than once."""


class Service(Logger):
    """One run of a service for a run of fontgan, over all its starts.

    Nothing is forgotten there: after a rollback, and where a training was killed after its last checkpoint, the curves
    have two values at some steps.  A subclass has ``_open``, which gives what has been opened.
    """

    opened: Any = None
    _open: Callable[[], Any]

    def start(self, step: int) -> None:
        if self.opened is None:
            self.opened = self._open()

    def _kept_id(self, name: str) -> str:
        """A name by which a service knows the run again; made once and kept in the run's folder."""
        file = self.run / name
        if not file.is_file():
            atomic_write(file, uuid.uuid4().hex[:16])
        return file.read_text(encoding="utf-8").strip()

    def close(self) -> None:
        if self.opened is not None:
            self.opened.finish()
            self.opened = None


def import_for(name: str, remedy: str = "") -> Any:
    """The package that ``logger=name`` needs. Raises: ConfigError if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = remedy or f"Run {how_to_install(name)}."
        raise ConfigError(f"logger={name}: {name} is not installed. {remedy}") from error
