"""The machine's faults: full disks, folders that cannot be written, a clock that is set back, a thread that fails."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from .lab import HALF, SAVE_EVERY, Case, Lab, Place, SkippedTry, Tried, ended_in_one_line, recover

MONTH_S = 30 * 86_400
DISK_KB = 4096


def full_disk(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """A small disk that gets full somewhere on the way, for the run or for the pack; a limit on the size of files."""
    needed_kb = _kilobytes(lab.undisturbed.out)
    cases = []
    for _ in range(count or 12):
        kind, share = random.choice(["run", "run", "run", "cache", "file size"]), random.random()
        if kind == "file size":
            largest = max(file.stat().st_size for file in lab.undisturbed.newest().iterdir())
            limit = int(share * largest)
            cases.append(Case(f"files of at most {limit} bytes", partial(_file_size, limit)))
        else:
            free_kb = int(share * (needed_kb if kind == "run" else _kilobytes(lab.undisturbed.cache)))
            cases.append(Case(f"{free_kb} KB free for the {kind}", partial(_full_disk, kind, free_kb)))
    return cases


def disk_errors(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """The k-th thing done to files fails: once (EIO), or this and all that need space from then on (ENOSPC)."""
    points = lab.undisturbed.points()
    found = [(at, name) for at in range(1, len(points) + 1) for name in ("EIO", "ENOSPC")]
    return [
        Case(f"{name} at {points[at - 1]} (no. {at} of {len(points)})", partial(_disk_error, at, name))
        for at, name in random.sample(found, count or 60)
    ]


def read_only(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """The run's folder, its checkpoints, or the cache cannot be written."""
    cases = [
        Case("the run's folder", partial(_read_only, "run")),
        Case("its checkpoints", partial(_read_only, "run/checkpoints")),
        Case("the cache, with the pack in it", partial(_read_only, "cache")),
        Case("the cache, empty", _read_only_empty_cache),
    ]
    return cases if count is None else random.sample(cases, count)


def clock(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Files from the future, and a clock that is set back or forward between two starts."""
    cases = [
        Case("all files are dated a month ahead", _future_files),
        Case("a month back", partial(_moved_clock, -MONTH_S)),
        Case("a month forward", partial(_moved_clock, MONTH_S)),
    ]
    return cases if count is None else random.sample(cases, count)


def data_thread(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Batches are prepared by a thread, which fails at one of them: with OSError, or with what nobody foresaw."""
    cases = [
        Case(f"{error} at fetch {batch}", partial(_data_thread, error, batch))
        for error in ("OSError", "RuntimeError")
        for batch in (1, 8, 15, 22)
    ]
    return cases if count is None else random.sample(cases, count)


def _full_disk(kind: str, free_kb: int, place: Place) -> Tried:
    with _disk(place.folder / "disk") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * 1024 * (DISK_KB - free_kb))
        if kind == "run":
            place.out = disk / "run"
        else:
            place.cache = disk / "cache"
        child = place.start()
        code = child.wait()
        tried = Tried() if code == 0 else ended_in_one_line(child, code, "full")
        filler.unlink()
        return recover(place, at_most_redone=SAVE_EVERY).also(*tried.problems)


def _file_size(limit: int, place: Place) -> Tried:
    child = place.start(file_bytes=limit)
    code = child.wait()
    tried = Tried() if code == 0 else ended_in_one_line(child, code, "larger than is allowed")
    return recover(place, at_most_redone=SAVE_EVERY).also(*tried.problems)


def _disk_error(at: int, name: str, place: Place) -> Tried:
    child = place.start(at=at, action=name)
    code = child.wait()
    tried = Tried() if code == 0 else ended_in_one_line(child, code)
    return recover(place, at_most_redone=SAVE_EVERY).also(*tried.problems)


def _read_only(where: str, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    with _unwritable(place.folder / where):
        child = place.start()
        code = child.wait()
    if where == "cache" and code == 0:  # there is nothing to be written
        return recover(place)
    tried = ended_in_one_line(child, code, "read-only")
    return recover(place, stands=HALF, at_most_redone=SAVE_EVERY).also(*tried.problems)


def _read_only_empty_cache(place: Place) -> Tried:
    place.cache.mkdir()
    with _unwritable(place.cache):
        child = place.start()
        tried = ended_in_one_line(child, child.wait(), "read-only")
    return recover(place).also(*tried.problems)


def _future_files(place: Place) -> Tried:
    place.lab.copy_of_half(place)
    later = time.time() + MONTH_S
    for path in place.folder.rglob("*"):
        os.utime(path, (later, later))
    return recover(place, stands=HALF)


def _moved_clock(by_s: float, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    return recover(place, stands=HALF, clock_s=by_s)


def _data_thread(error: str, batch: int, place: Place) -> Tried:
    child = place.start(thread_error=error, batch=batch)
    code = child.wait()
    if error == "OSError":
        tried = ended_in_one_line(child, code, "Input/output error")
    else:  # a bug of ours would be such an error, and has to be seen as one
        tried = Tried(
            [] if code == 1 and "RuntimeError: odd" in child.said else [f"ended with {code}: {child.said[-300:]}"]
        )
    return recover(place, at_most_redone=SAVE_EVERY).also(*tried.problems)


def _kilobytes(folder: Path) -> int:
    return sum(4 * -(-file.stat().st_size // 4096) for file in folder.rglob("*") if file.is_file())


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A small disk in memory. Raises: SkippedTry."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={DISK_KB}k", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    """Raises: SkippedTry."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        raise SkippedTry("mounting a disk needs root")
    if subprocess.run(["mount", *arguments], capture_output=True).returncode:
        raise SkippedTry("this machine does not allow mounting")
