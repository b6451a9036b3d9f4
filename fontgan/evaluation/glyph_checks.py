"""Is each made glyph fit to ship: the structure gate and the OCR of ``fontgan evaluate``, glyph by glyph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fontgan.evaluation.checks_file import CheckedGlyph, checked
from fontgan.metrics.recognition import OcrReader
from fontgan.metrics.structure import INK, MIN_CONFIDENCE, MIN_FIT_GLYPHS, StrokeErrorClassifier, fit_gate
from fontgan.runtime.subsample import subsample_evenly

CHOSEN_ON = 80  # glyphs that tell by which input errors are seen best


@dataclass(frozen=True)
class StrokeCheck:
    """The structure gate of a style that knows guides: it holds glyphs against the input by which it sees errors best.

    Of a brush that is a kai rather than the sans: fewer true glyphs are flagged, and more errors are caught.
    """

    number: int  # of the input, 0 for the source
    gate: StrokeErrorClassifier
    by_source: StrokeErrorClassifier  # for characters that the guide lacks

    def confidence(self, inputs: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """(N, 1 + guides, H, W) and (N, H, W) uint8, 0 ink .. 255 paper -> (N,), 0 to 1."""
        sure, there = np.empty(len(drawn)), has_ink(inputs[:, self.number])
        for gate, number, rows in ((self.gate, self.number, there), (self.by_source, 0, ~there)):
            if rows.any():
                sure[rows] = gate.confidence(inputs[rows, number], drawn[rows])
        return sure


def has_ink(images: np.ndarray) -> np.ndarray:
    """(N, H, W) uint8 -> (N,) bool."""
    return np.asarray((images < INK).any(axis=(1, 2)))


def fit_stroke_check(inputs: np.ndarray, true: np.ndarray, *, seed: int) -> StrokeCheck:
    """Fits the gate of a style for the source and each guide, and chooses among them.

    Args:
        inputs: (N, 1 + guides, H, W) uint8, 0 ink .. 255 paper; a guide without ink lacks the character.
        true: (N, H, W) uint8 true glyphs of the style.
    Raises: ValueError for fewer than ``MIN_FIT_GLYPHS`` glyphs.
    """

    def fit(number: int, rows: Sequence[int]) -> StrokeErrorClassifier:
        return fit_gate(inputs[rows, number], true[rows], seed=seed)

    def mistakes(number: int) -> float:
        calibration = fit(number, subsample_evenly(rows[number], CHOSEN_ON)).calibration
        return calibration.right_flagged - (calibration.missing_caught + calibration.wrong_caught) / 2

    rows = [np.flatnonzero(has_ink(inputs[:, number])).tolist() for number in range(inputs.shape[1])]
    rows[0] = list(range(len(true)))
    enough = [number for number, there in enumerate(rows) if len(there) >= max(MIN_FIT_GLYPHS, len(true) / 2)]
    best = min(enough, key=mistakes) if len(enough) > 1 else 0
    by_source = fit(0, rows[0])
    return StrokeCheck(best, fit(best, rows[best]) if best else by_source, by_source)


def check_glyphs(
    chars: Sequence[str],
    inputs: np.ndarray,
    drawn: np.ndarray,
    *,
    strokes: StrokeCheck | None,
    reader: OcrReader | None,
) -> list[CheckedGlyph]:
    """Checks drawn glyphs against what they were drawn from.

    Args:
        inputs: (N, 1 + guides, H, W), source and guides, and
        drawn: (N, H, W) uint8, 0 ink .. 255 paper, both on the source's canvas, alignment included.
        strokes, reader: None to leave their strokes unchecked, or them unread.
    """
    sure = strokes.confidence(inputs, drawn) if strokes is not None else [None] * len(chars)
    read = legibilities(chars, inputs[:, 0], drawn, reader) if reader is not None else [None] * len(chars)
    found = []
    for char, image, structure, legibility in zip(chars, drawn, sure, read, strict=True):
        wrong = {
            "blank": image.min() >= INK,
            "clipped": min(edge.min() for edge in (image[0], image[-1], image[:, 0], image[:, -1])) < INK,
            "structure": structure is not None and structure < MIN_CONFIDENCE,
            "illegible": legibility == 0,
        }
        rounded = None if structure is None else round(float(structure), 4)
        found.append(checked(char, rounded, legibility, [flag for flag, is_so in wrong.items() if is_so]))
    return found


def legibilities(chars: Sequence[str], source: np.ndarray, drawn: np.ndarray, reader: OcrReader) -> list[float | None]:
    """Confidence in the right character, 0 where another is read; None where the source glyph is not read right either.

    What OCR cannot read in print says nothing of the drawing.
    """
    rows = [row for row, char in enumerate(chars) if char in reader.knows]
    found: list[float | None] = [None] * len(chars)
    known = zip(rows, reader.read(source[rows]), reader.read(drawn[rows]), strict=True)
    for row, (as_source, _), (as_drawn, confidence) in known:
        if as_source.strip() == chars[row]:
            found[row] = round(confidence, 4) if as_drawn.strip() == chars[row] else 0.0
    return found
