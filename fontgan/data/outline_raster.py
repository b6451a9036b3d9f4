"""A FreeType outline -> pixels, by FreeType's antialiasing rasteriser."""

from __future__ import annotations

import ctypes

import freetype
import numpy as np

from fontgan.data.glyphs import PAPER


def rasterize_outline(outline: freetype.Outline, scale: float, x: float, y: float, size: int) -> np.ndarray:
    """Draws an unscaled outline, which is used up.

    Args:
        scale: pixels of a font unit.
        x, y: where the outline's origin lies on the canvas, in pixels from its bottom left corner.
    Returns: (size, size) uint8, 0 ink .. 255 paper. Raises: freetype.FT_Exception.
    """
    # Font units -> canvas in 26.6 pixels, y up as FreeType wants it.
    matrix = freetype.FT_Matrix(round(scale * 64 * 65536), 0, 0, round(scale * 64 * 65536))
    raw = ctypes.byref(outline._FT_Outline)
    freetype.FT_Outline_Transform(raw, ctypes.byref(matrix))
    freetype.FT_Outline_Translate(raw, round(x * 64), round(y * 64))
    pixels = np.zeros((size, size), dtype=np.uint8)
    bitmap = freetype.FT_Bitmap(
        size, size, size, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte)), 256, freetype.FT_PIXEL_MODE_GRAY
    )
    error = freetype.FT_Outline_Get_Bitmap(freetype.get_handle(), raw, ctypes.byref(bitmap))
    if error:
        raise freetype.FT_Exception(error)
    return PAPER - pixels


def outline_bytes(face: freetype.Face) -> bytes:
    """The loaded outline as bytes to compare: its arrays as FreeType holds them, since lists of points are slow."""
    outline = face.glyph._FT_GlyphSlot.contents.outline
    return b"".join(
        ctypes.string_at(array, count * ctypes.sizeof(array._type_))
        for array, count in (
            (outline.points, outline.n_points),
            (outline.tags, outline.n_points),
            (outline.contours, outline.n_contours),
        )
    )
