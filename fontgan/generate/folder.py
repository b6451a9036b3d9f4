"""Which styles to draw, each into a folder of glyphs with its contact sheet."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fontgan.data.frame import Frame
from fontgan.data.glyphs import PAPER, Diagnostics
from fontgan.data.image_source import SHEET, ink_box, resample
from fontgan.data.view import View
from fontgan.errors import ConfigError
from fontgan.generate.results import SAME, describe_results, prepare_folder
from fontgan.generate.run import BaseRun, Style
from fontgan.generate.showing import show
from fontgan.generate.sources import GlyphInput, batches, computes_alone
from fontgan.pictures.contact_sheet import contact_sheet, save_png
from fontgan.runtime.distributed import all_gather, is_main, main_first, rank, world_size
from fontgan.runtime.file_names import distinct
from fontgan.runtime.progress import Bar
from fontgan.runtime.threads import ordered_map

log = logging.getLogger(__name__)

BLANK = "blank though their sources are not"
CUT = "cut at the edge of the image (extent=canvas shows more around it)"
SHEET_COLUMNS, SHEET_GLYPHS = 16, 64


def choose_styles(run: BaseRun, asked: str | Mapping[str, Any] | None, out: Path) -> list[tuple[Style, Path]]:
    """The styles of a name, weights, ``all`` or None, and the folder of each; None is the only one trained on.

    Raises: UserError.
    """
    if asked is None:
        if len(run.trained_styles) != 1:
            raise ConfigError(f"style: which one? The run knows {run.told_styles}; or style=all.")
        return [(run.trained_styles[0], out)]
    if asked == "all":
        return [(name, out / folder) for name, folder in distinct(run.styles).items()]
    if isinstance(asked, Mapping):
        for name, value in asked.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"style: the weight of {name} is {value!r}; a number is needed.")
        return [({str(name): float(value) for name, value in asked.items()}, out)]
    run.check_known([str(asked)], also=" (or all)")
    return [(str(asked), out)]


def draw_folder(
    run: BaseRun, sources: GlyphInput, style: Style, out: Path, *, view: View | None = None, overwrite: bool
) -> Diagnostics:
    """Draws all sources in one style into ``out``, with a manifest and a contact sheet; of several processes each a share.

    Args:
        view: what the images show; None for what the style's own images do.
    Returns: what is to be told of the results, by the main process.
    Raises: DataError if ``out`` holds results of something else; OSError if it cannot be written.
    """
    view = view or run.view(style)
    with main_first():
        if is_main():
            log.info("style %s: images of %dx%d px", style, view.width, view.height)
            facts = describe_results(run, style, sources.drawn_from, view)
            prepare_folder(out, facts, overwrite=overwrite, same=SAME, names=sources.names)
    share = sources.names[rank() :: world_size()]
    todo = [name for name in share if overwrite or not (out / f"{name}.png").exists()]
    kept = sum(all_gather(len(share) - len(todo)))
    if kept:
        log.info("%s: %d results are there already and kept (overwrite=true draws them anew)", out, kept)
    flaws = dict(flaw for part in all_gather(draw_glyph_files(run, sources, todo, style, out, view)) for flaw in part)
    found = Diagnostics()
    if not is_main():
        return found
    # Not a refusal where most are cut: what was not trained for long leaves specks there, and its canvas can be asked for.
    for kind, flaw in (("blank", BLANK), ("", CUT)):
        listed = [name for name in sources.names if flaws.get(name) == flaw]
        found.tell("warning", out, listed, f"results are {flaw}", kind=kind, of=len(sources.names) - kept)
    draw_sheet(run, sources, style, out, view)
    return found


def draw_glyph_files(
    run: BaseRun, sources: GlyphInput, names: Sequence[str], style: Style, out: Path, view: View
) -> list[tuple[str, str]]:
    """Draws sources into a folder that is there, batch by batch; while a GPU computes, threads read and write others.

    Returns: the names of results that are ``BLANK`` or ``CUT``, and which of these.
    Raises: OSError if a result cannot be written; whatever stops it, each result is whole or not there.
    """
    to_view, overlap = run.to_view(style, view), computes_alone(run)
    shows_all = view.cell == run.placement(style).canvas
    Batch = tuple[list[str], np.ndarray]

    def one_by_one(drawn: Iterator[tuple[Batch, np.ndarray]]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        for (batch_names, inputs), images in drawn:
            yield from zip(batch_names, inputs[:, 0], images, strict=True)

    def write(glyph: tuple[str, np.ndarray, np.ndarray]) -> tuple[str, str]:
        name, source, drawn = glyph
        image, ink = show(drawn, to_view, view), ink_box(drawn)
        save_png(image, out / f"{name}.png")
        if image.min() > PAPER // 2 >= source.min():
            return name, BLANK
        if ink is None or shows_all:
            return name, ""
        x0, y0, x1, y1 = to_view.box(ink)
        cut = min(x0, y0, view.width - x1, view.height - y1) < -to_view.scale  # by more than a pixel of the canvas
        return name, CUT if cut else ""

    with (
        closing(batches(run, sources, names, style)) as read,
        closing(run.draw_batches(((batch, batch[1]) for batch in read), style)) as drawn,
        closing(ordered_map(write, one_by_one(drawn), max_in_flight=run.batch_size, overlap=overlap)) as written,
    ):
        bar = Bar(written, total=len(names), unit="glyph", desc=f"drawing {style}")
        return [(name, flaw) for name, flaw in bar if flaw]


def draw_sheet(run: BaseRun, sources: GlyphInput, style: Style, out: Path, view: View) -> None:
    """Rows of source over result, the first ones of the folder, each as the view has them."""
    placement = run.placement(style)

    def read(name: str) -> tuple[np.ndarray | None, np.ndarray]:
        source, drawn = (
            sources.pixels(name, placement.inputs[0]),
            np.asarray(Image.open(out / f"{name}.png").convert("L")),
        )
        cell = View.of_em(*drawn.shape[::-1]).cell
        to_sheet = cell.inverse().compose(Frame(side))
        if source is not None:
            source = resample(source, placement.canvas.inverse().compose(view.cell).compose(to_sheet), side)
        return source, resample(drawn, to_sheet, side)

    side = min(run.size, 96)
    names = [name for name in sources.names if (out / f"{name}.png").is_file()][:SHEET_GLYPHS]
    rows: list[tuple[str, list[np.ndarray]]] = []
    with closing(ordered_map(read, names, max_in_flight=SHEET_GLYPHS, overlap=False)) as found:
        while part := list(islice(found, SHEET_COLUMNS)):
            rows.append(("source", [source for source, _ in part if source is not None]))
            rows.append(("drawn", [drawn for source, drawn in part if source is not None]))
    if rows:
        save_png(contact_sheet(rows, cell_px=side), out / SHEET)
