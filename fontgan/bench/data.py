"""The data's way to a training step: packing fonts, reading batches, and a pack of many pairs."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import psutil
import torch
from omegaconf import DictConfig

from fontgan.bench.figures import Figure, Setup, rates
from fontgan.bench.step import build_step
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.config.instantiate import build
from fontgan.data.batches import PairSampler
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.pack import make_pack, open_pack, write_index
from fontgan.data.pack_shards import PixelWriter, rows_in_a_shard
from fontgan.data.sources import asset
from fontgan.errors import RunError
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.subprocesses import map_in_processes
from fontgan.runtime.timing import ratio, summarize

PACKED_PX = 128
REPEATS = 25  # of the bundled fonts: with fewer glyphs, 76,000 or so, starting a second process would weigh too much
BIG_PX, CHARS = 64, 10_000  # of the synthetic pack, which has as many styles as its pairs need
SMALL_PAIRS = 3000  # as many as the bundled fonts give
BATCH = 16
WARM_BATCHES, BATCHES = 50, 1000  # before memory is looked at, and between both looks
DRAWN = 256  # glyphs of the synthetic pack that are really drawn
FIRST_CHAR = 0x20000  # of the synthetic pack: CJK extension B, a block without gaps that is large enough


def measure(setup: Setup, fonts: Sequence[str] | None, pairs: int) -> list[Figure]:
    """Packing, of given fonts too (the source first), reading beside a step, and a pack of many ``pairs`` (0: none)."""
    figures = measure_packing("bundled fonts", bundled_many_times(), setup)
    if fonts is not None:
        figures += measure_packing("given fonts", given_fonts(fonts), setup)
    figures += measure_reading(setup)
    return figures + measure_big_pack(pairs, setup) if pairs else figures


def bundled_many_times() -> DictConfig:
    """A training config of the bundled fonts, each style ``REPEATS`` styles."""
    cfg = compose_config("train", ["experiment=scratch", f"data.size={PACKED_PX}"])
    cfg.data.targets = {f"{name}-{i}": font for i in range(REPEATS) for name, font in cfg.data.targets.items()}
    return cfg


def given_fonts(fonts: Sequence[str]) -> DictConfig:
    """A training config of fonts, the source first, as ``data.source`` and ``data.targets`` take them."""
    cfg = compose_config("train", ["experiment=scratch", "data=fonts", f"data.size={PACKED_PX}"])
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
    if usable_cores() > 1:
        tasks["2 processes"] = lambda: pack(2)
    with quiet():
        planning = setup.time({"plan": lambda: build_plan(cfg)}, "planning", once=True)["plan"]
        seconds = setup.time(tasks, f"packing {name}", once=True)
    how = f"{name}, {glyphs} glyphs at {cfg.data.size} px into an empty cache, pairs planned and glyphs drawn"
    title = f"packing {name}"
    figures = rates(f"{title}, ", glyphs, seconds, how)
    if "2 processes" in seconds:
        gain, alone = ratio(seconds["1 process"], seconds["2 processes"]), ratio(drawing[1][1:], drawing[2][1:])
        figures.append(Figure(f"{title}, 2 processes over 1", gain, "x", how))
        figures.append(Figure(f"{title}, 2 processes over 1, without planning", alone, "x", how))
    return [*figures, Figure(f"{title}, planning alone", summarize(planning), "s", f"{name}, pairs planned")]


def measure_reading(setup: Setup) -> list[Figure]:
    """Batches made ready one after the other, beside the fastest step there is, that of scratch."""
    settings = [f"trainer.device={setup.device}", f"trainer.precision={setup.precision}"]
    step = build_step(["experiment=scratch", *settings, f"trainer.seed={setup.seed}"], setup.device)
    places = count()
    tasks = {"batch": lambda: step.sampler.batch(next(places)).to(setup.device), "step": step.run}
    seconds = setup.time(tasks, "reading")
    batches = f"{step.config.data.size} px, batches of {step.glyphs}"
    how = f"scratch, {batches}, read, augmented and on the device; {step.precision}"
    return [
        *rates("reading ", step.glyphs, {"batches": seconds["batch"]}, how),
        Figure("reading over the fastest step", ratio(seconds["step"], seconds["batch"]), "x", how),
    ]


def measure_big_pack(pairs: int, setup: Setup) -> list[Figure]:
    """A synthetic pack of many pairs, opened and read in a process of its own, beside a small one.

    Raises: RunError if the disk does not hold it.
    """
    with tempfile.TemporaryDirectory() as folder:
        needed, free = (pairs + CHARS) * BIG_PX**2, shutil.disk_usage(folder).free
        if needed > free:
            says = f"needs {needed / 1e9:.1f} GB of disk for the time, and {free / 1e9:.1f} are free."
            raise RunError(f"pairs={pairs}: {says} Lower pairs, or let TMPDIR name another disk.")
        counts = {}
        for name, wanted in (("big", pairs), ("small", min(SMALL_PAIRS, pairs))):
            chars = min(CHARS, max(2, wanted // 3))
            styles = max(1, wanted // chars)
            write_synthetic_pack(Path(folder) / name, styles=styles, chars=chars, size=BIG_PX)
            counts[name] = styles * chars
        read = partial(read_packs, setup=replace(setup, device=torch.device("cpu")))
        doing = {"doing": "reads the synthetic pack", "key": "pairs"}
        ((once, seconds),) = map_in_processes(read, [Path(folder)], processes=2, **doing)  # with 1 it would be this one
    title = f"pack of {counts['big']:,} pairs: "
    how = f"synthetic, {BIG_PX} px, in a fresh process, its file in the page cache"
    beside = f"{how}; beside one of {counts['small']:,} pairs, batches of {BATCH}"
    memory = f"{how}; memory of its own, file pages aside"
    return [
        *(Figure(title + name, summarize([n]), unit, memory if unit == "MiB" else how) for name, n, unit in once),
        *rates(title, BATCH, {"reading": seconds["big"]}, beside),
        Figure(f"{title}reading over a small pack", ratio(seconds["small"], seconds["big"]), "x", beside),
    ]


def read_packs(folder: Path, setup: Setup) -> tuple[list[tuple[str, float, str]], dict[str, list[float]]]:
    """Opens and reads the packs ``big`` and ``small`` of a folder, in a process whose memory grows by nothing else.

    Returns: name, value and unit of what happens once, and the seconds of a batch of either pack by round.
    """
    augment = build(compose_config("train", ["experiment=scratch"]).data.augment, "data.augment")
    before, started = own_mib(), time.perf_counter()
    pack = open_pack(folder / "big")
    opened, after = time.perf_counter(), own_mib()
    sampler = PairSampler(pack, batch_size=BATCH, seed=setup.seed, augment=augment)
    sampler.batch(0)
    first = time.perf_counter()
    for place in range(WARM_BATCHES):
        sampler.batch(place)
    warm = own_mib()
    for place in range(WARM_BATCHES, WARM_BATCHES + BATCHES):
        sampler.batch(place)
    once = [
        ("opening", opened - started, "s"),
        ("opening to first batch", first - started, "s"),
        ("memory to open", after - before, "MiB"),
        ("memory that sampling adds", warm - after, "MiB"),
        (f"memory that {BATCHES:,} batches add", own_mib() - warm, "MiB"),
    ]
    beside = PairSampler(open_pack(folder / "small"), batch_size=BATCH, seed=setup.seed, augment=augment)
    places, places_beside = count(), count()
    tasks = {"big": lambda: sampler.batch(next(places)), "small": lambda: beside.batch(next(places_beside))}
    return once, setup.time(tasks, "reading packs")


def own_mib() -> float:
    """Memory of this process in MiB that no other shares: without the files it maps, which the system takes back."""
    return psutil.Process().memory_full_info().uss / 2**20  # type: ignore[no-any-return]


def write_synthetic_pack(folder: Path, *, styles: int, chars: int, size: int) -> None:
    """Writes a pack of ``styles * chars`` pairs of ``size`` px that opens and trains like one drawn from fonts.

    Its glyphs are real ones, repeated with shifts that differ from style to style.

    Args:
        folder: must not exist yet.
        chars: 2 to 42,000; every tenth is held out.
    """
    font = FontGlyphs(asset("NotoSansSC-Regular.ttf"))
    canvas = Frame(size)
    glyphs = np.stack([font.rasterize(char, canvas, size) for char in font.coverage(None).present[-DRAWN:]])
    text = "".join(chr(FIRST_CHAR + i) for i in range(chars))
    source, names = "/0", [f"style{i:03d}" for i in range(styles)]
    blocks = [source, *names]
    folder.mkdir(parents=True)
    writer = PixelWriter(folder, rows=len(blocks) * chars, size=size, shard_rows=rows_in_a_shard(size))
    writer.create()
    for number in range(len(blocks)):
        writer.write(number * chars, np.roll(glyphs, number % size, axis=2)[np.arange(chars) % len(glyphs)])
    frame = canvas.as_dict()
    manifest = {
        "size": size,
        "characters": chars,
        "held_out": text[::10],
        "trained": "".join(char for i, char in enumerate(text) if i % 10),
        "sources": [{"name": "source", "kind": "synthetic"}],
        "guides": [],
        "styles": [{"name": name, "canvas": frame, "source": 0, "inputs": [frame]} for name in names],
        "findings": [],
    }
    of_style = {name: [name, source] for name in names}
    write_index(folder, dict.fromkeys(blocks, text), of_style, manifest, writer.shard_rows)
