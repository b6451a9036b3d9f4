"""Packages of the user's own that hold parts: which of them count, and where their files are.

Trusted is what was typed (``plugins=[my_package]``) and what was installed as a plugin (an entry point in the group
``fontgan.plugins``).  What is loaded, such as a stranger's checkpoint, names no plugin by itself.  Looking for one
imports nothing; a module of it is imported when a class of it is.
"""

import importlib
import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from fontgan.config.overrides import unescape
from fontgan.errors import ConfigError, printable

GROUP = "fontgan.plugins"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """A package with a folder ``configs/`` in it."""

    name: str
    spec: ModuleSpec
    configs: Path

    def module(self, name: str) -> ModuleType:
        """Imports a module of this package. Raises: ConfigError with the reason if that fails."""
        try:
            if self.name not in sys.modules:
                _import_package(self.spec)
            return importlib.import_module(name)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ConfigError(f"plugins=[{self.name}]: {name} cannot be imported ({reason}).") from error


def _import_package(spec: ModuleSpec) -> None:
    """Imports just this package, which may lie beside the user and nowhere on ``sys.path``."""
    assert spec.loader is not None
    package = sys.modules[spec.name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules[spec.name]
        raise


_typed: dict[str, Plugin] = {}


def activate(names: Iterable[str]) -> None:
    """Makes packages plugins for this process. Raises: ConfigError for one that cannot be."""
    _typed.update({name: find(name) for name in names})


def active() -> dict[str, Plugin]:
    """The plugins that count, by their names."""
    return _installed() | _typed


@cache
def _installed() -> dict[str, Plugin]:
    found = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.module] = find(point.module)
        except ConfigError as error:
            log.warning("%s", error)
    return found


def typed_plugins(overrides: Iterable[str]) -> list[str]:
    """What overrides in Hydra's grammar give as ``plugins``. Raises: ConfigError if it is no list."""
    names: list[str] = []
    for override in overrides:
        if override.lstrip("+").startswith("plugins="):
            try:
                names = OverridesParser.create().parse_override(override).value()  # type: ignore[assignment]
            except HydraException:
                continue  # composing says what is wrong with it
            if not isinstance(names, list):
                typed = unescape(str(names))
                raise ConfigError(f"plugins={typed}: a list is needed. Write plugins=[{typed}].")
    return [unescape(str(name)) for name in names]


def find(name: str) -> Plugin:
    """An installed package, else one in the current folder; imports nothing. Raises: ConfigError if it is no plugin."""
    where = f"plugins=[{printable(name, 80)}]"
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ConfigError(f"{where}: is no name of a package. Write it as in Python's import, without dots.")
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    spec = spec or PathFinder.find_spec(name, [str(Path.cwd())])
    if spec is None:
        remedy = f"Install it, or start the command in the folder that holds {name}/."
        raise ConfigError(f"{where}: there is no such package. {remedy}")
    configs = Path(spec.origin or "").parent / "configs"
    if not spec.submodule_search_locations or not spec.origin or not configs.is_dir():
        raise ConfigError(f"{where}: a plugin is a package (a folder with __init__.py) that has a folder configs/.")
    return Plugin(name, spec, configs.resolve())


def refuse_inactive(names: Iterable[str]) -> None:
    """Raises: ConfigError for a plugin that a loaded config names and nobody gave."""
    for name in names:
        if name not in active():
            where = f"plugins=[{printable(name, 80)}]"
            raise ConfigError(
                f"{where}: a file names this plugin, and a file cannot have a plugin imported. "
                f"Add {where} to the command if you trust that package."
            )
