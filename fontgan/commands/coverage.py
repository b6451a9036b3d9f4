"""fontgan coverage: how much of each character set a typeface has."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontgan.config.schema import MISSING, ImagesConfig

log = logging.getLogger(__name__)

ORDER = 125
SUMMARY = "say how much of each character set a typeface has, and what its licence says of changes"
EXAMPLES = (
    "fontgan coverage font=MyFont.ttf",
    "fontgan coverage font=MyFont.ttf list=joyo",
    "fontgan coverage font=my-glyphs/ 'list=[tgh-1,gf-latin-core]' out=coverage.html",
)
ALL = "all"


@dataclass
class Config(ImagesConfig):
    font: str = MISSING
    list: Any = MISSING
    out: str | None = MISSING
    overwrite: bool = MISSING


def main(cfg: Config) -> int:
    """Prints how much it has of every named set, those of its region first, and what it lacks of some. Returns: 0."""
    from fontgan.complete.coverage import cover
    from fontgan.complete.coverage_text import lacking_of, table_of
    from fontgan.runtime.files import out_file
    from fontgan.runtime.log_setup import say

    out = out_file("out", cfg.out, ".csv", ".json", ".html", overwrite=cfg.overwrite) if cfg.out else None
    asked = _asked(cfg.list)
    found = cover(cfg.font, [name for name in asked if name != ALL])
    listed = [each for each in found.sets if each.name in asked or ALL in asked]
    say(f"{found.family or cfg.font}: {len(found.characters)} characters, {found.region.name}")
    say(table_of(found.sets))
    for each in listed:
        if each.missing or each.name in asked:
            say(lacking_of(each))
    if found.licence:
        say("\n".join(["", *found.licence.said, *([found.licence.why] if found.licence.why else [])]))
    if not asked:
        log.info("what it lacks: add list=%s, or list=%s", found.charset, ALL)
    log.info("to complete %s: fontgan complete target=%s", found.charset, cfg.font)
    if out:
        _write(out, cfg.font, found, {each.name for each in listed})
    return 0


def _asked(sets: Any) -> list[str]:
    """The sets to list, as they are called. Raises: UserError if one is no set."""
    from omegaconf import ListConfig

    from fontgan.data import charset
    from fontgan.errors import ConfigError

    if sets is None:
        return []
    names = [str(name) for name in (sets if isinstance(sets, ListConfig) else [sets])]
    for place, name in enumerate(names):
        if name == charset.FONT:
            raise ConfigError(f"list={name}: a font lacks nothing of what it has. Name sets, or list={ALL}.")
        if name != ALL:
            charset.resolve(name, "list")
            names[place] = name if charset.is_list(name) else name.casefold()
    return names


def _write(out: Path, font: str, found: Any, listed: set[str]) -> None:
    from fontgan.complete.coverage_text import to_csv, to_json
    from fontgan.report.coverage import to_page
    from fontgan.runtime.files import atomic_write, write_json

    if out.suffix.lower() == ".json":
        write_json(out, to_json(font, found))
    else:
        atomic_write(out, to_csv(found, listed) if out.suffix.lower() == ".csv" else to_page(font, found, listed))
    log.info("written: %s", out)
