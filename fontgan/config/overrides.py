"""Overrides as typed -> Hydra's grammar; names of a sweep's job folders."""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Any

from omegaconf import ListConfig, OmegaConf

from fontgan.errors import ConfigError
from fontgan.runtime.file_names import MAX_BYTES

MAX_DEPTH = 32  # brackets within brackets of a typed value; a hybrid's levels need two


# What is not itself to Hydra's grammar in a value; paths and glyphs need it (C:\字体\Var[wght].ttf@wght=600, A.ttc#1).
# And what looks like our own escape, whose first underscore is escaped, or it would be taken for one.
_ODD = re.compile(r"[^\w/+.$%*@?|: -]|[^\x00-\x7f]|_(?=_u)")
# The same where the grammar's own signs stand for themselves: within quotes, and beside an interpolation.
_ODD_BESIDE_SIGNS = re.compile(r"""[^\w/+.$%*@?|,:{}\[\]'"\\ \t-]|[^\x00-\x7f]|_(?=_u)""")
_NUMBER = re.compile(r"\s*([-+0-9._e]+|true|false|null|nan|[-+]?inf)\s*", re.IGNORECASE)  # whose blanks mean nothing
_BLANK = re.compile(r"\s")
_INTERPOLATION = re.compile(r"\$\{.*\}", re.DOTALL)
_SWEEP_FUNCTION = re.compile(r"(range|glob|choice|interval|shuffle|sort|tag)\(")
_ESCAPED = re.compile(r"__u([0-9a-f]{1,6})__")
_CLOSING = {"[": "]", "{": "}"}


def unescape(text: str) -> str:
    """Undoes what ``escape_overrides`` did to characters that Hydra's grammar refuses."""
    return _ESCAPED.sub(lambda match: chr(code) if (code := int(match[1], 16)) <= sys.maxunicode else match[0], text)


def escape_overrides(overrides: Iterable[str], *, sweep: bool = False) -> list[str]:
    """Makes what users type fit Hydra's grammar: what it refuses or would eat is escaped (``check_config`` brings it
    back), and ``data.targets=`` replaces the styles there are.

    A value is taken as it stands, backslashes, commas and brackets too, unless it is a list or a map as a whole, or in
    quotes, or has an interpolation in it, or this is a sweep, whose values commas part.
    Raises: ConfigError for a value without a key, brackets nested beyond ``MAX_DEPTH``, and ``${`` without its end.
    """
    prepared = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not key.strip("+~ ") or key.strip() != key:
            raise ConfigError(f"{override[:80]}: settings are written key=value.")
        if _depth(override) > MAX_DEPTH:
            raise ConfigError(f"{key[:40]}: is nested deeper than {MAX_DEPTH} brackets. Write it more simply.")
        if "${" in value and ("\\${" in value or not _INTERPOLATION.search(value)):
            rule = "${ begins the name of another setting, as ${data.size}, and no file or folder that is given here can have it"
            raise ConfigError(f"{key[:40]}={value[:80]}: {rule}. Rename it.")
        if not sweep:
            value = _escape(value, whole=True)
        elif not _SWEEP_FUNCTION.match(value):
            value = ",".join(map(_escape, _items(value)))
        override = f"{key}{equals}{value}"
        if key == "data.targets":
            prepared += ["~data.targets", "+" + override]
        else:
            prepared.append(override)
    return prepared


def quoted(text: str) -> str:
    """A text as a setting takes it, whatever characters it holds: to the grammar a backslash is one, but before a quote and
    at the end."""
    escaped = re.sub(r"(\\+)(?='|$)", r"\1\1", text).replace("'", "\\'")
    return f"'{escaped}'"


def _escape(value: str, *, whole: bool = False) -> str:
    """A ``whole`` value, or one of a list or map, about which blanks mean nothing, so that Hydra reads what is typed."""
    inner = value.strip()
    if not inner or _NUMBER.fullmatch(value):
        return value
    start = value.index(inner)
    before, after = value[:start], value[start + len(inner) :]
    if _is_quoted(inner):
        if (len(inner) - 1 - len(inner[:-1].rstrip("\\"))) % 2:  # C:\fonts\: else the last would escape the quote
            inner = f"{inner[:-1]}\\{inner[-1]}"
        inner = _escape_by(_ODD_BESIDE_SIGNS, inner)
    elif _INTERPOLATION.search(inner) or (inner[0] in _CLOSING and [*_depths(inner)][-1]):  # or not closed: refused
        inner = _escape_by(_ODD_BESIDE_SIGNS, inner)
    elif _CLOSING.get(inner[0]) == inner[-1] and all(_depths(inner[:-1])):  # [A] B [C] is a name and no list
        escape = _escape if inner[0] == "[" else _escape_pair
        inner = f"{inner[0]}{','.join(map(escape, _items(inner[1:-1])))}{inner[-1]}"
    else:
        inner = _escape_by(_ODD, inner)
        if whole:
            before, after = _escape_by(_BLANK, before), _escape_by(_BLANK, after)
    return f"{before}{inner}{after}"


def _escape_pair(pair: str) -> str:
    """One of a map, ``name: value``."""
    name, colon, value = pair.partition(":")
    return f"{_escape_by(_ODD, name)}{colon}{_escape(value)}"


def _escape_by(odd: re.Pattern[str], text: str) -> str:
    return odd.sub(lambda match: f"__u{ord(match[0]):x}__", text)


def _is_quoted(text: str) -> bool:
    """Whether quotes are around all of it, with none but escaped ones of their kind between them."""
    return bool(re.fullmatch(r"""'([^']|(?<=\\)')*'|"([^"]|(?<=\\)")*\"""", text, re.DOTALL))


def _items(text: str) -> list[str]:
    """What commas part that stand outside of brackets and quotes, with its blanks."""
    depths = list(_depths(text))
    if not depths or depths[-1]:  # brackets or quotes that are not closed part nothing; Hydra says what is wrong
        return text.split(",")
    commas = [place for place, char in enumerate(text) if char == "," and not depths[place]]
    return [text[start + 1 : end] for start, end in pairwise([-1, *commas, len(text)])]


def _depths(text: str) -> Iterator[int]:
    """How many brackets are open after each character; a quote where an item begins counts as one."""
    depth, quote, escaped, last = 0, "", False, ","
    for char in text:
        if quote:
            quote = "" if char == quote and not escaped else quote
        elif char in "'\"" and last in "[{,:":
            quote = char
        else:
            depth = max(0, depth + (char in "[{(") - (char in "]})"))
        escaped = char == "\\" and not escaped
        last = char if char.strip() else last
        yield depth + bool(quote)


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


_ODD_IN_A_NAME = re.compile(r"[^\w=.,+-]|\.$")
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
    if len(name.encode()) <= MAX_BYTES:
        return name
    return f"{name[: MAX_BYTES // 5]}-{_hash(name)[:12]}"


def _file_name(value: str) -> str:
    """The value itself, or where characters were replaced one with a hash, since ``a/b`` and ``a-b`` are two.

    Characters that file systems of macOS take apart (が into か and its mark) would not be found again by their name.
    """
    name = "".join(char if unicodedata.is_normalized("NFD", char) else "-" for char in _ODD_IN_A_NAME.sub("-", value))
    return name if name == value else f"{name}-{_hash(value)[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()  # arguments that are no UTF-8


def _job_folder(overrides: ListConfig, shared: ListConfig) -> str:
    written: Any = OmegaConf.to_container(overrides)  # with interpolations as they were typed
    return job_folder(own_settings(written, shared))


OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
OmegaConf.register_new_resolver("readable", unescape, replace=True)
