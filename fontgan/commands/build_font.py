"""fontgan build-font: a font file of a UFO or of glyph images, new or added to another."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from fontgan.errors import ConfigError, DataError, shorten
from fontgan.fontfile import names
from fontgan.fontfile.create import create_font
from fontgan.fontfile.extend import Built, extend_font
from fontgan.fontfile.licence import check_licence
from fontgan.fontfile.metrics import choose_layout, scaled_glyphs
from fontgan.fontfile.outline import DrawnGlyph
from fontgan.fontfile.target import Target, check_limits, check_out, lacking, open_target
from fontgan.fontfile.ufo import UfoFont, is_ufo, read_ufo
from fontgan.fontfile.vectorize import check_tracing, open_images, vectorize_folder
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """What the input gives, in units of the font to be made."""

    glyphs: list[DrawnGlyph]
    units_per_em: int
    baseline: float
    unreadable: list[str]


def main(cfg: DictConfig) -> int:
    """Builds the font. Returns: 0, or 1 if some images could not be read."""
    check_tracing(cfg.tolerance, cfg.speck, cfg.workers)
    for key in ("family", "style_name"):
        names.check_name(key, cfg[key])
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
    ufo = open_ufo(source)
    chars = [glyph.char for glyph in ufo.glyphs] if ufo else list(open_images(source, None))
    if target:
        chars = what_lacks(target, chars)
    check_limits(target, chars)
    drawn = from_ufo(ufo, target, chars) if ufo else from_images(cfg, source, target, chars)
    if target:
        if target.changes_first:
            log.info("%s", target.changes_first)
        built = extend_font(
            target, drawn.glyphs, out, family=cfg.family, style_name=cfg.style_name, note=cfg.note, tolerance=cfg.tolerance
        )  # fmt: skip
    else:
        built = create_font(
            drawn.glyphs, out,
            family=cfg.family if cfg.family is not None else (ufo.family if ufo else "") or out.stem,
            style_name=cfg.style_name or (ufo.style if ufo else "") or "Regular", note=cfg.note,
            units_per_em=drawn.units_per_em, baseline=drawn.baseline, tolerance=cfg.tolerance,
            copyright_text=ufo.copyright if ufo else "",
        )  # fmt: skip
    say(built, target)
    if drawn.unreadable:
        log.warning("%d images could not be read: %s", len(drawn.unreadable), shorten(drawn.unreadable))
    return 1 if drawn.unreadable else 0


def open_ufo(source: Path) -> UfoFont | None:
    """The UFO that the input is, None if it is a folder of images. Raises: DataError if it is neither, or empty."""
    if not source.exists():
        raise DataError(f"input={source}: no such UFO or folder. Check the path; relative ones start at this folder.")
    if not is_ufo(source):
        if not source.is_dir():
            raise DataError(f"input={source}: is neither a UFO nor a folder of glyph images. Give one of these.")
        return None
    ufo = read_ufo(source)
    if ufo.nameless:
        log.info(
            "%s: %d glyphs stand for no character and are left out: %s",
            source,
            len(ufo.nameless),
            shorten(ufo.nameless),
        )
    if ufo.empty:
        log.warning("%s: %d glyphs hold no contour and are left out: %s", source, len(ufo.empty), shorten(ufo.empty))
    if not any(glyph.outline.calls for glyph in ufo.glyphs):
        raise DataError(f"input={source}: has no glyph that is drawn and stands for a character. Give it unicodes.")
    return ufo


def what_lacks(target: Target, chars: list[str]) -> list[str]:
    """The characters to add. Raises: DataError if there are none."""
    wanted = lacking(target, chars)
    if not wanted:
        raise DataError(
            f"target={target.spec}: has all {len(chars)} characters of the input already, so there is nothing to add."
        )
    if len(wanted) < len(chars):
        log.info("%d of %d characters are added; the target has the others.", len(wanted), len(chars))
    return wanted


def from_ufo(ufo: UfoFont, target: Target | None, chars: list[str]) -> Drawn:
    wanted = set(chars)
    glyphs = [glyph for glyph in ufo.glyphs if glyph.char in wanted]
    em = target.glyphs.units_per_em if target else ufo.units_per_em
    if em != ufo.units_per_em:
        log.info("the UFO's outlines are scaled from %d to the target's %d units per em.", ufo.units_per_em, em)
        glyphs = scaled_glyphs(glyphs, em / ufo.units_per_em)
    return Drawn(glyphs, em, ufo.baseline * em / ufo.units_per_em, [])


def from_images(cfg: DictConfig, folder: Path, target: Target | None, chars: list[str]) -> Drawn:
    layout = choose_layout(folder, target=target.glyphs if target else None)
    found = vectorize_folder(
        folder, chars=chars, layout=layout, tolerance=cfg.tolerance, speck=cfg.speck, workers=cfg.workers
    )
    return Drawn(found.glyphs, layout.units_per_em, layout.baseline, found.unreadable)


def say(built: Built, target: Target | None) -> None:
    for warning in built.warnings:
        log.warning("%s", warning)
    if built.verified:
        log.info("%s", built.verified)
    log.info(
        "%d glyphs %s: %s", built.glyphs, f"added to those of {target.spec}" if target else "in a new font", built.out
    )
