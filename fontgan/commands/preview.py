"""fontgan preview: what the base model makes of a typeface before any training."""

import logging
from dataclasses import dataclass
from typing import Any

from fontgan.config.schema import MISSING, ImagesConfig
from fontgan.errors import ConfigError

log = logging.getLogger(__name__)

ORDER = 5
SUMMARY = "see in seconds, without training, how the base model would draw a typeface's other characters"
EXAMPLES = ("fontgan preview target=MyFont.ttf", "fontgan preview target=my-glyphs/ text=永字八法 out=first.png")


@dataclass
class Config(ImagesConfig):
    target: str = MISSING
    source: Any = MISSING
    text: str | None = MISSING
    out: str = MISSING
    overwrite: bool = MISSING
    device: str = MISSING
    precision: str = MISSING


def main(cfg: Any) -> int:
    """Writes the sheet. Returns: 0."""
    from fontgan.complete.preview import preview
    from fontgan.config.auto_source import AUTO, source_of_region
    from fontgan.config.instantiate import source_spec
    from fontgan.pictures.contact_sheet import contact_sheet, save_png
    from fontgan.runtime.files import out_file

    file = out_file("out", cfg.out, ".png", overwrite=cfg.overwrite)
    if cfg.source == AUTO:
        cfg.source, told = source_of_region(cfg.target)
        log.info("source=auto: %s", told)
    source = source_spec(cfg.source, "source")
    if source is None:
        raise ConfigError("source: needs a complete font to draw from. Add source=A.ttf, or leave it out.")
    found = preview(cfg.target, source, cfg.text, device=cfg.device, precision=cfg.precision)
    save_png(contact_sheet(found.rows), file)
    log.info("%s", found.told)
    log.info("the sheet: %s; to go on: fontgan complete target=%s", file, cfg.target)
    return 0
