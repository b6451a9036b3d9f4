"""A large pack made quickly, to measure with: real glyphs, repeated with shifts that differ from style to style."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.pack import SOURCE, Pack, open_pack, write_index
from fontgan.data.pack_shards import PixelWriter, rows_in_a_shard
from fontgan.data.sources import asset

_DRAWN = 256  # glyphs that are really drawn
_FIRST_CHAR, _MAX_CHARS = 0x20000, 42_000  # CJK extension B: a block without gaps that is large enough
_AT_ONCE = 4096  # rows


def write_synthetic_pack(folder: Path, styles: int = 100, chars: int = 10_000, size: int = 64) -> Pack:
    """Writes a pack of ``styles * chars`` pairs that opens and trains like one drawn from fonts.

    Args:
        folder: must not exist yet.
        chars: at most 42,000; every tenth is held out.
        size: of the glyphs, in pixels.
    Raises: OSError if it cannot be written; ValueError if too many characters are wanted.
    """
    if not 2 <= chars <= _MAX_CHARS:
        raise ValueError(f"chars={chars}: 2 to {_MAX_CHARS} are possible.")
    font = FontGlyphs(asset("NotoSansSC-Regular.ttf"))
    drawn = font.coverage(None).present[-_DRAWN:]
    canvas = Frame(size)
    glyphs = np.stack([font.rasterize(char, canvas, size) for char in drawn])
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
