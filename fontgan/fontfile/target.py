"""The font that glyphs are added to, and what is refused before any work begins."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fontTools.ttLib import TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, shorten
from fontgan.runtime.files import user_path
from fontgan.untrusted.sandbox import LimitExceeded, Limits, run_sandboxed

MAX_GLYPHS = 65_535
STATIC_S_PER_MB = 60  # processor seconds that making a variable font static may take; Inter takes 4
ENDINGS = {".ttf": "glyf", ".otf": "CFF "}
_NEEDED = ("head", "hhea", "hmtx", "maxp", "cmap")


@dataclass(frozen=True)
class Target:
    """One face of a font file, as glyphs and as tables.

    Args:
        spec: the font as the user named it.
        glyphs: what it draws, at its instance if it is variable.
        font: its tables; those of a variable font are not yet at the instance.
    """

    spec: str
    glyphs: FontGlyphs
    font: TTFont

    @property
    def outlines(self) -> str:
        """The table of outlines that the result will have: ``glyf`` or ``CFF ``."""
        return "glyf" if "glyf" in self.font else "CFF "

    @property
    def changes_first(self) -> str:
        """What happens to the font before glyphs are added; empty if nothing does."""
        if "fvar" in self.font:
            place = ", ".join(f"{tag} {value:g}" for tag, value in self.glyphs.location.items())
            return f"{self.spec}: is variable; the result is static, at {place}."
        if "CFF2" in self.font:
            return f"{self.spec}: has CFF2 outlines; the result has them as CFF."
        return ""

    def static(self) -> TTFont:
        """The tables to add to: of a single, static, uncompressed font. Its glyphs are still the file's own bytes.

        Raises: DataError if making it static fails, or takes too much time or memory.
        """
        if not {"fvar", "CFF2"} & set(self.font.keys()):
            return open_tables(file_of(self.font))
        data, index = self.glyphs.data, self.glyphs.index or 0
        # The instancer holds every table taken apart: for Inter, 0.8 MB, in 55 MB.
        limits = Limits(cpu_s=60 + STATIC_S_PER_MB * len(data) / 1e6, memory_bytes=(1 << 30) + 128 * len(data))
        function = "fontgan.fontfile.target:make_static"
        try:
            return open_tables(run_sandboxed(function, data, limits, index=index, location=self.glyphs.location))
        except LimitExceeded as error:
            raise DataError(
                f"{self.spec}: cannot be made static: {error}. Make it static in another program."
            ) from error


def open_tables(data: bytes, index: int = 0) -> TTFont:
    """A font of which nothing is recomputed that is not asked for."""
    return TTFont(io.BytesIO(data), fontNumber=index, lazy=True, recalcBBoxes=False, recalcTimestamp=False)


def file_of(font: TTFont) -> bytes:
    """The bytes of a font's file, WOFF unpacked."""
    font.flavor = None
    content = io.BytesIO()
    font.save(content, reorderTables=False)
    return content.getvalue()


def make_static(data: bytes, *, index: int, location: dict[str, float]) -> bytes:
    """A variable or CFF2 font's file as that of a static font with glyf or CFF outlines; runs under limits.

    Args:
        index: face of a collection.
        location: the instance, of a variable font.
    """
    from fontTools.cffLib.CFF2ToCFF import convertCFF2ToCFF
    from fontTools.varLib.instancer import instantiateVariableFont

    def instance(*, rename: bool) -> TTFont:
        # Read whole and recomputed: every outline changes, and is then as if the font had come so.
        font = TTFont(io.BytesIO(data), fontNumber=index, recalcTimestamp=False)
        rename &= "STAT" in font
        return instantiateVariableFont(font, location, updateFontNames=rename, downgradeCFF2="CFF2" in font)

    if not location:
        font = open_tables(data, index)
        convertCFF2ToCFF(font)
        return file_of(font)
    try:
        return file_of(instance(rename=True))
    except ValueError:  # its tables do not say how to call the instance; it keeps its name
        return file_of(instance(rename=False))


def open_target(spec: str) -> Target:
    """Opens the font that glyphs are to be added to.

    Args:
        spec: ``Font.ttf``, ``Font.otf``, ``Font.woff``, ``Font.ttc#2``, ``Var.ttf@wght=600``, ``asset:NAME``.
    Raises: DataError if it is no font with outlines and the tables that every font has, or they cannot be read.
    """
    glyphs = None if user_path(spec).is_dir() else open_glyphs(spec)
    if not isinstance(glyphs, FontGlyphs):
        raise DataError(f"target={spec}: is a folder, and a font is needed. Leave target out to make a new font.")
    glyphs.vet_tables()
    font = open_tables(glyphs.data, glyphs.index or 0)
    absent = [tag for tag in _NEEDED if tag not in font]
    if absent or not {"glyf", "CFF ", "CFF2"} & set(font.keys()):
        raise DataError(f"{spec}: lacks the table {shorten(absent or ['glyf or CFF'])}, so no glyphs can be added.")
    return Target(spec, glyphs, font)


def check_out(out: Path, *, outlines: str | None, overwrite: bool, others: tuple[Path, ...] = ()) -> None:
    """Raises: ConfigError or DataError if a font file may not be written there.

    Args:
        outlines: the target's table of outlines, which the ending must fit; None for a new font.
        others: files and folders that are read, which ``out`` must not be.
    """
    kind = ENDINGS.get(out.suffix.lower())
    if kind is None:
        raise ConfigError(f"out={out}: must end in .ttf (TrueType curves) or .otf (CFF).")
    if outlines not in (None, kind):
        has, ending = ("TrueType", ".ttf") if outlines == "glyf" else ("CFF", ".otf")
        raise ConfigError(f"out={out}: the target has {has} outlines, which stay as they are. Let out end in {ending}.")
    if out.is_dir():
        raise DataError(f"out={out}: is a folder. Name a file that ends in .ttf or .otf.")
    if any(out.resolve() == other.resolve() for other in others):
        raise ConfigError(f"out={out}: is what is read. Name another file; the original stays as it is.")
    if out.exists() and not overwrite:
        raise DataError(f"out={out}: is there already. Name another file, or add overwrite=true.")
    check_writable(out)


def check_writable(out: Path, key: str = "out") -> None:
    """Raises: DataError if nothing can be written beside ``out``, or into it where it is a folder; ``key`` named it."""
    folder = out if out.is_dir() else out.parent
    while not folder.exists():
        folder = folder.parent  # it will be made
    if not folder.is_dir():
        raise DataError(f"{key}={out}: {folder} is a file, not a folder. Name another place.")
    try:
        with tempfile.TemporaryFile(dir=folder):  # rights alone do not tell of a disk that can only be read
            pass
    except OSError as error:
        raise DataError(
            f"{key}={out}: nothing can be written in {folder} ({error.strerror}). Name another place, or change its rights."
        ) from error


def check_limits(target: Target | None, chars: list[str]) -> None:
    """Raises: DataError if one font cannot hold the glyphs."""
    name, there = (target.spec, target.font["maxp"].numGlyphs) if target else ("a font", 3)
    if there + len(chars) > MAX_GLYPHS:
        raise DataError(
            f"{name}: {there} glyphs and {len(chars)} more are too many; a font holds at most {MAX_GLYPHS}. Choose a "
            "smaller charset."
        )
