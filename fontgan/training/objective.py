"""What a training minimises: loss terms, each with its weight and its share of the training, as ``loss=`` lists them."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

Losses = dict[str, Tensor]  # by the name of their term
PENALISED = "d_real_with_grad"  # who takes it is a penalty of the discriminator
INPUTS = {
    "logits", "fake", "target", "source", "style", "source_map", "fake_map", "d_fake", "d_real", "target_with_grad",
    PENALISED,
}  # fmt: skip


@dataclass(eq=False)
class Term:
    """One loss term.  What it needs is read from the names of its parameters, see ``fontgan.losses``.

    Raises: ValueError if the shares contradict each other, or the loss asks for what a training step does not have.
    """

    name: str
    loss: Any  # a function, or an object with ``generator`` and ``discriminator``, a side for each
    _: KW_ONLY
    weight: float = 1.0  # above 0; the discriminator's side of an adversarial loss counts in full whatever the weight
    start: float = 0.0  # share of the training from which it acts, and until which
    end: float = 1.0
    fade_in: float = 0.0  # share over which its weight rises linearly from 0, and at its end falls to 0
    fade_out: float = 0.0

    def __post_init__(self) -> None:
        if self.start >= self.end or max(self.fade_in, self.fade_out) > self.end - self.start + 1e-9:
            raise ValueError(
                f"loss.{self.name}: acts from {self.start:g} to {self.end:g} of the training, and fades in over "
                f"{self.fade_in:g} and out over {self.fade_out:g}. Choose start below end, and fades that fit between."
            )
        loss = self.loss
        self.is_penalty = callable(loss) and PENALISED in inspect.signature(loss).parameters
        self.generator = None if self.is_penalty else getattr(loss, "generator", loss)
        self.discriminator = loss if self.is_penalty else getattr(loss, "discriminator", None)
        self.generator_inputs = _inputs(self.name, self.generator)
        self.discriminator_inputs = _inputs(self.name, self.discriminator)
        self.trains_discriminator = self.discriminator is not None and not self.is_penalty
        self.is_adversarial = {"d_real", "d_fake"} <= self.discriminator_inputs
        self.asks_discriminator = any(key.startswith("d_") for key in self.generator_inputs | self.discriminator_inputs)
        self.draws = "target" in self.generator_inputs or self.is_adversarial  # compares with the true glyph

    def weight_at(self, progress: float) -> float:
        """The weight at a share of the training; a term of weight 0 is not computed."""
        if progress < self.start or progress >= self.end < 1:
            return 0.0
        rise = min(1.0, (progress - self.start) / self.fade_in) if self.fade_in else 1.0
        fall = max(0.0, (progress - (self.end - self.fade_out)) / self.fade_out) if self.fade_out else 0.0
        return self.weight * rise * (1.0 - min(1.0, fall))


def _inputs(name: str, side: Callable[..., Tensor] | None) -> set[str]:
    """The parameters of a term's side that are not options. Raises: ValueError for one that a step does not have."""
    parameters = inspect.signature(side).parameters.values() if side is not None else ()
    found = {parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY}
    if unknown := sorted(found - INPUTS):
        known = ", ".join(sorted(INPUTS))
        raise ValueError(f"loss.{name}: takes {unknown[0]}, which a training step does not have. It has {known}.")
    return found


class Objective:
    """The weighted sum of loss terms, in their order.  ``progress`` below is the share of the training done, 0 to 1.

    Raises: ValueError if at some time nothing draws the glyph, or a term asks a discriminator that nothing trains.
    """

    def __init__(self, terms: Sequence[Term]):
        self.terms = terms
        self.adversarial = next((term for term in terms if term.is_adversarial), None)
        for share in (share for start, end in self.phases() for share in (start, (start + end) / 2)):
            if not any(term.draws and term.weight_at(share) > 0 for term in terms):
                raise ValueError(
                    f"loss: at {share:.3g} of the training nothing draws the glyph, as no term compares it with the true "
                    "one. Raise loss.l1.weight or another, or let it start earlier, or end later."
                )
        for term in terms:
            trained = any(of.is_adversarial or (of.trains_discriminator and not term.is_penalty) for of in terms)
            if term.asks_discriminator and not trained:
                raise ValueError(
                    f"loss.{term.name}.weight={term.weight:g}: would never be used, since nothing trains the discriminator "
                    f"that it asks. Raise loss.adversarial.weight, or use loss.{term.name}.weight=0."
                )

    def phases(self) -> list[tuple[float, float]]:
        """(start, end) of the parts of the training over which the same terms act, in order."""
        return list(pairwise(sorted({0.0, 1.0}.union(*((term.start, term.end) for term in self.terms)))))

    def discriminator_at_work(self, progress: float) -> bool:
        """From when the first term that trains the discriminator starts, it learns its side of all of them."""
        return any(term.trains_discriminator and term.weight_at(progress) > 0 for term in self.terms)

    def needs(self, name: str, progress: float) -> bool:
        """Whether the generator's side of a term that acts now takes this input, or for ``PENALISED`` a penalty does."""
        return any(
            name in (term.discriminator_inputs if term.is_penalty else term.generator_inputs)
            for term in self.terms
            if term.weight_at(progress) > 0
        )

    def generator_losses(self, given: Mapping[str, Any], progress: float, done: Collection[str] = ()) -> Losses:
        """The generator's weighted terms by name: those whose inputs are all given, less those that are done."""
        return {
            term.name: weight * term.generator(**{name: given[name] for name in term.generator_inputs})
            for term in self.terms
            if term.generator is not None and term.name not in done and term.generator_inputs <= given.keys()
            if (weight := term.weight_at(progress)) > 0
        }

    def discriminator_losses(self, given: Mapping[str, Any], progress: float) -> Losses:
        """The discriminator's weighted terms, their names with a ``d_`` before: those whose inputs are all given."""
        losses = {}
        for term in self.terms:
            weight = 1.0 if term.is_adversarial else term.weight_at(progress) if term.is_penalty else term.weight
            if term.discriminator is not None and term.discriminator_inputs <= given.keys() and weight > 0:
                inputs = {name: given[name] for name in term.discriminator_inputs}
                losses[f"d_{term.name}"] = weight * term.discriminator(**inputs)
        return losses

    def try_out(self, discriminator: nn.Module | None, size: int, styles: int) -> None:
        """Computes every term once on torch's meta device, where there is nothing but shapes, and the discriminator is.

        Raises: ValueError if a term refuses its options or the discriminator; what the discriminator raises of images
            of ``size`` pixels.
        """
        with torch.device("meta"):
            image, style, features = torch.zeros(2, 1, size, size), torch.zeros(2, styles), torch.zeros(2, 1, 1, 1)
        glyph = image.clone().requires_grad_().clone()
        output = discriminator(image, glyph, style) if discriminator is not None else None
        given: dict[str, Any] = dict.fromkeys(INPUTS, image) | dict.fromkeys(("d_fake", "d_real", PENALISED), output)
        given |= {"style": style, "source_map": features, "fake_map": features, "target_with_grad": glyph}
        for term in self.terms:
            for side in (term.generator, term.discriminator):
                try:
                    if side is not None:
                        side(**{name: given[name] for name in _inputs(term.name, side)})
                except ValueError as error:
                    option = re.match(r"\w+=", str(error))  # "scales=7: 1 to 5 ..." is of an option of the term's
                    raise ValueError(f"loss.{term.name}{'.' if option else ': '}{error}") from error
