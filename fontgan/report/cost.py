"""What a variant costs: parameters, FLOPs, and rates measured side by side in one process."""

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from fontgan.build import build_parts
from fontgan.config.compose import compose_config, find_pretrained
from fontgan.config.instantiate import build_generator
from fontgan.config.saved import check_fits
from fontgan.models.cost import forward_flops, parameters
from fontgan.models.predict import draw_glyphs
from fontgan.report.collect import TrainedRun, Variant
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.device import autocast, memory_error, pick_device, pick_precision
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import time_interleaved

ROUNDS = 5
# As ``time_interleaved`` takes it; the third warm-up tells how often a task goes into a turn.
TIMING: dict[str, Any] = {"rounds": ROUNDS, "minutes": math.inf, "title": "timing", "warm_up": 3}


@dataclass
class Rate:
    """How fast something goes, and how that compares to the fastest variant."""

    glyphs_per_second: float
    share: float  # of the fastest variant's rate, the median over rounds, each round's overall speed taken out
    low: float  # the smallest and the largest of these
    high: float


@dataclass
class Cost:
    parameters: int
    flops: int  # of drawing one glyph
    training: Rate | None = None
    inference: Rate | None = None


def costs_of(
    variants: Sequence[Variant], timed: Container[str], *, device: str, precision: str, batch_size: int
) -> list[Cost]:
    """Counts every variant's parameters and operations, and measures the rates of those whose labels are in ``timed``.

    Training steps and drawing of all are timed one after the other, round after round: taking turns makes whatever else
    the machine does meet all variants alike.  Steps are those of late training, when every loss is at work, and are not
    compiled.

    Args:
        batch_size: glyphs drawn at once; training takes each run's own batch.
    Raises: RunError if the device's memory does not hold all variants at once.
    """
    costs = []
    for variant in variants:
        first = variant.runs[0]
        generator = build_generator(first.config, len(first.checkpoint.metadata["styles"]))
        costs.append(Cost(parameters(generator), forward_flops(generator, first.config.data.size)))
    chosen = [(cost, variant.runs[0]) for cost, variant in zip(costs, variants, strict=True) if variant.label in timed]
    if not chosen:
        return costs
    where = pick_device(device)
    tasks: list[tuple[Callable[[], object], int]] = []
    with memory_error("rates: the device's memory does not hold all variants at once. Use rates=false."):
        with quiet():
            for _, run in chosen:
                check_fits(run.config, run.checkpoint, ["discriminator"])
                tasks += _tasks(run, where, pick_precision(precision, where), batch_size)
        named = {str(place): task for place, (task, _) in enumerate(tasks)}
        seconds = list(time_interleaved(named, lambda: wait_for(where), **TIMING).values())
    glyphs = [glyphs for _, glyphs in tasks]
    rates = (as_rates(seconds[kind::2], glyphs[kind::2]) for kind in (0, 1))
    for (cost, _), training, inference in zip(chosen, *rates, strict=True):
        cost.training, cost.inference = training, inference
    return costs


def _tasks(
    run: TrainedRun, device: torch.device, precision: str, batch_size: int
) -> list[tuple[Callable[[], object], int]]:
    """One training step and one batch of drawing, each with the number of its glyphs."""
    # What a run older than a key lacks is as by default; and the cache is the user's own, wherever the run had its.
    ours = {"trainer": {"compile": False}, "data": {"cache": None, "workers": None}}
    default = compose_config("train", ["experiment=scratch"])
    config: Any = OmegaConf.merge({"trainer": default.trainer, "allow": default.allow}, run.config, ours)
    compute, origin = pick_precision(config.trainer.precision, device), find_pretrained(config, run.checkpoint)
    pack, train_step, sampler = build_parts(config, device, compute, origin)
    batches = [sampler.batch(index).to(device) for index in range(config.trainer.accumulate)]
    generator = build_generator(config, len(pack.model_styles)).to(device).to(memory_format=torch.channels_last).eval()
    inputs = batches[0].inputs.cpu().repeat(-(-batch_size // len(batches[0].names)), 1, 1, 1)[:batch_size]
    style = torch.zeros(batch_size, len(pack.model_styles))
    style[:, 0] = 1
    computing: dict[str, Any] = {"device": device, "autocast": autocast(device, precision), "batch_size": batch_size}
    train = partial(train_step, batches, progress=1.0, step=1000)
    draw = partial(draw_glyphs, generator, inputs, style, **computing)
    return [(train, sum(len(batch.names) for batch in batches)), (draw, batch_size)]


def as_rates(seconds: Sequence[Sequence[float]], glyphs: Sequence[int]) -> list[Rate]:
    """Each variant's seconds by round -> its rate, and its share of that of the fastest."""
    rates = np.array(glyphs)[:, None] / np.array(seconds)  # (variants, rounds)
    # A round in which the machine was slow must not count for or against anyone.
    freed = rates / np.exp(np.log(rates).mean(axis=0))
    shares = freed / np.median(freed, axis=1).max()
    columns = (np.median(rates, axis=1), np.median(shares, axis=1), shares.min(axis=1), shares.max(axis=1))
    return [Rate(*row) for row in np.stack(columns, axis=1).tolist()]
