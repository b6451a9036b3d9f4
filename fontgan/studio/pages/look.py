"""Step 4, look: the made glyphs, the doubtful first; keep, reject, or draw one anew."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from fontgan.advice.neighbours import Neighbours
from fontgan.data.charset import visible
from fontgan.data.image_source import name_from_char
from fontgan.data.name_reading import char_from_name
from fontgan.errors import DataError
from fontgan.evaluation.checks_file import CheckedGlyph, read_checks
from fontgan.runtime.files import atomic_write
from fontgan.studio.app import Answer, Visit
from fontgan.studio.commands import first_source
from fontgan.studio.drawings import Drawing, redrawn_of
from fontgan.studio.project import Project
from fontgan.studio.source_picture import open_here

VERDICTS = ("keep", "reject")
NEIGHBOURS = 12  # glyphs that share a part, shown beside one
_ONE_AT_A_TIME = Lock()  # thousands of glyphs are described once, not by each request that waits for them


def show(visit: Visit) -> Response:
    cells = [] if visit.live else sorted(glyphs_of(visit), key=lambda one: -one.doubt)
    return visit.page(
        "look",
        cells=cells,
        rejected=set(listed(visit, "reject")),
        kept=set(listed(visit, "keep")),
        redrawn=redrawn_of(visit.project),
        stamp=stamp(visit),
    )


def glyphs_of(visit: Visit) -> list[CheckedGlyph]:
    """Made glyphs with what was found of them; none before they are made."""
    file = visit.project.work / "checks.json"
    return list(read_checks(file).values()) if file.is_file() else []


def stamp(visit: Visit) -> int:
    """Changes when glyphs are drawn anew, so that no browser shows an old image."""
    folder = visit.project.work / "glyphs"
    return int(folder.stat().st_mtime) if folder.is_dir() else 0


def listed(visit: Visit, verdict: str) -> list[str]:
    """Characters of reject.txt, or of the list of those that were looked at and kept."""
    file = visit.project.work / f"{verdict}.txt"
    return visible(file.read_text(encoding="utf-8-sig")) if file.is_file() else []


def image(visit: Visit) -> Response:
    """A glyph as it goes into the font: the user's own drawing, or the made one."""
    drawing = Drawing(visit.project, "redraw", char_of(visit))
    made = visit.project.work / "glyphs" / drawing.image.name
    file = next((file for file in (drawing.image, made) if file.is_file()), None)
    if file is None:
        raise HTTPException(404, "This glyph was not made here.")
    return FileResponse(file, media_type="image/png")


def judge(visit: Visit) -> Response:
    """Keeps or rejects a glyph, or takes that back."""
    char, verdict = visit.field("char"), visit.field("verdict")
    if char not in {one.char for one in glyphs_of(visit)}:
        raise DataError(f"{char!r}: is not a made glyph.")
    for name in VERDICTS:
        there = [one for one in listed(visit, name) if one != char]
        if name == verdict:
            there.append(char)
        if there or (visit.project.work / f"{name}.txt").is_file():
            atomic_write(visit.project.work / f"{name}.txt", "".join(there) + "\n")
    if visit.request.headers.get("accept", "").startswith("application/json"):
        return JSONResponse({name: listed(visit, name) for name in VERDICTS})
    return visit.to("/look")


def one_glyph(visit: Visit) -> Response:
    """A glyph large, with its source, and the canvas to draw it anew or mend it."""
    char = char_of(visit)
    cells = sorted(glyphs_of(visit), key=lambda one: -one.doubt)
    order = [one.char for one in cells]
    if char not in order:
        raise HTTPException(404, "This glyph was not made here.")
    place = order.index(char)
    content: dict[str, Any] = {"before": order[place - 1] if place else None, "after": [*order, None][place + 1]}
    return visit.page(
        "glyph",
        glyph=cells[place],
        name=name_from_char(char),
        drawing=Drawing(visit.project, "redraw", char),
        rejected=char in listed(visit, "reject"),
        kept=char in listed(visit, "keep"),
        stamp=stamp(visit),
        **content,
    )


def neighbours(visit: Visit) -> Response:
    """Made and own glyphs that share a part with one, as a piece of its page that comes when it is reckoned."""
    char = char_of(visit)
    made = [one.char for one in glyphs_of(visit)]
    found = visit.project.read("coverage.json") or {}
    among = dict.fromkeys([*made, *str(found.get("characters", ""))])
    shown = neighbours_of(visit.project, "".join(among), char)
    there = set(made)
    return visit.page("neighbours", shown=shown, made=there, stamp=stamp(visit))


def neighbours_of(project: Project, among: str, char: str) -> list[str]:
    with _ONE_AT_A_TIME:
        return _neighbours(project.folder, first_source(project), among).of(char, NEIGHBOURS)


@lru_cache(maxsize=1)
def _neighbours(folder: Path, source: str, among: str) -> Neighbours:
    return Neighbours(open_here(folder, source), list(among))


def char_of(visit: Visit) -> str:
    char = char_from_name(str(visit.request.path_params["name"]))
    if char is None:
        raise HTTPException(404, "No character has this name.")
    return char


ROUTES: list[tuple[str, Answer, str]] = [
    ("/look", show, "GET"),
    ("/look/judge", judge, "POST"),
    ("/look/{name}", one_glyph, "GET"),
    ("/look/{name}/neighbours", neighbours, "GET"),
    ("/glyph/{name}", image, "GET"),
]
