"""A training step as it is tuned here against the same step as the classic trainers did it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig
from torch.profiler import ProfilerActivity, profile

from fontgan.bench.figures import SHARE_OF_FLOOR_ON_GPU, STEP_ON_CPU, STEP_ON_GPU, Figure, Target
from fontgan.bench.floor import count_floor
from fontgan.bench.peaks import Peaks
from fontgan.build import build_parts, wants_compile
from fontgan.config.compose import compose_config
from fontgan.data.batches import PairSampler
from fontgan.runtime.device import pick_precision, wait_for
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import Spread, ratio, summarize, time_interleaved

log = logging.getLogger(__name__)

CLASSIC = "zi2zi_classic"
CLASSIC_BATCH = 16
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
    """The networks, optimisers and a batch of a training config, on a device.

    Raises: ConfigError or DataError for overrides that do not fit.
    """
    cfg = compose_config("train", list(overrides))
    precision = pick_precision(cfg.trainer.precision, device)
    with quiet():
        _, train_step, sampler = build_parts(cfg, device, precision)
    batches = [sampler.batch(index) for index in range(cfg.trainer.accumulate)]
    return Step(
        lambda: train_step(batches, progress=1.0, step=LATE_STEP),
        cfg,
        precision,
        wants_compile(cfg, device),
        sampler,
    )


def measure_step(
    experiment: str,
    batch_size: int,
    overrides: Sequence[str],
    *,
    device: torch.device,
    precision: str,
    peaks: Peaks,
    compile_too: bool,
    rounds: int,
    minutes: float,
    seed: int,
) -> tuple[list[Figure], list[dict[str, Any]]]:
    """Times the tuned step beside the plain one, and holds the tuned one against its floor.

    Plain is eager, in full precision, NCHW, with the optimiser as torch has it by default on this device; tuned is what
    the config gives by default there. Both have the same network, losses and batch.

    Args:
        precision: of the tuned step: auto, bf16 or fp32.
        compile_too: also times the tuned step compiled, where it is not compiled by default.
    Returns: the figures, and the most expensive operations of the tuned step.
    """
    common = [
        f"experiment={experiment}",
        f"trainer.batch_size={batch_size}",
        f"trainer.device={device.type}",
        f"trainer.seed={seed}",
        *overrides,
    ]
    tuned = [*common, f"trainer.precision={precision}"]
    plain = [*common, *PLAIN, PLAIN_OPTIMISER[device.type]]
    steps = {"plain": build_step(plain, device), "tuned": build_step(tuned, device)}
    if steps["tuned"].compiled:
        steps["eager"] = build_step([*tuned, "trainer.compile=false"], device)
    elif compile_too:
        steps["compiled"] = build_step([*tuned, "trainer.compile=true"], device)
    seconds = time_interleaved(
        {name: step.run for name, step in steps.items()},
        lambda: wait_for(device),
        rounds=rounds,
        minutes=minutes,
        title=f"step of {experiment}",
    )

    classic = experiment == CLASSIC and batch_size == CLASSIC_BATCH and not overrides
    described = f"{experiment}, batch {batch_size}, {steps['tuned'].config.data.size} px"
    meaning = {
        "plain": "plain: eager, fp32, NCHW, optimiser not fused: "
        + ("parameter by parameter" if device.type == "cpu" else "foreach"),
        "tuned": f"tuned: as configured by default, {steps['tuned'].precision}"
        + (", compiled" if steps["tuned"].compiled else ", eager"),
        "eager": "tuned, but eager",
        "compiled": "tuned, and the generator compiled",
    }
    figures = []
    for name, step in steps.items():
        how = f"{described}; {meaning[name]}"
        figures.append(Figure(f"step, {name}", summarize(seconds[name]), "s", how))
        rates = summarize([step.glyphs / took for took in seconds[name]])
        figures.append(Figure(f"step, {name}, rate", rates, "glyphs/s", how))
    for name in steps:
        if name != "plain":
            faster = ratio(seconds["plain"], seconds[name])
            target = step_target(device) if classic and name == "tuned" else None
            figures.append(Figure(f"step, {name} over plain", faster, "x", f"{described}; {meaning[name]}", target))

    unfused = "eager" if "eager" in steps else "tuned"
    counter = count_floor(steps[unfused].run, peaks)
    total = counter.total
    if total.seconds > min(seconds["tuned"]):
        log.warning(
            "the step took less than its floor: something else was running while the rates of matrix product and copy "
            "were measured. Measure again on a quiet machine."
        )
    exact = Spread(total.seconds, total.seconds, total.seconds, 1)
    how = (
        f"{described}, {steps[unfused].precision}, eager: over {total.calls} operations the larger of FLOPs over the "
        f"matrix product's rate ({total.operations / 1e12:.3f} TFLOP in all) and bytes over the copy's "
        f"({total.moved / 1e9:.1f} GB in all), summed"
    )
    figures.append(Figure("step, floor", exact, "s", how))
    for name in ("tuned", *(["compiled"] if "compiled" in steps else [])):
        share = summarize([total.seconds / took for took in seconds[name]])
        target = SHARE_OF_FLOOR_ON_GPU if classic and name == "tuned" and device.type == "cuda" else None
        figures.append(
            Figure(f"step, {name}, floor over time", share, "", "the floor over the seconds it took", target)
        )
    return figures, profile_step(steps[unfused].run, device)


def step_target(device: torch.device) -> Target | None:
    """What the classic step has to gain on this device; None for a GPU for which nothing was set."""
    if device.type == "cpu":
        return STEP_ON_CPU
    name = torch.cuda.get_device_name(device)
    return STEP_ON_GPU if "H100" in name or "H200" in name else None


def profile_step(run: Callable[[], object], device: torch.device) -> list[dict[str, Any]]:
    """The operations of one step that take longest by themselves: name, calls, seconds, share of all."""
    on_gpu = device.type == "cuda"
    if not on_gpu:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler complains that it finds no GPU
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as recorded:
        run()
        wait_for(device)
    events = [
        (event, _own_seconds(event, on_gpu))
        for event in recorded.key_averages()
        if not event.is_user_annotation and "#" not in event.key  # names that torch gives to stretches of operations
    ]
    whole = sum(seconds for _, seconds in events) or 1.0
    events.sort(key=lambda pair: -pair[1])
    return [
        {"name": event.key, "calls": event.count, "seconds": seconds, "share": seconds / whole}
        for event, seconds in events[:TOP]
    ]


def _own_seconds(event: Any, on_gpu: bool) -> float:
    microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
    return float(microseconds) / 1e6
