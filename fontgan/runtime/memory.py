"""How much memory is free."""

import re
from pathlib import Path

import psutil
import torch

from fontgan.runtime.accelerator import unused_bytes
from fontgan.runtime.distributed import processes_here

CGROUP = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> int:
    """Memory of the device that this process can have now; of a container (cgroup v2), what its limit leaves."""
    return _host_bytes() if device.type == "cpu" else unused_bytes(device, _host_bytes())


def _host_bytes() -> int:
    free = int(psutil.virtual_memory().available)
    limit = _kernel_number(CGROUP / "memory.max")
    used = _kernel_number(CGROUP / "memory.current")
    if limit and used:
        # The file cache counts as used by the container and is given up when it is needed.
        free = min(free, limit - used + _kernel_number(CGROUP / "memory.stat", "inactive_file"))
    return free // processes_here()


def _kernel_number(file: Path, key: str = "") -> int:
    """The number in a file of the kernel's, or in its line of that key; 0 where it has none, or no limit ("max")."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(rf"^{key}\s*(\d+)\b", text, re.MULTILINE)
    return int(found[1]) if found else 0
