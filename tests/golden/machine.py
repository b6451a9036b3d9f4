"""What rounding depends on: library versions and the CPU; and an environment in which CPUs differ as little as they can."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import freetype

LIBRARIES = (
    "torch", "torchvision", "numpy", "scipy", "scikit-image", "pillow", "fonttools", "freetype-py", "safetensors",
    "skia-pathops",
)  # fmt: skip

PINNED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "SOURCE_DATE_EPOCH": "1700000000",
    "COLUMNS": "120",
}


def pinned(**more: str) -> dict[str, str]:
    """The environment of the process that computes, one thread wide."""
    return {**os.environ, **PINNED, **more}


def fingerprint() -> dict[str, str]:
    """Where all of it is the same, so are the results, to the bit."""
    versions = {name: version(name) for name in LIBRARIES}
    return {**versions, "freetype": ".".join(map(str, freetype.version())), "cpu": _cpu()}


def _cpu() -> str:
    """Name, family, model and vector instructions of the processor."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return f"{platform.machine()} {platform.processor()}"
    lines = (line.partition(":") for line in info.read_text(errors="replace").splitlines())
    facts: dict[str, str] = {}
    for key, _, value in lines:
        facts.setdefault(key.strip(), value.strip())
    vectors = sorted(flag for flag in facts.get("flags", "").split() if flag.startswith(("avx", "amx", "fma")))
    about = [facts.get(key, "") for key in ("model name", "cpu family", "model")]
    return " ".join([platform.machine(), *about, *vectors])
