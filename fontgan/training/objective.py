"""What the generator is asked for: the weighted sum of losses, as ``loss=`` configures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fontgan import losses
from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.values import image_from_logits

DRAWING = ("l1", "ink_bce", "dice", "edge")  # weights that draw the glyph; perceptual features hardly tell its tones
WEIGHTS = (*DRAWING, "perceptual", "total_variation", "constancy", "adversarial", "category", "feature_matching", "r1")
MAX_EDGE_SCALES = 5  # 64 px, the smallest canvas, is 4 px then


class GanLoss(NamedTuple):
    """The two sides of an adversarial loss."""

    discriminator: Callable[[DiscriminatorOutput, DiscriminatorOutput], Tensor]  # of the real and the fake verdict
    generator: Callable[..., Tensor]  # of the fake verdict, and where paired of the real one after it
    relativistic: bool = False


NON_SATURATING = GanLoss(losses.non_saturating_d, losses.non_saturating_g)
GAN_LOSSES = {
    "hinge": GanLoss(losses.hinge_d, losses.hinge_g),
    "least_squares": GanLoss(losses.least_squares_d, losses.least_squares_g),
    "non_saturating": NON_SATURATING,
    "bce": NON_SATURATING,  # its name in zi2zi
    "relativistic": GanLoss(losses.relativistic_d, losses.relativistic_g, relativistic=True),
}


@dataclass(frozen=True)
class Objective:
    """Weights of the losses; a term of weight 0 is not computed.

    ``progress`` below is the share of the training done, 0 to 1.

    Args:
        l1, ink_bce, dice, edge, perceptual, total_variation, constancy, category, feature_matching, r1: weights,
            each 0 or more, of the functions of those names in ``fontgan.losses``.
        adversarial: weight of the generator's side of ``gan``; the discriminator's side counts in full.
        handover: share of the training over which ``ink_bce`` fades linearly to 0 while ``l1`` fades in.
            0 keeps both in full.  Cross-entropy first, because L1 alone falls into the blank page where ink is
            scarce; L1 later, because it is the sharper judge once strokes are in place.
        adversarial_from: share of the training after which the discriminator and its terms start.
        edge_scales: sizes at which ``edge`` compares, each half of the one before.
        gan: a name in ``GAN_LOSSES``.
    Raises: ValueError if a weight is negative or needs another that is 0, a share is outside 0 to 1, or ``gan`` unknown.
    """

    l1: float = 1.0
    ink_bce: float = 1.0
    handover: float = 0.5
    dice: float = 0.5
    edge: float = 1.0
    edge_scales: int = 1
    perceptual: float = 0.0
    total_variation: float = 0.0
    adversarial: float = 0.0
    adversarial_from: float = 0.0
    gan: str = "hinge"
    category: float = 0.0
    feature_matching: float = 0.0
    r1: float = 0.0
    constancy: float = 0.0

    def __post_init__(self) -> None:
        for name in WEIGHTS:
            if getattr(self, name) < 0:
                raise ValueError(f"loss.{name}={getattr(self, name)}: a weight of 0 or more is needed.")
        if not 0 <= self.adversarial_from < 1:
            raise ValueError(
                f"loss.adversarial_from={self.adversarial_from}: a share of the training from 0 to below 1 is needed."
            )
        draws = any(getattr(self, name) for name in DRAWING)
        if self.adversarial_from and not draws:
            raise ValueError("loss.adversarial_from: until then no weight above 0 draws the glyph. Use 0, or raise l1.")
        if not 0 <= self.handover <= 1:
            raise ValueError(f"loss.handover={self.handover}: a share of the training from 0 to 1 is needed.")
        if self.gan not in GAN_LOSSES:
            raise ValueError(f"loss.gan={self.gan}: choose one of {', '.join(GAN_LOSSES)}.")
        if not (draws or self.adversarial):
            raise ValueError(
                f"loss: every weight that draws the glyph is 0. Raise {', '.join(DRAWING)} or adversarial."
            )
        if not 1 <= self.edge_scales <= MAX_EDGE_SCALES:
            raise ValueError(f"loss.edge_scales={self.edge_scales}: 1 to {MAX_EDGE_SCALES} sizes can be compared.")
        if self.edge_scales > 1 and not self.edge:
            raise ValueError(
                f"loss.edge_scales={self.edge_scales}: would never be used, since loss.edge is 0. "
                "Raise loss.edge, or use loss.edge_scales=1."
            )
        if self.r1 and not self.adversarial:
            raise ValueError(
                f"loss.r1={self.r1}: would never be used, since loss.adversarial is 0. "
                "Raise loss.adversarial, or use loss.r1=0."
            )
        if self.feature_matching and not (self.adversarial or self.category):
            raise ValueError(
                f"loss.feature_matching={self.feature_matching}: nothing trains the discriminator whose features it "
                "compares. Raise loss.adversarial or loss.category, or use loss.feature_matching=0."
            )

    def uses_discriminator(self, progress: float) -> bool:
        return (self.adversarial > 0 or self.category > 0) and progress >= self.adversarial_from

    @property
    def needs_real_output(self) -> bool:
        """Whether the generator's terms compare with the discriminator's verdict on the true glyph."""
        return self.feature_matching > 0 or (self.adversarial > 0 and GAN_LOSSES[self.gan].relativistic)

    def reconstruction(self, logits: Tensor, target: Tensor, progress: float) -> dict[str, Tensor]:
        """Weighted terms of the drawn glyph that need no discriminator."""
        fake = image_from_logits(logits)
        # With only one of the two there is nothing to hand over to or from.
        share = self.handover if self.l1 and self.ink_bce else 0.0
        late = min(1.0, progress / share) if share else 1.0
        early = 1.0 - late if share else 1.0
        terms = {}
        if self.ink_bce * early > 0:
            terms["ink_bce"] = self.ink_bce * early * losses.ink_bce(logits, target)
        if self.l1 * late > 0:
            terms["l1"] = self.l1 * late * losses.l1(fake, target)
        if self.dice > 0:
            terms["dice"] = self.dice * losses.soft_dice(fake, target)
        if self.edge > 0:
            terms["edge"] = self.edge * losses.edge(fake, target, self.edge_scales)
        if self.perceptual > 0:
            terms["perceptual"] = self.perceptual * losses.perceptual(fake, target)
        if self.total_variation > 0:
            terms["total_variation"] = self.total_variation * losses.total_variation(fake)
        return terms

    def generator_gan_losses(
        self, fake: DiscriminatorOutput, style: Tensor, real: DiscriminatorOutput | None = None
    ) -> dict[str, Tensor]:
        """Weighted terms of the generator that the discriminator judges; ``real`` where ``needs_real_output``."""
        terms = {}
        if self.adversarial > 0:
            gan = GAN_LOSSES[self.gan]
            judged = gan.generator(fake, real) if gan.relativistic else gan.generator(fake)
            terms["adversarial"] = self.adversarial * judged
        if self.category > 0:
            terms["category"] = self.category * losses.category(fake, style)
        if self.feature_matching > 0:
            assert real is not None
            terms["feature_matching"] = self.feature_matching * losses.feature_matching(fake, real)
        return terms

    def discriminator_losses(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, style: Tensor
    ) -> dict[str, Tensor]:
        """Terms of the discriminator's own update, less R1, which needs a pass of its own."""
        terms = {}
        if self.adversarial > 0:
            terms["d_adversarial"] = GAN_LOSSES[self.gan].discriminator(real, fake)
        if self.category > 0:
            # Real glyphs only: the discriminator is to know the styles, not the generator's mistakes.
            terms["d_category"] = self.category * losses.category(real, style)
        return terms
