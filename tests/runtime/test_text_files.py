"""Text is the same bytes on every system, and no terminal is too poor for it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fontgan

PACKAGE = Path(fontgan.__file__).parent
CODE = sorted(PACKAGE.rglob("*.py"))
OTHERS = {"doctor/packages.py"}  # its read_text is that of importlib.metadata


def calls(file: Path) -> Iterator[tuple[ast.Call, str, dict[str, ast.expr]]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield node, name, {word.arg or "": word.value for word in node.keywords}


def mode_of(call: ast.Call, words: dict[str, ast.expr]) -> str:
    given = words.get("mode", call.args[0] if call.args else ast.Constant("r"))
    return str(given.value) if isinstance(given, ast.Constant) else ""


def test_text_is_read_and_written_as_utf_8_with_line_feeds() -> None:
    wrong, seen = [], 0
    for file in CODE:
        where = file.relative_to(PACKAGE).as_posix()
        for call, name, words in calls(file):
            mode = mode_of(call, words) if name == "open" and isinstance(call.func, ast.Attribute) else ""
            of_text = (name in ("read_text", "write_text") and isinstance(call.func, ast.Attribute)) or (
                mode in ("r", "w", "a", "x")
            )
            if not of_text or where in OTHERS:
                continue
            seen += 1
            if "encoding" not in words and mode != "a":
                wrong.append(f"{where}:{call.lineno}: no encoding")
            if (name == "write_text" or mode in ("w", "x")) and "newline" not in words:
                wrong.append(f"{where}:{call.lineno}: Windows would write other line ends")
    assert seen > 10
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp936", "utf-8"])
def test_no_terminal_is_too_poor(encoding: str) -> None:
    command = [sys.executable, "-m", "fontgan", "coverage", "--cfg", "font=永é☃"]
    done = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert f"font: {'永é☃'.encode(encoding, 'backslashreplace').decode(encoding)}" in done.stdout.decode(encoding)
    wrong = subprocess.run(
        [*command[:3], "coverage", "no_such=永é☃"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert b"Traceback" not in wrong.stderr
    assert b"no_such: no such config key" in wrong.stderr
