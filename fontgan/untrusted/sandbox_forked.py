"""The sandbox on Linux, where alone it is imported: limits are the kernel's, and a process costs milliseconds.

One helper is started when the first work comes, without torch; for each work it forks a child.
"""

# ruff: noqa: E402  # mypy and people of other systems need to read no further
import sys

assert sys.platform == "linux"

import contextlib
import json
import math
import os
import resource
import select
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, NoReturn

from fontgan.runtime.process_groups import own_group
from fontgan.untrusted.sandbox_job import (
    FAILED,
    LimitExceeded,
    Limits,
    carry_out,
    command_of,
    load,
    question,
    why,
)  # fmt: skip

_STACK_BYTES = 4 << 20  # half of what a main thread has: what recurses deeper than it may is stopped here
_STATM = Path("/proc/self/statm")  # pages of memory in use
_WALL_PER_CPU = 20  # seconds of waiting for one of work: the machine may be busy


def ask(function: str, data: bytes, limits: Limits, facts: dict[str, Any]) -> tuple[str, bytes]:
    """Why there is no result, and what came instead; or an empty string and the result. Raises: LimitExceeded, OSError."""
    with _lock:
        # One that has ended is of no use, nor is that of a process which this one was forked from.
        if not _started or _started[-1].of != os.getpid() or _started[-1].process.poll() is not None:
            _started[:] = [_Helper()]
        return _started[-1].ask(question(function, data, limits, facts), limits)


class _Helper:
    """The process that forks, and the pipes to it. It ends when this process does, as its input then ends."""

    def __init__(self) -> None:
        self.of = os.getpid()
        self.process = subprocess.Popen(
            command_of(f"{__name__}:serve"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            **own_group(),  # Ctrl-C is for this process alone, which then ends the helper
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads take time to start
        )  # fmt: skip

    def ask(self, asking: bytes, limits: Limits) -> tuple[str, bytes]:
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None
        assert answers is not None
        try:
            asked.write(asking)
            asked.flush()
            wait_s = 60 + _WALL_PER_CPU * limits.cpu_s
            if not select.select([answers], [], [], wait_s)[0]:
                raise LimitExceeded(f"is not done after {wait_s:.0f} s")
            reply = json.loads(answers.readline())
            return reply["why"], answers.read(reply["bytes"])
        except BaseException as error:
            self.end()  # also when interrupted: what it would say later is no answer to the next question
            if isinstance(error, BrokenPipeError | json.JSONDecodeError):
                raise LimitExceeded("ends the process that reads it; see whether memory is short") from error
            raise

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not yet sent has nowhere to go
                    pipe.close()


_lock = threading.Lock()
_started: list[_Helper] = []


# -- in the helper ----------------------------------------------------------------------------


def serve() -> None:
    """What the helper runs: one job after the other, until there are no more to come."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not be taken for an answer
    while line := asked.readline():
        job = json.loads(line)
        data = asked.read(job["bytes"])
        if len(data) < job["bytes"]:
            return  # who asked is gone
        load(job)  # once, for all children
        with tempfile.TemporaryFile() as file:
            if (child := os.fork()) == 0:
                _work(job, data, file)
            code, limits = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), Limits(**job["limits"])
            ended = limits.too_slow if code == -signal.SIGXCPU else why(code, limits)
            file.seek(0)
            content = file.read()
        answers.write(json.dumps({"why": ended, "bytes": len(content)}).encode() + b"\n" + content)
        answers.flush()


def _work(job: dict[str, Any], data: bytes, file: IO[bytes]) -> NoReturn:
    """What a child does: the work under its limits. It leaves without the helper's clean-up."""
    code = FAILED
    try:
        _bind(Limits(**job["limits"]))
        code, content = carry_out(job, data)
        file.write(content)
        file.flush()
    finally:
        os._exit(code)


def _bind(limits: Limits) -> None:
    """Limits of the kernel, which hold inside C code too; each ends the process."""
    in_use = int(_STATM.read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    most_of = {
        resource.RLIMIT_CPU: math.ceil(limits.cpu_s), resource.RLIMIT_STACK: _STACK_BYTES, resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: in_use + limits.memory_bytes,
    }  # fmt: skip
    for what, most in most_of.items():
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
