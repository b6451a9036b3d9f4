"""Step 2, by hand: pages to print, photographs of them, and drawing on the screen."""

import numpy as np
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from fontgan.data.charset import MAX_BYTES, visible
from fontgan.data.image_source import name_from_char
from fontgan.data.name_reading import char_from_name
from fontgan.errors import DataError
from fontgan.handwriting.recut import recut
from fontgan.runtime.files import atomic_write
from fontgan.studio import commands, uploads
from fontgan.studio.app import Answer, Visit
from fontgan.studio.drawings import PLACES, Drawing, draw, read_strokes
from fontgan.studio.hand_folder import doubts_of, glyphs_of
from fontgan.studio.pages.look import char_of
from fontgan.studio.source_picture import own_picture, source_picture

PAPERS = ("a4", "letter", "a3")
MAX_ADVISED = 1000
# Sliders of a cell that is cut again: from, to, and where they stand; see ``recut``.
RECUT = {"level": (0.1, 0.95, 0.55), "right": (-0.3, 0.3, 0.0), "down": (-0.3, 0.3, 0.0), "scale": (0.5, 2.0, 1.0)}


def show(visit: Visit) -> Response:
    project = visit.project
    doubts = doubts_of(project.hand)
    there = glyphs_of(project.hand)
    seen = {file.stem for file in (project.folder / "hand-cells").glob("U+*.png")}
    doubtful = [char for char in map(char_from_name, doubts) if char]
    cells = [*doubtful, *(char for char in there if name_from_char(char) not in doubts)]
    return visit.page(
        "hand",
        cells=[] if visit.live else cells,
        count=len(there),
        there=set(there),
        doubts=doubts,
        seen=seen,
        stamps={char: stamp_of(visit, char) for char in there},
        advised=advised(visit),
        sheets=(project.folder / "sheets.pdf").is_file(),
        papers=PAPERS,
    )


def advised(visit: Visit) -> list[str]:
    """What ``fontgan advise`` says to draw next, less what was drawn since."""
    file = visit.project.folder / "next.txt"
    if not file.is_file() or file.stat().st_size > MAX_BYTES:
        return []
    there = set(glyphs_of(visit.project.hand))
    return [char for char in visible(file.read_text(encoding="utf-8")) if char not in there]


def stamp_of(visit: Visit, char: str) -> int:
    file = Drawing(visit.project, "hand", char).image
    return int(file.stat().st_mtime) if file.is_file() else 0


def make_sheets(visit: Visit) -> Response:
    """Pages to print, of the characters that are advised."""
    chars = visible(visit.field("chars"))
    name = "next.txt"
    if chars:
        name = "to-write.txt"
        atomic_write(visit.project.folder / name, "".join(chars) + "\n")
    elif not advised(visit):
        raise DataError("There is nothing to print yet. Write the characters, or ask what to draw next.")
    paper = visit.field("paper", PAPERS[0])
    if paper not in PAPERS:
        raise DataError(f"{paper}: is no paper that is known. Choose one of {', '.join(PAPERS)}.")
    visit.ask(commands.template(visit.project, name, paper, ghost=visit.field("ghost") == "true"))
    return visit.to("/hand")


def ask_advice(visit: Visit) -> Response:
    n = visit.field("n", "100")
    if not n.isdigit() or not 0 < int(n) <= MAX_ADVISED:
        raise DataError(f"{n}: is not a number from 1 to {MAX_ADVISED}.")
    visit.ask(commands.advise(visit.project, int(n)))
    return visit.to("/hand")


def drop_pages(visit: Visit) -> Response:
    """Photographs of written pages: kept, and cut."""
    files = [file for file in visit.form.getlist("files") if isinstance(file, UploadFile)]
    uploads.save_all(files, visit.project.folder / "in" / "pages")
    if not visit.project.begun:
        visit.project.choose(target="hand")
    visit.ask(commands.scan())
    return visit.to("/hand")


def use(visit: Visit) -> Response:
    """Takes the hand as what the font is made of, and looks at it."""
    if not glyphs_of(visit.project.hand):
        raise DataError("There is no glyph yet. Drop photographs of written pages, or draw on the screen.")
    project = visit.project.choose(target="hand")
    visit.ask(commands.coverage(project))
    visit.ask(commands.preview(project))
    return visit.to("/")


def change(visit: Visit) -> Response:
    """Throws a cell out, which keeps it in thrown-out/, or gives it to another character."""
    drawing = Drawing(visit.project, "hand", char_of(visit))
    if not drawing.image.is_file():
        raise HTTPException(404, "There is no such glyph.")
    if visit.field("do") == "rename":
        to = visible(visit.field("char"))
        if len(to) != 1:
            raise DataError("A glyph is renamed to one character. Write just one.")
        other = Drawing(visit.project, "hand", to[0])
        if other.image.exists():
            raise DataError(f"{to[0]}: has a glyph already. Throw that out first.")
        drawing.move(other.image)
    else:
        aside = visit.project.folder / "thrown-out"
        aside.mkdir(exist_ok=True)
        drawing.move(aside / drawing.image.name)
    return visit.to("/hand")


def cut_again(visit: Visit) -> Response:
    """Cuts a cell again out of its photograph, with another level of ink, place and size."""
    drawing = Drawing(visit.project, "hand", char_of(visit))
    cell = visit.project.folder / "hand-cells" / drawing.image.name
    if not cell.is_file():
        raise HTTPException(404, "There is no photograph of this character.")
    values = {}
    for name, (low, high, usual) in RECUT.items():
        try:
            values[name] = float(visit.field(name, str(usual)))
        except ValueError as error:
            raise DataError(f"{name}: is no number. Move the slider.") from error
        if not low <= values[name] <= high:
            raise DataError(f"{name}: {values[name]:g} is not from {low:g} to {high:g}. Move the slider.")
    seen = np.asarray(Image.open(cell).convert("L"))
    drawing.put(recut(seen, **values))
    return visit.to(f"/hand/{name_from_char(drawing.char)}")


def canvas(visit: Visit) -> Response:
    """A glyph of the hand on the canvas: drawn, or what was cut mended."""
    char = char_of(visit)
    there, waiting = glyphs_of(visit.project.hand), advised(visit)
    after = next((one for one in waiting if one != char), None)
    return visit.page(
        "draw", char=char, name=name_from_char(char), drawing=Drawing(visit.project, "hand", char),
        after=after, count=len(there), seen=(visit.project.folder / "hand-cells" / f"{name_from_char(char)}.png").is_file(),
    )  # fmt: skip


def open_canvas(visit: Visit) -> Response:
    """To the canvas of a character that was written into a field."""
    chars = visible(visit.request.query_params.get("char", "")) or advised(visit)[:1]
    if not chars:
        raise DataError("Write a character to draw.")
    return visit.to(f"/hand/{name_from_char(chars[0])}")


def save_ink(visit: Visit) -> Response:
    """Keeps strokes, and draws the image that commands read."""
    draw(drawing_of(visit), visit.body)
    return JSONResponse({"saved": True})


def load_ink(visit: Visit) -> Response:
    strokes = read_strokes(drawing_of(visit))
    if strokes is None:
        raise HTTPException(404, "Nothing was drawn yet.")
    return Response(strokes, media_type="application/json")


def base(visit: Visit) -> Response:
    """What the strokes mend, as an image on the canvas."""
    image = drawing_of(visit).base_png()
    if image is None:
        raise HTTPException(404, "There is no glyph to mend.")
    return Response(image, media_type="image/png")


def ghost(visit: Visit) -> Response:
    """The character in the source, on the canvas."""
    image = source_picture(visit.project, char_of(visit))
    if image is None:
        raise HTTPException(404, "The source lacks this character.")
    return Response(image, media_type="image/png", headers={"Cache-Control": "max-age=60"})


def own(visit: Visit) -> Response:
    """The character in the typeface that is completed, on the canvas."""
    image = own_picture(visit.project, char_of(visit))
    if image is None:
        raise HTTPException(404, "The typeface lacks this character.")
    return Response(image, media_type="image/png")


def drawing_of(visit: Visit) -> Drawing:
    place = str(visit.request.path_params["place"])
    if place not in PLACES:
        raise HTTPException(404, "There is no such place.")
    return Drawing(visit.project, place, char_of(visit))


ROUTES: list[tuple[str, Answer, str]] = [
    ("/hand", show, "GET"),
    ("/hand/sheets", make_sheets, "POST"),
    ("/hand/advice", ask_advice, "POST"),
    ("/hand/pages", drop_pages, "POST"),
    ("/hand/use", use, "POST"),
    ("/hand/draw", open_canvas, "GET"),
    ("/hand/{name}", canvas, "GET"),
    ("/hand/{name}/change", change, "POST"),
    ("/hand/{name}/cut", cut_again, "POST"),
    ("/ink/{place}/{name}", load_ink, "GET"),
    ("/ink/{place}/{name}", save_ink, "POST"),
    ("/base/{place}/{name}", base, "GET"),
    ("/source/{name}", ghost, "GET"),
    ("/own/{name}", own, "GET"),
]
