"""The golden files, and what the code as it is makes of the same commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import cases, machine
from .compare import CLOSE, EXACT, difference
from .outputs import Record

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILE, HELP = HERE / "golden.json", HERE / "help"
TIMEOUT_S = 280


def golden() -> dict[str, Any]:
    """``{"machine": ..., "records": ...}`` as stored."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def golden_help() -> dict[str, str]:
    """Stored help texts by verb."""
    return {file.stem.replace("_", " "): file.read_text(encoding="utf-8") for file in sorted(HELP.glob("*.txt"))}


def names() -> dict[str, list[str]]:
    """The trainings and helps that are stored, and the training that must differ: what a check has to run."""
    stored = [name.split("/")[1] for name in golden()["records"] if name.startswith("train/")]
    return {"trainings": [*dict.fromkeys(stored), *cases.OTHER], "help": list(golden_help())}


def how() -> str:
    """Whether records must be equal here, or close, since the libraries or the CPU are others."""
    return EXACT if golden()["machine"] == machine.fingerprint() else CLOSE


def other_machine() -> str:
    """What differs between here and where the golden file was made."""
    here, there = machine.fingerprint(), golden()["machine"]
    return "; ".join(f"{key} {here.get(key)}, not {there.get(key)}" for key in there if here.get(key) != there[key])


def observe(folder: Path, wanted: dict[str, list[str]] | None, **environment: str) -> dict[str, Any]:
    """Runs everything in a folder, in one process. Returns: ``{"records": ..., "help": ...}``.

    Args:
        wanted: as ``names`` gives it; None: all that can be run.
        environment: variables besides those that are pinned.
    Raises: RuntimeError with the last lines of what failed.
    """
    ask, answer = folder / "names.json", folder / "records.json"
    ask.write_text(json.dumps(wanted))
    variables = machine.pinned(PYTHONPATH=str(ROOT), FONTGAN_CACHE=str(folder / "cache"), **environment)
    command = [sys.executable, "-m", "tests.golden.record", str(ask), str(answer)]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"tests/golden/cases.py: {done.stderr.strip()[-3000:]}")
    return json.loads(answer.read_text())


def differences(found: dict[str, Any]) -> list[str]:
    """The first difference of every stored record and help text."""
    stored, mode = golden()["records"], how()
    said = [record_difference(name, record, found["records"], mode) for name, record in stored.items()]
    said += [text_difference(verb, text, found["help"].get(verb, "")) for verb, text in golden_help().items()]
    return [line for line in said if line]


def record_difference(name: str, stored: Record, found: dict[str, Record], mode: str) -> str:
    """The first difference of one record; empty where there is none."""
    if name not in found:
        return f"{name}: is not made any more"
    return difference(name, stored, found[name], mode)


def text_difference(verb: str, stored: str, found: str) -> str:
    """The first line of a help text that differs; empty where none does."""
    old, new = stored.splitlines(), found.splitlines()
    for index in range(max(len(old), len(new))):
        a, b = (side[index] if index < len(side) else "nothing" for side in (old, new))
        if a != b:
            return f"help of {verb}, line {index + 1}: {b!r}, and was {a!r}"
    return ""


def store(found: dict[str, Any]) -> None:
    """Writes the golden files anew, a record a line."""
    records = {name: _stored(record) for name, record in found["records"].items() if not _is_other(name)}
    lines = ",\n".join(f"  {json.dumps(name)}: {_json(record)}" for name, record in records.items())
    facts = json.dumps(machine.fingerprint(), indent=1)
    FILE.write_text(f'{{"machine": {facts},\n"records": {{\n{lines}\n}}}}\n', encoding="utf-8")
    HELP.mkdir(exist_ok=True)
    for old in HELP.glob("*.txt"):
        old.unlink()
    for verb, text in found["help"].items():
        (HELP / f"{verb.replace(' ', '_')}.txt").write_text(text, encoding="utf-8")


def _is_other(name: str) -> bool:
    return name.startswith(tuple(f"train/{other}/" for other in cases.OTHER))


def _stored(record: Record) -> Record:
    """Without what is there only to explain a difference."""
    return [{key: value for key, value in one.items() if key != "note"} for one in record]


def _json(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
