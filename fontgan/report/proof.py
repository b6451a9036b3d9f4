"""A font -> one HTML page to look at before it is shipped: its made glyphs, the doubtful first, and text set in it.

The made glyphs and the text are drawn by the font itself, which the page holds; the source's glyphs are pictures.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fontTools import subset
from fontTools.ttLib import TTFont, TTLibError
from markupsafe import Markup
from PIL import Image

from fontgan import __version__
from fontgan.data.charset import visible
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.sources import Spec, open_glyphs
from fontgan.errors import DataError
from fontgan.evaluation.checks_file import REASONS, CheckedGlyph, read_checks
from fontgan.report import specimens
from fontgan.report.html import asset_text, data_uri, render_template
from fontgan.report.specimens import Specimen
from fontgan.runtime.files import atomic_write, user_path
from fontgan.runtime.progress import Bar

GROUP = 100  # glyphs whose source pictures lie on one sheet, ten a row; a browser leaves out those not in view
CELL_PX = 128  # of a source picture; shown at half that, so that it is sharp on fine screens and when enlarged
EM_IN_CELL = 0.875  # of a cell's side, here and in proof.css: what a glyph reaches beyond its em still shows
SUBSET_ABOVE = 8_000_000  # bytes: a larger font is cut down to the characters that the page shows
LEVELS = 16  # grey levels of the source pictures: half the bytes of 256, and no eye sees it


@dataclass
class Group:
    """Cells whose source glyphs share a sheet."""

    number: int
    first: int  # place of its first cell in its section, from 1
    cells: list[CheckedGlyph]
    sources: set[str] = field(default_factory=set)  # characters that the source has
    sheet: bytes = b""  # PNG; empty without a source


class Proof(NamedTuple):
    """What was written: how many glyphs are shown, and which are flagged or not in the font."""

    made: int
    flagged: list[str]
    missing: list[str]


def write_proof(
    font: Path,
    out: Path,
    *,
    target: str | Path | None = None,
    source: Spec | Path | None = None,
    checks: str | Path | None = None,
    text: str | Path | None = None,
) -> Proof:
    """Writes the page, over what may be there.

    Args:
        font: TTF, OTF or WOFF file.   out: the page, .html.
        target: the font before its glyphs were made, or the folder; what it has counts as the font's own. None: all
            glyphs count as made.
        source: font or glyph folder whose glyphs are shown beside the made ones.
        checks: checks.json of ``fontgan complete``.
        text: a text to set, or a .txt file; None: some that the font can set.
    Raises: DataError if an input cannot be read or nothing is to be shown.
    """
    checked = read_checks(user_path(checks)) if checks else {}
    said = read_text(text)
    glyphs = _open_font(font)
    before = open_glyphs(str(target)) if target else None
    beside = open_glyphs(str(source) if isinstance(source, Path) else source) if source else None
    made, kept, missing = _sort_glyphs(font, glyphs, before, checked, target)
    present = {*made, *kept}
    cells = [checked.get(char) or CheckedGlyph(char, None, None, (), 0.0) for char in made]
    doubtful = sorted((cell for cell in cells if cell.flags), key=lambda cell: (-cell.doubt, cell.char))
    groups = _grouped(doubtful, 0)
    others = _grouped([cell for cell in cells if not cell.flags], len(groups))
    if beside:
        _draw_sheets([*groups, *others], beside)
    page = render_template(
        "proof",
        FILTERS | {"runs": lambda text: runs(text, set(made), present)},
        style=_style(glyphs.to_cell(), _embedded(font, {*present, *visible(said or "")}), [*groups, *others]),
        font=font,
        facts=font_facts(glyphs),
        doubtful=groups,
        others=others,
        counts={"made": len(made), "doubtful": len(doubtful), "kept": len(kept)},
        missing=missing,
        reasons=list(dict.fromkeys(flag for cell in doubtful for flag in cell.flags)),
        why=REASONS,
        texts=_texts(said, sorted(present)),
        given=said is not None,
        lacks=[char for char in visible(said or "") if char not in present],
        line=specimens.alternating(made, kept) if kept else "",
        context=specimens.in_context([cell.char for cell in doubtful or cells], kept),
        checked=bool(checked),
        source=_name(beside),
        target=_name(before),
        version=__version__,
    )
    atomic_write(out, page)
    return Proof(len(made), [cell.char for cell in doubtful], missing)


def _sort_glyphs(
    font: Path, glyphs: FontGlyphs, before: GlyphSource | None, checked: dict[str, CheckedGlyph], target: Any
) -> tuple[list[str], list[str], list[str]]:
    """The characters that were made, that the font had before, and that it should have and has not.

    Raises: DataError if none was made.
    """
    coverage = glyphs.coverage(None)
    own = set(before.coverage(None).drawn) if before else set()
    # A made glyph without ink is no glyph to a survey, and just what must be seen.
    present = sorted({*coverage.drawn, *(char for char in coverage.left_out.get("empty", []) if char in checked)})
    made = [char for char in present if char not in own]
    if not made:
        why = f"target={target} has all its characters. Leave target out" if present else "none has ink. Give a font"
        raise DataError(f"{font}: no glyph to show: {why} to see glyphs.")
    return made, [char for char in present if char in own], sorted((own | checked.keys()) - set(present))


def read_text(text: str | Path | None) -> str | None:
    """The text to set. Raises: DataError if its file cannot be read or nothing in it is visible."""
    if text is None:
        return None
    said = str(text)
    if isinstance(text, Path) or said.lower().endswith(".txt"):
        try:
            said = user_path(text).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"text={text}: cannot be read as UTF-8 text ({error}). Give a .txt file or the text."
            ) from error
    if not visible(said):
        raise DataError(f"text={text}: holds no visible character. Give a text, or leave it out.")
    return said.strip()


def _open_font(font: Path) -> FontGlyphs:
    if not font.is_file():
        raise DataError(f"font={font}: no such file. Give a TTF, OTF or WOFF font.")
    if font.read_bytes()[:4] == b"ttcf":
        raise DataError(f"font={font}: a collection, which browsers do not take. Save the face as a file of its own.")
    return FontGlyphs(font)


def _name(glyphs: GlyphSource | None) -> str:
    if glyphs is None:
        return ""
    facts = glyphs.describe()
    return f"{facts.get('family') or ''} {facts.get('style') or ''}".strip() or glyphs.path.name


def font_facts(glyphs: FontGlyphs) -> dict[str, str]:
    """What a font says of itself: names, version, licence, and the note on how its glyphs were made."""
    facts, names = glyphs.describe(), glyphs._tables.get("name")
    found = {title: facts[title.lower()] for title in ("Family", "Style", "Version", "Copyright", "Licence")}
    found |= {"Licence at": facts["licence_url"]}
    if names is not None:
        found |= {"Designer": names.getDebugName(9), "Note": names.getDebugName(10)}
    return {title: said for title, said in found.items() if said}


def _texts(said: str | None, chars: Sequence[str]) -> list[Specimen]:
    if said is not None:
        return [Specimen("", said, specimens.is_cjk(said))]
    texts = specimens.sentences(chars)
    both = specimens.mixed_with_latin(texts, chars)
    return [*texts, both] if both else texts


# -- the source's glyphs --------------------------------------------------------------------


def _grouped(cells: list[CheckedGlyph], from_number: int) -> list[Group]:
    return [Group(from_number + k // GROUP, k + 1, cells[k : k + GROUP]) for k in range(0, len(cells), GROUP)]


def _draw_sheets(groups: list[Group], source: GlyphSource) -> None:
    has = set(source.coverage([cell.char for group in groups for cell in group.cells]).present)
    for group in Bar(groups, unit="sheet", desc="drawing the source"):
        group.sources = {cell.char for cell in group.cells} & has
        group.sheet = _sheet([cell.char if cell.char in has else "" for cell in group.cells], source)


def _sheet(chars: list[str], source: GlyphSource) -> bytes:
    """A sheet of ten cells a row, empty where no character is named. Returns: PNG of 16 grey levels."""
    sheet = np.full((CELL_PX * GROUP // 10, CELL_PX * 10), 255, dtype=np.uint8)
    em = CELL_PX * EM_IN_CELL
    for place, char in enumerate(chars):
        if not char:
            continue
        box = source.ink_box(char)
        # Wide characters fill their em; others are centred, as the page centres the made ones.
        left = (CELL_PX - em) / 2 if specimens.is_wide(char) else CELL_PX / 2 - em * (box.x0 + box.x1) / 2
        y, x = (CELL_PX * part for part in divmod(place, 10))
        cell = source.rasterize(char, Frame(em, left, (CELL_PX - em) / 2), CELL_PX)
        sheet[y : y + CELL_PX, x : x + CELL_PX] = cell
    picture = Image.fromarray(np.rint(sheet / 255 * (LEVELS - 1)).astype(np.uint8), mode="P")
    picture.putpalette([level * 255 // (LEVELS - 1) for level in range(LEVELS) for _ in range(3)])
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", bits=4, optimize=True)
    return buffer.getvalue()


# -- the font -------------------------------------------------------------------------------


def _embedded(file: Path, chars: set[str]) -> bytes:
    """The font's bytes for the page: cut down if it is very large, as WOFF2."""
    data = file.read_bytes()
    large = len(data) > SUBSET_ABOVE
    if not large and data[:4] == b"wOF2":
        return data
    try:
        font = TTFont(io.BytesIO(data), lazy=True)
        if large:
            options = subset.Options(layout_features=["*"], notdef_outline=True, name_IDs=["*"], hinting=False)
            options.drop_tables += ["FFTM", "DSIG"]
            cutter = subset.Subsetter(options)
            cutter.populate(unicodes=[ord(char) for char in chars] + [0x20, 0x3000])
            cutter.subset(font)
        font.flavor = "woff2"
        buffer = io.BytesIO()
        font.save(buffer)
    except (TTLibError, subset.Subsetter.SubsettingError, KeyError, AssertionError, ValueError) as error:
        raise DataError(
            f"{file}: its tables cannot be read ({error or type(error).__name__}). Build it again."
        ) from error
    return buffer.getvalue()


FILTERS: dict[str, Callable[..., Any]] = {
    "code": lambda char: f"U+{ord(char):04X}",
    "reasons": lambda cell: "; ".join(REASONS.get(flag, flag) for flag in cell.flags),  # of a doubt, in words
    "scores": lambda cell: ", ".join(
        f"{name} {getattr(cell, name):.2f}" for name in ("structure", "legibility") if getattr(cell, name) is not None
    ),
}


def runs(text: str, made: set[str], present: set[str]) -> list[tuple[str, str]]:
    """A text in pieces of one kind: "made", "own", or "lacks" where the font has no such character."""

    def kind(char: str) -> str:
        return "made" if char in made else "own" if char in present or not visible(char) else "lacks"

    return [(key, "".join(chars)) for key, chars in groupby(text, kind)]


def _style(metrics: dict[str, Any], data: bytes, groups: list[Group]) -> Markup:
    """The house's styles, the page's own, and what depends on the font: itself, and where the sheets' glyphs lie."""
    ascent = 100 * metrics["baseline"] / metrics["units_per_em"]
    # The em square is the line, wherever the font's tables would have a browser put its baseline.
    parts = [
        asset_text("report.css"),
        asset_text("proof.css"),
        f'@font-face {{ font-family: "in proof"; src: url({data_uri(data, "font/sfnt")}); font-weight: 1 999; '
        f"ascent-override: {ascent:.3f}%; descent-override: {100 - ascent:.3f}%; line-gap-override: 0%; }}",
    ]
    for group in groups:
        if group.sheet:
            parts.append(f"#g{group.number} .src {{ background-image: url({data_uri(group.sheet)}); }}")
    for place in range(GROUP):
        row, column = divmod(place, 10)
        parts.append(f".p{place} {{ background-position: {column / 9:.4%} {row / (GROUP / 10 - 1):.4%}; }}")
    return Markup("\n".join(parts))
