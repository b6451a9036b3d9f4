"""Where a combining mark of no width stands: by Unicode's canonical combining classes."""

import unicodedata
from collections.abc import Iterable

from fontTools import unicodedata as scripts

BEFORE = frozenset({200, 208, 212, 218, 224, 228})  # classes of marks at the left of a letter
AFTER = frozenset({204, 210, 216, 222, 226, 232})  # at its right, such as a horn
BETWEEN = frozenset({233, 234})  # over or under two letters
FIRST_OF_PLACES = 200  # classes below tell of a script or of an order, and not of a place
SHARED = frozenset({"Zinh", "Zyyy"})  # marks of no script of their own


def is_placed_by_class(mark: str) -> bool:
    """Whether its class tells where it stands: most marks of Latin, Greek and Cyrillic, and few of Indic scripts."""
    return unicodedata.combining(mark) >= FIRST_OF_PLACES


def letters_of(mark: str, letters: Iterable[str]) -> list[str]:
    """Those letters that a mark may stand on."""
    with_script = [(letter, scripts.script(letter)) for letter in letters]
    allowed = scripts_of(mark, {script for _, script in with_script})
    return [letter for letter, script in with_script if script in allowed]


def scripts_of(mark: str, among: Iterable[str]) -> list[str]:
    """The scripts, of some in their order, whose letters a mark may stand on."""
    own = set(scripts.script_extension(mark))
    return [script for script in among if script in own or own <= SHARED]


def middle(mark: str, letter: float, side: float) -> float:
    """Where the middle of the mark's ink lies, from the start of its letter.

    Args:
        letter: the letter's width.
        side: the room beside the letter's ink.
    """
    place = unicodedata.combining(mark)
    if place in BETWEEN:
        return letter
    return side if place in BEFORE else letter - side if place in AFTER else letter / 2


def is_before_its_letter(mark: str) -> bool:
    """Whether a mark's origin is where its letter starts, as in text from right to left, and not where it ends."""
    directions = (scripts.script_horizontal_direction(script, "LTR") for script in scripts.script_extension(mark))
    return all(direction == "RTL" for direction in directions)
