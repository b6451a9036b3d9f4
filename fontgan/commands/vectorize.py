"""fontgan vectorize: a folder of glyph images as a UFO."""

from __future__ import annotations

import logging
from dataclasses import replace

from omegaconf import DictConfig

from fontgan.data import charset as charsets
from fontgan.errors import ConfigError, shorten
from fontgan.fontfile import names
from fontgan.fontfile.metrics import choose_layout
from fontgan.fontfile.target import open_target
from fontgan.fontfile.trace import to_quadratic
from fontgan.fontfile.ufo import check_ufo_out, write_ufo
from fontgan.fontfile.vectorize import check_tracing, open_images, vectorize_folder
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

CURVES = ("cubic", "quadratic", "auto")


def main(cfg: DictConfig) -> int:
    """Traces the images. Returns: 0, or 1 if some could not be read."""
    if cfg.curves not in CURVES:
        raise ConfigError(f"curves={cfg.curves}: choose one of {', '.join(CURVES)}.")
    check_tracing(cfg.tolerance, cfg.speck, cfg.workers)
    folder, out = user_path(cfg.input), user_path(cfg.out)
    check_ufo_out(out, overwrite=cfg.overwrite)
    chars = charsets.resolve(cfg.charset) if cfg.charset is not None else None
    open_images(folder, chars)
    target = open_target(cfg.target) if cfg.target is not None else None
    layout = choose_layout(
        folder, target=target.glyphs if target else None, units_per_em=cfg.units_per_em, baseline=cfg.baseline
    )
    found = vectorize_folder(
        folder, chars=chars, layout=layout, tolerance=cfg.tolerance, speck=cfg.speck, workers=cfg.workers
    )
    glyphs = found.glyphs
    quadratic = cfg.curves == "quadratic" or (cfg.curves == "auto" and target is not None and target.outlines == "glyf")
    if quadratic:
        most = cfg.tolerance * layout.units_per_em / 1000
        glyphs = [replace(glyph, outline=to_quadratic(glyph.outline, most)) for glyph in glyphs]
    write_ufo(
        out,
        glyphs,
        units_per_em=layout.units_per_em,
        baseline=layout.baseline,
        family=names.family_of(target.font) if target else "",
        style=names.style_of(target.font) if target else "Regular",
    )
    log.info(
        "%d glyphs in %s: %s curves, %d units per em, baseline %g below the top",
        *(len(glyphs), out, "quadratic" if quadratic else "cubic", layout.units_per_em, layout.baseline),
    )
    if found.unreadable:
        log.warning("%d images could not be read: %s", len(found.unreadable), shorten(found.unreadable))
    return 1 if found.unreadable else 0
