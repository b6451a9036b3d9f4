"""Scalars as text files of one line each: JSON Lines and CSV."""

import csv
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fontgan.loggers import Logger
from fontgan.runtime.files import atomic_write

log = logging.getLogger(__name__)

CSV_HEADER = "step,tag,value"
MAX_LINE_BYTES = 2**20  # scores of thousands of styles


class JsonLines(Logger):
    """``scalars.jsonl``: a line for each step and group of tags, ``{"step": 20, "loss/g_l1": 0.31, ...}``."""

    def start(self, step: int) -> None:
        self.file = self.run / "scalars.jsonl"
        drop_lines_after(self.file, step, step_of_json)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        append_json(self.file, {"step": step, **values})


class Csv(Logger):
    """``scalars.csv``: a row ``step,tag,value`` for each number, so that no column is missing before its first value."""

    def start(self, step: int) -> None:
        self.file = self.run / "scalars.csv"
        drop_lines_after(self.file, step, step_of_csv)
        if not self.file.is_file() or not self.file.stat().st_size:
            atomic_write(self.file, f"{CSV_HEADER}\n")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        with self.file.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows((step, *pair) for pair in values.items())


def append_json(file: Path, content: Mapping[str, Any]) -> None:
    """Adds a line to a file of JSON Lines."""
    with file.open("a", encoding="utf-8", newline="\n") as lines:
        lines.write(json.dumps(content, ensure_ascii=False) + "\n")


def drop_lines_after(file: Path, step: int, step_of: Callable[[bytes], int]) -> None:
    """Removes the lines of later steps from a log: a resumed run writes them again, and they would be there twice.

    Lines of which ``step_of`` raises ValueError are dropped too, and named in the log; with ``step`` 0 all of them are.
    """
    if not file.is_file():
        return
    kept, damaged = [], []
    with file.open("rb") as lines:
        for number, line in enumerate(iter(partial(lines.readline, MAX_LINE_BYTES), b""), start=1):
            try:
                if 0 < step >= step_of(line):
                    kept.append(line.rstrip(b"\r\n") + b"\n")
            except ValueError:
                damaged.append(number)
                rest = line
                while rest and not rest.endswith(b"\n"):  # of one that is too long
                    rest = lines.readline(MAX_LINE_BYTES)
    if damaged:
        log.warning("%s: dropped %d damaged lines, the first is line %d", file, len(damaged), damaged[0])
    atomic_write(file, b"".join(kept))


def step_of_csv(line: bytes) -> int:
    text = line.decode("utf-8").strip()
    return 0 if text == CSV_HEADER else int(text.partition(",")[0])


def step_of_json(line: bytes) -> int:
    """The step of a JSON line. Raises: ValueError if it has none."""
    try:
        content = json.loads(line.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(content, dict) or type(content.get("step")) is not int:
        raise ValueError("no step")
    return int(content["step"])
