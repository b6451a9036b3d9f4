"""What a typeface has: how much of each named set, whose characters they are, and what its licence says of changes."""

from dataclasses import dataclass
from typing import Literal

from fontTools.ttLib import TTFont

from fontgan.config.auto_source import source_of_region
from fontgan.data import charset
from fontgan.data.font_source import FontGlyphs
from fontgan.data.region import Region, characters_of, region_of, set_to_complete
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError
from fontgan.fontfile.licence import check_licence
from fontgan.fontfile.names import family_of
from fontgan.fontfile.target import open_target

Needs = Literal["", "ownership", "family"]
UNRESERVED = "Nobody reserved this"  # a family name that no licence reserves


@dataclass(frozen=True)
class SetCoverage:
    name: str
    of: int  # characters of the set
    missing: str  # those that the typeface lacks

    @property
    def has(self) -> int:
        return self.of - len(self.missing)


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


def cover(target: str) -> TypefaceCoverage:
    """Looks at a font, or at a folder of glyph images.  Raises: UserError if it cannot be read."""
    glyphs = open_glyphs(target)
    has = characters_of(glyphs)
    region = region_of(has)
    family, licence = "", None
    if isinstance(glyphs, FontGlyphs):
        font = open_target(target).font
        family, licence = family_of(font), licence_of(font)
    return TypefaceCoverage(
        family,
        "".join(has),
        region,
        source_of_region(target)[0],
        set_to_complete(region, has),
        sets_of(region, has),
        licence,
    )


def sets_of(region: Region, has: list[str]) -> list[SetCoverage]:
    """The sets of the region and every other of which there is any, the most complete first; of equal ones the larger."""
    there = set(has)
    found = []
    for name in dict.fromkeys([*region.sets, *charset.NAMED]):
        chars = charset.resolve(name) or []
        missing = "".join(char for char in chars if char not in there)
        if len(missing) < len(chars) or name in region.sets:
            found.append(SetCoverage(name, len(chars), missing))
    return sorted(found, key=lambda one: (-one.has / one.of, -one.of))


def licence_of(font: TTFont) -> Licence:
    try:
        said = check_licence(font, confirm_ownership=False, family=None)
        return Licence([str(one) for one in said])
    except ConfigError as error:
        why = str(error)
    said = check_licence(font, confirm_ownership=True, family=UNRESERVED)
    try:
        check_licence(font, confirm_ownership=False, family=UNRESERVED)
    except ConfigError as error:
        return Licence([str(one) for one in said], "ownership", str(error))
    return Licence([str(one) for one in said], "family", why)
