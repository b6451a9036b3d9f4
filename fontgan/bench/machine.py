"""The machine and the versions that figures hold for; nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fontgan import __version__

# Of all that torch can tell of a CPU, what decides how fast a network computes.
TELLING = ("avx2", "avx512", "amx", "sve", "bf16", "dotprod")


def describe_machine(device: torch.device) -> dict[str, Any]:
    """CPU, cores, threads, memory, GPU (None on a CPU), capabilities and versions."""
    gpu = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "device": device.type,
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": gpu.name if gpu else None,
        "gpu_memory_gib": round(gpu.total_memory / 2**30) if gpu else None,
        "capabilities": [f"sm_{gpu.major}{gpu.minor}"] if gpu else cpu_capabilities(),
        "system": platform.system(),
        "fontgan": __version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if gpu else None,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def cpu_name() -> str:
    """As the kernel names it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cpu_capabilities() -> list[str]:
    """The instruction sets that matter here and that torch finds; [] where it cannot tell."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return []
    found = torch.cpu.get_capabilities()
    return sorted(name for name, there in found.items() if there is True and any(part in name for part in TELLING))
