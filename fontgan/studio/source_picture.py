"""A character as the source has it, or the typeface that is completed, on the canvas of glyphs by hand."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from fontgan.data.glyphs import GlyphSource
from fontgan.data.sources import open_glyphs
from fontgan.errors import UserError
from fontgan.handwriting.sheet import canvas_frame
from fontgan.studio.commands import first_source
from fontgan.studio.project import Project

PX = 512


def source_picture(project: Project, char: str, px: int = PX) -> bytes | None:
    """A PNG of ``px`` a side; None where the source lacks the character, or cannot be read."""
    return _picture(project, first_source(project), char, px)


def own_picture(project: Project, char: str, px: int = PX) -> bytes | None:
    """The same of the typeface that is completed."""
    return _picture(project, project.chosen.target, char, px)


def _picture(project: Project, spec: str, char: str, px: int) -> bytes | None:
    try:
        glyphs = open_here(project.folder, spec)
        if char not in glyphs.coverage([char]).present:
            return None
        return png_of(glyphs.rasterize(char, canvas_frame(px), px))
    except UserError:
        return None


def open_here(folder: Path, spec: str) -> GlyphSource:
    """What a command in the project's folder opens by this name."""
    if ":" in spec:
        return _opened(spec, 0)
    path = folder / spec
    return _opened(str(path), path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=4)
def _opened(spec: str, changed: int) -> GlyphSource:
    return open_glyphs(spec)


def png_of(image: np.ndarray) -> bytes:
    """Grey levels (H, W) uint8 as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
