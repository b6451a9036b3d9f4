"""fontgan vectorize: a folder of glyph images as a UFO."""

import logging
from dataclasses import dataclass, replace

from fontgan.config.schema import MISSING, ImagesConfig, OutConfig, TracingConfig, limited
from fontgan.data.refusal import KINDS
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

ORDER = 100
SUMMARY = "turn glyph images into outlines: a UFO that font editors open"
EXAMPLES = (
    "fontgan vectorize input=drawn out=drawn.ufo",
    "fontgan vectorize input=drawn target=MyFont.ttf out=drawn.ufo",
)


@dataclass
class Config(OutConfig, TracingConfig, ImagesConfig):
    input: str = MISSING
    target: str | None = MISSING
    charset: str | None = MISSING
    units_per_em: int | None = limited(16, 16384)
    baseline: float | None = limited(above=0, below=2)  # of the em
    curves: str = limited(choices=("cubic", "quadratic", "auto"))
    workers: int | None = limited(1)
    allow: list[str] = limited(choices=KINDS)


def main(cfg: Config) -> int:
    """Traces the images. Returns: 0, or 1 if some could not be read."""
    from fontgan.data import charset as charsets
    from fontgan.fontfile import names
    from fontgan.fontfile.metrics import choose_layout
    from fontgan.fontfile.target import open_target
    from fontgan.fontfile.trace import to_quadratic
    from fontgan.fontfile.ufo import check_ufo_out, write_ufo
    from fontgan.fontfile.vectorize import open_images, vectorize_folder

    folder, out = user_path(cfg.input), user_path(cfg.out)
    check_ufo_out(out, overwrite=cfg.overwrite)
    chars = charsets.resolve(cfg.charset) if cfg.charset is not None else None
    open_images(folder, chars, cfg.allow)
    target = open_target(cfg.target) if cfg.target is not None else None
    own = target.glyphs if target else None
    layout = choose_layout(folder, target=own, units_per_em=cfg.units_per_em, baseline=cfg.baseline)
    glyphs, unreadable = vectorize_folder(
        folder,
        chars=chars,
        layout=layout,
        tolerance=cfg.tolerance,
        speck=cfg.speck,
        workers=cfg.workers,
        allow=cfg.allow,
    )
    quadratic = cfg.curves == "quadratic" or (cfg.curves == "auto" and target and target.outlines == "glyf")
    if quadratic:
        most = cfg.tolerance * layout.units_per_em / 1000
        glyphs = [replace(glyph, outline=to_quadratic(glyph.outline, most)) for glyph in glyphs]
    family, style = (names.family_of(target.font), names.style_of(target.font)) if target else ("", "Regular")
    write_ufo(out, glyphs, units_per_em=layout.units_per_em, baseline=layout.baseline, family=family, style=style)
    log.info(
        "%d glyphs in %s: %s curves, %d units per em, baseline %g below the top",
        *(len(glyphs), out, "quadratic" if quadratic else "cubic", layout.units_per_em, layout.baseline),
    )
    return 1 if unreadable else 0
