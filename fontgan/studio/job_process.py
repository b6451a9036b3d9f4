"""Runs the command of one job: ``python -m fontgan.studio.job_process jobs/0007``, in the project's folder.

It holds the job's lock as long as it lives, whatever becomes of the server, and writes how the command ended. Of the
command's own process it is the parent, so that Ctrl-C can be sent to that alone.
"""

import os
import subprocess
import sys
from pathlib import Path

from fontgan.errors import RunError
from fontgan.runtime.files import locked
from fontgan.studio.jobs import read_job, write_end


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
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                )
                (folder / "pid").write_text(f"{child.pid}\n")
                os.close(1)  # who started this waits for it
                code = child.wait()
            write_end(folder, code)
            return code
    except RunError:
        return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
