"""Work on glyph images in threads, in order: all at once between two batches on a CPU, beside the batches of a GPU.

Threads and not processes, because what they do most, decoding, resampling and packing images, leaves Python's lock.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fontgan.runtime.cores import usable_cores
from fontgan.runtime.distributed import processes_here

Thing = TypeVar("Thing")
Result = TypeVar("Result")

MAX_THREADS = 16  # of a process, which takes its share of the cores


def ordered_map(
    work: Callable[[Thing], Result], things: Iterable[Thing], *, max_in_flight: int, overlap: bool
) -> Generator[Result, None, None]:
    """``work(thing)`` of every thing, in the order of the things.

    Things are taken in the caller's thread, when a result is asked for.  An error of ``work`` is raised in its place;
    then, and when the iterator is closed, what has not begun is given up and what has begun is waited for.

    Args:
        max_in_flight: how many things at most are at work or done before their result is asked for.
        overlap: true lets work go on while the caller does something else with a result, or ``things`` take their time:
            what a GPU's host is for.  False has nothing at work when the caller has got ``max_in_flight`` results, nor when
            the next thing is asked for then: a network on a CPU takes all cores, and each of its steps would wait for
            the one that a thread holds.
    """
    threads = max(1, min(MAX_THREADS, usable_cores() // processes_here()))
    if threads == 1 and not overlap:
        yield from map(work, things)
        return
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for thing in things:
            pending.append(pool.submit(work, thing))
            if overlap and len(pending) > max_in_flight:
                yield pending.popleft().result()
            elif not overlap and len(pending) == max_in_flight:
                while pending:
                    yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
