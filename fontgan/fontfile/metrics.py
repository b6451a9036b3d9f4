"""Where the cell of a glyph image lies in font units, and how wide a glyph is."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fontTools import unicodedata as scripts
from msgspec import Meta, Struct

from fontgan.data.font_source import FontGlyphs
from fontgan.data.font_tables import MAX_EM, MIN_EM
from fontgan.data.frame import BASELINE
from fontgan.data.image_source import MANIFEST, MAX_MANIFEST_BYTES
from fontgan.errors import DataError
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.plain_json import Char, convert, read_json

PLAIN_EM = 1000  # of images that say nothing
SIDE_BEARING = 0.06  # of the em, on both sides of a glyph that is as wide as its ink
MAX_WIDTH = 65535  # font units that a width or a baseline can have
MEASURED = 300  # glyphs of a script that a font's usual width is taken from


@dataclass(frozen=True)
class Layout:
    """Glyph images of one folder, in font units.

    Args:
        units_per_em: the em square, which the cell of an image stands for.
        baseline: units from the em's top down to the baseline, as ``FontGlyphs.to_cell`` has it.
        full_width: advance width of full-width characters (Han, kana, hangul) that ``advances`` lacks.
        of_script: the same for scripts whose own is known, by Unicode's code (``Hani``): Korean fonts often have hangul
            narrower than Han.
        advances: widths that are known, by character.
    """

    units_per_em: int = PLAIN_EM
    baseline: float = PLAIN_EM * BASELINE
    full_width: float = PLAIN_EM
    of_script: Mapping[str, float] = field(default_factory=dict)
    advances: Mapping[str, float] = field(default_factory=dict)

    def place(self, char: str, outline: Outline) -> DrawnGlyph:
        """A traced outline with its width.

        One whose width nobody knows, and which is not full-width, becomes as wide as its ink and two side bearings.
        """
        if char in self.advances:
            return DrawnGlyph(char, outline, self.advances[char])
        if is_full_width(char):
            return DrawnGlyph(char, outline, self.of_script.get(scripts.script(char), self.full_width))
        assert outline.bounds is not None
        left, _, right, _ = outline.bounds
        side = round(SIDE_BEARING * self.units_per_em)
        return DrawnGlyph(char, outline.transformed(dx=side - left), round(right - left) + 2 * side)


def choose_layout(
    folder: Path,
    *,
    target: FontGlyphs | None = None,
    source: FontGlyphs | None = None,
    units_per_em: int | None = None,
    baseline: float | None = None,
) -> Layout:
    """The layout of a folder of glyph images.

    Args:
        target: the font that the glyphs go into: its units per em, and its widths of full-width characters.
        source: the font that the glyphs were drawn from: its widths of all other characters, in proportion.
        units_per_em: in place of the target's or the manifest's.
        baseline: its depth below the em's top as a share of the em, in place of the manifest's or the target's.

    The manifest that fontgan leaves in a folder goes before ``target`` for the baseline, as it tells of the cell that
    was really drawn, and before ``source`` for the widths of the characters that it has; without ``target`` its
    full-width characters tell the width of others too.
    Raises: DataError if a number in the manifest is out of range.
    """
    to_cell, widths = _read_manifest(folder)
    em = units_per_em or (target.units_per_em if target else int(to_cell.units_per_em if to_cell else PLAIN_EM))
    if baseline is None and to_cell:
        baseline = to_cell.baseline / to_cell.units_per_em
    elif baseline is None:
        baseline = target.to_cell()["baseline"] / target.units_per_em if target else BASELINE
    advances: dict[str, float] = {}
    if source:
        known = (char for char in source.characters() if not is_full_width(char))
        advances = {char: round(source.advance(char) * em / source.units_per_em) for char in known}
    drawn = {char: round(width * em / to_cell.units_per_em) for char, width in widths.items()} if to_cell else {}
    if target:
        of_script = usual_widths(target.characters(), target.advance, em / target.units_per_em)
    else:
        of_script = usual_widths(drawn, drawn.__getitem__)
    return Layout(em, baseline * em, next(iter(of_script.values()), em), of_script, advances | drawn)


def drawn_baseline(folder: Path) -> float | None:
    """Where the manifest of a folder says that the baseline of its cells lies, as a share of the em from its top."""
    to_cell, _ = _read_manifest(folder)
    return to_cell.baseline / to_cell.units_per_em if to_cell else None


class _ToCell(Struct, frozen=True, forbid_unknown_fields=True):
    units_per_em: Annotated[float, Meta(ge=MIN_EM, le=MAX_EM)]
    baseline: Annotated[float, Meta(ge=-MAX_WIDTH, le=MAX_WIDTH)]


class _Drawn(Struct, frozen=True):
    to_cell: _ToCell | None = None


class _Units(Struct, frozen=True):
    to_cell: _ToCell | None = None
    font: _Drawn | None = None
    advances: dict[Char, Annotated[float, Meta(ge=0, le=MAX_WIDTH)]] | None = None


def _read_manifest(folder: Path) -> tuple[_ToCell | None, dict[str, float]]:
    """Units of a folder, or of the font it was drawn from, and advances; ``CellFinder`` speaks of what is no JSON."""
    file = folder / MANIFEST
    try:
        stored = read_json(file, MAX_MANIFEST_BYTES)
    except (OSError, ValueError):
        return None, {}
    try:
        units = convert(stored, _Units)
    except ValueError as error:
        raise DataError(f"{file}: {error}. Take that out of it, or draw the folder again with fontgan.") from error
    return units.to_cell or (units.font.to_cell if units.font else None), units.advances or {}


def is_full_width(char: str) -> bool:
    """Whether East Asian text gives the character a whole em."""
    return unicodedata.east_asian_width(char) in "WF"


def usual_widths(chars: Iterable[str], advance: Callable[[str], float], scale: float = 1.0) -> dict[str, int]:
    """The most common width, times ``scale``, of full-width characters by script; that with the most of them first."""
    wide: dict[str, list[str]] = {}
    for char in chars:
        if is_full_width(char) and unicodedata.category(char)[0] == "L":
            wide.setdefault(scripts.script(char), []).append(char)
    widths = {}
    for script, those in sorted(wide.items(), key=lambda item: -len(item[1])):
        count = Counter(round(advance(char) * scale) for char in subsample_evenly(those, MEASURED))
        widths[script] = count.most_common(1)[0][0]
    return widths
