"""fontgan shelf: complete fonts to draw from."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING

log = logging.getLogger(__name__)

ORDER = 135
SUMMARY = "list the complete source fonts that shelf:NAME opens, and fetch larger ones"
EXAMPLES = ("fontgan shelf", "fontgan shelf 'fetch=[sans-jp, song-jp]'")


@dataclass
class Config:
    fetch: list[str] = MISSING


def main(cfg: Config) -> int:
    """Fetches what is asked for, or prints the list. Returns: 0."""
    from fontgan.data.shelf import fetch_font, shelf, shelf_font

    for font in [shelf_font(name, f"fetch={name}") for name in cfg.fetch]:
        if not font.path.is_file():
            log.info("%s: fetching %s", font.name, font.package)
            fetch_font(font)
        log.info("shelf:%s is %s %s, in %s", font.name, font.family, font.version, font.path)
    if not cfg.fetch:
        row = "{:<10} {:<6} {:<19} {:<8} {:>6}  {:<8} {}"
        print(row.format("shelf:", "class", "family", "licence", "chars", "here", "has all of"))
        for font in shelf().values():
            here = "yes" if font.path.is_file() else "fetch"
            sets = ", ".join(font.covers)
            print(row.format(font.name, font.kind, font.family, "OFL-1.1", font.characters, here, sets))
    return 0
