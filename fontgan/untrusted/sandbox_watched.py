"""The sandbox where the system has no limits for a process: a new one for each work, watched, and ended at its limits."""

import contextlib
import functools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from typing import IO, Any, NamedTuple

import psutil

from fontgan.runtime.process_groups import own_group
from fontgan.untrusted.sandbox_job import FAILED, Limits, carry_out, command_of, load, question, why

log = logging.getLogger(__name__)

_EVERY_S = 0.02  # between two looks at the process
_WALL_PER_CPU = 20  # seconds of waiting for one of work: the machine may be busy


def ask(function: str, data: bytes, limits: Limits, facts: dict[str, Any]) -> tuple[str, bytes]:
    """Why there is no result, and what came instead; or an empty string and the result. Raises: OSError."""
    _say_so()
    with subprocess.Popen(
        command_of(f"{__name__}:serve"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **own_group(),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads take time to start
    ) as process:  # fmt: skip
        try:
            return _watch(process, question(function, data, limits, facts), limits)
        finally:
            process.kill()


@functools.cache
def _say_so() -> None:
    log.info("this system sets no limits to a process, so what opens files from outside is watched instead")


def _watch(process: subprocess.Popen[bytes], asking: bytes, limits: Limits) -> tuple[str, bytes]:
    asked, answers = process.stdin, process.stdout
    assert asked is not None
    assert answers is not None
    said: list[bytes] = []  # what it takes before the work, the code, the result
    talk = threading.Thread(target=_talk, args=(asked, answers, asking, said), daemon=True)
    talk.start()
    until = time.monotonic() + 60 + _WALL_PER_CPU * limits.cpu_s
    while talk.is_alive():
        if said and (beyond := _beyond(process.pid, Taken(*json.loads(said[0])), limits)):
            return beyond, b""
        if time.monotonic() > until:
            return f"is not done after {60 + _WALL_PER_CPU * limits.cpu_s:.0f} s", b""
        talk.join(_EVERY_S)
    code, content = (int(said[1]), said[2]) if len(said) == 3 else (process.wait() or FAILED, b"")
    return why(code, limits), content


def _talk(asked: IO[bytes], answers: IO[bytes], asking: bytes, said: list[bytes]) -> None:
    """Asks, and takes the answers as they come; fewer than three if the process ends before."""
    with contextlib.suppress(OSError):  # it ended before it had read all
        asked.write(asking)
        asked.close()
    for read in (answers.readline, answers.readline, answers.read):
        if line := read():
            said.append(line)
        elif len(said) == 2:
            said.append(b"")


class Taken(NamedTuple):
    """By a process until now."""

    cpu_s: float
    memory_bytes: int


def _taken(process: psutil.Process) -> Taken:
    cpu = process.cpu_times()
    return Taken(cpu.user + cpu.system, process.memory_info().rss)


def _beyond(pid: int, before: Taken, limits: Limits) -> str:
    """How the work goes beyond its limits; empty if it does not, or has just ended."""
    try:
        now = _taken(psutil.Process(pid))
    except psutil.Error:
        return ""
    if now.cpu_s - before.cpu_s > limits.cpu_s:
        return limits.too_slow
    return limits.too_large if now.memory_bytes - before.memory_bytes > limits.memory_bytes else ""


# -- in the process ---------------------------------------------------------------------------


def serve() -> None:
    """What the process runs: the one job that its input holds."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not be taken for an answer
    line, _, data = sys.stdin.buffer.read().partition(b"\n")
    job = json.loads(line)
    load(job)
    answers.write(json.dumps(_taken(psutil.Process())).encode() + b"\n")
    answers.flush()
    code, content = carry_out(job, data)
    answers.write(f"{code}\n".encode() + content)
    answers.flush()
    os._exit(0)  # whatever threads the work has left
