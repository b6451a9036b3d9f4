"""A training step with fontgan's defaults against the same step as the classic trainers did it."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from torch.profiler import ProfilerActivity, profile

from fontgan.bench.figures import Figure, Setup, rates
from fontgan.bench.lower_bound import count_lower_bound
from fontgan.bench.machine import Peaks
from fontgan.build import build_parts, wants_compile
from fontgan.config.compose import compose_config
from fontgan.data.batches import PairSampler
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.device import pick_precision
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import ratio, summarize

log = logging.getLogger(__name__)

TOP = 10  # operations in the profile
LATE_STEP = 1000  # every loss is at work
PLAIN = (
    "trainer.precision=fp32", "trainer.channels_last=false", "trainer.compile=false", "++optim.algorithm.fused=false",
)  # fmt: skip
# As torch has it by default, which with fused=false has to be said: on CUDA many parameters at once, on a CPU one each.
PLAIN_OPTIMISER = {"cpu": "++optim.algorithm.foreach=false", "cuda": "++optim.algorithm.foreach=true"}
PLAIN_OPTIMISER["mps"] = PLAIN_OPTIMISER["cuda"]


@dataclass
class Step:
    """A training step that can be done again and again, on one and the same batch."""

    run: Callable[[], object]
    config: DictConfig
    precision: str
    compiled: bool  # whether the generator is
    sampler: PairSampler
    glyphs: int


def build_step(overrides: Sequence[str], device: torch.device) -> Step:
    """Networks, optimisers and a batch of a training config, on a device."""
    cfg = compose_config("train", list(overrides))
    precision = pick_precision(cfg.trainer.precision, device)
    with quiet():
        _, train_step, sampler = build_parts(cfg, device, precision)
    batches = [sampler.batch(index) for index in range(cfg.trainer.accumulate)]
    run = partial(train_step, batches, progress=1.0, step=LATE_STEP)
    glyphs = cfg.trainer.batch_size * cfg.trainer.accumulate
    return Step(run, cfg, precision, wants_compile(cfg, device), sampler, glyphs)


def measure_step(
    setup: Setup, peaks: Peaks, training: str, batch_size: int, overrides: Sequence[str], compile: bool
) -> tuple[list[Figure], list[dict[str, Any]]]:
    """Times the default step beside the plain one, and compares the default one with its lower bound.

    Plain is eager, in full precision, NCHW, with the optimiser as torch has it by default on this device. Both have
    the same network, losses and batch; ``compile`` also times the default step compiled.

    Returns: the figures, and the most expensive operations of the default step.
    """
    device = setup.device
    common = [
        f"experiment={training}", f"trainer.batch_size={batch_size}", f"trainer.device={device}",
        f"trainer.seed={setup.seed}", *overrides,
    ]  # fmt: skip
    as_usual = [*common, f"trainer.precision={setup.precision}"]
    plain = build_step([*common, *PLAIN, PLAIN_OPTIMISER[device.type]], device)
    default = eager = build_step(as_usual, device)
    steps = {"plain": plain, "default": default}
    if default.compiled:
        eager = steps["default, eager"] = build_step([*as_usual, "trainer.compile=false"], device)
    elif compile:
        steps["default, compiled"] = build_step([*as_usual, "trainer.compile=true"], device)
    seconds = setup.time({name: step.run for name, step in steps.items()}, f"step of {training}")
    kind = f"{default.precision}, {'compiled' if default.compiled else 'eager'}"
    how = f"{training}, batches of {batch_size} at {default.config.data.size} px; default: {kind}"
    figures = [Figure(name, summarize(taken), "s", how, "time") for name, taken in seconds.items()]
    figures += rates("", default.glyphs, seconds, how, "rate")
    figures += [
        Figure(f"{name}, times as fast as plain", ratio(seconds["plain"], taken), "x", how, "time")
        for name, taken in seconds.items()
        if name != "plain"
    ]
    return figures + _lower_bound(eager, seconds["default"], how, peaks), profile_step(eager.run, setup.device)


def _lower_bound(eager: Step, taken: Sequence[float], how: str, peaks: Peaks) -> list[Figure]:
    total = count_lower_bound(eager.run, peaks)
    if total.seconds > min(taken):
        log.warning(
            "the step took less than its lower bound: something else was running while the rates of matrix product and "
            "copy were measured. Measure again on a quiet machine."
        )
    how = (
        f"{how}; over {total.calls} operations the larger of FLOPs over the matrix product's rate "
        f"({total.flops / 1e12:.3f} TFLOP in all) and bytes over the copy's ({total.moved / 1e9:.1f} GB in all), summed"
    )
    share = summarize([total.seconds / took for took in taken])
    return [
        Figure("lower bound", summarize([total.seconds]), "s", how, "time"),
        Figure("lower bound over default", share, "", how, "time"),
    ]


def profile_step(run: Callable[[], object], device: torch.device) -> list[dict[str, Any]]:
    """The operations of one step that take longest by themselves: name, calls, seconds, share of all."""
    on_gpu = device.type == "cuda"
    if not on_gpu:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler complains that it finds no GPU
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as recorded:
        run()
        wait_for(device)
    seconds = {
        event: float(event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6
        for event in recorded.key_averages()
        if not event.is_user_annotation and "#" not in event.key  # names that torch gives to stretches of operations
    }
    whole = sum(seconds.values()) or 1.0
    return [
        {"name": event.key, "calls": event.count, "seconds": took, "share": took / whole}
        for event, took in sorted(seconds.items(), key=lambda pair: -pair[1])[:TOP]
    ]
