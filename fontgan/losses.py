"""Losses as pure functions.

Images are (B, 1, H, W), -1 ink and +1 paper; logits are ink logits of the same shape; each function
returns a scalar, the mean over the batch unless it says otherwise.  ``ink = (1 - image) / 2`` is 0 on
paper and 1 on ink.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.models.glyph_encoder import feature_distance, loss_encoder
from fontgan.values import ink_from_image


def l1(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference on images from -1 to +1, the scale on which pix2pix gives it weight 100."""
    return F.l1_loss(fake, real)


def ink_bce(logits: Tensor, real: Tensor) -> Tensor:
    """Binary cross-entropy of ink against paper, grey edges as soft labels.

    Its gradient does not fade on a confident blank page as L1 through a tanh does: this is what keeps
    styles of little ink from collapsing to white.
    """
    return F.binary_cross_entropy_with_logits(logits, ink_from_image(real))


def soft_dice(fake: Tensor, real: Tensor) -> Tensor:
    """1 - 2 |F.R| / (|F|^2 + |R|^2) of each glyph's ink: overlap, whatever share of the page is ink.

    Source: Milletari et al. 2016 (V-Net), arXiv:1606.04797.
    """
    f, r = ink_from_image(fake).flatten(1), ink_from_image(real).flatten(1)
    overlap = (f * r).sum(1)
    # +1 pixel on both sides: a blank truth met by a blank page scores 0, not 0 / 0.
    return (1 - (2 * overlap + 1) / (f.square().sum(1) + r.square().sum(1) + 1)).mean()


def edge(fake: Tensor, real: Tensor, scales: int = 1) -> Tensor:
    """Mean absolute difference of the Sobel gradients, in ink per pixel; borders are edge-padded.

    Args:
        scales: 1 compares at full size; more add half, quarter ... the size, averaged 2x2, and take the mean of all.
    """
    f, r = ink_from_image(fake), ink_from_image(real)
    total = (sobel(f) - sobel(r)).abs().mean()
    for _ in range(scales - 1):
        f, r = F.avg_pool2d(f, 2), F.avg_pool2d(r, 2)
        total = total + (sobel(f) - sobel(r)).abs().mean()
    return total / scales


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


def total_variation(fake: Tensor) -> Tensor:
    """Mean absolute difference of the ink of neighbours in a row, plus that of neighbours in a column.

    Looks at the drawing alone: it counts outline, and speckles are mostly outline.

    Source: Rudin et al. 1992, "Nonlinear total variation based noise removal algorithms", in its anisotropic form.
    """
    ink = ink_from_image(fake)
    return ink.diff(dim=-1).abs().mean() + ink.diff(dim=-2).abs().mean()


def perceptual(fake: Tensor, real: Tensor) -> Tensor:
    """Distance of two glyphs as a small encoder sees them that has learned to tell characters and fonts apart.

    The encoder is the one of ``glyph_perceptual`` with other weights, frozen and in full precision; glyphs are
    brought to its 64 px.

    Source: Johnson et al. 2016, arXiv:1603.08155; distance as in Zhang et al. 2018, arXiv:1801.03924.
    """
    encoder = loss_encoder(fake.device)
    with torch.no_grad():
        seen = encoder.features(ink_from_image(real))
    return feature_distance(encoder.features(ink_from_image(fake)), seen).mean()


def constancy(source_map: Tensor, fake_map: Tensor) -> Tensor:
    """Mean squared difference of the innermost maps of the source and of the glyph drawn from it.

    Source: the constancy loss of zi2zi, after DTN (Taigman et al. 2016, arXiv:1611.02200).
    """
    return F.mse_loss(fake_map.float(), source_map.float())


def hinge_d(real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
    """Hinge loss of the discriminator. Source: Lim & Ye 2017, arXiv:1705.02894."""
    return F.relu(1 - real.logits).mean() + F.relu(1 + fake.logits).mean()


def hinge_g(fake: DiscriminatorOutput) -> Tensor:
    """Hinge loss of the generator: raise the discriminator's logits."""
    return -fake.logits.mean()


def least_squares_d(real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
    """Real to 1, fake to 0, by halved squares. Source: Mao et al. 2017 (LSGAN), arXiv:1611.04076."""
    return ((real.logits - 1).square().mean() + fake.logits.square().mean()) / 2


def least_squares_g(fake: DiscriminatorOutput) -> Tensor:
    """Fake to 1: a glyph far on the right side is pulled back as one on the wrong side is."""
    return (fake.logits - 1).square().mean() / 2


def non_saturating_d(real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
    """Cross-entropy of the discriminator: real up, fake down. Source: Goodfellow et al. 2014, arXiv:1406.2661."""
    return F.softplus(-real.logits).mean() + F.softplus(fake.logits).mean()


def non_saturating_g(fake: DiscriminatorOutput) -> Tensor:
    """Cross-entropy of the generator, turned round so that its gradient is large where the discriminator is sure."""
    return F.softplus(-fake.logits).mean()


def relativistic_d(real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
    """Real above fake, each patch against the same patch of the same character, by cross-entropy.

    Source: Jolicoeur-Martineau 2018 (RSGAN), arXiv:1807.00734.  Its pairs are drawn at random; here they are the true
    and the drawn glyph of one source.
    """
    return F.softplus(fake.logits - real.logits).mean()


def relativistic_g(fake: DiscriminatorOutput, real: DiscriminatorOutput) -> Tensor:
    """Fake above real."""
    return F.softplus(real.logits - fake.logits).mean()


def feature_matching(fake: DiscriminatorOutput, real: DiscriminatorOutput) -> Tensor:
    """Mean absolute difference of the discriminator's maps of the drawn and the true glyph, averaged over its layers.

    Raises: ValueError if the discriminator gives no maps.
    Source: Wang et al. 2018 (pix2pixHD), arXiv:1711.11585.
    """
    if not fake.features:
        raise ValueError(
            "loss.feature_matching is above 0 but the discriminator gives no features. "
            "Use discriminator=patch or zi2zi, or loss.feature_matching=0."
        )
    differences = [F.l1_loss(f.float(), r.detach().float()) for f, r in zip(fake.features, real.features, strict=True)]
    return torch.stack(differences).mean()


def r1(real: DiscriminatorOutput, glyph: Tensor) -> Tensor:
    """Half the squared gradient of the realness of true glyphs with respect to their pixels, per patch.

    Args:
        glyph: (B, 1, H, W), what it judged, requiring a gradient; the verdict on one may not depend on another.
    Source: Mescheder et al. 2018, arXiv:1801.04406.  The gradient is that of the sum over a glyph's patches; its square
        is divided by their number, so that one weight serves all sizes.  With one patch it is the paper's.
    """
    (gradient,) = torch.autograd.grad(real.logits.sum(), glyph, create_graph=True)
    patches = real.logits[0].numel()
    return gradient.square().sum(dim=(1, 2, 3)).mean() / (2 * patches)


def category(verdict: DiscriminatorOutput, style: Tensor) -> Tensor:
    """Cross-entropy between the category head's logits and the style weights (B, styles).

    Raises: ValueError if the discriminator has no category head.
    """
    if verdict.class_logits is None:
        raise ValueError(
            "loss.category is above 0 but the discriminator has no category head. "
            "Use discriminator=zi2zi, or discriminator=patch discriminator.head=category, or loss.category=0."
        )
    return F.cross_entropy(verdict.class_logits, style)
