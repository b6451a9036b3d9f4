"""fontgan scan: scanned or photographed template pages -> a folder of glyph images."""

import logging
from dataclasses import dataclass
from typing import Any

from fontgan.config.schema import MISSING, OutConfig, limited
from fontgan.data.frame import SIZES
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

ORDER = 150
SUMMARY = "cut scanned or photographed template pages into a folder of glyph images"
EXAMPLES = (
    "fontgan scan 'pages=photos/*.jpg' out=my-glyphs",
    "fontgan scan 'pages=photos/*.jpg' out=my-glyphs cells=my-cells",
)


@dataclass
class Config(OutConfig):
    pages: Any = MISSING
    size: int = limited(choices=SIZES)
    report: str | None = MISSING
    cells: str | None = MISSING


def main(cfg: Config) -> int:
    """Cuts the pages. Returns: 0, or 1 if some pictures could not be read (the rest is done)."""
    from fontgan.handwriting.sheet import need_opencv

    need_opencv()
    import cv2
    from omegaconf import ListConfig

    from fontgan.handwriting.harvest import check_cells, check_report, cut_pages
    from fontgan.handwriting.pictures import find_pictures
    from fontgan.runtime.cores import usable_cores

    cv2.setNumThreads(usable_cores())
    out = user_path(cfg.out)
    beside = out.resolve().parent / f"{out.resolve().name}-doubtful.png"
    report = beside if cfg.report is None else user_path(cfg.report)
    check_report(cfg.report, report, out)
    cells = None if cfg.cells is None else user_path(cfg.cells)
    if cells:
        check_cells(cells, out)
    files = find_pictures([str(p) for p in cfg.pages] if isinstance(cfg.pages, ListConfig) else str(cfg.pages))
    failed = cut_pages(files, out, report, cells, size=cfg.size, overwrite=cfg.overwrite)
    for message in failed:
        log.error("%s", message)
    if failed:
        log.error("%d of %d pictures could not be read; the rest is done.", len(failed), len(files))
    if len(failed) < len(files):
        log.info("to go on: fontgan preview target=%s; then fontgan complete target=%s", cfg.out, cfg.out)
    return 1 if failed else 0
