"""Is each made glyph fit to ship: the structure gate and the OCR of ``fontgan evaluate``, glyph by glyph."""

from collections.abc import Sequence

import numpy as np

from fontgan.evaluation.checks_file import CheckedGlyph, checked
from fontgan.metrics.recognition import OcrReader
from fontgan.metrics.structure import INK, MIN_CONFIDENCE, StrokeErrorClassifier


def check_glyphs(
    chars: Sequence[str],
    source: np.ndarray,
    drawn: np.ndarray,
    *,
    gate: StrokeErrorClassifier | None,
    reader: OcrReader | None,
) -> list[CheckedGlyph]:
    """Checks drawn glyphs against their source glyphs.

    Args:
        source, drawn: (N, H, W) uint8, 0 ink .. 255 paper, both on the source's canvas, alignment included.
        gate, reader: None to leave their strokes unchecked, or them unread.
    """
    sure = gate.confidence(source, drawn) if gate is not None else [None] * len(chars)
    read = legibilities(chars, source, drawn, reader) if reader is not None else [None] * len(chars)
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
