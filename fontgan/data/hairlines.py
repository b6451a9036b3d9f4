"""Strokes so thin that an image's pixels cannot hold them: they break into dashes, as whoever learns or traces them does."""

from collections.abc import Iterable, Mapping

import numpy as np

from fontgan.data.frame import SIZES, Frame
from fontgan.data.glyphs import Diagnostics
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.plan import GlyphEntry, PairPlan
from fontgan.runtime.subsample import subsample_evenly

FAINT = 0.2  # coverage by which a broken hairline still hangs together
FEW_DASHES = 2  # more pieces than that, and a stroke is broken
HAIR = 1.6  # pixels; a stroke as thin may lie between two pixels, each less than half covered
STROKE = 6  # pixels of a stroke that may be gone altogether; what is shorter may be a speck
SURE = 2.0  # pixels that keep a stroke whole wherever it lies
LOOKED_AT = 200  # glyphs of a font or folder


def whole_at(grey: np.ndarray) -> int | None:
    """The side in pixels at which an image's hairlines would stay whole, if at this one they break into dashes.

    At half coverage, where contours run, they fall into pieces that hang together by corners alone or by paler pixels,
    or leave nothing.
    """
    from scipy import ndimage

    cover = 1 - grey.astype(np.float64) / 255
    whole, count = ndimage.label(cover > FAINT * min(1.0, 2 * cover.max()), np.ones((3, 3)))
    pieces, many = ndimage.label(cover >= 0.5)
    stroke_of = np.zeros(many + 1, int)
    stroke_of[pieces] = whole  # a piece lies in one
    dashes = np.bincount(stroke_of[1:], minlength=count + 1)[1:]
    if not ((dashes > FEW_DASHES) | (dashes == 0)).any():
        return None
    every = np.arange(1, count + 1)
    # Of a hairline all pixels that are a stroke's side are two to each of its length.
    side = (whole > 0) & (ndimage.minimum_filter(whole, footprint=ndimage.generate_binary_structure(2, 1)) == 0)
    length = np.maximum(ndimage.sum_labels(side, whole, every), 1) / 2
    width = ndimage.sum_labels(cover, whole, every) / length
    broken = (width < HAIR) & ((dashes > FEW_DASHES) | ((dashes == 0) & (length > STROKE)))
    return int(np.ceil(max(grey.shape) * SURE / width[broken].min() / 16) * 16) if broken.any() else None


def tell_broken(found: Diagnostics, where: object, sizes: Mapping[str, int], what: str = "images") -> None:
    """Tells of images whose hairlines break; ``sizes``: for each the pixels at which they would be whole."""
    told = f"{what} have hairlines that break into dashes, as they are about a pixel thin"
    found.tell("warning", where, list(sizes), told, f"Draw them at {max(sizes.values(), default=0)} pixels or more.")


def find_hairlines(plan: PairPlan) -> Diagnostics:
    """Warns of fonts and folders whose hairlines the canvas breaks, and of folders whose images break them already."""
    diagnostics = Diagnostics()
    drawn: list[tuple[GlyphEntry, Frame]] = [(style, style.canvas) for style in plan.styles]
    for style in plan.styles:
        if all(style.source.entry is not member for member, _ in drawn):
            drawn.append((style.source.entry, style.frame_of(style.source)))
    for member, frame in drawn:
        looked, glyphs = subsample_evenly(list(member.boxes), LOOKED_AT), member.glyphs
        if isinstance(glyphs, FolderGlyphs):
            broken = _broken((char, glyphs.reader.read(glyphs.files[char], char)[0]) for char in looked)
            tell_broken(diagnostics, member.name, broken, f"of {len(looked)} images looked at")
            looked = [char for char in looked if char not in broken]
        broken = _broken((char, glyphs.rasterize(char, frame, plan.size)) for char in looked)
        holding = [size for size in SIZES if size >= max(broken.values(), default=0)]
        remedy = f"data.size={holding[0]} would hold them." if holding else "Choose bolder glyphs."
        what = f"of {len(looked)} glyphs looked at have hairlines that break into dashes at {plan.size} px"
        diagnostics.tell("warning", member.name, list(broken), what, remedy)
    return diagnostics


def _broken(images: Iterable[tuple[str, np.ndarray]]) -> dict[str, int]:
    return {char: size for char, image in images if (size := whole_at(image))}
