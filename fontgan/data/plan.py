"""What is known of pairs before a pixel is drawn: fonts and folders, how they lie on canvases, which characters."""

from dataclasses import dataclass, field
from typing import NamedTuple

from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import Coverage, Diagnostics, GlyphSource
from fontgan.data.sources import Spec


class Target(NamedTuple):
    """A style as a config names it."""

    spec: str  # font or folder
    source: Spec | None = None  # its own; None takes that of all
    file_name: str = ""  # which its name was made of, where that would not do as it is


@dataclass
class GlyphEntry:
    """A font or folder of a pair plan, opened once: a style, a source or a guide."""

    name: str
    glyphs: GlyphSource
    coverage: Coverage
    boxes: dict[str, Box] = field(default_factory=dict)  # ink in the own cell, of what is present


@dataclass
class StyleInput:
    """What the generator sees when it draws a style: its source, or a guide."""

    entry: GlyphEntry
    chars: list[str]  # that it gives
    align: Frame = field(default_factory=Frame)  # its own cell -> the style's cell
    limit: float | None = None  # of a guide: the distance from the source beyond which a character is left out
    preferred: int = 0  # of a guide that is several fonts: the number of the one that is most like the source


@dataclass
class StyleEntry(GlyphEntry):
    """A style, with the canvas that its own glyphs decide, and what it is drawn from."""

    canvas: Frame = field(default_factory=Frame)  # own cell -> canvas pixels
    inputs: list[StyleInput] = field(default_factory=list)  # the source first, then the guides

    @property
    def source(self) -> StyleInput:
        return self.inputs[0]

    def frame_of(self, seen: StyleInput) -> Frame:
        """An input's own cell -> canvas pixels."""
        return seen.align.compose(self.canvas)


@dataclass
class PairPlan:
    """Everything known about the data before a pixel is drawn."""

    sources: list[GlyphEntry]
    guides: list[GlyphEntry]
    styles: list[StyleEntry]
    chars: list[str]  # all characters that make a pair with at least one style
    held_out: list[str]
    size: int
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def members(self) -> list[GlyphEntry]:
        return [*self.sources, *self.guides, *self.styles]
