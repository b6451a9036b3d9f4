"""The machine and versions that figures hold for, and its peak rates; nothing that tells whose machine it is."""

import platform
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import psutil
import torch

from fontgan import __version__
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.cpu_name import cpu_name
from fontgan.runtime.device import DTYPES, device_name, pick_precision
from fontgan.runtime.timing import time_interleaved

# Instruction sets that decide how fast a network computes.
RELEVANT = ("avx2", "avx512", "amx", "sve", "bf16", "dotprod")
ROUNDS = 5
SIDE = {
    "cpu": 2048,
    "cuda": 8192,
    "mps": 4096,
}  # of the matrices: large enough that the product, not its start, is timed
SIDE_WITHOUT_BF16 = 256
COPIED = {"cpu": 2**28, "cuda": 2**31, "mps": 2**29}  # bytes, far more than any cache holds


def describe_machine(device: torch.device) -> dict[str, Any]:
    """CPU, cores, threads, memory, GPU (None on a CPU), capabilities and versions."""
    gpu = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    shown = device_name(device) if device.type == "mps" else gpu.name if gpu else None
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # of an older torch: none
    sets = sorted(name for name, there in known.items() if there is True and any(part in name for part in RELEVANT))
    return {
        "device": device.type,
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpu": shown,
        "gpu_memory_gib": round(gpu.total_memory / 2**30) if gpu else None,
        "capabilities": [f"sm_{gpu.major}{gpu.minor}"] if gpu else sets,
        "system": platform.system(),
        "fontgan": __version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if gpu else None,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Peaks:
    """The best of ``ROUNDS`` rounds each: what disturbs a machine makes it slower, never faster."""

    # 1e9 operations a second of a matrix product, a multiply-add counted as two; in fp16 where that is in bf16's place.
    bf16_gflops: float
    fp32_gflops: float
    copy_gb_s: float  # 1e9 bytes a second, those read and those written both counted


def measure_peaks(device: torch.device) -> Peaks:
    """Peak rates of a device in this process, with the threads and settings that it has now."""
    side, copied = SIDE[device.type], COPIED[device.type]
    matrix = torch.randn(side, side, device=device)
    # Where the device has no bf16, a product of it takes a thousand times as long.
    precision = pick_precision("auto", device)
    side_bf16 = side if precision in DTYPES else min(side, SIDE_WITHOUT_BF16)
    small = torch.randn(side_bf16, side_bf16, device=device).to(DTYPES.get(precision, torch.bfloat16))
    there = torch.ones(copied, dtype=torch.uint8, device=device)
    target = torch.zeros_like(there)  # zeros, not empty: pages must be there before they are timed
    seconds = time_interleaved(
        {"bf16": lambda: small @ small, "fp32": lambda: matrix @ matrix, "copy": lambda: target.copy_(there)},
        partial(wait_for, device), rounds=ROUNDS, minutes=1, title="peaks", warm_up=2,
    )  # fmt: skip
    best = {name: min(taken) for name, taken in seconds.items()}
    rate_bf16, rate_fp32 = 2e-9 * side_bf16**3 / best["bf16"], 2e-9 * side**3 / best["fp32"]
    return Peaks(rate_bf16, rate_fp32, 2e-9 * copied / best["copy"])
