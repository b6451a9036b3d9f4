"""checks.json: what ``fontgan complete`` found out about each glyph that it made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fontgan.errors import DataError
from fontgan.runtime.files import atomic_write

FORMAT = 1
REASONS = {
    "structure": "strokes may be missing or too many",
    "illegible": "was not read as its character",
    "blank": "has no ink",
    "clipped": "is cut off at the edge",
}


@dataclass(frozen=True)
class CheckedGlyph:
    """What was found of one glyph.

    Args:
        structure: confidence that all strokes are there and none too many, 0 to 1; None where it was not measured.
        legibility: the recogniser's confidence in the right character, 0 to 1; None where there is no recogniser or it
            does not read the source glyph as that character either.
        flags: keys of ``REASONS``; none if the glyph passed.
        doubt: 0 to 1, by which glyphs are sorted, the most doubtful first.
    """

    char: str
    structure: float | None
    legibility: float | None
    flags: tuple[str, ...]
    doubt: float


def checked(char: str, structure: float | None, legibility: float | None, flags: Sequence[str]) -> CheckedGlyph:
    """A glyph with its doubt: below 0.5 for one that passed, from 0.5 on for a flagged one."""
    known = [1 - value for value in (structure, legibility) if value is not None]
    doubt = sum(known) / len(known) / 2 if known else 0.0
    if flags:
        doubt = 1.0 if {"blank", "clipped"} & set(flags) else 0.5 + doubt
    return CheckedGlyph(char, structure, legibility, tuple(flags), round(doubt, 4))


def write_checks(file: Path, glyphs: Sequence[CheckedGlyph], **facts: Any) -> None:
    """Writes them whole or not at all.

    Args:
        facts: how they were found, for whoever reads the file.
    """
    content = {
        "made_by": "fontgan complete",
        "format": FORMAT,
        **facts,
        "reasons": REASONS,
        "glyphs": list(map(asdict, glyphs)),
    }
    atomic_write(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_checks(file: Path) -> dict[str, CheckedGlyph]:
    """The glyphs of a checks.json by character, in the file's order.

    Raises: DataError if the file cannot be read, is of another kind or format, or holds a value out of range.
    """
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r}, and {FORMAT} is needed")
        glyphs = [_glyph(entry) for entry in stored["glyphs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, TypeError)) else str(error)
        raise DataError(
            f"checks={file}: no checks that can be read ({problem}). Give the checks.json in fontgan complete's work folder."
        ) from error
    return {glyph.char: glyph for glyph in glyphs}


def _glyph(entry: dict[str, Any]) -> CheckedGlyph:
    char, flags = entry["char"], entry["flags"]
    if not (isinstance(char, str) and len(char) == 1):
        raise ValueError(f"{char!r} is not one character")
    if not (isinstance(flags, list) and all(isinstance(flag, str) for flag in flags)):
        raise ValueError(f"the flags of {char} are no list of names")
    return CheckedGlyph(
        char, _share(entry["structure"], char), _share(entry["legibility"], char), tuple(flags),
        _share(entry["doubt"], char) or 0.0,
    )  # fmt: skip


def _share(value: Any, char: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} of {char} is not between 0 and 1")
    return float(value)
