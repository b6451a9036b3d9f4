"""The folder of a project, and what was chosen in it: ``project.json``.

in/          what was dropped: fonts, a folder of glyph images, photographs of pages
hand/        glyph images cut out of photographs or drawn on the screen;  ink/ keeps the drawn strokes
coverage.json, preview.png, next.txt, sheets.pdf    what the short commands leave
font/        the font, its proof page and the work folder of fontgan complete; font-2/ after other glyphs or sources
jobs/        the commands
"""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from fontgan.data.image_source import image_files
from fontgan.errors import RunError
from fontgan.runtime.file_names import composed, is_of_the_system, portable
from fontgan.runtime.files import write_json
from fontgan.untrusted.plain_json import convert, read_json

FORMAT = 1


class Choices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The schema of ``project.json``; paths are those that a command in the project's folder takes."""

    format: int = FORMAT
    target: str = ""  # a font in in/, or a folder of glyph images; empty: not chosen yet
    sources: list[str] = []  # none: chosen by fontgan
    charset: str = ""  # empty: chosen by fontgan
    family: str = ""
    text: str = ""  # a text of the user's own, to see drawn
    owned: bool = False  # the licence of the target was read, and the user may change it all the same
    doubtful: str = "keep"
    formats: list[str] = []  # beside the font itself
    credits: dict[str, str] = {}  # what the font is to say of itself, by the settings of fontgan complete
    settings: dict[str, str] = {}  # further settings of fontgan complete, as typed
    round: Annotated[int, Meta(ge=1)] = 1  # trainings that were begun with other glyphs or sources
    trained_on: str = ""  # what the present round was begun with: ``Project.learns_from``


@dataclass(frozen=True)
class Project:
    folder: Path
    chosen: Choices

    @property
    def stands(self) -> bool:
        """Whether anything was written yet."""
        return (self.folder / "project.json").is_file()

    @property
    def begun(self) -> bool:
        return bool(self.chosen.target)

    @property
    def from_images(self) -> bool:
        return self.begun and (self.folder / self.chosen.target).is_dir()

    @property
    def name(self) -> str:
        """What the font's files are called."""
        plain = re.sub(r"[^\w-]+", "", composed(self.chosen.family) or PurePosixPath(self.chosen.target).stem)
        return portable(plain or "Font")

    @property
    def font(self) -> str:
        """The font file that is made, relative to the folder."""
        return f"{self.made}/{self.name}{'.otf' if self.chosen.target.lower().endswith('.otf') else '.ttf'}"

    @property
    def made(self) -> str:
        """The folder of the present round; those before stay as they are."""
        return "font" if self.chosen.round == 1 else f"font-{self.chosen.round}"

    @property
    def learns_from(self) -> str:
        """Changes when a training that was begun could not go on: with the target, its images, or the sources."""
        images = self.folder / self.chosen.target
        files = [(file.name, file.stat().st_mtime_ns) for file in image_files(images)] if self.from_images else []
        told = repr((self.chosen.target, self.chosen.sources, files))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def begin_round(self) -> "Project":
        """Where the glyphs or the source are others than those of the present round, begins a new one."""
        now, before = self.learns_from, self.chosen.trained_on
        if now == before:
            return self
        return self.choose(trained_on=now, round=self.chosen.round + bool(before and self.work.exists()))

    @property
    def work(self) -> Path:
        return self.folder / self.made / "work"

    @property
    def proof(self) -> Path:
        return self.folder / self.made / f"{self.name}.proof.html"

    def relative(self, path: Path) -> str:
        """As commands name it."""
        return path.relative_to(self.folder).as_posix()

    @property
    def hand(self) -> Path:
        return self.folder / "hand"

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON file that a command left; None where there is none that can be read."""
        try:
            found = read_json(self.folder / name)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def choose(self, **changed: Any) -> "Project":
        """Writes further choices down."""
        changed_project = replace(self, chosen=structs.replace(self.chosen, **changed))
        (self.folder / changed_project.made).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "project.json", structs.asdict(changed_project.chosen))
        return changed_project


def open_project(folder: Path) -> Project:
    """Opens a project, or an empty one where there is none yet; only ``choose`` writes.

    Raises: RunError if the folder holds something else, or its ``project.json`` cannot be read.
    """
    file = folder / "project.json"
    if folder.exists() and not folder.is_dir():
        raise RunError(f"project={folder}: is a file. Name a folder.")
    if not file.is_file():
        ours = {"jobs", "in", "font", ".lock"}
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if strange := [name for name in there if name not in ours and not is_of_the_system(name)]:
            raise RunError(f"project={folder}: holds other files ({strange[0]}). Name an empty or a new folder.")
        return Project(folder, Choices())
    try:
        return Project(folder, convert(read_json(file), Choices, version=FORMAT))
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read ({error}). Mend it, or name another project folder.") from error
