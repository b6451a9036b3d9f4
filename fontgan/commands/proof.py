"""fontgan proof: one page that shows a font's made glyphs and text set in it."""

from __future__ import annotations

import logging

from omegaconf import DictConfig

from fontgan.errors import ConfigError, shorten
from fontgan.report.proof import check_name, write_proof
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> int:
    """Writes the page. Returns: 0."""
    out = user_path(cfg.out)
    check_name(out)
    if out.exists() and not cfg.overwrite:
        raise ConfigError(f"out={out}: is there already. Name another file, or overwrite=true.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out={out}: its folder cannot be made ({error.strerror}). Name another.") from error
    proof = write_proof(
        user_path(cfg.font), out, target=cfg.target, source=cfg.source, checks=cfg.checks, text=cfg.text
    )
    flagged = f", {len(proof.flagged)} of them doubtful: {shorten(proof.flagged)}" if proof.flagged else ""
    log.info("%s (%.1f MB): %d made glyphs%s", out, proof.page_bytes / 1e6, proof.made, flagged)
    if proof.missing:
        log.warning("%d characters are not in the font: %s", len(proof.missing), shorten(proof.missing))
    return 0
