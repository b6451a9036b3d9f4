"""python -m tests.faults: the long part, with a table of what was tried, what survived and what was lost."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tqdm import tqdm

from .catalogue import FAULTS
from .kills import KILLS
from .lab import Lab, SkippedTry

Row = dict[str, object]


def main() -> int:
    """Returns: 1 if anything was lost, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), help="faults to try; all by default")
    parser.add_argument(
        "--kills", type=int, default=KILLS, help=f"random moments of the fault kill, {KILLS} by default"
    )
    parser.add_argument("--most", type=int, help="cases of each other fault at most, drawn at random")
    parser.add_argument("--part", default="1/1", help="which part of the cases: 2/3 for every third from the second on")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the random moments; each is printed if it loses anything"
    )
    parser.add_argument("--json", type=Path, help="file for the table and the losses")
    parser.add_argument("--folder", type=Path, help="folder to try in; what was lost stays there")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what is mounted goes
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=asked.folder))
    rows, losses = [], []
    with Lab(folder) as lab:
        print(f"undisturbed run: {len(lab.undisturbed.points())} things done to files; seed {asked.seed}; in {folder}")
        for name in asked.only or FAULTS:
            row, lost = try_fault(lab, name, asked.kills if name == "kill" else asked.most, asked.seed, asked.part)
            rows.append(row)
            losses += lost
    print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps({"seed": asked.seed, "faults": rows, "losses": losses}, indent=1))
    return 1 if losses else 0


def try_fault(lab: Lab, name: str, count: int | None, seed: int, part: str = "1/1") -> tuple[Row, list[str]]:
    """Tries the cases of a fault. Returns: its row of the table, and what was lost."""
    fault, began = FAULTS[name], time.monotonic()
    number, parts = map(int, part.split("/"))
    cases = fault.cases(lab, Random(f"{seed}/{name}"), count)[number - 1 :: parts]
    losses, skipped, redone = [], set(), []
    with tqdm(cases, desc=name, unit="try", dynamic_ncols=True, mininterval=1) as bar:
        for case in bar:
            try:
                tried = lab.attempt(fault, case)
            except SkippedTry as reason:
                skipped.add(str(reason))
                continue
            if tried.redone is not None:
                redone.append(tried.redone)
            if tried.problems:
                losses.append(f"{name}, {case.title}: {'; '.join(tried.problems)}")
                tqdm.write(f"LOST  {losses[-1]}", file=sys.stderr)
                bar.set_postfix_str(f"{len(losses)} lost")
    tried_count = len(cases) if not skipped else len(redone) + len(losses)
    return {
        "fault": name,
        "tried": tried_count,
        "survived": tried_count - len(losses),
        "lost": len(losses),
        "redone": max(redone, default=None),
        "seconds": round(time.monotonic() - began, 1),
        "skipped": "; ".join(sorted(skipped)),
    }, losses


def table(rows: list[Row]) -> str:
    heads = ("fault", "tried", "survived", "lost", "steps redone (most)", "seconds")
    lines = ["  ".join(heads)]
    for row in rows:
        values = [row[key] for key in ("fault", "tried", "survived", "lost", "redone", "seconds")]
        cells = ["-" if value is None else str(value) for value in values]
        lines.append("  ".join(cell.ljust(len(head)) for cell, head in zip(cells, heads, strict=True)))
        if row["skipped"]:
            lines.append(f"    skipped: {row['skipped']}")
    width = max(len(str(row["fault"])) for row in rows)
    lines = [line if line.startswith(" ") else _widen(line, width) for line in lines]
    return "\n".join(lines)


def _widen(line: str, width: int) -> str:
    name, _, rest = line.partition(" ")
    return f"{name.ljust(width)}  {rest.lstrip()}"


if __name__ == "__main__":
    sys.exit(main())
