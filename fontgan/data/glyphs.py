"""What a source of glyphs is, whether a font or a folder of images."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.errors import DataError, one_line
from fontgan.files import user_path

PAPER = 255  # grey level of paper in uint8 glyph images; ink is 0


@dataclass(frozen=True)
class Finding:
    """Something a user should know about their data.

    ``level`` is "error" (training cannot start), "warning" (it can, and the result may suffer) or "note".
    """

    level: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return one_line(f"{self.level}: {self.message}" + (f" {self.remedy}" if self.remedy else ""))


@dataclass
class Survey:
    """Which of the wanted characters a glyph source has, and why the others are left out."""

    present: list[str]
    left_out: dict[str, list[str]] = field(default_factory=dict)  # reason -> characters
    findings: list[Finding] = field(default_factory=list)


class GlyphSource(Protocol):
    """A font or a glyph folder."""

    path: Path

    def survey(self, wanted: list[str] | None) -> Survey:
        """Looks for ``wanted`` characters, or for all there are if None."""

    def ink_box(self, char: str) -> Box:
        """Where the glyph's ink lies, in cell coordinates."""

    def draw(self, char: str, frame: Frame, size: int) -> np.ndarray:
        """Draws a glyph on a canvas: (size, size) uint8, 0 ink .. 255 paper; ``frame`` maps cell to canvas."""

    def fingerprint(self, chars: list[str]) -> str:
        """A hash of everything that shapes what ``draw`` gives for ``chars``."""

    def describe(self) -> dict[str, Any]:
        """Facts for the manifest: kind, file name, font name, licence, own-to-cell transform."""


def asset(name: str) -> Path:
    """A bundled font. Raises: DataError if there is none of that name."""
    folder = Path(__file__).parents[1] / "assets" / "fonts"
    file = folder / name
    if not file.is_file():
        known = ", ".join(sorted(f.name for f in folder.glob("*.ttf")))
        raise DataError(f"asset:{name}: no bundled font of that name. There are {known}.")
    return file


def open_glyphs(spec: str) -> GlyphSource:
    """Opens a font file or a folder of glyph images.

    Args:
        spec: ``Font.ttf``, ``Font.ttc#2``, ``Var.ttf@wght=600``, ``Var.ttf@Bold``, a folder, or ``asset:NAME``
            for a bundled font.

    Raises: DataError if there is nothing there, or it is neither a font nor a folder of images.
    """
    from fontgan.data.folder import FolderGlyphs
    from fontgan.data.render import FontGlyphs

    path = asset(spec.removeprefix("asset:")) if spec.startswith("asset:") else user_path(spec)
    if path.is_dir():
        return FolderGlyphs(path)
    # The file as it stands wins, so that a name that holds # or @ still opens.
    if path.is_file():
        return FontGlyphs(path)
    match = re.fullmatch(r"(?P<file>.+?)(#(?P<index>\d+))?(@(?P<instance>[^/]+))?", str(path))
    if match and Path(match["file"]).is_file():
        index = int(match["index"]) if match["index"] else None
        return FontGlyphs(Path(match["file"]), index=index, instance=match["instance"])
    raise DataError(f"{spec}: no such font file or glyph folder. Check the path; relative ones start at this folder.")


def style_name(spec: str) -> str:
    """A style's name where the user gave only a path: the file or folder name without its ending."""
    path = user_path(re.sub(r"[#@][^/]*$", "", spec).removeprefix("asset:"))
    if path.name in ("", ".."):
        path = path.resolve()  # . and .. have no name of their own
    return (path.name if path.is_dir() else path.stem) or spec


def check_style_name(name: str, where: str, remedy: str) -> None:
    """Raises: DataError if a style cannot be called so; names become folders and config keys."""
    if not re.fullmatch(r"[\w][\w .-]*", name) or name in ("all", "source"):
        raise DataError(
            f"{where}: {name!r} cannot be a style's name; letters, digits, space, . _ - only, "
            f"and neither all nor source. {remedy}"
        )
