"""Files of checkpoints, runs and packs that are cut off, changed, emptied or removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from .lab import HALF, SAVE_EVERY, STEPS, Case, Lab, Place, Tried, differences, ended_in_one_line, ended_well, recover

HOW = ("cut off", "first byte", "any bit", "last byte", "emptied", "removed")


def damage(file: Path, how: str, random: Random) -> None:
    """Does one of ``HOW`` to a file."""
    data = bytearray(file.read_bytes())
    if how == "removed":
        file.unlink()
        return
    if how == "emptied":
        data = bytearray()
    elif how == "cut off":
        data = data[: random.randrange(1, len(data))]
    else:
        place = {"first byte": 0, "last byte": len(data) - 1}.get(how, random.randrange(len(data)))
        data[place] ^= 1 << random.randrange(8)
    file.write_bytes(data)


def checkpoint(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Each file of the newest checkpoint, in each way; a file of the older one; one of each."""
    found = []
    for file in sorted(path.name for path in lab.half.newest().iterdir()):
        for how in HOW:
            found.append((f"newest {file}: {how}", partial(_newest, file, how)))
        found.append((f"older {file}: any bit", partial(_older, file)))
        found.append((f"{file} of all: any bit", partial(_all, file)))
    return _seeded(found, random, count)


def run_files(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """The run's own config.yaml and metrics.jsonl, in each way."""
    found = [(f"config.yaml: {how}", partial(_config, how)) for how in HOW]
    found += [(f"metrics.jsonl: {how}", partial(_metrics, how)) for how in HOW]
    return _seeded(found, random, count)


def pack(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Each file of the pack, in each way, before the run goes on and while it is training; and the whole pack gone."""
    found = []
    for file in sorted(path.name for path in _pack_of(lab.half).iterdir() if not path.name.startswith(".")):
        for how in HOW:
            found.append((f"{file}: {how}, while stopped", partial(_pack_stopped, file, how)))
            found.append((f"{file}: {how}, while training", partial(_pack_running, file, how)))
    found.append(("all of it removed, while stopped", partial(_pack_stopped, "", "removed")))
    found.append(("all of it removed, while training", partial(_pack_running, "", "removed")))
    return _seeded(found, random, count)


def _seeded(found: list[tuple[str, Callable[[Random, Place], Tried]]], random: Random, count: int | None) -> list[Case]:
    """Cases that each have random numbers of their own, so that any of them can be done again alone."""
    if count is not None:
        found = random.sample(found, count)
    cases = []
    for title, attempt in found:
        seed = random.randrange(10**6)
        cases.append(Case(f"{title} (seed {seed})", lambda place, a=attempt, s=seed: a(Random(s), place)))  # type: ignore[misc]
    return cases


def _newest(file: str, how: str, random: Random, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    damage(place.newest() / file, how, random)
    return recover(place, stands=HALF - SAVE_EVERY, named=(place.newest().name, file))


def _older(file: str, random: Random, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    damage(place.out / "checkpoints" / f"step-{HALF - SAVE_EVERY:08d}" / file, "any bit", random)
    return recover(place, stands=HALF)


def _all(file: str, random: Random, place: Place) -> Tried:
    """Nothing is left to go on from: that is told, not passed over by starting anew."""
    place.lab.copy_of_half(place)
    for step in place.saved():
        damage(place.out / "checkpoints" / f"step-{step:08d}" / file, "any bit", random)
    child = place.start()
    tried = ended_in_one_line(child, child.wait(), file)
    shutil.rmtree(place.out / "checkpoints")  # as the message advises
    return recover(place).also(*tried.problems)


def _config(how: str, random: Random, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    file = place.out / "config.yaml"
    before = _meaning(file)
    damage(file, how, random)
    named = ("config.yaml",) if _meaning(file) != before else ()  # a letter of a comment may change
    return recover(place, stands=HALF, named=named)


def _meaning(file: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError):
        return None


def _metrics(how: str, random: Random, place: Place) -> Tried:
    """What the damage took is lost; what it left stays, and nothing is written twice."""
    place.lab.copy_of_half(place)
    file = place.out / "metrics.jsonl"
    damage(file, how, random)
    left = file.read_bytes().splitlines()[:-1] if file.exists() else []
    tried = recover(place, stands=HALF, metrics=False)
    lines = file.read_bytes().splitlines()
    read = []
    for line in lines:
        try:
            read.append(json.loads(line))
        except ValueError:
            tried.also(f"metrics.jsonl has a line that is no JSON: {line[:80]!r}")
    said = [(line["step"], line["kind"]) for line in read if isinstance(line, dict) and {"step", "kind"} <= line.keys()]
    if len(set(said)) < len(said):
        tried.also(f"metrics.jsonl has lines twice: {said}")
    if (STEPS, "held_out") not in said:
        tried.also("metrics.jsonl lacks the last scores")
    for line in left:
        if line not in lines and _is_json(line):
            tried.also(f"metrics.jsonl has lost a line that was intact: {line[:80]!r}")
    return tried


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _pack_of(place: Place) -> Path:
    return next(path for path in (place.cache / "packs").iterdir() if not path.name.startswith("."))


def _damage_pack(place: Place, file: str, how: str, random: Random) -> None:
    if file:
        damage(_pack_of(place) / file, how, random)
    else:
        shutil.rmtree(_pack_of(place))


def _pack_stopped(file: str, how: str, random: Random, place: Place) -> Tried:
    place.lab.copy_of_half(place)
    _damage_pack(place, file, how, random)
    return _goes_on_with_the_pack(place, HALF, file)


def _pack_running(file: str, how: str, random: Random, place: Place) -> Tried:
    """It may end well, with what it had read or holds open; or with one line that names the file."""
    place.lab.copy_of_half(place)
    child = place.start(pause=HALF + 1)
    while place.steps_done() <= HALF and child.poll() is None:
        pass
    _damage_pack(place, file, how, random)
    (place.notes / "go").touch()
    code = child.wait()
    if code == 0:
        return ended_well(child, code).also(
            *(problem for problem in differences(place, place.lab.undisturbed) if not _of_the_pack(problem))
        )
    tried = ended_in_one_line(child, code, *([file] if file else []))
    return _goes_on_with_the_pack(place, (place.saved() or [0])[-1], file).also(*tried.problems)


def _goes_on_with_the_pack(place: Place, stands: int, file: str) -> Tried:
    """The damaged pack is named and made again, at once or, where its pixels turn out damaged on the way, by the next start."""
    child = place.start()
    code = child.wait()
    tried = Tried()
    if code == 0:
        tried = ended_well(child, code).also(*differences(place, place.lab.undisturbed))
        if f"goes on from step {stands}" not in child.said:
            tried.also(f"did not go on from step {stands}")
    else:
        tried = ended_in_one_line(child, code, *([file] if file else []))
        tried.also(*recover(place).problems)
    if file and file not in child.said:
        tried.also(f"{file} is not named")
    return tried


def _of_the_pack(problem: str) -> bool:
    return problem.startswith(("pixels-", "checksums.npy", "index.json", "packs/"))
