"""python -m tests.golden [update]: compares with the golden files, or writes them anew."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import check
from .compare import CLOSE


def main() -> int:
    """Returns: 1 if anything differs, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["check", "update"], default="check")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        if asked.what == "update":
            check.store(check.observe(Path(folder), None))
            print(f"wrote {check.FILE} and {check.HELP}")
            return 0
        found = check.differences(check.observe(Path(folder), check.names()))
    mode = check.how()
    if mode == CLOSE:
        print(f"compared within tolerances, since this is another machine: {check.other_machine()}")
    print(
        "\n".join(found)
        or f"{len(check.golden()['records'])} records and {len(check.golden_help())} helps agree ({mode})"
    )
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
