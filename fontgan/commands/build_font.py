"""fontgan build-font: a font file of a UFO or of glyph images, new or added to another."""

import logging
from dataclasses import dataclass, replace

from fontgan.config.schema import MISSING, FontFileConfig, ImagesConfig, OutConfig, TracingConfig, limited
from fontgan.data.refusal import KINDS
from fontgan.errors import ConfigError
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

ORDER = 110
SUMMARY = "make a font file of outlines or glyph images: a new font, or what a font lacks added to it"
EXAMPLES = (
    "fontgan build-font input=drawn.ufo target=MyFont.ttf out=MyFont-complete.ttf",
    "fontgan build-font input=my-glyphs/ family='My Hand' out=MyHand.ttf",
)


@dataclass
class Config(OutConfig, TracingConfig, FontFileConfig, ImagesConfig):
    input: str = MISSING
    target: str | None = MISSING
    style_name: str | None = MISSING
    note: str | None = MISSING
    workers: int | None = limited(1)
    allow: list[str] = limited(choices=KINDS)


def conflicts(cfg: Config, typed: set[str]) -> None:
    """Raises: ConfigError for settings of tracing where nothing is traced."""
    if str(cfg.input).lower().endswith((".ufo", ".ufoz")):
        for key in sorted(typed & {"speck", "workers", "allow"}):
            written = f"{key}={getattr(cfg, key)}"
            raise ConfigError(f"{written}: is about tracing images, and input={cfg.input} is a UFO. Leave it out.")


def main(cfg: Config) -> int:
    """Builds the font. Returns: 0, or 1 if some images could not be read."""
    from fontgan.fontfile import names
    from fontgan.fontfile.build_input import lacking, open_ufo, read_glyphs
    from fontgan.fontfile.create import create_font
    from fontgan.fontfile.credits import Credits
    from fontgan.fontfile.extend import extend_font
    from fontgan.fontfile.licence import check_licence
    from fontgan.fontfile.target import check_limits, check_out, open_target
    from fontgan.fontfile.vectorize import open_images

    names.check_name("family", cfg.family)
    names.check_name("style_name", cfg.style_name)
    source, out = user_path(cfg.input), user_path(cfg.out)
    target = open_target(cfg.target) if cfg.target is not None else None
    read = (source, target.glyphs.path) if target else (source,)
    check_out(out, outlines=target.outlines if target else None, overwrite=cfg.overwrite, others=read)
    if target:
        for finding in check_licence(
            target.font, confirm_ownership=cfg.confirm_ownership, family=cfg.family, where=f"target {target.spec}"
        ):
            log.info("%s", finding)
    elif cfg.confirm_ownership:
        raise ConfigError("confirm_ownership: is about a target, and there is none. Leave it out.")
    credits = Credits.of(cfg)
    credits.check(target.font if target else None, confirm_ownership=cfg.confirm_ownership)
    ufo = open_ufo(source)
    chars = [glyph.char for glyph in ufo.glyphs] if ufo else list(open_images(source, None, cfg.allow))
    if target:
        chars = lacking(target, chars)
    check_limits(target, chars)
    if target:
        family, style = cfg.family or names.family_of(target.font), cfg.style_name or names.style_of(target.font)
    else:
        family = cfg.family if cfg.family is not None else (ufo.family if ufo else "") or out.stem
        style = cfg.style_name or (ufo.style if ufo else "") or "Regular"
    if not target or cfg.family or cfg.style_name:
        names.check_lengths(family, style)
    glyphs, layout, unreadable = read_glyphs(
        source, ufo, target, chars, tolerance=cfg.tolerance, speck=cfg.speck, workers=cfg.workers, allow=cfg.allow
    )
    if target:
        if target.changes_first:
            log.info("%s", target.changes_first)
        extend_font(
            target, glyphs, out,
            family=cfg.family, style_name=cfg.style_name, credits=credits, note=cfg.note, tolerance=cfg.tolerance,
        )  # fmt: skip
    else:
        if ufo and credits.copyright is None:
            credits = replace(credits, copyright=ufo.copyright or None)
        create_font(
            glyphs, out,
            family=family, style_name=style, credits=credits, note=cfg.note, units_per_em=layout.units_per_em,
            baseline=layout.baseline, tolerance=cfg.tolerance,
        )  # fmt: skip
    where = f"added to those of {target.spec}" if target else "in a new font"
    log.info("%d glyphs %s: %s", len(glyphs), where, out)
    return 1 if unreadable else 0
