"""What the processor is called."""

import platform
import re
import subprocess
from pathlib import Path


def cpu_name() -> str:
    """As the system names it, else the architecture."""
    file = Path("/proc/cpuinfo")
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    if named := re.search(r"^model name\s*:(.*)", text, re.MULTILINE):
        return named[1].strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
