"""Which classes a config may name, and where: each place takes only what such a place is for.

A config may come from a stranger, in a checkpoint for one, so a name in it must not be able to call anything else.
"""

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fontgan.config.plugins import active
from fontgan.errors import ConfigError, printable

PACKAGE = Path(__file__).parents[1].resolve()
TORCH_NORMS = tuple(f"torch.nn.modules.{name}" for name in ("batchnorm", "instancenorm", "normalization"))


@dataclass(frozen=True)
class AllowedTarget:
    """What one place of a config takes."""

    path: str  # the node, and with ``below`` every node in it
    ours: str = ""  # module of fontgan, with all in it, whose classes may be named there
    torch: tuple[str, ...] = ()  # modules of torch whose classes may be, by short names: ``torch.nn.BatchNorm2d``
    base: str = ""  # what torch's and plugins' ones descend from or return; without one no plugin's may be named
    below: bool = False
    optional: bool = False  # whether null may stand there

    def takes(self) -> str:
        said = [f"classes of {self.ours}"] if self.ours else []
        if self.torch:
            said.append("torch.nn's norm layers" if self.torch == TORCH_NORMS else "torch.optim's optimisers")
        if self.base:
            said.append("a plugin's")
        return " or ".join(said)


ALLOWED_TARGETS = (
    AllowedTarget("generator.norm", "fontgan.models", TORCH_NORMS, "torch.nn.Module"),
    AllowedTarget("generator", "fontgan.models", base="torch.nn.Module", below=True),
    AllowedTarget("discriminator", "fontgan.models", base="torch.nn.Module", optional=True),
    AllowedTarget("loss", "fontgan.losses", base="torch.Tensor", below=True, optional=True),
    AllowedTarget("data.augment", "fontgan.data.augment", base="fontgan.data.augment.Augmentation", optional=True),
    AllowedTarget("logger", "fontgan.loggers", base="fontgan.loggers.Logger", below=True, optional=True),
    AllowedTarget("optim.algorithm", torch=("torch.optim",), base="torch.optim.Optimizer"),
)
NOT_FOR_CONFIGS = ("device", "dtype", "params")  # of torch's own classes: where and on what is for the program to say


def allowed_at(path: str) -> AllowedTarget | None:
    """The place that a node of a config is at, None where no class may be named."""
    for place in ALLOWED_TARGETS:
        if path == place.path or (place.below and path.startswith(f"{place.path}.")):
            return place
    return None


def locate(path: str, target: Any) -> Callable[..., Any]:
    """The class, or function that makes a layer, which a config names at one of its nodes.

    Nothing is imported but a module of fontgan's own that may be named there, torch's, and an active plugin's.

    Raises: ConfigError if there is no such class, or it is not one for that place.
    """
    written, place = f"{path}._target_={printable(str(target), 80)}", allowed_at(path)
    if place is None:
        raise ConfigError(f"{written}: no class can be named there. Leave it out.")
    refusal = ConfigError(f"{written}: only {place.takes()} may be named there.")
    if not isinstance(target, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", target, re.ASCII):
        raise refusal
    module_name, _, name = target.rpartition(".")
    ours = bool(place.ours) and f"{module_name}.".startswith(f"{place.ours}.")
    short = sorted({".".join(known.split(".")[:2]) for known in place.torch})
    plugin = active().get(module_name.partition(".")[0]) if place.base and "._" not in target else None
    if not ours and plugin is None and module_name not in short:
        raise refusal
    module = plugin.module(module_name) if plugin else _our_module(module_name) if ours else _import(module_name)
    found = getattr(module, name, None)
    if found is None:
        raise ConfigError(f"{written}: there is no such class. {place.takes()} may be named there.")
    homes = [plugin.name] if plugin else [place.ours] if ours else place.torch
    written_there = any(f"{getattr(found, '__module__', '')}.".startswith(f"{home}.") for home in homes)
    if isinstance(found, type) and (ours or place.path == "loss"):  # a loss term with a side for the discriminator
        fits = True
    else:  # a class, or a function that says it returns a layer, or of a loss term a tensor
        fits = _makes(found, place.base) and bool(isinstance(found, type) or ours or plugin)
    if not (written_there and fits):
        of_plugin = ConfigError(f"{written}: of a plugin, only what makes a {place.base} may be named there.")
        raise of_plugin if plugin else refusal
    return found  # type: ignore[no-any-return]


def _our_module(name: str) -> types.ModuleType | None:
    """A module that is a file of the package itself; a name that only leads through one, as ``fontgan.x.os``, is none."""
    if name not in sys.modules:
        parent = name.rpartition(".")[0]
        if parent != "fontgan" and _our_module(parent) is None:
            return None
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is None or not Path(spec.origin).resolve().is_relative_to(PACKAGE):
            return None
    return _import(name)


def _import(name: str) -> types.ModuleType:
    return sys.modules.get(name) or import_module(name)


def _makes(found: Any, base: str) -> bool:
    """Whether it is a class below ``base``, or a function that says it returns one."""
    module, _, name = base.rpartition(".")
    if inspect.isfunction(found):
        try:
            found = typing.get_type_hints(found).get("return")
        except NameError:  # names that exist for type checkers only
            return False
    return isinstance(found, type) and issubclass(found, getattr(_import(module), name))
