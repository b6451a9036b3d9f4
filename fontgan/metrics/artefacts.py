"""What up-path blocks leave behind in drawn glyphs: checkerboard, staircase, grey edges, a grid that shifts show.

Ink images are (N, 1, H, W) float32, 0 paper .. 1 ink.  A score is one value a glyph, (N,): 0 is like the truth, and it
grows with the artefact.  Wrong or bolder strokes move it little; how little, the source glyphs show, which are wrong
everywhere and have no artefacts.  Maps are (B, C, H, W) of any range.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GREY = (0.1, 0.9)  # ink between these is neither stroke nor paper
STEP_PX = 0.5  # between the points of a contour at which its turning is taken
SPECK_PX = 4.0  # a shorter contour has no direction to speak of
NEIGHBOURS = 2  # bins below the Nyquist frequency that say what to expect there
FLOOR = 1e-4  # of the mean energy: a bin with less counts as this, so that an empty one does not rule the ratio
MIN_MAP_PX = 8  # px: a smaller map has too few bins and places to say anything
SHIFTS = ((0, 1), (1, 0), (1, 1))  # rows, columns


class Score(NamedTuple):
    """What a score is called, what it counts in, what it is in a sentence, and how it is computed."""

    title: str
    unit: str
    how: str
    measure: Callable[[Tensor, Tensor], Tensor] | None  # None where the generator is needed to tell


def phase_bias(maps: Tensor, border: int = 0, *, tapered: bool = False) -> Tensor:
    """How differently maps treat the four places of the 2x2 pixel grid: (B, C, H, W) -> scalar, 0 for not at all.

    The spread of the four means of each channel, averaged, over the map's mean absolute value.  On a constant input
    every place should come out alike, so what is left is a checkerboard that the network draws by itself.

    Args:
        border: even number of pixels to leave out on each side, where padding treats the places differently.
        tapered: as in ``phase_means``; needed where the input has a slope, or the slope is measured.
    """
    if border:
        maps = maps[..., border:-border, border:-border]
    maps = maps.double()
    level, spread = maps.abs().mean(), peak_to_peak(phase_means(maps, tapered=tapered)).mean()
    return torch.where(level > 0, spread / level.clamp_min(1e-30), 0.0).float()


def phase_means(maps: Tensor, *, tapered: bool = False) -> Tensor:
    """The mean at each place of the 2x2 pixel grid: (..., H, W) -> (..., 4); an odd last row or column is left out.

    With ``tapered``, weighed by a Hann window: the means of a slope or of a padded border then come out alike, which
    plain means of a small map do not; only what alternates from pixel to pixel is left.
    """
    maps = maps[..., : maps.shape[-2] // 2 * 2, : maps.shape[-1] // 2 * 2]
    if tapered:
        # Taken at half pixels, so that the window is its own mirror image and favours no place.
        rows, columns = (
            1 - torch.cos(2 * math.pi * (torch.arange(n, dtype=maps.dtype, device=maps.device) + 0.5) / n)
            for n in maps.shape[-2:]
        )
        maps = maps * rows[:, None] * columns
    return torch.stack([maps[..., y::2, x::2].flatten(-2).mean(-1) for y in (0, 1) for x in (0, 1)], dim=-1)


def peak_to_peak(values: Tensor) -> Tensor:
    """The largest less the smallest along the last axis."""
    return values.amax(-1) - values.amin(-1)


def checkerboard_phase(drawn: Tensor, truth: Tensor) -> Tensor:
    """The spread of the four phase means of drawn less true ink, over the true ink.

    Signed, so that what blur and wrong strokes add here and take there cancels out, where the same at every other pixel
    does not.
    """
    return peak_to_peak(phase_means(drawn - truth)).flatten(1).mean(1) / mean_ink(truth)


def checkerboard_nyquist(drawn: Tensor, truth: Tensor) -> Tensor:
    """``nyquist_excess`` above that of the truth: 1 is twice, 2 four times the ratio that the true glyph has."""
    return (nyquist_excess(drawn) - nyquist_excess(truth)).flatten(1).mean(1)


def nyquist_excess(maps: Tensor) -> Tensor:
    """How much energy alternates from pixel to pixel beyond what the spectrum beside it leads to expect, in octaves.

    (..., H, W) -> (...): ``nyquist_energy`` at over beside, the logarithm to base 2; 0 where the spectrum is smooth.
    """
    at, beside = nyquist_energy(maps)
    return (at / beside).log2()


def nyquist_energy(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean energy at the Nyquist frequency of rows or columns, and of the ``NEIGHBOURS`` rows and columns below it.

    (..., H, W) -> twice (...).  Sides need ``MIN_MAP_PX`` pixels or more; an odd last row or column is left out.
    """
    height, width = (side // 2 * 2 for side in maps.shape[-2:])
    energy = torch.fft.fft2(maps[..., :height, :width].float()).abs().square()
    floor = FLOOR * (energy.mean((-2, -1)) - energy[..., 0, 0] / (height * width)) + 1e-12

    def lines(away: int) -> list[Tensor]:
        rows, columns = ({side // 2 - away, side // 2 + away} for side in (height, width))
        return [*(energy[..., y, :] for y in rows), *(energy[..., :, x] for x in columns)]

    at = torch.cat(lines(0), -1).mean(-1)
    beside = torch.cat([line for away in range(1, NEIGHBOURS + 1) for line in lines(away)], -1).mean(-1)
    return at + floor, beside + floor


def staircase(drawn: Tensor, truth: Tensor) -> Tensor:
    """How much more the ink's outline turns than the true one, in radians per pixel of outline.

    Steps and teeth make an outline turn to and fro; bolder strokes and rounder corners do not.
    """
    pairs = zip(drawn.squeeze(1), truth.squeeze(1), strict=True)
    return torch.tensor([turning(ours.numpy()) - turning(true.numpy()) for ours, true in pairs])


def grey_edge(drawn: Tensor, truth: Tensor) -> Tensor:
    """Pixels that are neither stroke nor paper, beyond the truth's, per pixel of the true outline."""
    lengths = torch.tensor([contour_length(glyph.numpy()) for glyph in truth.squeeze(1)])
    ours, true = (((ink > GREY[0]) & (ink < GREY[1])).flatten(1).sum(1) for ink in (drawn, truth))
    return (ours - true) / lengths.clamp_min(1.0)


def turning(ink: np.ndarray) -> float:
    """Absolute turning of the outlines of (H, W) ink over their length, radians per pixel; 0 without an outline."""
    turned, length = 0.0, 0.0
    for contour in contours(ink):
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(contour, axis=0).T))])
        if along[-1] < SPECK_PX:
            continue
        # Even steps: marching squares leaves points so close together that rounding decides their direction.
        places = np.linspace(0.0, along[-1], max(4, round(along[-1] / STEP_PX)), endpoint=False)
        points = np.stack([np.interp(places, along, contour[:, axis]) for axis in (0, 1)], axis=1)
        steps = np.diff(np.concatenate([points, points[:2]]), axis=0)
        heading = np.arctan2(steps[:, 0], steps[:, 1])
        turned += float(np.abs((np.diff(heading) + math.pi) % (2 * math.pi) - math.pi).sum())
        length += float(along[-1])
    return turned / length if length else 0.0


def contour_length(ink: np.ndarray) -> float:
    """In pixels, of all outlines of (H, W) ink."""
    return float(sum(np.hypot(*np.diff(contour, axis=0).T).sum() for contour in contours(ink)))


def contours(ink: np.ndarray) -> list[np.ndarray]:
    """The closed outlines where ink is 0.5, each (points, 2) as row and column.

    Source: Lorensen & Cline 1987, doi:10.1145/37402.37422, in two dimensions (marching squares).
    """
    from skimage.measure import find_contours  # here, because its import takes long

    return find_contours(np.pad(ink, 1), 0.5)  # type: ignore[no-untyped-call]


def shift_difference(draw: Callable[[Tensor], Tensor], source: Tensor, truth: Tensor) -> Tensor:
    """What changes in a drawing beyond its place when the source moves by a pixel, over the true ink.

    The mean absolute difference to the drawing of the moved source, moved back; the mean of a row, a column and both.
    A network that samples on a grid draws a stroke differently between its lines.

    Source: Zhang 2019, arXiv:1904.11486, who asks the same of a classifier.

    Args:
        draw: source images (N, 1, H, W), -1 ink .. +1 paper -> ink (N, 1, H, W).
    """
    still = draw(source)
    changes = []
    for rows, columns in SHIFTS:
        moved = torch.roll(source, (rows, columns), (-2, -1))
        # Moving is cyclic, so what leaves on one side comes in on the other; those lines are not compared.
        moved[..., :rows, :], moved[..., :columns] = 1.0, 1.0
        back = torch.roll(draw(moved), (-rows, -columns), (-2, -1))
        changes.append((back - still).abs()[..., 1:-1, 1:-1].flatten(1).mean(1))
    return torch.stack(changes).mean(0) / mean_ink(truth)


def mean_ink(ink: Tensor) -> Tensor:
    """(N, ...) -> (N,); a glyph without ink counts as one of a single pixel."""
    return ink.flatten(1).mean(1).clamp_min(1.0 / ink[0].numel())


SCORES: dict[str, Score] = {
    "checkerboard_phase": Score(
        "checkerboard, by place", "of the ink",
        "how unevenly the ink too much or too little falls on the four places of the 2x2 pixel grid",
        checkerboard_phase,
    ),
    "checkerboard_nyquist": Score(
        "checkerboard, by frequency", "octaves",
        "energy that alternates from pixel to pixel against the spectrum beside it", checkerboard_nyquist,
    ),
    "staircase": Score("staircase", "rad/px", "how much more the outline turns", staircase),
    "grey_edge": Score("grey edges", "px", "how much wider the zone between stroke and paper is", grey_edge),
    "shift": Score(
        "shift", "of the ink",
        "how much a drawing changes, beyond its place, when the source moves by a pixel", None,  # ``shift_difference``
    ),
}  # fmt: skip
