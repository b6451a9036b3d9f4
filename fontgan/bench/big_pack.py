"""A made-up pack far larger than the bundled one: how long it takes to open, its memory, and reading from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fontgan.bench.figures import Figure
from fontgan.bench.synthetic_pack import write_synthetic_pack
from fontgan.errors import RunError
from fontgan.runtime.timing import Spread, ratio, summarize

SIZE, CHARS = 64, 10_000  # pixels a side, and characters; it has as many styles as its pairs need
SMALL_PAIRS = 3000  # as many as the bundled fonts give


def measure_big_pack(pairs: int, *, seed: int, rounds: int, minutes: float) -> list[Figure]:
    """A made-up pack of many pairs, opened and read in a process of its own, beside a small one.

    Raises: RunError if the disk does not hold it.
    """
    with tempfile.TemporaryDirectory() as folder:
        needed, free = (pairs + CHARS) * SIZE**2, shutil.disk_usage(folder).free
        if needed > free:
            raise RunError(
                f"pairs={pairs}: needs {needed / 1e9:.1f} GB of disk for the time, and {free / 1e9:.1f} are free. "
                "Lower pairs, or let TMPDIR name another disk."
            )
        counts = {}
        for name, wanted in (("big", pairs), ("small", min(SMALL_PAIRS, pairs))):
            chars = min(CHARS, max(2, wanted // 3))
            styles = max(1, wanted // chars)
            write_synthetic_pack(Path(folder) / name, styles=styles, chars=chars, size=SIZE)
            counts[name] = styles * chars
        found = read_in_another_process(Path(folder), seed=seed, rounds=rounds, minutes=minutes)
    how = f"a made-up pack of {counts['big']:,} pairs at {SIZE} px, in a fresh process, its file in the page cache"
    beside = f"{how}; beside one of {counts['small']:,} pairs, batches of {found['batch_size']}"
    rates = {which: [found["batch_size"] / took for took in found["seconds"][which]] for which in ("big", "small")}
    return [
        Figure("big pack, open", one(found["open_s"]), "s", how),
        Figure("big pack, open to first batch", one(found["first_batch_s"]), "s", how),
        Figure(
            "big pack, memory to open", one(found["open_mib"]), "MiB", f"{how}; memory of its own, file pages aside"
        ),
        Figure(
            "big pack, memory to sample from it",
            one(found["sampling_mib"]),
            "MiB",
            f"{how}; memory of its own that the order of its pairs and the first {found['warm_batches']} batches add",
        ),
        Figure(
            "big pack, memory that reading adds",
            one(found["growth_mib"]),
            "MiB",
            f"{how}; over {found['batches']} batches",
        ),
        Figure("big pack, reading", summarize(rates["big"]), "glyphs/s", beside),
        Figure("big pack, reading over a small one", ratio(rates["big"], rates["small"]), "x", beside),
    ]


def read_in_another_process(folder: Path, *, seed: int, rounds: int, minutes: float) -> dict[str, Any]:
    """What ``fontgan.bench.read_pack`` finds of the packs ``big`` and ``small`` in a folder."""
    arguments = [str(folder / "big"), str(folder / "small"), str(seed), str(rounds), str(minutes)]
    result = subprocess.run(
        [sys.executable, "-m", "fontgan.bench.read_pack", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode:
        raise RunError(f"the made-up pack: reading it ended with {result.returncode}. Look at what it said above.")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def one(value: float) -> Spread:
    """A number measured once."""
    return Spread(value, value, value, 1)
