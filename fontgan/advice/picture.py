"""A picture of the advised characters in the source font, each over a bar of the coverage reached with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.advice.coverage import Advice
from fontgan.data.sources import asset

_CELL, _GAP, _BAR, _COLUMNS, _MARGIN, _TITLE = 72, 10, 6, 20, 24, 56  # px
_INK, _SOFT, _TRACK, _DONE = (17, 17, 17), (110, 110, 110), (228, 228, 222), (11, 92, 173)


def picture(advice: Sequence[Advice], glyphs: Sequence[np.ndarray], before: float) -> Image.Image:
    """
    Args:
        advice: in the order advised.
        glyphs: each one's source glyph, (H, W) uint8, 0 ink .. 255 paper.
        before: coverage before the first, 0 to 1.
    Returns: mode "RGB".
    """
    columns = min(_COLUMNS, len(advice))
    rows = -(-len(advice) // columns)
    step = _CELL + _GAP
    width = max(2 * _MARGIN + columns * step - _GAP, 560)
    sheet = Image.new("RGB", (width, _TITLE + rows * (step + _BAR + 14) + _MARGIN), (253, 253, 251))
    draw = ImageDraw.Draw(sheet)
    large, small = (ImageFont.truetype(str(asset("NotoSansSC-Regular.ttf")), px) for px in (18, 11))
    said = f"{len(advice)} to draw next: {before:.0%} of all parts covered before, {advice[-1].coverage:.0%} after"
    draw.text((_MARGIN, _TITLE // 2), said, fill=_INK, font=large, anchor="lm")
    for place, (each, glyph) in enumerate(zip(advice, glyphs, strict=True)):
        row, column = divmod(place, columns)
        x, y = _MARGIN + column * step, _TITLE + row * (step + _BAR + 14)
        scaled = Image.fromarray(glyph).resize((_CELL, _CELL), Image.Resampling.LANCZOS)
        sheet.paste(scaled.convert("RGB"), (x, y))
        bar = y + _CELL + 2
        draw.rectangle((x, bar, x + _CELL - 1, bar + _BAR - 1), fill=_TRACK)
        draw.rectangle((x, bar, x + max(1, round(_CELL * each.coverage)) - 1, bar + _BAR - 1), fill=_DONE)
        draw.text((x, bar + _BAR + 2), str(place + 1), fill=_SOFT, font=small)
        draw.text((x + _CELL, bar + _BAR + 2), f"{each.coverage:.0%}", fill=_SOFT, font=small, anchor="ra")
    return sheet
