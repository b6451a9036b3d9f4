"""Fonts packed into a dataset, by one process and by two."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fontgan.bench.figures import PACKED_AT_128, TWO_WORKERS, Figure
from fontgan.bench.timing import ratio, spread, take_turns
from fontgan.build import build_plan, compose_config
from fontgan.data.pack import make_pack
from fontgan.report.measure import quiet

SIZE = 128  # of the glyphs in pixels
REPEATS = 8  # of the bundled fonts: drawn once, four thousand glyphs would be over before a second process had started


def bundled_many_times() -> list[str]:
    """Overrides that make each bundled style ``REPEATS`` styles."""
    targets = compose_config("train", []).data.targets
    named = [f"{name}-{i}: '{font}'" for i in range(REPEATS) for name, font in targets.items()]
    return [f"data.targets={{{', '.join(named)}}}"]


def given_fonts(fonts: Sequence[str]) -> list[str]:
    """Overrides that make fonts, the source first, the data."""
    return ["data=fonts", f"data.source={fonts[0]}", f"data.targets=[{','.join(fonts[1:])}]"]


def measure_packing(name: str, overrides: Sequence[str], *, rounds: int, minutes: float) -> list[Figure]:
    """Fonts -> a pack in an empty cache, from opening the fonts to the file on disk, by one process and by two."""
    cfg = compose_config("train", [*overrides, f"data.size={SIZE}"])
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
        planning = take_turns(
            {"plan": lambda: build_plan(cfg)}, lambda: None, rounds=rounds, minutes=minutes, title="planning", once=True
        )["plan"]
        seconds = take_turns(
            tasks, lambda: None, rounds=rounds, minutes=minutes, title=f"packing {name}", warm_up=1, once=True
        )
    how = f"{name}, {glyphs} glyphs at {SIZE} px into an empty cache, pairs planned and glyphs drawn"
    rates = {which: spread([glyphs / took for took in taken]) for which, taken in seconds.items()}
    fastest = list(rates)[-1]
    figures = [
        Figure(f"packing {name}, {which}", rate, "glyphs/s", how, PACKED_AT_128 if which == fastest else None)
        for which, rate in rates.items()
    ]
    if "2 workers" in seconds:
        gain = ratio(seconds["1 worker"], seconds["2 workers"])
        figures.append(Figure(f"packing {name}, 2 workers over 1", gain, "x", how, TWO_WORKERS))
        gain = ratio(drawing[1][1:], drawing[2][1:])
        how = f"{name}, {glyphs} glyphs at {SIZE} px into an empty cache, the time to plan the pairs left out"
        figures.append(Figure(f"packing {name}, 2 workers over 1, drawing alone", gain, "x", how))
    figures.append(Figure(f"packing {name}, planning alone", spread(planning), "s", f"{name}, pairs planned"))
    return figures
