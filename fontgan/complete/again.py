"""Made glyphs that failed a check, drawn again in other ways; of each the best drawing is kept.

A network draws a glyph somewhat differently where its source lies two pixels farther, or with weights of some steps before;
strokes that run together in one drawing are often apart in another.
"""

import logging
from collections.abc import Callable, Sequence

import numpy as np

from fontgan.complete.plan import Plan
from fontgan.complete.work import Work
from fontgan.data.glyphs import PAPER
from fontgan.errors import RunError
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.generate.inference import Run, Style, load
from fontgan.pictures.contact_sheet import save_png
from fontgan.runtime.progress import Bar
from fontgan.training.checkpoint import all_checkpoints

log = logging.getLogger(__name__)

MOVED = 1 / 64  # of the canvas: by so much everything that the network sees is moved, and what it draws back
# Rows and columns; the nearest first.
DIRECTIONS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
AT_ONCE = 256  # glyphs drawn together

Check = Callable[[Sequence[str], np.ndarray, np.ndarray], list[CheckedGlyph]]


def draw_again(
    plan: Plan, work: Work, run: Run, style: Style, failed: Sequence[CheckedGlyph], check: Check
) -> dict[str, CheckedGlyph]:
    """Draws what failed in other ways until it passes, and replaces the images of those that come out better.

    Args:
        check: characters, what they are drawn from, (N, 1 + guides, size, size), and their drawings, (N, size, size), both
            uint8 -> what is found of each.
    Returns: what was found of the characters whose images were replaced.
    """
    runs = [run, *_earlier(run)]
    ways = [(by, way) for by in runs for way in DIRECTIONS if (by, way) != (run, (0, 0))]
    best = {one.char: one for one in failed}
    view = run.view(style, extent="canvas")
    with Bar(total=len(failed) * len(ways), unit="glyph", desc="drawing again", leave=False) as bar:
        for start in range(0, len(failed), AT_ONCE):
            chars = [one.char for one in failed[start : start + AT_ONCE]]
            inputs = run.inputs(plan.source, chars, style)
            for by, way in ways:
                still = [row for row, char in enumerate(chars) if best[char].flags]
                bar.update(len(chars))
                if not still:
                    continue
                rows, columns = (round(MOVED * run.size * step) for step in way)
                drawn = by.stylise(shifted(inputs[still], rows, columns), style, view=view)
                drawn = shifted(drawn, -rows, -columns)
                named = [chars[row] for row in still]
                for image, found in zip(drawn, check(named, inputs[still], drawn), strict=True):
                    if found.doubt < best[found.char].doubt:
                        best[found.char] = found
                        save_png(image, work.glyph(found.char))
    better = {one.char: best[one.char] for one in failed if best[one.char] is not one}
    passed = sum(not one.flags for one in better.values())
    log.info(
        "of %d glyphs that failed, %d pass when they are drawn again in %d other ways", len(failed), passed, len(ways)
    )
    return better


def _earlier(run: Run) -> list[Run]:
    """The run as it was at the checkpoint before, where there is one that can be read."""
    folder = run.checkpoint.folder
    if folder.parent.name != "checkpoints":
        return []
    before = [one for one in all_checkpoints(folder.parent.parent) if one.step < run.checkpoint.step]
    try:
        return [load(before[-1].folder, device=str(run.device), precision=run.precision)] if before else []
    except RunError as error:
        log.warning("%s", error)
        return []


def shifted(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Images (..., H, W), each moved by so many pixels down and to the right; what comes in is paper."""
    moved = np.full_like(images, PAPER)
    height, width = images.shape[-2:]
    to = slice(max(0, rows), height + min(0, rows)), slice(max(0, columns), width + min(0, columns))
    start = slice(max(0, -rows), height - max(0, rows)), slice(max(0, -columns), width - max(0, columns))
    moved[(..., *to)] = images[(..., *start)]
    return moved
