"""What ``fontgan complete`` is not told, taken from the target."""

import logging
from typing import Any

from fontgan.advice.nearest_source import rank_sources
from fontgan.config.auto_source import AUTO, nearest_of_shelf, source_of_region
from fontgan.data.glyphs import GlyphSource
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.region import characters_of, region_of, set_to_complete
from fontgan.data.shelf import is_fetched
from fontgan.data.sources import open_glyphs, own_name
from fontgan.fontfile.target import ENDINGS, open_target
from fontgan.runtime.file_names import portable

log = logging.getLogger(__name__)

NEAR = 0.2  # distance from which on a source costs more than a few per cent: docs/base.md


def settle(cfg: Any) -> bool:
    """Puts in place ``source`` and ``charset`` where they are auto, and ``out``, and says so. Raises: UserError.

    Returns: whether the source was chosen here, so that it is one that the base model reads.
    """
    if chosen := cfg.source == AUTO:
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
        cfg.out = portable(f"{own_name(cfg.target)}-complete{ending}")
        log.info("out: %s", cfg.out)
    return bool(chosen)


def warn_of_unlike_source(source: GlyphSource, target: str) -> None:
    """Warns of a source that is not of the kind that the base model has learned to read."""
    usual, _ = source_of_region(target)
    if not is_fetched(usual):
        return
    if not source.coverage(characters_of(open_glyphs(usual))).present:
        return  # of other scripts, where nothing can be compared
    (found,) = rank_sources(source, [usual])
    if found.distance > NEAR:
        log.warning(
            "%s: lies %.2f from %s, the kind of source that the base model has learned to read (0: alike, 1: nothing in common). "
            "Drawn from one at 0.2, glyphs lay 6 %% farther from the true ones, from one at 0.4 10 %% (docs/base.md). Leave source out to take %s.",
            source.path.name, found.distance, usual, usual,
        )  # fmt: skip
