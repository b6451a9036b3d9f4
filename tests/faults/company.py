"""Several processes: two runs that want one folder, locks of the dead, and groups that lose one of theirs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from random import Random

from tests.pool import processes_of

from .lab import (
    HALF,
    SAVE_EVERY,
    STEPS,
    Case,
    Lab,
    Place,
    Tried,
    differences,
    ended_in_one_line,
    ended_well,
    recover,
)
from .server import Child

PATIENCE_S = 60
HELPER_S = 5.0  # that a helper takes for its glyphs


def two_runs(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """A second training starts in a folder while the first is at work, or at the same instant."""
    cases = [Case(f"the second comes at step {step}", partial(_second_comes, step)) for step in (1, 3, STEPS)]
    cases += [
        Case(f"the second comes {ms} ms after the first", partial(_both_at_once, 1e-3 * ms)) for ms in (0, 100, 300)
    ]
    return cases if count is None else random.sample(cases, count)


def dead_holder(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """The holder of the locks was killed while helpers that it had started were at work."""
    return [Case("a packer with a helper", _dead_holder)] * (count or 3)


def group(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """One of two processes that train together is killed; both are started again."""
    cases = [
        Case(f"process {rank} {1e3 * wait_s:.0f} ms after step {step}", partial(_lose_one, rank, step, wait_s))
        for rank, step, wait_s in (
            (rank, random.randrange(STEPS), random.uniform(0, 0.05)) for rank in (0, 1) for _ in range(4)
        )
    ]
    return cases if count is None else random.sample(cases, count)


def torchrun(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """The same with torchrun itself, which ends with its process; the same command again."""
    return [Case(f"process {rank}", partial(_torchrun, rank)) for rank in (0, 1)][:count]


def start_pair(place: Place) -> list[Child]:
    """Starts two processes that train together, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in (0, 1):
        env = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
        env |= {"MASTER_ADDR": "127.0.0.1"}
        command = place.command if rank else None  # the main one notes its steps
        children.append(place.start(command=command, env={key: str(value) for key, value in env.items()}))
    return children


def _second_comes(step: int, place: Place) -> Tried:
    first = place.start(pause=step)
    _wait_for_step(place, step, first)
    second = place.start(command=place.command)
    tried = ended_in_one_line(second, second.wait(), "another training is at work there")
    (place.notes / "go").touch()
    return tried.also(*ended_well(first, first.wait()).problems, *differences(place, place.lab.undisturbed))


def _both_at_once(wait_s: float, place: Place) -> Tried:
    """One trains; the other is refused, or finds the work done."""
    first = place.start()
    time.sleep(wait_s)
    second = place.start(command=place.command)
    tried = Tried()
    for child in (first, second):
        code = child.wait()
        tried.also(
            *(ended_well(child, code) if code == 0 else ended_in_one_line(child, code, "at work there")).problems
        )
    if "finished at step" not in first.said + second.said:
        tried.also("neither of them trained to the end")
    return tried.also(*differences(place, place.lab.undisturbed))


def _dead_holder(place: Place) -> Tried:
    child = place.start("data.workers=2", helpers=HELPER_S)
    helpers: list[int] = []
    while not helpers and child.poll() is None:
        helpers = processes_of(child.pid)
    if not helpers:
        return Tried(["had no helper"])
    time.sleep(0.7)
    child.signal(signal.SIGKILL)
    child.wait()
    tried = recover(place)
    if any(map(_is_alive, helpers)):
        tried.also("a helper lives on")
    return tried.also(*differences(place, place.lab.undisturbed))


def _lose_one(rank: int, step: int, wait_s: float, place: Place) -> Tried:
    children = start_pair(place)
    _wait_for_step(place, step, children[0])
    time.sleep(wait_s)
    children[rank].signal(signal.SIGKILL)
    if place.steps_done() == 0:  # it may still wait for the other to come; torchrun ends it
        children[1 - rank].signal(signal.SIGTERM)
    tried = Tried()
    for child in children:
        code = child.wait(PATIENCE_S)
        expected = code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) or "another process died" in child.said
        if child is not children[rank] and not expected:
            tried.also(f"the other ended with {code}: {child.said[-300:]}")
    return _pair_recovers(place, tried)


def _pair_recovers(place: Place, tried: Tried) -> Tried:
    done, stands = place.steps_done(), (place.saved() or [0])[-1]
    tried.redone = max(0, done - stands)
    if tried.redone > SAVE_EVERY:
        tried.also(f"{tried.redone} steps had to be done again")
    for child in start_pair(place):
        tried.also(*ended_well(child, child.wait(PATIENCE_S)).problems)
    return tried.also(*differences(place, place.lab.undisturbed_pair))


def _torchrun(rank: int, place: Place) -> Tried:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--max-restarts=0",
        "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "-m", "fontgan", *place.command,
    ]  # fmt: skip
    said = place.notes / "torchrun.txt"
    with said.open("w") as log:
        process = subprocess.Popen(command, env=place.env, stdout=log, stderr=log)
        while HALF not in place.saved() and process.poll() is None:
            time.sleep(0.005)
        worker = _worker_of(process.pid, rank)
        if worker is None:
            return Tried([f"process {rank} was not found: {said.read_text()[-300:]}"])
        os.kill(worker, signal.SIGKILL)
        code = process.wait(PATIENCE_S)
        tried = Tried([] if code else ["torchrun ended well without one of its processes"])
        if subprocess.run(command, env=place.env, stdout=log, stderr=log, timeout=120).returncode:
            tried.also(f"the same command again failed: {said.read_text()[-300:]}")
    strays = [p for p in place.tmp.iterdir() if p.name.startswith("torchelastic_")]  # torchrun's own logs
    for folder in strays:
        subprocess.run(["rm", "-r", str(folder)], check=True)
    return tried.also(*differences(place, place.lab.undisturbed_pair))


def _worker_of(torchrun_pid: int, rank: int) -> int | None:
    for child in Path(f"/proc/{torchrun_pid}/task/{torchrun_pid}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    return None


def _wait_for_step(place: Place, step: int, child: Child) -> None:
    while place.steps_done() < step and child.poll() is None:
        time.sleep(0.002)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
