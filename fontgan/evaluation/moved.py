"""Scores of shapes, wherever they stand: drawn glyphs moved as a whole to where they fit the true ones best.

Where in its cell a glyph stands cannot be told from its source (docs/research/drawing.md), and is soon mended in any font
editor; what it looks like is not.
"""

from typing import Any

import numpy as np
import torch

from fontgan.evaluation.glyph_set import GlyphSet
from fontgan.metrics import pixels
from fontgan.metrics.keepable import keepable
from fontgan.models.glyph_encoder import perceptual_distance
from fontgan.training.registration import Registration
from fontgan.values import image_from_pixels, ink_from_pixels, pixels_from_image

REACH = 0.05  # share of the canvas by which a glyph may be moved, each way


def move_to_truth(drawn: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Glyphs moved by whole pixels to where their ink overlaps that of the true ones best.

    Args:
        drawn, truth: (N, size, size) uint8, 0 ink .. 255 paper.
    Returns: (N, size, size) uint8, paper where nothing was.
    """
    images = (image_from_pixels(torch.from_numpy(each))[:, None] for each in (drawn, truth))
    moved = Registration(shift=REACH, bend=0)(*images)
    return pixels_from_image(moved[:, 0]).numpy()


def scores_of_moved(glyphs: GlyphSet) -> list[dict[str, float]]:
    """For each glyph L1, the encoder's distance, the contour's share that is near, and whether it is kept (1 or 0)."""
    drawn = move_to_truth(glyphs.drawn, glyphs.truth)
    judged = keepable(drawn, glyphs.truth, em_px=glyphs.em_of_each)
    ink, true = (ink_from_pixels(images)[:, None] for images in (drawn, glyphs.truth))
    columns: dict[str, Any] = {
        "moved_l1": pixels.l1(ink, true),
        "moved_glyph_perceptual": perceptual_distance(ink, true),
        "moved_contour_within": judged.contour_within,
        "moved_kept": judged.kept,
    }
    return [{name: float(values[row]) for name, values in columns.items()} for row in range(len(drawn))]
