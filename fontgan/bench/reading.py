"""Batches made ready, beside the fastest step that eats them."""

from __future__ import annotations

from itertools import count

import torch

from fontgan.bench.figures import INPUT_OVER_STEP, Figure
from fontgan.bench.step import build_step
from fontgan.runtime.device import wait_for
from fontgan.runtime.timing import ratio, summarize, time_interleaved


def measure_reading(device: torch.device, precision: str, *, rounds: int, minutes: float, seed: int) -> list[Figure]:
    """Batches made ready one after the other, beside the fastest step there is, that of quickstart."""
    settings = [f"trainer.device={device.type}", f"trainer.precision={precision}", f"trainer.seed={seed}"]
    step = build_step(["experiment=quickstart", *settings], device)
    places = count()
    seconds = time_interleaved(
        {"batch": lambda: step.sampler.batch(next(places)).to(device), "step": step.run},
        lambda: wait_for(device),
        rounds=rounds,
        minutes=minutes,
        title="reading",
    )
    how = f"quickstart, {step.config.data.size} px, batches of {step.glyphs}, read, augmented and on the device; {step.precision}"
    return [
        Figure("reading batches", summarize([step.glyphs / took for took in seconds["batch"]]), "glyphs/s", how),
        Figure("reading over the fastest step", ratio(seconds["step"], seconds["batch"]), "x", how, INPUT_OVER_STEP),
    ]
