"""Which canvas a style is drawn on: chosen by its own glyphs, and wider where others that come onto it need more room."""

from collections.abc import Sequence

from fontgan.data.frame import Box, Frame, clips, fit_all, fit_most
from fontgan.data.glyphs import GlyphSource
from fontgan.data.image_source import FolderGlyphs

CUT = 0.02  # of the canvas; a source that loses no more than that at an edge can still be read
FEW = 0.01  # share of glyphs; as many may be cut off before the canvas widens, and are named


def choose_canvas(glyphs: GlyphSource, boxes: Sequence[Box], size: int, margin: float) -> Frame:
    """A style's own cell -> canvas pixels, so that its glyphs are drawn there as they are.

    Of a font the em square, with room for the ink of nearly all glyphs; of a folder what its images show.
    """
    if not isinstance(glyphs, FolderGlyphs) or (view := glyphs.usual_view) is None:
        return fit_most(list(boxes), size, margin)
    scale = size / view.side
    return view.cell.compose(Frame(scale, (size - scale * view.width) / 2, (size - scale * view.height) / 2))


def widen_canvas(
    canvas: Frame, own: Sequence[Box], source: Sequence[Box], made: Sequence[Box], size: int, margin: float
) -> Frame:
    """The canvas of a font, or a smaller scale and another place where glyphs would be cut off: more than a few of its own
    or of its source's, or any that is still to be made. Latin letters and accents often reach out of the em.

    Args:
        own, source, made: ink in the font's own cell, of the source and of what is to be drawn from it as aligned.
    """

    few_cut = all(
        sum(is_cut(canvas.box(box), size, edge) for box in boxes) <= FEW * len(boxes)
        for boxes, edge in ((own, 0.0), (source, CUT * size))
    )
    if few_cut and not any(is_cut(canvas.box(box), size) for box in made):
        return canvas
    return fit_all([*own, *source, *made], size, margin)


def cut_off(frame: Frame, boxes: dict[str, Box], size: int, edge: float = 0.0) -> list[str]:
    """Characters whose ink, brought to the canvas by ``frame``, reaches over it by more than ``edge`` pixels."""
    return [char for char, box in boxes.items() if is_cut(frame.box(box), size, edge)]


def is_cut(box: Box, size: int, edge: float = 0.0) -> bool:
    """Whether a box in canvas pixels reaches over the canvas by more than ``edge`` pixels."""
    return clips(Frame(1, edge, edge).box(box), size + 2 * edge)
