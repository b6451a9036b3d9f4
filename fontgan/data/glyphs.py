"""What a source of glyphs is, whether a font or a folder of images."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.data.refusal import is_most
from fontgan.errors import one_line, shorten

log = logging.getLogger(__name__)

PAPER = 255  # grey level of paper in uint8 glyph images; ink is 0


@dataclass(frozen=True)
class Diagnostic:
    """Something a user should know about their data."""

    level: str  # "error" (training cannot start), "warning" (it can, and the result may suffer) or "note"
    message: str
    remedy: str = ""
    kind: str = ""  # of ``refusal.KINDS``, where it makes most of the result useless

    def __str__(self) -> str:
        return one_line(f"{self.level}: {self.message} {self.remedy}".rstrip())


class Diagnostics(list[Diagnostic]):
    """What is to be told of some glyphs, in order."""

    def add(self, level: str, message: str, remedy: str = "", kind: str = "") -> None:
        self.append(Diagnostic(level, message, remedy, kind))

    def tell(
        self, level: str, where: object, things: list[str], what: str, remedy: str = "", *, kind: str = "", of: int = 0
    ) -> None:
        """Tells how many things there are, what is the matter with them, and which are the first; of none nothing.

        Args:
            kind: of ``refusal.KINDS``, which it is if ``things`` are most of so many (``of``).
        """
        if things:
            told = f"{where}: {len(things)} {what}: {shorten(things)}."
            self.add(level, told, remedy, kind if is_most(len(things), of) else "")


@dataclass
class Coverage:
    """Which of the wanted characters a glyph source has, and why the others are left out."""

    present: list[str]
    left_out: dict[str, list[str]] = field(default_factory=dict)  # reason -> characters
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def leave_out(self, reason: str, chars: Collection[str]) -> None:
        """From now on some that are present are not."""
        if chars:
            self.left_out.setdefault(reason, []).extend(chars)
            self.present = [char for char in self.present if char not in set(chars)]

    @property
    def outlying(self) -> list[str]:
        """Characters whose ink reaches so far out of the em, unlike the rest, that a canvas is not to be chosen by it."""
        return self.left_out.get("outlying", [])

    @property
    def drawn(self) -> list[str]:
        """All that hold ink: what is present and what is outlying."""
        return [*self.present, *self.outlying]

    def expect_all(self, where: object) -> None:
        """Adds what to say where most of the characters that a user listed are not there."""
        gone = [char for chars in self.left_out.values() for char in chars]
        if is_most(len(gone), of := len(gone) + len(self.present)):
            told = f"{where}: {len(gone)} of the {of} characters asked for cannot be had: {shorten(gone)}."
            self.diagnostics.add("warning", told, "Choose another font, or leave them out.", "lacking")


def warn_of_outlying(file: Path, coverage: Coverage, so: str) -> None:
    """Names what is outlying, in a verb that tells nothing else of what is left out; ``so``: what becomes of it."""
    if far := coverage.outlying:
        what = "glyphs reach far out of the em, unlike the rest (a long dash or ligature, or a point that lies astray)"
        log.warning("%s: %d %s, and %s: %s.", file.name, len(far), what, so, shorten(far))


class GlyphSource(Protocol):
    """A font or a glyph folder."""

    path: Path

    def coverage(self, wanted: list[str] | None) -> Coverage:
        """Looks for ``wanted`` characters, or for all there are if None."""

    def ink_box(self, char: str) -> Box:
        """Where the glyph's ink lies, in cell coordinates."""

    def rasterize(self, char: str, frame: Frame, size: int) -> np.ndarray:
        """Draws a glyph on a canvas: (size, size) uint8, 0 ink .. 255 paper; ``frame`` maps cell to canvas."""

    def fingerprint(self, chars: list[str]) -> str:
        """A hash of everything that shapes what ``rasterize`` gives for ``chars``."""

    def describe(self) -> dict[str, Any]:
        """Facts for the manifest: kind, file name, font name, licence, own-to-cell transform."""
