"""Where the cell of a glyph image lies in font units, and how wide its glyph is: from the folder, and from fonts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from fontgan.data.font_source import FontGlyphs
from fontgan.data.font_tables import MAX_EM, MIN_EM
from fontgan.data.frame import BASELINE
from fontgan.data.image_source import MANIFEST, MAX_MANIFEST_BYTES, chars_of, image_files
from fontgan.errors import DataError
from fontgan.fontfile.layout import PLAIN_EM, Layout, UsualWidths
from fontgan.fontfile.spacing import LetterSpacing
from fontgan.fontfile.widths import (
    full_widths,
    is_ambiguous,
    is_east_asian,
    is_full_width,
    is_half_width,
    letter_widths,
    one_width,
    usual_width,
)
from fontgan.untrusted.plain_json import Char, convert, read_json

# Of the em: two letters of a monospaced font that are no wider make one of its full-width characters.
MOST_HALVES = 0.75
MAX_WIDTH = 65535  # font units that a width or a baseline can have


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
        target: the font that the glyphs go into: its units per em, and its usual widths.
        source: the font that the glyphs were drawn from: its widths of characters that are not full-width, in
            proportion, and of letters as those show that both have. A monospaced target has its own.
        units_per_em: in place of the target's or the manifest's.
        baseline: its depth below the em's top as a share of the em, in place of the manifest's or the target's.

    The manifest that fontgan leaves in a folder goes before ``target`` for the baseline, as it tells of the cell that
    was really drawn, and before all else for the widths of the characters that it has; without ``target`` its
    characters tell the width of others too.
    Raises: DataError if a number in the manifest is out of range.
    """
    to_cell, widths = _read_manifest(folder)
    em = units_per_em or (target.units_per_em if target else int(to_cell.units_per_em if to_cell else PLAIN_EM))
    if baseline is None and to_cell:
        baseline = to_cell.baseline / to_cell.units_per_em
    elif baseline is None:
        baseline = target.to_cell()["baseline"] / target.units_per_em if target else BASELINE
    drawn = {char: round(width * em / to_cell.units_per_em) for char, width in widths.items()} if to_cell else {}
    usual = _usual_of_target(target, em) if target else _usual_of_folder(folder, em, drawn)
    borrowed: dict[str, float] = {}
    if source and not usual.cell:
        known = (char for char in source.characters() if not is_full_width(char))
        borrowed = {char: round(source.advance(char) * em / source.units_per_em) for char in known}
    if target:
        spacing = LetterSpacing(target, source, em) if source and not usual.cell else None
        return Layout(em, baseline * em, usual, borrowed | drawn, spacing=spacing, told=frozenset(drawn))
    return Layout(em, baseline * em, usual, drawn, borrowed)


def _usual_of_target(target: FontGlyphs, em: int) -> UsualWidths:
    """A font's habits; what it lacks is guessed from what it has."""
    scale, chars = em / target.units_per_em, target.characters()
    of_script = full_widths(chars, target.advance, scale)
    cell = one_width(chars, target.advance, scale)
    full = next(iter(of_script.values()), 2 * cell if cell and cell <= MOST_HALVES * em else em)
    signs = usual_width(filter(is_ambiguous, chars), target.advance, scale)
    east_asian = signs == full if signs is not None else not cell and any(map(is_east_asian, chars))
    half = usual_width(filter(is_half_width, chars), target.advance, scale)
    letters = letter_widths(chars, target.advance, scale)
    return UsualWidths(full, of_script, half or full / 2, full if east_asian else None, cell, letters)


def _usual_of_folder(folder: Path, em: int, drawn: Mapping[str, float]) -> UsualWidths:
    """The same of a folder, by its manifest's widths and the names of its images."""
    of_script = full_widths(drawn, drawn.__getitem__)
    full = next(iter(of_script.values()), em)
    chars = drawn.keys() | set(filter(None, chars_of(folder, image_files(folder))))
    east_asian = any(map(is_east_asian, chars))
    return UsualWidths(full, of_script, full / 2, full if east_asian else None)


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
