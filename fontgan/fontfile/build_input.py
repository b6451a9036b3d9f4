"""What a font is built of: a UFO, or a folder of glyph images that are traced."""

import logging
from pathlib import Path
from typing import Any

from fontgan.errors import DataError
from fontgan.fontfile.ink import with_ink
from fontgan.fontfile.layout import Layout
from fontgan.fontfile.metrics import choose_layout
from fontgan.fontfile.outline import DrawnGlyph, is_space
from fontgan.fontfile.target import Target
from fontgan.fontfile.ufo import UfoFont, is_ufo, read_ufo
from fontgan.fontfile.vectorize import vectorize_folder

log = logging.getLogger(__name__)


def open_ufo(source: Path) -> UfoFont | None:
    """The UFO that the input is, None if it is a folder of images. Raises: DataError if it is neither, or empty."""
    if not source.exists():
        raise DataError(f"input={source}: no such UFO or folder. Check the path; relative ones start at this folder.")
    if not is_ufo(source):
        if not source.is_dir():
            raise DataError(f"input={source}: is neither a UFO nor a folder of glyph images. Give one of these.")
        return None
    ufo = read_ufo(source)
    ufo.say_left_out(source)
    if not any(glyph.outline.calls for glyph in ufo.glyphs):
        raise DataError(f"input={source}: has no glyph that is drawn and stands for a character. Give it unicodes.")
    return ufo


def lacking(target: Target, chars: list[str]) -> list[str]:
    """The characters to add: not mapped, mapped to no ink, or to the font's missing-glyph box.

    A space that the font maps is none of them. Raises: DataError if there are none.
    """
    there, drawn = set(target.glyphs.characters()), set(target.glyphs.coverage(chars).drawn)
    wanted = [char for char in chars if char not in drawn and not (is_space(char) and char in there)]
    if not wanted:
        raise DataError(f"target={target.spec}: has all {len(chars)} characters of the input. Nothing is to be added.")
    if len(wanted) < len(chars):
        log.info("%d of %d characters are added; the target has the others.", len(wanted), len(chars))
    return wanted


def read_glyphs(
    source: Path, ufo: UfoFont | None, target: Target | None, chars: list[str], **tracing: Any
) -> tuple[list[DrawnGlyph], Layout, list[str]]:
    """Glyphs of an input in units of the font to be made, what these are, and the characters of unreadable images.

    Images are traced by ``vectorize_folder``, which has the settings of ``tracing``.
    """
    if ufo is None:
        layout = choose_layout(source, target=target.glyphs if target else None)
        glyphs, unreadable = vectorize_folder(source, chars=chars, layout=layout, **tracing)
        return glyphs, layout, unreadable
    em = target.glyphs.units_per_em if target else ufo.units_per_em
    if em != ufo.units_per_em:
        log.info("the UFO's outlines are scaled from %d to the target's %d units per em.", ufo.units_per_em, em)
    wanted = set(chars)
    glyphs = with_ink([glyph for glyph in ufo.glyphs_at(em) if glyph.char in wanted], str(source))
    if not any(glyph.outline.calls for glyph in glyphs):
        raise DataError(f"input={source}: none of its glyphs encloses anything. Draw them in a font editor.")
    return glyphs, Layout(em, ufo.baseline * em / ufo.units_per_em), []
