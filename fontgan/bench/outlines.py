"""Tracers side by side: images drawn from real fonts, traced, compared with the outlines they were drawn from."""

from __future__ import annotations

import importlib.util
import io
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fontgan.bench.figures import Figure, Setup, exact
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.sources import asset
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.trace import PixelsToUnits, trace
from fontgan.runtime.timing import summarize

FONTS = ("NotoSansSC-Regular.ttf", "LXGWWenKai.ttf", "MaShanZheng-Regular.ttf", "ZCOOLXiaoWei-Regular.ttf")
SIZES = (128, 256)
UPSAMPLED = 4  # times, for tracers of black and white images; bicubic, then cut at the middle grey
STEP = 2.0  # units between places at which outlines are compared
TOLERANCE, SPECK = 0.6, 0.0001  # as in configs/vectorize.yaml

Tracer = Callable[[np.ndarray, PixelsToUnits], Outline]
Calls = list[tuple[str, list[tuple[float, float]]]]  # of a pen, in pixels


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
    there = {
        "potrace": shutil.which("potrace") is not None,
        "vtracer": importlib.util.find_spec("vtracer") is not None,
    }
    others = {"potrace": _potrace, "vtracer": _vtracer}
    found: dict[str, Tracer] = {"ours": _ours, "marching squares": _marching_squares}
    found |= {name: others[name] for name in others if there[name]}
    return found, [name for name in others if not there[name]]


def _ours(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    return trace(grey, to_units, em=1000, tolerance=TOLERANCE, speck=SPECK)


def _marching_squares(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    """The polygon at half of the interpolated coverage, every point of it."""
    from skimage import measure

    calls: Calls = []
    for rows in measure.find_contours(np.pad(grey, 1, constant_values=255), 127.5):  # type: ignore[no-untyped-call]
        points = [(x - 0.5, y - 0.5) for y, x in rows[:-1]]
        calls += [("moveTo", points[:1]), *(("lineTo", [point]) for point in points[1:]), ("closePath", [])]
    return _in_units(calls, to_units)


def _potrace(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    ink = _black_and_white(grey)
    bitmap = f"P4\n{ink.shape[1]} {ink.shape[0]}\n".encode() + np.packbits(ink, axis=1).tobytes()
    unit = 10  # to a pixel
    command = ["potrace", "--backend", "svg", "--unit", str(unit), "--turdsize", "8", "-"]
    svg = subprocess.run(command, input=bitmap, capture_output=True, check=True).stdout.decode()
    calls: Calls = []
    for path in re.findall(r'<path d="([^"]+)"', svg):
        calls += _svg_calls(path, 1 / (unit * UPSAMPLED), -1 / (unit * UPSAMPLED), 0, grey.shape[0])
    return _in_units(calls, to_units)


def _vtracer(grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    import vtracer
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.where(_black_and_white(grey), 0, 255).astype(np.uint8)).convert("RGB").save(file, "PNG")
    svg = vtracer.convert_raw_image_to_svg(file.getvalue(), img_format="png", colormode="binary", filter_speckle=4)
    scale = 1 / UPSAMPLED
    calls: Calls = []
    for path, left, top in re.findall(r'<path d="([^"]+)"[^>]*translate\(([-\d.]+),([-\d.]+)\)', svg):
        calls += _svg_calls(path, scale, scale, scale * float(left), scale * float(top))
    return _in_units(calls, to_units)


def _black_and_white(grey: np.ndarray) -> np.ndarray:
    """True for ink, upsampled."""
    from PIL import Image

    height, width = grey.shape
    large = Image.fromarray(grey).resize((UPSAMPLED * width, UPSAMPLED * height), Image.Resampling.BICUBIC)
    return np.asarray(large) < 128


def _svg_calls(path: str, scale_x: float, scale_y: float, left: float, top: float) -> Calls:
    """The pen calls of an SVG path, in pixels."""
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    pen = RecordingPen()
    parse_path(path, pen)
    return [(name, [(left + scale_x * x, top + scale_y * y) for x, y in points]) for name, points in pen.value]


def _in_units(calls: Calls, to_units: PixelsToUnits) -> Outline:
    scale, dx, dy = to_units.scale, to_units.dx, to_units.dy
    return Outline(tuple((name, tuple((dx + scale * x, dy - scale * y) for x, y in points)) for name, points in calls))


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
class Deviation:
    """An outline's deviation from the true one.

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


def compare(outline: Outline, truth: Outline) -> Deviation:
    """Areas by Skia's path operations on flattened outlines, distances between places every ``STEP`` units."""
    polygons, true_polygons = flatten(outline), flatten(truth)
    away = np.concatenate([_distances(polygons, true_polygons), _distances(true_polygons, polygons)])
    return Deviation(_iou(polygons, true_polygons), float(away.max()), float(away.mean()), count_points(outline))


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


def measure_outlines(glyphs: int, setup: Setup) -> list[Figure]:
    """Every tracer that is installed on the same images.

    Args:
        glyphs: of each of the bundled fonts, chosen at random.
    """
    chars = random.Random(setup.seed).sample(shared_chars(), glyphs)
    found, missing = tracers()
    images = {f"{size} px": [s for font in FONTS for s in samples(font, chars, size)] for size in SIZES}
    small = f"{SIZES[0]} px"
    degraded = [Sample(s.char, s.truth, spoil(s.grey), s.to_units) for s in images[small]]
    absent = f"; not installed here: {', '.join(missing)}" if missing else ""
    how = f"{len(degraded)} glyphs of the four bundled fonts, chosen at random; the spread is over glyphs{absent}"
    figures = []
    for title, some in (images | {f"{small}, blurred and noisy": degraded}).items():
        for name, tracer in found.items():
            figures += _compare_all(f"{title}, {name}", tracer, some, how)
        points = summarize([float(count_points(sample.truth)) for sample in some])
        figures.append(Figure(f"{title}, the fonts themselves", points, "", how, "points"))
    for title, some in images.items():
        tasks = {name: _all(tracer, some) for name, tracer in found.items()}
        for name, taken in setup.time(tasks, f"tracing at {title}", once=True).items():
            each = summarize([1000 * took / len(some) for took in taken])
            how = f"{len(some)} glyphs traced one after another by one process"
            figures.append(Figure(f"{title}, {name}", each, "ms/glyph", how, "time"))
    return figures


def shared_chars() -> list[str]:
    """The Han characters that all bundled fonts have."""
    have = [set(FontGlyphs(asset(font)).coverage(None).present) for font in FONTS]
    return sorted(char for char in set.intersection(*have) if char >= "\u4e00")


def _all(tracer: Tracer, images: list[Sample]) -> Callable[[], object]:
    return lambda: [tracer(image.grey, image.to_units) for image in images]


def _compare_all(row: str, tracer: Tracer, images: list[Sample], how: str) -> list[Figure]:
    found = [compare(tracer(image.grey, image.to_units), image.truth) for image in images]
    columns = {
        "differing area": (summarize([100 * (1 - each.iou) for each in found]), "%"),
        "mean deviation": (summarize([each.mean for each in found]), ""),
        "largest": (summarize([each.farthest for each in found]), ""),
        "largest of 95 % of glyphs": (exact(float(np.percentile([each.farthest for each in found], 95))), ""),
        "points": (summarize([float(each.points) for each in found]), ""),
    }
    return [Figure(row, spread, unit, how, column) for column, (spread, unit) in columns.items()]
