"""``trainer.profile``: a trace of a few steps, and the ten operations that take most of them."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from fontgan.runtime.files import atomic_write

log = logging.getLogger(__name__)

WARM_UP, STEPS = 3, 5  # steps before, and steps that are traced
OPERATIONS = 10
TRACE, TABLE = "trace.json", "operations.txt"


class StepProfiler:
    """Watches the steps after the first ones, then writes ``profile/trace.json`` and ``profile/operations.txt``.

    The trace opens in Perfetto (ui.perfetto.dev) or Chrome's about:tracing.
    """

    def __init__(self, run: Path, device: torch.device):
        self.folder = run / "profile"
        self.device = device
        self.steps = 0
        self._profile: profile | None = None

    def step(self) -> None:
        """Call it after each training step."""
        self.steps += 1
        if self.steps == WARM_UP:
            kinds = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
            self._profile = profile(activities=kinds if self.device.type == "cuda" else kinds[:1])
            self._profile.start()
        elif self.steps == WARM_UP + STEPS:
            self.close()

    def close(self) -> None:
        """Writes what was watched; at the end of a run too short for all steps, what there is of it."""
        found, self._profile = self._profile, None
        if found is not None:
            found.stop()
        if self.steps <= WARM_UP:
            log.warning("trainer.profile: the run ended before step %d, so there is no profile.", WARM_UP + 1)
        elif found is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            trace = self.folder / f".{TRACE}"
            found.export_chrome_trace(str(trace))
            trace.replace(self.folder / TRACE)
            table = operations_table(found, self.device)
            atomic_write(self.folder / TABLE, table + "\n")
            log.info("profile of %d steps: %s", self.steps - WARM_UP, self.folder / TRACE)
            for line in table.splitlines():  # a message is one line
                log.info("%s", line)


def operations_table(found: profile, device: torch.device) -> str:
    """The ten operations that take most time themselves: name, share, milliseconds, calls."""
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events: list[Any] = sorted(found.key_averages(), key=lambda event: -getattr(event, key))
    total = sum(getattr(event, key) for event in events) or 1
    rows = [f"{'operation':<48} {'share':>6} {'ms':>10} {'calls':>7}"]
    for event in events[:OPERATIONS]:
        microseconds = getattr(event, key)
        rows.append(f"{event.key[:48]:<48} {microseconds / total:6.1%} {microseconds / 1000:10.1f} {event.count:7d}")
    return "\n".join(rows)
