"""What a variant costs: parameters, FLOPs, and rates measured side by side in one process."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig, OmegaConf

from fontgan.build import build_parts
from fontgan.config.compose import compose_config, find_pretrained
from fontgan.config.instantiate import build_generator
from fontgan.config.saved import check_fits
from fontgan.models.cost import forward_flops, parameters
from fontgan.models.predict import draw_glyphs
from fontgan.runtime.device import autocast, memory_error, pick_device, pick_precision, wait_for
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import time_interleaved
from fontgan.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from fontgan.report.measure import MeasuredVariant

ROUNDS = 5
# As ``time_interleaved`` takes it; the third warm-up tells how often a task goes into a turn.
TIMING: dict[str, Any] = {"rounds": ROUNDS, "minutes": math.inf, "title": "timing", "warm_up": 3}


@dataclass
class Rate:
    """How fast something goes, and how that compares to the fastest variant.

    Attributes:
        share: of the fastest variant's rate, the median over rounds, each round's overall speed taken out.
        low, high: the smallest and largest of these.
    """

    glyphs_per_second: float
    share: float
    low: float
    high: float


@dataclass
class Cost:
    parameters: int
    flops: int  # of drawing one glyph
    training: Rate | None = None
    inference: Rate | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def count(config: DictConfig, styles: int) -> Cost:
    """Parameters of a variant's generator, and the floating-point operations of drawing one glyph with it."""
    generator = build_generator(config, styles)
    return Cost(parameters(generator), forward_flops(generator, config.data.size))


def measure_rates(
    configs: Sequence[DictConfig], checkpoints: Sequence[Checkpoint], *, device: str, precision: str, batch_size: int
) -> tuple[list[Rate], list[Rate]]:
    """Times training steps and drawing of every variant, one after the other, round after round.

    Taking turns makes whatever else the machine does meet all variants alike.  Steps are those of late training,
    when every loss is at work, and are not compiled.

    Args:
        checkpoints: one of a run of each, which tells what it started from.
        batch_size: glyphs drawn at once; training takes each run's own batch.
    Returns: training rates and inference rates, in the order of ``configs``.
    Raises: RunError if the device's memory does not hold all variants at once.
    """
    where = pick_device(device)
    compute = pick_precision(precision, where)
    tasks: list[tuple[Callable[[], None], int]] = []
    with memory_error("rates: the device's memory does not hold all variants at once. Use rates=false."):
        with quiet():
            for config, checkpoint in zip(configs, checkpoints, strict=True):
                check_fits(config, checkpoint, ["discriminator"])
                tasks += _tasks(config, checkpoint, where, compute, batch_size)
        named = {str(place): task for place, (task, _) in enumerate(tasks)}
        seconds = list(time_interleaved(named, lambda: wait_for(where), **TIMING).values())
    glyphs = [glyphs for _, glyphs in tasks]
    return as_rates(seconds[0::2], glyphs[0::2]), as_rates(seconds[1::2], glyphs[1::2])


def _tasks(
    config: DictConfig, checkpoint: Checkpoint, device: torch.device, precision: str, batch_size: int
) -> list[tuple[Callable[[], None], int]]:
    """One training step and one batch of drawing, each with the number of its glyphs."""
    # What a run older than a key lacks is as by default; and the cache is the user's own, wherever the run had its.
    config = OmegaConf.merge(
        {"trainer": compose_config("train", []).trainer},
        config,
        {"trainer": {"compile": False}, "data": {"cache": None, "workers": None}},
    )  # type: ignore[assignment]
    compute, origin = pick_precision(config.trainer.precision, device), find_pretrained(config, checkpoint)
    pack, train_step, sampler = build_parts(config, device, compute, origin)
    batches = [sampler.batch(index).to(device) for index in range(config.trainer.accumulate)]
    generator = build_generator(config, len(pack.model_styles)).to(device).to(memory_format=torch.channels_last).eval()
    source = batches[0].source.cpu().repeat(-(-batch_size // len(batches[0].names)), 1, 1, 1)[:batch_size]
    style = torch.zeros(batch_size, len(pack.model_styles))
    style[:, 0] = 1

    def train() -> None:
        train_step(batches, progress=1.0, step=1000)

    def draw() -> None:
        draw_glyphs(
            generator, source, style, device=device, autocast=autocast(device, precision), batch_size=batch_size
        )

    return [(train, sum(len(batch.names) for batch in batches)), (draw, batch_size)]


def as_rates(seconds: Sequence[Sequence[float]], glyphs: Sequence[int]) -> list[Rate]:
    """Each variant's seconds by round -> its rate, and its share of that of the fastest."""
    rates = [[n / s for s in rounds] for rounds, n in zip(seconds, glyphs, strict=True)]
    # A round in which the machine was slow must not count for or against anyone.
    levels = [statistics.geometric_mean(of_round) for of_round in zip(*rates, strict=True)]
    freed = [[rate / level for rate, level in zip(rounds, levels, strict=True)] for rounds in rates]
    fastest = max(statistics.median(rounds) for rounds in freed)
    return [
        Rate(statistics.median(rate), statistics.median(free) / fastest, min(free) / fastest, max(free) / fastest)
        for rate, free in zip(rates, freed, strict=True)
    ]


def costs_of(
    variants: Sequence[MeasuredVariant], timed: Container[str], *, device: str, precision: str, batch_size: int
) -> list[Cost]:
    """Counts every variant's parameters and operations, and measures the rates of those whose labels are in ``timed``."""
    configs = [variant.runs[0].run.config for variant in variants]
    styles = [len(variant.runs[0].run.checkpoint.metadata["styles"]) for variant in variants]
    costs = [count(config, number) for config, number in zip(configs, styles, strict=True)]
    places = [place for place, variant in enumerate(variants) if variant.label in timed]
    if places:
        training, inference = measure_rates(
            [configs[place] for place in places],
            [variants[place].runs[0].run.checkpoint for place in places],
            device=device,
            precision=precision,
            batch_size=batch_size,
        )
        for place, train, draw in zip(places, training, inference, strict=True):
            costs[place].training, costs[place].inference = train, draw
    return costs
