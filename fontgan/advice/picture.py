"""A picture of the advised characters in the source font, each over a bar of the coverage reached with it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.advice.coverage import Advice
from fontgan.data.sources import asset
from fontgan.pictures.contact_sheet import scaled

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
    across, down = _CELL + _GAP, _CELL + _GAP + _BAR + 14
    width = max(2 * _MARGIN + columns * across - _GAP, 560)
    sheet = Image.new("RGB", (width, _TITLE + rows * down + _MARGIN), (253, 253, 251))
    draw = ImageDraw.Draw(sheet)
    large, small = (ImageFont.truetype(str(asset("NotoSansSC-Regular.ttf")), px) for px in (18, 11))
    said = f"{len(advice)} to draw next: {before:.0%} of all parts covered before, {advice[-1].coverage:.0%} after"
    draw.text((_MARGIN, _TITLE // 2), said, fill=_INK, font=large, anchor="lm")
    for place, (each, glyph) in enumerate(zip(advice, glyphs, strict=True)):
        row, column = divmod(place, columns)
        x, y = _MARGIN + column * across, _TITLE + row * down
        sheet.paste(scaled(glyph, _CELL), (x, y))
        bar = y + _CELL + 2
        for length, colour in ((_CELL, _TRACK), (max(1, round(_CELL * each.coverage)), _DONE)):
            draw.rectangle((x, bar, x + length - 1, bar + _BAR - 1), fill=colour)
        draw.text((x, bar + _BAR + 2), str(place + 1), fill=_SOFT, font=small)
        draw.text((x + _CELL, bar + _BAR + 2), f"{each.coverage:.0%}", fill=_SOFT, font=small, anchor="ra")
    return sheet
