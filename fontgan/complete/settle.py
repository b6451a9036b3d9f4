"""What ``fontgan complete`` is not told, taken from the target."""

import logging
from typing import Any

from fontgan.config.auto_source import AUTO, nearest_of_shelf, source_of_region
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.region import characters_of, region_of, set_to_complete
from fontgan.data.sources import open_glyphs, style_name
from fontgan.fontfile.target import ENDINGS, open_target

log = logging.getLogger(__name__)


def settle(cfg: Any) -> None:
    """Puts in place ``source`` and ``charset`` where they are auto, and ``out``, and says so. Raises: UserError."""
    if cfg.source == AUTO:
        known = cfg.init_from is not None or cfg.run is not None
        cfg.source, told = source_of_region(cfg.target) if known else nearest_of_shelf([cfg.target])
        log.info("source=auto: %s", told)
    if cfg.charset == AUTO:
        there = characters_of(open_glyphs(cfg.target))
        region = region_of(there)
        cfg.charset = set_to_complete(region, there)
        log.info("charset=auto: %s, since %s is %s", cfg.charset, cfg.target, region.name)
    if cfg.out is None:
        from_images = isinstance(open_glyphs(cfg.target), FolderGlyphs)
        kind = "glyf" if from_images else open_target(cfg.target).outlines
        ending = next(ending for ending, table in ENDINGS.items() if table == kind)
        cfg.out = f"{style_name(cfg.target)}-complete{ending}"
        log.info("out: %s", cfg.out)
