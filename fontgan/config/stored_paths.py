"""Paths of a config as a run stores them: with ``/``, which Windows takes too, so that a run is read on every system."""

import os
from typing import Any

from omegaconf import DictConfig, OmegaConf

# What names fonts, folders and runs: typed on Windows as fonts\A.ttf, written down as fonts/A.ttf.
_OF_DATA = ("source", "targets", "guides", "cache")


def store_with_slashes(cfg: DictConfig, separator: str = os.sep) -> None:
    """Changes nothing where a backslash is a character of a name like any other, as on Linux and macOS."""
    if separator != "\\":
        return
    places = [(cfg.data, key) for key in _OF_DATA] if "data" in cfg else []
    for node, key in [*places, (cfg, "init_from")]:
        if isinstance(node, DictConfig) and key in node:
            value: Any = node[key]
            node[key] = _slashes(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)


def _slashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _slashes(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_slashes(one) for one in value]
    return value.replace("\\", "/") if isinstance(value, str) else value
