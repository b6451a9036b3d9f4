"""Tracers side by side: images drawn from real fonts, traced, compared with the outlines they were drawn from."""

import importlib.util
import io
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pathops
from fontTools.pens.basePen import decomposeQuadraticSegment
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import parse_path
from fontTools.ttLib import TTFont
from PIL import Image
from scipy.interpolate import BPoly
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree
from skimage.measure import find_contours

from fontgan.bench.figures import Figure, Setup
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.sources import asset
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.trace import PixelsToUnits, to_quadratic, trace
from fontgan.runtime.timing import summarize

FONTS = ("NotoSansSC-Regular.ttf", "LXGWWenKai.ttf", "MaShanZheng-Regular.ttf", "ZCOOLXiaoWei-Regular.ttf")
SIZES = (128, 256)
UPSAMPLED = 4  # times, for tracers of black and white images; bicubic, then cut at the middle grey
TOLERANCE = 0.6  # units, as in configs/vectorize.yaml
STEP = 2.0  # units between places at which outlines are compared

Tracer = Callable[[np.ndarray, PixelsToUnits], Outline]


class Sample(NamedTuple):
    """A glyph with its own outline, and an image of it."""

    char: str
    truth: Outline
    grey: np.ndarray
    to_units: PixelsToUnits


def samples(font: str, chars: Sequence[str], size: int) -> list[Sample]:
    """Characters of a bundled font at a size in pixels; their overlaps are removed, as no image shows them."""
    file = asset(font)
    glyphs, tables = FontGlyphs(file), TTFont(file)
    glyph_set, cmap = tables.getGlyphSet(), tables.getBestCmap()
    frame = Frame(0.9 * size, 0.05 * size, 0.05 * size)
    to_units = PixelsToUnits.from_frame(frame, **glyphs.to_cell())
    found = []
    for char in chars:
        path = pathops.Path()
        glyph_set[cmap[ord(char)]].draw(path.getPen(glyphSet=glyph_set))
        path.simplify(fix_winding=True)
        found.append(Sample(char, _recorded(path.draw), glyphs.rasterize(char, frame, size), to_units))
    return found


def _recorded(draw: Callable[[Any], object]) -> Outline:
    pen = RecordingPen()
    draw(pen)
    return Outline(tuple((name, tuple(points)) for name, points in pen.value))


def _cut(grey: np.ndarray, level: int = 128) -> np.ndarray:
    """Black and white."""
    return np.where(grey < level, 0, 255).astype(np.uint8)


def _dithered(grey: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).convert("1").convert("L"))


def _noisy(grey: np.ndarray, levels: float) -> np.ndarray:
    """Blurred by 0.7 px, with noise of so many grey levels."""
    noise = np.random.default_rng(0).normal(0, levels, grey.shape)
    return (gaussian_filter(grey.astype(float), 0.7) + noise).clip(0, 255).astype(np.uint8)


def spoil(grey: np.ndarray) -> np.ndarray:
    """Noisy by 6 levels, through JPEG: rather worse than a trained generator draws."""
    file = io.BytesIO()
    Image.fromarray(_noisy(grey, 6)).save(file, "JPEG", quality=70)
    with Image.open(file) as image:
        return np.asarray(image)


NOT_GREY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "black and white": _cut,
    "black and white, cut at 80 of 255": partial(_cut, level=80),
    "dithered": _dithered,
    "blurred, noise of 10 levels": partial(_noisy, levels=10),
    "blurred, noise of 25 levels": partial(_noisy, levels=25),
}


# -- tracers ----------------------------------------------------------------------------------


def tracers() -> tuple[dict[str, Tracer], list[str]]:
    """Those that are installed, ours first, and the names of those that are not."""
    ours = partial(trace, em=1000, tolerance=TOLERANCE, speck=0.0001)
    others = {
        "marching squares": (_marching_squares, True),
        "potrace": (_potrace, shutil.which("potrace")),
        "vtracer": (_vtracer, importlib.util.find_spec("vtracer")),
    }
    found = {name: partial(_in_units, draw) for name, (draw, there) in others.items() if there}
    return {"ours": ours, **found}, [name for name in others if name not in found]


def _in_units(draw: Callable[[np.ndarray, Any], None], grey: np.ndarray, to_units: PixelsToUnits) -> Outline:
    """The outline that one of the functions below draws of an image with a pen, in pixels."""
    turn = (to_units.scale, 0, 0, -to_units.scale, to_units.dx, to_units.dy)
    return _recorded(lambda pen: draw(grey, TransformPen(pen, turn)))


def _marching_squares(grey: np.ndarray, pen: Any) -> None:
    """The polygon at half of the interpolated coverage, every point of it."""
    for rows in find_contours(np.pad(grey, 1, constant_values=255), 127.5):  # type: ignore[no-untyped-call]
        _draw_polygon(rows[:-1, ::-1] - 0.5, pen)


def _potrace(grey: np.ndarray, pen: Any) -> None:
    ink = _black_and_white(grey)
    bitmap = f"P4\n{ink.shape[1]} {ink.shape[0]}\n".encode() + np.packbits(ink, axis=1).tobytes()
    command = ["potrace", "--backend", "svg", "--unit", "10", "--turdsize", "8", "-"]  # 10 units to a pixel
    svg = subprocess.run(command, input=bitmap, capture_output=True, check=True).stdout.decode()
    _draw_svg(svg, TransformPen(pen, (0.1 / UPSAMPLED, 0, 0, -0.1 / UPSAMPLED, 0, grey.shape[0])))


def _vtracer(grey: np.ndarray, pen: Any) -> None:
    import vtracer

    file = io.BytesIO()
    Image.fromarray(np.where(_black_and_white(grey), 0, 255).astype(np.uint8)).convert("RGB").save(file, "PNG")
    svg = vtracer.convert_raw_image_to_svg(file.getvalue(), img_format="png", colormode="binary", filter_speckle=4)
    _draw_svg(svg, TransformPen(pen, (1 / UPSAMPLED, 0, 0, 1 / UPSAMPLED, 0, 0)))


def _black_and_white(grey: np.ndarray) -> np.ndarray:
    """True for ink, upsampled."""
    height, width = grey.shape
    large = Image.fromarray(grey).resize((UPSAMPLED * width, UPSAMPLED * height), Image.Resampling.BICUBIC)
    return np.asarray(large) < 128


def _draw_svg(svg: str, pen: Any) -> None:
    """The paths of an SVG, each moved by its own translation; a group's transform is left to the pen."""
    for path, left, top in re.findall(r'<path d="([^"]+)"(?:[^>]*translate\(([-\d.]+),([-\d.]+)\))?', svg):
        parse_path(path, TransformPen(pen, (1, 0, 0, 1, float(left or 0), float(top or 0))))


def _draw_polygon(polygon: np.ndarray, pen: Any) -> None:
    pen.moveTo(polygon[0])
    for point in polygon[1:]:
        pen.lineTo(point)
    pen.closePath()


# -- comparison -------------------------------------------------------------------------------


def flatten(outline: Outline, steps: int = 12) -> list[np.ndarray]:
    """Each contour as a polygon (N, 2), a curve as so many lines."""
    found: list[np.ndarray] = []
    share, line = np.arange(1, steps + 1) / steps, [(0.0, 0.0)]
    for name, points in outline.calls:
        if name == "moveTo":
            line = [points[0]]
        elif name == "lineTo":
            line.append(points[0])
        elif name in ("curveTo", "qCurveTo"):
            for curve in decomposeQuadraticSegment(points) if name == "qCurveTo" else [points]:
                line += list(BPoly(np.array([line[-1], *curve], float)[:, None], [0, 1])(share))
        else:
            found.append(np.array(line, float))
    return found


class Deviation(NamedTuple):
    """An outline's deviation from the true one: distances from places on either outline to the other, in units."""

    iou: float  # of the areas
    farthest: float  # Hausdorff distance
    mean: float


def compare(outline: Outline, truth: Outline) -> Deviation:
    """Areas by Skia's path operations on flattened outlines, distances between places every ``STEP`` units."""
    polygons, true_polygons = flatten(outline), flatten(truth)
    away = np.concatenate([_distances(polygons, true_polygons), _distances(true_polygons, polygons)])
    return Deviation(_iou(polygons, true_polygons), float(away.max()), float(away.mean()))


def count_points(outline: Outline) -> int:
    """On and off curve."""
    return sum(len(points) for _, points in outline.calls)


def _iou(*outlines: list[np.ndarray]) -> float:
    paths = []
    for polygons in outlines:
        path = pathops.Path()
        for polygon in polygons:
            _draw_polygon(polygon, path.getPen(glyphSet=None))
        path.simplify(fix_winding=True)
        paths.append(path)
    both = abs(pathops.op(*paths, pathops.PathOp.INTERSECTION).area)
    return both / (sum(abs(path.area) for path in paths) - both)


def _distances(of: list[np.ndarray], to: list[np.ndarray]) -> np.ndarray:
    """From places on some polygons to the nearest edge of others."""
    places, ahead = _places(to)
    asked = _places(of)[0]
    _, near = KDTree(places).query(asked, k=4)
    start, edge, asked = places[near], ahead[near] - places[near], asked[:, None]
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


def measure(setup: Setup, traced: int) -> list[Figure]:
    """Every tracer that is installed on the same images: ``traced`` glyphs of each bundled font, chosen at random."""
    chars = random.Random(setup.seed).sample(shared_chars(), traced)
    found, missing = tracers()
    images = {f"{size} px": [s for font in FONTS for s in samples(font, chars, size)] for size in SIZES}
    small = f"{SIZES[0]} px"
    degraded = [sample._replace(grey=spoil(sample.grey)) for sample in images[small]]
    absent = f"; not installed here: {', '.join(missing)}" if missing else ""
    how = f"{len(degraded)} glyphs of the four bundled fonts, chosen at random; the spread is over glyphs{absent}"
    figures = []
    for title, some in (images | {f"{small}, blurred and noisy": degraded}).items():
        for name, tracer in found.items():
            figures += _compare_all(f"{title}, {name}", tracer, some, how)
        points = summarize([float(count_points(sample.truth)) for sample in some])
        figures.append(Figure(f"{title}, the fonts themselves", points, "", how, "points"))
    large = f"{SIZES[-1]} px"
    for kind, change in NOT_GREY.items():
        some = [sample._replace(grey=change(sample.grey)) for sample in images[large]]
        figures += _compare_all(f"{large}, {kind}, ours", found["ours"], some, how)
    for title, some in images.items():
        tasks = {name: partial(_trace_all, tracer, some) for name, tracer in found.items()}
        for name, taken in setup.time(tasks, f"tracing at {title}", once=True).items():
            each = summarize([1000 * took / len(some) for took in taken])
            how = f"{len(some)} glyphs traced one after another by one process"
            figures.append(Figure(f"{title}, {name}", each, "ms/glyph", how, "time"))
    return figures


def shared_chars() -> list[str]:
    """The Han characters that all bundled fonts have."""
    have = [set(FontGlyphs(asset(font)).coverage(None).present) for font in FONTS]
    return sorted(char for char in set.intersection(*have) if char >= "\u4e00")


def _trace_all(tracer: Tracer, images: list[Sample]) -> list[Outline]:
    return [tracer(image.grey, image.to_units) for image in images]


def _compare_all(row: str, tracer: Tracer, images: list[Sample], how: str) -> list[Figure]:
    outlines = _trace_all(tracer, images)
    found = [compare(outline, image.truth) for outline, image in zip(outlines, images, strict=True)]
    farthest = [each.farthest for each in found]
    columns = {
        "differing area": summarize([100 * (1 - each.iou) for each in found]),
        "mean deviation": summarize([each.mean for each in found]),
        "largest": summarize(farthest),
        "largest of 95 % of glyphs": summarize([float(np.percentile(farthest, 95))]),
        "points": summarize([float(count_points(outline)) for outline in outlines]),
        "points over the font's own": summarize([_points_over(*each) for each in zip(outlines, images, strict=True)]),
    }
    return [
        Figure(row, spread, "%" if column == "differing area" else "", how, column)
        for column, spread in columns.items()
    ]


def _points_over(outline: Outline, image: Sample) -> float:
    """Its points as quadratic curves, which the bundled fonts have, for each of the font's own."""
    return count_points(to_quadratic(outline, TOLERANCE)) / count_points(image.truth)
