"""Processes that Ctrl-C in this terminal does not reach, and Ctrl-C for one of them."""

import signal
import subprocess
from typing import Any

# Of Windows, which has other names for these things.
_OWN_GROUP: int | None = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", None)
_BREAK: int | None = getattr(signal, "SIGBREAK", None)
_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
STOP_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, *([_BREAK] if _BREAK is not None else []))
_INTERRUPT: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)


def break_like_ctrl_c() -> None:
    """Has what ``interrupt`` sends on Windows raise KeyboardInterrupt, as Ctrl-C does everywhere."""
    if _BREAK is not None:
        signal.signal(_BREAK, signal.default_int_handler)


def own_group() -> dict[str, Any]:
    """Arguments of ``subprocess.Popen`` for a process that ends with this program, but in its own way."""
    return {"process_group": 0} if _OWN_GROUP is None else {"creationflags": _OWN_GROUP}


def own_session() -> dict[str, Any]:
    """Arguments of ``subprocess.Popen`` for a process that goes on when this program and its terminal are gone."""
    return {"start_new_session": True} if _OWN_GROUP is None else {"creationflags": _OWN_GROUP | _NO_WINDOW}


def interrupt(process: subprocess.Popen[Any]) -> None:
    """What Ctrl-C does, to a process of an own group alone; nothing if it has ended."""
    process.send_signal(_INTERRUPT)
