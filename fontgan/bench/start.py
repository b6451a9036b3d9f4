"""The time from the start of ``fontgan train`` to the end of its first step.

``python -m fontgan.bench.start STARTED <overrides>`` is the training, a process of its own, so that interpreter,
imports, data and networks are all timed; it ends itself when its first step is done.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fontgan.bench.figures import Figure, Setup
from fontgan.errors import RunError
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.timing import MIN_ROUNDS, summarize

MARK = "seconds to the first step:"


def measure_start(setup: Setup) -> Figure:
    """Starts the training of the default experiment again and again, its glyphs packed before."""
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        seconds_to_first_step(Path(folder) / "first", setup.device)  # packs the glyphs, and warms the file cache
        ends = time.monotonic() + 60 * setup.minutes
        while len(taken) < MIN_ROUNDS or (len(taken) < setup.rounds and time.monotonic() < ends):
            taken.append(seconds_to_first_step(Path(folder) / str(len(taken)), setup.device))
    how = "fontgan train, not compiled, its glyphs packed before"
    return Figure("start of the process to the end of the first step", summarize(taken), "s", how, "time")


def seconds_to_first_step(out: Path, device: torch.device, *overrides: str) -> float:
    """Starts a training in a process of its own. Raises: RunError if it makes no step."""
    settings = [f"out={out}", "trainer.compile=false", "trainer.max_steps=1000", f"trainer.device={device}"]
    arguments = [sys.executable, "-m", "fontgan.bench.start", repr(time.time()), *settings, *overrides]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if MARK not in ended.stdout:
        last = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise RunError(f"fontgan train: made no step ({last[-1]}). Run fontgan check.")
    return float(ended.stdout.rpartition(MARK)[2])


def main(started: str, *overrides: str) -> int:
    """A step moves each network once: the first is over with the last optimiser that moved before one moves again."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from fontgan.cli import main as run

    moved: dict[int, float] = {}

    def note_move(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        if id(optimiser) in moved:
            print(MARK, max(moved.values()) - float(started), flush=True)
            os._exit(0)  # what it would save goes with its folder
        wait_for(optimiser.param_groups[0]["params"][0].device)
        moved[id(optimiser)] = time.time()

    register_optimizer_step_post_hook(note_move)
    return run(["train", *overrides])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
