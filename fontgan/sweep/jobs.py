"""The jobs of a sweep and how they went: ``sweep.json`` in the sweep's folder, which jobs write and reports read.

It holds {"format": 1, "jobs": [job, ...]} with, of each job,

    folder      the job's folder in the sweep's
    overrides   what tells it from the others, setting -> value as typed
    status      waiting, running, done or failed; a job whose process was killed stays "running" until it runs again
    error       why it failed, in one line, or null
    starts      how often it was started
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from fontgan.errors import RunError
from fontgan.runtime.files import atomic_write
from fontgan.runtime.locks import hold
from fontgan.untrusted.plain_json import Count, FileName, convert, read_json

FILE = "sweep.json"
FORMAT = 1
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"

# As it can be written; the second halves of a pair are left over from a name that is no UTF-8.
Typed = Annotated[str, Meta(pattern=r"^[^\ud800-\udbff]*\Z")]


class Job(Struct, frozen=True, forbid_unknown_fields=True):
    folder: FileName
    overrides: dict[Typed, Typed] = {}
    status: Annotated[str, Meta(pattern=rf"^({WAITING}|{RUNNING}|{DONE}|{FAILED})\Z")] = WAITING
    error: Typed | None = None
    starts: Count = 0


class JobList(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``sweep.json``."""

    format: int
    jobs: list[Job]


def read_jobs(folder: Path) -> list[Job]:
    """The jobs that a sweep's folder lists, none if it has no list. Raises: RunError if the list cannot be read."""
    file = folder / FILE
    if not file.is_file():
        return []
    try:
        return convert(read_json(file), JobList, version=FORMAT).jobs
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: is damaged ({error}). Delete it; the sweep makes it again.") from error


def record(folder: Path, job: Job, *, status: str, error: str | None = None) -> None:
    """Writes a job's status into the list; jobs of other processes may do so at the same moment."""
    with _listed(folder) as listed:
        starts = listed.get(job.folder, job).starts + (status == RUNNING)
        listed[job.folder] = Job(job.folder, job.overrides, status, error, starts)


def list_jobs(folder: Path, jobs: list[Job]) -> list[Job]:
    """Writes the jobs to come into the list, where finished ones and those of other sweeps stay. Returns: the list."""
    with _listed(folder) as listed:
        for job in jobs:
            there = listed.get(job.folder, job)
            listed[job.folder] = there if there.status == DONE else replace(job, starts=there.starts)
    return list(listed.values())


@contextmanager
def _listed(folder: Path) -> Iterator[dict[str, Job]]:
    """The list by the jobs' folders, held for this process and written anew at the end."""
    with hold(folder / ".sweep.lock", wait=True):
        jobs = {job.folder: job for job in read_jobs(folder)}
        yield jobs
        content = {"format": FORMAT, "jobs": [asdict(job) for job in jobs.values()]}
        atomic_write(folder / FILE, json.dumps(content, ensure_ascii=False, indent=1))
