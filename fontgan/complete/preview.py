"""A typeface as the base model draws it without training: in the style of those it knows that comes nearest."""

from dataclasses import dataclass

import numpy as np

from fontgan.complete.untrained import STYLE, open_untrained
from fontgan.data.charset import resolve, visible
from fontgan.data.glyphs import GlyphSource
from fontgan.data.region import characters_of, region_of, set_to_complete
from fontgan.data.sources import Spec, open_glyphs
from fontgan.errors import DataError, shorten
from fontgan.generate.inference import Run
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.subsample import subsample_evenly
from fontgan.training.nearest_style import COMPARED

COLUMNS = 14  # glyphs of a row of the sheet


@dataclass(frozen=True)
class Preview:
    """Args:
    rows: label and glyphs, (H, W) uint8, 0 ink .. 255 paper, as ``contact_sheet`` takes them.
    told: which style of the base is nearest, in a sentence.
    """

    rows: list[tuple[str, list[np.ndarray]]]
    told: str


def preview(target: str, source: Spec, text: str | None, *, device: str, precision: str) -> Preview:
    """Draws known and other characters of a typeface in the nearest style of the base model.

    Args:
        target: a font or a folder of glyph images.
        source: what to draw from.
        text: characters to draw, or a .txt file of them; None takes some that the target lacks.
    Raises: UserError; DataError if target and source share nothing, or the source lacks what is to be drawn.
    """
    drawn, complete = open_glyphs(target), open_glyphs(source)
    has = characters_of(drawn)
    region = region_of(has)
    alike = {char for name in region.sets for char in resolve(name) or ()}
    common = complete.coverage([char for char in has if char in alike]).present or complete.coverage(has).present
    known = subsample_evenly(common, COMPARED)
    if not known:
        raise DataError(f"{target}: shares no character with {source}. Choose another source.")
    wanted = _chars_of(text) if text is not None else _lacking(set_to_complete(region, has), has)
    there = complete.coverage(wanted).present
    if text is not None and len(there) < len(wanted):
        raise DataError(f"text: {source} lacks {shorten(sorted(set(wanted) - set(there)))}. Leave them out.")
    with quiet("fontgan"):
        run, nearest = open_untrained(target, source, known, device=device, precision=precision)
    shown = subsample_evenly([char for char in known if char in run.manifest["trained"]], COLUMNS)
    frame = run.placement(STYLE).canvas
    rows = [
        ("yours", [drawn.rasterize(char, frame, run.size) for char in shown]),
        ("drawn", _draw(run, complete, shown)),
        *(
            (label, glyphs)
            for start in range(0, len(there), COLUMNS)
            for label, glyphs in (
                ("source", list(run.source_pixels(complete, there[start : start + COLUMNS], STYLE))),
                ("drawn", _draw(run, complete, there[start : start + COLUMNS])),
            )
        ),
    ]
    return Preview(rows, f"of the styles that the base knows, {nearest} draws {target} best")


def _chars_of(text: str) -> list[str]:
    return resolve(text, "text") or [] if text.lower().endswith(".txt") else visible(text)


def _lacking(charset: str, has: list[str]) -> list[str]:
    there = set(has)
    return subsample_evenly([char for char in resolve(charset) or () if char not in there], 2 * COLUMNS)


def _draw(run: Run, glyphs: GlyphSource, chars: list[str]) -> list[np.ndarray]:
    view = run.view(STYLE, extent="canvas")
    return list(run.stylise(run.inputs(glyphs, chars, STYLE), STYLE, view=view)) if chars else []
