"""fontgan proof: one page that shows a font's made glyphs and text set in it."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING, OutConfig
from fontgan.errors import shorten
from fontgan.runtime.files import make_folder_of, out_file, user_path

log = logging.getLogger(__name__)

ORDER = 120
SUMMARY = "show a font's made glyphs, the doubtful first, and text set in it, in one page"
EXAMPLES = ("fontgan proof font=MyFont-complete.ttf target=MyFont.ttf source=NotoSansSC.ttf out=proof.html",)


@dataclass
class Config(OutConfig):
    font: str = MISSING
    target: str | None = MISSING
    source: str | None = MISSING
    checks: str | None = MISSING
    text: str | None = MISSING


def main(cfg: Config) -> int:
    """Writes the page. Returns: 0."""
    from fontgan.report.proof import write_proof

    out = out_file("out", cfg.out, ".html", ".htm", overwrite=cfg.overwrite, make_folder=True)
    make_folder_of(out)
    font = user_path(cfg.font)
    proof = write_proof(font, out, target=cfg.target, source=cfg.source, checks=cfg.checks, text=cfg.text)
    flagged = f", {len(proof.flagged)} of them doubtful: {shorten(proof.flagged)}" if proof.flagged else ""
    log.info("%s (%.1f MB): %d made glyphs%s", out, out.stat().st_size / 1e6, proof.made, flagged)
    if proof.missing:
        log.warning("%d characters are not in the font: %s", len(proof.missing), shorten(proof.missing))
    return 0
