"""Traced outlines of one folder -> glyphs with their advance widths."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from statistics import median

from fontTools import unicodedata as scripts

from fontgan.data.frame import BASELINE
from fontgan.errors import shorten
from fontgan.fontfile import marks
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.spacing import LetterSpacing
from fontgan.fontfile.widths import is_ambiguous, is_full_width, is_half_width, is_letter, is_mark

log = logging.getLogger(__name__)

PLAIN_EM = 1000  # of images that say nothing
SIDE_BEARING = 0.06  # of the em, on both sides of a glyph that is as wide as its ink
SAME_PLACE = 0.05  # of the em: widths that differ less from it leave the ink where the cell has it


@dataclass(frozen=True)
class UsualWidths:
    """Widths of characters whose own nobody tells, in font units.

    Args:
        full: of full-width characters (Han, kana, hangul).
        of_script: the same for scripts whose own is known, by Unicode's code (``Hani``): Korean fonts often have hangul
            narrower than Han.
        half: of half-width forms.
        ambiguous: of signs that are full-width in East Asian text alone; None for as wide as their ink.
        cell: of all else in a monospaced font; None for as wide as their ink.
        letters: of other letters in the middle, by script.
    """

    full: float = PLAIN_EM
    of_script: Mapping[str, float] = field(default_factory=dict)
    half: float = PLAIN_EM / 2
    ambiguous: float | None = None
    cell: float | None = None
    letters: Mapping[str, float] = field(default_factory=dict)

    def of(self, char: str) -> float | None:
        """The width of a character that is no mark; None if its ink decides."""
        if is_full_width(char):
            return self.of_script.get(scripts.script(char), self.full)
        if is_half_width(char):
            return self.half
        if is_ambiguous(char) and self.ambiguous is not None:
            return self.ambiguous
        return self.cell


@dataclass(frozen=True)
class Layout:
    """Glyph images of one folder, in font units.

    Args:
        units_per_em: the em square, which the cell of an image stands for.
        baseline: units from the em's top down to the baseline, as ``FontGlyphs.to_cell`` has it.
        usual: widths of characters that ``advances`` lacks.
        advances: widths that are known, by character; the ink stays where the cell has it.
        borrowed: widths of another font, for glyphs whose ink lies inside of them.
        spacing: what tells how letters of an alphabet stand that no manifest tells of.
        told: characters whose width a manifest tells.
    """

    units_per_em: int = PLAIN_EM
    baseline: float = PLAIN_EM * BASELINE
    usual: UsualWidths = field(default_factory=UsualWidths)
    advances: Mapping[str, float] = field(default_factory=dict)
    borrowed: Mapping[str, float] = field(default_factory=dict)
    spacing: LetterSpacing | None = None
    told: Collection[str] = frozenset()

    @property
    def _side(self) -> int:
        return round(SIDE_BEARING * self.units_per_em)

    def place(self, char: str, outline: Outline) -> DrawnGlyph:
        """``place_all`` of a glyph alone."""
        return self.place_all({char: outline})[0]

    def place_all(self, outlines: Mapping[str, Outline]) -> list[DrawnGlyph]:
        """Traced outlines, none without ink, with their widths; in their order.

        One whose width nobody knows becomes as wide as its ink and two side bearings. Where a width is given and not
        the cell's, the ink of most decides whether they were drawn from the cell's left side or in its middle. Marks
        get none, and stand over the letter before them. The log warns of ink that is wider than its width.
        """
        placed: dict[str, DrawnGlyph] = {}
        if self.spacing:
            placed = self.spacing.place({char: outlines[char] for char in outlines if char not in self.told})
        of_width: dict[float, list[str]] = {}
        for char, outline in outlines.items():
            if char in placed:
                continue
            known = self.advances.get(char)
            if known is None and (lent := self.borrowed.get(char)) is not None and self._fits(outline, lent):
                known = lent
            if known is not None:
                placed[char] = DrawnGlyph(char, outline, known)
            elif is_mark(char):
                continue
            elif (width := self.usual.of(char)) is not None:
                of_width.setdefault(width, []).append(char)
            else:
                placed[char] = self._as_wide_as_ink(char, outline)
        for width, chars in of_width.items():
            placed |= self._within(width, {char: outlines[char] for char in chars})
        letters = {char: placed[char].advance for char in placed if is_letter(char)}
        for char, outline in outlines.items():
            if char not in placed:
                placed[char] = self._mark(char, outline, letters, outlines)
        return [placed[char] for char in outlines]

    def _as_wide_as_ink(self, char: str, outline: Outline) -> DrawnGlyph:
        left, right = _sides(outline)
        return DrawnGlyph(char, outline.transformed(dx=self._side - left), round(right - left) + 2 * self._side)

    def _fits(self, outline: Outline, width: float) -> bool:
        left, right = _sides(outline)
        return left >= -self._side and right <= width + self._side

    def _within(self, width: float, outlines: Mapping[str, Outline]) -> dict[str, DrawnGlyph]:
        """Glyphs of a given width: drawn from the cell's left side, or in the middle of the cell."""
        em = self.units_per_em
        middle = median(sum(_sides(outline)) / 2 for outline in outlines.values())
        off = abs(width - em) > SAME_PLACE * em and abs(middle - em / 2) < abs(middle - width / 2)
        dx = round((width - em) / 2) if off else 0
        placed, over = {}, []
        for char, outline in outlines.items():
            moved = outline.transformed(dx=dx)
            left, right = _sides(moved)
            if width < em and not self._fits(moved, width):
                moved = moved.transformed(dx=round((width - left - right) / 2))
                if right - left > width + 2 * self._side:
                    over.append(char)
            placed[char] = DrawnGlyph(char, moved, width)
        if over:
            log.warning(
                "%d glyphs are wider than the %g units that the font has for them, and reach into their neighbours: %s. "
                "Draw them narrower.", len(over), width, shorten(over),
            )  # fmt: skip
        return placed

    def _mark(
        self, mark: str, outline: Outline, letters: Mapping[str, float], outlines: Mapping[str, Outline]
    ) -> DrawnGlyph:
        """A mark, of no width: beside the letter before it as its cell has it, or over a usual letter's middle."""
        left, right = _sides(outline)
        near = marks.letters_of(mark, letters)
        starts = median(_sides(outlines[char])[0] for char in near) if near else 0.0
        if is_full_width(mark):
            dx = -self.usual.full  # drawn in the cell of the kana that it stands on
        elif not marks.is_placed_by_class(mark) and (left + right) / 2 < starts:
            dx = -starts - self._side  # drawn left of where letters start, as fonts have it
        else:
            letter = self._usual_letter(mark, [letters[char] for char in near or letters])
            start = 0 if marks.is_before_its_letter(mark) else -letter
            dx = start + marks.middle(mark, letter, self._side) - (left + right) / 2
        return DrawnGlyph(mark, outline.transformed(dx=round(dx)), 0)

    def _usual_letter(self, mark: str, widths: list[float]) -> float:
        """How wide the letters are that a mark stands on: its script's in the font, else some (``widths``), else half an em."""
        of_font = [self.usual.letters[script] for script in marks.scripts_of(mark, self.usual.letters)]
        if of_font or widths:
            return of_font[0] if of_font else median(widths)
        return next(iter(self.usual.letters.values()), self.units_per_em / 2)


def _sides(outline: Outline) -> tuple[float, float]:
    """Left and right of the ink."""
    assert outline.bounds is not None
    return outline.bounds[0], outline.bounds[2]
