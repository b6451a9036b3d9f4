"""Tracers side by side: images drawn from real fonts, traced, held against the outlines they were drawn from."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.bench.figures import TRACED_MS, Figure
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.sources import asset
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.runtime.timing import Spread, summarize, time_interleaved

FONTS = ("NotoSansSC-Regular.ttf", "LXGWWenKai.ttf", "MaShanZheng-Regular.ttf", "ZCOOLXiaoWei-Regular.ttf")
SIZES = (128, 256)
UPSAMPLED = 4  # times, for tracers of black and white images; bicubic, then cut at the middle grey
STEP = 2.0  # units between places at which outlines are compared
TOLERANCE, SPECK = 0.6, 0.0001  # as in configs/vectorize.yaml

Tracer = Callable[[np.ndarray, PixelsToUnits], Outline]


@dataclass(frozen=True)
class Sample:
    """A glyph with its own outline, and an image of it."""

    char: str
    truth: Outline
    grey: np.ndarray
    to_units: PixelsToUnits


def samples(font: str, chars: Sequence[str], size: int) -> list[Sample]:
    """Characters of a bundled font at a size in pixels; their overlaps are removed, as no image shows them."""
    import pathops
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.ttLib import TTFont

    file = asset(font)
    glyphs, tables = FontGlyphs(file), TTFont(file)
    frame = Frame(0.9 * size, 0.05 * size, 0.05 * size)
    to_units = PixelsToUnits.from_frame(frame, **glyphs.to_cell())
    found = []
    for char in chars:
        path, drawn = pathops.Path(), RecordingPen()
        glyph_set = tables.getGlyphSet()
        glyph_set[tables.getBestCmap()[ord(char)]].draw(path.getPen(glyphSet=glyph_set))
        path.simplify(fix_winding=True)
        path.draw(drawn)
        truth = Outline(tuple((name, tuple(points)) for name, points in drawn.value))
        found.append(Sample(char, truth, glyphs.rasterize(char, frame, size), to_units))
    return found


def spoil(grey: np.ndarray) -> np.ndarray:
    """Blurred by 0.7 px, with noise of 6 grey levels, through JPEG: rather worse than a trained generator draws."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).normal(0, 6, grey.shape)
    file = io.BytesIO()
    blurred = gaussian_filter(grey.astype(float), 0.7) + noise
    Image.fromarray(blurred.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=70)
    with Image.open(file) as image:
        return np.asarray(image)


# -- tracers ----------------------------------------------------------------------------------


def tracers() -> tuple[dict[str, Tracer], list[str]]:
    """Those that are installed, ours first, and the names of those that are not."""
    found: dict[str, Tracer] = {"ours": _ours, "marching squares": _marching_squares}
    missing = []
    if shutil.which("potrace"):
        found["potrace"] = _potrace
    else:
        missing.append("potrace")
    try:
        import vtracer  # noqa: F401
    except ImportError:
        missing.append("vtracer")
    else:
        found["vtracer"] = _vtracer
    return found, missing


def _ours(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    return trace(grey, to_units, em=1000, tolerance=TOLERANCE, speck=SPECK)


def _marching_squares(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    """The polygon at half of the interpolated coverage, every point of it."""
    from skimage import measure

    calls: list[tuple[str, tuple[Any, ...]]] = []
    for rows in measure.find_contours(np.pad(grey, 1, constant_values=255), 127.5):  # type: ignore[no-untyped-call]
        points = [_place(x - 0.5, y - 0.5, to_units) for y, x in rows[:-1]]
        calls += [("moveTo", (points[0],)), *(("lineTo", (point,)) for point in points[1:]), ("closePath", ())]
    return Outline(tuple(calls))


def _potrace(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    ink = _black_and_white(grey)
    bitmap = f"P4\n{ink.shape[1]} {ink.shape[0]}\n".encode() + np.packbits(ink, axis=1).tobytes()
    unit = 10  # to a pixel
    command = ["potrace", "--backend", "svg", "--unit", str(unit), "--turdsize", "8", "-"]
    svg = subprocess.run(command, input=bitmap, capture_output=True, check=True).stdout.decode()
    scale, height = 1 / (unit * UPSAMPLED), grey.shape[0]
    calls = []
    for path in re.findall(r'<path d="([^"]+)"', svg):
        for name, points in _svg_calls(path):
            calls.append((name, tuple(_place(scale * x, height - scale * y, to_units) for x, y in points)))
    return Outline(tuple(calls))


def _vtracer(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    import vtracer
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.where(_black_and_white(grey), 0, 255).astype(np.uint8)).convert("RGB").save(file, "PNG")
    svg = vtracer.convert_raw_image_to_svg(file.getvalue(), img_format="png", colormode="binary", filter_speckle=4)
    calls = []
    for path, left, top in re.findall(r'<path d="([^"]+)"[^>]*translate\(([-\d.]+),([-\d.]+)\)', svg):
        for name, points in _svg_calls(path):
            placed = (((x + float(left)) / UPSAMPLED, (y + float(top)) / UPSAMPLED) for x, y in points)
            calls.append((name, tuple(_place(x, y, to_units) for x, y in placed)))
    return Outline(tuple(calls))


def _black_and_white(grey: np.ndarray) -> np.ndarray:
    """True for ink, upsampled."""
    from PIL import Image

    height, width = grey.shape
    large = Image.fromarray(grey).resize((UPSAMPLED * width, UPSAMPLED * height), Image.Resampling.BICUBIC)
    return np.asarray(large) < 128


def _svg_calls(path: str) -> list[tuple[str, Any]]:
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    pen = RecordingPen()
    parse_path(path, pen)
    return pen.value


def _place(x: float, y: float, to_units: PixelsToUnits) -> tuple[float, float]:
    return to_units.dx + to_units.scale * x, to_units.dy - to_units.scale * y


# -- comparison -------------------------------------------------------------------------------


def flatten(outline: Outline, steps: int = 12) -> list[np.ndarray]:
    """Each contour as a polygon (N, 2), a curve as so many lines."""
    from fontTools.pens.basePen import decomposeQuadraticSegment

    share = np.arange(1, steps + 1)[:, None] / steps
    rest = 1 - share
    found, parts = [], [np.zeros((1, 2))]
    for name, points in outline.calls:
        if name == "moveTo":
            parts = [np.array(points, float)]
        elif name == "lineTo":
            parts.append(np.array(points, float))
        elif name == "curveTo":
            at, (one, two, end) = parts[-1][-1], np.array(points, float)
            parts.append(rest**3 * at + 3 * rest**2 * share * one + 3 * rest * share**2 * two + share**3 * end)
        elif name == "qCurveTo":
            for one, end in decomposeQuadraticSegment(points):
                at = parts[-1][-1]
                parts.append(rest**2 * at + 2 * rest * share * np.array(one) + share**2 * np.array(end))
        else:
            found.append(np.concatenate(parts))
    return found


@dataclass(frozen=True)
class Likeness:
    """How an outline compares to the true one.

    Attributes:
        iou: of the areas.
        farthest: the largest distance from a place on either outline to the other, in units (Hausdorff).
        mean: the mean distance, in units.
        points: on and off curve.
    """

    iou: float
    farthest: float
    mean: float
    points: int


def compare(outline: Outline, truth: Outline) -> Likeness:
    """Areas by Skia's path operations on flattened outlines, distances between places every ``STEP`` units."""
    polygons, true_polygons = flatten(outline), flatten(truth)
    away = np.concatenate([_distances(polygons, true_polygons), _distances(true_polygons, polygons)])
    return Likeness(_iou(polygons, true_polygons), float(away.max()), float(away.mean()), count_points(outline))


def count_points(outline: Outline) -> int:
    """On and off curve."""
    return sum(len(points) for _, points in outline.calls)


def _iou(one: list[np.ndarray], two: list[np.ndarray]) -> float:
    import pathops

    paths = []
    for polygons in (one, two):
        path = pathops.Path()
        pen = path.getPen(glyphSet=None)
        for polygon in polygons:
            pen.moveTo(polygon[0])
            for point in polygon[1:]:
                pen.lineTo(point)
            pen.closePath()
        path.simplify(fix_winding=True)
        paths.append(path)
    both = abs(pathops.op(*paths, pathops.PathOp.INTERSECTION).area)
    return both / (sum(abs(path.area) for path in paths) - both)


def _distances(of: list[np.ndarray], to: list[np.ndarray]) -> np.ndarray:
    """From places on some polygons to the nearest edge of others."""
    from scipy.spatial import KDTree

    places, ahead = _places(to)
    _, near = KDTree(places).query(_places(of)[0], k=4)
    asked = _places(of)[0][:, None]
    start, end = places[near], ahead[near]
    edge = end - start
    length = np.maximum((edge**2).sum(-1), 1e-12)
    share = (((asked - start) * edge).sum(-1) / length).clip(0, 1)
    return np.hypot(*np.moveaxis(start + share[..., None] * edge - asked, -1, 0)).min(1)


def _places(polygons: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Places along closed polygons, their corners among them, and for each the next."""
    found, ahead = [], []
    for polygon in polygons:
        edge = np.roll(polygon, -1, 0) - polygon
        many = np.maximum(1, np.ceil(np.hypot(*edge.T) / STEP)).astype(int)
        share = np.concatenate([np.arange(n) / n for n in many])
        found.append(np.repeat(polygon, many, 0) + share[:, None] * np.repeat(edge, many, 0))
        ahead.append(np.roll(found[-1], -1, 0))
    return np.concatenate(found), np.concatenate(ahead)


# -- figures ----------------------------------------------------------------------------------


def measure_outlines(*, glyphs: int, rounds: int, minutes: float, seed: int) -> list[Figure]:
    """Every tracer that is installed on the same images.

    Args:
        glyphs: of each of the bundled fonts, drawn by lot.
    """
    chars = random.Random(seed).sample(shared_chars(), glyphs)
    found, missing = tracers()
    figures = []
    for size in SIZES:
        figures += _compare_all(f"{size} px", [s for font in FONTS for s in samples(font, chars, size)], found, missing)
    small = [s for font in FONTS for s in samples(font, chars, SIZES[0])]
    spoilt = [Sample(s.char, s.truth, spoil(s.grey), s.to_units) for s in small]
    figures += _compare_all(f"{SIZES[0]} px, blurred and noisy", spoilt, found, missing)
    for size in SIZES:
        images = [s for font in FONTS for s in samples(font, chars, size)]
        seconds = time_interleaved(
            {name: _all(tracer, images) for name, tracer in found.items()}, lambda: None,
            rounds=rounds, minutes=minutes, title=f"tracing at {size} px", once=True,
        )  # fmt: skip
        how = f"{len(images)} glyphs of the bundled fonts at {size} px traced one after another by one process"
        for name, taken in seconds.items():
            each = summarize([1000 * took / len(images) for took in taken])
            target = TRACED_MS if (name, size) == ("ours", 256) else None
            figures.append(Figure(f"outlines {size} px, {name}: time", each, "ms/glyph", how, target))
    return figures


def shared_chars() -> list[str]:
    """The Han characters that all bundled fonts have."""
    have = [set(FontGlyphs(asset(font)).coverage(None).present) for font in FONTS]
    return sorted(char for char in set.intersection(*have) if char >= "\u4e00")


def _all(tracer: Tracer, images: list[Sample]) -> Callable[[], object]:
    return lambda: [tracer(image.grey, image.to_units) for image in images]


def _compare_all(what: str, images: list[Sample], found: dict[str, Tracer], missing: list[str]) -> list[Figure]:
    how = f"{len(images)} glyphs, those of the four bundled fonts by lot; the spread is over glyphs"
    if missing:
        how += f"; not installed here and so left out: {', '.join(missing)}"
    figures = []
    for name, tracer in found.items():
        alike = [compare(tracer(image.grey, image.to_units), image.truth) for image in images]
        title = f"outlines {what}, {name}"
        figures += [
            Figure(f"{title}: area that differs", summarize([100 * (1 - a.iou) for a in alike]), "%", how),
            Figure(f"{title}: mean deviation", summarize([a.mean for a in alike]), "/1000 em", how),
            Figure(f"{title}: farthest deviation", summarize([a.farthest for a in alike]), "/1000 em", how),
            Figure(f"{title}: farthest, of 95 % of glyphs", _ninety_five([a.farthest for a in alike]), "/1000 em", how),
            Figure(f"{title}: points", summarize([float(a.points) for a in alike]), "", how),
        ]
    points = [float(count_points(image.truth)) for image in images]
    return [*figures, Figure(f"outlines {what}, the fonts themselves: points", summarize(points), "", how)]


def _ninety_five(values: list[float]) -> Spread:
    return Spread(float(np.percentile(values, 95)), min(values), max(values), len(values))


# -- picture ----------------------------------------------------------------------------------

CUTS = (  # font, character, size, spoilt, left, bottom and side in units
    ("NotoSansSC-Regular.ttf", "愿", 128, False, (0, 100, 500)),
    ("LXGWWenKai.ttf", "愿", 128, False, (100, 300, 400)),
    ("MaShanZheng-Regular.ttf", "龙", 256, False, (100, 300, 500)),
    ("LXGWWenKai.ttf", "愿", 128, True, (100, 300, 400)),
)


def draw_picture(file: Path, side: int = 560) -> None:
    """Parts of glyphs, enlarged: the image, the true outline in red, the traced one in black with its points."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (side * len(CUTS), side), "white")
    for k, (font, char, size, worse, (left, bottom, wide)) in enumerate(CUTS):
        sample = samples(font, [char], size)[0]
        grey = spoil(sample.grey) if worse else sample.grey
        zoom, units = side / wide, sample.to_units

        def to_picture(point: Any, zoom: float = zoom, left: float = left, bottom: float = bottom) -> Any:
            return zoom * (point[0] - left), side - zoom * (point[1] - bottom)

        x0, y0 = (left - units.dx) / units.scale, (units.dy - bottom - wide) / units.scale
        box = (x0, y0, x0 + wide / units.scale, y0 + wide / units.scale)
        image = Image.fromarray((255 - (255 - grey) * 0.35).astype(np.uint8))
        image = image.transform((side, side), Image.Transform.EXTENT, box, Image.Resampling.NEAREST).convert("RGB")
        draw = ImageDraw.Draw(image)
        outline = _ours(grey, units)
        for polygons, colour, width in ((flatten(sample.truth), (240, 60, 60), 3), (flatten(outline), "black", 1)):
            for polygon in polygons:
                draw.line([to_picture(point) for point in [*polygon, polygon[0]]], fill=colour, width=width)
        at: Any = (0, 0)
        for name, points in outline.calls:
            places = [to_picture(point) for point in points]
            if name == "curveTo":
                draw.line([at, places[0]], fill=(120, 120, 255))
                draw.line([places[1], places[2]], fill=(120, 120, 255))
                for x, y in places[:2]:
                    draw.ellipse([x - 3, y - 3, x + 3, y + 3], outline="blue")
            for x, y in places[-1:]:
                draw.rectangle([x - 4, y - 4, x + 4, y + 4], fill=(0, 130, 0) if name == "curveTo" else "black")
                at = (x, y)
        sheet.paste(image, (side * k, 0))
    sheet.quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    draw_picture(Path(sys.argv[1]))
