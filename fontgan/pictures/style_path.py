"""A way from style to style, and what is shown of it: a strip picture and an animation."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.data.glyphs import PAPER
from fontgan.data.sources import asset
from fontgan.errors import ConfigError
from fontgan.pictures.contact_sheet import SHEET_GREY, scaled
from fontgan.runtime.files import atomic_write

MAX_EXTRAPOLATION = 100  # legs beyond the ends of a path; weights of very different size would no longer sum to 1
_GAP = 4  # pixels between glyphs
_ROW_OF_FRAME = 8  # glyphs side by side in the animation
_FRAME_MS, _END_MS = 80, 640  # GIF counts in hundredths of a second; the ends are held longer


def path_weights(styles: Sequence[str], frames: int, extrapolate: float = 0.0) -> list[dict[str, float]]:
    """Mixtures at even distances along the path through ``styles``; each leg from one style to the next is 1 long.

    Args:
        styles: two or more, no style twice in a row.
        frames: how many mixtures, both ends included; 2 or more.
        extrapolate: how far the path goes on beyond both ends, 0 to ``MAX_EXTRAPOLATION`` legs. There one weight is negative.
    Returns: style -> weight, of the two styles of the leg; their sum is 1.
    Raises: ConfigError where one of them is not so.
    """
    if len(styles) < 2:
        raise ConfigError(f"style_path: {len(styles)} style given; a path needs 2 or more: style_path=[kai, brush].")
    for one, next_one in pairwise(styles):
        if one == next_one:
            raise ConfigError(f"style_path: {one} twice in a row; a leg goes from one style to another. Take one out.")
    if frames < 2:
        raise ConfigError(f"frames={frames}: 2 or more are needed, both ends included.")
    if not 0 <= extrapolate <= MAX_EXTRAPOLATION:
        raise ConfigError(
            f"extrapolate={extrapolate:g}: 0 to {MAX_EXTRAPOLATION} is needed, in parts of the way between two styles."
        )
    legs = len(styles) - 1
    found = []
    for place in np.linspace(-extrapolate, legs + extrapolate, frames).tolist():
        leg = min(max(math.floor(place), 0), legs - 1)
        onward = round(place - leg, 6)
        found.append({styles[leg]: round(1 - onward, 6), styles[leg + 1]: onward})
    return found


def say_mixture(weights: dict[str, float]) -> str:
    """``kai`` for a pure style, else how much there is of the leg's second one: ``brush 27 %``.

    Beyond a style there is more than all of it: ``kai 125 %``.
    """
    (one, share), (other, onward) = weights.items()
    name, part = (one, share) if onward <= 0 else (other, onward)
    return name if part == 1 else f"{name} {100 * part:.0f} %"


def strip_picture(
    source: np.ndarray, frames: Sequence[np.ndarray], labels: Sequence[str], *, cell_px: int
) -> Image.Image:
    """A row for each character: its source, then every frame; the labels stand above their columns.

    Args:
        source: (N, H, W) uint8, 0 ink .. 255 paper.
        frames: for each label the same glyphs drawn, (N, H, W).
    Returns: mode "L".
    """
    font = _font_that_fits(["source", *labels], cell_px)
    head = round(1.8 * font.size)
    step = cell_px + _GAP
    strip = Image.new("L", ((1 + len(labels)) * step + 3 * _GAP, head + len(source) * step + _GAP), SHEET_GREY)
    draw = ImageDraw.Draw(strip)
    for column, (label, glyphs) in enumerate(zip(["source", *labels], [source, *frames], strict=True)):
        left = _GAP + column * step + (2 * _GAP if column else 0)  # the source stands a little apart
        text = _shortened(label, font, cell_px)
        draw.text((left + cell_px // 2, _GAP + head // 2), text, fill=0, font=font, anchor="mm")
        for row, glyph in enumerate(glyphs):
            strip.paste(scaled(glyph, cell_px), (left, head + _GAP + row * step))
    return strip


def animation_frames(frames: Sequence[np.ndarray], labels: Sequence[str], *, cell_px: int) -> list[Image.Image]:
    """The characters of each frame side by side on paper, the frame's label below."""
    count = len(frames[0])
    columns = min(count, _ROW_OF_FRAME)
    rows = math.ceil(count / columns)
    font = _font_that_fits(labels, columns * cell_px)
    foot = round(1.8 * font.size)
    pictures = []
    for glyphs, label in zip(frames, labels, strict=True):
        picture = Image.new("L", (columns * cell_px, rows * cell_px + foot), PAPER)
        for place, glyph in enumerate(glyphs):
            row, column = divmod(place, columns)
            picture.paste(scaled(glyph, cell_px), (column * cell_px, row * cell_px))
        text = _shortened(label, font, columns * cell_px)
        ImageDraw.Draw(picture).text(
            (columns * cell_px // 2, rows * cell_px + foot // 2), text, fill=96, font=font, anchor="mm"
        )
        pictures.append(picture)
    return pictures


def save_gif(pictures: Sequence[Image.Image], file: Path) -> None:
    """Writes an endless animation there and back, whole or not there. Raises: OSError."""
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    durations = [_END_MS if place in (0, len(pictures) - 1) else _FRAME_MS for place in range(len(there_and_back))]
    buffer = io.BytesIO()
    there_and_back[0].save(
        buffer, format="GIF", save_all=True, append_images=there_and_back[1:], duration=durations, loop=0
    )
    atomic_write(file, buffer.getvalue())


def _font_that_fits(labels: Sequence[str], width: int) -> ImageFont.FreeTypeFont:
    """The bundled sans, at 13 px or at what lets most labels fit; no smaller than 9 px."""
    path = str(asset("NotoSansSC-Regular.ttf"))
    sizes = range(13, 8, -1)
    fitting = (s for s in sizes if max(map(ImageFont.truetype(path, s).getlength, labels)) <= width)
    return ImageFont.truetype(path, next(fitting, sizes[-1]))


def _shortened(label: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The label with its name cut short where it is too long: ``ZCOOLXi.. 27 %``."""
    name, part = re.fullmatch(r"(.*?)( \d+ %)?", label, re.DOTALL).groups(default="")  # type: ignore[union-attr]
    text = label
    while len(name) > 1 and font.getlength(text) > width:
        name = name[:-1]
        text = f"{name}..{part}"
    return text
