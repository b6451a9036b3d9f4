"""A character as the source draws it, on the canvas of glyphs by hand."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from fontgan.data.glyphs import GlyphSource
from fontgan.data.sources import open_glyphs
from fontgan.errors import UserError
from fontgan.studio.commands import first_source
from fontgan.studio.project import Project

PX = 512


def source_picture(project: Project, char: str) -> bytes | None:
    """A PNG of ``PX`` a side; None where the source lacks the character, or cannot be read."""
    from fontgan.handwriting.sheet import canvas_frame

    spec = first_source(project)
    try:
        glyphs = _opened(str(project.folder / spec) if spec.startswith("in/") else spec)
        if char not in glyphs.coverage([char]).present:
            return None
        return png_of(glyphs.rasterize(char, canvas_frame(PX), PX))
    except UserError:
        return None


@lru_cache(maxsize=4)
def _opened(spec: str) -> GlyphSource:
    return open_glyphs(spec)


def png_of(image: np.ndarray) -> bytes:
    """Grey levels (H, W) uint8 as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
