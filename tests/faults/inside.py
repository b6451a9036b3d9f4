"""Faults from within a process: killed, or refused by the disk, at the k-th thing it does to its files.

What it does to files is seen by an audit hook (opening to write, making, renaming and removing) and by wrappers around
``os.fsync`` and the writing of pixels, which audit hooks do not see. So every moment at which the files of a save or of a pack
differ can be tried, one after the other.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

_CHANGING = {  # audit events -> place of the path and of its folder's descriptor among the arguments
    "os.mkdir": (0, 2),
    "os.rename": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.chmod": (0, 2),
    "os.link": (1, 3),
    "os.symlink": (0, 2),
}
_UNCOUNTED = ("/tensorboard/", "/notes/")  # written by a thread at any time; ours


def apply(asked: Mapping[str, Any]) -> None:
    """Prepares this process for what is asked for.

    Args:
        asked: any of ``points`` (file that gets a line for each thing done to files under ``root``), ``at`` and
            ``action`` (what happens at which of them, from 1), ``steps`` (file that holds the number of the last step done),
            ``pause`` (after that step, until the file ``go`` is there), ``clock_s`` (moves the clock),
            ``thread_error`` and ``batch`` (raised in a thread that prepares batches), ``helpers`` (packing has
            some that take so many seconds for four glyphs),
            ``file_bytes`` (no file may grow beyond).
    """
    if "points" in asked:
        _watch_files(asked)
    if "steps" in asked:
        _note_steps(asked)
    if "clock_s" in asked:
        now = time.time
        time.time = lambda: now() + asked["clock_s"]
    if "thread_error" in asked:
        _break_the_data_thread(asked["thread_error"], asked["batch"])
    if "file_bytes" in asked:
        import resource  # of POSIX

        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"], resource.RLIM_INFINITY))
    if "helpers" in asked:
        from fontgan.data import pack_writer
        from fontgan.runtime import subprocesses

        pack_writer.MIN_S_PER_PROCESS = 1e-6
        subprocesses._begin = partial(_begin_slowly, asked["helpers"])
        pack_slowly(0.05)


def _begin_slowly(chunk_s: float, work: bytes) -> None:
    from fontgan.runtime import subprocesses

    pack_slowly(chunk_s)
    subprocesses._begin(work)


def pack_slowly(chunk_s: float) -> None:
    """Four glyphs at a time and a while for each, so that helpers have something to do."""
    from fontgan.data import pack_writer

    pack_writer.CHUNK_BYTES = 4 * 64 * 64
    before = pack_writer.PackJob.draw_chunk

    def draw_chunk(*arguments: Any) -> int:
        time.sleep(chunk_s)
        return before(*arguments)

    pack_writer.PackJob.draw_chunk = draw_chunk  # type: ignore[method-assign]


def _watch_files(asked: Mapping[str, Any]) -> None:
    from fontgan.data import pack_shards

    root, at, action = asked["root"] + "/", asked.get("at"), asked.get("action")
    note = os.open(asked["points"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    count = 0
    busy = False

    def point(event: str, path: str, file: int | None = None) -> None:
        nonlocal count, busy
        if busy or not path.startswith(root) or any(part in path for part in _UNCOUNTED):
            return
        busy = True
        try:
            count += 1
            os.write(note, f"{event} {path[len(root) :]}\n".encode())
            if at is None or count < at:
                return
            if count == at and action in ("kill", "torn"):
                if action == "torn" and file is not None and stat.S_ISREG(os.fstat(file).st_mode):
                    os.ftruncate(file, os.fstat(file).st_size // 2)  # as if the write were half done
                os.kill(os.getpid(), signal.SIGKILL)
            if action == "EIO" and count == at:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            if action == "ENOSPC" and event in ("open", "os.mkdir", "fsync", "write"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)  # from then on
        finally:
            busy = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                point("open", _full(path, -1))
        elif event in _CHANGING:
            which, folder = _CHANGING[event]
            point(event, _full(arguments[which], arguments[folder]))

    sys.addaudithook(hook)

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: int, *more: Any) -> Any:
            point(name, _open_file(file), file)
            return function(file, *more)

        return call

    def written(self: pack_shards._OpenFile, *more: Any) -> int:
        point("write", _open_file(self.file.fileno()), self.file.fileno())
        return write(self, *more)

    write = pack_shards._OpenFile.write
    os.fsync = counted("fsync", os.fsync)
    pack_shards._OpenFile.write = written  # type: ignore[method-assign]


def _full(path: Any, folder: int) -> str:
    if isinstance(path, int):
        return _open_file(path)
    path = os.fsdecode(path)
    if folder >= 0 and not path.startswith("/"):
        return f"{_open_file(folder)}/{path}"
    return str(Path.cwd() / path)


def _open_file(number: int) -> str:
    return str(Path(f"/proc/self/fd/{number}").readlink())


def _note_steps(asked: Mapping[str, Any]) -> None:
    from fontgan.training.step import TrainStep

    note = os.open(asked["steps"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    before, go, pause = TrainStep.__call__, Path(asked["go"]), asked.get("pause")

    def call(self: TrainStep, batches: Any, progress: float, step: int) -> Any:
        found = before(self, batches, progress, step)
        os.pwrite(note, f"{step + 1:8d}".encode(), 0)
        while pause == step + 1 and not go.exists():
            time.sleep(0.002)
        return found

    TrainStep.__call__ = call  # type: ignore[method-assign]


def _break_the_data_thread(error: str, batch: int) -> None:
    """Has batches prepared in a thread, as for CUDA, which fails at one of them."""
    from fontgan.data import batches
    from fontgan.data import pixel_store as store

    class Failing(store.StreamedPixels):
        asked = 0

        def load_host(self, rows: Any) -> Any:
            self.asked += 1
            if self.asked == batch:
                raise OSError(errno.EIO, "Input/output error", "pixels") if error == "OSError" else RuntimeError("odd")
            return super().load_host(rows)

    batches.choose_store = lambda pack, device: Failing(pack.pixels, device, ahead=2)
