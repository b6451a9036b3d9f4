"""What the generator is asked for: the weighted sum of losses, as ``loss=`` configures it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fontgan import losses
from fontgan.models.discriminator import Verdict
from fontgan.models.unet import image_from_logits

GAN_LOSSES = {"hinge": (losses.hinge_d, losses.hinge_g), "bce": (losses.bce_d, losses.bce_g)}


@dataclass(frozen=True)
class Objective:
    """Weights of the losses; a term of weight 0 is not computed.

    ``progress`` below is the share of the training done, 0 to 1.

    Args:
        l1, ink_bce, dice, edge, adversarial, category, constancy: weights, each 0 or more, of the
            functions of those names in ``fontgan.losses``.
        handover: share of the training over which ``ink_bce`` fades linearly to 0 while ``l1`` fades in.
            0 keeps both in full.  Cross-entropy first, because L1 alone falls into the blank page where ink is
            scarce; L1 later, because it is the sharper judge once strokes are in place.
        adversarial_from: share of the training after which the discriminator and its terms start.
        gan: "hinge" or "bce".
    Raises: ValueError if a weight is negative, a share outside 0 to 1, or ``gan`` unknown.
    """

    l1: float = 1.0
    ink_bce: float = 1.0
    handover: float = 0.5
    dice: float = 0.5
    edge: float = 1.0
    adversarial: float = 0.0
    adversarial_from: float = 0.0
    gan: str = "hinge"
    category: float = 0.0
    constancy: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l1", "ink_bce", "dice", "edge", "adversarial", "category", "constancy"):
            if getattr(self, name) < 0:
                raise ValueError(f"loss.{name}={getattr(self, name)}: a weight of 0 or more is needed.")
        if not 0 <= self.adversarial_from < 1:
            raise ValueError(
                f"loss.adversarial_from={self.adversarial_from}: a share of the training from 0 to below 1 is needed."
            )
        if self.adversarial_from and not any((self.l1, self.ink_bce, self.dice, self.edge)):
            raise ValueError("loss.adversarial_from: until then no weight above 0 draws the glyph. Use 0, or raise l1.")
        if not 0 <= self.handover <= 1:
            raise ValueError(f"loss.handover={self.handover}: a share of the training from 0 to 1 is needed.")
        if self.gan not in GAN_LOSSES:
            raise ValueError(f"loss.gan={self.gan}: choose one of {', '.join(GAN_LOSSES)}.")
        if not any((self.l1, self.ink_bce, self.dice, self.edge, self.adversarial)):
            raise ValueError(
                "loss: every weight that draws the glyph is 0. Raise l1, ink_bce, dice, edge or adversarial."
            )

    def uses_discriminator(self, progress: float) -> bool:
        return (self.adversarial > 0 or self.category > 0) and progress >= self.adversarial_from

    def reconstruction(self, logits: Tensor, target: Tensor, progress: float) -> dict[str, Tensor]:
        """Weighted terms that compare the drawn glyph with the true one."""
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
            terms["edge"] = self.edge * losses.edge(fake, target)
        return terms

    def persuasion(self, verdict: Verdict, style: Tensor) -> dict[str, Tensor]:
        """Weighted terms of the generator that the discriminator judges."""
        terms = {}
        if self.adversarial > 0:
            terms["adversarial"] = self.adversarial * GAN_LOSSES[self.gan][1](verdict)
        if self.category > 0:
            terms["category"] = self.category * losses.category(verdict, style)
        return terms

    def discrimination(self, real: Verdict, fake: Verdict, style: Tensor) -> dict[str, Tensor]:
        """Terms of the discriminator's own update."""
        terms = {}
        if self.adversarial > 0:
            terms["d_adversarial"] = GAN_LOSSES[self.gan][0](real, fake)
        if self.category > 0:
            # Real glyphs only: the discriminator is to know the styles, not the generator's mistakes.
            terms["d_category"] = self.category * losses.category(real, style)
        return terms
