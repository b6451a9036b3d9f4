"""What a result shows: the target's own cell, or the run's whole canvas."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from fontgan.data.frame import Frame
from fontgan.data.image_source import resample
from fontgan.data.view import View
from fontgan.errors import DataError
from fontgan.runtime.distributed import is_main

log = logging.getLogger(__name__)

EXTENTS = ("cell", "canvas")
MOST_CUT = 0.1  # share of a font's glyphs that images of its em may cut


def choose_view(style: object, members: Sequence[dict[str, Any]], canvas: View, extent: str) -> View:
    """What images of a style show; ``fontgan.generate.inference.Run.view`` tells the rule.

    Args:
        members: what the run's manifest says of the style, or of those in a mixture, the one of most weight first.
    Raises: DataError for an unknown extent.
    """
    if extent not in EXTENTS:
        raise DataError(f"extent={extent}: choose {' or '.join(EXTENTS)}.")
    if extent == "canvas":
        return canvas
    beyond = max(0.0 if entry.get("view") else entry.get("beyond_em", 0.0) for entry in members)
    if beyond > MOST_CUT:
        if is_main():
            told = (
                "%s: %.0f %% of its glyphs reach out of the em, so results show the canvas around it, not the em alone"
            )
            log.warning(f"{told}; manifest.json says where it lies.", style, 100 * beyond)
        return canvas
    own = members[0].get("view")
    if own:
        return View.from_dict(own)
    side = round(canvas.cell.scale)  # so that pixels of the canvas stay pixels, where its em is a whole number of them
    return View.of_em(side, side)


def show(drawn: np.ndarray, to_view: Frame, view: View) -> np.ndarray:
    """A drawn glyph, (size, size) uint8, as a view shows it, (H, W); ``to_view`` maps the pixels of both."""
    if to_view == Frame() and drawn.shape == (view.height, view.width):
        return drawn
    return resample(drawn, to_view, view.side)[: view.height, : view.width]
