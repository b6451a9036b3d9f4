"""A style that a run did not know, read off reference glyphs."""

import hashlib
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING, Any

import numpy as np

from fontgan.data.frame import Box, Frame, fit_median, fit_most
from fontgan.data.references import Reference, read_references
from fontgan.data.sources import Spec, check_style_name, open_glyphs, style_name
from fontgan.errors import DataError, RunError

if TYPE_CHECKING:
    from fontgan.generate.run import BaseRun

log = logging.getLogger(__name__)


def read_style(run: "BaseRun", spec: str, name: str | None, *, most: int, allow: Collection[str]) -> dict[str, Any]:
    """Makes the run's generator know a style; the arguments are those of ``Run.add_style``, and the errors too.

    Returns: what a manifest says of it.
    """
    if not run.reads_references:
        raise RunError(
            f"{run.where}: knows its styles by name and cannot read one off images. Train with "
            "generator/style=reference, or add the style to this run: fontgan train init_from=RUN data.targets=..."
        )
    name = name or style_name(spec)
    check_style_name(name, f"style {spec}", "Rename the folder or font.")
    if name in run.styles:
        raise DataError(f"{spec}: a style cannot be called {name} here, as it is taken. Rename the folder or font.")
    references = read_references(spec, list(run.manifest["trained"]), most, allow)
    canvas = fit_most([reference.box for reference in references], run.size, run.margin)
    pixels = np.stack([reference.draw(canvas, run.size) for reference in references])
    run.learn_style(pixels)
    log.info("style %s: read off %d glyphs of %s", name, len(references), spec)
    entry = {
        "name": name,
        "file": Path(spec).name,
        "canvas": canvas.as_dict(),
        "source": 0,
        "inputs": [align.compose(canvas).as_dict() for align in _align(run, references)],
        "limits": run.manifest["styles"][0].get("limits", []),
        "preferred": run.manifest["styles"][0].get("preferred", []),
        "references": len(references),
        "pixels": hashlib.sha256(pixels.tobytes()).hexdigest()[:16],
    }
    view = mode(reference.view for reference in references)
    return entry | ({"view": view.as_dict()} if view else {})


def _align(run: "BaseRun", references: Sequence[Reference]) -> list[Frame]:
    """The cells of source and guides -> the references'."""
    if not run.align:
        return [Frame()] * run.in_channels
    entries = (run.manifest["sources"][0], *run.manifest["guides"])
    specs = (run.drawn_from.source, *run.drawn_from.guides)
    return [_align_one(entry, spec, references) for entry, spec in zip(entries, specs, strict=True)]


def _align_one(entry: dict[str, Any], spec: Spec | None, references: Sequence[Reference]) -> Frame:
    """Fitted on characters that it has too, else on its median."""
    known = {reference.char: reference.box for reference in references if reference.char is not None}
    try:
        glyphs = open_glyphs(spec) if spec else None
        shared = glyphs.coverage(list(known)).present if glyphs else []
    except DataError as error:
        log.info("aligned without the glyphs of %s: %s", entry["name"], error)
        glyphs, shared = None, []
    if glyphs and shared:
        return fit_median([glyphs.ink_box(char) for char in shared], [known[char] for char in shared])
    median = entry.get("median_ink_box")
    return fit_median([Box(*median)], [reference.box for reference in references]) if median else Frame()
