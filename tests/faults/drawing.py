"""Long drawings that are killed: only whole files are left, and the same command does the rest."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path
from random import Random

from PIL import Image

from .lab import Case, Lab, Place, Tried, ended_well, names

CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可"


def infer(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """``fontgan infer`` over a folder of images."""
    return _cases(lab, random, count, "infer", 20)


def render(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """``fontgan render``."""
    return _cases(lab, random, count, "render", 12)


def vectorize(lab: Lab, random: Random, count: int | None) -> list[Case]:
    """``fontgan vectorize`` of a folder of images."""
    return _cases(lab, random, count, "vectorize", 12)


def _command(verb: str, place: Place) -> list[str]:
    lab, out = place.lab, f"out={_out(verb, place)}"
    if verb == "render":
        chars = place.folder / "chars.txt"
        chars.write_text(CHARS)
        font = Path(__file__).parents[2] / "fontgan" / "assets" / "fonts" / "NotoSansSC-Regular.ttf"
        return ["render", f"font={font}", f"charset={chars}", "size=64", out]
    images = _drawn(lab, "render").folder / "render"
    if verb == "vectorize":
        return ["vectorize", f"input={images}", out]
    return [
        "infer",
        f"checkpoint={lab.undisturbed.out}",
        f"input={images}",
        "style=kai",
        "batch_size=4",
        "device=cpu",
        "allow=[blank]",  # what a network draws after six steps
        out,
    ]


def _out(verb: str, place: Place) -> Path:
    return place.folder / ("drawn.ufo" if verb == "vectorize" else verb)


def _drawn(lab: Lab, verb: str) -> Place:
    """The command undisturbed, once."""
    if verb not in lab.drawn:
        place = lab.place(f"undisturbed-{verb}")
        child = place.start(command=_command(verb, place))
        assert child.wait() == 0, child.said
        lab.drawn[verb] = place
    return lab.drawn[verb]


def _cases(lab: Lab, random: Random, count: int | None, verb: str, default: int) -> list[Case]:
    points = _drawn(lab, verb).points()
    cases = []
    for _ in range(default if count is None else count):
        if random.random() < 0.8:
            at = random.randrange(1, len(points) + 1)
            title = f"{points[at - 1]} (no. {at} of {len(points)})"
            cases.append(Case(title, partial(_killed, verb, at, None)))
        else:
            share = random.random()
            cases.append(Case(f"from outside, after {share:.0%} of the glyphs", partial(_killed, verb, None, share)))
    return cases


def _killed(verb: str, at: int | None, share: float | None, place: Place) -> Tried:
    whole = _drawn(place.lab, verb)
    out, expected = _out(verb, place), _out(verb, whole)
    command = _command(verb, place)
    if at is not None:
        child = place.start(command=command, at=at, action="torn")
    else:
        child = place.start(command=command)
        enough = (share or 0) * len(list(expected.rglob("*.*")))
        while child.poll() is None and len(list(place.folder.glob(f"*{out.name}*/**/*.*"))) < enough:
            time.sleep(0.001)  # or in a folder aside
        child.signal(signal.SIGKILL)
    child.wait()
    tried = Tried()
    for file in out.rglob("*.png"):
        if not file.name.startswith("."):
            tried.also(_problem_of_image(file, expected / file.relative_to(out)))
    if verb == "vectorize" and out.exists():  # it was done, and a UFO may have been edited since
        tried.also("the UFO is not whole" if names(out) != names(expected) else "")
        command.append("overwrite=true")
    again = place.start(command=command)
    tried.also(*ended_well(again, again.wait()).problems)
    for name in names(expected) | names(out):
        ours, theirs = out / name, expected / name
        if not theirs.exists():
            tried.also(f"{name} was left")
        elif theirs.is_file() and (not ours.is_file() or ours.read_bytes() != theirs.read_bytes()):
            tried.also(f"{name} differs or is missing")
    left = names(place.folder) - names(whole.folder)
    return tried.also(*(f"{name} was left" for name in left if not name.startswith(("notes/", out.name))))


def _problem_of_image(file: Path, expected: Path) -> str:
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError) as error:
        return f"{file.name} is not whole ({error})"
    return "" if file.read_bytes() == expected.read_bytes() else f"{file.name} differs"
