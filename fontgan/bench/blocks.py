"""How long the generator takes with each block in it, as ``fontgan report blocks`` measures it."""

from __future__ import annotations

import torch

from fontgan.bench.figures import Figure
from fontgan.report.block_choices import candidate, discover
from fontgan.report.blocks import measure_blocks
from fontgan.report.cost import ROUNDS
from fontgan.runtime.timing import Spread

SIZE, NGF = 64, 32  # those of fontgan report blocks


def measure_block_times(batch_size: int, *, device: torch.device, precision: str, seed: int) -> list[Figure]:
    """Forward and backward pass of the generator with each choice, as a multiple of the baseline's beside it."""
    _, rows = measure_blocks(
        discover(),
        lambda choice: candidate(choice, f"data.size={SIZE}", f"generator.ngf={NGF}"),
        size=SIZE,
        batch_size=max(2, batch_size),
        ngf=NGF,
        device=device.type,
        precision=precision,
        seed=seed,
    )
    how = f"forward and backward pass over the baseline's, {SIZE} px, batch {max(2, batch_size)}, ngf {NGF}"
    return [
        Figure(
            f"block {row.choice.group}={row.choice.name}" if "/" in row.choice.group else f"block {row.choice.name}",
            Spread(row.time, row.low, row.high, ROUNDS),
            "x",
            how,
        )
        for row in rows
    ]
