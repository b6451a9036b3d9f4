"""Contours that enclose nothing: no renderer draws them, and some programs stumble over them."""

import logging
from dataclasses import replace
from typing import Any

from fontTools.pens.areaPen import AreaPen
from fontTools.pens.roundingPen import RoundingPen

from fontgan.errors import shorten
from fontgan.fontfile.glyphs import MAX_COORDINATE
from fontgan.fontfile.outline import DrawnGlyph, Outline, is_space

log = logging.getLogger(__name__)

NO_AREA = 1e-3  # square units; what is more is no error of rounding
MUCH_AREA = MAX_COORDINATE  # square units; what is more is not lost by rounding to whole units


def with_ink(glyphs: list[DrawnGlyph], where: str) -> list[DrawnGlyph]:
    """The glyphs without contours that enclose nothing in whole units, and without those of which nothing is left.

    A space is kept. The log names both; ``where`` is what they come from.
    """
    kept, mended, gone = [], [], []
    for glyph in glyphs:
        outline = _without_flat(glyph.outline)
        if outline is not glyph.outline and not outline.calls and not is_space(glyph.char):
            gone.append(glyph.char)
            continue
        if outline is not glyph.outline:
            mended.append(glyph.char)
        kept.append(replace(glyph, outline=outline))
    if mended:
        log.warning(
            "%s: %d glyphs have contours that enclose nothing, which are left out: %s. Look at them in a font editor.",
            where, len(mended), shorten(mended),
        )  # fmt: skip
    if gone:
        log.warning(
            "%s: %d glyphs enclose nothing and are left out: %s. Draw them in a font editor if they are wanted.",
            where, len(gone), shorten(gone),
        )  # fmt: skip
    return kept


def _without_flat(outline: Outline) -> Outline:
    """The same outline if each contour encloses something; else one of the others, empty if they draw nothing."""
    contours: list[list[tuple[str, tuple[Any, ...]]]] = []
    for call in outline.calls:
        if call[0] == "moveTo":
            contours.append([])
        contours[-1].append(call)
    parts = [Outline(tuple(contour)) for contour in contours]
    areas = [_area(part) for part in parts]
    drawn = [part for part, area in zip(parts, areas, strict=True) if abs(area) > MUCH_AREA or _has_ink(part)]
    if len(drawn) < len(parts):
        outline = Outline(tuple(call for part in drawn for call in part.calls))
    return outline if not drawn or abs(sum(areas)) > MUCH_AREA or _has_ink(outline) else Outline()


def _area(outline: Outline) -> float:
    """What is inside, in square units; less of it if contours are wound against each other or cross."""
    pen = AreaPen()
    outline.draw(pen)
    return float(pen.value)


def _has_ink(outline: Outline) -> bool:
    """Whether anything is inside, by the rule of non-zero winding, once the outline is in whole units."""
    whole = outline.redrawn(RoundingPen)
    if abs(_area(whole)) > NO_AREA:
        return True
    import pathops

    # Areas of two signs may cancel, as those of an eight: apart, they do not.
    path = pathops.Path()
    whole.draw(path.getPen(glyphSet=None))
    path.simplify(fix_winding=True)
    return sum(abs(contour.area) for contour in path.contours) > NO_AREA
