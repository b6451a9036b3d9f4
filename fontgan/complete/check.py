"""The check of every drawn glyph of a typeface."""

from __future__ import annotations

import logging

import numpy as np

from fontgan.complete.plan import Plan
from fontgan.complete.work import Stage, Work, key_of, say_stage
from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char, read_grey, resample
from fontgan.evaluation.checks_file import CheckedGlyph, read_checks, write_checks
from fontgan.evaluation.glyph_checks import check_glyphs
from fontgan.generate.inference import Run, Style
from fontgan.metrics.recognition import OcrReader
from fontgan.metrics.structure import MIN_FIT_GLYPHS, fit_gate
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)

GATE_GLYPHS = 240  # true glyphs that the structure gate is fitted on, at most
GATE_SEED = 1
AT_ONCE = 256  # glyphs checked together


def check(
    plan: Plan, work: Work, run: Run, style: Style, drawn_as: str, *, reader: OcrReader | None
) -> list[CheckedGlyph]:
    """Checks every made glyph and writes ``checks.json``.  Returns: what it holds."""
    say_stage(3, "checking every glyph")
    key = key_of(drawn_as, plan.lacking, plan.learned_from, reader.name if reader else None)
    work.once(Stage("check", key, work.checks, lambda: _check_all(plan, work, run, style, reader)))
    return list(read_checks(work.checks).values())


def _check_all(plan: Plan, work: Work, run: Run, style: Style, reader: OcrReader | None) -> None:
    canvas = Frame.from_dict(run.manifest["cell_to_canvas"])
    aligned = run.style_align(style).compose(canvas)
    learned = subsample_evenly(plan.learned_from, GATE_GLYPHS)
    gate = None
    if len(learned) >= MIN_FIT_GLYPHS:
        true = np.stack([plan.target.rasterize(char, aligned, run.size) for char in learned])
        gate = fit_gate(run.source_pixels(plan.source, learned), true, seed=GATE_SEED)
        log.info(
            "the check of strokes flags %.0f %% of the target's own glyphs, and %.0f %% of those with a component lost",
            100 * gate.calibration.right_flagged, 100 * gate.calibration.missing_caught,
        )  # fmt: skip
    found: list[CheckedGlyph] = []
    move = canvas.inverse().compose(aligned)
    for start in range(0, len(plan.lacking), AT_ONCE):
        chars = plan.lacking[start : start + AT_ONCE]
        images = (read_grey(work.glyphs / f"{name_from_char(char)}.png")[0] for char in chars)
        drawn = np.stack([resample(image, move, run.size) for image in images])
        found += check_glyphs(chars, run.source_pixels(plan.source, chars), drawn, gate=gate, reader=reader)
    write_checks(
        work.checks,
        found,
        ocr=reader.name if reader else None,
        structure=None if gate is None else vars(gate.calibration),
    )
