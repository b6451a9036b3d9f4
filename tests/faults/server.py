"""A process that has imported fontgan and torch, and forks a child for each command: a try then costs one second, not six.

It has a single thread, so its children are as good as fresh ones; the fault ``fresh`` proves it bit by bit.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# What commands import when they come to it; a child need not do it again.
WARM = (
    "fontgan.train", "fontgan.generate.folder", "fontgan.generate.path", "fontgan.fontfile.vectorize",
    "hydra", "torch._dynamo", "torch.utils.tensorboard", "torchmetrics.functional.image", "scipy.signal",
    "PIL.ImageFont", "PIL.PngImagePlugin", "fontTools.ttLib", "freetype",
)  # fmt: skip


class Child:
    """A command at work. ``code`` files tell how it ended, since it is the server's child and not ours."""

    def __init__(self, pid: int, code_file: Path, log: Path):
        self.pid = pid
        self._code_file = code_file
        self.log = log

    def poll(self) -> int | None:
        """Its exit code, negative for a signal, None while it runs."""
        return int(self._code_file.read_text()) if self._code_file.exists() else None

    def wait(self, timeout_s: float = 120) -> int:
        """Raises: TimeoutError; the child is killed then."""
        deadline = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise TimeoutError(f"still running after {timeout_s:g} s: {self.log.read_text()[-500:]}")
            time.sleep(0.003)
        return code

    def signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


class Server:
    """Starts children. Use as a context: they all end with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, process_group=0,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the fork server did not start")

    def start(
        self, arguments: Sequence[str], *, log: Path, env: Mapping[str, str], inside: Mapping[str, Any] | None = None
    ) -> Child:
        """Args: inside: what ``inside.apply`` does in the child."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        code_file = log.with_suffix(".code")
        job = {
            "arguments": list(arguments),
            "log": str(log),
            "code": str(code_file),
            "env": dict(env),
            "inside": inside,
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        return Child(int(self._process.stdout.readline()), code_file, log)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends its children and itself
        self._process.wait(timeout=30)


def serve() -> None:
    """What the server runs, until its standard input ends."""
    for name in WARM:
        importlib.import_module(name)
    from fontgan.config.compose import compose_config

    compose_config("train", [])
    at_work: dict[int, Path] = {}
    print("ready", flush=True)
    while True:
        asked, _, _ = select.select([sys.stdin], [], [], 0.003 if at_work else None)
        for pid in list(at_work):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                _write_code(at_work.pop(pid), os.waitstatus_to_exitcode(status))
        if not asked:
            continue
        line = sys.stdin.readline()
        if not line:
            break
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(job)
        at_work[pid] = Path(job["code"])
        print(pid, flush=True)
    for pid in at_work:
        os.kill(pid, signal.SIGKILL)


def _write_code(file: Path, code: int) -> None:
    aside = file.with_suffix(".aside")
    aside.write_text(str(code))
    aside.rename(file)


def _child(job: dict[str, Any]) -> None:
    """Runs the command line in this process and ends it."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        into = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, into), (2, into)):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(job["env"])
        tempfile.tempdir = None
        from fontgan.cli import main

        from .inside import apply

        apply(job["inside"] or {})
        code = main(job["arguments"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  # as the interpreter would
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
