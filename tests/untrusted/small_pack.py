"""The smallest pack that has everything, for tests that damage it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fontgan.data.pack import write_index
from fontgan.data.pack_shards import PixelWriter


def write_small_pack(folder: Path, *, shard_rows: int) -> None:
    """Three rows of 4 by 4 pixels, in an empty folder."""
    writer = PixelWriter(folder, rows=3, size=4, shard_rows=shard_rows)
    writer.create()
    writer.write(0, np.arange(48, dtype=np.uint8).reshape(3, 4, 4))
    frame = {"scale": 4.0, "dx": 0, "dy": 0}
    manifest = {
        "size": 4,
        "held_out": "一",
        "trained": "丁",
        "sources": [{"name": "source"}],
        "styles": [{"name": "kai", "canvas": frame, "source": 0, "inputs": [frame]}],
    }
    write_index(folder, {"/0": "一丁", "kai": "一"}, {"kai": ["kai", "/0"]}, manifest, shard_rows)
