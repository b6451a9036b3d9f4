"""Config keys and values against the schema and the signatures of the classes they configure."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from fontgan.config.explain import unknown_key
from fontgan.config.groups import SPECIAL_KEYS
from fontgan.config.overrides import unescape_all
from fontgan.config.schema import LossTermConfig, objects_in_signature, settings, signature_schema
from fontgan.config.targets import ALLOWED_TARGETS, NOT_FOR_CONFIGS, locate
from fontgan.config.verbs import verb_module
from fontgan.errors import ConfigError, Faults, first_line

RESOLVED_KEYS = {"generator": ("match_params",)}  # by node: what ``resolve`` reads and no target takes
NAMED_PRESETS = {"generator.up": ("inner", "outer", "levels")}  # by node: keys that hold names until ``resolve``


def check_config(verb: str, cfg: DictConfig, overrides: Iterable[str]) -> DictConfig:
    """Checks a composed config's keys and types against the schema and the targets' signatures, and resolves it.

    Args: overrides: of which it was composed, as ``escape_overrides`` made them.
    """
    _keep_texts(verb, cfg, overrides)
    return check_and_resolve(verb, OmegaConf.create(unescape_all(OmegaConf.to_container(cfg, resolve=False))))


def check_and_resolve(verb: str, cfg: DictConfig) -> DictConfig:
    try:
        _check_loss_terms(cfg)  # first: interpolations point into them
        hints = {"checkpoint": "checkpoint=RUN", "out": "out=DIR", "font": "font=FONT.ttf"}
        missing = {key: hints.get(key, f"{key}=...") for key in sorted(OmegaConf.missing_keys(cfg))}
        if missing:
            raise ConfigError(
                *(f"{key}: needs a value. Add {missing[key]}; see fontgan {verb} --help." for key in missing)
            )
        schema, faults = verb_module(verb).Config, Faults()
        faults.found += _lacking(schema, cfg)
        with faults.gather():
            _merge(_structured(schema), cfg, "")
        with faults.gather():
            _check_places(cfg)
        for path, node in target_nodes(cfg):
            with faults.gather():
                _check_target(path, node)
        faults.raise_all()
        OmegaConf.resolve(cfg)
    except OmegaConfBaseException as error:  # interpolations that lead nowhere, or round in a circle
        raise ConfigError(f"{error.full_key or 'config'}: {first_line(error)}.") from error
    _check_numbers(OmegaConf.to_container(cfg))
    return cfg


def _keep_texts(verb: str, cfg: DictConfig, overrides: Iterable[str]) -> None:
    """Gives keys of texts what was typed: Hydra reads ``charset=0123`` as a number, and ``out=true`` as a boolean."""
    typed = dict(override.lstrip("+").partition("=")[::2] for override in overrides)  # of a key typed twice the last
    for where, key in settings(verb_module(verb).Config):
        is_text = key.type in (str, str | None)
        if is_text and where in typed and isinstance(OmegaConf.select(cfg, where), bool | int | float):
            OmegaConf.update(cfg, where, typed[where].strip())


@cache
def _structured(schema: type) -> DictConfig:
    """For all configs of a process: it is merged from, never into."""
    return OmegaConf.structured(schema)  # type: ignore[no-any-return]


def _lacking(schema: type, cfg: DictConfig) -> list[str]:
    """Which keys a config lacks, in one line, as only a saved one can: what is composed has all of ``configs/``.

    Those that may differ when a run is resumed may lack too: they do not make the run what it is.
    """
    found = []
    for where, key in settings(schema):
        parent = OmegaConf.select(cfg, where.rpartition(".")[0])
        if isinstance(parent, DictConfig) and key.name not in parent and not key.metadata.get("free"):
            found.append(where)
    return [f"lacks {', '.join(found)}."] if found else []


def _check_places(cfg: DictConfig) -> None:
    """Raises: ConfigError where a config has no class in a place that needs one."""
    for place in ALLOWED_TARGETS:
        above, _, name = place.path.rpartition(".")
        parent = OmegaConf.select(cfg, above)
        if not isinstance(parent, DictConfig) or name not in parent:
            continue  # of another verb, or said by the signature of what it belongs to
        node = parent._get_node(name)
        if not isinstance(node, DictConfig) or (node.get("_target_") is None and not place.optional):
            raise ConfigError(
                f"{place.path}: names no class (_target_). Choose a variant of {place.path.replace('.', '/')}."
            )


def _check_loss_terms(cfg: DictConfig) -> None:
    terms = cfg.get("loss")
    if terms is None:
        return  # another verb's config
    if not isinstance(terms, DictConfig):
        raise ConfigError(f"loss: is {terms!r}; a map of terms is needed. Choose a variant of loss.")
    for name in map(str, terms):
        term = terms._get_node(name)
        if not isinstance(term, DictConfig) or term.get("_target_") is None:
            raise ConfigError(
                f"loss.{name}={term}: a loss term is a function (_target_) with a weight. Write loss.{name}.weight=..., "
                "or leave it out."
            )


def _check_numbers(value: Any, path: str = "") -> None:
    """Raises: ConfigError for a number that is infinite or none at all; comparing with one would let all through."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_numbers(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path}={value}: a finite number is needed.")


def _check_target(path: str, node: DictConfig) -> None:
    target = locate(path, node["_target_"])
    if not isinstance(node.get("_partial_", False), bool):
        raise ConfigError(f"{path}._partial_={node['_partial_']}: choose true or false.")
    if target.__module__.startswith("torch."):
        for key in parameter_keys(node):
            if key in NOT_FOR_CONFIGS:
                raise ConfigError(f"{path}.{key}: is not for a config to say. Leave it out.")
    signature = signature_schema(target, LossTermConfig if path.startswith("loss.") else None)
    schema, types = _structured(signature), {field.name: field.type for field in fields(signature)}
    named = NAMED_PRESETS.get(path, ())
    for key, optional in objects_in_signature(target).items():
        if key not in node or key in named or isinstance(node[key], DictConfig):
            continue
        if not (optional and node[key] is None):
            raise ConfigError(
                f"{path}.{key}={node[key]}: a part is needed. Choose a variant of {path.replace('.', '/')}/{key}."
            )
    settled = RESOLVED_KEYS.get(path, ())
    keys = [key for key in parameter_keys(node) if key not in (*SPECIAL_KEYS, *settled)]
    _check_keys(schema, keys, path, also=settled)
    # Nested nodes are checked on their own; their place in the signature takes the object made of them.
    nested = [key for key in keys if isinstance(node._get_node(key), DictConfig) and node[key] is not None]
    for key in nested:
        if types[key] is not Any:
            raise ConfigError(f"{path}.{key}={node[key]}: one value is needed, not a map.")
    typed = OmegaConf.create({key: node._get_node(key) for key in keys if key not in nested})
    _merge(schema, typed, path)
    for key in parameter_keys(typed):
        node[key] = typed._get_node(key)


def parameter_keys(node: DictConfig) -> list[str]:
    return [str(key) for key in node]


def _check_keys(schema: DictConfig, keys: Iterable[str], path: str, also: Iterable[str] = ()) -> None:
    known = [*parameter_keys(schema), *also]
    for key in keys:
        if key not in known:
            raise unknown_key(f"{path}.{key}".lstrip("."), known)


def _merge(schema: DictConfig, node: DictConfig, path: str) -> None:
    """Checks a node and takes over its values as the schema reads them: ``off`` is False, 2024 as a name is "2024"."""
    _check_keys(schema, parameter_keys(node), path)
    try:
        merged = OmegaConf.merge(schema, node)
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        if isinstance(error, ConfigKeyError) and isinstance(error.parent_node, DictConfig):
            raise unknown_key(f"{path}.{key}".lstrip("."), parameter_keys(error.parent_node)) from error
        raise ConfigError(_wrong_type(f"{path}.{key}".strip("."), OmegaConf.select(node, key), error)) from error
    _take_over(node, merged)


def _wrong_type(key: str, value: Any, error: Exception) -> str:
    """What to write instead, where one value was given for a list or a list for one value."""
    reason = first_line(error)
    if isinstance(value, ListConfig) and "ListConfig" in reason:
        written = ", ".join(map(str, value))
        remedy = f" Write {key}={written}." if len(value) == 1 else ""
        return f"{key}=[{written}]: one value is needed, not a list.{remedy}"
    if "is not a ListConfig" in reason:
        return f"{key}={value}: a list is needed. Write {key}=[{value}]."
    return f"{key}: {reason}."


def _take_over(node: DictConfig, merged: Any) -> None:
    for key in parameter_keys(node):
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            if is_dataclass(OmegaConf.get_type(merged, key)):
                _take_over(child, merged[key])
        elif not OmegaConf.is_interpolation(node, key):
            node[key] = merged[key]


def target_nodes(cfg: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node that names a target, outer before inner."""
    if isinstance(cfg, DictConfig):
        if not cfg._is_none() and cfg.get("_target_") is not None:
            yield path, cfg
        for key in [] if cfg._is_none() else cfg:  # as they are: 2 is another key than "2"
            if not OmegaConf.is_missing(cfg, key):
                yield from target_nodes(cfg._get_node(key), f"{path}.{key!s}".lstrip("."))
    elif isinstance(cfg, ListConfig):
        for index in range(len(cfg)):
            yield from target_nodes(cfg._get_node(index), f"{path}[{index}]")
