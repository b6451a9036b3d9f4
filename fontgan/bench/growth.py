"""How the time and memory of a step, and the time and size of a pack, grow with what they are made of."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from fontgan.bench.figures import Figure
from fontgan.bench.step import build_step
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.data.pack import make_pack
from fontgan.runtime.device import wait_for
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import Spread, ratio, summarize, time_interleaved
from fontgan.training.memory import peak_bytes

# Each of them changes one number of the base, so that a row tells what that number costs.
BASE = ("experiment=quickstart", "data.size=64", "generator.ngf=32", "generator.depth=5", "trainer.batch_size=16")
STEPS = (
    "data.size=128", "data.size=256", "generator.ngf=16", "generator.ngf=64", "generator.depth=4", "generator.depth=6",
    "trainer.batch_size=4", "trainer.batch_size=64", "trainer.gradient_checkpointing=true",
)  # fmt: skip
CHARS, FONTS, SIZES = (250, 500, 1000), (1, 2, 3), (64, 128, 256)
PACK_ROUNDS = 2


def measure_growth(*, device: torch.device, precision: str, rounds: int, minutes: float, seed: int) -> list[Figure]:
    """Steps of networks that differ in one number, timed beside the base, and packs of more and larger glyphs."""
    return [
        *_steps(device=device, precision=precision, rounds=rounds, minutes=minutes, seed=seed),
        *_packs(),
    ]


def _steps(*, device: torch.device, precision: str, rounds: int, minutes: float, seed: int) -> list[Figure]:
    common = [*BASE, f"trainer.device={device.type}", f"trainer.precision={precision}", f"trainer.seed={seed}"]
    base = build_step(common, device)
    described = ", ".join(BASE)
    base.run()
    peak = peak_bytes(base.run, device)
    figures = [Figure("growth, base: memory of a step", _exact(peak / 2**20), "MiB", f"{described}; tensors at once")]
    for change in STEPS:
        other = build_step([*common, change], device)
        seconds = time_interleaved(
            {"base": base.run, "other": other.run},
            lambda: wait_for(device),
            rounds=rounds,
            minutes=minutes,
            title=change,
        )
        how = f"{change} in place of the base's ({described})"
        figures.append(Figure(f"growth, {change}: time of a step", ratio(seconds["other"], seconds["base"]), "x", how))
        memory = peak_bytes(other.run, device)
        figures.append(Figure(f"growth, {change}: memory of a step", _exact(memory / peak), "x", how))
        other.sampler.close()
        del other
    base.sampler.close()
    figures.append(
        Figure(
            "growth, base: time of a step", summarize(seconds["base"]), "s", f"{described}, in the last of the rounds"
        )
    )
    return figures


def _packs() -> list[Figure]:
    """Planning, drawing and writing the bundled fonts into a new cache, in turns after a warm-up, by one process."""
    wanted = [
        *((chars, FONTS[-1], SIZES[1]) for chars in CHARS),
        *((CHARS[-1], fonts, SIZES[1]) for fonts in FONTS),
        *((CHARS[-1], FONTS[-1], size) for size in SIZES),
    ]
    keys = list(dict.fromkeys(wanted))
    base_key = (CHARS[-1], FONTS[-1], SIZES[1])
    seconds: dict[tuple[int, int, int], list[float]] = {key: [] for key in keys}
    nbytes: dict[tuple[int, int, int], int] = {}
    _pack(*base_key)
    for turn in range(PACK_ROUNDS):
        for key in keys if turn % 2 == 0 else reversed(keys):
            took, nbytes[key] = _pack(*key)
            seconds[key].append(took)
    base = f"{CHARS[-1]} characters, {FONTS[-1]} styles and the source, {SIZES[1]} px"
    figures = [
        Figure("growth, pack: seconds", summarize(seconds[base_key]), "s", f"{base}; one process"),
        Figure("growth, pack: size", _exact(nbytes[base_key] / 2**20), "MiB", base),
    ]
    for key in keys:
        chars, fonts, size = key
        name = f"growth, pack of {chars} characters, {fonts} styles, {size} px"
        figures.append(Figure(f"{name}: time", ratio(seconds[key], seconds[base_key]), "x", f"over {base}"))
        figures.append(Figure(f"{name}: size", _exact(nbytes[key] / nbytes[base_key]), "x", f"over {base}"))
    return figures


def _pack(chars: int, fonts: int, size: int) -> tuple[float, int]:
    """Seconds and bytes of a pack."""
    cfg = compose_config("train", ["data=sample", f"data.size={size}"])
    cfg.data.targets = dict(list(cfg.data.targets.items())[:fonts])
    plan = build_plan(cfg)
    cfg.data.charset = "".join(plan.chars[:chars])
    with tempfile.TemporaryDirectory() as folder, quiet():
        started = time.perf_counter()
        pack = make_pack(build_plan(cfg), Path(folder), workers=1)
        took = time.perf_counter() - started
        return took, int(pack.pixels.nbytes)


def _exact(value: float) -> Spread:
    return Spread(value, value, value, 1)
