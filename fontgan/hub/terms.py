"""Whether a run may be passed on: what the fonts that it learned from say of themselves. No lawyer wrote this."""

import re
from typing import Any

from fontgan.base import FOLDER
from fontgan.config.instantiate import target_specs
from fontgan.config.saved import load_config
from fontgan.data.font_source import FontGlyphs
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, printable, shorten
from fontgan.export.page_fonts import text_beside
from fontgan.fontfile.licence import check_licence, forbidding_words, free_licences
from fontgan.training.checkpoint import Checkpoint, open_checkpoint

NAME = "fontgan run"  # which no licence reserves: a run bears no font's name
# As the hub calls them; of the other free licences it has no name.
IDENTIFIERS = {
    "SIL Open Font License": "ofl-1.1", "Apache License": "apache-2.0", "MIT licence": "mit", "CC0": "cc0-1.0",
}  # fmt: skip
_REMEDY = "If you own it, or may pass on what was learned from it, add confirm_ownership=true."

Entry = dict[str, Any]


def own_styles(found: Checkpoint) -> list[Entry]:
    """The styles of a run, as its manifest has them, but for those that came with the base model."""
    of_base = {entry["name"]: entry["canvas"] for entry in open_checkpoint(FOLDER).metadata["data"]["styles"]}
    styles: list[Entry] = found.metadata["data"]["styles"]
    return [entry for entry in styles if of_base.get(entry["name"]) != entry["canvas"]]


def check_terms(found: Checkpoint, *, confirm_ownership: bool) -> dict[str, list[str]]:
    """Looks at every font that a run has learned from, in the file where it is at hand, else as the run remembers it.

    Returns: of each style of its own that has a font, the free licences that the font names.
    Raises: ConfigError if one forbids changes or names no free licence, and ownership is not confirmed.
    """
    specs = {name: target.spec for name, target in target_specs(load_config(found.folder / "config.yaml")).items()}
    named = {}
    for entry in own_styles(found):
        if entry.get("kind") == "folder":  # images of glyphs say nothing; whose they are, the user says by licence=
            continue
        font = _font_here(specs.get(entry["name"]))
        named[entry["name"]] = _licences_of(entry, font, confirm_ownership=confirm_ownership)
    if (unknown := [name for name, licences in named.items() if not licences]) and not confirm_ownership:
        raise ConfigError(
            f"{shorten(unknown, separator=', ')}: the font that was learned from names no free licence that is known here. "
            f"{_REMEDY}"
        )
    return named


def _licences_of(entry: Entry, font: FontGlyphs | None, *, confirm_ownership: bool) -> list[str]:
    texts = [entry.get(key, "") for key in ("copyright", "licence", "licence_url")]
    if font is not None:
        check_licence(font._tables, confirm_ownership=confirm_ownership, family=NAME, where=font.path.name)
        texts.append(text_beside(font.path))
    elif not confirm_ownership and (words := next(filter(None, map(forbidding_words, texts)), "")):
        raise ConfigError(f"{entry['name']}: its font's licence forbids changes (“{printable(words, 240)}”). {_REMEDY}")
    return free_licences(" ".join(texts))


def _font_here(spec: str | None) -> FontGlyphs | None:
    """The font of a style; None if it is not on this machine."""
    try:
        glyphs = open_glyphs(spec) if spec else None
    except DataError:
        return None
    return glyphs if isinstance(glyphs, FontGlyphs) else None


def check_identifier(licence: str | None, named: dict[str, list[str]]) -> str:
    """The licence that a run is passed on under, as the hub calls it. Raises: ConfigError without one."""
    known = sorted({name for licences in named.values() for name in licences})
    said = f"Its fonts name the {' and the '.join(known)}. " if known else ""
    if licence is None:
        example = next((IDENTIFIERS[name] for name in known if name in IDENTIFIERS), "ofl-1.1")
        raise ConfigError(
            f"licence: under which terms do you pass the run on? {said}Add licence={example}, or what else "
            "https://huggingface.co/docs/hub/repositories-licenses lists."
        )
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", licence):
        raise ConfigError(
            f"licence={licence}: is no name of a licence on the hub. It has names such as ofl-1.1 or other."
        )
    return licence
