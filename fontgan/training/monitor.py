"""Whether a training is still sound, told from what it computes anyway: losses, gradient norms, held-out drawings.

What ruins the networks is a ``Diverged``, which ends the training or rolls it back; the rest is a warning, said once
while it lasts.  The limits stand far outside what healthy runs showed: docs/research/log-reliability.md has the measurements.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from fontgan.errors import RunError, shorten
from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.training.objective import Objective, Term
from fontgan.training.run_json import MonitorState

STOP, ROLLBACK = "stop", "rollback"  # of trainer.on_divergence

# Healthy runs: drawing losses up to 1.5 times their usual value, gradients up to 10 times, neither for long.
EXPLODED = {"drawing": 5.0, "gradient": 100.0}  # times the usual value
EXPLODED_STEPS = 20  # in a row
DOUBTFUL_STEPS = 3  # of them, after which nothing is saved until it is over; spikes last one or two
USUAL_RATE = 0.02  # a step, by which the usual value follows: sevenfold in a hundred steps
USUAL_FLOOR = 0.1  # of the highest it has been: what has vanished for a while may come back
VANISHED, VANISHED_STEPS = 0.01, 200  # share of the discriminator's loss at chance, and for how many steps in a row
OVERWHELMED, OVERWHELMED_STEPS = 10.0, 20
OVERFLOWED_STEPS = 20  # in a row that fp16 skips; a scale is halved by each, and by then a millionth of what it was
DEAD_SHARE = 0.5  # of the channels of a level
MIN_GLYPHS = 3  # held-out glyphs of a style that can tell a collapse from a single bad drawing
WHOSE = {"g": "generator", "d": "discriminator"}
OVERFLOW = "overflow of "  # and the name of the network, in what has lasted


class Diverged(RunError):
    """What the training has learned is being lost; ``good_until`` is the last step whose weights are not in doubt."""

    def __init__(self, step: int, what: str, *, good_until: int):
        super().__init__(f"step {step}: {what}")
        self.step, self.good_until = step, good_until


class StyleCollapse(NamedTuple):
    """How much of one style an evaluation found collapsed to a blank or black page."""

    glyphs: int  # held-out ones
    blank: float  # share of them with hardly any ink
    black: float  # share of them with hardly any paper
    finite: bool = True  # whether all of its scores are


def chance(adversarial: Term) -> float:
    """The smallest loss of a discriminator that cannot tell: the same logit for true and drawn glyphs, whichever it is."""
    assert adversarial.discriminator is not None
    same = [DiscriminatorOutput(torch.full((1, 1, 1, 1), tenths / 10), None) for tenths in range(-10, 11)]
    return min(float(adversarial.discriminator(d_real=output, d_fake=output)) for output in same)


class TrainingMonitor:
    """Follows one training. All processes that train together ask it the same and get the same answers."""

    def __init__(self, objective: Objective, *, discriminator_lr: float = 0.0):
        adversarial = objective.adversarial
        self.chance = chance(adversarial) if adversarial is not None else None
        self._d_loss = f"d_{adversarial.name}" if adversarial is not None else ""
        # Terms that rise and fall with the discriminator are no losses of the drawing.
        self._with_discriminator = {term.name for term in objective.terms if term.asks_discriminator}
        self.discriminator_lr = discriminator_lr  # the full rate, for advice
        self.times_usual: dict[str, float] = {}  # the latest values as multiples of what is usual
        self.state = MonitorState()  # all that the next answers depend on; a checkpoint keeps it

    def look_at_step(self, step: int, losses: Mapping[str, float], gradients: Mapping[str, float]) -> list[str]:
        """Takes what a step reported, finite and averaged over all processes; steps come in order.

        Returns: warnings, one line each. Raises: Diverged.
        """
        others = [name for name in losses if not name.startswith("d_") and name not in self._with_discriminator]
        if others:
            drawing = sum(losses[name] for name in others)
            self._look_for_explosion(step, "the losses of the drawing", drawing, EXPLODED["drawing"])
        for name, whose in WHOSE.items():
            if name in gradients:
                self._look_for_explosion(step, f"the {whose}'s gradient", gradients[name], EXPLODED["gradient"])
        return self._look_at_discriminator(step, losses)

    def look_at_overflows(self, step: int, overflowed: Mapping[str, bool]) -> None:
        """Takes of each network that is scaled for fp16 whether the step skipped it. Raises: Diverged."""
        for name, skipped in overflowed.items():
            if self._lasts(f"{OVERFLOW}{name}", skipped) == OVERFLOWED_STEPS:
                told = (
                    f"the {WHOSE[name]}'s gradient has overflowed fp16 for {OVERFLOWED_STEPS} steps, whatever its scale"
                )
                raise Diverged(step, told, good_until=self.good_until(step) - OVERFLOWED_STEPS)

    def _look_for_explosion(self, step: int, what: str, value: float, factor: float) -> None:
        usual, highest = self.state.usual.get(what, (value, value))
        usual = usual or value
        self.times_usual[what] = value / usual if usual else 1.0
        if self._lasts(what, value > factor * usual) == EXPLODED_STEPS:
            seen = f"({value:.3g}, usually {usual:.3g}, for {EXPLODED_STEPS} steps)"
            told = f"{what} exploded {seen}, so what was learned is being lost"
            raise Diverged(step, told, good_until=self.good_until(step))
        # A running median in steps of a constant share: Ma et al. 2014 (frugal streaming), arXiv:1407.1121.
        usual *= 1 + USUAL_RATE if value > usual else 1 - USUAL_RATE
        self.state.usual[what] = max(usual, USUAL_FLOOR * highest), max(usual, highest)

    def _exploding(self) -> int:
        """For how many steps something has been exploding."""
        others = ("vanished", "overwhelmed", *(f"{OVERFLOW}{name}" for name in WHOSE))
        return max((n for what, n in self.state.lasting.items() if what not in others), default=0)

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
        before = self.state.lasting.pop(what, 0)
        if not wrong:
            return 0
        self.state.lasting[what] = before + 1
        return before + 1

    def look_at_evaluation(
        self, step: int, drawn: Mapping[str, StyleCollapse], dead: Mapping[int, tuple[int, int]]
    ) -> list[str]:
        """Takes what an evaluation saw: of each style, if any are held out, and level -> dead channels and all channels.

        Returns: warnings, one line each.
        Raises: Diverged if a style that was drawn before is drawn no more, or a score is not finite.
        """
        found: dict[str, str] = {}
        if broken := [style for style, seen in drawn.items() if not seen.finite]:
            what = f"a held-out score of {shorten(broken)} is not finite"
            raise Diverged(step, what, good_until=self.good_until(step))
        said = "every held-out glyph of {} is {} (less than a fifth of the true {})".format
        for look, kind in (("blank", "ink"), ("black", "paper")):
            empty = [style for style, seen in drawn.items() if getattr(seen, look) == 1]
            lost = [style for style in empty if style in self.state.drew and drawn[style].glyphs >= MIN_GLYPHS]
            if lost:
                last = min(self.state.drew[style] for style in lost)
                what = f"{said(shorten(lost), look, kind)}, and at step {last} most were not"
                raise Diverged(step, what, good_until=last)
            if empty:
                found[f"{look}: {' '.join(empty)}"] = (
                    f"step {step}: {said(shorten(empty), look, kind)}. Early in a training that is common; if it stays, "
                    "use loss=ink, which draws thin styles too, or a lower optim.lr, in another out=."
                )
        self.state.drew |= {style: step for style, seen in drawn.items() if seen.blank + seen.black <= 0.5}
        worst = max(dead, key=lambda level: dead[level][0] / dead[level][1], default=None)
        if worst is not None and dead[worst][0] > DEAD_SHARE * dead[worst][1]:
            found["dead"] = (
                f"step {step}: {dead[worst][0]} of {dead[worst][1]} channels of level {worst} give the same value "
                "everywhere in every held-out glyph: they are dead and hardly come back. Use a lower optim.lr, "
                "generator/norm=batch or trainer.grad_clip=1 in another out=."
            )
        new = [text for key, text in found.items() if key not in self.state.said]
        self.state.said = list(found)
        return new
