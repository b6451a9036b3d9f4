"""Losses as pure functions.

Images are (B, 1, H, W), -1 ink and +1 paper; logits are ink logits of the same shape; each function
returns a scalar, the mean over the batch unless it says otherwise.  ``ink = (1 - image) / 2`` is 0 on
paper and 1 on ink.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fontgan.models.discriminator import Verdict


def ink_of(image: Tensor) -> Tensor:
    """Image, -1 ink .. +1 paper -> ink, 0 paper .. 1 ink."""
    return (1 - image) / 2


def l1(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference on images from -1 to +1, the scale on which pix2pix gives it weight 100."""
    return F.l1_loss(fake, real)


def ink_bce(logits: Tensor, real: Tensor) -> Tensor:
    """Binary cross-entropy of ink against paper, grey edges as soft labels.

    Its gradient does not fade on a confident blank page as L1 through a tanh does: this is what keeps
    styles of little ink from collapsing to white.
    """
    return F.binary_cross_entropy_with_logits(logits, ink_of(real))


def soft_dice(fake: Tensor, real: Tensor) -> Tensor:
    """1 - 2 |F.R| / (|F|^2 + |R|^2) of each glyph's ink: overlap, whatever share of the page is ink.

    Source: Milletari et al. 2016 (V-Net), arXiv:1606.04797.
    """
    f, r = ink_of(fake).flatten(1), ink_of(real).flatten(1)
    overlap = (f * r).sum(1)
    # +1 pixel on both sides: a blank truth met by a blank page scores 0, not 0 / 0.
    return (1 - (2 * overlap + 1) / (f.square().sum(1) + r.square().sum(1) + 1)).mean()


def edge(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of the Sobel gradients, in ink per pixel; borders are edge-padded."""
    return (sobel(ink_of(fake)) - sobel(ink_of(real))).abs().mean()


def sobel(ink: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2, H, W): horizontal and vertical slope in ink per pixel, borders edge-padded.

    Written as differences of shifted maps: on a CPU a 3x3 convolution of one channel took ten times as long.
    """
    padded = F.pad(ink, (1, 1, 1, 1), mode="replicate")
    columns = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]  # smoothed down the rows
    rows = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    horizontal = columns[..., 2:] - columns[..., :-2]
    vertical = rows[..., 2:, :] - rows[..., :-2, :]
    return torch.cat([horizontal, vertical], dim=1) / 8


def constancy(source_map: Tensor, fake_map: Tensor) -> Tensor:
    """Mean squared difference of the innermost maps of the source and of the glyph drawn from it.

    Source: the constancy loss of zi2zi, after DTN (Taigman et al. 2016, arXiv:1611.02200).
    """
    return F.mse_loss(fake_map.float(), source_map.float())


def hinge_d(real: Verdict, fake: Verdict) -> Tensor:
    """Hinge loss of the discriminator. Source: Lim & Ye 2017, arXiv:1705.02894."""
    return F.relu(1 - real.realness).mean() + F.relu(1 + fake.realness).mean()


def hinge_g(fake: Verdict) -> Tensor:
    """Hinge loss of the generator: raise the discriminator's logits."""
    return -fake.realness.mean()


def bce_d(real: Verdict, fake: Verdict) -> Tensor:
    """Cross-entropy of the discriminator: real up, fake down. Source: Goodfellow et al. 2014, arXiv:1406.2661."""
    return F.softplus(-real.realness).mean() + F.softplus(fake.realness).mean()


def bce_g(fake: Verdict) -> Tensor:
    """Non-saturating cross-entropy of the generator."""
    return F.softplus(-fake.realness).mean()


def category(verdict: Verdict, style: Tensor) -> Tensor:
    """Cross-entropy between the category head's logits and the style weights (B, styles).

    Raises: ValueError if the discriminator has no category head.
    """
    if verdict.category is None:
        raise ValueError(
            "loss.category is above 0 but the discriminator has no category head. "
            "Use discriminator=zi2zi, or discriminator=patch discriminator.head=category, or loss.category=0."
        )
    return F.cross_entropy(verdict.category, style)
