"""Step 1, start: what there is to begin with, what it lacks, what it is to have in the end, and what to draw from."""

from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response

from fontgan.data.region import JAPANESE, KOREAN, LATIN, SIMPLIFIED, TRADITIONAL
from fontgan.data.shelf import shelf
from fontgan.errors import DataError
from fontgan.runtime.file_names import is_of_the_system
from fontgan.runtime.files import atomic_write
from fontgan.studio import commands, uploads, words
from fontgan.studio.app import Answer, Visit
from fontgan.studio.hand_folder import begin_hand

# What an empty hand can be begun for.
REGIONS = {region.sets[0]: region for region in (SIMPLIFIED, TRADITIONAL, JAPANESE, KOREAN, LATIN)}
MAX_SHOWN = 4000  # missing characters of a set in the page
MAX_TEXT = 5000  # characters of a text of the user's own


def show(visit: Visit) -> Response:
    fonts = [font for font in shelf().values() if font.path.is_file()]
    there = (file.name for file in (visit.project.folder / "in" / "sources").glob("*"))
    own = sorted(name for name in there if not is_of_the_system(name))
    found = coverage_of(visit)
    preview = visit.project.folder / "preview.png"
    drawn = visit.project.begun and preview.is_file()
    own_sets, other_sets = sets_to_choose(found or {})
    return visit.page(
        "start",
        own_sets=own_sets, other_sets=other_sets, found=found, fonts=fonts, own=own, regions=REGIONS, most=MAX_SHOWN, charset=charset_of(visit, found),
        preview_at=int(preview.stat().st_mtime) if drawn else 0,
    )  # fmt: skip


def sets_to_choose(found: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The sets that have a name here: those of the typeface's region with the alphabet, which goes with all of them, and
    others of which it has some; the most complete first."""
    named = [one for one in found.get("sets", []) if one["name"] in words.SET_NAMES]
    named.sort(key=lambda one: (-one["has"] / one["of"], -one["of"]))
    own = [one for one in named if one["group"] == found["region"] or one["name"] == "ascii"]
    return own, [one for one in named if one["has"] and one not in own]


def coverage_of(visit: Visit) -> dict[str, Any] | None:
    """What ``fontgan coverage`` found of the present typeface."""
    found = visit.project.read("coverage.json")
    return found if found and found.get("font") == visit.project.chosen.target else None


def charset_of(visit: Visit, found: dict[str, Any] | None) -> str:
    return visit.project.chosen.charset or str((found or {}).get("charset", ""))


def drop(visit: Visit) -> Response:
    """Takes what was dropped: a font, glyph images, or photographs of pages."""
    files = [file for file in visit.form.getlist("files") if isinstance(file, UploadFile)]
    names = [file.filename or "" for file in files if file.filename]
    into = visit.project.folder / "in"
    if not names or uploads.is_font(uploads.safe_name(names[0])):
        saved = uploads.save_all(files, into)
        if len(saved) > 1:
            raise DataError(
                f"{len(saved)} fonts were dropped, and one is completed. Drop one; sources are chosen below it."
            )
        begin(visit, f"in/{saved[0].name}")
        return visit.to("/")
    kind = visit.field("kind", "auto")
    if kind == "glyphs" or (kind == "auto" and uploads.are_glyphs(names)):
        uploads.save_all(files, into / "glyphs")
        begin(visit, "in/glyphs")
        return visit.to("/")
    uploads.save_all(files, into / "pages")
    visit.project.choose(target="hand")
    visit.ask(commands.scan())
    return visit.to("/hand")


def begin(visit: Visit, target: str) -> None:
    """Looks at a new target."""
    project = visit.project.choose(target=target, owned=False, charset="", family="")
    visit.ask(commands.coverage(project))
    visit.ask(commands.preview(project))


def begin_by_hand(visit: Visit) -> Response:
    """Begins with nothing drawn yet."""
    charset = visit.field("charset")
    if charset not in REGIONS:
        raise DataError(f"{charset!r}: is not a set to begin with. Choose one of {', '.join(REGIONS)}.")
    begin_hand(visit.project.hand)
    project = visit.project.choose(target="hand", charset=charset, family=visit.field("family"))
    visit.ask(commands.advise(project, 100))
    return visit.to("/hand")


def add_sources(visit: Visit) -> Response:
    files = [file for file in visit.form.getlist("files") if isinstance(file, UploadFile)]
    saved = uploads.save_all(files, visit.project.folder / "in" / "sources")
    visit.project.choose(sources=[*visit.project.chosen.sources, *(f"in/sources/{file.name}" for file in saved)])
    return visit.to("/#source")


def choose(visit: Visit) -> Response:
    """Writes the choices of the page down, and looks at what is to be expected."""
    own = "".join(str(visit.form.get("chars", "")).split())[:MAX_TEXT]
    charset = visit.field("charset")
    if charset == "own":
        if not own:
            raise DataError("characters: none are written. Write those that the font is to have, or choose a set.")
        atomic_write(visit.project.folder / "wanted.txt", own)
        charset = "wanted.txt"
    chosen = [str(source) for source in visit.form.getlist("source") if source]
    project = visit.project.choose(
        charset=charset,
        sources=[source for source in chosen if known_source(visit, source)],
        family=visit.field("family")[:100],
        owned=visit.field("owned") == "true",
        text=" ".join(str(visit.form.get("text", "")).split())[:MAX_TEXT],
    )
    visit.ask(commands.expect(project))
    if commands.preview(project) != commands.preview(visit.project):
        visit.ask(commands.preview(project))
    return visit.to("/train")


def known_source(visit: Visit, source: str) -> bool:
    """Whether a source is of the shelf, or was dropped here."""
    if source.startswith("shelf:"):
        return source.removeprefix("shelf:") in shelf()
    name = Path(source).name
    return source == f"in/sources/{name}" and (visit.project.folder / source).is_file()


ROUTES: list[tuple[str, Answer, str]] = [
    ("/", show, "GET"),
    ("/start/drop", drop, "POST"),
    ("/start/hand", begin_by_hand, "POST"),
    ("/start/sources", add_sources, "POST"),
    ("/start/choose", choose, "POST"),
]
