"""Another Python process that works for this one, without torch and without the program that started it.

``multiprocessing`` would run the starting script again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def start_helper(code: str, **files: Any) -> subprocess.Popen[bytes]:
    """Starts one that finds the same modules.

    Args:
        code: what it runs.
        files: as ``Popen`` takes them: ``stdin``, ``pass_fds``, ...
    Raises: OSError if it cannot be started.
    """
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); {code}",
            json.dumps(sys.path),
        ],
        process_group=0,  # Ctrl-C is for this process alone, which then ends its helpers
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads take time to start
        **files,
    )
