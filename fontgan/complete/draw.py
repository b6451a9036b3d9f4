"""The glyphs that a typeface lacks: drawn by a trained run, and checked."""

import logging
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.complete.again import draw_again
from fontgan.complete.expect import say_against_expected
from fontgan.complete.plan import Plan
from fontgan.complete.work import Work, key_of, say_stage
from fontgan.data.glyphs import Diagnostics
from fontgan.data.image_source import folder_reader
from fontgan.data.refusal import KINDS, tell, tell_or_refuse
from fontgan.data.sources import own_name
from fontgan.errors import ConfigError
from fontgan.evaluation.checks_file import CheckedGlyph, read_checks, write_checks
from fontgan.evaluation.glyph_checks import check_glyphs, fit_stroke_check
from fontgan.generate.folder import choose_styles, draw_folder
from fontgan.generate.inference import Run, Style, load
from fontgan.generate.sources import FontInput
from fontgan.metrics.recognition import OcrReader
from fontgan.metrics.structure import MIN_FIT_GLYPHS
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)

GATE_GLYPHS = 240  # true glyphs that the structure gate is fitted on, at most
GATE_SEED = 1
AT_ONCE = 256  # glyphs checked together


def open_run(
    spec: str | Path, style: str | Mapping[str, Any] | None, *, device: str, precision: str
) -> tuple[Run, Style]:
    """The trained run and the style to draw in, None for its only one.  Raises: UserError."""
    run = load(spec, device=device, precision=precision, key="run")
    if style == "all":
        raise ConfigError(f"style=all: a font has one style. Choose one of {', '.join(run.styles)}.")
    ((chosen, _),) = choose_styles(run, style, Path())
    run.placement(chosen)
    return run, chosen


def draw(plan: Plan, work: Work, run: Run, style: Style) -> str:
    """Draws what is lacking, but for what is drawn already.  Returns: a key of how it was drawn."""
    say_stage(2, f"drawing {len(plan.lacking)} glyphs in {work.glyphs}")
    key = key_of(run.weights_hash, style, run.drawn_from, work.facts["identity"])
    if work.facts["stages"].get("draw") != key:
        if work.glyphs.exists():
            log.info("%s: is of other weights or another style and is made anew", work.glyphs)
            shutil.rmtree(work.glyphs)
        work.done("draw", key)  # from here on what lies there is of this key
    if not all(work.glyph(char).is_file() for char in plan.lacking):
        sources, view = FontInput(run, plan.source, plan.lacking), run.view(style, extent="canvas")
        tell(draw_folder(run, sources, style, work.glyphs, view=view, overwrite=False), KINDS)
    return key


def check(
    plan: Plan, work: Work, run: Run, style: Style, drawn_as: str, *, reader: OcrReader | None
) -> list[CheckedGlyph]:
    """Checks every made glyph and writes ``checks.json``.  Returns: what it holds."""
    say_stage(3, "checking every glyph")
    key = key_of(drawn_as, plan.lacking, plan.learned_from, reader.name if reader else None)
    work.once("check", key, work.checks, lambda: _check_all(plan, work, run, style, reader))
    return list(read_checks(work.checks).values())


def refuse_blank(checks: Sequence[CheckedGlyph], glyphs: Path, allow: Collection[str]) -> None:
    """Raises: DataError if most made glyphs hold no ink, and ``allow`` does not name that."""
    blank = [one.char for one in checks if "blank" in one.flags]
    found = Diagnostics()
    found.tell("warning", glyphs, blank, "glyphs are blank", "Train for longer.", kind="blank", of=len(checks))
    tell_or_refuse(found, allow)


def _input_name(run: Run, number: int, style: Style) -> str:
    """What an input of a run's network shows, 0 for the source."""
    if number == 0:
        return "the source"
    guide = run.drawn_from.guides[number - 1]
    font = guide if isinstance(guide, str) else guide[run.placement(style).preferred[number - 1]]
    return f"the guide {own_name(font)}"


def _check_all(plan: Plan, work: Work, run: Run, style: Style, reader: OcrReader | None) -> None:
    canvas = run.placement(style).canvas
    learned = subsample_evenly(plan.learned_from, GATE_GLYPHS)
    strokes = calibration = None
    if len(learned) >= MIN_FIT_GLYPHS:
        true = np.stack([plan.target.rasterize(char, canvas, run.size) for char in learned])
        strokes = fit_stroke_check(run.inputs(plan.source, learned, style), true, seed=GATE_SEED)
        calibration = strokes.gate.calibration
        log.info(
            "the check of strokes, against %s, flags %.0f %% of the target's own glyphs, and %.0f %% of those with a component lost",
            _input_name(run, strokes.number, style),
            100 * calibration.right_flagged, 100 * calibration.missing_caught,
        )  # fmt: skip
    look = partial(check_glyphs, strokes=strokes, reader=reader)
    found: list[CheckedGlyph] = []
    reads = folder_reader(work.glyphs)
    for start in range(0, len(plan.lacking), AT_ONCE):
        chars = plan.lacking[start : start + AT_ONCE]
        drawn = np.stack([reads.read(work.glyph(char), char)[0] for char in chars])
        found += look(chars, run.inputs(plan.source, chars, style), drawn)
    say_against_expected(found, work.facts.get("expected"))
    if failed := [one for one in found if one.flags]:
        better = draw_again(plan, work, run, style, failed, look)
        found = [better.get(one.char, one) for one in found]
    ocr, structure = reader.name if reader else None, vars(calibration) if calibration else None
    write_checks(work.checks, found, ocr=ocr, structure=structure)
