"""What the processor is called."""

import platform
import subprocess

from fontgan.runtime import linux


def cpu_name() -> str:
    """As the system names it, else the architecture."""
    if named := linux.cpu_model():
        return named
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
