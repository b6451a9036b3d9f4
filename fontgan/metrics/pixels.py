"""Scores of drawn glyphs against true ones, pixel by pixel, and of baseline ways to draw them.

Ink images are (N, 1, H, W) float32, 0 paper .. 1 ink.
"""

from collections.abc import Callable

import torch
from torch import Tensor

BLANK_SHARE = 0.2  # a glyph with less than this share of the true one's ink counts as blank
MAX_PSNR = 100.0  # dB
MS_SSIM_WINDOW = 11  # px
MS_SSIM_BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def scores(drawn: Tensor, truth: Tensor) -> dict[str, float]:
    """What training looks at: the means of ``l1``, ``rmse``, ``ssim`` and ``blank`` over the glyphs."""
    return {measure.__name__: float(measure(drawn, truth).mean()) for measure in (l1, rmse, ssim, blank)}


# Each of these takes drawn and true ink and gives one value a glyph, (N,).


def l1(drawn: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference, 0 to 1, 0 is best."""
    return (drawn - truth).abs().flatten(1).mean(1)


def l1_per_ink(drawn: Tensor, truth: Tensor) -> Tensor:
    """Summed absolute difference over the true ink, at least a pixel; 0 is best, a blank page has 1."""
    return (drawn - truth).abs().flatten(1).sum(1) / truth.flatten(1).sum(1).clamp_min(1.0)


def iou(drawn: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of the ink, by coverage, 0 to 1, 1 is best; two blank glyphs have 1."""
    together, either = (of(drawn, truth).flatten(1).sum(1) for of in (torch.minimum, torch.maximum))
    return torch.where(either > 0, together / either.clamp_min(1e-9), torch.ones_like(either))


def rmse(drawn: Tensor, truth: Tensor) -> Tensor:
    """Root of the mean squared difference, 0 to 1, 0 is best."""
    return (drawn - truth).square().flatten(1).mean(1).sqrt()


def psnr(drawn: Tensor, truth: Tensor) -> Tensor:
    """Peak signal to noise in decibels, higher is better; equal glyphs have ``MAX_PSNR``, not infinity."""
    noise = (drawn - truth).square().flatten(1).mean(1)
    return (-10 * noise.clamp_min(1e-30).log10()).clamp_max(MAX_PSNR)


def ssim(drawn: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity as torchmetrics computes it (Gaussian window of 11 px, sigma 1.5), 1 is best.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861.
    """
    # Here and not above: this import takes seconds, and only scoring needs it.
    from torchmetrics.functional.image import structural_similarity_index_measure

    found = structural_similarity_index_measure(drawn, truth, data_range=1.0, reduction="none")
    return (found if isinstance(found, Tensor) else found[0]).reshape(len(drawn))


def ms_ssim(drawn: Tensor, truth: Tensor) -> Tensor:
    """Multi-scale structural similarity as torchmetrics computes it, 1 is best.

    Small images have fewer than the paper's five scales (``ms_ssim_scales``); the first weights are used then, made to
    sum to 1.

    Source: Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    betas = MS_SSIM_BETAS[: ms_ssim_scales(drawn.shape[-1])]
    betas = tuple(beta / sum(betas) for beta in betas)
    found = multiscale_structural_similarity_index_measure(
        drawn, truth, data_range=1.0, betas=betas, normalize="relu", reduction="none"
    )
    return found.reshape(len(drawn))


def ms_ssim_scales(side: int) -> int:
    """How many scales of MS-SSIM fit images of ``side`` px with torchmetrics' window, 1 to 5 (from 176 px on)."""
    fit = [n for n in range(2, len(MS_SSIM_BETAS) + 1) if side // (n - 1) ** 2 > MS_SSIM_WINDOW - 1]
    return max(fit, default=1)


def blank(drawn: Tensor, truth: Tensor) -> Tensor:
    """1 for a glyph with less than ``BLANK_SHARE`` of the true ink, else 0."""
    return (drawn.flatten(1).sum(1) < BLANK_SHARE * truth.flatten(1).sum(1)).float()


def error_by_phase(drawn: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference at each place of the 2x2 pixel grid: (N, 4).

    An up-path block that covers its output unevenly errs more at some of them (checkerboard, teeth); blur does not.
    """
    difference = (drawn - truth).abs()
    return torch.stack([difference[..., y::2, x::2].flatten(1).mean(1) for y in (0, 1) for x in (0, 1)], dim=1)


# Ways to draw without learning, to compare with: (source ink, the style's mean training glyph (1, H, W)) -> ink.
BASELINES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "copy_source": lambda source, mean: source,
    "blank_page": lambda source, mean: torch.zeros_like(source),
    "mean_glyph": lambda source, mean: mean.expand_as(source),
}
