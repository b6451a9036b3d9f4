"""Which styles to draw, and the folder of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontgan.errors import ConfigError
from fontgan.generate.inference import Run, Style


def choose_styles(run: Run, asked: str | Mapping[str, Any] | None, out: Path) -> list[tuple[Style, Path]]:
    """The styles to draw and the folder of each.

    Args:
        asked: a name, style -> weight, ``all``, or None for the run's only one.
    Raises: ConfigError if there is no such style.
    """
    if asked is None:
        if len(run.styles) > 1:
            raise ConfigError(f"style: which one? The run knows {', '.join(run.styles)}; or style=all.")
        return [(run.styles[0], out)]
    if asked == "all":
        return [(name, out / name) for name in run.styles]
    if isinstance(asked, Mapping):
        mixture = {str(name): value for name, value in asked.items()}
        for name, value in mixture.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"style: the weight of {name} is {value!r}; a number is needed.")
        return [({name: float(value) for name, value in mixture.items()}, out)]
    run.check_known([str(asked)], also=" (or all)")
    return [(str(asked), out)]
