"""Step 5, the font: what it is called, text set in it, and the files."""

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from fontgan.data.font_source import FontGlyphs
from fontgan.report import specimens
from fontgan.report.proof import font_facts
from fontgan.studio import commands, words
from fontgan.studio.app import Answer, Visit
from fontgan.studio.pages.start import MAX_TEXT

FORMATS = ("otf", "woff2")
MAX_CREDIT = 2000  # characters: a paragraph
OWNERS = ("copyright", "licence")  # of another's font they stay


def show(visit: Visit) -> Response:
    project = visit.project
    file = project.folder / project.font
    font = FontGlyphs(file) if file.is_file() else None
    files = [path for path in [file, *(file.with_suffix(f".{ending}") for ending in FORMATS)] if path.is_file()]
    return visit.page(
        "font",
        stamp=stamp(file),
        facts=font_facts(font) | metrics_of(font) if font else {},
        files=[(project.relative(path), path.suffix[1:].upper(), path.stat().st_size) for path in dict.fromkeys(files)],
        proof=project.relative(project.proof) if project.proof.is_file() else None,
        outlines=(project.work / "outlines.ufo").is_dir(),
        text=project.chosen.text or sample_text(font),
        asked=[key for key in words.CREDITS if key not in OWNERS or project.from_images or project.chosen.owned],
        year=date.today().year,
        formats=[ending for ending in FORMATS if not project.font.endswith(ending)],
    )


def metrics_of(font: FontGlyphs) -> dict[str, str]:
    facts = font.describe()
    lines = f"{facts['ascent']:g} / {facts['descent']:g}"
    return {
        "Glyphs": str(font.glyph_count),
        "Units per em": str(font.units_per_em),
        "Above and below the baseline": lines,
    }


def sample_text(font: FontGlyphs | None) -> str:
    """A sentence that the font can set."""
    found = specimens.sentences(font.characters()) if font else []
    return found[0].text if found else ""


def face(visit: Visit) -> Response:
    """The style sheet that makes the built font one of the page's."""
    project = visit.project
    address = f"/file/{quote(project.font)}?{stamp(project.folder / project.font)}"
    return Response(f'@font-face {{ font-family: "made"; src: url("{address}"); }}', media_type="text/css")


def stamp(file: Path) -> int:
    """Changes when the file is built anew; 0 where there is none."""
    return int(file.stat().st_mtime) if file.is_file() else 0


def build(visit: Visit) -> Response:
    """Builds the font again: with another name, other files, or what was rejected and drawn anew."""
    changed: dict[str, Any] = {"doubtful": "drop" if visit.field("doubtful") == "drop" else "keep"}
    if (family := visit.field("family")[:100]) or "family" in visit.form:
        changed["family"] = family
    formats = [ending for ending in FORMATS if ending in visit.form.getlist("formats")]
    if "version" in visit.form:
        changed["credits"] = {key: said for key in words.CREDITS if (said := visit.field(key)[:MAX_CREDIT])}
    project = visit.project.choose(**changed, formats=formats)
    visit.ask(commands.complete(project))
    return visit.to("/font")


def text(visit: Visit) -> Response:
    visit.project.choose(text=" ".join(str(visit.form.get("text", "")).split())[:MAX_TEXT])
    return visit.to("/font")


ROUTES: list[tuple[str, Answer, str]] = [
    ("/font", show, "GET"),
    ("/font/face.css", face, "GET"),
    ("/font/build", build, "POST"),
    ("/font/text", text, "POST"),
]
