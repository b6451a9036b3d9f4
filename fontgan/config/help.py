"""The settings of a verb for its ``--help``: those of the parts that were chosen.

Each stands with its value, as Hydra composes it, and the comment beside it in the files of configs/.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import yaml
from hydra import compose
from hydra.types import RunMode
from omegaconf import OmegaConf

from fontgan.config.comments import header, keys
from fontgan.config.compose import check_typed, prepare
from fontgan.config.groups import SPECIAL_KEYS, choices, file_of, groups, hydra_here
from fontgan.config.overrides import unescape_all

WIDEST = 44  # characters of a setting with its value, beyond which its comment does not line up with the others


class Part(NamedTuple):
    """A variant that was chosen."""

    choice: str  # group=variant
    said: list[str]  # the header of its file
    hydra: list[str]  # keys of Hydra's own that it sets


class Row(NamedTuple):
    """A setting, as it could be typed, and what it means; a heading of several has no value."""

    key: str
    value: str | None
    meaning: str


class Section(NamedTuple):
    """The settings of one part, or those of the verb itself."""

    title: str  # group=variant, or settings
    said: list[str]  # the header of the part's file
    rows: list[Row]


def list_settings(verb: str, overrides: Sequence[str], *, sweep: bool = False) -> str:
    """The groups with their variants, then every setting, part by part.

    Args: overrides: as typed; with ``sweep`` the first of the values swept over are shown.
    Raises: ConfigError for what the verb would refuse.
    """
    first, *found = sections(verb, overrides, sweep=sweep)
    tops = {section.title.partition("=")[0].partition("/")[0] for section in found}
    listed = [f"  {group:<22} {', '.join(choices(group))}" for group in groups() if group.partition("/")[0] in tops]
    blocks = [["groups (group=variant):", *listed]] if found else []
    for title, said, rows in [first, *found]:
        blocks.append([f"{title}:", *(f"  # {line}".rstrip() for line in said), *_aligned(rows)])
    return "\n\n".join("\n".join(block) for block in blocks)


def sections(verb: str, overrides: Sequence[str], *, sweep: bool = False) -> list[Section]:
    """Every setting of a verb: first its own, then part by part. Arguments and errors as of ``list_settings``."""
    prepared = prepare(overrides, sweep=sweep)
    if overrides:
        check_typed(verb, prepared)
    with hydra_here() as hydra:
        files = hydra.config_loader.compute_defaults_list(verb, prepared, RunMode.RUN).defaults
        composed = OmegaConf.to_container(compose(verb, prepared, return_hydra_config=True), resolve=False)
    tree: dict[str, Any] = unescape_all(composed)
    parts, meanings = _read(files)
    own = {key: value for key, value in tree.items() if key != "hydra"}
    found = [Section("settings", [], list(_rows(own, "", parts, meanings)))]
    everywhere = [where for where in parts if where.partition(".")[0] not in own]  # what sets keys of other parts
    for where in [*everywhere, *_places(own, "", parts)]:
        rows = [] if where in everywhere else list(_rows(_at(tree, where), where, parts, meanings))
        rows += [Row(key, _written(_at(tree, key)), meanings[key]) for key in parts[where].hydra]
        found.append(Section(parts[where].choice, parts[where].said, rows))
    return found


def _at(tree: Any, where: str) -> Any:
    return reduce(lambda node, key: node[key], where.split("."), tree)


def _read(files: Sequence[Any]) -> tuple[dict[str, Part], dict[str, str]]:
    """The parts by the place of each in the config, and the comments by key, of the files that a config is made of."""
    parts: dict[str, Part] = {}
    meanings: dict[str, str] = {}
    for one in files:
        if (file := file_of(one.config_path)) is None:
            continue  # Hydra's own
        text = file.read_text(encoding="utf-8")
        rows = {f"{one.package}.{row.key}".lstrip("."): row.meaning for row in keys(text, merged=True) if row.meaning}
        meanings |= rows
        group, _, name = one.config_path.rpartition("/")
        if group and not name.startswith("_"):
            of_hydra = [key for key in rows if key.startswith("hydra.")]
            parts[one.package or group.replace("/", ".")] = Part(f"{group}={name}", header(text), of_hydra)
    return parts, meanings


def _rows(node: dict[str, Any], place: str, parts: dict[str, Part], meanings: dict[str, str]) -> Iterator[Row]:
    """The settings of a part itself, not those of the parts in it."""
    if node.get("_target_", "") is None:
        return  # no part at all; what an experiment sets of it is never used
    for key, value in node.items():
        where = f"{place}.{key}".lstrip(".")
        if key in SPECIAL_KEYS or where in parts:
            continue
        meaning = meanings.get(where, "")
        if isinstance(value, dict) and any(known.startswith(f"{where}.") for known in (*meanings, *parts)):
            if meaning:
                yield Row(where, None, meaning)
            yield from _rows(value, where, parts, meanings)
        else:
            yield Row(where, _written(value), meaning)


def _places(node: dict[str, Any], place: str, parts: dict[str, Part]) -> Iterator[str]:
    """Where parts are, an outer one before those in it."""
    for key, value in node.items():
        where = f"{place}.{key}".lstrip(".")
        if where in parts:
            yield where
        if isinstance(value, dict):
            yield from _places(value, where, parts)


def _written(value: Any) -> str:
    """A value as it could be typed."""
    if value == "":
        return '""'
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.partition("\n")[0]


def _aligned(rows: Iterable[Row]) -> list[str]:
    typed = [(row.key if row.value is None else f"{row.key}={row.value}", row.meaning) for row in rows]
    width = max((len(setting) for setting, _ in typed if len(setting) <= WIDEST), default=0)
    return [f"  {setting:<{width}}  {f'# {meaning}' if meaning else ''}".rstrip() for setting, meaning in typed]
