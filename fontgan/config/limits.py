"""What the value of a config key may be, beside the key in its dataclass."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

MISSING: Any = "???"  # as OmegaConf writes a key without a value; without it ``fontgan --help`` starts sooner
_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.ge, "{:g} or more"),
    "above": (operator.gt, "more than {:g}"),
    "maximum": (operator.le, "{:g} at most"),
    "below": (operator.lt, "below {:g}"),
}


@dataclass(frozen=True)
class Limits:
    """What a value must be; None is right wherever the key's type allows it.

    Args:
        bounds: of a number; by the names of ``_BOUNDS``.
        choices: of a value, or of each item of a list; none allow all.
    """

    bounds: dict[str, float]
    choices: tuple[Any, ...] = ()

    def fault(self, key: str, value: Any) -> str | None:
        """One line that says what is wrong with a value, None if nothing is."""
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        wrong = [one for one in items if one not in (None, *self.choices)]
        if self.choices and wrong:
            known = (str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in self.choices)
            return f"{key}={wrong[0]}: choose one of {', '.join(known)}."
        is_number = isinstance(value, int | float) and not isinstance(value, bool)  # not a word such as auto
        if is_number and not all(_BOUNDS[name][0](value, bound) for name, bound in self.bounds.items()):
            rule = " and ".join(_BOUNDS[name][1].format(bound) for name, bound in self.bounds.items())
            return f"{key}={value}: {rule} is needed."
        return None


def limited(
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    choices: Sequence[Any] = (),
    free: bool = False,
    **bounds: float,
) -> Any:
    """A key of a config's dataclass with the limits of its value.

    Args:
        bounds: ``above`` and ``below``, for open ends.
        free: whether it may differ when a run is resumed: it changes where, how long or how often, not what is learned.
    """
    closed = {"minimum": minimum, "maximum": maximum}
    given = {name: bound for name, bound in closed.items() if bound is not None} | bounds
    return field(default=MISSING, metadata={"limits": Limits(given, tuple(choices)), "free": free})


def free() -> Any:
    """A key without limits that may differ when a run is resumed."""
    return limited(free=True)


def free_keys(schema: type, path: str = "") -> list[str]:
    """The dotted keys that may differ when a run is resumed."""
    found = []
    for key in fields(schema):
        where = f"{path}.{key.name}".lstrip(".")
        if key.metadata.get("free"):
            found.append(where)
        elif is_dataclass(key.default_factory):
            found += free_keys(key.default_factory, where)  # type: ignore[arg-type]
    return found


def check_limits(schema: type, cfg: DictConfig, path: str = "") -> list[str]:
    """What is out of the limits that a dataclass sets for its keys, one line each."""
    found = []
    for key in fields(schema):
        if key.name not in cfg:
            continue
        where, value = f"{path}.{key.name}".lstrip("."), cfg[key.name]
        if isinstance(value, Mapping) and is_dataclass(key.default_factory):
            found += check_limits(key.default_factory, value, where)  # type: ignore[arg-type]
        elif "limits" in key.metadata and (fault := key.metadata["limits"].fault(where, value)):
            found.append(fault)
    return found
