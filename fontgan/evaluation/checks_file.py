"""checks.json: what ``fontgan complete`` found out about each glyph that it made."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from fontgan.errors import DataError
from fontgan.runtime.files import atomic_write
from fontgan.untrusted.plain_json import Char, Share, convert, read_json

FORMAT = 1
REASONS = {
    "structure": "strokes may be missing or too many",
    "illegible": "was not read as its character",
    "blank": "has no ink",
    "clipped": "is cut off at the edge",
}


class CheckedGlyph(Struct, frozen=True, forbid_unknown_fields=True):
    """What was found of one glyph; None where it was not measured."""

    char: Char
    structure: Share | None  # confidence that all strokes are there and none too many
    legibility: Share | None  # OCR confidence in the right character; None too where OCR does not read the source glyph
    flags: tuple[str, ...]  # keys of ``REASONS``; none if the glyph passed
    doubt: Share  # by which glyphs are sorted, the most doubtful first


class Checks(Struct, frozen=True):
    """What is read of checks.json; the rest is for people."""

    glyphs: list[CheckedGlyph]


def checked(char: str, structure: float | None, legibility: float | None, flags: Sequence[str]) -> CheckedGlyph:
    """A glyph with its doubt: below 0.5 for one that passed, from 0.5 on for a flagged one."""
    known = [1 - value for value in (structure, legibility) if value is not None]
    doubt = sum(known) / len(known) / 2 if known else 0.0
    if flags:
        doubt = 1.0 if {"blank", "clipped"} & set(flags) else 0.5 + doubt
    return CheckedGlyph(char, structure, legibility, tuple(flags), round(doubt, 4))


def write_checks(file: Path, glyphs: Sequence[CheckedGlyph], **facts: Any) -> None:
    """Writes them whole or not at all, with ``facts`` on how they were found, for whoever reads the file."""
    head = {"made_by": "fontgan complete", "format": FORMAT, **facts, "reasons": REASONS}
    content = {**head, "glyphs": list(map(asdict, glyphs))}
    atomic_write(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_checks(file: Path) -> dict[str, CheckedGlyph]:
    """The glyphs of a checks.json by character, in the file's order.

    Raises: DataError if the file cannot be read, is of another kind or format, or holds a value out of range.
    """
    try:
        glyphs = convert(read_json(file), Checks, version=FORMAT).glyphs
    except (OSError, ValueError) as error:
        raise DataError(
            f"checks={file}: no checks that can be read ({error}). Give the checks.json in fontgan complete's work folder."
        ) from error
    return {glyph.char: glyph for glyph in glyphs}
