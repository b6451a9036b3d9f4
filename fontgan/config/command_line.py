"""The command line that asks for a config."""

from __future__ import annotations

import shlex

from omegaconf import DictConfig

from fontgan.config.compose import compose_config
from fontgan.config.verbs import file_name, verbs


def command_of(verb: str, cfg: DictConfig, *needed: str) -> str:
    """The command that repeats what was asked for: what differs from the defaults.

    Args:
        needed: keys without a default.
    """
    default = compose_config(verb, [f"{key}={cfg[key]}" for key in needed])
    changed = [f"{key!s}={value}" for key, value in cfg.items() if key in needed or value != default[key]]
    typed = next(each for each in verbs() if file_name(each) == verb)
    return shlex.join(["fontgan", *typed.split(), *changed])
