"""Progress of long work: a bar on a terminal, lines in a log file."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pty, fcntl, termios = (pytest.importorskip(name, reason="POSIX has them") for name in ("pty", "fcntl", "termios"))
ROOT = Path(__file__).parents[2]
WORK = """
import sys, time
from fontgan.runtime import progress
progress.SECONDS_A_LINE = 0.2
for _ in progress.Bar(range(3), unit="glyph", desc="quick"):
    pass
for _ in progress.Bar(range(12), unit="glyph", desc="packing", leave=False):
    time.sleep(0.05)
with progress.Bar(unit="step", desc="training", dynamic_ncols=True, mininterval=0.01) as bar:
    for step in range(8):
        bar.total = 16 if step > 1 else None
        bar.set_postfix_str("loss 0.5", refresh=step == 0)
        time.sleep(0.1)
        bar.update()
        if step == 4:
            bar.write("error: one image", file=sys.stderr)
for _ in progress.Bar(range(2), unit="run", desc="outer"):
    for _ in progress.Bar(range(3), unit="turn", desc="inner", leave=False):
        time.sleep(0.1)
"""
COMMAND = [sys.executable, "-c", WORK]


def in_a_file(file: Path, **environment: str) -> list[str]:
    with file.open("wb") as target:
        subprocess.run(COMMAND, cwd=ROOT, stderr=target, check=True, env=os.environ | environment)
    return file.read_bytes().decode().split("\n")


def test_a_log_file_gets_lines_with_rate_and_time_left(tmp_path: Path) -> None:
    lines = in_a_file(tmp_path / "log")
    assert lines.pop() == ""
    assert not [
        line for line in lines if not line.isprintable() or line != line.strip()
    ]  # "\r", or what moves a cursor
    about = {
        what: [line for line in lines if line.startswith(what)] for what in ("quick", "packing", "training", "outer")
    }
    assert not about["quick"], "short work says nothing"
    assert 2 <= len(about["packing"]) <= 4
    assert all(
        re.fullmatch(r"packing: +\d+% \d+/12 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+glyph/s\]", line)
        for line in about["packing"]
    )
    assert "12/12" in about["packing"][-1]
    assert re.fullmatch(r"training: +\d+% 8/16 \[00:00<00:0\d, +[\d.]+step/s, loss 0.5\]", about["training"][-1])
    assert "error: one image" in lines
    assert "2/2" in about["outer"][-1]


def test_of_several_processes_one_shows_progress(tmp_path: Path) -> None:
    assert in_a_file(tmp_path / "log", RANK="1") == ["error: one image", ""]
    assert len(in_a_file(tmp_path / "log", RANK="0")) > 5


def test_a_closed_standard_error_stops_no_work() -> None:
    assert subprocess.run(["sh", "-c", '"$0" "$@" 2>&-', *COMMAND], cwd=ROOT, capture_output=True).returncode == 0


def test_a_terminal_has_a_bar() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(COMMAND, cwd=ROOT, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end, when nobody has it open any more
        while True:
            shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait() == 0
    for what in ("quick", "packing", "training", "outer", "inner"):
        assert f"\r{what}: " in shown.decode()
    assert "\rpacking: 100%|" in shown.decode()
    assert "12/12" in shown.decode()


def test_bars_are_made_in_one_place() -> None:
    makers = [file for file in (ROOT / "fontgan").rglob("*.py") if "from tqdm import" in file.read_text()]
    assert [file.name for file in makers] == ["progress.py"]
