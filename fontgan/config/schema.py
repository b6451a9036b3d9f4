"""The types and limits of config keys that verbs share; those of one verb stand in its module in fontgan/commands.

Values and their meaning stand in ``configs/``; nothing is set here.  A node with a ``_target_`` has no dataclass: its keys
and types are those of the target's own signature.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Any

from fontgan.config.limits import MISSING, free, limited
from fontgan.data.frame import SIZES


@dataclass
class DataConfig:
    source: Any = MISSING
    targets: Any = MISSING
    charset: str = MISSING
    size: int = limited(choices=SIZES)
    margin: float = limited(0, below=0.25)
    align: bool = MISSING
    holdout: float = limited(0, below=1)
    holdout_chars: str = MISSING
    cache: str | None = free()
    workers: int | None = limited(1, 1024, free=True)
    augment: Any = MISSING


@dataclass
class LossTermConfig:
    """What every loss term takes beside the options of its function."""

    weight: float = limited(0)
    start: float = limited(0, below=1)
    end: float = limited(0, 1)
    fade_in: float = limited(0, 1)
    fade_out: float = limited(0, 1)


@dataclass
class OptimConfig:
    algorithm: Any = MISSING
    lr: float = limited(0)
    discriminator_lr: float = limited(0)
    warmup_steps: int = limited(0, 10**15)
    final_lr_share: float = limited(0)


@dataclass
class TrainerConfig:
    device: str = free()
    precision: str = MISSING
    channels_last: bool = MISSING
    compile: Any = limited(choices=("auto", True, False), free=True)
    gradient_checkpointing: bool = free()
    sync_batch_norm: bool = MISSING
    threads: int | None = limited(1, 1024, free=True)
    batch_size: Any = limited(1, 65_536)  # a number of pairs, or auto
    accumulate: int = limited(1, 65_536)
    max_steps: int = limited(1, 10**15, free=True)
    max_minutes: float | None = limited(above=0, free=True)
    stop_at: int | None = limited(1, free=True)
    seed: int = limited(0, 2**63)
    ema_decay: float = limited(0, below=1)
    grad_clip: float = limited(0)
    on_divergence: str = limited(choices=("stop", "rollback"), free=True)
    freeze: list[str] | None = limited(choices=("encoder", "decoder", "style"))
    train_only: str | None = limited(choices=("style",))
    log_every: int = limited(1, free=True)
    eval_every: int = limited(1, free=True)
    save_every: int = limited(1, free=True)
    sheet_chars: int = limited(0, 10_000, free=True)
    profile: bool = free()


@dataclass
class SweepConfig:
    over: Any = MISSING
    budget: str | None = free()


@dataclass
class TracingConfig:
    """Keys of the verbs that trace images into outlines."""

    tolerance: float = limited(0.01, 20)
    speck: float = limited(0, below=0.1)


@cache
def signature_schema(target: Callable[..., Any], beside: type | None = None) -> type:
    """A dataclass of the target's keyword parameters, typed where OmegaConf knows the type, else Any.

    Args:
        beside: a dataclass of keys that are not the target's, which a training step calls: only its keyword-only
            parameters are for a config then.
    """
    function = target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]
    hints = _hints(function)
    fields: list[Any] = [
        (name, _omegaconf_type(hints.get(name, Any)), field(default=MISSING))
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        or (beside is None and parameter.kind is parameter.POSITIONAL_OR_KEYWORD)
    ]
    return make_dataclass("Keys", fields, bases=(beside,) if beside else ())


@cache
def objects_in_signature(target: Callable[..., Any]) -> dict[str, bool]:
    """The parameters that take an object or what makes one, which a config gives as a node -> whether None will do."""
    function = target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]
    hints = {name: hint for name, hint in _hints(function).items() if name in inspect.signature(target).parameters}
    return {name: type(None) in typing.get_args(hint) for name, hint in hints.items() if _is_object(hint)}


def _is_object(hint: Any) -> bool:
    """Whether a type is one of ours, or a callable; of a union or a mapping, one of its parts."""
    if typing.get_origin(hint) is Callable:
        return True
    arguments = typing.get_args(hint)
    if arguments:
        return any(map(_is_object, arguments))
    return inspect.isclass(hint) and hint.__module__.split(".")[0] == "fontgan"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:
        return {}  # names that exist for type checkers only: such keys stay unchecked here


def _omegaconf_type(hint: Any) -> Any:
    """int, float, bool, str, sequences of them, and any of those or None; else Any."""
    plain = (int, float, bool, str)
    if hint in plain:
        return hint
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (list, Sequence) and arguments and arguments[0] in plain:
        return list[arguments[0]]  # type: ignore[valid-type]
    if len(arguments) == 2 and type(None) in arguments:
        inner = _omegaconf_type(next(a for a in arguments if a is not type(None)))
        return Any if inner is Any else inner | None
    return Any
