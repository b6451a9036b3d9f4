"""Scores of drawn glyphs against true ones, pixel by pixel, and of naive ways to draw them.

Ink images are (N, 1, H, W) float32, 0 paper .. 1 ink.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLANK_SHARE = 0.2  # a glyph with less than this share of the true one's ink counts as blank


def scores(drawn: Tensor, truth: Tensor) -> dict[str, float]:
    """Mean scores over the glyphs.

    Returns:
        l1: mean absolute difference, 0 to 1, lower is better.
        rmse: root of the mean squared difference of each glyph, averaged over glyphs, 0 to 1.
        ssim: structural similarity as torchmetrics computes it (Gaussian window of 11 px, sigma 1.5), 1 is best.
        blank: share of glyphs with less than ``BLANK_SHARE`` of the true ink.
    """
    # Here and not above: this import takes seconds, and only scoring needs it.
    from torchmetrics.functional.image import structural_similarity_index_measure

    difference = drawn - truth
    ink, true_ink = drawn.flatten(1).sum(1), truth.flatten(1).sum(1)
    ssim = structural_similarity_index_measure(drawn, truth, data_range=1.0)
    return {
        "l1": float(difference.abs().mean()),
        "rmse": float(difference.square().flatten(1).mean(1).sqrt().mean()),
        "ssim": float(ssim if isinstance(ssim, Tensor) else ssim[0]),
        "blank": float((ink < BLANK_SHARE * true_ink).float().mean()),
    }


# Ways to draw without learning, to compare with: (source ink, the style's mean training glyph (1, H, W)) -> ink.
NAIVE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "copy_source": lambda source, mean: source,
    "blank_page": lambda source, mean: torch.zeros_like(source),
    "mean_glyph": lambda source, mean: mean.expand_as(source),
}
