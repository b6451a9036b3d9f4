"""The glyphs that a typeface lacks, drawn by a trained run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontgan.complete.plan import Plan
from fontgan.complete.work import Work, key_of, say_stage
from fontgan.data.image_source import name_from_char
from fontgan.errors import ConfigError
from fontgan.generate.folder import draw_folder
from fontgan.generate.inference import Run, Style, load
from fontgan.generate.sources import FontInput
from fontgan.generate.styles import choose_styles

log = logging.getLogger(__name__)


def open_run(
    spec: str | Path, style: str | Mapping[str, Any] | None, *, device: str, precision: str
) -> tuple[Run, Style]:
    """The trained run and the style to draw in, None for its only one.  Raises: UserError."""
    run = load(spec, device=device, precision=precision)
    if style == "all":
        raise ConfigError(f"style=all: a font has one style. Choose one of {', '.join(run.styles)}.")
    ((chosen, _),) = choose_styles(run, style, Path())
    run.style_align(chosen)
    return run, chosen


def draw(plan: Plan, work: Work, run: Run, style: Style) -> str:
    """Draws what is lacking, but for what is drawn already.  Returns: a key of how it was drawn."""
    say_stage(2, f"drawing {len(plan.lacking)} glyphs in {work.glyphs}")
    key = key_of(run.weights_hash, style, run.source_spec, work.facts["identity"])
    if work.facts["stages"].get("draw") != key:
        if work.glyphs.exists():
            log.info("%s: is of other weights or another style and is made anew", work.glyphs)
            shutil.rmtree(work.glyphs)
        work.done("draw", key)  # from here on what lies there is of this key
    if not all((work.glyphs / f"{name_from_char(char)}.png").is_file() for char in plan.lacking):
        draw_folder(run, FontInput(run, plan.source, plan.lacking), style, work.glyphs, overwrite=False)
    return key
