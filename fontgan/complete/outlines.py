"""The outlines of a typeface's drawn glyphs."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from fontgan.complete.plan import Plan
from fontgan.complete.work import Work, key_of, say_stage
from fontgan.data.font_source import FontGlyphs
from fontgan.data.image_source import FolderGlyphs, image_files
from fontgan.data.refusal import KINDS
from fontgan.errors import shorten
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.fontfile.metrics import choose_layout, drawn_baseline
from fontgan.fontfile.ufo import read_ufo, write_ufo
from fontgan.fontfile.vectorize import vectorize_folder
from fontgan.runtime.checksums import sha256_of

log = logging.getLogger(__name__)


def outline(
    plan: Plan,
    work: Work,
    checks: list[CheckedGlyph],
    drawn_as: str,
    *,
    family: str | None,
    tolerance: float,
    speck: float,
) -> set[str]:
    """Traces every image that is new or has changed into the UFO; all else there stays, as edited since.

    Returns: the characters that the user drew anew.
    """
    # Every made glyph was checked, and all may be specks.
    trace = partial(vectorize_folder, tolerance=tolerance, speck=speck, allow=KINDS, none_is_error=False)
    target, source = (glyphs if isinstance(glyphs, FontGlyphs) else None for glyphs in (plan.target, plan.source))
    # Glyphs drawn after a folder lie in that folder's own cells, whatever manifest stands beside them.
    layout = choose_layout(work.glyphs if target else plan.target.path, target=target, source=source)
    em, baseline, family = layout.units_per_em, layout.baseline, family or plan.target.path.resolve().stem
    write = partial(write_ufo, units_per_em=em, baseline=baseline, family=family)
    redrawn = redrawn_chars(work, plan.lacking)
    blank = {one.char for one in checks if "blank" in one.flags}
    how = key_of(drawn_as, tolerance, speck)
    files = {char: work.glyph(char) for char in plan.lacking if char not in blank} | redrawn
    images = {char: key_of(how, char in redrawn, sha256_of(file)) for char, file in files.items()}
    there = work.facts.get("traced", {}) if work.outlines.is_dir() else {}
    todo = [char for char, key in images.items() if there.get(char) != key]
    say_stage(4, f"tracing {len(todo)} outlines")
    if todo:
        glyphs = {glyph.char: glyph for glyph in read_ufo(work.outlines).glyphs_at(em)} if there else {}
        for char in todo:
            glyphs.pop(char, None)
        redraw_baseline = drawn_baseline(work.redraw)
        own_cells = replace(layout, baseline=baseline if redraw_baseline is None else redraw_baseline * em)
        for folder, cells, by_hand in ((work.glyphs, layout, False), (work.redraw, own_cells, True)):
            if chars := [char for char in todo if (char in redrawn) == by_hand]:
                found, unreadable = trace(folder, layout=cells, chars=chars)
                glyphs |= {glyph.char: glyph for glyph in found}
                images = {char: key for char, key in images.items() if char not in unreadable}  # tried again
        write(work.outlines, list(glyphs.values()))
        work.facts["traced"] = there | images
        work.save()
    if plan.from_images:
        trace_own = partial(trace, plan.target.path, layout=layout, chars=plan.has)
        work.once("own", how, work.own_outlines, lambda: write(work.own_outlines, trace_own()[0]))
    return set(redrawn)


def redrawn_chars(work: Work, lacking: list[str]) -> dict[str, Path]:
    """The user's own drawings of characters that are lacking."""
    if not work.redraw.is_dir() or not image_files(work.redraw):
        return {}
    drawings = FolderGlyphs(work.redraw, lacking)
    coverage = drawings.coverage(None)
    for finding in coverage.diagnostics:
        log.log(logging.WARNING if finding.level != "note" else logging.INFO, "%s", finding)
    wanted, present = set(lacking), set(coverage.present)
    if strange := [char for char in coverage.present if char not in wanted]:
        log.warning(
            "%s: %d drawings are of no character that is made here: %s", work.redraw, len(strange), shorten(strange)
        )
    return {char: drawings.files[char] for char in lacking if char in present}
