"""Runs the command of one job: ``python -m fontgan.studio.job_process jobs/0007``, in the project's folder.

It holds the job's lock as long as it lives, whatever becomes of the server, and writes how the command ended. When it is
asked to stop, it does to the command's own process what Ctrl-C does.
"""

import os
import subprocess
import sys
from pathlib import Path

from fontgan.errors import RunError
from fontgan.runtime.locks import locked
from fontgan.runtime.process_groups import interrupt, own_group
from fontgan.studio.jobs import STOP, read_job, write_end

EVERY_S = 0.2  # between two looks whether it is to stop


def main(folder: Path) -> int:
    """Returns: the exit code of the command; 2 where another process is at it."""
    try:
        with locked(folder, "another process"):
            job = read_job(folder)
            if job is None:
                return 2
            with (folder / "log.txt").open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "fontgan", *job.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ
                    | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},  # Windows would write its own encoding
                    **own_group(),
                )
                os.close(1)  # who started this waits for it
                code = _wait(child, folder / STOP)
            write_end(folder, code)
            return code
    except RunError:
        return 2


def _wait(child: subprocess.Popen[bytes], stop: Path) -> int:
    while True:
        try:
            return child.wait(timeout=EVERY_S)
        except subprocess.TimeoutExpired:
            if stop.exists():
                stop.unlink()  # so that it can be asked for once more, as Ctrl-C can
                interrupt(child)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
