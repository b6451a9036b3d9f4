"""Where the cell of a glyph image lies in font units, and how wide a glyph is."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from fontTools import unicodedata as scripts
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.transformPen import TransformPen
from msgspec import Meta, Struct

from fontgan.data.font_source import FontGlyphs
from fontgan.data.font_tables import MAX_EM, MIN_EM
from fontgan.data.frame import BASELINE
from fontgan.data.image_source import MANIFEST, MAX_MANIFEST_BYTES
from fontgan.errors import ConfigError, DataError
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.plain_json import Char, convert, read_json

PLAIN_EM = 1000  # of images that say nothing
SIDE_BEARING = 0.06  # of the em, on both sides of a glyph that is as wide as its ink
MAX_WIDTH = 65535  # font units that a width or a baseline can have
MEASURED = 300  # glyphs of a script that a font's usual width is taken from

Bounds = tuple[float, float, float, float]  # left, bottom, right, top


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
        bounds = bounds_of(outline)
        if bounds is None:
            return DrawnGlyph(char, outline, self.full_width / 2)
        side = round(SIDE_BEARING * self.units_per_em)
        moved = transformed(outline, dx=side - bounds[0])
        return DrawnGlyph(char, moved, round(bounds[2] - bounds[0]) + 2 * side)


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
    Raises: ConfigError if a number is out of range; DataError if one in the manifest is.
    """
    if units_per_em is not None and not MIN_EM <= units_per_em <= MAX_EM:
        raise ConfigError(f"units_per_em={units_per_em}: {MIN_EM} to {MAX_EM} is needed.")
    if baseline is not None and not 0 < baseline < 2:
        raise ConfigError(f"baseline={baseline}: a share of the em between 0 and 2 is needed, such as 0.88.")
    manifest = _read_manifest(folder)
    to_cell = manifest.way_to_cell
    em = units_per_em or (target.units_per_em if target else None) or int(to_cell.units_per_em if to_cell else PLAIN_EM)
    if baseline is None and to_cell:
        baseline = to_cell.baseline / to_cell.units_per_em
    elif baseline is None and target:
        baseline = target.to_cell()["baseline"] / target.units_per_em
    advances: dict[str, float] = {}
    if source:
        known = (char for char in source.characters() if not is_full_width(char))
        advances = {char: round(source.advance(char) * em / source.units_per_em) for char in known}
    drawn = {}
    if to_cell and manifest.advances:
        drawn = {char: round(width * em / to_cell.units_per_em) for char, width in manifest.advances.items()}
        advances |= drawn
    if target:
        usual, of_script = usual_widths(target.characters(), target.advance, em / target.units_per_em)
    else:
        usual, of_script = usual_widths(drawn, lambda char: drawn[char])
    full_width = em if usual is None else usual
    return Layout(em, (BASELINE if baseline is None else baseline) * em, full_width, of_script, advances)


def drawn_baseline(folder: Path) -> float | None:
    """Where the manifest of a folder says that the baseline of its cells lies, as a share of the em from its top."""
    to_cell = _read_manifest(folder).way_to_cell
    return to_cell.baseline / to_cell.units_per_em if to_cell else None


class _ToCell(Struct, frozen=True, forbid_unknown_fields=True):
    units_per_em: Annotated[float, Meta(ge=MIN_EM, le=MAX_EM)]
    baseline: Annotated[float, Meta(ge=-MAX_WIDTH, le=MAX_WIDTH)]


class _Drawn(Struct, frozen=True):
    to_cell: _ToCell | None = None


class _Units(Struct, frozen=True):
    """What a folder's manifest says of a font's units: the folder's own, or those of the font it was drawn from."""

    to_cell: _ToCell | None = None
    font: _Drawn | None = None
    advances: dict[Char, Annotated[float, Meta(ge=0, le=MAX_WIDTH)]] | None = None

    @property
    def way_to_cell(self) -> _ToCell | None:
        return self.to_cell or (self.font.to_cell if self.font else None)


def _read_manifest(folder: Path) -> _Units:
    """What fontgan left in the folder; nothing if it left nothing. ``CellFinder`` speaks of what is no JSON.

    Raises: DataError if what it says of the font's units cannot be.
    """
    try:
        stored = read_json(folder / MANIFEST, MAX_MANIFEST_BYTES)
    except (OSError, ValueError):
        return _Units()
    try:
        return convert(stored, _Units)
    except ValueError as error:
        raise DataError(
            f"{folder / MANIFEST}: {error}. Take that out of it, or draw the folder again with fontgan."
        ) from error


def is_full_width(char: str) -> bool:
    """Whether East Asian text gives the character a whole em."""
    return unicodedata.east_asian_width(char) in "WF"


def usual_widths(
    chars: Iterable[str], advance: Callable[[str], float], scale: float = 1.0
) -> tuple[int | None, dict[str, int]]:
    """The most common advance width of full-width characters, of all and of each script; None and nothing if none is.

    Args:
        scale: what the widths are multiplied with, before they are rounded.
    """
    wide: dict[str, list[str]] = {}
    for char in chars:
        if is_full_width(char) and unicodedata.category(char)[0] == "L":
            wide.setdefault(scripts.script(char), []).append(char)
    widths = {
        script: Counter(round(advance(char) * scale) for char in subsample_evenly(those, MEASURED))
        for script, those in wide.items()
    }
    usual = {script: count.most_common(1)[0][0] for script, count in widths.items()}
    if not usual:
        return None, {}
    return usual[max(wide, key=lambda script: len(wide[script]))], usual


def bounds_of(outline: Outline) -> Bounds | None:
    """The box that the ink fills in font units: left, bottom, right, top; None if there is none."""
    pen = BoundsPen(None)
    outline.draw(pen)
    return pen.bounds  # type: ignore[no-any-return]


def transformed(outline: Outline, *, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> Outline:
    """Scaled about the origin, then moved."""
    if (scale, dx, dy) == (1.0, 0.0, 0.0):
        return outline
    return redrawn(outline, lambda pen: TransformPen(pen, (scale, 0, 0, scale, dx, dy)))


def redrawn(outline: Outline, filtered: Callable[[Any], Any]) -> Outline:
    """What arrives behind a filter: a function that makes a pen which draws on the pen that it is given."""
    recording = RecordingPen()
    outline.draw(filtered(recording))
    return Outline(tuple((name, tuple(points)) for name, points in recording.value))


def scaled_glyphs(glyphs: Iterable[DrawnGlyph], scale: float) -> list[DrawnGlyph]:
    """Glyphs of another em."""
    return [
        replace(glyph, outline=transformed(glyph.outline, scale=scale), advance=glyph.advance * scale)
        for glyph in glyphs
    ]
