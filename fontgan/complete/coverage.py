"""What a typeface has: how much of each named set, whose characters they are, and what its licence says of changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fontTools.ttLib import TTFont

from fontgan.config.auto_source import source_of_region
from fontgan.data import charset
from fontgan.data.charset_sets import GROUPS, NAMED
from fontgan.data.font_source import FontGlyphs
from fontgan.data.region import Region, characters_of, region_of, set_to_complete
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError
from fontgan.fontfile.licence import check_licence
from fontgan.fontfile.names import family_of
from fontgan.fontfile.target import open_target

Needs = Literal["", "ownership", "family"]
UNRESERVED = "Nobody reserved this"  # a family name that no licence reserves
YOURS = "yours"  # the group of sets that the user names


@dataclass(frozen=True)
class SetCoverage:
    """Args:
    group: the script or region that the set is for, of ``GROUPS`` or ``YOURS``.
    what: what it is, in a few words; empty for a set of the user's own.
    of: how many characters the set has.
    missing: those that the typeface lacks, in the set's order.
    """

    name: str
    group: str
    what: str
    of: int
    missing: str

    @property
    def has(self) -> int:
        return self.of - len(self.missing)

    @property
    def percent(self) -> int:
        """Of the set, rounded down: 100 is all of it."""
        return 100 * self.has // self.of


@dataclass(frozen=True)
class Licence:
    """Args:
    said: what the font itself says.
    needs: what the user has to give before the font may be changed: that they own it, or another family name.
    why: the sentence that asks for that.
    """

    said: list[str]
    needs: Needs = ""
    why: str = ""


@dataclass(frozen=True)
class TypefaceCoverage:
    family: str
    characters: str
    region: Region
    source: str  # what fontgan complete draws from by itself
    charset: str  # and the set that it completes
    sets: list[SetCoverage]
    licence: Licence | None  # None of a folder of images


def cover(spec: str, sets: Sequence[str] = ()) -> TypefaceCoverage:
    """Looks at a font, or at a folder of glyph images.

    Args:
        sets: character sets of the user's own to look at too, as ``fontgan.data.charset.resolve`` takes them.
    Raises: UserError if it or one of them cannot be read.
    """
    glyphs = open_glyphs(spec)
    has = characters_of(glyphs)
    region = region_of(has)
    family, licence = "", None
    if isinstance(glyphs, FontGlyphs):
        font = open_target(spec).font
        family, licence = family_of(font), licence_of(font)
    return TypefaceCoverage(
        family,
        "".join(has),
        region,
        source_of_region(spec)[0],
        set_to_complete(region, has),
        sets_of(region, has, sets),
        licence,
    )


def sets_of(region: Region, has: list[str], sets: Sequence[str] = ()) -> list[SetCoverage]:
    """The user's sets, then those of the typeface's region, then every other, as ``GROUPS`` has them."""
    joined = {name: " and ".join(NAMED[part].what for part in name.split("+")) for name in region.sets if "+" in name}
    rows = [(YOURS, name, "") for name in sets if name not in NAMED and name not in joined]
    for group in sorted(GROUPS, key=lambda group: group != region.name):
        rows += [(group, name, named.what) for name, named in GROUPS[group].items()]
        if group == region.name:
            rows += [(group, name, what) for name, what in joined.items()]
    there, found = set(has), []
    for group, name, what in rows:
        chars = charset.resolve(name, "list") or []
        found.append(SetCoverage(name, group, what, len(chars), "".join(char for char in chars if char not in there)))
    return found


def licence_of(font: TTFont) -> Licence:
    try:
        said = check_licence(font, confirm_ownership=False, family=None, where="font")
        return Licence([str(one) for one in said])
    except ConfigError as error:
        why = str(error)
    said = check_licence(font, confirm_ownership=True, family=UNRESERVED, where="font")
    try:
        check_licence(font, confirm_ownership=False, family=UNRESERVED, where="font")
    except ConfigError as error:
        return Licence([str(one) for one in said], "ownership", str(error))
    return Licence([str(one) for one in said], "family", why)
