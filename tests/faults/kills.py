"""Processes killed by SIGKILL, and those that are asked to end by a signal."""

from __future__ import annotations

import signal
import subprocess
import time
from functools import partial
from random import Random

from .lab import SAVE_EVERY, STEPS, Case, Lab, Place, Tried, differences, fresh_command, recover

KILLS = 100  # unless told
CHAIN = 4  # kills of one run
_KINDS = {"saving": 4, "packing": 2, "any": 2, "step": 1, "aside": 2}  # how often each


def kill(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Kills at random moments: two of three among what saving and packing do to files, the others at any time.

    ``saving``, ``packing``, ``any``: before the k-th thing done to a file, or after half of it is written.
    ``step``: from outside, a while after a step. ``aside``: from outside, when something half-written is seen.
    """
    points = lab.undisturbed.points()
    groups = {
        "saving": [k for k, point in enumerate(points, 1) if "run/checkpoints" in point],
        "packing": [k for k, point in enumerate(points, 1) if " cache" in point],
        "any": list(range(1, len(points) + 1)),
    }
    cases = []
    for kind in random.choices(list(_KINDS), list(_KINDS.values()), k=KILLS if count is None else count):
        if kind in groups:
            at = random.choice(groups[kind])
            action = "torn" if points[at - 1].startswith("fsync") and random.random() < 0.5 else "kill"
            cases.append(_from_inside(points, at, action))
        elif kind == "step":
            step, wait_s = random.randrange(STEPS + 1), random.uniform(0, 0.06)
            cases.append(Case(f"{1e3 * wait_s:.1f} ms after step {step}", partial(_after_step, step, wait_s)))
        else:
            pattern = random.choice(["run/checkpoints/.step-*", "run/checkpoints/.step-*", "cache/packs/.*-*"])
            nth, wait_s = random.randrange(1, STEPS // SAVE_EVERY + 1), random.uniform(0, 0.01)
            cases.append(
                Case(f"{1e3 * wait_s:.1f} ms after {pattern} no. {nth}", partial(_at_aside, pattern, nth, wait_s))
            )
    return cases


def every_point(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """Kills at every single thing that a run does to files, and after half of each file was written."""
    points = lab.undisturbed.points()
    cases = [_from_inside(points, at, "kill") for at in range(1, len(points) + 1)]
    cases += [
        _from_inside(points, at, "torn") for at in range(1, len(points) + 1) if points[at - 1].startswith("fsync")
    ]
    return cases if count is None else random.sample(cases, count)


def kill_again(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """One run killed several times, each time while it recovers from the kill before."""
    points = len(lab.undisturbed.points())
    return [
        Case(f"at {moments} of about {points}", partial(_kill_again, moments))
        for moments in ([random.randrange(1, points // 2) for _ in range(CHAIN)] for _ in range(count or 10))
    ]


def signals(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """SIGTERM and SIGINT once: the step is finished and saved. SIGINT twice: it stops at once."""
    cases = []
    for number, times in ((signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGINT, 2)):
        for step in range(1, STEPS, 2):
            words = f"{number.name} {'once' if times == 1 else 'twice'} during step {step}"
            cases.append(Case(words, partial(_signal, number, times, step)))
    if count == 3:
        return [random.choice(cases[first : first + STEPS // 2]) for first in range(0, len(cases), STEPS // 2)]
    return cases if count is None else random.sample(cases, count)


def fresh(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """A process of its own gives the same bits as the forked ones; and one that is killed."""
    cases = [Case("python -m fontgan, undisturbed", _fresh), Case("python -m fontgan, killed", _fresh_killed)]
    return cases[:count]


def _from_inside(points: list[str], at: int, action: str) -> Case:
    title = f"{'half of ' if action == 'torn' else ''}{points[at - 1]} (no. {at} of {len(points)})"
    return Case(title, partial(_kill_from_inside, at, action))


def _kill_from_inside(at: int, action: str, place: Place) -> Tried:
    child = place.start(at=at, action=action)
    code = child.wait()
    if code != -signal.SIGKILL:
        return Tried([f"was not killed but ended with {code}: {child.said[-200:]}"])
    return recover(place, at_most_redone=SAVE_EVERY)


def _after_step(step: int, wait_s: float, place: Place) -> Tried:
    child = place.start()
    while place.steps_done() < step and child.poll() is None:
        time.sleep(0.001)
    time.sleep(wait_s)
    child.signal(signal.SIGKILL)
    child.wait()
    return recover(place, at_most_redone=SAVE_EVERY)


def _at_aside(pattern: str, nth: int, wait_s: float, place: Place) -> Tried:
    child = place.start("data.workers=3", helpers=0.05) if "packs" in pattern else place.start()
    seen: set[str] = set()
    while len(seen) < (nth if "step" in pattern else 1) and child.poll() is None:
        seen |= {path.name for path in place.folder.glob(pattern)}
    time.sleep(wait_s)
    child.signal(signal.SIGKILL)
    child.wait()
    return recover(place, at_most_redone=SAVE_EVERY)


def _kill_again(moments: list[int], place: Place) -> Tried:
    tried = Tried()
    for at in moments:
        done, child = place.steps_done(), place.start(at=at, action="kill")
        if child.wait() == 0:
            break
        stood = (place.saved() or [0])[-1]
        if done - stood > SAVE_EVERY:
            tried.also(f"{done - stood} steps had to be done again")
    after = recover(place, at_most_redone=SAVE_EVERY)
    return after.also(*tried.problems)


def _signal(number: signal.Signals, times: int, step: int, place: Place) -> Tried:
    child = place.start(pause=step)
    while place.steps_done() < step and child.poll() is None:
        time.sleep(0.002)
    for _ in range(times):
        child.signal(number)
        time.sleep(0.05)  # two that come together are one
    (place.notes / "go").touch()
    code = child.wait()
    tried = Tried()
    expected = 130 if times == 2 else 128 + number
    if code != expected or "Traceback" in child.said:
        tried.also(f"ended with {code}, not {expected}: {child.said[-300:]}")
    if times == 1 and (place.saved() or [0])[-1] != step:
        tried.also(f"saved {place.saved()}, not the step that it finished")
    again = recover(place, at_most_redone=SAVE_EVERY if times == 2 else 0, same_files=False)  # it saved once more
    return again.also(*tried.problems)


def _fresh(place: Place) -> Tried:
    ended = subprocess.run(fresh_command(place.command), env=place.env, capture_output=True, text=True, timeout=120)
    if ended.returncode:
        return Tried([ended.stderr[-300:]])
    return Tried(differences(place, place.lab.undisturbed))


def _fresh_killed(place: Place) -> Tried:
    process = subprocess.Popen(fresh_command(place.command), env=place.env, stderr=subprocess.DEVNULL)
    while len(place.saved()) < 2 and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    return recover(place)
