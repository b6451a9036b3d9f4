"""Work on a file from outside, done by another process that may take so much time and memory and no more.

A parser that hangs, fills the memory or crashes takes only that process with it. What one file did to its process never
meets the next. Answers are text or bytes, never pickles: the process has read what a stranger wrote.
"""

import sys
from typing import Any

from fontgan.errors import DataError, printable
from fontgan.untrusted.sandbox_job import SAID, LimitExceeded, Limits

if sys.platform == "linux":
    from fontgan.untrusted.sandbox_forked import ask
else:
    from fontgan.untrusted.sandbox_watched import ask

__all__ = ["LimitExceeded", "Limits", "run_sandboxed"]


def run_sandboxed(function: str, data: bytes, limits: Limits, **facts: Any) -> bytes:
    """Calls a function of this package in a process of its own.

    Args:
        function: ``module:name``; it is called with ``data`` and ``facts``, and gives bytes.
        facts: what JSON can hold.
    Raises: DataError with what the function itself said; LimitExceeded if it took more than its limits, crashed, or raised
        anything else; OSError if no process can be started.
    """
    why, content = ask(function, data, limits, facts)
    if why == SAID:
        raise DataError(content.decode(errors="replace"))
    if why:
        raise LimitExceeded(why + printable(content.decode(errors="replace")))
    return content
