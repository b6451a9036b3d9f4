"""Work on a file from outside, done by another process that may take so much time and memory and no more.

A parser that hangs, fills the memory or crashes takes only that process with it.  One helper is started when the first
work comes, without torch; for each work it forks a child, which takes milliseconds, so that what one file did to its
process never meets the next.  Answers are text or bytes, never pickles: the child has read what a stranger wrote.
"""

import contextlib
import importlib
import json
import math
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from fontgan.errors import DataError, UserError, printable

_HELPER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from fontgan.untrusted import sandbox; sandbox.serve()"
)
_STACK_BYTES = 4 << 20  # half of what a main thread has: what recurses deeper than it may is stopped here
_STATM = Path("/proc/self/statm")  # pages of memory in use
_SAID = "said"  # by the function itself
_DONE, _REFUSED, _NO_MEMORY, _FAILED = 0, 3, 4, 5  # exit codes of the child
_WALL_PER_CPU = 20  # seconds of waiting for one of work: the machine may be busy


@dataclass(frozen=True)
class Limits:
    cpu_s: float  # seconds of the processor
    memory_bytes: int  # beyond what Python and its modules take


class LimitExceeded(DataError):
    """The work was stopped, ended its process or failed; the message says how, and follows the name of the file."""


def run_sandboxed(function: str, data: bytes, limits: Limits, **facts: Any) -> bytes:
    """Calls a function of this package in a process of its own.

    Args:
        function: ``module:name``; it is called with ``data`` and ``facts``, and gives bytes.
        facts: what JSON can hold.
    Raises: DataError with what the function itself said; LimitExceeded if it took more than its limits, crashed, or raised
        anything else; OSError if no process can be started.
    """
    with _lock:
        # One that has ended is of no use, nor is that of a process which this one was forked from.
        if not _started or _started[-1].of != os.getpid() or _started[-1].process.poll() is not None:
            _started[:] = [_Helper()]
        why, content = _started[-1].ask(function, data, limits, facts)
    if why == _SAID:
        raise DataError(content.decode(errors="replace"))
    if why:
        raise LimitExceeded(why + printable(content.decode(errors="replace")))
    return content


class _Helper:
    """The process that forks, and the pipes to it. It ends when this process does, as its input then ends."""

    def __init__(self) -> None:
        self.of = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HELPER, json.dumps(sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for this process alone, which then ends the helper
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads take time to start
        )  # fmt: skip

    def ask(self, function: str, data: bytes, limits: Limits, facts: dict[str, Any]) -> tuple[str, bytes]:
        """Why there is no result, as ``_why`` says it, and what came instead; or an empty string and the result."""
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None
        assert answers is not None
        job = {"function": function, "bytes": len(data), "limits": vars(limits), "facts": facts}
        try:
            asked.writelines([json.dumps(job).encode(), b"\n", data])
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
        importlib.import_module(job["function"].partition(":")[0])  # once, for all children
        with tempfile.TemporaryFile() as file:
            if (child := os.fork()) == 0:
                _work(job, data, file)
            why = _why(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), Limits(**job["limits"]))
            file.seek(0)
            content = file.read()
        answers.write(json.dumps({"why": why, "bytes": len(content)}).encode() + b"\n" + content)
        answers.flush()


def _why(code: int, limits: Limits) -> str:
    """Why there is no result, to follow the name of the file; empty if there is one."""
    known = {
        _DONE: "", _REFUSED: _SAID, _FAILED: "reading it fails with ",
        _NO_MEMORY: f"takes more than {limits.memory_bytes >> 20} MB of memory",
        -signal.SIGXCPU: f"takes more than {math.ceil(limits.cpu_s)} s",
    }  # fmt: skip
    how = signal.Signals(-code).name if code < 0 else f"code {code}"
    return known.get(code, f"ends the process that reads it with {how}")


def _work(job: dict[str, Any], data: bytes, file: IO[bytes]) -> NoReturn:
    """What a child does: the work under its limits. It leaves without the helper's clean-up."""
    code = _FAILED
    try:
        _bind(Limits(**job["limits"]))
        module, _, name = job["function"].partition(":")
        content = getattr(sys.modules[module], name)(data, **job["facts"])
        code = _DONE
    except UserError as error:
        content, code = str(error).encode(errors="replace"), _REFUSED
    except MemoryError:
        content, code = b"", _NO_MEMORY
    except Exception as error:  # noqa: BLE001  # of a stranger's file a parser may raise anything; it is told, by its kind
        content = f"{type(error).__name__}: {error}".encode(errors="replace")[:2000]
    try:
        file.write(content)
        file.flush()
    finally:
        os._exit(code)


def _bind(limits: Limits) -> None:
    """Limits of the kernel, which hold inside C code too; each ends the process."""
    most_of = {
        resource.RLIMIT_CPU: math.ceil(limits.cpu_s), resource.RLIMIT_STACK: _STACK_BYTES, resource.RLIMIT_CORE: 0
    }  # fmt: skip
    if _STATM.is_file():  # Linux; elsewhere memory is not limited
        most_of[resource.RLIMIT_AS] = int(_STATM.read_text().split()[0]) * resource.getpagesize() + limits.memory_bytes
    for what, most in most_of.items():
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
