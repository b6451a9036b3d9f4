"""Hydra's errors -> one line with the choices."""

from __future__ import annotations

import difflib
import re
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig

from fontgan.config.groups import SPECIAL_KEYS, choices, groups, hydra_here
from fontgan.config.overrides import unescape
from fontgan.errors import ConfigError, first_line

EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "optuna": "optuna"}


def explain(verb: str, overrides: list[str], error: Exception) -> ConfigError:
    """Turns a Hydra error into one line that lists the choices."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group.startswith("hydra/") and name in EXTRAS:
            return ConfigError(
                f"{group}={name}: its Hydra plugin is not installed. pip install 'fontgan[{EXTRAS[name]}]' installs it."
            )
        known = choices(group) if group else []
        if known:
            return ConfigError(
                f"{group}={name}: no such variant.{did_you_mean(name, known)} Choose one of {', '.join(known)}."
            )
    text = str(error)
    match = re.search(r"Could not override '([^']+)'|Could not delete from config. '?([\w.]+)'?", text)
    if match:
        return _unknown_override(verb, match[1] or match[2], overrides)
    match = re.search(r"No match in the defaults list|Could not override '([^']+)'. No match", text)
    key_match = re.search(r"'([\w./]+)=", text)
    if match and key_match:
        known = groups()
        return ConfigError(
            f"{key_match[1]}: no such config group.{did_you_mean(key_match[1], known)} Groups: {', '.join(known)}."
        )
    for override in overrides:
        if not _parses(override):
            return ConfigError(f"{unescape(override)}: cannot be read. Put the value in quotes: 'key=\"value\"'.")
    return ConfigError(f"config: {first_line(error)}")


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except (HydraException, ValueError, RecursionError):
        return False
    return True


def _unknown_override(verb: str, key: str, overrides: list[str]) -> ConfigError:
    """Names the keys that exist where the user looked for ``key``."""
    group = key.replace(".", "/")
    if "/" in key or group in groups():
        known = groups()
        if key in known:
            parent = key.rpartition("/")[0]
            taken = next(
                (unescape(o.partition("=")[2]) for o in overrides if o.startswith(f"{parent}=")), "the default"
            )
            return ConfigError(
                f"{key}: {parent}={taken} has no {key} of its own. Choose another {parent}, or leave it out."
            )
        return ConfigError(f"{key}: no such config group.{did_you_mean(key, known)} Groups: {', '.join(known)}.")
    chosen = [o for o in overrides if "=" in o and o.partition("=")[0].lstrip("+~") in groups()]
    try:
        with hydra_here():
            node: Any = compose(verb, chosen, return_hydra_config=key.startswith("hydra."))
    except HydraException:
        return ConfigError(f"{key}: no such config key.")
    path: list[str] = []
    for part in key.split("."):
        child = node._get_node(part) if isinstance(node, DictConfig) and part in node else None
        if not isinstance(child, DictConfig):
            break
        node = child
        path.append(part)
    known = [str(k) for k in node if k not in (*SPECIAL_KEYS, "hydra")]
    return unknown_key(key, known)


def unknown_key(key: str, known: list[str]) -> ConfigError:
    name = key.rpartition(".")[2]
    known = [k for k in known if k not in SPECIAL_KEYS]
    return ConfigError(
        f"{key}: no such config key.{did_you_mean(name, known)} Keys here: {', '.join(known) or 'none'}."
    )


def did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
