"""The fonts of a page: cut to what it draws, and for each style which guide sees which character.

Whether a guide has another form of a character than the source is told by a network that the page does not have, so it is
settled here, for every character of the page.
"""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont, TTLibError
from fontTools.varLib import instancer

from fontgan.data import unlike
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.shelf import is_fetched, shelf_font
from fontgan.data.source_list import SourceList
from fontgan.data.sources import Spec, open_glyphs
from fontgan.errors import ConfigError, DataError, printable
from fontgan.fontfile.licence import check_licence, free_licences
from fontgan.generate.guides import Guide
from fontgan.generate.placement import Placement
from fontgan.generate.run import BaseRun

log = logging.getLogger(__name__)

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"  # a font among those of a source or guide
NONE = "-"  # a guide that is left empty
NOT_FOR_PAGES = 0x0004 | 0x0100 | 0x0200  # OS/2 fsType: for print and preview alone, not to be subset, bitmaps only
FAMILY = "fontgan page"  # what every cut font is called: no licence reserves it


@dataclass
class PageFont:
    """One font file of the page."""

    glyphs: FontGlyphs
    frame: Frame  # its own cell -> that of the source or guide that it is a part of
    chars: set[str] = field(default_factory=set)

    def describe(self) -> dict[str, Any]:
        cell = self.glyphs.to_cell()
        return {"baseline": cell["baseline"] / cell["units_per_em"], "frame": frame_list(self.frame)}

    def cut(self) -> bytes:
        """The font with the characters of the page alone, as WOFF2, without hints, features and its name."""
        glyphs = self.glyphs
        try:
            font = TTFont(io.BytesIO(glyphs.data), fontNumber=glyphs.index or 0, lazy=True)
            if glyphs.location:
                font = instancer.instantiateVariableFont(font, glyphs.location)
            options = subset.Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[0, 13, 14])
            options.drop_tables += ["DSIG", "FFTM", "feat", "morx", "vhea", "vmtx", "VORG"]
            cutter = subset.Subsetter(options)
            cutter.populate(unicodes=[ord(char) for char in self.chars])
            cutter.subset(font)
            for name_id, text in ((1, FAMILY), (2, "Regular"), (4, FAMILY), (6, FAMILY.replace(" ", "-"))):
                font["name"].setName(text, name_id, 3, 1, 0x409)
            font.flavor = "woff2"
            buffer = io.BytesIO()
            font.save(buffer)
        except (TTLibError, subset.Subsetter.SubsettingError, KeyError, AssertionError, ValueError) as error:
            raise DataError(f"{glyphs.path}: cannot be cut for the page ({error or type(error).__name__}).") from error
        return buffer.getvalue()

    def licence(self) -> str:
        """The text that lies beside the font, else what it says itself."""
        facts = self.glyphs.describe()
        said = "\n".join(
            facts[key] for key in ("family", "version", "copyright", "licence", "licence_url") if facts[key]
        )
        note = f"{said}\n\nCut by fontgan to the characters that this page draws, and renamed: a modified version.\n"
        return "\n".join(filter(None, (note, text_beside(self.glyphs.path))))


@dataclass
class PageFonts:
    """The fonts of a page, and which of them draws what.

    Attributes:
        chars: that the page draws.
        advances: of each, in em of the source.
        source: of each, which of ``source_fonts`` has it.
        guides: of each group of styles, and of each guide, a text of one sign a character: a font among those of the
            guide, or ``NONE``.
        group_of: of each style, its group.
    """

    chars: list[str]
    advances: list[float]
    source: str
    source_fonts: list[PageFont]
    guide_fonts: list[list[PageFont]]
    guides: list[list[str]]
    group_of: dict[str, int]

    @property
    def all(self) -> list[PageFont]:
        """Every font that draws something."""
        listed = [*self.source_fonts, *(font for fonts in self.guide_fonts for font in fonts)]
        return [font for font in listed if font.chars]


def page_fonts(run: BaseRun, source: Spec, chars: list[str] | None, *, confirm_ownership: bool) -> PageFonts:
    """Opens what a page draws from, and settles the guides.

    Args:
        source: what to draw from, in place of what the run names.
        chars: None for all that the source has.
        confirm_ownership: the user may put the fonts on a page, whatever they say themselves.
    Raises: DataError if a source cannot be cut, or has none of the characters; ConfigError for its licence.
    """
    glyphs = open_glyphs(source)
    present = glyphs.coverage(chars).present
    if not present:
        raise DataError(f"{glyphs.path}: has none of the characters asked for. Ask for others, or give another font=.")
    opened = [open_glyphs(_here(spec)) for spec in run.drawn_from.guides]
    fonts = [_parts(one) for one in (glyphs, *opened)]
    for font in (font for part in fonts for font in part):
        check_may_publish(font.glyphs, confirm_ownership=confirm_ownership)
    number_of = _numbers(glyphs, present)
    for char in present:
        fonts[0][number_of[char]].chars.add(char)
    advances = [
        round(part.glyphs.advance(char) / part.glyphs.units_per_em * part.frame.scale, 4)
        for char in present
        for part in [fonts[0][number_of[char]]]
    ]
    choices, group_of = _settle_guides(run, glyphs, opened, present)
    for group in choices:
        for number, signs in enumerate(group):
            for char, sign in zip(present, signs, strict=True):
                if sign != NONE:
                    fonts[1 + number][DIGITS.index(sign)].chars.add(char)
    signs = "".join(DIGITS[number_of[char]] for char in present)
    return PageFonts(present, advances, signs, fonts[0], fonts[1:], choices, group_of)


def _settle_guides(
    run: BaseRun, source: GlyphSource, opened: Sequence[GlyphSource], chars: list[str]
) -> tuple[list[list[str]], dict[str, int]]:
    """``PageFonts.guides`` and ``group_of``: styles that are alike in what tells a guide share a group."""
    if not opened:
        return [[]], dict.fromkeys(run.styles, 0)
    guides = [Guide(one, run.encode) for one in opened]
    seen = run.encode(unlike.draw_small(source, chars))
    groups: dict[object, int] = {}
    settled: list[list[str]] = []
    group_of = {}
    for style in run.styles:
        placement = _with_fonts_here(run, run.placement(style))
        frames = [placement.to_source(number) for number in range(len(guides))]
        rounded = tuple(tuple(round(value, 3) for value in frame_list(frame)) for frame in frames)
        key = (placement.preferred, tuple(round(limit, 6) for limit in placement.limits), rounded)
        if key not in groups:
            groups[key] = len(settled)
            log.info("page: comparing the guides with the source, as style %s and its like see them", style)
            settled.append([_signs(guide, seen, chars, number, placement) for number, guide in enumerate(guides)])
        group_of[style] = groups[key]
    return settled, group_of


def _signs(guide: Guide, seen: Any, chars: list[str], number: int, placement: Placement) -> str:
    found = guide.like(seen, chars, number, placement)
    numbers = (
        one.number_of(char) if isinstance(one, SourceList) else 0 for one, char in zip(found, chars, strict=True)
    )
    return "".join(NONE if one is None else DIGITS[n] for one, n in zip(found, numbers, strict=True))


def _with_fonts_here(run: BaseRun, placement: Placement) -> Placement:
    """The fonts that styles prefer, by their number among those that are on this machine."""
    preferred = []
    for spec, number in zip(run.drawn_from.guides, placement.preferred, strict=True):
        there, named = _here(spec), [spec] if isinstance(spec, str) else list(spec)
        preferred.append(list(there).index(named[number]) if named[number] in list(there) else 0)
    return placement._replace(preferred=tuple(preferred))


def _here(spec: Spec) -> list[str]:
    """The fonts of a guide but those of the shelf that are not fetched, where it has others."""
    named = [spec] if isinstance(spec, str) else list(spec)
    return [one for one in named if not one.startswith("shelf:") or is_fetched(one)] or named


def _parts(glyphs: GlyphSource) -> list[PageFont]:
    """The font files of a source. Raises: DataError if one is a folder of images, or there are too many."""
    parts = [(glyphs, Frame())]
    if isinstance(glyphs, SourceList):
        parts = [(part, glyphs.frame_of(number)) for number, part in enumerate(glyphs.parts)]
    if len(parts) > len(DIGITS):
        raise DataError(f"{glyphs.path}: {len(parts)} fonts are read as one; a page takes {len(DIGITS)} at most.")
    found = []
    for part, frame in parts:
        if not isinstance(part, FontGlyphs):
            raise DataError(f"{part.path}: is a folder of images; a page draws from fonts. Give a font: font=A.ttf.")
        found.append(PageFont(part, frame))
    return found


def _numbers(glyphs: GlyphSource, chars: list[str]) -> dict[str, int]:
    return {char: glyphs.number_of(char) if isinstance(glyphs, SourceList) else 0 for char in chars}


def check_may_publish(glyphs: FontGlyphs, *, confirm_ownership: bool) -> None:
    """Raises: ConfigError where a font's own words, or the lack of them, speak against a copy that anybody can fetch."""
    tables, where = glyphs._tables, glyphs.path.name
    told = check_licence(tables, confirm_ownership=confirm_ownership, family=FAMILY, where=where)
    if confirm_ownership:
        return
    remedy = "A page is copied by everyone who looks at it. If you own the font, or may publish it, add confirm_ownership=true."
    rights = tables["OS/2"].fsType if "OS/2" in tables else 0
    if rights & NOT_FOR_PAGES:
        raise ConfigError(
            f"{where}: its OS/2 fsType ({rights:#06x}) does not let it be cut and put on a page. {remedy}"
        )
    doubt = [finding for finding in told if finding.level == "warning"]
    if doubt and not free_licences(text_beside(glyphs.path)):
        raise ConfigError(f"{printable(doubt[0].message, 300)} {remedy}")


def text_beside(font: Path) -> str:
    """The licence that lies beside a font as NAME.LICENSE.txt; empty without one."""
    file = font.with_name(f"{font.stem}.LICENSE.txt")
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def page_source(run: BaseRun, font: Spec | None) -> Spec:
    """What a page draws from: ``font``, else the run's own source. Raises: DataError if it names none."""
    spec = font or run.drawn_from.source or next(iter(run.drawn_from.own.values()), None)
    if spec is None:
        raise DataError("page: the run names no source. Give one: font=A.ttf.")
    if isinstance(spec, str) and spec.startswith("shelf:"):
        shelf_font(spec.removeprefix("shelf:"), spec)
    return spec


def frame_list(frame: Frame) -> list[float]:
    """As the page's script takes it."""
    return [round(value, 6) for value in (frame.scale, frame.dx, frame.dy)]
