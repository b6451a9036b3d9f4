"""Loss terms: pure functions, each named by one entry of ``configs/loss/``, which gives it a weight and a schedule.

A term is handed what its parameters are called; its keyword-only parameters are options, set in the config:

logits             (B, 1, H, W) ink logits of the generator
fake               (B, 1, H, W) the same as an image, -1 ink .. +1 paper
target, source     (B, 1, H, W) images: the true glyph, and what it was drawn from
style              (B, styles) style weights
source_map         (B, C, h, w) bottleneck features of the source
fake_map           (B, C, h, w) bottleneck features of the generated glyph
d_fake, d_real     ``DiscriminatorOutput`` on the generated and on the true glyph
target_with_grad   (B, 1, H, W) true glyphs that require a gradient, for penalties of the discriminator,
d_real_with_grad   and the discriminator's output on them

A function is minimised by the generator, or, if it takes ``d_real_with_grad``, by the discriminator.  An object with
two methods, ``generator`` and ``discriminator``, has a side for each.  All return a scalar, the mean over the batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.models.glyph_encoder import LOSS_WEIGHTS, feature_distance, glyph_encoder
from fontgan.values import ink_from_image

MAX_EDGE_SCALES = 5  # 64 px, the smallest canvas, is 4 px then


def l1(fake: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference on images from -1 to +1, the scale on which pix2pix gives it weight 100."""
    return F.l1_loss(fake, target)


def ink_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of ink against paper, grey edges as soft labels.

    Its gradient does not fade on a confident blank page as L1 through a tanh does: this is what keeps
    styles of little ink from collapsing to white.
    """
    return F.binary_cross_entropy_with_logits(logits, ink_from_image(target))


def soft_dice(fake: Tensor, target: Tensor) -> Tensor:
    """1 - 2 |F.R| / (|F|^2 + |R|^2) of each glyph's ink: overlap, whatever share of the page is ink.

    Source: Milletari et al. 2016 (V-Net), arXiv:1606.04797.
    """
    f, r = ink_from_image(fake).flatten(1), ink_from_image(target).flatten(1)
    overlap = (f * r).sum(1)
    # +1 pixel on both sides: a blank truth met by a blank page scores 0, not 0 / 0.
    return (1 - (2 * overlap + 1) / (f.square().sum(1) + r.square().sum(1) + 1)).mean()


def edge(fake: Tensor, target: Tensor, *, scales: int = 1) -> Tensor:
    """Mean absolute difference of the Sobel gradients, in ink per pixel; borders are edge-padded.

    Args:
        scales: 1 compares at full size; more add half, quarter ... the size, averaged 2x2, and take the mean of all.
    Raises: ValueError if ``scales`` is not 1 to 5.
    """
    if not 1 <= scales <= MAX_EDGE_SCALES:
        raise ValueError(f"scales={scales}: 1 to {MAX_EDGE_SCALES} sizes can be compared.")
    f, r = ink_from_image(fake), ink_from_image(target)
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


def perceptual(fake: Tensor, target: Tensor) -> Tensor:
    """Distance of two glyphs as a small encoder sees them that has learned to tell characters and fonts apart.

    The encoder is the one of ``glyph_perceptual`` with other weights, frozen and in full precision; glyphs are
    brought to its 64 px.

    Source: Johnson et al. 2016, arXiv:1603.08155; distance as in Zhang et al. 2018, arXiv:1801.03924.
    """
    encoder = glyph_encoder(LOSS_WEIGHTS, fake.device)
    with torch.no_grad():
        seen = encoder.features(ink_from_image(target))
    return feature_distance(encoder.features(ink_from_image(fake)), seen).mean()


def constancy(source_map: Tensor, fake_map: Tensor) -> Tensor:
    """Mean squared difference of the innermost maps of the source and of the glyph drawn from it.

    Source: the constancy loss of zi2zi, after DTN (Taigman et al. 2016, arXiv:1611.02200).
    """
    return F.mse_loss(fake_map.float(), source_map.float())


def hinge_d(d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput) -> Tensor:
    """Hinge loss of the discriminator. Source: Lim & Ye 2017, arXiv:1705.02894."""
    return F.relu(1 - d_real.logits).mean() + F.relu(1 + d_fake.logits).mean()


def hinge_g(d_fake: DiscriminatorOutput) -> Tensor:
    """Hinge loss of the generator: raise the discriminator's logits."""
    return -d_fake.logits.mean()


def least_squares_d(d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput) -> Tensor:
    """Real to 1, fake to 0, by halved squares. Source: Mao et al. 2017 (LSGAN), arXiv:1611.04076."""
    return ((d_real.logits - 1).square().mean() + d_fake.logits.square().mean()) / 2


def least_squares_g(d_fake: DiscriminatorOutput) -> Tensor:
    """Fake to 1: a glyph far on the right side is pulled back as one on the wrong side is."""
    return (d_fake.logits - 1).square().mean() / 2


def non_saturating_d(d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput) -> Tensor:
    """Cross-entropy of the discriminator: real up, fake down. Source: Goodfellow et al. 2014, arXiv:1406.2661."""
    return F.softplus(-d_real.logits).mean() + F.softplus(d_fake.logits).mean()


def non_saturating_g(d_fake: DiscriminatorOutput) -> Tensor:
    """Cross-entropy of the generator, turned round so that its gradient is large where the discriminator is sure."""
    return F.softplus(-d_fake.logits).mean()


def relativistic_d(d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput) -> Tensor:
    """Real above fake, each patch against the same patch of the same character, by cross-entropy.

    Source: Jolicoeur-Martineau 2018 (RSGAN), arXiv:1807.00734.  Its pairs are drawn at random; here they are the true
    and the generated glyph of one source.
    """
    return F.softplus(d_fake.logits - d_real.logits).mean()


def relativistic_g(d_fake: DiscriminatorOutput, d_real: DiscriminatorOutput) -> Tensor:
    """Fake above real."""
    return F.softplus(d_real.logits - d_fake.logits).mean()


GAN_LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "hinge": (hinge_d, hinge_g),
    "least_squares": (least_squares_d, least_squares_g),
    "non_saturating": (non_saturating_d, non_saturating_g),
    "bce": (non_saturating_d, non_saturating_g),  # its name in zi2zi
    "relativistic": (relativistic_d, relativistic_g),
}


class GanLoss:
    """Adversarial loss of a ``kind`` in ``GAN_LOSSES``: a side for each network. Raises: ValueError for others."""

    def __init__(self, *, kind: str = "hinge"):
        if kind not in GAN_LOSSES:
            raise ValueError(f"kind={kind}: choose one of {', '.join(GAN_LOSSES)}.")
        self.discriminator, self.generator = GAN_LOSSES[kind]


class CategoryLoss:
    """Cross-entropy of the discriminator's category head: it learns the styles, and the generator is to be recognised.

    Source: Odena et al. 2017 (AC-GAN), arXiv:1610.09585.
    """

    def generator(self, d_fake: DiscriminatorOutput, style: Tensor) -> Tensor:
        return category(d_fake, style)

    def discriminator(self, d_real: DiscriminatorOutput, style: Tensor) -> Tensor:
        # True glyphs only: the discriminator is to know the styles, not the generator's mistakes.
        return category(d_real, style)


def category(output: DiscriminatorOutput, style: Tensor) -> Tensor:
    """Cross-entropy of the category head's logits to the style weights. Raises: ValueError if there is no such head."""
    if output.class_logits is None:
        raise ValueError(
            "the discriminator has no category head. Use discriminator=zi2zi, or discriminator=patch "
            "discriminator.head=category, or a weight of 0."
        )
    return F.cross_entropy(output.class_logits, style)


def feature_matching(d_fake: DiscriminatorOutput, d_real: DiscriminatorOutput) -> Tensor:
    """Mean absolute difference of the discriminator's features of the generated and the true glyph, mean over layers.

    Raises: ValueError if the discriminator gives no features.
    Source: Wang et al. 2018 (pix2pixHD), arXiv:1711.11585.
    """
    if not d_fake.features:
        raise ValueError("the discriminator gives no features. Use discriminator=patch or zi2zi, or a weight of 0.")
    pairs = zip(d_fake.features, d_real.features, strict=True)
    return torch.stack([F.l1_loss(fake.float(), real.detach().float()) for fake, real in pairs]).mean()


def r1(target_with_grad: Tensor, d_real_with_grad: DiscriminatorOutput) -> Tensor:
    """Half the squared gradient of the discriminator's logits on true glyphs with respect to their pixels, per patch.

    The output on one glyph may not depend on another.

    Source: Mescheder et al. 2018, arXiv:1801.04406.  The gradient is that of the sum over a glyph's patches; its square
        is divided by their number, so that one weight serves all sizes.  With one patch it is the paper's.
    """
    logits = d_real_with_grad.logits
    (gradient,) = torch.autograd.grad(logits.sum(), target_with_grad, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / (2 * logits[0].numel())
