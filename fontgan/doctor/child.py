"""The process that imports torch, and what it sends: a package that hangs or crashes takes only that process with it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path

from fontgan.doctor.privacy import hide
from fontgan.doctor.rows import Row, row
from fontgan.errors import printable

LIMIT_S = 180  # for a machine that is busy, or reads torch off a slow disk; a quiet one takes a twentieth
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from fontgan.doctor.child import answer; answer()"
_MARK = "fontgan-doctor "  # before each message, as packages may print lines of their own


def ask_child(device: str, precision: str) -> Iterator[Row]:
    """Rows of what computes and of the self-test, each as soon as it is known; the last says how the process died, if it
    did. Raises: OSError if no process can be started."""
    with tempfile.TemporaryDirectory(prefix="fontgan-doctor-") as folder, tempfile.TemporaryFile() as said:
        work = json.dumps({"folder": folder, "device": device, "precision": precision})
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, json.dumps(sys.path), work],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, encoding="utf-8",
            env={
                **os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder),  # torch leaves folders there
                "FONTGAN_CACHE": str(Path(folder) / "cache"), "PYTHONIOENCODING": "utf-8",
                "MPLCONFIGDIR": folder,  # where matplotlib, if a package imports it, lists the fonts of the system
            },
        )  # fmt: skip
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(LIMIT_S, stop)
        timer.start()
        try:
            with child:
                doing = yield from _rows(child)
        finally:
            timer.cancel()
            child.kill()  # where no more rows are asked for; one that has ended takes no harm
        if doing is not None:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            how = f"was stopped after {LIMIT_S} s" if late.is_set() else _death(child.returncode, lines[-1:])
            yield Row(doing[0], doing[1], f"the process that does it {how}", ok=False)


def _rows(child: "subprocess.Popen[str]") -> Generator[Row, None, list[str] | None]:
    """Returns: section and name of what it was doing when it ended, None if it had done all."""
    doing: list[str] | None = ["computing", "start"]
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(_MARK):
            message = json.loads(line.removeprefix(_MARK))
            if "row" in message:
                yield Row(**message["row"])
            else:
                doing = message["doing"]
    return doing


def _death(code: int, last: list[str]) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return " ".join(
        [f"ended with code {code:#x}" if code > 255 else f"ended with code {code}", *map(printable, map(hide, last))]
    )


# -- in the child ----------------------------------------------------------------------------


def answer() -> None:
    """Asks everything, and tells before each thing that it comes."""
    work = json.loads(sys.argv[2])
    from fontgan.doctor.computing import computing
    from fontgan.doctor.self_test import self_test

    well = True
    for part in (computing, self_test):
        if part is self_test and not well:
            _send(row={"section": "self-test", "name": "self-test", "text": "not tried, since a package is broken"})
            break
        for section, name, ask, must_work in part(**work, announce=announce):
            announce(section, name)
            found = row(section, name, ask, must_work=must_work)
            _send(row=asdict(found))
            well = well and found.ok is not False
    _send(doing=None)


def announce(section: str, name: str) -> None:
    """Tells what comes next, and may end this process."""
    _send(doing=[section, name])


def _send(**message: object) -> None:
    print(f"{_MARK}{json.dumps(message)}", flush=True)
