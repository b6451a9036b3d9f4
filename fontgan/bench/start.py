"""The time from the start of ``fontgan train`` to the end of its first step.

``python -m fontgan.bench.start <overrides>`` is the training: a process of its own, which tells whenever an optimiser
has moved, so that interpreter, imports, data and networks are all timed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fontgan.bench.figures import Figure, Setup
from fontgan.errors import RunError
from fontgan.runtime.timing import MIN_ROUNDS, summarize

MARK = "optimiser moved:"


def measure_start(setup: Setup) -> Figure:
    """Starts the training of the default experiment again and again, its glyphs packed before."""
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        seconds_to_first_step(Path(folder) / "first", setup.device)  # packs the glyphs, and warms the file cache
        started = time.monotonic()
        while len(taken) < setup.rounds and (
            len(taken) < MIN_ROUNDS or time.monotonic() - started < 60 * setup.minutes
        ):
            taken.append(seconds_to_first_step(Path(folder) / str(len(taken)), setup.device))
    how = "fontgan train, not compiled, its glyphs packed before"
    return Figure("start of the process to the end of the first step", summarize(taken), "s", how, "time")


def seconds_to_first_step(out: Path, device: torch.device, *overrides: str) -> float:
    """Starts a training in a process of its own, and ends it when its first step is done.

    A step moves each network once, so the first is over with the last optimiser that moved before one moved again.

    Raises: RunError if it makes no step.
    """
    settings = [f"out={out}", "trainer.compile=false", "trainer.max_steps=1000", f"trainer.device={device.type}"]
    arguments = [sys.executable, "-m", "fontgan.bench.start", *settings, *overrides]
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True)
        moved: set[str] = set()
        ended = None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line in moved:
                    break
                if line.startswith(MARK):
                    moved.add(line)
                    ended = time.perf_counter()
        finally:
            process.kill()  # what it would save goes with its folder
            process.wait()
            process.stdout.close()
        if ended is None:
            errors.seek(0)
            last = errors.read().strip().splitlines() or ["it said nothing"]
            raise RunError(f"fontgan train: made no step ({last[-1]}). Run fontgan check.")
    return ended - started


def _print_move(optimiser: torch.optim.Optimizer, *_: Any) -> None:
    """Tells which optimiser moved, once the device is done."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    print(MARK, id(optimiser), flush=True)


if __name__ == "__main__":
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from fontgan.cli import main

    register_optimizer_step_post_hook(_print_move)
    sys.exit(main(["train", *sys.argv[1:]]))
