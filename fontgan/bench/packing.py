"""Fonts packed into a dataset, by one process and by two."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from fontgan.bench.figures import PACKED_AT_128, TWO_WORKERS, Figure
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.data.pack import make_pack
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import ratio, summarize, time_interleaved

SIZE = 128  # of the glyphs in pixels
REPEATS = 25  # of the bundled fonts: with fewer glyphs, 76,000 or so, starting a second process would weigh too much


def bundled_many_times() -> DictConfig:
    """A training of the bundled fonts, each style ``REPEATS`` styles."""
    cfg = compose_config("train", [f"data.size={SIZE}"])
    cfg.data.targets = {f"{name}-{i}": font for i in range(REPEATS) for name, font in cfg.data.targets.items()}
    return cfg


def given_fonts(fonts: Sequence[str]) -> DictConfig:
    """A training of fonts, the source first, as ``data.source`` and ``data.targets`` take them."""
    cfg = compose_config("train", ["data=fonts", f"data.size={SIZE}"])
    cfg.data.source, cfg.data.targets = fonts[0], list(fonts[1:])
    return cfg


def measure_packing(name: str, cfg: DictConfig, *, rounds: int, minutes: float) -> list[Figure]:
    """Fonts -> a pack in an empty cache, from opening the fonts to the file on disk, by one process and by two.

    Args:
        cfg: of a training.
    """
    glyphs = 0
    drawing: dict[int, list[float]] = {}  # seconds by number of workers, those of the warm-up first

    def pack(workers: int) -> None:
        nonlocal glyphs
        with tempfile.TemporaryDirectory() as cache:
            plan = build_plan(cfg)
            started = time.perf_counter()
            glyphs = len(make_pack(plan, Path(cache), workers=workers).pixels)
            drawing.setdefault(workers, []).append(time.perf_counter() - started)

    tasks = {"1 worker": lambda: pack(1)}
    if len(os.sched_getaffinity(0)) > 1:
        tasks["2 workers"] = lambda: pack(2)
    with quiet():
        planning = time_interleaved(
            {"plan": lambda: build_plan(cfg)}, lambda: None, rounds=rounds, minutes=minutes, title="planning", once=True
        )["plan"]
        seconds = time_interleaved(
            tasks, lambda: None, rounds=rounds, minutes=minutes, title=f"packing {name}", warm_up=1, once=True
        )
    how = f"{name}, {glyphs} glyphs at {cfg.data.size} px into an empty cache, pairs planned and glyphs drawn"
    rates = {which: summarize([glyphs / took for took in taken]) for which, taken in seconds.items()}
    fastest = list(rates)[-1]
    figures = [
        Figure(f"packing {name}, {which}", rate, "glyphs/s", how, PACKED_AT_128 if which == fastest else None)
        for which, rate in rates.items()
    ]
    if "2 workers" in seconds:
        gain = ratio(seconds["1 worker"], seconds["2 workers"])
        figures.append(Figure(f"packing {name}, 2 workers over 1", gain, "x", how, TWO_WORKERS))
        gain = ratio(drawing[1][1:], drawing[2][1:])
        how = f"{name}, {glyphs} glyphs at {cfg.data.size} px into an empty cache, the time to plan the pairs left out"
        figures.append(Figure(f"packing {name}, 2 workers over 1, drawing alone", gain, "x", how))
    figures.append(Figure(f"packing {name}, planning alone", summarize(planning), "s", f"{name}, pairs planned"))
    return figures
