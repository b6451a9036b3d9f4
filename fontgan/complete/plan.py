"""What completing a typeface takes: which characters it lacks, which it can be learned from, and what is done already."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fontTools import unicodedata as scripts

from fontgan.data import charset as charsets
from fontgan.data.frame import Box, clips, fit_canvas
from fontgan.data.glyphs import GlyphSource
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.sources import check_style_name, open_glyphs, style_name
from fontgan.errors import DataError, RunError, shorten
from fontgan.runtime.files import atomic_write, read_json

log = logging.getLogger(__name__)

MIN_KNOWN_CHARS = 10  # characters to learn a style from
STATE = "complete.json"
FORMAT = 1


@dataclass
class Plan:
    """A typeface to complete.

    Args:
        has: characters that the target has, of all.
        lacking: characters to make: wanted, not in the target, in the source.
        undrawable: wanted characters that the source lacks too.
        learned_from: characters of both, of the scripts that are lacking.
    """

    target: GlyphSource
    source: GlyphSource
    has: list[str]
    lacking: list[str]
    undrawable: list[str]
    learned_from: list[str]
    style: str = "target"

    @property
    def from_images(self) -> bool:
        """Whether the target is a folder of glyph images, so that a new font is made."""
        return isinstance(self.target, FolderGlyphs)


def plan_completion(target: str, source: str, charset: str, *, fewest: int = MIN_KNOWN_CHARS) -> Plan:
    """Looks at both and finds what is to be made.

    Args:
        target, source: as ``fontgan.data.sources.open_glyphs`` takes them.
        charset: as ``fontgan.data.charset.resolve`` takes it; ``font`` is all the source has.
        fewest: characters that they must have in common; 0 where nothing is learned.
    Raises: DataError if one cannot be read, nothing is lacking, or they have too little in common.
    """
    wanted = charsets.resolve(charset)
    drawn, complete = open_glyphs(target), open_glyphs(source)
    drawable = complete.coverage(wanted).present
    has = drawn.coverage(None).present
    there = set(has)
    lacking = [char for char in drawable if char not in there]
    undrawable = [char for char in wanted or [] if char not in there | set(drawable)]
    if not lacking and undrawable:
        raise DataError(
            f"{source}: lacks all {len(undrawable)} characters that {target} lacks of charset={charset} ({shorten(undrawable)}). "
            "Choose another source."
        )
    if not lacking:
        raise DataError(f"{target}: has all characters of charset={charset} already. Choose a larger charset.")
    wanted_scripts = {script_of(char) for char in lacking}
    learned_from = complete.coverage([char for char in has if script_of(char) in wanted_scripts]).present
    if len(learned_from) < fewest:
        raise DataError(
            f"{target}: has {len(learned_from)} characters in common with {source} to learn from, of the scripts that are "
            f"lacking ({', '.join(sorted(wanted_scripts))}); {fewest} are needed. Draw some of them first: fontgan advise."
        )
    return Plan(drawn, complete, has, lacking, undrawable, learned_from, _style_name(target))


def script_of(char: str) -> str:
    """Unicode's script, such as ``Han``; what several scripts share, such as digits, is ``Common``."""
    return str(scripts.script_name(scripts.script(char)))


def _style_name(target: str) -> str:
    name = style_name(target)
    try:
        check_style_name(name, "target", "")
    except DataError:
        return "target"  # a name such as "My Font (2).ttf" will do for a file, not for a style
    return name


@dataclass
class Work:
    """The folder in which a typeface is completed, and what was done there: file names and ``complete.json``."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def glyphs(self) -> Path:
        """The made glyphs as images."""
        return self.folder / "glyphs"

    @property
    def redraw(self) -> Path:
        """The user's own drawings, which replace made glyphs."""
        return self.folder / "redraw"

    @property
    def reject(self) -> Path:
        """A text file of characters that do not go into the font."""
        return self.folder / "reject.txt"

    @property
    def checks(self) -> Path:
        return self.folder / "checks.json"

    @property
    def outlines(self) -> Path:
        return self.folder / "outlines.ufo"

    @property
    def own_outlines(self) -> Path:
        """Of a target that is a folder: its own images' outlines."""
        return self.folder / "own.ufo"

    def is_done(self, stage: str, key: str, *made: Path) -> bool:
        """Whether a stage was done with the same key, and what it made is still there."""
        return self.facts["stages"].get(stage) == key and all(path.exists() for path in made)

    def done(self, stage: str, key: str) -> None:
        self.facts["stages"][stage] = key
        self.save()

    def save(self) -> None:
        atomic_write(self.folder / STATE, json.dumps(self.facts, ensure_ascii=False, indent=1) + "\n")


def open_work(folder: Path, identity: dict[str, str]) -> Work:
    """Takes a folder to work in; nothing is written yet.

    Args:
        identity: what one completion is known by: a folder that was begun with another is refused.
    Raises: RunError if the folder holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"work={folder}: is a file. Name a folder.")
    state = folder / STATE
    if not state.is_file():
        ours = {"redraw", "reject.txt", ".lock"}
        strangers = [path.name for path in folder.iterdir() if path.name not in ours] if folder.is_dir() else []
        if strangers:
            raise RunError(
                f"work={folder}: holds files that fontgan did not make ({shorten(sorted(strangers), 3)}). Name another work=."
            )
        return Work(folder, {"made_by": "fontgan complete", "format": FORMAT, "identity": identity, "stages": {}})
    try:
        facts = _checked_state(read_json(state))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{state}: cannot be read ({error}). Name another work=, or take the folder away to begin anew."
        ) from error
    other = [key for key in identity if facts["identity"].get(key) != identity[key]]
    if other:
        raise RunError(
            f"work={folder}: was begun with another {' and '.join(other)}. Name another work=, or bring the old back."
        )
    return Work(folder, facts)


def _checked_state(facts: Any) -> dict[str, Any]:
    """Raises: ValueError for what is no ``complete.json`` of this version."""
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError("of another version of fontgan")
    tables = {key: facts.get(key, {}) for key in ("identity", "stages", "wrote", "traced")}
    if not all(isinstance(table, dict) for table in tables.values()) or not {"identity", "stages"} <= facts.keys():
        raise ValueError("no state of a completion")
    lists = tables["wrote"].values()
    values = [facts.get("learned_from") or "", *(v for name in ("stages", "traced") for v in tables[name].values())]
    if not all(isinstance(each, list) for each in lists) or not all(isinstance(v, str) for v in values):
        raise ValueError("a value of another kind than it should be")
    return facts


def learn_as_before(plan: Plan, work: Work) -> None:
    """Keeps to the characters that a training begun in the work folder learns from, whatever is lacking by now."""
    before = work.facts.get("learned_from") if work.run.exists() else None
    if before is None:
        work.facts["learned_from"] = "".join(plan.learned_from)
        return
    there = set(before)
    more = [char for char in plan.learned_from if char not in there]
    if more:
        log.warning(
            "%s: its training does not learn from the %d characters of scripts that were not lacking when it began: %s. "
            "Name another work= to train with them.", work.run, len(more), shorten(more),
        )  # fmt: skip
    shared = set(plan.source.coverage(list(before)).present) & set(plan.has)
    if there - shared:
        raise RunError(
            f"{work.folder / STATE}: its training learned from characters that target and source do not share "
            f"({shorten(sorted(there - shared))}). Name another work=, or take the folder away to begin anew."
        )
    plan.learned_from = list(before)


def key_of(*parts: Any) -> str:
    """A hash of what a stage's result follows from."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()[:24]


def clipped_on(plan: Plan, size: int, margin: float) -> list[str]:
    """Characters whose source glyphs reach over the edge of the canvas that the characters in common decide."""
    boxes = [plan.source.ink_box(char) for char in plan.learned_from]
    canvas = fit_canvas(boxes, size, margin)
    found: list[tuple[str, Box]] = [(char, canvas.box(plan.source.ink_box(char))) for char in plan.lacking]
    return [char for char, box in found if clips(box, size)]


STAGES = 5


@dataclass(frozen=True)
class Places:
    """The files asked for and the folder to work in."""

    font: Path
    proof: Path
    work: Path


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def place(work: Work, key: str, made: Path, file: Path) -> None:
    """Moves a finished file to where it was asked for, and remembers it as this completion's own.

    It is remembered first, beside the one that it replaces: whenever this is stopped, the file there is known.
    """
    there = [sha256_of(file)] if file.is_file() else []
    work.facts.setdefault("wrote", {})[key] = [*there, sha256_of(made)]
    work.save()
    atomic_write(file, made.read_bytes())
    made.unlink()


def say_stage(number: int, what: str) -> None:
    log.info("%d of %d: %s", number, STAGES, what)
