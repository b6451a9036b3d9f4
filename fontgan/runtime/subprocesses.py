"""Work in Python's own code by several processes, since its threads would take turns.

They import what the work needs and no more: neither torch nor the script that was started.
"""

import contextlib
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import Any, TypeVar

from fontgan.errors import RunError

log = logging.getLogger(__name__)

Thing = TypeVar("Thing")
Result = TypeVar("Result")

_MOST_PROCESSES = 61  # as many as Windows can wait for at once
_MAX_IN_FLIGHT = 4  # things for each process that are sent before the result of the first is asked for


def map_in_processes(
    work: Callable[[Thing], Result], things: Iterable[Thing], *, processes: int, doing: str, key: str
) -> Generator[Result, None, None]:
    """``work(thing)`` of every thing, in the order of the things.

    An error of ``work`` is raised in its place. Then, and when the iterator is closed, what has not begun is given up
    and what has begun is waited for.

    Args:
        work: a callable that can be pickled; it is sent to each process once.
        processes: how many at most; with 1, or where no other can be started, this one works itself.
        doing: what they do, for messages: ``draws glyphs``.
        key: the setting of their number, for messages.
    Raises: RunError if a process is killed.
    """
    if processes == 1:
        yield from map(work, things)
        return
    left = iter(things)
    pending: deque[Future[Result]] = deque()
    pool = None
    try:
        for thing in left:
            try:
                spawn = multiprocessing.get_context("spawn")
                pool = pool or ProcessPoolExecutor(
                    min(processes, _MOST_PROCESSES), spawn, _begin, (pickle.dumps(work),)
                )
                with _apart_from_this_program():
                    pending.append(pool.submit(_do, thing))
            except (OSError, RuntimeError, ValueError) as error:
                # A pool that breaks while it starts a process may have closed the pipes that this one was to inherit.
                if pool is not None and pool._broken:
                    raise BrokenProcessPool from error
                # No process, thread, semaphore or memory is left to give.
                log.warning(
                    "no further process that %s can be started (%s), so this one goes on alone; see whether memory is "
                    "short, or set %s=1.", doing, error, key,
                )  # fmt: skip
                left = itertools.chain([thing], left)
                break
            if len(pending) > _MAX_IN_FLIGHT * processes:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
        yield from map(work, left)
    except BrokenProcessPool as error:
        assert pool is not None
        # The pool has ended its processes, but for one that was being started: it would wait for that one forever.
        for process in pool._processes.values():
            process.kill()
            process.join()
        raise RunError(
            f"a process that {doing} was killed or ended by itself. See whether memory is short and start again, or set "
            f"{key}=1."
        ) from error
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _apart_from_this_program() -> Iterator[None]:
    """Has processes started without this program's script, and without its Ctrl-C: this one ends them in order.

    ``spawn`` would run a script again in every process, with all its effects unless it is guarded by
    ``if __name__ == "__main__"``. Nothing that is sent to them lies there.
    """
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        with _ctrl_c_held_back():
            yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """What is started meanwhile inherits it. Windows has no such mask: there a process is on its own until ``_begin``."""
    if sys.platform == "win32":
        yield
        return
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


# -- in the other processes -------------------------------------------------------------------

_work: Any = None  # the pickled callable, then the callable


def _begin(work: bytes) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_starter, daemon=True).start()


def _end_with_starter() -> None:
    """Ends a process whose starter was killed: the pool's own would wait for it forever."""
    starter = multiprocessing.parent_process()
    assert starter is not None
    starter.join()
    os._exit(1)


def _do(thing: Any) -> Any:
    global _work
    if isinstance(_work, bytes):  # not in _begin, where an error would but break the pool
        _work = pickle.loads(_work)  # noqa: S301  # from our own process
    return _work(thing)
