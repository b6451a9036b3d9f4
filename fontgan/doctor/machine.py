"""The system, the processor and the memory."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fontgan import __version__
from fontgan.doctor.privacy import hide
from fontgan.doctor.rows import Row, row
from fontgan.runtime.cpu_name import cpu_name

SECTION = "system"


def machine_rows() -> Iterator[Row]:
    yield row(SECTION, "fontgan", _fontgan)
    yield row(SECTION, "Python", _python)
    yield row(SECTION, "system", _system)
    yield row(SECTION, "CPU", _cpu)
    yield row(SECTION, "memory", _memory)


def amount(size: float) -> str:
    """Bytes as people say them."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while size >= 1000 and power < len(units) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.{0 if power == 0 or size >= 100 else 1}f} {units[power]}"


def _fontgan() -> str:
    from fontgan.doctor.packages import came_from

    return f"{__version__}, {came_from() or 'not installed: run where it lies'}{_commit()}"


def _commit() -> str:
    """Of a checkout, the commit that it stands at, and whether files were changed since."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f", commit {asked.stdout.strip()}" if asked.returncode == 0 else ""


def _python() -> str:
    if (Path(sys.prefix) / "conda-meta").is_dir():
        kind = "in a conda environment"
    else:
        kind = "in a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    return f"{platform.python_version()} ({platform.python_implementation()}), {kind}"


def _system() -> str:
    parts = [f"{platform.system()} {hide(platform.release())}", platform.machine()]
    if platform.system() == "Linux":
        parts += [_distribution(), "".join(platform.libc_ver())]
    elif platform.system() == "Darwin":
        parts.append(f"macOS {platform.mac_ver()[0]}")
    else:
        parts.append(platform.version())
    if any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")):
        parts.append("in a container")
    return ", ".join(filter(None, parts))


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _cpu() -> str:
    import psutil

    from fontgan.runtime.cores import usable_cores

    logical, physical = psutil.cpu_count() or 1, psutil.cpu_count(logical=False)
    cores = f"{usable_cores()} of {logical} usable" + (
        f" ({physical} cores)" if physical and physical != logical else ""
    )
    threads = os.environ.get("OMP_NUM_THREADS")
    return f"{cpu_name()}, {cores}" + (f", OMP_NUM_THREADS={hide(threads)}" if threads else "")


def _memory() -> str:
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    also = f", {amount(swap.free)} of {amount(swap.total)} of swap" if swap.total else ", no swap"
    return f"{amount(memory.available)} free of {amount(memory.total)}{also}"
