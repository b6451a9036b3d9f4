"""Pages as a camera or a scanner sees them: a template's own PDF in pixels, a font's glyphs for writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
from PIL import Image

from fontgan.data.charset_sets import NAMED
from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char
from fontgan.data.reading import ImageReader
from fontgan.data.sources import open_glyphs
from fontgan.handwriting.sheet import Page, canvas_frame, lay_out
from tests.helpers import BRUSH, KAI, Here

SIZE = 128  # of the glyphs cut in these tests
DPI = 200  # of the pages before they are photographed
# Overlap over union of what was written and what was cut.  Glyphs cut rightly reach 0.85 and more; moved by 3 % of
# the em they fall below 0.7 (see test_a_shifted_cell_would_fail).
RIGHT = 0.78
INK, PAPER_COLOUR = (38, 36, 48), (250, 247, 240)


@dataclass
class Written:
    """A page with writing on it."""

    page: Page
    picture: np.ndarray  # (H, W, 3) uint8
    truth: dict[str, np.ndarray]  # what stands in each cell that is not empty, in the scan's frame


def printed(pdf: Path) -> list[np.ndarray]:
    return [
        np.asarray(page.render(scale=DPI / 72).to_pil().convert("RGB")).copy() for page in pypdfium2.PdfDocument(pdf)
    ]


def write(picture: np.ndarray, page: Page, font: Path, *, seed: int, skip: str = "", room: float = 0.86) -> Written:
    """Draws a font's glyphs into the cells as a hand would: never quite in the middle, never quite of one size."""
    glyphs, rng = open_glyphs(str(font)), np.random.default_rng(seed)
    picture = (picture.astype(np.float32) * (np.array(PAPER_COLOUR) / 255)).astype(np.float32)
    truth = {}
    for char, em in page.em_boxes():
        if char in skip:
            continue
        scale = room * rng.uniform(0.95, 1.05)
        hand = Frame(scale, (1 - scale) / 2 + rng.uniform(-0.03, 0.03), (1 - scale) / 2 + rng.uniform(-0.03, 0.03))
        truth[char] = glyphs.rasterize(char, hand.compose(canvas_frame(SIZE)), SIZE)
        side = em.width * DPI / 25.4
        x, y = em.x0 * DPI / 25.4, em.y0 * DPI / 25.4
        left, top, reach = int(x - 0.2 * side), int(y - 0.2 * side), int(1.4 * side)
        ink = glyphs.rasterize(char, hand.compose(Frame(side, x - left, y - top)), reach)[..., None] / 255
        there = picture[top : top + reach, left : left + reach]
        there[:] = there * ink + np.minimum(there, INK) * (1 - ink)
    return Written(page, picture.astype(np.uint8), truth)


def photograph(
    picture: np.ndarray,
    *,
    turn: float = 0,
    tilt: float = 0,
    scale: float = 1,
    bend: float = 0,
    bow: tuple[float, float] = (0, 0),
    lens: float = 0,
    blur: float = 0,
    shade: float = 0,
    shadow: bool = False,
    noise: float = 0,
    seed: int = 0,
) -> np.ndarray:
    """A camera's picture of a page on a table.

    Args:
        turn: degrees.
        tilt: how much shorter the far edge is, as a fraction.
        scale: pixels of the picture per pixel of the page.
        bend: millimetres that the middle of the page lies off to the right, and half as many down.
        bow: millimetres that the middles of the page's left and right edges lie off to the right, and those of the
            upper and lower ones down; its corners stay.
        lens: how much nearer to the middle of the picture its corners are drawn, as a fraction: a barrel if positive.
        blur: sigma in pixels of the picture.
        shade: how much light the far corner lacks, as a fraction.
        shadow: a hand's shadow with a soft edge lies over a third of the page.
        noise: sigma in grey levels.
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    if bend:
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        off = bend * DPI / 25.4 * np.sin(np.pi * y / height) * np.sin(np.pi * x / width)
        picture = cv2.remap(picture, x - off, y - off / 2, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if any(bow):
        across, down = (np.sin(np.pi * (np.arange(side, dtype=np.float32) + 0.5) / side) for side in (width, height))
        to_right, to_bottom = (value * np.float32(DPI / 25.4) for value in bow)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        picture = cv2.remap(picture, x - to_right * down[:, None], y - to_bottom * across, cv2.INTER_CUBIC)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    seen = corners + np.array([[tilt * width / 2, 0], [-tilt * width / 2, 0.1 * tilt * height], [0, 0], [0, 0]])
    angle = np.radians(turn)
    seen = (seen - (width / 2, height / 2)) @ np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    seen *= scale
    margin = 0.03 * scale * width if turn or tilt else 0
    seen -= seen.min(axis=0) - margin
    side = tuple(int(v) for v in np.ceil(seen.max(axis=0) + margin))
    to_picture = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale)
    taken = cv2.warpPerspective(picture, to_picture, side, flags=cv2.INTER_CUBIC, borderValue=(92, 80, 70))
    if lens:
        half = np.array(side, np.float32) / 2
        x, y = np.meshgrid(
            np.arange(side[0], dtype=np.float32) - half[0], np.arange(side[1], dtype=np.float32) - half[1]
        )
        farther = 1 + np.float32(lens) * (x * x + y * y) / (half**2).sum()
        taken = cv2.remap(
            taken, x * farther + half[0], y * farther + half[1], cv2.INTER_CUBIC, borderValue=(92, 80, 70)
        )
    if blur:
        taken = cv2.GaussianBlur(taken, (0, 0), blur)
    x, y = np.linspace(0, 1, side[0], dtype=np.float32), np.linspace(0, 1, side[1], dtype=np.float32)[:, None]
    light = 1 - np.float32(shade) * (0.6 * x + 0.4 * y)
    if shadow:
        light *= 1 - 0.225 * (1 + np.tanh((x + 0.5 * y - 0.9) * 60))
    light = cv2.merge([light] * 3)
    grain = rng.standard_normal(taken.shape[:2], np.float32) * np.float32(noise)
    return cv2.add(cv2.multiply(taken, light, dtype=cv2.CV_32F), cv2.merge([grain] * 3)).clip(0, 255).astype(np.uint8)


def save_jpeg(picture: np.ndarray, file: Path, quality: int = 60) -> Path:
    Image.fromarray(picture).save(file, quality=quality)
    return file


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a < 128, b < 128
    return float((a & b).sum() / max(1, (a | b).sum()))


def overlaps(out: Path, written: Written) -> dict[str, float]:
    """By character, how well what was cut is what was written; 0 where nothing was cut."""
    found = {}
    for char, truth in written.truth.items():
        file = out / f"{name_from_char(char)}.png"
        found[char] = overlap(ImageReader().read(file)[0], truth) if file.is_file() else 0.0
    return found


def makes(here: Here, verb: str, *arguments: str, code: int = 0) -> str:
    """Runs a command that must end with ``code``, and gives what it says."""
    result = here(verb, *arguments)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def template(here: Here, folder: Path, chars: str, *more: str) -> Path:
    (folder / "chars.txt").write_text(chars, encoding="utf-8")
    makes(here, "template", f"chars={folder / 'chars.txt'}", f"out={folder / 'sheets.pdf'}", *more)
    return folder / "sheets.pdf"


# Characters that both fonts written with here have, dense ones and sparse ones.
_LEVEL_1 = NAMED["gb2312-1"]()
_BOTH = set.intersection(*(set(open_glyphs(str(font)).coverage(_LEVEL_1).present) for font in (KAI, BRUSH)))
CHARS = "".join(char for char in _LEVEL_1 if char in _BOTH)[:640:10]
SKIPPED = CHARS[5::10]
PAGE = lay_out(CHARS, "a4", 20)[0]
