"""What is done in a process of its own: its limits, the work, and how it ended."""

import importlib
import json
import math
import signal
import sys
from dataclasses import dataclass
from typing import Any

from fontgan.errors import DataError, UserError

SAID = "said"  # why there is no result: the function itself said so
DONE, REFUSED, NO_MEMORY, FAILED = 0, 3, 4, 5  # exit codes of the process


@dataclass(frozen=True)
class Limits:
    cpu_s: float  # seconds of the processor
    memory_bytes: int  # beyond what Python and its modules take

    @property
    def too_slow(self) -> str:
        return f"takes more than {math.ceil(self.cpu_s)} s"

    @property
    def too_large(self) -> str:
        return f"takes more than {self.memory_bytes >> 20} MB of memory"


class LimitExceeded(DataError):
    """The work was stopped, ended its process or failed; the message says how, and follows the name of the file."""


def command_of(serve: str) -> list[str]:
    """Python's arguments for a function of this package, with the search path of this process."""
    module, _, name = serve.partition(":")
    code = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import {name}; {name}()"
    return [sys.executable, "-c", code, json.dumps(sys.path)]


def question(function: str, data: bytes, limits: Limits, facts: dict[str, Any]) -> bytes:
    """One line of JSON, then the data."""
    job = {"function": function, "bytes": len(data), "limits": vars(limits), "facts": facts}
    return json.dumps(job).encode() + b"\n" + data


def load(job: dict[str, Any]) -> None:
    """Imports the module of a job's function."""
    importlib.import_module(job["function"].partition(":")[0])


def carry_out(job: dict[str, Any], data: bytes) -> tuple[int, bytes]:
    """Calls the function of a job. Returns: an exit code, and its result or what it said."""
    try:
        module, _, name = job["function"].partition(":")
        return DONE, getattr(sys.modules[module], name)(data, **job["facts"])
    except UserError as error:
        return REFUSED, str(error).encode(errors="replace")
    except MemoryError:
        return NO_MEMORY, b""
    except Exception as error:  # noqa: BLE001  # of a stranger's file a parser may raise anything; it is told, by its kind
        return FAILED, f"{type(error).__name__}: {error}".encode(errors="replace")[:2000]


def why(code: int, limits: Limits) -> str:
    """Why there is no result, to follow the name of the file; empty if there is one."""
    known = {DONE: "", REFUSED: SAID, NO_MEMORY: limits.too_large, FAILED: "reading it fails with "}
    how = signal.Signals(-code).name if code < 0 else f"code {code}"
    return known.get(code, f"ends the process that reads it with {how}")
