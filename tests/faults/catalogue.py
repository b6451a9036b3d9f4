"""All faults, in the order in which they are told."""

from __future__ import annotations

from . import company, damage, drawing, kills, machine
from .lab import Fault

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", 6, kills.kill),
        Fault("kill-every-point", 0, kills.every_point),
        Fault("kill-again", 1, kills.kill_again),
        Fault("signals", 3, kills.signals),
        Fault("fresh", 1, kills.fresh),
        Fault("full-disk", 2, machine.full_disk),
        Fault("disk-errors", 2, machine.disk_errors),
        Fault("read-only", 1, machine.read_only),
        Fault("damaged-checkpoint", 3, damage.checkpoint),
        Fault("damaged-run-files", 2, damage.run_files),
        Fault("damaged-pack", 2, damage.pack),
        Fault("two-runs", 1, company.two_runs),
        Fault("dead-holder", 1, company.dead_holder),
        Fault("clock", 1, machine.clock),
        Fault("data-thread", 1, machine.data_thread),
        Fault("group", 1, company.group),
        Fault("torchrun", 0, company.torchrun),
        Fault("infer", 2, drawing.infer),
        Fault("render", 1, drawing.render),
        Fault("vectorize", 1, drawing.vectorize),
    )
}
