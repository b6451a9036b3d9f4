"""Overrides as typed -> Hydra's grammar; names of a sweep's job folders."""

import hashlib
import re
import sys
from collections.abc import Collection, Iterable
from itertools import accumulate
from typing import Any

from omegaconf import ListConfig, OmegaConf

from fontgan.errors import ConfigError

MAX_FOLDER_NAME = 200  # bytes; file systems end at 255
MAX_DEPTH = 32  # brackets within brackets of a typed value; a hybrid's levels need two


# What Hydra's grammar takes in a value; paths and glyphs need more (Var.ttf@wght=600, ~/字体, A.ttc#1).
# And what looks like our own escape, whose first underscore is escaped, or it would be taken for one.
_PLAIN = re.compile(r"""[^\w/+.$%*@?|,:{}\[\]'"\\ \t-]|[^\x00-\x7f]|_(?=_u)""")
_SWEEP_FUNCTION = re.compile(r"(range|glob|choice|interval|shuffle|sort|tag)\(")
_ESCAPED = re.compile(r"__u([0-9a-f]{1,6})__")


def unescape(text: str) -> str:
    """Undoes what ``escape_overrides`` did to characters that Hydra's grammar refuses."""
    return _ESCAPED.sub(lambda match: chr(code) if (code := int(match[1], 16)) <= sys.maxunicode else match[0], text)


def escape_overrides(overrides: Iterable[str], *, sweep: bool = False) -> list[str]:
    """Makes what users type fit Hydra's grammar: what it refuses is escaped (``check_config`` brings it back), a
    comma in a plain value is a comma unless this is a sweep, and ``data.targets=`` replaces the styles there are.

    Raises: ConfigError for a value without a key, and brackets nested beyond ``MAX_DEPTH``.
    """
    prepared = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not key.strip("+~ ") or key.strip() != key:
            raise ConfigError(f"{override[:80]}: settings are written key=value.")
        if _depth(override) > MAX_DEPTH:
            raise ConfigError(f"{key[:40]}: is nested deeper than {MAX_DEPTH} brackets. Write it more simply.")
        if not (sweep and _SWEEP_FUNCTION.match(value)):
            value = _PLAIN.sub(lambda match: f"__u{ord(match[0]):x}__", value)
        if not sweep and "," in value and value[0] not in "[{'\"":
            value = "'" + value.replace("'", "\\'") + "'"
        override = f"{key}{equals}{value}"
        if key == "data.targets":
            prepared += ["~data.targets", "+" + override]
        else:
            prepared.append(override)
    return prepared


def _depth(text: str) -> int:
    """How many brackets are open at once; with hundreds Hydra's parser runs out of stack."""
    steps = ((char in "[{(") - (char in "]})") for char in text)
    return max(accumulate(steps, lambda depth, step: max(0, depth + step), initial=0))


def unescape_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {unescape_all(key): unescape_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unescape_all(item) for item in value]
    return unescape(value) if isinstance(value, str) else value


_ODD_IN_A_NAME = re.compile(r"[^\w=.,+-]")
_BY_HYDRA = re.compile(r"\\([\\()\[\]{}:=, \t])")  # what it escapes in the plain values of a sweep's jobs


def own_settings(overrides: Iterable[str], shared: Collection[str]) -> dict[str, str]:
    """What tells a sweep's job from the others: setting -> value as typed, of its overrides less the shared keys."""
    settings = {}
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+")
        if not key.startswith("~") and key.partition("@")[0] not in shared:
            settings[key] = unescape(value if value.startswith(("'", '"')) else _BY_HYDRA.sub(r"\1", value))
    return settings


def job_folder(settings: dict[str, str]) -> str:
    """The name of a job's folder: its own settings, with what file systems dislike replaced."""
    pairs = sorted(settings.items(), key="=".join)
    name = ",".join(f"{_ODD_IN_A_NAME.sub('-', key)}={_file_name(value)}" for key, value in pairs) or "default"
    if len(name.encode()) <= MAX_FOLDER_NAME:
        return name
    return f"{name[: MAX_FOLDER_NAME // 4]}-{_hash(name)[:12]}"


def _file_name(value: str) -> str:
    """The value itself, or where characters were replaced one with a hash, since ``a/b`` and ``a-b`` are two."""
    name = _ODD_IN_A_NAME.sub("-", value)
    return name if name == value else f"{name}-{_hash(value)[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()  # arguments that are no UTF-8


def _job_folder(overrides: ListConfig, shared: ListConfig) -> str:
    written: Any = OmegaConf.to_container(overrides)  # with interpolations as they were typed
    return job_folder(own_settings(written, shared))


OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
OmegaConf.register_new_resolver("readable", unescape, replace=True)
