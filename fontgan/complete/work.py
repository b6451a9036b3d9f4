"""The folder in which a typeface is completed, stage by stage, and the files that go out of it."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from fontgan.complete.plan import Plan
from fontgan.data.image_source import name_from_char
from fontgan.errors import ConfigError, RunError, shorten
from fontgan.fontfile.formats import further_files
from fontgan.fontfile.target import check_writable
from fontgan.runtime.checksums import sha256_of
from fontgan.runtime.file_names import is_of_the_system
from fontgan.runtime.files import atomic_write, out_file, user_path
from fontgan.untrusted.plain_json import convert, read_json

log = logging.getLogger(__name__)

STATE = "complete.json"
FORMAT = 1
STAGES = 5


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``complete.json``."""

    format: int
    identity: dict[str, str]
    stages: dict[str, str]
    made_by: str = ""
    wrote: dict[str, list[str]] = {}
    traced: dict[str, str] = {}
    learned_from: str | None = None
    room_for: str | None = None
    expected: dict[str, float] = {}


class Work:
    """The folder in which a typeface is completed, the files that go out of it, and what was done: ``complete.json``.

    Nothing is written before the first stage.

    Args:
        formats: files of the font in further formats, by format.
        identity: what one completion is known by: a folder that was begun with another is refused.
    Raises: RunError if the folder holds something else; ConfigError if the files to write are not of this completion.
    """

    def __init__(self, font: Path, formats: dict[str, Path], proof: Path, folder: Path, identity: dict[str, str]):
        self.font, self.formats, self.proof, self.folder = font, formats, proof, folder
        self.facts = read_state(folder, identity)
        self.run = folder / "run"
        self.glyphs = folder / "glyphs"
        self.redraw = folder / "redraw"  # the user's own drawings, which replace made glyphs
        self.reject = folder / "reject.txt"  # characters that do not go into the font
        self.checks = folder / "checks.json"
        self.outlines = folder / "outlines.ufo"
        self.own_outlines = folder / "own.ufo"  # of a target that is a folder: its own images' outlines
        for key, file in (("out", font), *formats.items(), ("proof", proof)):
            if file.is_file() and sha256_of(file) not in self.facts.get("wrote", {}).get(key, []):
                said = f"formats: {file}" if key in formats else f"{key}={file}:"
                raise ConfigError(
                    f"{said} is there already, and not from this work. Name another file, or take it away."
                )

    def glyph(self, char: str) -> Path:
        """The image of a made glyph."""
        return self.glyphs / f"{name_from_char(char)}.png"

    def once(self, stage: str, key: str, makes: Path, do: Callable[[], object]) -> None:
        """Does a stage, unless it was done with the same key and what it made is still there."""
        if self.facts["stages"].get(stage) != key or not makes.exists():
            do()
            self.done(stage, key)

    def done(self, stage: str, key: str) -> None:
        self.facts["stages"][stage] = key
        self.save()

    def save(self) -> None:
        atomic_write(self.folder / STATE, json.dumps(self.facts, ensure_ascii=False, indent=1) + "\n")

    def place(self, key: str, made: Path, file: Path) -> None:
        """Moves a finished file to where it was asked for, and remembers it as this completion's own.

        It is remembered first, beside the one that it replaces: whenever this is stopped, the file there is known.
        """
        there = [sha256_of(file)] if file.is_file() else []
        self.facts.setdefault("wrote", {})[key] = [*there, sha256_of(made)]
        self.save()
        atomic_write(file, made.read_bytes())
        made.unlink()


def read_state(folder: Path, identity: dict[str, str]) -> dict[str, Any]:
    """The facts of a folder's ``complete.json``, or those of a new one. Raises: RunError."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"work={folder}: is a file. Name a folder.")
    state = folder / STATE
    if not state.is_file():
        ours = {"redraw", "reject.txt", ".lock"}
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        if strangers := [name for name in there if name not in ours and not is_of_the_system(name)]:
            raise RunError(
                f"work={folder}: holds files that fontgan did not make ({shorten(sorted(strangers), 3)}). Name another work=."
            )
        return {"made_by": "fontgan complete", "format": FORMAT, "identity": identity, "stages": {}}
    try:
        facts: dict[str, Any] = read_json(state)
        convert(facts, State, version=FORMAT)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{state}: cannot be read ({error}). Name another work=, or take the folder away to begin anew."
        ) from error
    other = [key for key in identity if facts["identity"].get(key) != identity[key]]
    if other:
        raise RunError(
            f"work={folder}: was begun with another {' and '.join(other)}. Name another work=, or bring the old back."
        )
    return facts


def learn_as_before(plan: Plan, work: Work) -> None:
    """Keeps to the characters that a training begun in the work folder learns from, whatever is lacking by now."""
    before = work.facts.get("learned_from") if work.run.exists() else None
    if before is None:
        work.facts["learned_from"], work.facts["room_for"] = "".join(plan.learned_from), "".join(plan.lacking)
        return
    work.facts.setdefault("room_for", "")  # of a training begun before canvases had room for what is to be made
    more = [char for char in plan.learned_from if char not in before]
    if more:
        log.warning(
            "%s: its training does not learn from the %d characters of scripts that were not lacking when it began: %s. "
            "Name another work= to train with them.", work.run, len(more), shorten(more),
        )  # fmt: skip
    unshared = set(before) - (set(plan.source.coverage(list(before)).drawn) & set(plan.has))
    if unshared:
        raise RunError(
            f"{work.folder / STATE}: its training learned from characters that target and source do not share "
            f"({shorten(sorted(unshared))}). Name another work=, or take the folder away to begin anew."
        )
    plan.learned_from = list(before)


def say_stage(number: int, what: str) -> None:
    log.info("%d of %d: %s", number, STAGES, what)


def key_of(*parts: Any) -> str:
    """A hash of what a stage's result follows from."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()[:24]


def find_places(
    *, out: str, formats: Sequence[str], proof: str | None, work: str | None, target: str
) -> tuple[Path, dict[str, Path], Path, Path]:
    """Where things go; ``proof`` and ``work`` lie beside ``out`` where they are None.

    Returns: the font, its files in further formats, its page, and the folder to work in.
    Raises: ConfigError where something cannot be written.
    """
    font = out_file("out", out, ".ttf", ".otf")
    files = further_files(formats, font)
    page = out_file("proof", font.with_suffix(".proof.html") if proof is None else proof, ".html")
    folder = font.with_name(f"{font.stem}-work") if work is None else user_path(work)
    for key, place in (("out", font), ("proof", page), ("work", folder)):
        check_writable(place, key)
    if font.exists() and user_path(target).exists() and font.samefile(user_path(target)):
        raise ConfigError(f"out={font}: is the target itself, which stays as it is. Name another file.")
    return font, files, page, folder
