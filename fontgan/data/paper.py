"""A glyph in the light of a photograph, or in pale ink -> black on white, as a person sees it.

Paper is found locally: a smooth surface for the light, and a closing (Serra 1982) for what is left of shadows. Clean
images come through unchanged to the bit.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, distance_transform_edt, label, maximum_filter, minimum_filter

from fontgan.data.glyphs import PAPER

WHITE = 240  # grey level from which on paper counts as white
BLACK = 96  # an image of one tone that is darker is all ink
SIDE = 96  # px of the map of the paper
MEASURED = 512  # px of the image that levels are taken from: every second, third ... of a larger one
STRIP = 512  # rows that are worked on at a time, so that memory stays small
REACH = 0.3  # of the image, across which shadows are told from strokes: only black squares and the like are wider
SAME = 0.2  # of the way from ink to paper, within which a wide dark place is ink
SHADOW = 0.35  # of the lightest paper: what is darker, wide and at the border is ink and no shadow
PALE = 0.44  # an ink lighter than this share of its paper would be lost when it is traced
GREY = 0.2  # the same where all of a folder's ink is pale
DARK = 0.005  # share of an image that is dark where its ink is not pale
MIN_GREY = 0.06  # share of an image that is plain grey where paper is not white
STEP = 24  # grey levels between neighbours, below which a place is plain; at an edge they are more
MIN_CONTRAST = 0.1  # of paper, by which its ink is darker at least
MIN_INK = 0.0003  # of an image's pixels, or it is blank
POWERS = [(i, j) for i in range(4) for j in range(4 - i)]  # of a cubic surface


def on_white(grey: np.ndarray, *, all_pale: bool = False) -> np.ndarray:
    """Takes shadows and grey paper as paper, and pale ink as ink.

    Args:
        grey: (H, W) uint8, dark ink on lighter paper.
        all_pale: whether all ink of its folder is pale, and not only this image's.
    Returns: the same shape and type, 0 ink .. 255 paper; the very array where paper is white and ink dark.
    """
    paper = paper_of(grey)
    if paper is None:
        if np.count_nonzero(grey < GREY * PAPER) > DARK * grey.size:
            return grey
        ink = ink_level(grey)
        if ink is None or ink <= (GREY if all_pale else PALE):
            return grey
    step = -(-max(grey.shape) // MEASURED)
    some = grey[::step, ::step]
    flat = some / (np.float32(PAPER) if paper is None else _spread(paper, some.shape))
    bare = flat[flat > 1 - MIN_CONTRAST]
    level = float(np.median(bare)) if len(bare) else 1.0
    noise = 1.48 * float(np.median(np.abs(bare - level))) if len(bare) else 0.0  # a standard deviation
    if paper is not None:
        noise *= float(np.median(paper) / paper.min())  # of the camera, that is the same everywhere, in the dark
    ink = _ink_level(flat / level, noise)
    result = np.full_like(grey, PAPER)
    if ink is None:
        return result
    for top in range(0, len(grey), STRIP):
        rows = grey[top : top + STRIP]
        light = np.float32(PAPER) if paper is None else _spread(paper, grey.shape, top)
        result[top : top + STRIP] = _stretched(rows / (light * np.float32(level)), ink, noise)
    return result


def ink_level(grey: np.ndarray) -> float | None:
    """How dark ink is on white paper, 0 to 1; None where no stroke is wide enough to tell.

    The grey of a stroke thinner than a pixel or two says how thin it is, not how pale.
    """
    step = -(-max(grey.shape) // MEASURED)
    return _core_level(grey[::step, ::step] / np.float32(PAPER), 1 - MIN_CONTRAST)


def paper_of(grey: np.ndarray) -> np.ndarray | None:
    """How light paper is, 0 to 255, as a map of at most ``SIDE`` pixels a side; None if it is white all over."""
    image = Image.fromarray(grey)
    factor = max(1, -(-max(image.size) // SIDE))
    small = np.asarray(image.reduce(factor), np.float32)
    if _closed(small).min() >= WHITE or not _holds_grey(grey):
        return None
    if small.max() - small.min() < MIN_CONTRAST * PAPER:
        return None if small.mean() < BLACK else np.full(small.shape, np.median(small), np.float32)
    light = _surface(small)
    # Each is too light in places, never too dark: a closing at the dark end of a slope, the surface at a shadow's edge.
    paper = np.minimum(_closed(small), light * _closed(small / light))
    solid = _solid(paper, float(np.percentile(small, 2)))
    if solid.any():
        solid = binary_dilation(solid, iterations=2)
        if solid.all():
            return None
        paper = paper[tuple(distance_transform_edt(solid, return_distances=False, return_indices=True))]
    paper = minimum_filter(paper, 3)  # at a shadow's edge rather too light a glyph than a dark line
    return None if paper.min() >= WHITE else paper


def _spread(paper: np.ndarray, shape: tuple[int, ...], top: int = 0) -> np.ndarray:
    """The map of an image's paper at its own size, (H, W): at most ``STRIP`` rows of it, from the row ``top`` on."""
    height, width = shape
    down, across = len(paper) / height, paper.shape[1] / width
    bottom = min(top + STRIP, height)
    shown = (0, top * down, width * across, bottom * down)
    return np.asarray(Image.fromarray(paper).resize((width, bottom - top), Image.Resampling.BILINEAR, box=shown))


def _holds_grey(grey: np.ndarray) -> bool:
    """Whether there is grey that is no edge between ink and white paper."""
    step = -(-max(grey.shape) // MEASURED)
    some = grey[::step, ::step].astype(np.int16)
    here = some[:-1, :-1]
    plain = (here > PAPER - WHITE) & (here < WHITE)
    plain &= (abs(here - some[1:, :-1]) < STEP) & (abs(here - some[:-1, 1:]) < STEP)
    return int(np.count_nonzero(plain)) > MIN_GREY * some.size


def _closed(small: np.ndarray) -> np.ndarray:
    """Fills what is darker than its surroundings and narrower than ``REACH``, at the border than half of it."""
    size = [2 * round(REACH * side / 2) + 1 for side in small.shape]
    return np.asarray(minimum_filter(maximum_filter(small, size, mode="reflect"), size, mode="reflect"))


def _surface(small: np.ndarray) -> np.ndarray:
    """The cubic surface through an image's light parts: fitted again and again without what lies below it."""
    y, x = np.mgrid[-1 : 1 : small.shape[0] * 1j, -1 : 1 : small.shape[1] * 1j]
    terms = np.stack([x**i * y**j for i, j in POWERS], axis=-1)
    some, levels = terms[::4, ::4].reshape(-1, len(POWERS)), small[::4, ::4].ravel()
    paper = np.ones(len(levels), bool)
    for _ in range(8):
        weights = np.linalg.lstsq(some[paper], levels[paper], rcond=None)[0]
        paper = levels > 0.95 * (some @ weights)
        if not paper.any():
            return np.full_like(small, PAPER)
    return np.clip(terms @ weights, max(8, levels[paper].min()), levels[paper].max()).astype(np.float32)


def _solid(paper: np.ndarray, ink: float) -> np.ndarray:
    """Where what was found as paper is ink that is wider than ``REACH``: as dark as the ink is, and no shadow."""
    top = float(paper.max())
    solid = paper < ink + SAME * (top - ink)
    places, _ = label(solid)
    at_border = np.concatenate([places[0], places[-1], places[:, 0], places[:, -1]])
    return solid & (~np.isin(places, at_border) | (paper < SHADOW * top))


def _ink_level(flat: np.ndarray, noise: float) -> float | None:
    """How dark ink is where bare paper is 1; None for a blank image."""
    below = 1 - max(MIN_CONTRAST, 5 * noise)
    level = _core_level(flat, below)
    if level is not None:
        return level
    dark = flat[flat < below]
    return float(np.percentile(dark, 10)) if len(dark) >= max(3, MIN_INK * flat.size) else None


def _core_level(flat: np.ndarray, below: float) -> float | None:
    """The same of the inside of strokes, away from their soft edges; None if they have none."""
    core = maximum_filter(flat, 3)
    dark = core[core < below]
    return float(np.percentile(dark, 20)) if len(dark) >= max(9, MIN_INK * flat.size) else None


def _stretched(flat: np.ndarray, ink: float, noise: float) -> np.ndarray:
    """Ink to 0 and paper to 255; edges stay where they are, as the middle of both does."""
    half = max((1 - ink) / 2 - max(0.04, 3 * noise), 0.02)
    return np.clip((flat - (1 + ink) / 2 + half) * (PAPER / 2 / half) + 0.5, 0, PAPER).astype(np.uint8)
