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
    """Where the middle of the mark's ink lies, from its origin.

    Text from left to right has the letter before the origin, and text from right to left after it.

    Args:
        letter: the width of a usual letter.
        side: the room beside the letter's ink.
    """
    kind = unicodedata.combining(mark)
    across = side if kind in BEFORE else letter - side if kind in AFTER else letter / 2
    if kind in BETWEEN:
        return 0
    from_right = (
        scripts.script_horizontal_direction(script, "LTR") == "RTL" for script in scripts.script_extension(mark)
    )
    return across if all(from_right) else across - letter
