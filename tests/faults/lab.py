"""Where faults are tried: a folder for each try, an undisturbed run to compare with, and what counts as survived."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from .server import Child, Server

STEPS, SAVE_EVERY, HALF = 6, 2, 4  # a run's; HALF: where the half-done one was stopped
# Small, with every part that has a state: both networks' optimisers, dropout, batch norm, averaging, spectral norm's
# vectors, styles read off references, and batches that make up a step together.
SETTINGS = (
    "experiment=scratch",
    "data.size=64", "data.charset=的一是不了在人有我他这个们中来上大为和国", "data.workers=1",
    "generator.ngf=4", "generator.depth=4", "generator.dropout=0.5", "generator/norm=batch",
    "generator/style=reference", "generator.style.width=4", "generator.style.dim=16",
    "discriminator=patch", "discriminator.ndf=4", "loss.adversarial.weight=1", "loss.adversarial.start=0",
    "trainer.batch_size=2", "trainer.accumulate=2", "trainer.ema_decay=0.9", "trainer.precision=fp32", "trainer.device=cpu",
    f"trainer.max_steps={STEPS}", f"trainer.save_every={SAVE_EVERY}", "trainer.eval_every=4", "trainer.log_every=1",
    "trainer.sheet_chars=2", "optim.warmup_steps=2",
)  # fmt: skip


class SkippedTry(Exception):
    """This machine does not allow the fault; the message says why."""


@dataclass
class Tried:
    """What became of a run after a fault."""

    problems: list[str] = field(default_factory=list)  # none: it survived
    redone: int | None = None  # steps that were done before the fault and had to be done again

    def also(self, *more: str) -> Tried:
        self.problems += [problem for problem in more if problem]
        return self


@dataclass(frozen=True)
class Case:
    """One try of a fault."""

    title: str  # says all that is needed to do it again
    attempt: Callable[[Place], Tried]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Args:
        quick: how many of its cases the quick tests try.
        cases: (lab, random numbers, how many are wanted or None for all that there are) -> cases.
    """

    name: str
    quick: int
    cases: Callable[[Lab, Random, int | None], list[Case]]


class Place:
    """The folders of one try: the run, its cache of packs, and a folder for temporary files."""

    def __init__(self, lab: Lab, folder: Path):
        self.lab = lab
        self.folder = folder
        self.out, self.cache, self.tmp, self.notes = (folder / name for name in ("run", "cache", "tmp", "notes"))
        self.tmp.mkdir(parents=True)
        self.notes.mkdir()
        self._started = 0

    @property
    def command(self) -> list[str]:
        return ["train", *SETTINGS, f"out={self.out}"]

    @property
    def env(self) -> dict[str, str]:
        own = {"FONTGAN_CACHE": str(self.cache), "TMPDIR": str(self.tmp), "OMP_NUM_THREADS": "1"}
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH")}
        return kept | own

    def start(
        self, *more: str, command: Sequence[str] | None = None, env: Mapping[str, str] | None = None, **inside: Any
    ) -> Child:
        """Starts the training, or another command, with what ``inside.apply`` is to do there."""
        self._started += 1
        asked = {
            "root": str(self.folder),
            "points": str(self.notes / f"points-{self._started}"),
            "go": str(self.notes / "go"),
        }
        if command is None:
            asked["steps"] = str(self.notes / "steps")
        return self.lab.server.start(
            [*(command or self.command), *more],
            log=self.notes / f"log-{self._started}.txt",
            env={**self.env, **(env or {})},
            inside=asked | inside,
        )

    def steps_done(self) -> int:
        file = self.notes / "steps"
        return int(file.read_text() or 0) if file.exists() else 0

    def points(self, start: int = 1) -> list[str]:
        """What was done to files, in order."""
        file = self.notes / f"points-{start}"
        return file.read_text().splitlines() if file.exists() else []

    def saved(self) -> list[int]:
        """Steps of the checkpoints that are there, oldest first."""
        return sorted(int(folder.name[5:]) for folder in self.out.glob("checkpoints/step-*"))

    def newest(self) -> Path:
        return self.out / "checkpoints" / f"step-{self.saved()[-1]:08d}"


class Lab:
    """Makes places for tries. Use as a context.

    Args:
        folder: where; what failed stays there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.server = Server()
        self.drawn: dict[str, Place] = {}  # what drawing.py has drawn undisturbed
        self._places = 0

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    def place(self, name: str) -> Place:
        self._places += 1
        return Place(self, self.folder / f"{self._places:04d}-{name}")

    def attempt(self, fault: Fault, case: Case) -> Tried:
        """Tries a case in a place of its own, which stays only if the run did not survive. Raises: SkippedTry."""
        place = self.place(fault.name)
        try:
            tried = case.attempt(place)
        except (TimeoutError, OSError, AssertionError) as error:
            tried = Tried([f"{type(error).__name__}: {error}"])
        except SkippedTry:
            shutil.rmtree(place.folder)
            raise
        if not tried.problems:
            shutil.rmtree(place.folder)
        return tried

    @cached_property
    def undisturbed(self) -> Place:
        """A run that nothing happened to."""
        return self._run_to_the_end(self.place("undisturbed"))

    @cached_property
    def undisturbed_pair(self) -> Place:
        """The same by two processes."""
        from .company import start_pair

        place = self.place("undisturbed-pair")
        for child in start_pair(place):
            assert child.wait() == 0, child.said
        return place

    @cached_property
    def half(self) -> Place:
        """A run that was stopped at step ``HALF``."""
        return self._run_to_the_end(self.place("half"), f"trainer.stop_at={HALF}")

    def copy_of_half(self, place: Place) -> Place:
        """Fills a place with the half-done run."""
        for ours, theirs in ((place.out, self.half.out), (place.cache, self.half.cache)):
            shutil.copytree(theirs, ours, symlinks=True)
        return place

    def _run_to_the_end(self, place: Place, *more: str) -> Place:
        child = place.start(*more)
        assert child.wait() == 0, child.said
        return place


def recover(
    place: Place,
    *,
    stands: int | None = None,
    at_most_redone: int | None = None,
    named: Sequence[str] = (),
    metrics: bool = True,
    same_files: bool = True,
    **inside: Any,
) -> Tried:
    """Starts the same command again and compares what comes out with an undisturbed run.

    Args:
        stands: step of the newest intact checkpoint; None: all that are there are intact.
        at_most_redone: steps that may have to be done again.
        named: words that say what is damaged, and have to come up.
        metrics: whether metrics.jsonl has to be the same.
        same_files: whether the names of all files have to be the same.
        inside: of that start, as ``inside.apply`` takes it.
    """
    done = place.steps_done()
    if stands is None:
        stands = (place.saved() or [0])[-1]
    child = place.start(**inside)
    code = child.wait()
    tried = ended_well(child, code)
    tried.redone = max(0, done - stands)
    if at_most_redone is not None and tried.redone > at_most_redone:
        tried.also(f"{tried.redone} steps had to be done again: done {done}, saved {stands}")
    found = re.findall(r"goes on from step (\d+)|finished at step (\d+) before", child.said)
    went_on = [int(a or b) for a, b in found]
    if went_on != ([stands] if stands else []):
        tried.also(f"went on from {went_on}, and the newest intact checkpoint is of step {stands}")
    tried.also(*(f"{word} is not named" for word in named if word not in child.said))
    return tried.also(*differences(place, place.lab.undisturbed, metrics=metrics, same_files=same_files))


def ended_well(child: Child, code: int) -> Tried:
    """A command that has to succeed."""
    tried = Tried()
    if code != 0:
        tried.also(f"exit {code}: {(child.said.strip().splitlines() or [''])[-1][:300]}")
    if "Traceback" in child.said:
        tried.also("it shows a stack trace")
    return tried


def ended_in_one_line(child: Child, code: int, *words: str) -> Tried:
    """A command that has to fail as users are told, in one line with these words."""
    errors = [line for line in child.said.splitlines() if ": error: " in line]
    tried = Tried()
    if code != 2 or len(errors) != 1:
        tried.also(f"exit {code} with {len(errors)} lines of error: {child.said.strip()[-300:]}")
    if "Traceback" in child.said:
        tried.also("it shows a stack trace")
    return tried.also(*(f"the error does not say {word}" for word in words if errors and word not in errors[0]))


def differences(place: Place, other: Place, *, metrics: bool = True, same_files: bool = True) -> list[str]:
    """What a finished run has otherwise than another: weights, optimisers' state, scores, sheets, packs, names of files."""
    found = []
    if place.saved()[-1:] != other.saved()[-1:]:
        return [f"ends with checkpoints {place.saved()}, not {other.saved()}"]
    for file in sorted(other.newest().glob("*.safetensors")):
        ours = place.newest() / file.name
        if not ours.is_file() or ours.read_bytes() != file.read_bytes():
            found.append(f"{file.name} differs")
    scores = [json.loads((p.newest() / "run.json").read_text())["scores"] for p in (place, other)]
    if scores[0] != scores[1]:
        found.append("the scores in run.json differ")
    if metrics and (place.out / "metrics.jsonl").read_text() != (other.out / "metrics.jsonl").read_text():
        found.append("metrics.jsonl differs")
    pictures = [p.relative_to(other.out) for p in other.out.rglob("*.png")]
    packs = [p for p in other.cache.rglob("*") if p.is_file()]
    for theirs, ours in [(other.out / p, place.out / p) for p in pictures] + [
        (p, place.cache / p.relative_to(other.cache)) for p in packs
    ]:
        if not ours.is_file() or ours.read_bytes() != theirs.read_bytes():
            found.append(f"{theirs.name} differs or is missing")
    return found + stray_files(place, other, same_files=same_files)


def stray_files(place: Place, other: Place, *, same_files: bool = True) -> list[str]:
    """Temporary files that are left, or names that the other does not have."""
    found = [f"{p} was left in the folder for temporary files" for p in place.tmp.iterdir() if not _is_of_others(p)]
    for ours, theirs in ((place.out, other.out), (place.cache, other.cache)):
        there, expected = names(ours), names(theirs)
        odd = {name for name in there - expected if same_files or "/." in f"/{name}"}
        found += [f"{name} was left" for name in sorted(odd)]
        if same_files:
            found += [f"{name} is missing" for name in sorted(expected - there)]
    return found


def _is_of_others(path: Path) -> bool:
    """What Python and torch make in the folder for temporary files: a probe whether it can be written, and a cache."""
    if path.is_file():
        return path.read_bytes() in (b"", b"blat")
    return path.name.startswith("torchinductor_")


def names(folder: Path) -> set[str]:
    """Paths of everything in a folder, but for TensorBoard's logs, of which each start writes one."""
    found = {str(p.relative_to(folder)) for p in folder.rglob("*")}
    return {name for name in found if not name.startswith("tensorboard/")}


def fresh_command(arguments: Sequence[str]) -> list[str]:
    """The command line in a process that nothing was imported into beforehand."""
    return [sys.executable, "-m", "fontgan", *arguments]
