"""Hydra's errors -> one line with the choices."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fontgan.config.field_names import key_hint, variant_hint
from fontgan.config.groups import SPECIAL_KEYS, choices, groups, hydra_here
from fontgan.config.overrides import unescape
from fontgan.errors import ConfigError, first_line
from fontgan.extras import how_to_install

COMPOSING_RAISES = (HydraException, OmegaConfBaseException, ValueError, RecursionError)  # ValueError: of long numbers
EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "optuna": "optuna"}


def explain_all(verb: str, overrides: list[str], error: Exception) -> ConfigError:
    """Every override that cannot be composed: Hydra names the first alone, so that one is left out, and so on."""
    left, found, failed = list(overrides), [], error
    while True:
        (fault,) = explain(verb, left, failed).faults
        key = re.split("[=:]", fault)[0]
        wrong = next((o for o in left if fault.startswith(o) or o.partition("=")[0].lstrip("+~") == key), None)
        found.append((overrides.index(wrong) if wrong is not None else -1, fault))
        if wrong is None:
            break
        left.remove(wrong)
        try:
            with hydra_here():
                compose(verb, left)
            break
        except COMPOSING_RAISES as another:
            failed = another
    return ConfigError(*dict.fromkeys(unescape(fault) for _, fault in sorted(found)))


def explain(verb: str, overrides: list[str], error: Exception) -> ConfigError:
    """Turns a Hydra error into one line that lists the choices."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group.startswith("hydra/") and name in EXTRAS:
            remedy = f"Run {how_to_install(EXTRAS[name])}."
            return ConfigError(f"{group}={name}: its Hydra plugin is not installed. {remedy}")
        if known := choices(group) if group else []:
            remedy = (
                f"{variant_hint(group, unescape(name)) or did_you_mean(name, known)} Choose one of {', '.join(known)}."
            )
            return ConfigError(f"{group}={name}: no such variant.{remedy}")
    if match := re.search(r"Could not (?:override|delete)(?: from config\.)? '([^'=]+)", str(error)):
        return _unknown_override(verb, match[1], overrides)
    for override in overrides:
        try:
            OverridesParser.create().parse_override(override)
        except COMPOSING_RAISES:
            return ConfigError(f"{override}: cannot be read. Put the value in quotes: 'key=\"value\"'.")
    return ConfigError(f"config: {first_line(error)}")


def _unknown_override(verb: str, key: str, overrides: list[str]) -> ConfigError:
    """Names the keys that exist where the user looked for ``key``."""
    known = groups()
    value = next((unescape(o.partition("=")[2]) for o in overrides if o.partition("=")[0].lstrip("+~") == key), "")
    if "/" in key or key in known:
        parent = key.rpartition("/")[0]
        if key in known and not parent:
            return ConfigError(f"{key}: fontgan {verb} has no such group. Leave it out.")
        if key in known:
            now = next((unescape(o.partition("=")[2]) for o in overrides if o.startswith(f"{parent}=")), "the default")
            remedy = f"Choose another {parent}, or leave it out."
            return ConfigError(f"{key}: {parent}={now} has no {key} of its own. {remedy}")
        hint = key_hint(key, value, has={group.partition("/")[0] for group in known}) or did_you_mean(key, known)
        return ConfigError(f"{key}: no such config group.{hint} Groups: {', '.join(known)}.")
    chosen = [o for o in overrides if "=" in o and o.partition("=")[0].lstrip("+~") in known]
    try:
        with hydra_here():
            node: Any = compose(verb, chosen, return_hydra_config=key.startswith("hydra."))
    except HydraException:
        return ConfigError(f"{key}: no such config key.")
    hint = key_hint(key, value, has=list(node), settings=_leaves(OmegaConf.to_container(node)))
    for part in key.split("."):
        child = node._get_node(part) if part in node else None
        if not isinstance(child, DictConfig):
            break
        node = child
    return unknown_key(key, [str(k) for k in node if k != "hydra"], hint)


def unknown_key(key: str, known: list[str], hint: str = "") -> ConfigError:
    known = [k for k in known if k not in SPECIAL_KEYS]
    hint = hint or key_hint(key, "", has={*known, key.partition(".")[0]})
    close = hint or did_you_mean(key.rpartition(".")[2], known)
    return ConfigError(f"{key}: no such config key.{close} Keys here: {', '.join(known) or 'none'}.")


def _leaves(node: Any, place: str = "") -> Iterator[str]:
    """The settings of a config, dotted."""
    for key, value in node.items():
        where = f"{place}.{key}".lstrip(".")
        if isinstance(value, dict) and value:
            yield from _leaves(value, where)
        elif key not in SPECIAL_KEYS:
            yield where


def did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
