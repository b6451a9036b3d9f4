"""A training step with fontgan's defaults against the same step as the classic trainers did it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig
from torch.profiler import ProfilerActivity, profile

from fontgan.bench.figures import Figure, Setup, exact
from fontgan.bench.lower_bound import count_lower_bound
from fontgan.bench.machine import Peaks
from fontgan.build import build_parts, wants_compile
from fontgan.config.compose import compose_config
from fontgan.data.batches import PairSampler
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


@dataclass
class Step:
    """A training step that can be done again and again, on one and the same batch.

    Attributes:
        compiled: whether the generator is.
    """

    run: Callable[[], object]
    config: DictConfig
    precision: str
    compiled: bool
    sampler: PairSampler

    @property
    def glyphs(self) -> int:
        return int(self.config.trainer.batch_size * self.config.trainer.accumulate)


def build_step(overrides: Sequence[str], device: torch.device) -> Step:
    """Networks, optimisers and a batch of a training config, on a device.

    Raises: ConfigError or DataError for overrides that do not fit.
    """
    cfg = compose_config("train", list(overrides))
    precision = pick_precision(cfg.trainer.precision, device)
    with quiet():
        _, train_step, sampler = build_parts(cfg, device, precision)
    batches = [sampler.batch(index) for index in range(cfg.trainer.accumulate)]
    return Step(
        lambda: train_step(batches, progress=1.0, step=LATE_STEP), cfg, precision, wants_compile(cfg, device), sampler
    )


def measure_step(
    experiment: str, batch_size: int, overrides: Sequence[str], setup: Setup, peaks: Peaks, *, compile_too: bool
) -> tuple[list[Figure], list[dict[str, Any]]]:
    """Times the default step beside the plain one, and compares the default one with its lower bound.

    Plain is eager, in full precision, NCHW, with the optimiser as torch has it by default on this device. Both have
    the same network, losses and batch.

    Args:
        compile_too: also times the default step compiled, where it is not compiled anyway.
    Returns: the figures, and the most expensive operations of the default step.
    """
    steps = _variants(experiment, batch_size, overrides, setup, compile_too=compile_too)
    seconds = setup.time({name: step.run for name, step in steps.items()}, f"step of {experiment}")
    default = steps["default"]
    kind = f"{default.precision}, {'compiled' if default.compiled else 'eager'}"
    described = f"{experiment}, batches of {batch_size} at {default.config.data.size} px; default: {kind}"
    figures = []
    for name, step in steps.items():
        figures.append(Figure(name, summarize(seconds[name]), "s", described, "time"))
        figures.append(
            Figure(name, summarize([step.glyphs / took for took in seconds[name]]), "glyphs/s", described, "rate")
        )
    for name in steps:
        if name != "plain":
            faster = ratio(seconds["plain"], seconds[name])
            figures.append(Figure(f"{name}, times as fast as plain", faster, "x", described, "time"))
    eager = steps.get("default, eager", default)
    figures += _lower_bound(eager, seconds["default"], described, peaks)
    return figures, profile_step(eager.run, setup)


def _variants(
    experiment: str, batch_size: int, overrides: Sequence[str], setup: Setup, *, compile_too: bool
) -> dict[str, Step]:
    common = [
        f"experiment={experiment}", f"trainer.batch_size={batch_size}", f"trainer.device={setup.device.type}",
        f"trainer.seed={setup.seed}", *overrides,
    ]  # fmt: skip
    default = [*common, f"trainer.precision={setup.precision}"]
    steps = {
        "plain": build_step([*common, *PLAIN, PLAIN_OPTIMISER[setup.device.type]], setup.device),
        "default": build_step(default, setup.device),
    }
    if steps["default"].compiled:
        steps["default, eager"] = build_step([*default, "trainer.compile=false"], setup.device)
    elif compile_too:
        steps["default, compiled"] = build_step([*default, "trainer.compile=true"], setup.device)
    return steps


def _lower_bound(eager: Step, taken: Sequence[float], described: str, peaks: Peaks) -> list[Figure]:
    total = count_lower_bound(eager.run, peaks).total
    if total.seconds > min(taken):
        log.warning(
            "the step took less than its lower bound: something else was running while the rates of matrix product and "
            "copy were measured. Measure again on a quiet machine."
        )
    how = (
        f"{described}; over {total.calls} operations the larger of FLOPs over the matrix product's rate "
        f"({total.flops / 1e12:.3f} TFLOP in all) and bytes over the copy's ({total.moved / 1e9:.1f} GB in all), summed"
    )
    share = summarize([total.seconds / took for took in taken])
    return [
        Figure("lower bound", exact(total.seconds), "s", how, "time"),
        Figure("lower bound over default", share, "", how, "time"),
    ]


def profile_step(run: Callable[[], object], setup: Setup) -> list[dict[str, Any]]:
    """The operations of one step that take longest by themselves: name, calls, seconds, share of all."""
    on_gpu = setup.device.type == "cuda"
    if not on_gpu:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler complains that it finds no GPU
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as recorded:
        run()
        setup.wait()
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
