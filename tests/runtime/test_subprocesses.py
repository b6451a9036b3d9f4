"""Pools of processes: results in order, errors, killed processes; and the script that was started runs once."""

from __future__ import annotations

import concurrent.futures.process
import errno
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import process, resource_tracker
from pathlib import Path
from typing import Any

import pytest

from fontgan.errors import RunError
from fontgan.runtime.subprocesses import map_in_processes
from tests import pool

SAID = {"doing": "doubles numbers", "key": "workers"}
SCRIPT = """
import signal, sys
from fontgan.runtime.subprocesses import map_in_processes
from tests import pool
print("started", flush=True)
for pid in map_in_processes(pool.{work}, [{thing}] * 20, processes=2, doing="waits", key="workers"):
    pass
"""


def ended(pids: list[int]) -> bool:
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_results_come_in_order_from_processes_without_torch() -> None:
    found = list(map_in_processes(pool.twice, range(40), processes=2, **SAID))
    assert [twice for twice, _, _ in found] == [2 * number for number in range(40)]
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert not any(torch for _, _, torch in found)
    assert ended([pid for _, pid, _ in found])


def test_one_process_is_this_one() -> None:
    assert {pid for _, pid, _ in map_in_processes(pool.twice, range(4), processes=1, **SAID)} == {os.getpid()}


def test_an_error_is_raised_in_its_place_and_nothing_is_left() -> None:
    found: list[int] = []
    with pytest.raises(LookupError, match="no three"):
        found.extend(map_in_processes(pool.fail_at_three, range(1000), processes=2, **SAID))
    assert not pool.processes_of(os.getpid())


def test_a_killed_process_is_told_in_a_line_and_the_others_end() -> None:
    running = map_in_processes(pool.wait, [0.2] * 30, processes=2, **SAID)
    next(running)
    pids = pool.processes_of(os.getpid())
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(RunError, match=r"^a process that doubles numbers was killed.*set workers=1\.$"):
        list(running)
    assert ended(pids)


def test_a_process_that_was_being_started_when_another_was_killed_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool ends its first two processes before it knows of the third, then waits for all."""
    noticed, starting = threading.Event(), threading.Event()
    manager = concurrent.futures.process._ExecutorManagerThread
    start, terminate = process.BaseProcess.start, manager.terminate_broken

    def start_slowly(self: process.BaseProcess) -> None:
        start(self)
        if noticed.is_set():
            starting.set()
            time.sleep(0.5)

    def terminate_meanwhile(self: Any, cause: Any) -> None:
        noticed.set()
        starting.wait(10)
        terminate(self, cause)

    def things() -> Iterator[int]:
        yield from (5, 5)
        for pid in pool.processes_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        assert noticed.wait(10)
        yield 5

    monkeypatch.setattr(process.BaseProcess, "start", start_slowly)
    monkeypatch.setattr(manager, "terminate_broken", terminate_meanwhile)
    with pytest.raises(RunError, match="was killed"):
        list(map_in_processes(pool.wait, things(), processes=3, **SAID))
    assert starting.is_set()
    assert not pool.processes_of(os.getpid())


def test_a_process_whose_pool_is_closed_before_it_starts_is_told_as_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = threading.Event()
    manager = concurrent.futures.process._ExecutorManagerThread
    start, join = process.BaseProcess.start, manager.join_executor_internals
    started: list[bool] = []

    def start_third_when_closed(self: process.BaseProcess) -> None:
        if len(started) == 2:
            for pid in pool.processes_of(os.getpid()):
                os.kill(pid, signal.SIGKILL)
            assert closed.wait(10)
        started.append(True)
        start(self)

    def tell_and_join(self: Any) -> None:
        closed.set()
        join(self)

    monkeypatch.setattr(process.BaseProcess, "start", start_third_when_closed)
    monkeypatch.setattr(manager, "join_executor_internals", tell_and_join)
    with pytest.raises(RunError, match="was killed"):
        list(map_in_processes(pool.wait, [5.0] * 3, processes=3, **SAID))
    assert closed.is_set()
    assert not caplog.records
    assert not pool.processes_of(os.getpid())


def test_what_no_process_can_be_started_for_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = process.BaseProcess.start
    started: list[bool] = []

    def scarce(self: process.BaseProcess) -> None:
        if started:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(True)
        start(self)

    monkeypatch.setattr(process.BaseProcess, "start", scarce)
    resource_tracker.ensure_running()  # one a program, and it stays
    gc.collect()  # what other tests left open
    files = len(os.listdir("/proc/self/fd"))
    found = list(map_in_processes(pool.twice, range(9), processes=3, **SAID))
    assert [twice for twice, _, _ in found] == [2 * number for number in range(9)]
    assert os.getpid() in {pid for _, pid, _ in found}
    (told,) = (record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    assert "that doubles numbers can be started ([Errno 11] Resource temporarily unavailable)" in told
    del found
    assert len(os.listdir("/proc/self/fd")) == files


@pytest.mark.parametrize("how", ["script", "stdin", "-c"])
def test_a_script_without_a_guard_runs_once(how: str, tmp_path: Path) -> None:
    script = SCRIPT.format(work="wait", thing=0)
    (tmp_path / "mine.py").write_text(script)
    command = [sys.executable, *{"script": [str(tmp_path / "mine.py")], "stdin": ["-"], "-c": ["-c", script]}[how]]
    ran = subprocess.run(
        command, input=script if how == "stdin" else "", capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "started\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_the_program_ends_its_processes(number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(work="wait", thing=0.5)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while len(pids := pool.processes_of(program.pid)) < 2:
        assert program.poll() is None
        time.sleep(0.01)
    time.sleep(0.7)
    # Ctrl-C reaches all processes of a terminal, and one of them tells of it.
    os.killpg(program.pid, number) if number == signal.SIGINT else program.kill()
    _, told = program.communicate(timeout=30)
    assert program.returncode != 0
    assert told.count("Traceback") == (number == signal.SIGINT)
    assert ended(pids)
