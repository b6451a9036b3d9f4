"""``_target_`` -> object."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf

from fontgan.config.check import RESOLVED_KEYS
from fontgan.config.groups import SPECIAL_KEYS
from fontgan.config.schema import LossTermConfig
from fontgan.config.targets import locate
from fontgan.config.targets_file import names_file, read_targets
from fontgan.errors import ConfigError, UserError, first_line

if TYPE_CHECKING:
    from fontgan.data.plan import Target
    from fontgan.data.sources import Spec
    from fontgan.models.unet import UnetGenerator
    from fontgan.training.objective import Objective

# Of values out of range, and of parts that do not fit together.
WHAT_PARTS_RAISE = (ValueError, TypeError, RuntimeError, ArithmeticError, AttributeError, LookupError, MemoryError)


def build(cfg: Any, path: str, **supplied: Any) -> Any:
    """Instantiates a checked node; None where its target is null. Raises: ConfigError in the part's own words."""
    if cfg.get("_target_") is None:
        return None
    try:
        return _make(OmegaConf.to_container(cfg, resolve=True), path, supplied)
    except UserError:
        raise
    except WHAT_PARTS_RAISE as error:
        raise ConfigError(first_line(error)) from error


def _make(value: Any, path: str, supplied: dict[str, Any]) -> Any:
    """What a value of a config stands for; nodes in it are made first."""
    if isinstance(value, list):
        return [_make(item, f"{path}[{index}]", {}) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    left_out = (*SPECIAL_KEYS, *RESOLVED_KEYS.get(path, ()))
    settings = {key: _make(item, f"{path}.{key}", {}) for key, item in value.items() if key not in left_out}
    if value.get("_target_") is None:
        return settings
    make = partial(_call, locate(path, value["_target_"]), path, settings)
    return make if value.get("_partial_") else make(**supplied)


def _call(target: Callable[..., Any], path: str, settings: dict[str, Any], *args: Any, **supplied: Any) -> Any:
    """Makes a part; puts its path before its own ``key=value: ...``, since it does not know where it is used."""
    try:
        return target(*args, **{**settings, **supplied})
    except UserError:
        raise
    except WHAT_PARTS_RAISE as error:
        said = re.match(r"(\w+)=(.+?): ", message := first_line(error))
        if said and str(settings.get(said[1])) == said[2]:
            raise ConfigError(f"{path}.{message}") from error
        raise  # of what it was made in, perhaps


def build_objective(loss: DictConfig) -> "Objective":
    """The loss terms of weight above 0, in the order of the config. Raises: ConfigError."""
    from fontgan.training.objective import Objective, Term

    shares = [key.name for key in fields(LossTermConfig)]
    terms = []
    nodes: dict[str, Any] = dict(OmegaConf.to_container(loss))  # type: ignore[arg-type]
    for name, node in nodes.items():
        schedule = {key: node.pop(key) for key in shares if key in node}
        if schedule.get("weight", 1.0) > 0:
            path = f"loss.{name}"
            function = locate(path, node["_target_"])
            options = {key: value for key, value in node.items() if key not in SPECIAL_KEYS}
            made = build(OmegaConf.create(node), path) if inspect.isclass(function) else partial(function, **options)
            terms.append((name, made, schedule))
    try:
        return Objective([Term(name, made, **schedule) for name, made, schedule in terms])
    except ValueError as error:
        raise ConfigError(str(error)) from error


def try_losses(cfg: DictConfig, objective: "Objective") -> None:
    """Raises: ConfigError where a loss term refuses its options or the discriminator, or that the size of the images."""
    from fontgan.models.cost import NothingDrawn

    discriminator = build_on_meta("discriminator", cfg, styles=2)
    try:
        with NothingDrawn():
            objective.try_out(discriminator, cfg.data.size, styles=2)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except RuntimeError as error:
        raise ConfigError(
            f"discriminator: cannot take images of data.size={cfg.data.size} ({first_line(error)}). Use a larger "
            "data.size, or give it fewer layers."
        ) from error


def build_generator(cfg: DictConfig, styles: int) -> "UnetGenerator":
    """A generator of ``styles`` styles, its weights freshly drawn. Raises: ConfigError."""
    return build(cfg.generator, "generator", **_supplied("generator", cfg, styles))


def build_on_meta(path: str, cfg: DictConfig, styles: int, **changed: Any) -> Any:
    """A network of a config, with some of its settings changed, whose weights take no memory, to count with."""
    from fontgan.models.cost import on_meta_device

    with on_meta_device():
        return build(OmegaConf.create({**cfg[path], **changed}), path, **_supplied(path, cfg, styles))


def _supplied(path: str, cfg: DictConfig, styles: int) -> dict[str, int]:
    """What a network takes from the data."""
    return {"styles": styles} | ({"guides": len(cfg.data.guides)} if path == "generator" else {})


def source_spec(value: Any, key: str = "data.source") -> "Spec | None":
    """A source as a config names it, one or several read as one. Raises: ConfigError."""
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if plain is None or (isinstance(plain, str) and plain):
        return plain
    if isinstance(plain, list) and plain and all(isinstance(one, str) and one for one in plain):
        return plain
    raise ConfigError(f"{key}={plain}: a font, a glyph folder or a list of them is needed: {key}=[A.ttf,B.ttf].")


def guide_specs(cfg: DictConfig) -> "list[Spec]":
    """``data.guides``, each one font or several read as one. Raises: ConfigError."""
    found = [source_spec(guide, f"data.guides[{number}]") for number, guide in enumerate(cfg.data.guides)]
    if None in found:
        raise ConfigError("data.guides: null is no font. Name a font or a glyph folder, or leave it out.")
    return cast("list[Spec]", found)


def target_specs(cfg: DictConfig) -> "dict[str, Target]":
    """``data.targets`` by name, also where one style was typed alone; {} if there are none. Raises: UserError."""
    from fontgan.data.pairs import name_styles

    targets: Any = cfg.data.targets
    plain = OmegaConf.to_container(targets) if OmegaConf.is_config(targets) else targets
    if not plain:
        return {}
    if names_file(plain):
        plain = read_targets(plain)
    if isinstance(plain, str | list):
        return name_styles([plain] if isinstance(plain, str) else plain)
    if not isinstance(plain, dict):
        raise ConfigError(f"data.targets={plain}: a font, a glyph folder, a list or a map of them is needed.")
    return name_styles({str(name): _target(str(name), value) for name, value in plain.items()})


def _target(name: str, value: Any) -> "Target":
    from fontgan.data.plan import Target

    if isinstance(value, str):
        return Target(value)
    rule = (
        f"data.targets.{name}={value}: a font or glyph folder is needed, or one with its own source: "
        "{font: A.ttf, source: B.ttf}."
    )
    if not isinstance(value, dict) or not isinstance(value.get("font"), str) or set(value) - {"font", "source"}:
        raise ConfigError(rule)
    return Target(value["font"], source_spec(value.get("source"), f"data.targets.{name}.source"))
