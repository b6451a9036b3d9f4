"""``python -m tests.untrusted WORD ...``: the long variants of these tests; each module with a ``main`` is a word."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def words() -> list[str]:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if "\ndef main(" in file.read_text(encoding="utf-8")]


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in words():
        sys.exit(f"{__doc__}\nWords: {', '.join(words())}")
    sys.exit(importlib.import_module(f"tests.untrusted.{sys.argv[1]}").main(sys.argv[2:]))
