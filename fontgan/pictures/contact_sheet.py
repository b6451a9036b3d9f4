"""Contact sheets: rows of glyphs with their labels, as one picture."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.data.sources import asset
from fontgan.runtime.files import atomic_write

SHEET_GREY = 236  # between glyphs, and in the place of one that is missing
_GAP = 4  # pixels between glyphs
# Of zlib, 0 to 9. Against Pillow's 6, 256 px glyphs take a third less time to pack and 2 to 3 % more bytes; grey ones,
# which packs worst, less than half the time. 1 is no quicker and takes 11 % more bytes.
_COMPRESSION = 4


def contact_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], *, cell_px: int | None = None) -> Image.Image:
    """Lays out labelled rows of glyphs.

    Args:
        rows: label and glyphs, (H, W) uint8, 0 ink .. 255 paper, of each row.
        cell_px: side of a glyph on the sheet; None keeps the glyphs' own.
    Returns: mode "L".
    """
    side = cell_px or max(glyph.shape[0] for _, glyphs in rows for glyph in glyphs)
    font = ImageFont.truetype(str(asset("NotoSansSC-Regular.ttf")), max(11, side // 7))
    label_width = 2 * _GAP + max(int(font.getlength(label)) for label, _ in rows)
    columns = max(len(glyphs) for _, glyphs in rows)
    sheet = Image.new("L", (label_width + columns * (side + _GAP) + _GAP, len(rows) * (side + _GAP) + _GAP), SHEET_GREY)
    draw = ImageDraw.Draw(sheet)
    for row, (label, glyphs) in enumerate(rows):
        top = _GAP + row * (side + _GAP)
        draw.text((_GAP, top + side // 2), label, fill=0, font=font, anchor="lm")
        for column, glyph in enumerate(glyphs):
            sheet.paste(scaled(glyph, side), (label_width + column * (side + _GAP), top))
    return sheet


def scaled(glyph: np.ndarray, side: int) -> Image.Image:
    """A glyph, (H, W) uint8, as a picture of (side, side)."""
    image = Image.fromarray(glyph)
    return image if image.size == (side, side) else image.resize((side, side), Image.Resampling.LANCZOS)


def save_png(image: Image.Image | np.ndarray, file: Path) -> None:
    """Writes a PNG that is whole or not there. Raises: OSError."""
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, format="PNG", compress_level=_COMPRESSION)
    atomic_write(file, buffer.getvalue())
