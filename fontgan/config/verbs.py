"""The verbs of the command line: each is a module of fontgan/commands, found by its file's name."""

import importlib
from functools import cache
from pathlib import Path
from typing import Any


def verb_module(name: str) -> Any:
    """The module of a verb, by its file's name, such as ``build_font``; fontgan/commands/__init__.py says what it holds."""
    return importlib.import_module(f"fontgan.commands.{name}")


@cache
def verbs() -> dict[str, Any]:
    """Verb as typed -> its module, in the order of ``fontgan --help``."""
    folder = Path(__file__).parents[1] / "commands"
    names = sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))
    found = {as_typed(name, names): verb_module(name) for name in names}
    return dict(sorted(found.items(), key=lambda verb: getattr(verb[1], "ORDER", 1000)))


def as_typed(name: str, names: list[str]) -> str:
    """``build_font`` -> ``build-font``; ``report_blocks`` -> ``report blocks``, since report is a verb itself."""
    first, _, rest = name.partition("_")
    return f"{first} {rest}" if rest and first in names else name.replace("_", "-")


def file_name(verb: str) -> str:
    """The name of a verb's module and config file: ``report blocks`` -> ``report_blocks``."""
    return verb.replace(" ", "_").replace("-", "_")
