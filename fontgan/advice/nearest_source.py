"""Which of several complete fonts a style is best drawn from: the one whose glyphs lie nearest to the style's own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from fontgan.data.frame import Frame, fit_median, fit_most
from fontgan.data.glyphs import PAPER, GlyphSource
from fontgan.data.sources import Spec, open_glyphs
from fontgan.errors import DataError
from fontgan.runtime.subsample import subsample_evenly

COMPARED = 200  # characters of both, at most
SIDE = 64  # pixels of the images that are compared
BLUR = 1.0  # pixels: where strokes lie counts more than how their edges run
FEWEST = 20  # characters in common that comparing all on them needs
SHOWN = 12  # of the characters, in the picture


class Nearness(NamedTuple):
    """How near a source lies to a style."""

    spec: Spec
    distance: float  # 0, the style itself, to 1, nothing in common
    shared: int  # characters of both
    glyphs: list[np.ndarray]  # some of the source's, brought to the style's cell, (SIDE, SIDE) uint8
    own: list[np.ndarray]  # the style's, of the same characters


def rank_sources(target: GlyphSource, specs: Sequence[Spec]) -> list[Nearness]:
    """The sources, the nearest first.

    Each is brought onto the style's median ink box, as for a training, and both are blurred a little; the distance is
    1 less the mean cosine of their images, so that weight counts less than where strokes lie.  All are compared on the
    same characters, unless they have too few in common.
    Raises: DataError if one cannot be read, or none shares a character with the style.
    """
    own, sources = target.coverage(None).present, [open_glyphs(spec) for spec in specs]
    shared = [source.coverage(own).present for source in sources]
    of_all = set(own).intersection(*filter(None, shared))
    common = [char for char in own if char in of_all]
    ranked = [
        _nearness(target, source, spec, common if len(common) >= FEWEST else chars, len(chars))
        for spec, source, chars in zip(specs, sources, shared, strict=True)
        if chars
    ]
    if not ranked:
        raise DataError(f"{target.path}: shares no character with any of the sources. Give others.")
    return sorted(ranked, key=lambda found: found.distance)


def _nearness(target: GlyphSource, source: GlyphSource, spec: Spec, shared: Sequence[str], count: int) -> Nearness:
    chars = subsample_evenly(shared, COMPARED)
    boxes = [target.ink_box(char) for char in chars]
    canvas = fit_most(boxes, SIDE, 0.0)
    onto = fit_median([source.ink_box(char) for char in chars], boxes).compose(canvas)
    own, drawn = _draw(target, chars, canvas), _draw(source, chars, onto)
    distance = 1 - float((_blurred(own) * _blurred(drawn)).sum(axis=1).mean())
    shown = subsample_evenly(range(len(chars)), SHOWN)
    return Nearness(spec, distance, count, [drawn[i] for i in shown], [own[i] for i in shown])


def _draw(glyphs: GlyphSource, chars: Sequence[str], frame: Frame) -> np.ndarray:
    return np.stack([glyphs.rasterize(char, frame, SIDE) for char in chars])


def _blurred(images: np.ndarray) -> np.ndarray:
    """(N, SIDE, SIDE) uint8 -> the ink of each, blurred, as a vector of length 1."""
    ink = ndimage.gaussian_filter(1 - images / PAPER, (0, BLUR, BLUR)).reshape(len(images), -1)
    return ink / np.linalg.norm(ink, axis=1, keepdims=True).clip(min=1e-9)
