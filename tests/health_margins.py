"""How far healthy trainings stay from the limits of numeric health: python -m tests.health_margins [STEPS]

Small trainings with every loss preset and every GAN loss, a line each: the largest multiple of its usual value that
anything reached, and the smallest and largest share of chance that the discriminator's loss had.
"""

from __future__ import annotations

import sys

import torch

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.losses import GAN_LOSSES
from fontgan.training.monitor import EXPLODED, TrainingMonitor
from fontgan.training.schedule import Schedule
from tests.helpers import TINY

_GANS = {sides: kind for kind, sides in GAN_LOSSES.items()}.values()  # each function once
_OTHERS = [gan for gan in _GANS if gan != "hinge"]  # which is that of the preset
CASES = [
    *((f"loss={name}",) for name in choices("loss")),
    *(("loss=ink_gan", f"loss.adversarial.kind={gan}") for gan in _OTHERS),
]


def follow(overrides: tuple[str, ...], steps: int) -> tuple[dict[str, float], list[float], list[str]]:
    """Trains. Returns: the largest multiple of what is usual, by what it is of; the discriminator's losses as shares of
    chance; and the warnings. Raises: Diverged."""
    judge = ["discriminator=zi2zi"] if "loss=zi2zi" in overrides else []
    with_d = overrides != ("loss=ink",)
    small, early = (["discriminator.ndf=4"], ["loss.adversarial.start=0"]) if with_d else (["discriminator=none"], [])
    cfg = compose_config("train", [*TINY, *overrides, *judge, *small, *early, f"trainer.max_steps={steps}"])
    _, step, sampler = build_parts(cfg, torch.device("cpu"), "fp32")
    schedule = Schedule(steps, None, cfg.optim.warmup_steps, cfg.optim.final_lr_share)
    full = {
        optimiser: optimiser.param_groups[0]["lr"] for optimiser in (step.optimiser_g, step.optimiser_d) if optimiser
    }
    watch = TrainingMonitor(step.objective, discriminator_lr=cfg.optim.discriminator_lr)
    largest: dict[str, float] = {}
    shares, warnings = [], []
    for number in range(steps):
        for optimiser, rate in full.items():
            optimiser.param_groups[0]["lr"] = rate * schedule.rate(number, 0)
        reported = step([sampler.batch(number)], schedule.progress(number, 0), number)
        losses = {name: float(value) for name, value in reported.items()}
        warnings += watch.look_at_step(number + 1, losses, {name: float(n) for name, n in step.gradients.items()})
        largest |= {what: max(times, largest.get(what, 0.0)) for what, times in watch.times_usual.items()}
        share = watch.d_loss_over_chance(losses)
        shares += [] if share is None else [share]
    return largest, shares, warnings


def main(arguments: list[str]) -> None:
    steps = int(arguments[0]) if arguments else 400
    print(f"{steps} steps each; limits are {EXPLODED}")
    for case in CASES:
        largest, shares, warnings = follow(case, steps)
        said = ", ".join(f"{what} x{times:.2f}" for what, times in largest.items())
        judge = f"; discriminator {min(shares):.2f} to {max(shares):.2f} of chance" if shares else ""
        print(f"{' '.join(case)}: {said}{judge}; {len(warnings)} warnings", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
