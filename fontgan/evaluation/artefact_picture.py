"""The picture of a diagnosis: spectra, the decoder's stages as bars, the worst glyphs of each artefact."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgan.data.sources import asset
from fontgan.evaluation.diagnose import largest_jump, no_reading
from fontgan.evaluation.glyph_set import GlyphSet

WIDTH, MARGIN, LINE = 1120, 16, 20  # px
SPECTRUM_PX, GLYPH_PX = 256, 112  # at least
OCTAVES = 3.0  # of difference at full colour
PAPER, TEXT, FAINT, BAR, LOUD = "white", "black", "#666666", "#4c78a8", "#d62728"


def picture(found: dict[str, Any], glyphs: GlyphSet) -> Image.Image:
    """Draws what ``diagnose`` found, in mode "RGB"."""
    parts = [_spectra(glyphs), _stages(found), *(_worst(score, glyphs) for score in found["scores"].values())]
    sheet = Image.new("RGB", (max(p.width for p in parts), sum(p.height for p in parts)), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _font(size: int = 14) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(asset("NotoSansSC-Regular.ttf")), size)


def _panel(title: str, note: str, height: int, width: int = WIDTH) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """A panel with a title line: the image, what draws on it, and where its content starts."""
    panel = Image.new("RGB", (width, height + 3 * LINE + MARGIN), PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((MARGIN, MARGIN // 2), title, fill=TEXT, font=_font(16))
    draw.text((MARGIN, MARGIN // 2 + LINE + 2), note, fill=FAINT, font=_font(13))
    return panel, draw, MARGIN // 2 + 2 * LINE + 6


def _spectra(glyphs: GlyphSet) -> Image.Image:
    """The mean amplitude of truth and drawn, and their ratio; slow changes in the middle, the grid's at the rim."""
    inks = (1 - images.astype(np.float32) / 255 for images in (glyphs.truth, glyphs.drawn))
    # Mean amplitudes, (H, W), frequency 0 in the middle.
    true, drawn = (np.fft.fftshift(np.abs(np.fft.fft2(ink)).mean(axis=0)) + 1e-3 for ink in inks)
    low, high = np.log(true).min(), np.log(true).max()
    ratio = np.clip(np.log2(drawn / true) / OCTAVES, -1, 1)
    shares = {
        "true": (np.log(true) - low) / (high - low + 1e-9),
        "drawn": (np.log(drawn) - low) / (high - low + 1e-9),
        "drawn over true": np.stack([1 - np.clip(-ratio, 0, 1), 1 - np.abs(ratio), 1 - np.clip(ratio, 0, 1)], axis=-1),
    }
    side = -(-SPECTRUM_PX // glyphs.size) * glyphs.size
    panel, draw, top = _panel(
        "Spectra",
        "mean amplitude, logarithmic; middle: slow changes, rim: from pixel to pixel. "
        f"Red: {OCTAVES:g} octaves more than the truth, blue: less",
        side,
        width=max(WIDTH, 2 * MARGIN + 3 * (side + MARGIN)),
    )
    for column, (label, share) in enumerate(shares.items()):
        image, left = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8), MARGIN + column * (side + MARGIN)
        panel.paste(_enlarged(image, side), (left, top))
        draw.text((left, top + side + 2), label, fill=TEXT, font=_font())
    return panel


def _stages(found: dict[str, Any]) -> Image.Image:
    """Two bars a stage; the one that raises the score by place most is red."""
    stages, most = found["stages"], largest_jump(found["stages"])
    panel, draw, top = _panel(
        "Stages of the decoder",
        "on held-out glyphs, innermost first; left: spread of the four places, in standard deviations; "
        "right: octaves at the Nyquist frequency. Red: the largest jump",
        LINE * len(stages),
    )
    left, room = 420, (WIDTH - 420 - 2 * MARGIN) // 2
    for row, stage in enumerate(stages):
        y = top + row * LINE
        label = f"level {stage['level']}, {stage['part']} ({stage['kind']}), {stage['side']} px"
        draw.text((MARGIN, y), label, fill=TEXT, font=_font())
        for column, reading in enumerate(("by_place", "by_frequency")):
            longest = max((s[reading] or 0.0 for s in stages), default=0.0) or 1.0
            x, value = left + column * (room + MARGIN), stage[reading]
            if value is not None:
                length = round((room - 70) * max(value, 0.0) / longest)
                draw.rectangle((x, y + 3, x + length, y + LINE - 3), fill=LOUD if stage is most else BAR)
            told = no_reading(stage) if value is None else f"{value:.3f}"
            draw.text((x + 6 + (0 if value is None else length), y), told, fill=FAINT, font=_font(13))
    return panel


def _worst(score: dict[str, Any], glyphs: GlyphSet) -> Image.Image:
    """The worst glyphs by one score: drawn, and below it the truth, every pixel as a square."""
    side = -(-GLYPH_PX // glyphs.size) * glyphs.size
    places = {pair: row for row, pair in enumerate(glyphs.names)}
    worst = score["worst"]
    panel, draw, top = _panel(
        f"Worst by {score['title']} ({score['unit']})",
        f"{score['how']}; above drawn, below true",
        2 * (side + 4),
        width=max(WIDTH, 2 * MARGIN + len(worst) * (side + MARGIN // 2)),
    )
    for column, one in enumerate(worst):
        row, left = places[one["style"], one["char"]], MARGIN + column * (side + MARGIN // 2)
        for place, images in enumerate((glyphs.drawn, glyphs.truth)):
            panel.paste(_enlarged(images[row], side), (left, top + place * (side + 4)))
        draw.text((left, top + 2 * (side + 4)), f"{one['style']} {one['value']:.2f}", fill=TEXT, font=_font(13))
    return panel


def _enlarged(image: np.ndarray, side: int) -> Image.Image:
    return Image.fromarray(image).convert("RGB").resize((side, side), Image.Resampling.NEAREST)
