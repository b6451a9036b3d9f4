"""The check of every drawn glyph of a typeface."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from fontgan.complete.plan import Plan, Work, key_of, say_stage
from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char, read_grey, resample
from fontgan.evaluation.checks_file import CheckedGlyph, read_checks, write_checks
from fontgan.runtime.subsample import subsample_evenly

if TYPE_CHECKING:
    from fontgan.inference import Run, Style

log = logging.getLogger(__name__)

GATE_GLYPHS = 240  # true glyphs that the structure gate is fitted on, at most
GATE_SEED = 1
AT_ONCE = 256  # glyphs checked together


def check(cfg: DictConfig, plan: Plan, work: Work, run: Run, style: Style, drawn_as: str) -> list[CheckedGlyph]:
    """Checks every made glyph and writes ``checks.json``.  Returns: what it holds."""
    from fontgan.evaluation.glyph_checks import check_glyphs
    from fontgan.metrics.recognition import find_ocr
    from fontgan.metrics.structure import MIN_FIT_GLYPHS, fit_gate

    say_stage(3, "checking every glyph")
    reader = find_ocr(cfg.ocr)
    key = key_of(drawn_as, plan.lacking, plan.learned_from, reader.name if reader else None)
    if work.is_done("check", key, work.checks):
        return list(read_checks(work.checks).values())
    canvas = Frame.from_dict(run.manifest["cell_to_canvas"])
    aligned = run.style_align(style).compose(canvas)
    learned = subsample_evenly(plan.learned_from, GATE_GLYPHS)
    gate = None
    if len(learned) >= MIN_FIT_GLYPHS:
        true = np.stack([plan.target.draw(char, aligned, run.size) for char in learned])
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
    work.done("check", key)
    return found
