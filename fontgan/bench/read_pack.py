"""``python -m fontgan.bench.read_pack BIG SMALL SEED ROUNDS MINUTES``: opens two packs, reads from both, prints JSON.

A process of its own, so that its memory is that of opening and reading a pack, and of nothing before.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path

from fontgan.config.compose import compose_config
from fontgan.config.instantiate import build
from fontgan.data.batches import PairSampler
from fontgan.data.pack import open_pack
from fontgan.runtime.timing import time_interleaved

BATCH = 16
WARM_BATCHES, BATCHES = 50, 1000  # before memory is looked at, and between both looks


def own_mib() -> float:
    """Memory of this process in MiB, without the pages of files it maps: the kernel takes those back as it likes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return int(kib) / 1024


def main(big: str, small: str, seed: str, rounds: str, minutes: str) -> None:
    """Prints open and first batch in seconds, memory in MiB, and the seconds of a batch by round."""
    augment = build(compose_config("train", []).data.augment, "data.augment")
    before, started = own_mib(), time.perf_counter()
    pack = open_pack(Path(big))
    opened, after = time.perf_counter(), own_mib()
    sampler = PairSampler(pack, batch_size=BATCH, seed=int(seed), augment=augment)
    sampler.batch(0)
    first = time.perf_counter()
    for place in range(WARM_BATCHES):
        sampler.batch(place)
    warm = own_mib()
    for place in range(WARM_BATCHES, WARM_BATCHES + BATCHES):
        sampler.batch(place)
    growth = own_mib() - warm
    beside = PairSampler(open_pack(Path(small)), batch_size=BATCH, seed=int(seed), augment=augment)
    places, places_beside = count(), count()
    seconds = time_interleaved(
        {"big": lambda: sampler.batch(next(places)), "small": lambda: beside.batch(next(places_beside))},
        lambda: None,
        rounds=int(rounds),
        minutes=float(minutes),
        title="reading packs",
    )
    found = {
        "batch_size": BATCH,
        "warm_batches": WARM_BATCHES,
        "batches": BATCHES,
        "open_s": opened - started,
        "first_batch_s": first - started,
        "open_mib": after - before,
        "sampling_mib": warm - after,
        "growth_mib": growth,
        "seconds": seconds,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
