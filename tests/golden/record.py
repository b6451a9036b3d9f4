"""python -m tests.golden.record NAMES.json RECORDS.json: runs everything in this folder and writes down what came out.

It is a process of its own, so that what ``machine.pinned`` sets holds before torch is loaded.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import fontgan.cli

from . import cases, outputs

GROUPS = re.compile(r"\n\ngroups \(group=variant\):\n.*?(?=\n\n)", re.DOTALL)


def main() -> None:
    wanted, out = map(Path, sys.argv[1:])
    out.write_text(json.dumps(record(json.loads(wanted.read_text()))))


def record(names: dict[str, list[str]] | None) -> dict[str, dict[str, Any]]:
    """Runs the named trainings, all commands and the named helps; None: everything. What is no longer there is left out.

    Returns: ``{"records": ..., "help": ...}``.
    """
    records: dict[str, outputs.Record] = {}
    for name, settings in cases.trainings().items():
        if names is None or name in names["trainings"]:
            run("train", *settings, f"out=train/{name}")
            of_files = outputs.of_training(Path("train", name))
            records |= {f"train/{name}/{file}": found for file, found in of_files.items()}
    records["pack"] = outputs.packs(Path("cache"))
    for name, command in cases.COMMANDS.items():
        Path(name).parent.mkdir(exist_ok=True)
        run(*command, f"out={name}")
        records[name] = outputs.of_command(name, Path())
    return {"records": records, "help": {v: help_of(v) for v in verbs() if names is None or v in names["help"]}}


def run(*arguments: str) -> str:
    """Runs one command. Returns: what it printed. Raises: SystemExit with its last lines if it fails."""
    logging.getLogger("fontgan").handlers.clear()  # their stream is that of the command before
    printed, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = fontgan.cli.main(list(arguments))
    if code:
        raise SystemExit(f"fontgan {' '.join(arguments)}: exit code {code}\n{said.getvalue()[-2000:]}")
    return printed.getvalue()


def verbs() -> list[str]:
    """The verbs that ``fontgan --help`` lists: what stands before the column where all summaries begin."""
    listed = run("--help").partition("\nverbs:\n")[2].partition("\n\n")[0].splitlines()
    summaries = next(at for at in range(3, 80) if all(line[at - 1] == " " != line[at] for line in listed))
    return [line[:summaries].strip() for line in listed]


def help_of(verb: str) -> str:
    """A verb's help without the variants of its groups, of which there may be more at any time."""
    return GROUPS.sub("", run(*verb.split(), "--help"))


if __name__ == "__main__":
    main()
