"""The data's way to a training step: packing fonts, reading batches, and a pack of many pairs.

``python -m fontgan.bench.data BIG SMALL SEED ROUNDS MINUTES`` opens two packs, reads from both and prints JSON: a
process of its own, so that its memory is that of opening and reading a pack, and of nothing before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from fontgan.bench.figures import Figure, Setup, exact
from fontgan.bench.step import build_step
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.config.instantiate import build
from fontgan.data.batches import PairSampler
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.pack import SOURCE, Pack, make_pack, open_pack, write_index
from fontgan.data.pack_shards import PixelWriter, rows_in_a_shard
from fontgan.data.sources import asset
from fontgan.errors import RunError
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.timing import ratio, summarize, time_interleaved

PACKED_PX = 128
REPEATS = 25  # of the bundled fonts: with fewer glyphs, 76,000 or so, starting a second process would weigh too much
BIG_PX, CHARS = 64, 10_000  # of the synthetic pack, which has as many styles as its pairs need
SMALL_PAIRS = 3000  # as many as the bundled fonts give
BATCH = 16
WARM_BATCHES, BATCHES = 50, 1000  # before memory is looked at, and between both looks


def measure_data(fonts: Sequence[str] | None, pairs: int, setup: Setup) -> list[Figure]:
    """Packing, reading beside a step, and a pack of many pairs.

    Args:
        fonts: packed too, the source first.
        pairs: of the large pack; 0 for none.
    """
    figures = measure_packing("bundled fonts", bundled_many_times(), setup)
    if fonts is not None:
        figures += measure_packing("given fonts", given_fonts(fonts), setup)
    figures += measure_reading(setup)
    return figures + measure_big_pack(pairs, setup) if pairs else figures


# -- packing --------------------------------------------------------------------------------


def bundled_many_times() -> DictConfig:
    """A training config of the bundled fonts, each style ``REPEATS`` styles."""
    cfg = compose_config("train", [f"data.size={PACKED_PX}"])
    cfg.data.targets = {f"{name}-{i}": font for i in range(REPEATS) for name, font in cfg.data.targets.items()}
    return cfg


def given_fonts(fonts: Sequence[str]) -> DictConfig:
    """A training config of fonts, the source first, as ``data.source`` and ``data.targets`` take them."""
    cfg = compose_config("train", ["data=fonts", f"data.size={PACKED_PX}"])
    cfg.data.source, cfg.data.targets = fonts[0], list(fonts[1:])
    return cfg


def measure_packing(name: str, cfg: DictConfig, setup: Setup) -> list[Figure]:
    """Fonts -> a pack in an empty cache, from opening the fonts to the file on disk, by one process and by two."""
    glyphs = 0
    drawing: dict[int, list[float]] = {1: [], 2: []}  # seconds by number of processes, the warm-up first

    def pack(workers: int) -> None:
        nonlocal glyphs
        with tempfile.TemporaryDirectory() as cache:
            plan = build_plan(cfg)
            started = time.perf_counter()
            glyphs = len(make_pack(plan, Path(cache), workers=workers).pixels)
            drawing[workers].append(time.perf_counter() - started)

    tasks = {"1 process": lambda: pack(1)}
    if len(os.sched_getaffinity(0)) > 1:
        tasks["2 processes"] = lambda: pack(2)
    with quiet():
        planning = setup.time({"plan": lambda: build_plan(cfg)}, "planning", once=True)["plan"]
        seconds = setup.time(tasks, f"packing {name}", once=True)
    how = f"{name}, {glyphs} glyphs at {cfg.data.size} px into an empty cache, pairs planned and glyphs drawn"
    title = f"packing {name}"
    figures = [
        Figure(f"{title}, {which}", summarize([glyphs / took for took in taken]), "glyphs/s", how)
        for which, taken in seconds.items()
    ]
    if "2 processes" in seconds:
        gain, alone = ratio(seconds["1 process"], seconds["2 processes"]), ratio(drawing[1][1:], drawing[2][1:])
        figures.append(Figure(f"{title}, 2 processes over 1", gain, "x", how))
        figures.append(Figure(f"{title}, 2 processes over 1, without planning", alone, "x", how))
    return [*figures, Figure(f"{title}, planning alone", summarize(planning), "s", f"{name}, pairs planned")]


# -- reading --------------------------------------------------------------------------------


def measure_reading(setup: Setup) -> list[Figure]:
    """Batches made ready one after the other, beside the fastest step there is, that of quickstart."""
    settings = [f"trainer.device={setup.device.type}", f"trainer.precision={setup.precision}"]
    step = build_step(["experiment=quickstart", *settings, f"trainer.seed={setup.seed}"], setup.device)
    places = count()
    seconds = setup.time(
        {"batch": lambda: step.sampler.batch(next(places)).to(setup.device), "step": step.run}, "reading"
    )
    how = (
        f"quickstart, {step.config.data.size} px, batches of {step.glyphs}, read, augmented and on the device; "
        f"{step.precision}"
    )
    rates = summarize([step.glyphs / took for took in seconds["batch"]])
    return [
        Figure("reading batches", rates, "glyphs/s", how),
        Figure("reading over the fastest step", ratio(seconds["step"], seconds["batch"]), "x", how),
    ]


def measure_big_pack(pairs: int, setup: Setup) -> list[Figure]:
    """A synthetic pack of many pairs, opened and read in a process of its own, beside a small one.

    Raises: RunError if the disk does not hold it.
    """
    with tempfile.TemporaryDirectory() as folder:
        needed, free = (pairs + CHARS) * BIG_PX**2, shutil.disk_usage(folder).free
        if needed > free:
            raise RunError(
                f"pairs={pairs}: needs {needed / 1e9:.1f} GB of disk for the time, and {free / 1e9:.1f} are free. "
                "Lower pairs, or let TMPDIR name another disk."
            )
        counts = {}
        for name, wanted in (("big", pairs), ("small", min(SMALL_PAIRS, pairs))):
            chars = min(CHARS, max(2, wanted // 3))
            styles = max(1, wanted // chars)
            write_synthetic_pack(Path(folder) / name, styles=styles, chars=chars, size=BIG_PX)
            counts[name] = styles * chars
        found = _read_in_another_process(Path(folder), setup)
    title = f"pack of {counts['big']:,} pairs"
    how = f"synthetic, {BIG_PX} px, in a fresh process, its file in the page cache"
    memory = f"{how}; memory of its own, file pages aside"
    beside = f"{how}; beside one of {counts['small']:,} pairs, batches of {BATCH}"
    rates = summarize([BATCH / took for took in found["seconds"]["big"]])
    share = ratio(found["seconds"]["small"], found["seconds"]["big"])
    return [
        Figure(f"{title}: opening", exact(found["open_s"]), "s", how),
        Figure(f"{title}: opening to first batch", exact(found["first_batch_s"]), "s", how),
        Figure(f"{title}: memory to open", exact(found["open_mib"]), "MiB", memory),
        Figure(f"{title}: memory that sampling adds", exact(found["sampling_mib"]), "MiB", memory),
        Figure(f"{title}: memory that {BATCHES:,} batches add", exact(found["growth_mib"]), "MiB", memory),
        Figure(f"{title}: reading", rates, "glyphs/s", beside),
        Figure(f"{title}: reading over a small pack", share, "x", beside),
    ]


def _read_in_another_process(folder: Path, setup: Setup) -> dict[str, Any]:
    arguments = [str(folder / "big"), str(folder / "small"), str(setup.seed), str(setup.rounds), str(setup.minutes)]
    result = subprocess.run(
        [sys.executable, "-m", "fontgan.bench.data", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode:
        raise RunError(f"the synthetic pack: reading it ended with {result.returncode}. Look at what it said above.")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def read_packs(big: str, small: str, seed: str, rounds: str, minutes: str) -> dict[str, Any]:
    """Seconds to open and to the first batch, memory in MiB, and the seconds of a batch by round."""
    augment = build(compose_config("train", []).data.augment, "data.augment")

    def sampler_of(pack: Pack) -> PairSampler:
        return PairSampler(pack, batch_size=BATCH, seed=int(seed), augment=augment)

    before, started = own_mib(), time.perf_counter()
    pack = open_pack(Path(big))
    opened, after = time.perf_counter(), own_mib()
    sampler = sampler_of(pack)
    sampler.batch(0)
    first = time.perf_counter()
    for place in range(WARM_BATCHES):
        sampler.batch(place)
    warm = own_mib()
    for place in range(WARM_BATCHES, WARM_BATCHES + BATCHES):
        sampler.batch(place)
    growth = own_mib() - warm
    beside = sampler_of(open_pack(Path(small)))
    places, places_beside = count(), count()
    seconds = time_interleaved(
        {"big": lambda: sampler.batch(next(places)), "small": lambda: beside.batch(next(places_beside))},
        lambda: None, rounds=int(rounds), minutes=float(minutes), title="reading packs",
    )  # fmt: skip
    return {
        "open_s": opened - started, "first_batch_s": first - started, "open_mib": after - before,
        "sampling_mib": warm - after, "growth_mib": growth, "seconds": seconds,
    }  # fmt: skip


def own_mib() -> float:
    """Memory of this process in MiB, without the pages of files it maps: the kernel takes those back as it likes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return int(kib) / 1024


# -- the synthetic pack ---------------------------------------------------------------------

_DRAWN = 256  # glyphs that are really drawn
_FIRST_CHAR, _MAX_CHARS = 0x20000, 42_000  # CJK extension B: a block without gaps that is large enough
_AT_ONCE = 4096  # rows


def write_synthetic_pack(folder: Path, styles: int = 100, chars: int = 10_000, size: int = 64) -> Pack:
    """Writes a pack of ``styles * chars`` pairs that opens and trains like one drawn from fonts.

    Its glyphs are real ones, repeated with shifts that differ from style to style.

    Args:
        folder: must not exist yet.
        chars: at most 42,000; every tenth is held out.
        size: of the glyphs, in pixels.
    Raises: OSError if it cannot be written; ValueError if too many characters are wanted.
    """
    if not 2 <= chars <= _MAX_CHARS:
        raise ValueError(f"chars={chars}: 2 to {_MAX_CHARS} are possible.")
    font = FontGlyphs(asset("NotoSansSC-Regular.ttf"))
    canvas = Frame(size)
    glyphs = np.stack([font.rasterize(char, canvas, size) for char in font.coverage(None).present[-_DRAWN:]])
    text = "".join(chr(_FIRST_CHAR + i) for i in range(chars))
    members = [SOURCE, *(f"style{i:03d}" for i in range(styles))]
    folder.mkdir(parents=True)
    writer = PixelWriter(folder, rows=len(members) * chars, size=size, shard_rows=rows_in_a_shard(size))
    writer.create()
    for number in range(len(members)):
        shifted = np.roll(glyphs, number % size, axis=2)
        for first in range(0, chars, _AT_ONCE):
            rows = np.arange(first, min(first + _AT_ONCE, chars)) % len(shifted)
            writer.write(number * chars + first, shifted[rows])
    manifest = {
        "size": size,
        "cell_to_canvas": canvas.as_dict(),
        "characters": chars,
        "held_out": text[::10],
        "trained": "".join(char for i, char in enumerate(text) if i % 10),
        "members": [{"name": name, "kind": "synthetic", "align": Frame().as_dict()} for name in members],
        "findings": [],
    }
    write_index(folder, dict.fromkeys(members, text), manifest, writer.shard_rows)
    return open_pack(folder)


if __name__ == "__main__":
    print(json.dumps(read_packs(*sys.argv[1:])))
