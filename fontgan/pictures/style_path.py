"""A way from style to style, and what is shown of it: a strip picture and an animation."""

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

_GAP = 4  # pixels between glyphs
_ROW_OF_FRAME = 8  # glyphs side by side in the animation
_FRAME_MS, _END_MS = 80, 640  # GIF counts in hundredths of a second; the ends are held longer


def path_weights(styles: Sequence[str], frames: int, extrapolate: float = 0.0) -> list[dict[str, float]]:
    """Mixtures at even distances along the path through ``styles``; each leg from one style to the next is 1 long.

    Args:
        styles: two or more, no style twice in a row.
        frames: how many mixtures, both ends included; 2 or more.
        extrapolate: how far the path goes on beyond both ends, 0 to 100 legs. There one weight is negative.
    Returns: style -> weight, of the two styles of the leg; their sum is 1.
    Raises: ConfigError for styles that are no path.
    """
    if len(styles) < 2:
        raise ConfigError(f"style_path: {len(styles)} style given; a path needs 2 or more: style_path=[kai, brush].")
    for one, next_one in pairwise(styles):
        if one == next_one:
            raise ConfigError(f"style_path: {one} twice in a row; a leg goes from one style to another. Take one out.")
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
    for column, (label, glyphs) in enumerate(zip(["source", *labels], [source, *frames], strict=True)):
        left = _GAP + column * step + (2 * _GAP if column else 0)  # the source stands a little apart
        _write(strip, label, (left + cell_px // 2, _GAP + head // 2), font, cell_px, fill=0)
        for row, glyph in enumerate(glyphs):
            strip.paste(scaled(glyph, cell_px), (left, head + _GAP + row * step))
    return strip


def animation_frames(frames: Sequence[np.ndarray], labels: Sequence[str], *, cell_px: int) -> list[Image.Image]:
    """The characters of each frame side by side on paper, the frame's label below."""
    columns = min(len(frames[0]), _ROW_OF_FRAME)
    width, height = columns * cell_px, math.ceil(len(frames[0]) / columns) * cell_px
    font = _font_that_fits(labels, width)
    foot = round(1.8 * font.size)
    pictures = []
    for glyphs, label in zip(frames, labels, strict=True):
        picture = Image.new("L", (width, height + foot), PAPER)
        for place, glyph in enumerate(glyphs):
            row, column = divmod(place, columns)
            picture.paste(scaled(glyph, cell_px), (column * cell_px, row * cell_px))
        _write(picture, label, (width // 2, height + foot // 2), font, width, fill=96)
        pictures.append(picture)
    return pictures


def save_gif(pictures: Sequence[Image.Image], file: Path) -> None:
    """Writes an endless animation there and back, whole or not there. Raises: OSError."""
    rest = [*pictures[1:], *pictures[-2:0:-1]]
    durations = [_END_MS if place in (0, len(pictures) - 1) else _FRAME_MS for place in range(1 + len(rest))]
    buffer = io.BytesIO()
    pictures[0].save(buffer, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    atomic_write(file, buffer.getvalue())


def _font_that_fits(labels: Sequence[str], width: int) -> ImageFont.FreeTypeFont:
    """The bundled sans, at 13 px or at what lets most labels fit; no smaller than 9 px."""
    path = str(asset("NotoSansSC-Regular.ttf"))
    sizes = range(13, 8, -1)
    fitting = (s for s in sizes if max(map(ImageFont.truetype(path, s).getlength, labels)) <= width)
    return ImageFont.truetype(path, next(fitting, sizes[-1]))


def _write(
    picture: Image.Image, label: str, middle: tuple[int, int], font: ImageFont.FreeTypeFont, width: int, *, fill: int
) -> None:
    """The label, with its name cut short where it is too long: ``ZCOOLXi.. 27 %``."""
    name, part = re.fullmatch(r"(.*?)( \d+ %)?", label, re.DOTALL).groups(default="")  # type: ignore[union-attr]
    while len(name) > 1 and font.getlength(label) > width:
        name = name[:-1]
        label = f"{name}..{part}"
    ImageDraw.Draw(picture).text(middle, label, fill=fill, font=font, anchor="mm")
