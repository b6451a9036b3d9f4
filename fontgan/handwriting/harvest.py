"""The glyph folder that scanned pages are cut into, and what is told of them."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fontgan.data.glyphs import PAPER
from fontgan.data.image_source import MANIFEST, SHEET, image_files, name_from_char
from fontgan.errors import ConfigError, DataError, shorten
from fontgan.handwriting.cut import SET_ASIDE, Cell, cut_cells
from fontgan.handwriting.locate import find_pages
from fontgan.handwriting.pictures import read_picture, softened
from fontgan.handwriting.sheet import NotAPage, Page, canvas_frame
from fontgan.pictures.contact_sheet import contact_sheet, save_png
from fontgan.runtime.files import atomic_write, out_file, write_json
from fontgan.runtime.progress import Bar

log = logging.getLogger(__name__)

MADE_BY = "fontgan scan"
CELLS_MADE_BY = "fontgan scan cells"  # as the pictures show them: no glyphs to learn from
SHEET_COLUMNS, SHEET_GLYPHS, SHEET_PX = 16, 256, 64
MAX_DOUBTFUL = 200  # cells in the picture of the doubtful ones


@dataclass
class Harvest:
    pages: list[dict[str, Any]] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)  # character -> the picture it comes from
    new: set[str] = field(default_factory=set)  # names of the glyphs that are from these pictures
    doubtful: dict[str, list[str]] = field(default_factory=dict)  # by name, also of earlier scans
    shown: dict[str, list[np.ndarray]] = field(default_factory=dict)  # of these: as seen and as cut
    again: list[str] = field(default_factory=list)  # on an earlier page too
    kept: list[str] = field(default_factory=list)  # in the folder before
    failed: list[str] = field(default_factory=list)


def cut_pages(
    files: Sequence[Path], out: Path, report: Path, seen: Path | None = None, *, size: int, overwrite: bool
) -> list[str]:
    """Cuts pictures of pages into glyph images of ``size`` pixels a side in ``out``, with a manifest and an overview.

    Doubtful cells, if any, are shown in the picture ``report``; ``overwrite`` replaces glyphs that are there.

    Args:
        seen: a folder for the cells as the pictures show them, on the glyphs' canvas; None to keep none.
    Returns: what could not be read, in sentences.
    Raises: DataError if nothing could be read, no cell holds ink, or ``out`` or ``seen`` holds something else.
    """
    facts: dict[str, Any] = {"made_by": MADE_BY, "size": size, "cell_to_canvas": canvas_frame(size).as_dict()}
    before = check_folder(out, size, overwrite=overwrite)
    if seen:
        check_folder(seen, size, overwrite=overwrite, key="cells", made_by=CELLS_MADE_BY)
    harvest = Harvest(doubtful=dict(before.get("doubtful", {})))
    for file in Bar(files, unit="picture", desc="cutting"):
        try:
            for name, picture in read_picture(file):
                grey, dithered = softened(picture)
                if dithered:
                    log.warning("%s: dots stand for its grey (it is dithered); a scan in grey has truer edges.", name)
                try:
                    pages, lost = find_pages(grey)
                except NotAPage as error:
                    harvest.failed.append(f"{name}: {error}.")
                    continue
                for what in lost:
                    log.warning("%s: %s.", name, what)
                for number, located in enumerate(pages, 1):
                    called = name if len(pages) == 1 else f"{name} (sheet {number} of {len(pages)})"
                    cells, findings = cut_cells(grey, located, size, dithered=dithered)
                    for finding in [*located.findings, *findings]:
                        log.warning("%s: %s.", called, finding)
                    if not harvest.pages:
                        for folder in filter(None, (seen, out)):
                            folder.mkdir(parents=True, exist_ok=True)
                        # The cell's frame first: images without it would be read wrongly, were this stopped half way.
                        atomic_write(out / MANIFEST, json.dumps(facts | before, ensure_ascii=False, indent=1))
                        if seen:
                            write_json(seen / MANIFEST, facts | {"made_by": CELLS_MADE_BY})
                    take(harvest, called, located.page, cells, out, seen, overwrite=overwrite)
        except DataError as error:
            harvest.failed.append(str(error))
    if not harvest.pages:
        first, *more = harvest.failed
        raise DataError(f"pages: none of {len(files)} pictures could be read. First: {first}" if more else first)
    finish(harvest, facts, before, out, report)
    if not harvest.written:
        what = "no cell of any page holds ink, so there is no glyph"
        raise DataError(f"pages: {what}. Give pictures of pages that are written on.")
    return harvest.failed


def check_report(asked: str | None, report: Path, out: Path) -> None:
    """Raises: ConfigError if the picture of doubtful cells cannot be there."""
    if report.parent.resolve() == out.resolve():
        raise ConfigError(f"report={asked}: would lie among the glyphs, as one of them. Name a file outside of out.")
    if asked is not None:
        out_file("report", asked, ".png")


def check_cells(cells: Path, out: Path) -> None:
    """Raises: ConfigError if the cells as seen would be taken for glyphs."""
    if out.resolve() in (cells.resolve(), *cells.resolve().parents):
        raise ConfigError(f"cells={cells}: would lie among the glyphs, as some of them. Name a folder outside of out.")


def check_folder(out: Path, size: int, *, overwrite: bool, key: str = "out", made_by: str = MADE_BY) -> dict[str, Any]:
    """What earlier scans left in the folder. Raises: DataError if it has something else, or glyphs of another size."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{key}={out}: is a file. Name a folder.")
    file = out / MANIFEST
    if not file.is_file():
        if out.is_dir() and image_files(out):
            raise DataError(f"{key}={out}: holds images that fontgan did not make. Name another {key}=.")
        return {}
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = None
    if not isinstance(there, dict) or there.get("made_by") != made_by:
        raise DataError(f"{key}={out}: holds results of something else than {made_by}. Name another {key}=.")
    other = there.get("size")
    if other != size and not overwrite:
        raise DataError(
            f"{key}={out}: holds glyphs of size {other}. Name another {key}=, size={other}, or overwrite=true."
        )
    return {key: there[key] for key in ("pages", "doubtful") if key in there}


def take(
    harvest: Harvest, name: str, page: Page, cells: list[Cell], out: Path, seen: Path | None = None, *, overwrite: bool
) -> None:
    """Writes a page's glyphs, and into ``seen`` the cells that these were cut from."""
    written = empty = 0
    for cell in cells:
        char, file = name_from_char(cell.char), out / f"{name_from_char(cell.char)}.png"
        better = not _set_aside(cell.doubts) and _set_aside(harvest.doubtful.get(char, []))
        if cell.glyph is None and not cell.doubts:
            empty += 1
        elif cell.char in harvest.written and not better:
            harvest.again.append(f"{cell.char} ({harvest.written[cell.char]})")
        elif file.exists() and not overwrite and not better:
            harvest.written[cell.char] = name
            harvest.kept.append(cell.char)
        else:
            harvest.doubtful.pop(char, None)
            harvest.shown.pop(char, None)
            if seen:
                save_png(cell.seen, seen / file.name)
            if cell.glyph is not None:
                harvest.written[cell.char] = name
                save_png(cell.glyph, file)
                harvest.new.add(char)
                written += 1
            if cell.doubts:
                harvest.doubtful[char] = cell.doubts
                harvest.shown[char] = [cell.seen, np.full_like(cell.seen, PAPER) if cell.glyph is None else cell.glyph]
    harvest.pages.append(
        {"picture": Path(name).name, "page": page.number, "of": page.pages, "written": written, "empty": empty}
    )


def finish(harvest: Harvest, facts: dict[str, Any], before: dict[str, Any], out: Path, report: Path) -> None:
    """Manifest, overview, the doubtful cells, and what there is to say."""
    # What is certainly no glyph comes first: lists and pictures end at some length.
    harvest.doubtful = dict(sorted(harvest.doubtful.items(), key=lambda entry: not _set_aside(entry[1])))
    files = image_files(out)
    facts["characters"] = len(files)
    facts["pages"] = [*before.get("pages", []), *harvest.pages]
    facts["doubtful"] = harvest.doubtful
    atomic_write(out / MANIFEST, json.dumps(facts, ensure_ascii=False, indent=1))
    rows = [files[i : i + SHEET_COLUMNS] for i in range(0, min(len(files), SHEET_GLYPHS), SHEET_COLUMNS)]
    drawn = [(row[0].stem, [np.asarray(Image.open(file).convert("L")) for file in row]) for row in rows]
    if drawn:
        save_png(contact_sheet(drawn, cell_px=SHEET_PX), out / SHEET)
    if harvest.again:
        log.warning("%d characters are on two pages; the first stays: %s", len(harvest.again), shorten(harvest.again))
    kept = [char for char in harvest.kept if name_from_char(char) not in harvest.new]
    if kept:
        log.info("%d glyphs were there before and stay (overwrite=true replaces them): %s", len(kept), shorten(kept))
    said = {name: f"{name} ({', '.join(doubts)})" for name, doubts in harvest.doubtful.items() if name in harvest.shown}
    if said:
        shown = [(label, harvest.shown[name]) for name, label in said.items()]
        save_png(contact_sheet(shown[:MAX_DOUBTFUL], cell_px=128), report)
        log.warning("%d cells are doubtful; look at them in %s: %s", len(said), report, shorten([*said.values()]))
    pages, empty = len(harvest.pages), sum(page["empty"] for page in harvest.pages)
    log.info(
        "%d glyphs of %d page%s in %s; %d cells are empty", len(harvest.new), pages, "s" * (pages != 1), out, empty
    )


def _set_aside(doubts: Sequence[str]) -> bool:
    return any(doubt in SET_ASIDE for doubt in doubts)
