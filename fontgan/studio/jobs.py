"""The commands that a project has been asked for: a folder each, whatever server or page is open.

``jobs/0007/`` holds ``job.json`` (what was asked), and once it runs ``log.txt``; ``stop`` asks it to stop, and ``ended.json``
tells that it is over.
A job that runs holds its folder's lock, so that one whose process died is known from one at work.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, to_builtins

from fontgan.errors import RunError
from fontgan.runtime.files import atomic_write, write_json
from fontgan.runtime.locks import is_held
from fontgan.runtime.process_groups import own_session
from fontgan.untrusted.plain_json import convert, read_json

Lane = Literal["long", "short"]
State = Literal["waiting", "running", "done", "failed", "stopped", "cut off"]
STOP = "stop"  # a file of the job's folder
STOPPED = (130, -signal.SIGINT)  # exit codes after Ctrl-C


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``job.json``."""

    command: Annotated[list[str], Meta(min_length=1)]
    asked: datetime


class Ended(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``ended.json``; without a code, it was taken out of the queue."""

    code: int | None
    ended: str


@dataclass(frozen=True)
class Job:
    """One command, read from its folder.

    Args:
        command: words after ``fontgan``.
    """

    folder: Path
    command: list[str]
    asked: datetime
    state: State

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def does(self) -> str:
        """The verb; ``expect`` where ``fontgan complete`` only tells what to expect."""
        return "expect" if any(word.startswith("expect=") for word in self.command) else self.command[0]

    @property
    def lane(self) -> Lane:
        """Training and building use the whole machine for minutes or hours; all else is done beside them, one at a time."""
        return "long" if self.does == "complete" else "short"

    @property
    def typed(self) -> str:
        """As it is typed in the project's folder."""
        return shlex.join(["fontgan", *self.command])

    @property
    def log(self) -> str:
        file = self.folder / "log.txt"
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""

    @property
    def error(self) -> str:
        """The line that tells why it failed; empty where it did not."""
        lines = [line for line in self.log.splitlines() if line.strip()]
        said = [line.partition(": error: ")[2] for line in lines if ": error: " in line]
        return (said or lines[-1:] or [""])[-1] if self.state == "failed" else ""


class Jobs:
    """The queue of a project."""

    def __init__(self, project: Path):
        self.project = project
        self.folder = project / "jobs"

    def all(self) -> list[Job]:
        """Every job, in the order in which they were asked for."""
        folders = sorted(
            (each for each in self.folder.glob("*") if each.name.isdecimal()), key=lambda each: int(each.name)
        )
        return [job for job in map(read_job, folders) if job]

    def get(self, number: int) -> Job | None:
        return read_job(self.folder / f"{number:04d}")

    def last(self, does: str, *words: str) -> Job | None:
        """The latest job that does this, with these words in its command."""
        found = [job for job in self.all() if job.does == does and set(words) <= set(job.command)]
        return found[-1] if found else None

    def ask(self, command: list[str]) -> Job:
        """Puts a command at the end of the queue; one that waits already with the same words is not asked for twice."""
        there = self.all()
        if again := next((job for job in there if job.state == "waiting" and job.command == command), None):
            return again
        number = max((job.number for job in there), default=0) + 1
        while True:
            folder = self.folder / f"{number:04d}"
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:  # being made by another request, or damaged
                number += 1
        asked = Asked(command, datetime.now(UTC).replace(microsecond=0))
        write_json(folder / "job.json", to_builtins(asked))
        self.start_next()
        job = read_job(folder)
        if job is None:
            raise RunError(f"{folder}: job.json was written and cannot be read. See whether the disk is sound.")
        return job

    def start_next(self) -> None:
        """Starts the first that waits of each lane in which nothing runs."""
        there = self.all()
        for lane in ("long", "short"):
            mine = [job for job in there if job.lane == lane]
            waiting = [job for job in mine if job.state == "waiting"]
            if waiting and not any(job.state == "running" for job in mine):
                start(waiting[0], self.project)

    def stop(self, job: Job) -> None:
        """Takes a waiting job out of the queue, or does what Ctrl-C does to a running one."""
        state = state_of(job.folder)  # which may have changed since it was read
        if state == "waiting":
            write_end(job.folder, None)
        elif state == "running":
            (job.folder / STOP).touch()


def read_job(folder: Path) -> Job | None:
    """None where there is none, or what is there is no job."""
    try:
        asked = convert(read_json(folder / "job.json"), Asked)
    except (OSError, ValueError):
        return None
    return Job(folder, asked.command, asked.asked, state_of(folder))


def state_of(folder: Path) -> State:
    if is_held(folder / ".lock"):
        return "running"
    try:
        ended = convert(read_json(folder / "ended.json"), Ended)
    except FileNotFoundError:
        return "cut off" if (folder / "log.txt").exists() else "waiting"
    except (OSError, ValueError):
        return "cut off"
    if ended.code is None or ended.code in STOPPED:
        return "stopped"
    return "done" if ended.code == 0 else "failed"


def write_end(folder: Path, code: int | None) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    atomic_write(folder / "ended.json", json.dumps({"code": code, "ended": now}) + "\n")


def start(job: Job, project: Path) -> None:
    """Starts a job as a process that outlives this one, and waits until it holds its folder."""
    command = [sys.executable, "-m", "fontgan.studio.job_process", str(job.folder.resolve())]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as ready:
        subprocess.Popen(
            command,
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.DEVNULL,
            **own_session(),
        )
        os.close(writing)
        ready.read()  # it closes its end when it holds the folder
