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
    1 less the mean cosine of their images, so that weight counts less than where strokes lie.
    Raises: DataError if one cannot be read, or none shares a character with the style.
    """
    ranked = [found for spec in specs if (found := _nearness(target, spec)).shared]
    if not ranked:
        raise DataError(f"{target.path}: shares no character with any of the sources. Give others.")
    return sorted(ranked, key=lambda found: found.distance)


def _nearness(target: GlyphSource, spec: Spec) -> Nearness:
    source = open_glyphs(spec)
    shared = source.coverage(target.coverage(None).present).present
    chars = subsample_evenly(shared, COMPARED)
    if not chars:
        return Nearness(spec, float("inf"), 0, [], [])
    boxes = [target.ink_box(char) for char in chars]
    canvas = fit_most(boxes, SIDE, 0.0)
    onto = fit_median([source.ink_box(char) for char in chars], boxes).compose(canvas)
    own, drawn = _draw(target, chars, canvas), _draw(source, chars, onto)
    distance = 1 - float((_blurred(own) * _blurred(drawn)).sum(axis=1).mean())
    shown = range(0, len(chars), max(1, len(chars) // SHOWN))
    return Nearness(
        spec, distance, len(shared), [drawn[i] for i in shown][:SHOWN], [own[i] for i in shown][:SHOWN]
    )  # fmt: skip


def _draw(glyphs: GlyphSource, chars: Sequence[str], frame: Frame) -> np.ndarray:
    return np.stack([glyphs.rasterize(char, frame, SIDE) for char in chars])


def _blurred(images: np.ndarray) -> np.ndarray:
    """(N, SIDE, SIDE) uint8 -> the ink of each, blurred, as a vector of length 1."""
    ink = ndimage.gaussian_filter(1 - images / PAPER, (0, BLUR, BLUR)).reshape(len(images), -1)
    return ink / np.linalg.norm(ink, axis=1, keepdims=True).clip(min=1e-9)
