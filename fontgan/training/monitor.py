"""Whether a training is still sound, told from what it computes anyway: losses, gradient norms, held-out drawings.

What ruins the networks is a ``Diverged``, which ends the training or rolls it back; the rest is a warning, said once
while it lasts.  The limits stand far outside what healthy runs showed: docs/research/log-reliability.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from fontgan.errors import RunError, shorten
from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.training.objective import Objective, Term

STOP, ROLLBACK = "stop", "rollback"
ON_DIVERGENCE = (STOP, ROLLBACK)  # of trainer.on_divergence

# Healthy runs: drawing losses up to 1.5 times their usual value, gradients up to 10 times, neither for long.
EXPLODED = {"drawing": 5.0, "gradient": 100.0}  # times the usual value
EXPLODED_STEPS = 20  # in a row
DOUBTFUL_STEPS = 3  # of them, after which nothing is saved until it is over; spikes last one or two
USUAL_RATE = 0.02  # a step, by which the usual value follows: sevenfold in a hundred steps
USUAL_FLOOR = 0.1  # of the highest it has been: what has vanished for a while may come back
VANISHED, VANISHED_STEPS = 0.01, 200  # share of the discriminator's loss at chance, and for how many steps in a row
OVERWHELMED, OVERWHELMED_STEPS = 10.0, 20
DEAD_SHARE = 0.5  # of the channels of a level
MIN_GLYPHS = 3  # held-out glyphs of a style that can tell a collapse from a single bad drawing


class Diverged(RunError):
    """What the training has learned is being lost.

    Args:
        good_until: the last step whose weights are not in doubt.
    """

    def __init__(self, step: int, what: str, *, good_until: int):
        super().__init__(f"step {step}: {what}")
        self.step = step
        self.good_until = good_until


class StyleCollapse(NamedTuple):
    """How much of one style an evaluation found collapsed to a blank or black page."""

    glyphs: int  # held-out ones
    blank: float  # share of them with hardly any ink
    black: float  # share of them with hardly any paper
    finite: bool = True  # whether all of its scores are


def chance(adversarial: Term) -> float:
    """The smallest loss of a discriminator that cannot tell: the same logit for true and drawn glyphs, whichever it is."""
    assert adversarial.discriminator is not None
    of_pair = adversarial.discriminator

    def loss(logit: float) -> float:
        same = DiscriminatorOutput(torch.full((1, 1, 1, 1), logit), None)
        return float(of_pair(d_real=same, d_fake=same))

    return min(loss(tenths / 10) for tenths in range(-10, 11))


class TrainingMonitor:
    """Follows one training. All processes that train together ask it the same and get the same answers.

    Args:
        discriminator_lr: the full rate, for advice.
    """

    def __init__(self, objective: Objective, *, discriminator_lr: float = 0.0):
        adversarial = objective.adversarial
        self.chance = chance(adversarial) if adversarial is not None else None
        self._d_loss = f"d_{adversarial.name}" if adversarial is not None else ""
        # Terms that rise and fall with the discriminator are no losses of the drawing.
        self._with_discriminator = {term.name for term in objective.terms if term.asks_discriminator}
        self.discriminator_lr = discriminator_lr
        self.times_usual: dict[str, float] = {}  # the latest values as multiples of what is usual
        self._usual: dict[str, tuple[float, float]] = {}  # running medians, and the highest that each has been
        self._lasting: dict[str, int] = {}  # for how many steps in a row something has been wrong
        self._drew: dict[str, int] = {}  # style -> the last step at which it was drawn
        self._said: list[str] = []  # what was found at the last evaluation

    # -- every step -----------------------------------------------------------------------------

    def look_at_step(self, step: int, losses: Mapping[str, float], gradients: Mapping[str, float]) -> list[str]:
        """Takes what a step reported, finite and averaged over all processes; steps come in order.

        Returns: warnings, one line each.
        Raises: Diverged.
        """
        drawing = [
            value
            for name, value in losses.items()
            if not name.startswith("d_") and name not in self._with_discriminator
        ]
        if drawing:
            self._look_for_explosion(step, "the losses of the drawing", sum(drawing), EXPLODED["drawing"])
        for name, whose in (("g", "generator"), ("d", "discriminator")):
            if name in gradients:
                self._look_for_explosion(step, f"the {whose}'s gradient", gradients[name], EXPLODED["gradient"])
        return self._look_at_discriminator(step, losses)

    def _look_for_explosion(self, step: int, what: str, value: float, factor: float) -> None:
        usual, highest = self._usual.get(what, (value, value))
        usual = usual or value
        self.times_usual[what] = value / usual if usual else 1.0
        if self._lasts(what, value > factor * usual) == EXPLODED_STEPS:
            raise Diverged(
                step,
                f"{what} exploded ({value:.3g}, usually {usual:.3g}, for {EXPLODED_STEPS} steps), so what was learned "
                "is being lost",
                good_until=self.good_until(step),
            )
        # A running median in steps of a constant share: Ma et al. 2014 (frugal streaming), arXiv:1407.1121.
        usual *= 1 + USUAL_RATE if value > usual else 1 - USUAL_RATE
        self._usual[what] = max(usual, USUAL_FLOOR * highest), max(usual, highest)

    def _exploding(self) -> int:
        """For how many steps something has been exploding."""
        return max((n for what, n in self._lasting.items() if what not in ("vanished", "overwhelmed")), default=0)

    @property
    def in_doubt(self) -> bool:
        """Whether the weights may be spoilt already."""
        return self._exploding() >= DOUBTFUL_STEPS

    def good_until(self, step: int) -> int:
        """The last step whose weights are not in doubt if, after ``step`` steps, they turn out to be spoilt."""
        # The first of the steps that exploded was computed by the weights of the step before it.
        return step - 1 - self._exploding()

    def _look_at_discriminator(self, step: int, losses: Mapping[str, float]) -> list[str]:
        share = self.d_loss_over_chance(losses)
        if share is None:
            return []
        said = f"loss {losses[self._d_loss]:.3g} for {{}} steps, {self.chance:.3g} would be guessing"
        lower = f"optim.discriminator_lr={self.discriminator_lr / 4:g}"
        found = []
        if self._lasts("vanished", share < VANISHED) == VANISHED_STEPS:
            found.append(
                f"step {step}: the discriminator always wins ({said.format(VANISHED_STEPS)}), and the generator learns "
                f"little from a judge without doubt. Use {lower} or loss.r1.weight=1 in another out=."
            )
        if self._lasts("overwhelmed", share > OVERWHELMED) == OVERWHELMED_STEPS:
            found.append(
                f"step {step}: the discriminator is far worse than guessing ({said.format(OVERWHELMED_STEPS)}), and "
                f"misleads the generator. Use {lower} or discriminator=patch in another out=."
            )
        return found

    def d_loss_over_chance(self, losses: Mapping[str, float]) -> float | None:
        """The discriminator's loss as a share of what guessing costs, 1 is chance; None where it is not at work."""
        return losses[self._d_loss] / self.chance if self.chance and self._d_loss in losses else None

    def _lasts(self, what: str, wrong: bool) -> int:
        """For how many steps in a row this has been wrong."""
        self._lasting[what] = self._lasting.get(what, 0) + 1 if wrong else 0
        return self._lasting[what]

    # -- every evaluation -----------------------------------------------------------------------

    def look_at_evaluation(
        self, step: int, drawn: Mapping[str, StyleCollapse], dead: Mapping[int, tuple[int, int]]
    ) -> list[str]:
        """Takes what an evaluation saw.

        Args:
            drawn: by style; {} where nothing is held out.
            dead: level -> dead channels and all channels, see ``fontgan.training.dead_channels``.
        Returns: warnings, one line each.
        Raises: Diverged if a style that was drawn before is drawn no more, or a score is not finite.
        """
        found: dict[str, str] = {}
        broken = [style for style, seen in drawn.items() if not seen.finite]
        if broken:
            raise Diverged(
                step, f"a held-out score of {shorten(broken)} is not finite", good_until=self.good_until(step)
            )
        for look, kind in (("blank", "ink"), ("black", "paper")):
            empty = [style for style, seen in drawn.items() if getattr(seen, look) == 1]
            lost = [style for style in empty if style in self._drew and drawn[style].glyphs >= MIN_GLYPHS]
            if lost:
                last = min(self._drew[style] for style in lost)
                raise Diverged(
                    step,
                    f"every held-out glyph of {shorten(lost)} is {look} (less than a fifth of the true {kind}), and at "
                    f"step {last} most were not",
                    good_until=last,
                )
            if empty:
                found[f"{look}: {' '.join(empty)}"] = (
                    f"step {step}: every held-out glyph of {shorten(empty)} is {look} (less than a fifth of the true "
                    f"{kind}). Early in a training that is common; if it stays, use loss=ink, which draws thin styles "
                    "too, or a lower optim.lr, in another out=."
                )
        self._drew |= {style: step for style, seen in drawn.items() if seen.blank + seen.black <= 0.5}
        worst = max(dead, key=lambda level: dead[level][0] / dead[level][1], default=None)
        if worst is not None and dead[worst][0] > DEAD_SHARE * dead[worst][1]:
            found["dead"] = (
                f"step {step}: {dead[worst][0]} of {dead[worst][1]} channels of level {worst} give the same value "
                "everywhere in every held-out glyph: they are dead and hardly come back. Use a lower optim.lr, "
                "generator/norm=batch or trainer.grad_clip=1 in another out=."
            )
        new = [text for key, text in found.items() if key not in self._said]
        self._said = list(found)
        return new

    # -- what a checkpoint keeps ----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the next answers depend on, as plain values."""
        return {
            "usual": {what: list(pair) for what, pair in self._usual.items()},
            "lasting": {what: steps for what, steps in self._lasting.items() if steps},
            "drew": dict(self._drew),
            "said": list(self._said),
        }

    def restore(self, state: Any) -> None:
        """Goes back to a ``state``; a run of an older version has none, {}. Raises: ValueError if it is no such thing."""
        try:
            self._usual = {
                str(what): (float(usual), float(highest)) for what, (usual, highest) in state.get("usual", {}).items()
            }
            self._lasting = {str(what): int(steps) for what, steps in state.get("lasting", {}).items()}
            self._drew = {str(style): int(step) for style, step in state.get("drew", {}).items()}
            self._said = [str(key) for key in state.get("said", [])]
        except (AttributeError, TypeError, OverflowError) as error:
            raise ValueError(f"health: {error}") from error

    def forgive(self) -> None:
        """Gives a training that was rolled back its full time again."""
        self._lasting = {}
