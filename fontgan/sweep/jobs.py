"""The jobs of a sweep and how they went: ``sweep.json`` in the sweep's folder, which jobs write and reports read.

It holds {"format": 1, "jobs": [job, ...]} with, of each job,

    folder      the job's folder in the sweep's
    overrides   what tells it from the others, setting -> value as typed
    status      waiting, running, done or failed; a job whose process was killed stays "running" until it runs again
    error       why it failed, in one line, or null
    starts      how often it was started
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fontgan.errors import RunError
from fontgan.runtime.files import atomic_write, read_json

FILE = "sweep.json"
FORMAT = 1
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Job:
    """One job as listed."""

    folder: str
    overrides: dict[str, str] = field(default_factory=dict)
    status: str = WAITING
    error: str | None = None
    starts: int = 0


def read_jobs(folder: Path) -> list[Job]:
    """The jobs that a sweep's folder lists, none if it has no list. Raises: RunError if the list cannot be read."""
    file = folder / FILE
    if not file.is_file():
        return []
    try:
        content = read_json(file)
        written = content["format"]
        jobs = [_job(listed) for listed in content["jobs"]] if written == FORMAT else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{file}: is damaged ({type(error).__name__}). Delete it; the sweep makes it again.") from error
    if written != FORMAT:
        raise RunError(f"{file}: has format {str(written)[:20]}, and this version reads {FORMAT}.")
    return jobs


def _job(listed: dict[str, Any]) -> Job:
    """Raises: TypeError, AttributeError or ValueError for what no sweep wrote."""
    job = Job(**listed)
    texts = [job.folder, job.status, job.error or "", *job.overrides, *job.overrides.values()]
    if not all(isinstance(text, str) for text in texts) or type(job.starts) is not int:
        raise TypeError(f"not a job: {listed}")
    # A folder in the sweep's own, and nowhere else.
    if job.folder in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", job.folder):
        raise ValueError(f"{job.folder!r} is no name of a folder")
    if any(re.search("[\ud800-\udbff]", text) for text in texts) or job.starts < 0:
        raise ValueError("not a job of ours")
    return job


def record(folder: Path, job: Job, *, status: str, error: str | None = None) -> None:
    """Writes a job's status into the list; jobs of other processes may do so at the same moment."""
    with _alone(folder):
        jobs = {known.folder: known for known in read_jobs(folder)}
        starts = jobs.get(job.folder, job).starts + (status == RUNNING)
        jobs[job.folder] = Job(job.folder, job.overrides, status, error, starts)
        _write(folder, list(jobs.values()))


def list_jobs(folder: Path, jobs: list[Job]) -> list[Job]:
    """Writes the jobs to come into the list, where finished ones and those of other sweeps stay. Returns: the list."""
    with _alone(folder):
        listed = {known.folder: known for known in read_jobs(folder)}
        for job in jobs:
            there = listed.get(job.folder, job)
            listed[job.folder] = there if there.status == DONE else replace(job, starts=there.starts)
        _write(folder, list(listed.values()))
    return list(listed.values())


def _write(folder: Path, jobs: list[Job]) -> None:
    content = {"format": FORMAT, "jobs": [asdict(job) for job in jobs]}
    atomic_write(folder / FILE, json.dumps(content, ensure_ascii=False, indent=1))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".sweep.lock").open("a") as lock:  # "w" would empty what a link of that name leads to
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
