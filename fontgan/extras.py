"""The one place that says how to install an extra of pyproject.toml, such as ``handwriting``.

fontgan is on no index, so ``fontgan[handwriting]`` is a name that pip cannot find, or that a stranger may take.
"""

import importlib.metadata
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def how_to_install(extra: str) -> str:
    """A command for the extra: by its name where fontgan lies in a checkout, by its packages where it came as a wheel.

    Double quotes, since the shell of Windows knows no others and would take ``<`` for a file to read.
    """
    if (CHECKOUT / "pyproject.toml").is_file():
        return f'pip install -e ".[{extra}]" in {CHECKOUT}'
    packages = [
        line.partition(";")[0].strip() for line in importlib.metadata.requires("fontgan") or [] if _is_of(line, extra)
    ]
    return "pip install " + " ".join(f'"{package}"' for package in packages)


def _is_of(requirement: str, extra: str) -> bool:
    return f"extra == '{extra}'" in requirement.partition(";")[2].replace('"', "'")
