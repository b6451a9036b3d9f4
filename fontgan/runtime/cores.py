"""How many cores this process may use."""

import psutil


def usable_cores() -> int:
    """Those that it is bound to, as by ``taskset`` or in a container; all, where a system binds none (macOS)."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
