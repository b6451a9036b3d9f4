"""What the device can do at most: the rate of a large matrix product, and of copying memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from fontgan.runtime.device import wait_for
from fontgan.runtime.timing import time_interleaved

ROUNDS = 5
SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices: large enough that the product, not its start, is timed
COPIED = {"cpu": 2**28, "cuda": 2**31}  # bytes, far more than any cache holds


@dataclass(frozen=True)
class Peaks:
    """The best of ``ROUNDS`` rounds each: what disturbs a machine makes it slower, never faster.

    Attributes:
        bf16_gflops, fp32_gflops: 1e9 operations a second of a matrix product, a multiply-add counted as two.
        copy_gb_s: 1e9 bytes a second, those read and those written both counted.
    """

    bf16_gflops: float
    fp32_gflops: float
    copy_gb_s: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def measure_peaks(device: torch.device, *, side: int | None = None, copied: int | None = None) -> Peaks:
    """Measures the peaks of a device in this process, with the threads and settings that it has now.

    Args:
        side: of the square matrices.   copied: bytes copied at once.
    """
    side, copied = side or SIDE[device.type], copied or COPIED[device.type]
    matrix = torch.randn(side, side, device=device)
    small = matrix.to(torch.bfloat16)
    there = torch.ones(copied, dtype=torch.uint8, device=device)
    target = torch.zeros_like(there)  # zeros, not empty: pages must be there before they are timed
    seconds = time_interleaved(
        {"bf16": lambda: small @ small, "fp32": lambda: matrix @ matrix, "copy": lambda: target.copy_(there)},
        lambda: wait_for(device),
        rounds=ROUNDS,
        minutes=1,
        title="peaks",
        warm_up=2,
    )
    product = 2 * side**3 / 1e9
    return Peaks(
        product / min(seconds["bf16"]), product / min(seconds["fp32"]), 2 * copied / 1e9 / min(seconds["copy"])
    )
