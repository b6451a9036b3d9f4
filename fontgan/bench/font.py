"""Glyph images -> a font file, as many as a Chinese standard has, by all cores."""

import tempfile
import time
from functools import partial
from pathlib import Path

from PIL import Image

from fontgan.bench.figures import Figure, Setup, rates
from fontgan.bench.outlines import FONTS
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char
from fontgan.data.sources import asset
from fontgan.fontfile.create import create_font
from fontgan.fontfile.layout import Layout
from fontgan.fontfile.vectorize import vectorize_folder
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.progress import Bar
from fontgan.runtime.timing import ratio, summarize

SIZE = 256  # of the images in pixels
FIRST = 0x4E00  # the images stand for characters from here on, whatever they show
COMPARED = 400  # images that one process and two are compared on


def measure(setup: Setup, glyphs: int) -> list[Figure]:
    """So many images in a folder -> a new TrueType font."""
    cores = usable_cores()
    with tempfile.TemporaryDirectory() as folder, quiet("fontgan"):
        images = Path(folder) / "images"
        images.mkdir()
        chars = draw_images(images, glyphs)
        started = time.perf_counter()
        traced, _ = vectorize_folder(images, chars=None, layout=Layout())
        tracing_s = time.perf_counter() - started
        create_font(traced, Path(folder) / "font.ttf", family="Bench")
        whole_s = time.perf_counter() - started
        some = chars[:COMPARED]
        trace = partial(vectorize_folder, images, chars=some, layout=Layout())
        tasks = {"1 process": partial(trace, workers=1), "2 processes": partial(trace, workers=2)}
        if cores == 1:
            del tasks["2 processes"]
        seconds = setup.time(tasks, "tracing", once=True, show=False)
    title = f"font of {glyphs:,} glyphs"
    how = f"images at {SIZE} px, the Han characters of the four bundled fonts over and over; {cores} cores"
    figures = [
        Figure(f"{title}: images to file", summarize([whole_s]), "s", how),
        Figure(f"{title}: tracing", summarize([tracing_s]), "s", how),
        Figure(f"{title}: building", summarize([whole_s - tracing_s]), "s", f"{how}; built and verified"),
    ]
    how = f"{len(some)} of these images, read and traced, with the start of the processes"
    figures += rates("tracing, ", len(some), seconds, how)
    if cores > 1:
        gain = ratio(seconds["1 process"], seconds["2 processes"])
        figures.append(Figure("tracing, 2 processes over 1", gain, "x", how))
    return figures


def draw_images(folder: Path, glyphs: int) -> list[str]:
    """Draws so many images. Returns: the characters that they stand for."""
    fonts = [FontGlyphs(asset(font)) for font in FONTS]
    known = [(font, [char for char in font.coverage(None).present if ord(char) >= FIRST]) for font in fonts]
    frame = Frame(SIZE, 0, 0)
    chars = []
    for i in Bar(range(glyphs), unit="glyph", desc="drawing images", leave=False):
        source, drawn = known[i % len(known)]
        chars.append(chr(FIRST + i))
        grey = source.rasterize(drawn[i // len(known) % len(drawn)], frame, SIZE)
        Image.fromarray(grey).save(folder / f"{name_from_char(chars[-1])}.png", compress_level=1)
    return chars
