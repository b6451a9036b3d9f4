"""Reads every image of the corpus in a process of bounded time and memory, and judges what came of it.

``python -m tests.untrusted reading`` prints the table of docs/research/log-reliability.md; ``--long`` adds files as large as are read.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fontgan.data.reading import ImageReader
from fontgan.errors import DataError
from fontgan.handwriting.pictures import read_picture
from fontgan.untrusted.images import GLYPH

from . import images
from .images import Case

MAX_SECONDS = 2.0  # of an image in the quick part, on a busy machine
MAX_LONG_SECONDS = 30.0
MAX_MIB = 1024  # beyond what the process has without an image
FLOOD = 2**18  # bytes of each file of many parts in the quick part


@dataclasses.dataclass
class DiscriminatorOutput:
    """What came of one file.

    Its outcome is "right" (compared with the true glyph), "read" (there is nothing to compare it with), "refused",
    "unnoticed" (damage that no checksum tells), or "wrong", and ``said`` why.
    """

    case: str
    outcome: str
    said: str
    seconds: float
    mib: float


def judge(case: Case, file: Path, *, most_seconds: float) -> DiscriminatorOutput:
    file.write_bytes(case.data)
    before = reset_peak()
    signal.setitimer(signal.ITIMER_REAL, 4 * most_seconds)  # a hang ends the process
    start = time.perf_counter()
    outcome, said = read(case, file)
    seconds = time.perf_counter() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    mib = max(0.0, peak() - before)
    file.unlink()
    if seconds > most_seconds or mib > MAX_MIB:
        outcome, said = "wrong", f"took {seconds:.1f} s and {mib:.0f} MiB; {said}"
    return DiscriminatorOutput(f"{case.kind}: {case.name}", outcome, said, seconds, mib)


def read(case: Case, file: Path) -> tuple[str, str]:
    try:
        grey, _ = ImageReader().read(file)
    except DataError as error:
        said = str(error)
        if not said.startswith(f"{file}: not an image that can be read (") or len(said.splitlines()) > 1:
            return "wrong", f"not one line of what is wrong: {said}"
        return ("wrong", f"refused: {said}") if case.must == "read" else ("refused", said)
    except Exception as error:  # noqa: BLE001  # what the tests look for
        return "wrong", f"{type(error).__name__}: {error}"
    if case.must == "refuse":
        return "wrong", f"was read as {grey.shape}"
    off = None
    if case.truth is not None and grey.shape == case.truth.shape:
        off = float(np.abs(grey.astype(int) - case.truth).mean())
        if off <= case.tolerance:
            return "right", f"{off:.2f} levels off"
    if case.truth is None and not case.must:
        return "read", f"{grey.shape}"
    said = f"{grey.shape}, {off if off is None else round(off, 1)} levels off"
    return ("wrong", said) if case.checked else ("unnoticed", said)


def judge_page(case: Case, file: Path) -> DiscriminatorOutput:
    """The same file as a scan: pages, whose pixels are not compared, or one line."""
    file.write_bytes(case.data)
    start = time.perf_counter()
    try:
        count = sum(1 for _ in read_picture(file))
        outcome, said = "read", f"{count} pages"
    except DataError as error:
        outcome, said = "refused", str(error)
    except Exception as error:  # noqa: BLE001  # what the tests look for
        outcome, said = "wrong", f"{type(error).__name__}: {error}"
    file.unlink()
    return DiscriminatorOutput(f"scan: {case.kind}: {case.name}", outcome, said, time.perf_counter() - start, 0.0)


def corpus(*, long: bool) -> Iterable[Case]:
    for make in images.GROUPS.values():
        yield from make()
    yield from images.floods(FLOOD)
    if long:
        yield from images.floods(GLYPH.bytes - 2**12)


def reset_peak() -> float:
    """Forgets the most memory that the process has had; gives what it has. MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def table(verdicts: Sequence[DiscriminatorOutput]) -> str:
    """Counts by kind, as Markdown."""
    kinds: dict[str, list[DiscriminatorOutput]] = defaultdict(list)
    for verdict in verdicts:
        kinds[verdict.case.rpartition(": ")[0] or verdict.case].append(verdict)
    lines = [
        "| what | files | right | read | refused | unnoticed | wrong | longest | most memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, own in [*kinds.items(), ("all", list(verdicts))]:
        count = Counter(verdict.outcome for verdict in own)
        lines.append(
            f"| {kind} | {len(own)} | {count['right']} | {count['read']} | {count['refused']} | {count['unnoticed']} | {count['wrong']} | "
            f"{max(v.seconds for v in own):.2f} s | {max(v.mib for v in own):.0f} MiB |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Returns: 0, or 1 if a file was read wrongly, or not within its bounds."""
    parser = argparse.ArgumentParser(prog="python -m tests.untrusted reading", description=__doc__)
    parser.add_argument("--long", action="store_true", help="also files as large as are read; takes minutes")
    parser.add_argument("--json", type=Path, help="where the verdicts are written")
    parser.add_argument("--no-scan", action="store_true", help="not also as scanned pages")
    asked = parser.parse_args(arguments)
    import resource  # of POSIX

    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # addresses, of which libraries reserve many
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(corpus(long=asked.long)):
            file = Path(folder) / f"U+{0x4E00 + number:04X}.{case.ending}"
            print(f"{case.kind}: {case.name}", file=sys.stderr)  # the last line tells what ended the process
            verdicts.append(judge(case, file, most_seconds=MAX_LONG_SECONDS if asked.long else MAX_SECONDS))
            if not asked.no_scan and case.kind != "flood":
                verdicts.append(judge_page(case, file))
    if asked.json:
        asked.json.write_text(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts]))
    print(table(verdicts))
    wrong = [verdict for verdict in verdicts if verdict.outcome == "wrong"]
    for verdict in wrong:
        print(f"wrong: {verdict.case}: {verdict.said}")
    return 1 if wrong else 0
