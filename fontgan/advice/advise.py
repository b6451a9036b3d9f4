"""Which characters to draw next, and why."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from fontgan.advice.coverage import Advice, Coverage
from fontgan.advice.parts import CANVAS, SIDE
from fontgan.data import charset as charsets
from fontgan.data.glyphs import GlyphSource, warn_of_outlying
from fontgan.errors import DataError, shorten
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.runtime.progress import Bar

log = logging.getLogger(__name__)

DOUBTS_COUNT = 9.0  # a flagged glyph of doubt 1 counts this much more than one that passed
_EXAMPLES = 6  # waiting characters named in a reason


def advise(
    source: GlyphSource, drawn: Sequence[str], lacking: Sequence[str], n: int, checked: Mapping[str, CheckedGlyph]
) -> tuple[list[Advice], float]:
    """The characters of ``lacking`` to draw next.

    Args:
        drawn: what the target has; of these the source's glyphs count as covered.
        lacking: what the target is to have besides, all in the source.
        checked: glyphs that were made of ``lacking``: the parts of the doubtful ones count more.
    Returns: at most ``n``, the most useful first; and the coverage before the first of them, 0 to 1.
    """
    wanted = set(lacking)
    known = [char for char in source.coverage(list(drawn)).present if char not in wanted]
    if drawn and not known:
        log.info("none of the target's characters is in the source: it is advised as if nothing were drawn yet.")
    chars = [*known, *lacking]
    images = np.stack([source.rasterize(char, CANVAS, SIDE) for char in Bar(chars, unit="glyph", desc="drawing")])
    doubts = [checked[char].doubt if char in checked and checked[char].flags else 0 for char in lacking]
    coverage = Coverage(chars, images, np.array([0.0] * len(known) + [1 + DOUBTS_COUNT * doubt for doubt in doubts]))
    for index in range(len(known)):
        coverage.add(index)
    before = coverage.share
    return coverage.choose(range(len(known), len(chars)), n), before


def reason(advice: Advice) -> str:
    """Why a character is worth drawing, in words."""
    others = [char for char in advice.waiting if char != advice.char]
    if not others:
        return "new: a shape of its own; no other character waits for one of its parts"
    told = "".join(others[:_EXAMPLES]) + ("..." if len(others) > _EXAMPLES else "")
    waits = "1 other waits" if len(others) == 1 else f"{len(others)} others wait"
    return f"new: {advice.part} of {advice.char}; {waits} for it: {told}"


def lacking_chars(source: GlyphSource, drawn: Sequence[str], charset: str) -> list[str]:
    """Characters of the charset that the target lacks and the source has; ``drawn`` is what the target has, if there is one.

    Raises: DataError if there are none.
    """
    wanted = charsets.resolve(charset) or source.coverage(None).present
    have = set(drawn)
    lacking = [char for char in wanted if char not in have]
    if not lacking:
        raise DataError(
            f"charset={charset}: the target has all {len(wanted)} characters of it. Choose a larger charset."
        )
    found = source.coverage(lacking)
    warn_of_outlying(source.path, found, "are not advised")
    present = found.present
    if not present:
        raise DataError(
            f"source={source.path}: has none of the {len(lacking)} characters to draw ({shorten(lacking)}). "
            "Give a complete font of the same script."
        )
    have.update(present)
    if without := [char for char in lacking if char not in have]:
        log.warning("the source lacks %d wanted characters, which are left out: %s", len(without), shorten(without))
    return present
