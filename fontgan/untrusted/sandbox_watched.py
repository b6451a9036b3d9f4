"""The sandbox where the system has no limits for a process: a new one for each work, watched, and ended at its limits."""

import contextlib
import functools
import json
import logging
import os
import subprocess
import sys
from typing import Any

import psutil

from fontgan.runtime.process_groups import own_group
from fontgan.untrusted.sandbox_job import Limits, carry_out, command_of, load, question, why

log = logging.getLogger(__name__)

_EVERY_S = 0.02  # between two looks at the process
_START_S, _START_BYTES = 5.0, 200 << 20  # what Python and its modules take, at most
_WALL_PER_CPU = 20  # seconds of waiting for one of work: the machine may be busy


def ask(function: str, data: bytes, limits: Limits, facts: dict[str, Any]) -> tuple[str, bytes]:
    """Why there is no result, and what came instead; or an empty string and the result. Raises: OSError."""
    _say_so()
    with subprocess.Popen(
        command_of(f"{__name__}:serve"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **own_group(),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads take time to start
    ) as process:  # fmt: skip
        asking = question(function, data, limits, facts)
        wait_s = 60 + _WALL_PER_CPU * limits.cpu_s
        try:
            for _ in range(round(wait_s / _EVERY_S)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    answer, _ = process.communicate(asking, timeout=_EVERY_S)
                    return _read(answer, process.returncode, limits)
                if beyond := _beyond(process.pid, limits):
                    return beyond, b""
            return f"is not done after {wait_s:.0f} s", b""
        finally:
            process.kill()


@functools.cache
def _say_so() -> None:
    log.info("this system sets no limits to a process, so what opens files from outside is watched instead")


def _beyond(pid: int, limits: Limits) -> str:
    """How a process goes beyond its limits; empty if it does not, or has just ended."""
    try:
        watched = psutil.Process(pid)
        taken = watched.cpu_times()
        if taken.user + taken.system > _START_S + limits.cpu_s:
            return limits.too_slow
        return limits.too_large if watched.memory_info().rss > _START_BYTES + limits.memory_bytes else ""
    except psutil.Error:
        return ""


def _read(answer: bytes, code: int, limits: Limits) -> tuple[str, bytes]:
    head, _, content = answer.partition(b"\n")
    try:
        return why(json.loads(head)["code"], limits), content
    except ValueError:  # it ended before it could answer
        return f"ends the process that reads it with code {code}", b""


# -- in the process ---------------------------------------------------------------------------


def serve() -> None:
    """What the process runs: the one job that its input holds."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not be taken for an answer
    line, _, data = sys.stdin.buffer.read().partition(b"\n")
    job = json.loads(line)
    load(job)
    code, content = carry_out(job, data)
    answers.write(json.dumps({"code": code}).encode() + b"\n" + content)
    answers.flush()
    os._exit(0)  # whatever threads the work has left
