"""Locks that are gone with their process, however it ended."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from fontgan.errors import RunError


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Holds a folder for this process. Raises: RunError if another process holds it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(folder / ".lock"))
        except BlockingIOError as error:
            raise RunError(f"{folder}: {what} is at work there. Wait for it or use another folder.") from error
        yield


@contextlib.contextmanager
def hold(file: Path, *, wait: bool = False, patience_s: float = 0.1) -> Iterator[None]:
    """Holds a file, which is made where there is none and stays.

    Args:
        wait: for as long as another process holds it.
        patience_s: waited for one who only looks whether it is held.
    Raises: BlockingIOError if another process holds it.
    """
    with file.open("a") as lock:  # "w" would empty what a link leads to
        until = time.monotonic() + patience_s
        while not lock_descriptor(lock.fileno(), blocking=wait):
            if time.monotonic() > until:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(file))
            time.sleep(patience_s / 10)
        try:
            yield
        finally:
            unlock_descriptor(lock.fileno())


def is_held(file: Path) -> bool:
    """Whether a process holds a file; one that is not there is held by none."""
    if not file.exists():
        return False
    try:
        with hold(file, patience_s=0.002):  # pages ask often, and two of them perhaps at once
            return False
    except BlockingIOError:
        return True
