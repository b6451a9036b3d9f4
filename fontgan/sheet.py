"""Contact sheets: rows of glyphs with their labels, as one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.data.glyphs import asset
from fontgan.files import write_whole

_GAP = 4  # pixels between glyphs


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
    sheet = Image.new("L", (label_width + columns * (side + _GAP) + _GAP, len(rows) * (side + _GAP) + _GAP), 236)
    draw = ImageDraw.Draw(sheet)
    for row, (label, glyphs) in enumerate(rows):
        top = _GAP + row * (side + _GAP)
        draw.text((_GAP, top + side // 2), label, fill=0, font=font, anchor="lm")
        for column, glyph in enumerate(glyphs):
            image = Image.fromarray(glyph)
            if image.size != (side, side):
                image = image.resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(image, (label_width + column * (side + _GAP), top))
    return sheet


def save_png(image: Image.Image | np.ndarray, file: Path) -> None:
    """Writes a PNG that is whole or not there. Raises: OSError."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format="PNG")
    write_whole(file, buffer.getvalue())
