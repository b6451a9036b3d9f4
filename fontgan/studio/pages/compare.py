"""Two states of a training, or two trainings, drawn over each other: one key flips from one to the other."""

from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

from fontgan.data.charset import visible
from fontgan.data.image_source import name_from_char
from fontgan.errors import DataError
from fontgan.studio import commands
from fontgan.studio.app import Answer, Visit

MAX_CHARS = 60


class Choice(NamedTuple):
    """A checkpoint that can be drawn with."""

    path: str  # of the checkpoint, in the project's folder
    made: str  # the folder of its training: font, font-2
    step: int

    @property
    def folder(self) -> str:
        """Where its glyphs are drawn to."""
        return f"compare/{self.made}-{self.step}"


def choices(visit: Visit) -> list[Choice]:
    """The checkpoints of every round, the newest first."""
    found = []
    for folder in visit.project.folder.glob(str(Path("font*", "work", "run", "checkpoints", "step-*"))):
        made, step = folder.relative_to(visit.project.folder).parts[0], folder.name.removeprefix("step-")
        if step.isdigit():
            found.append(Choice(visit.project.relative(folder), made, int(step)))
    return sorted(found, key=lambda one: (one.made, one.step), reverse=True)


def show(visit: Visit) -> Response:
    there = choices(visit)
    asked = [visit.request.query_params.get(key, "") for key in ("one", "other")]
    pair = [next((one for one in there if one.path == path), None) for path in asked]
    chars = visible(visit.project.chosen.text)[:MAX_CHARS]
    both = [one for one in pair if one]
    drawn = {
        one.path: {
            char for char in chars if (visit.project.folder / one.folder / f"{name_from_char(char)}.png").is_file()
        }
        for one in both
    }
    return visit.page(
        "compare", choices=there, pair=both if len(both) == 2 else [], asked=asked, chars=chars, drawn=drawn
    )


def draw(visit: Visit) -> Response:
    """Draws the text with both."""
    there = {one.path: one for one in choices(visit)}
    paths = [visit.field("one"), visit.field("other")]
    if not set(paths) <= set(there):
        raise DataError("There is no such checkpoint. Choose two of the list.")
    chars = "".join(visible(str(visit.form.get("text", "")))[:MAX_CHARS])
    if not chars:
        raise DataError("text: is empty. Write some characters to compare.")
    visit.project.choose(text=chars)
    for path in dict.fromkeys(paths):
        visit.ask(commands.draw_with(path, chars, there[path].folder))
    return visit.to(f"/compare?one={paths[0]}&other={paths[1]}")


ROUTES: list[tuple[str, Answer, str]] = [
    ("/compare", show, "GET"),
    ("/compare", draw, "POST"),
]
