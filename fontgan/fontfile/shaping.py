"""What fonts need beside glyphs to set some scripts, and fontgan does not make: features that join, order and anchor."""

import logging
import unicodedata
from collections.abc import Iterable

from fontTools import unicodedata as scripts

from fontgan.errors import shorten
from fontgan.fontfile.widths import is_mark

log = logging.getLogger(__name__)

# Unicode's codes of scripts whose letters join, change or move by their neighbours: those that HarfBuzz shapes as
# Arabic, Indic, Khmer and Myanmar, and the larger ones of its Universal Shaping Engine.
SHAPED = {
    "Adlm", "Arab", "Mand", "Mani", "Mong", "Nkoo", "Phag", "Rohg", "Sogd", "Syrc",
    "Beng", "Deva", "Gujr", "Guru", "Knda", "Mlym", "Orya", "Sinh", "Taml", "Telu", "Khmr", "Mymr", "Tibt",
    "Bali", "Batk", "Bugi", "Cakm", "Cham", "Gran", "Java", "Kthi", "Lana", "Lepc", "Limb", "Mtei", "Newa", "Saur",
    "Sund", "Sylo", "Takr", "Tirh",
}  # fmt: skip


def warn_of_features(chars: Iterable[str], *, extended: bool) -> None:
    """The log warns, in a line each, of letters that will not join and of marks without anchors.

    Args:
        chars: the characters that are put into a font.
        extended: whether they are added to another font, whose features do not know them.
    """
    of_script: dict[str, list[str]] = {}
    marks = []
    for char in chars:
        if (script := scripts.script(char)) in SHAPED and unicodedata.category(char)[0] in "LM":
            of_script.setdefault(str(scripts.script_name(script)), []).append(char)
        if is_mark(char):
            marks.append(char)
    whose = "the target's features do not know them" if extended else "a new font has no features"
    if of_script:
        log.warning(
            "%s letters do not join, change or move as their neighbours want it, since %s: %d glyphs, %s. "
            "Draw their forms and add features (GSUB, GPOS) in a font editor.",
            " and ".join(of_script), whose, sum(map(len, of_script.values())),
            shorten([char for chars in of_script.values() for char in chars]),
        )  # fmt: skip
    if marks:
        log.warning(
            "%d combining marks have no anchors, since %s, and do not follow the shape of the letter that they stand on: "
            "%s. Add anchors (the feature mark, GPOS) in a font editor.", len(marks), whose, shorten(marks),
        )  # fmt: skip
