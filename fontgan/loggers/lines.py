"""Scalars as text files of one line each: JSON Lines and CSV."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from fontgan.loggers import Logger
from fontgan.runtime.files import atomic_write

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 2**20  # scores of thousands of styles


class JsonLines(Logger):
    """``scalars.jsonl``: a line for each step and group of tags, ``{"step": 20, "loss/g_l1": 0.31, ...}``."""

    def start(self, step: int) -> None:
        self.file = self.run / "scalars.jsonl"
        drop_lines_after(self.file, step, step_of_json)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}, ensure_ascii=False) + "\n")


class Csv(Logger):
    """``scalars.csv``: a row ``step,tag,value`` for each number, so that no column is missing before its first value."""

    HEADER = ("step", "tag", "value")

    def start(self, step: int) -> None:
        self.file = self.run / "scalars.csv"
        drop_lines_after(self.file, step, self._step_of)
        if not self.file.is_file() or not self.file.stat().st_size:
            self._append([self.HEADER])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._append([(step, tag, value) for tag, value in values.items()])

    def _append(self, rows: list[tuple[object, ...]]) -> None:
        with self.file.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)

    def _step_of(self, line: bytes) -> int:
        return 0 if line.decode("utf-8").strip() == ",".join(self.HEADER) else int(line.partition(b",")[0])


def drop_lines_after(file: Path, step: int, step_of: Callable[[bytes], int]) -> None:
    """Removes the lines of later steps from a log: a resumed run writes them again, and they would be there twice.

    Lines of no step are dropped too, and named in the log; with ``step`` 0 all of them are.

    Args:
        step_of: the step of a line. Raises: ValueError if it has none.
    """
    if not file.is_file():
        return
    kept, damaged = [], []
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(MAX_LINE_BYTES):
            number += 1
            try:
                if 0 < step >= step_of(line):
                    kept.append(line.rstrip(b"\n") + b"\n")
            except ValueError:
                damaged.append(number)
                while line and not line.endswith(b"\n"):  # the rest of one that is too long
                    line = lines.readline(MAX_LINE_BYTES)
    if damaged:
        log.warning("%s: dropped %s", file, f"{len(damaged)} damaged lines, the first is line {damaged[0]}")
    atomic_write(file, b"".join(kept))


def step_of_json(line: bytes) -> int:
    """The step of a JSON line. Raises: ValueError if it has none."""
    try:
        content = json.loads(line.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    step = content.get("step") if isinstance(content, dict) else None
    if type(step) is not int:
        raise ValueError("no step")
    return step
