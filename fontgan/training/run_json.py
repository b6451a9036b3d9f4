"""What a checkpoint says of itself, ``run.json``: checked in this one place, since a stranger may have written it.

Whoever reads a fact later may rely on its type and range; that it is there at all is for the reader to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from fontgan.data.frame import SIZES
from fontgan.data.sources import check_style_name
from fontgan.errors import DataError

MAX_DEPTH = 12
MAX_NAME = 200  # bytes; names become folders
MAX_STYLES = 100_000
MAX_TRANSFORM = 1e5  # of a scale or an offset; canvases have 512 px at most


def check_facts(metadata: dict[str, Any]) -> None:
    """Raises: ValueError, with the fact's name, where one is of a type or range that no run of ours has."""
    _plain(metadata, "", 0)
    _each(metadata, "", {
        "styles": _style_names, "minutes": _at_least_zero, "scores": _scores, "pack": _text, "data": _data,
        "made_with": _texts, "init_from": _origin,
    })  # fmt: skip


def _plain(value: Any, where: str, depth: int) -> None:
    """Numbers are finite, and nothing is nested beyond reason."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{where[:80]} is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _plain(item, f"{where}.{key[:40]}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for item in value:
            _plain(item, where, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}")
    elif isinstance(value, int) and abs(value) > 2**63:
        raise ValueError(f"{where} is a number beyond reason")


def _each(value: Any, where: str, checks: dict[str, Callable[[Any, str], None]]) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'it'} is no table")
    for key, check in checks.items():
        if key in value:
            check(value[key], f"{where}.{key}".lstrip("."))


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{where} is no text")
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
        raise ValueError(f"{where} holds characters that cannot be shown")


def _texts(value: Any, where: str) -> None:
    _each(value, where, {})
    for key, item in value.items():
        _text(item, f"{where}.{key[:40]}")


def _number(value: Any, where: str, low: float = -MAX_TRANSFORM, high: float = MAX_TRANSFORM) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{where} is {str(value)[:40]!r}, and {low:g} to {high:g} is needed")


def _at_least_zero(value: Any, where: str) -> None:
    _number(value, where, 0, 1e12)


def _style_names(value: Any, where: str) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_STYLES:
        raise ValueError(f"{where} is no list of names")
    for name in value:
        _style_name(name, where)
    if len(set(value)) < len(value):
        raise ValueError(f"{where} has a name twice")


def _style_name(value: Any, where: str) -> None:
    _text(value, where)
    try:
        check_style_name(value, where, "")
    except DataError as error:
        raise ValueError(str(error).strip()) from error
    if len(value.encode()) > MAX_NAME:
        raise ValueError(f"{where} has a name longer than {MAX_NAME} bytes")


def _scores(value: Any, where: str) -> None:
    _each(value, where, {})
    for style, metrics in value.items():
        _style_name(style, where)
        _each(metrics, f"{where}.{style}", {})
        for key in ("ssim", "blank"):
            _number(metrics.get(key), f"{where}.{style}.{key}", -1, 1)


def _origin(value: Any, where: str) -> None:
    _each(value, where, {"checkpoint": _text, "styles": _style_names})


# -- the data's manifest --------------------------------------------------------------------


def _data(value: Any, where: str) -> None:
    _each(value, where, {
        "size": _size, "cell_to_canvas": _frame, "characters": _at_least_zero, "held_out": _chars, "trained": _chars,
        "members": _members,
    })  # fmt: skip


def _size(value: Any, where: str) -> None:
    if type(value) is not int or value not in SIZES:
        raise ValueError(f"{where} is {str(value)[:40]!r}, and one of {', '.join(map(str, SIZES))} is needed")


def _frame(value: Any, where: str) -> None:
    _each(value, where, {})
    _number(value.get("scale"), f"{where}.scale", 1 / MAX_TRANSFORM)
    for key in ("dx", "dy"):
        _number(value.get(key), f"{where}.{key}")


def _chars(value: Any, where: str) -> None:
    _text(value, where)
    if re.search(r"\s", value):
        raise ValueError(f"{where} holds blanks, which are no characters to draw")
    if len(set(value)) < len(value):
        raise ValueError(f"{where} has a character twice")


def _members(value: Any, where: str) -> None:
    if not isinstance(value, list):
        raise ValueError(f"{where} is no list")
    names = []
    for entry in value:
        _each(entry, where, {"align": _frame, "median_ink_box": _ink_box, "to_cell": _to_cell, "file": _text})
        if not isinstance(entry.get("name"), str) or "align" not in entry:
            raise ValueError(f"{where} lacks a name or its align")
        if entry["name"] != "source":
            _style_name(entry["name"], where)
        names.append(entry["name"])
    if len(set(names)) < len(names):
        raise ValueError(f"{where} has a name twice")


def _ink_box(value: Any, where: str) -> None:
    if value is None:
        return
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"{where} is no box")
    for number in value:
        _number(number, where)
    if not (value[0] < value[2] and value[1] < value[3]):
        raise ValueError(f"{where} is no box: it has no inside")


def _to_cell(value: Any, where: str) -> None:
    _each(value, where, {"units_per_em": _at_least_zero, "baseline": _number})
