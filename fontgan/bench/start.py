"""The seconds from starting ``fontgan train`` to the end of its first step."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from fontgan.bench.figures import FIRST_STEP, Figure
from fontgan.bench.first_step import MARK
from fontgan.errors import RunError
from fontgan.runtime.timing import MIN_ROUNDS, summarize


def measure_start(device: torch.device, *, rounds: int, minutes: float) -> list[Figure]:
    """Starts the training of the default experiment again and again, its glyphs packed before."""
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        seconds_to_first_step(Path(folder) / "first", device)  # packs the glyphs, and warms the file cache
        started = time.monotonic()
        while len(taken) < rounds and (len(taken) < MIN_ROUNDS or time.monotonic() - started < 60 * minutes):
            taken.append(seconds_to_first_step(Path(folder) / str(len(taken)), device))
    how = "fontgan train, not compiled, its glyphs packed before: from the start of the process to the end of the first step"
    return [Figure("start to first step", summarize(taken), "s", how, FIRST_STEP if device.type == "cpu" else None)]


def seconds_to_first_step(out: Path, device: torch.device, *overrides: str) -> float:
    """Starts a training in a process of its own, and ends it when its first step is done.

    A step moves each network once, so the first is over with the last optimiser that moved before one moved again.

    Raises: RunError if it makes no step.
    """
    settings = [f"out={out}", "trainer.compile=false", "trainer.max_steps=1000", f"trainer.device={device.type}"]
    arguments = [sys.executable, "-m", "fontgan.bench.first_step", *settings, *overrides]
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=said, text=True)
        moved: set[str] = set()
        ended = None
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith(MARK):
                    continue
                if line in moved:
                    break
                moved.add(line)
                ended = time.perf_counter()
        finally:
            process.kill()  # what it would save goes with its folder
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if ended is None:
            said.seek(0)
            last = said.read().strip().splitlines() or ["it said nothing"]
            raise RunError(f"fontgan train: made no step ({last[-1]}). Run fontgan check.")
    return ended - started
