"""What a font is built of: a UFO, or a folder of glyph images that are traced."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from fontgan.errors import DataError, shorten
from fontgan.fontfile.metrics import choose_layout, scaled_glyphs
from fontgan.fontfile.outline import DrawnGlyph
from fontgan.fontfile.target import Target, lacking
from fontgan.fontfile.ufo import UfoFont, is_ufo, read_ufo
from fontgan.fontfile.vectorize import vectorize_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildInput:
    """What the input gives, in units of the font to be made."""

    glyphs: list[DrawnGlyph]
    units_per_em: int
    baseline: float
    unreadable: list[str]


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


def from_ufo(ufo: UfoFont, target: Target | None, chars: list[str]) -> BuildInput:
    wanted = set(chars)
    glyphs = [glyph for glyph in ufo.glyphs if glyph.char in wanted]
    em = target.glyphs.units_per_em if target else ufo.units_per_em
    if em != ufo.units_per_em:
        log.info("the UFO's outlines are scaled from %d to the target's %d units per em.", ufo.units_per_em, em)
        glyphs = scaled_glyphs(glyphs, em / ufo.units_per_em)
    return BuildInput(glyphs, em, ufo.baseline * em / ufo.units_per_em, [])


def from_images(
    folder: Path, target: Target | None, chars: list[str], *, tolerance: float, speck: float, workers: int | None
) -> BuildInput:
    layout = choose_layout(folder, target=target.glyphs if target else None)
    found = vectorize_folder(folder, chars=chars, layout=layout, tolerance=tolerance, speck=speck, workers=workers)
    return BuildInput(found.glyphs, layout.units_per_em, layout.baseline, found.unreadable)
