"""Which style that a trained network knows a new one starts as: the one that draws its known glyphs best."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from fontgan.data.batches import collate_pairs
from fontgan.data.pack import Pack
from fontgan.models.unet import UnetGenerator
from fontgan.training.finetune import PretrainedRun, style_tables

log = logging.getLogger(__name__)

Draw = Callable[[Tensor, Tensor], Tensor]
COMPARED = 24  # known glyphs of a new style that each old one draws
AS_GOOD = 1.05  # an L1 within this factor of the least says no more than where strokes happen to stand
THICKNESS = (0, 1.5, 2.5, 3.5, 4.5, 5.5, 7, 9, np.inf)  # pixels from ink to the nearest paper
DIRECTIONS = 8


@torch.no_grad()
def start_at_nearest_style(
    generator: UnetGenerator, pretrained: PretrainedRun, pack: Pack, draw: Draw
) -> dict[str, str]:
    """Gives each new style the rows of the old style that draws its known glyphs best, in every table.

    Best is the least L1; among styles that are as good by that, the one whose strokes are most like the new one's.

    Args:
        draw: (inputs (N, 1 + guides, H, W), style weights (N, styles)) -> images (N, 1, H, W), -1 ink .. +1 paper.
    Returns: the old style of each new one that has known glyphs.
    """
    chosen: dict[str, str] = {}
    tables = style_tables(generator).values()
    for style in pretrained.new_styles(pack.styles) if tables else ():
        if not (known := [char for char in pack.trained if char in pack.rows[style]]):
            continue
        some = known[:: -(-len(known) // COMPARED)]  # from all over, at most so many
        batch = collate_pairs(pack, [(style, char) for char in some])
        weights = torch.zeros_like(batch.style)
        drawings, errors = [], []
        for number in range(len(pretrained.styles)):
            drawn = draw(batch.inputs, weights.zero_().index_fill_(1, torch.tensor([number]), 1.0))
            drawings.append(drawn)
            errors.append(float((drawn - batch.target).abs().mean()) / 2)
        nearest = _most_alike(drawings, errors, batch.target)
        for table in tables:
            table.weight[pack.model_styles.index(style)] = table.weight[nearest]
        mean, found = sum(errors) / len(errors), pretrained.styles[nearest]
        chosen[style] = found
        log.info("%s starts as %s, which draws it best: L1 %.3f, in the mean %.3f", style, found, errors[nearest], mean)
    return chosen


def _most_alike(drawings: Sequence[Tensor], errors: Sequence[float], target: Tensor) -> int:
    """The number of the drawing with the least error, or of one that is as good and has the target's strokes."""
    as_good = [number for number, error in enumerate(errors) if error <= AS_GOOD * min(errors)]
    if len(as_good) == 1:
        return as_good[0]
    true = stroke_statistics(target)
    return min(as_good, key=lambda number: float(np.abs(stroke_statistics(drawings[number]) - true).sum()))


def stroke_statistics(images: Tensor) -> np.ndarray:
    """How thick strokes are and which way their edges run, whatever the characters: shares that sum to 1 for each of both.

    Args:
        images: (N, 1, H, W), -1 ink .. +1 paper.
    """
    thickness, directions = np.zeros(len(THICKNESS) - 1), np.zeros(DIRECTIONS)
    for image in (1 - images[:, 0].numpy()) / 2:
        inside = ndimage.distance_transform_edt(image > 0.5)
        thickness += np.histogram(inside[inside > 0], THICKNESS)[0]
        down, right = np.gradient(ndimage.gaussian_filter(image, 1))
        angle = np.arctan2(down, right) % np.pi
        directions += np.histogram(angle, DIRECTIONS, (0, np.pi), weights=np.hypot(down, right))[0]
    return np.concatenate([thickness / max(1, thickness.sum()), directions / max(1e-6, directions.sum())])
