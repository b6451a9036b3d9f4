"""Of several GPUs on one machine, each job of a sweep gets its own."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from fontgan.errors import RunError
from fontgan.runtime.cards import card_id, usable_cards
from fontgan.runtime.device import pick_device
from fontgan.runtime.device_name import parse_device
from fontgan.runtime.locks import locked

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds until a job that waits looks again


@contextmanager
def own_device(name: str, locks: Path) -> Iterator[torch.device]:
    """The device for one job.  Of several GPUs it is one that no other job holds, from whichever sweep; the job waits for
    it. A device that is named by its number, or the only one, is taken as it is, by as many jobs as there are.

    Args:
        locks: a folder that all jobs of this machine share; a dead process holds nothing in it.
    """
    kind, number = parse_device(name)
    there = usable_cards() if kind in ("auto", "cuda") and number is None else []
    if len(there) < 2:
        yield pick_device(name)
        return
    with ExitStack() as held:
        yield pick_device(f"cuda:{_take(there, locks, held)}")


def _take(there: list[int], locks: Path, held: ExitStack) -> int:
    """The first GPU that is free, held until the stack is closed."""
    waiting = False
    while True:
        for number in there:
            folder = locks / card_id(number)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(locked(folder, "another job"))
            except RunError:
                continue
            return number
        if not waiting:
            log.info("all %d GPUs are taken by other jobs; this one waits for one of them", len(there))
        waiting = True
        time.sleep(PATIENCE)
