"""What tests have the processes of a pool do. It imports no torch, as they import this module."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from fontgan.runtime import subprocesses

_begin = subprocesses._begin


def begin_slow_packing(work: bytes) -> None:
    """In the place of ``subprocesses._begin``: half a second for every chunk."""
    from fontgan.data.pack_writer import PackJob

    before = PackJob.draw_chunk

    def draw_chunk(self: PackJob, chunk: int) -> int:
        time.sleep(0.5)
        return before(self, chunk)

    PackJob.draw_chunk = draw_chunk  # type: ignore[method-assign]
    _begin(work)


def twice(number: int) -> tuple[int, int, bool]:
    """Twice a number, and by which process it was found, and whether that has torch."""
    return 2 * number, os.getpid(), "torch" in sys.modules


def fail_at_three(number: int) -> int:
    if number == 3:
        raise LookupError("no three")
    return number


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def processes_of(starter: int) -> list[int]:
    """The processes of a pool that ``starter`` started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
            if parent == starter and b"multiprocessing.spawn" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # gone meanwhile
            continue
    return found
