"""SIGINT and SIGTERM: the first lets the training finish its step and save, the second stops it at once."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)


class StopRequest:
    """The signal that this process got, 0 for none."""

    number = 0


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Within the block a signal is a request, and the handlers from before are for the next one."""
    request = StopRequest()

    def ask_to_stop(number: int, frame: Any) -> None:
        request.number = number
        signal.signal(number, before[signal.Signals(number)])
        log.info("%s: finishing this step and saving", signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask_to_stop)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
