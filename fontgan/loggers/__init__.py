"""Loggers: where the numbers, pictures and texts of a training go. One class and one file of ``configs/logger/`` each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.errors import ConfigError

Settings = Mapping[str, str | int | float | bool]


class Logger:
    """What a training tells while it runs. A subclass overrides what it can show; the rest is passed over.

    The main process alone makes it, before anything is written; ``start`` is called before anything is logged. Steps come
    in order, except that ``start`` may go back.

    Args:
        run: the run's folder. A subclass takes the settings of its file in ``configs/logger/`` besides.
    Raises: ConfigError if it needs a package that is not installed.
    """

    def __init__(self, run: Path):
        self.run = run

    def start(self, step: int) -> None:
        """Opens the log, or goes back in it: what it holds beyond ``step`` comes once more, and must not be there twice.

        Called when a training starts (``step`` 0), is resumed and is rolled back.
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


def import_for(name: str, package: str, remedy: str) -> Any:
    """The package that ``logger=name`` needs. Raises: ConfigError if it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(f"logger={name}: {package} is not installed. {remedy}") from error
