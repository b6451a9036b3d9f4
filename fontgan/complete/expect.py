"""What a completion will come to, told before it trains: from what fonts gave that nobody trained on.

How hard a hand is shows in how far the base model lies from it before any training.  Of the measured fonts, those that lie
about as far tell what comes of so many known glyphs.
"""

import csv
import logging
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from fontgan.base import FOLDER
from fontgan.complete.plan import script_of
from fontgan.complete.untrained import STYLE, open_untrained
from fontgan.data.sources import Spec, open_glyphs
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.generate.inference import Run
from fontgan.models.glyph_encoder import perceptual_distance
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.device import autocast
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.subsample import subsample_evenly
from fontgan.training.nearest_style import COMPARED
from fontgan.values import ink_from_pixels

log = logging.getLogger(__name__)

TABLE = FOLDER / "expected.csv"  # written by scripts/expected.py
SCRIPTS = {"Han", "Hiragana", "Katakana"}
BATCH = 16  # glyphs of the passes that are timed
# All else that a training step does, and what drawing, checking and tracing a glyph takes, in passes forward and back:
# docs/guide/how-many-glyphs.md.
STEP, GLYPH = 1.35, 1.0


class Measured(NamedTuple):
    """What a font gave of which so many glyphs were known."""

    font: str
    untrained: float  # distance of the base model to it, by the glyph encoder
    known: int
    read: float  # share of drawn glyphs that OCR reads right
    failed: float  # share that fails the check of strokes


class Expected(NamedTuple):
    like: str  # the measured font that is as hard
    read: float
    failed: float


def read_table(file: Path = TABLE) -> list[Measured]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        return [
            Measured(row["font"], float(row["untrained"]), int(row["known"]), float(row["read"]), float(row["failed"]))
            for row in rows
        ]


def expect(untrained: float, known: int, table: Sequence[Measured]) -> Expected:
    """What so many known glyphs of a hand give, between the measured fonts and numbers.

    Args:
        untrained: distance of the base model to the hand, see ``distance_untrained``.
    """
    fonts = sorted({row.font: row.untrained for row in table}.items(), key=lambda font: font[1])
    distances = [distance for _, distance in fonts]

    def between(value: str) -> float:
        of_fonts = []
        for font, _ in fonts:
            rows = sorted((row for row in table if row.font == font), key=lambda row: row.known)
            at = [np.log(row.known) for row in rows]
            of_fonts.append(np.interp(np.log(max(1, known)), at, [getattr(row, value) for row in rows]))
        return float(np.interp(untrained, distances, of_fonts))

    like = min(fonts, key=lambda font: abs(font[1] - untrained))[0]
    return Expected(like, between("read"), between("failed"))


def distance_untrained(run: Run, target: str, source: Spec, chars: Sequence[str]) -> float:
    """Distance of what the untrained base draws to the true glyphs, by the glyph encoder: 0 for equal ones."""
    drawn, complete = open_glyphs(target), open_glyphs(source)
    frame, view = run.placement(STYLE).canvas, run.view(STYLE, extent="canvas")
    made = run.stylise(run.inputs(complete, list(chars), STYLE), STYLE, view=view)
    true = np.stack([drawn.rasterize(char, frame, run.size) for char in chars])
    return float(perceptual_distance(*(ink_from_pixels(images)[:, None] for images in (made, true))).mean())


def seconds_of_passes(run: Run) -> float:
    """How long one batch takes forward and back here, the median of three."""
    generator, took = run.generator, []
    inputs = torch.rand(BATCH, generator.in_channels, run.size, run.size, device=run.device)
    style = torch.zeros(BATCH, generator.styles, device=run.device)
    for _ in range(4):
        began = time.perf_counter()
        with autocast(run.device, run.precision)():
            logits = generator(inputs.contiguous(memory_format=torch.channels_last), style)
        logits.float().square().mean().backward()
        wait_for(run.device)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def is_measured(to_make: Sequence[str]) -> bool:
    """Whether most of these characters are of the scripts that the table was measured on."""
    return statistics.fmean(script_of(char) in SCRIPTS for char in to_make) > 0.5


class Estimate(NamedTuple):
    """What a completion will come to here.

    Args:
        minutes: of training, drawing and tracing.
        expected: what was measured with the same training; None where this one is another.
    """

    minutes: float
    expected: Expected | None


def estimate(
    target: str,
    source: Spec,
    known: Sequence[str],
    *,
    steps: int,
    to_make: int,
    as_measured: bool,
    device: str,
    precision: str,
    threads: int | None,
) -> Estimate:
    """What a completion from the base model takes and gives, by a few passes and a few glyphs that it draws untrained.

    Args:
        known: characters that are learned from.
        as_measured: whether it is trained as the measured fonts were.
    """
    if threads:
        torch.set_num_threads(threads)
    some = subsample_evenly(known, COMPARED)
    with quiet("fontgan"):
        run, _ = open_untrained(target, source, some, device=device, precision=precision)
    minutes = seconds_of_passes(run) * (STEP * steps + GLYPH * to_make) / 60
    if not as_measured:
        return Estimate(minutes, None)
    return Estimate(minutes, expect(distance_untrained(run, target, source, some), len(known), read_table()))


def say_expected(found: Estimate, known: int) -> None:
    """Says what so many known glyphs will come to."""
    minutes = max(1, round(found.minutes))
    if found.expected is None:
        log.info("about %d minutes", minutes)
        return
    log.info(
        "about %d minutes; with your %d glyphs expect %.0f %% read right and %.0f %% failing the check of strokes at first, as with %s, a measured font "
        "that is about as hard (docs/guide/how-many-glyphs.md)",
        minutes, known, 100 * found.expected.read, 100 * found.expected.failed, found.expected.like,
    )  # fmt: skip


def say_against_expected(checks: Sequence[CheckedGlyph], expected: Mapping[str, float] | None) -> None:
    """Says how many made glyphs are read right and how many fail, beside what was expected of them, if anything was."""
    if not expected:
        return
    read = [one.legibility > 0 for one in checks if one.legibility is not None]
    right = f"{np.mean(read):.1%} read right ({expected['read']:.0%} expected), " if read else ""
    failed = np.mean(["structure" in one.flags for one in checks])
    log.info(
        "as drawn first: %s%.0f %% fail the check of strokes (%.0f %% expected)",
        right,
        100 * failed,
        100 * expected["failed"],
    )
