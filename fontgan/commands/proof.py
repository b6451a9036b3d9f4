"""fontgan proof: one page that shows a font's made glyphs and text set in it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fontgan.config.limits import MISSING
from fontgan.errors import shorten
from fontgan.runtime.files import make_folder_of, out_file, user_path

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

ORDER = 120
SUMMARY = "show a font's made glyphs, the doubtful first, and text set in it, in one page"
EXAMPLES = ("fontgan proof font=MyFont-complete.ttf target=MyFont.ttf source=NotoSansSC.ttf out=proof.html",)


@dataclass
class Config:
    font: str = MISSING
    out: str = MISSING
    target: str | None = MISSING
    source: str | None = MISSING
    checks: str | None = MISSING
    text: str | None = MISSING
    overwrite: bool = MISSING


def main(cfg: DictConfig) -> int:
    """Writes the page. Returns: 0."""
    from fontgan.report.proof import write_proof

    out = out_file("out", cfg.out, ".html", ".htm", overwrite=cfg.overwrite, make_folder=True)
    make_folder_of(out)
    proof = write_proof(
        user_path(cfg.font), out, target=cfg.target, source=cfg.source, checks=cfg.checks, text=cfg.text
    )
    flagged = f", {len(proof.flagged)} of them doubtful: {shorten(proof.flagged)}" if proof.flagged else ""
    log.info("%s (%.1f MB): %d made glyphs%s", out, out.stat().st_size / 1e6, proof.made, flagged)
    if proof.missing:
        log.warning("%d characters are not in the font: %s", len(proof.missing), shorten(proof.missing))
    return 0
