"""The types and limits of config keys that verbs share; those of one verb stand in its module in fontgan/commands.

Values and their meaning stand in ``configs/``; nothing is set here.  A node with a ``_target_`` has no dataclass: its keys
and types are those of the target's own signature.
"""

import inspect
import operator
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any

from fontgan.data.frame import SIZES
from fontgan.data.name_reading import READINGS
from fontgan.data.refusal import KINDS

MISSING: Any = "???"  # as OmegaConf writes a key without a value; without it ``fontgan --help`` starts sooner
_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.ge, "{:g} or more"),
    "above": (operator.gt, "more than {:g}"),
    "maximum": (operator.le, "{:g} at most"),
    "below": (operator.lt, "below {:g}"),
}


def limited(
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    choices: Sequence[Any] = (),
    free: bool = False,
    **bounds: float,
) -> Any:
    """A key of a config's dataclass with the limits of its value; None is right wherever the key's type allows it.

    Args:
        bounds: ``above`` and ``below``, for open ends; of a value, or of each item of a list.
        choices: of a value, or of each item of a list; none allow all.
        free: whether it may differ when a run is resumed: it changes where, how long or how often, not what is learned.
    """
    closed = {"minimum": minimum, "maximum": maximum}
    given = {name: bound for name, bound in closed.items() if bound is not None} | bounds
    return field(default=MISSING, metadata={"bounds": given, "choices": choices, "free": free})


@dataclass
class DataConfig:
    source: Any = MISSING
    targets: Any = MISSING
    guides: list[Any] = MISSING
    guide_dropout: float = limited(0, below=1)
    balance: str = limited(choices=("font", "pair"))
    charset: str = MISSING
    size: int = limited(choices=SIZES)
    margin: float = limited(0, below=0.25)
    align: bool = MISSING
    holdout: float = limited(0, below=1)
    holdout_chars: str = MISSING
    # Configs saved before there was a choice lack these, so they count as free; the pack's key knows of another canvas.
    names: str = limited(choices=READINGS, free=True)
    room_for: str = limited(free=True)
    cache: str | None = limited(free=True)
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
class RegistrationConfig:
    shift: float = limited(0, 0.25)
    bend: float = limited(0, 0.1)
    share: float = limited(0, 1)


@dataclass
class TrainerConfig:
    device: str = limited(free=True)
    precision: str = MISSING
    channels_last: bool = MISSING
    compile: Any = limited(choices=("auto", True, False), free=True)
    gradient_checkpointing: bool = limited(free=True)
    sync_batch_norm: bool = MISSING
    threads: int | None = limited(1, 1024, free=True)
    batch_size: Any = limited(1, 65_536)  # a number of pairs, or auto
    accumulate: int = limited(1, 65_536)
    max_steps: int = limited(1, 10**15, free=True)
    max_minutes: float | None = limited(above=0, free=True)
    stop_at: int | None = limited(1, free=True)
    seed: int = limited(0, 2**63)
    ema_decay: float = limited(0, below=1)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    grad_clip: float = limited(0)
    on_divergence: str = limited(choices=("stop", "rollback"), free=True)
    freeze: list[str] | None = limited(choices=("encoder", "decoder", "style"))
    train_only: str | None = limited(choices=("style",))
    log_every: int = limited(1, free=True)
    eval_every: int = limited(1, free=True)
    save_every: int = limited(1, free=True)
    sheet_chars: int = limited(0, 10_000, free=True)
    sheet_styles: int = limited(1, 1000, free=True)
    profile: bool = limited(free=True)


@dataclass
class SweepConfig:
    over: Any = MISSING
    budget: str | None = limited(free=True)


@dataclass
class TrainingConfig:
    """Keys of the verbs that train."""

    data: DataConfig = field(default_factory=DataConfig)
    generator: Any = MISSING
    discriminator: Any = MISSING
    loss: Any = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: Any = limited(free=True)
    init_from: str | None = MISSING
    allow: list[str] = limited(choices=KINDS, free=True)
    name: str = MISSING
    plugins: list[str] = MISSING


@dataclass
class ComputingConfig:
    """Keys of the verbs that run networks."""

    batch_size: int = limited(1)
    device: str = MISSING
    precision: str = MISSING
    plugins: list[str] = MISSING


@dataclass
class ImagesConfig:
    """Keys of the verbs that read folders of glyph images without ``data``."""

    names: str = limited(choices=READINGS)


@dataclass
class OutConfig:
    """Keys of the verbs that make something of a font or of glyphs."""

    out: str = MISSING
    overwrite: bool = MISSING


@dataclass
class TracingConfig:
    """Keys of the verbs that trace images into outlines."""

    tolerance: float = limited(0.01, 20)
    speck: float = limited(0, below=0.1)


@dataclass
class FontFileConfig:
    """Keys of the verbs that build a font file: what it says of itself."""

    family: str | None = MISSING
    version: str | None = MISSING
    designer: str | None = MISSING
    designer_url: str | None = MISSING
    vendor: str | None = MISSING
    copyright: str | None = MISSING
    licence: str | None = MISSING
    confirm_ownership: bool = MISSING


def settings(schema: type, path: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """The keys of a config's dataclass, dotted, those of dataclasses in it too."""
    for key in fields(schema):
        where = f"{path}.{key.name}".lstrip(".")
        yield where, key
        if isinstance(key.default_factory, type) and is_dataclass(key.default_factory):
            yield from settings(key.default_factory, where)


def check_limits(schema: type, cfg: Any, path: str = "") -> list[str]:
    """What is out of the limits that a dataclass sets for its keys, one line each."""
    from omegaconf import DictConfig, OmegaConf

    found = []
    for where, key in settings(schema):
        node = OmegaConf.select(cfg, where.rpartition(".")[0])
        if key.metadata and isinstance(node, DictConfig) and key.name in node:
            found.append(_fault(f"{path}.{where}".lstrip("."), node[key.name], **key.metadata))
    return list(filter(None, found))


def _fault(key: str, value: Any, *, bounds: Mapping[str, float], choices: Sequence[Any], **_: Any) -> str | None:
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    wrong = [one for one in items if one not in (None, *choices)]
    if choices and wrong:
        known = (str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices)
        return f"{key}={wrong[0]}: choose one of {', '.join(known)}."
    numbers = [one for one in items if isinstance(one, int | float) and not isinstance(one, bool)]  # not a word: auto
    if beyond := [one for one in numbers if not all(_BOUNDS[name][0](one, bound) for name, bound in bounds.items())]:
        rule = " and ".join(_BOUNDS[name][1].format(bound) for name, bound in bounds.items())
        return f"{key}={beyond[0]}: {rule} is needed."
    return None


@cache
def signature_schema(target: Callable[..., Any], beside: type | None = None) -> type:
    """A dataclass of the target's keyword parameters, typed where OmegaConf knows the type, else Any.

    Args:
        beside: a dataclass of keys that are not the target's, which a training step calls: only its keyword-only
            parameters are for a config then.
    """
    hints = _hints(target)
    keys: list[Any] = [
        (name, _omegaconf_type(hints.get(name, Any)), field(default=MISSING))
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        or (beside is None and parameter.kind is parameter.POSITIONAL_OR_KEYWORD)
    ]
    return make_dataclass("Keys", keys, bases=(beside,) if beside else ())


@cache
def objects_in_signature(target: Callable[..., Any]) -> dict[str, bool]:
    """The parameters that take an object or what makes one, which a config gives as a node -> whether None will do."""
    hints = {name: hint for name, hint in _hints(target).items() if name in inspect.signature(target).parameters}
    return {name: type(None) in typing.get_args(hint) for name, hint in hints.items() if _is_object(hint)}


def _is_object(hint: Any) -> bool:
    """Whether a type is one of ours, or a callable; of a union or a mapping, one of its parts."""
    if typing.get_origin(hint) is Callable:
        return True
    if arguments := typing.get_args(hint):
        return any(map(_is_object, arguments))
    return inspect.isclass(hint) and hint.__module__.split(".")[0] == "fontgan"


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)  # type: ignore[misc]
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
