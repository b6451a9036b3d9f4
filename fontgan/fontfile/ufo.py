"""Outlines as a UFO 3, which font editors open and save; and back, also from UFOs made elsewhere."""

import logging
import math
import os
import plistlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec
from fontTools.pens.basePen import MissingComponentError
from fontTools.pens.pointPen import SegmentToPointPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ufoLib import UFOReader, UFOWriter

from fontgan.data.font_tables import MAX_EM, MAX_NAME_LENGTH, MIN_EM, is_character
from fontgan.data.frame import BASELINE
from fontgan.errors import DataError, printable, shorten
from fontgan.fontfile.names import glyph_name
from fontgan.fontfile.outline import DrawnGlyph, Outline, is_space
from fontgan.fontfile.target import check_writable
from fontgan.runtime.files import clear_dead_asides, replace_folder, temporary_sibling
from fontgan.untrusted.sandbox import LimitExceeded, Limits, run_sandboxed

log = logging.getLogger(__name__)

MAX_BYTES = 2 << 30  # of all files of a UFO; one of 65,535 glyphs has about 200 MB
MAX_POINTS = 32_767  # of a glyph, as TrueType allows
MAX_COORDINATE = 1e6  # units
MADE_BY = "fontgan.madeBy"  # key of the lib that says that nothing is lost when fontgan replaces the UFO


@dataclass(frozen=True)
class UfoFont:
    """What a font is made of, read from a UFO.

    Args:
        glyphs: those that stand for characters, components drawn out; one for each character.
        baseline: font units from the em's top down to it.
        empty: visible characters whose glyphs hold no contour.
        nameless: glyphs that stand for no character.
    """

    glyphs: list[DrawnGlyph]
    units_per_em: int
    baseline: float
    family: str
    style: str
    copyright: str
    empty: list[str]
    nameless: list[str]

    def say_left_out(self, where: Path) -> None:
        """The log names the glyphs that are left out; ``where`` is the UFO."""
        for level, left_out, why in (
            (logging.INFO, self.nameless, "stand for no character"),
            (logging.WARNING, self.empty, "hold no contour"),
        ):
            if left_out:
                log.log(level, "%s: %d glyphs %s and are left out: %s", where, len(left_out), why, shorten(left_out))

    def glyphs_at(self, em: int) -> list[DrawnGlyph]:
        """The glyphs in units of another em, or the same."""
        scale = em / self.units_per_em
        return self.glyphs if scale == 1 else [glyph.scaled(scale) for glyph in self.glyphs]


def is_ufo(path: Path) -> bool:
    """Whether a path is meant as a UFO: by its name, or by what a folder holds."""
    return path.suffix.lower() in (".ufo", ".ufoz") or (path / "metainfo.plist").is_file()


def check_ufo_out(out: Path, *, overwrite: bool) -> None:
    """Raises: DataError if a UFO may not be written there."""
    if out.suffix.lower() != ".ufo":
        raise DataError(f"out={out}: the name of a UFO ends in .ufo.")
    if out.exists():
        clear_dead_asides(out)  # of one that was killed when it was done but for that
        try:
            ours = MADE_BY in plistlib.loads((out / "lib.plist").read_bytes())
        except (OSError, ValueError, ExpatError, TypeError, plistlib.InvalidFileException):
            ours = False
        if not ours:
            raise DataError(f"out={out}: is there already, and not of fontgan vectorize. Name another .ufo.")
        if not overwrite:
            raise DataError(
                f"out={out}: is there already. Name another .ufo, or add overwrite=true; edits there are lost."
            )
    check_writable(out)


def write_ufo(
    out: Path, glyphs: list[DrawnGlyph], *, units_per_em: int, baseline: float, family: str = "", style: str = "Regular"
) -> None:
    """Writes a UFO aside and renames it; one that is there is replaced.

    Args:
        baseline: font units from the em's top down to it; the em's top and bottom become ascender and descender.
    Raises: OSError if it cannot be written.
    """
    em, ascender = units_per_em, round(baseline)
    facts: dict[str, Any] = {
        "unitsPerEm": em, "ascender": ascender, "descender": ascender - em, "styleName": style,
        "openTypeOS2TypoAscender": ascender, "openTypeOS2TypoDescender": ascender - em, "openTypeOS2TypoLineGap": 0,
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    with temporary_sibling(out) as aside:
        fresh = aside / out.name
        writer = UFOWriter(fresh, formatVersion=3, fileCreator="fontgan")
        writer.writeInfo(SimpleNamespace(**facts, **({"familyName": family} if family else {})))
        glyph_set = writer.getGlyphSet()
        order: list[str] = []
        for glyph in glyphs:
            order.append(glyph_name(glyph.char, glyph_set.contents))
            about = SimpleNamespace(width=round(glyph.advance), height=em, unicodes=[ord(glyph.char)])
            glyph_set.writeGlyph(order[-1], about, lambda pen, shape=glyph.outline: shape.draw(SegmentToPointPen(pen)))
        glyph_set.writeContents()
        writer.writeLayerContents()
        writer.writeLib({"public.glyphOrder": order, MADE_BY: "fontgan vectorize"})
        writer.close()
        replace_folder(fresh, out)


def read_ufo(path: Path) -> UfoFont:
    """Reads a UFO of version 1, 2 or 3, in a process that may take so much time and memory and no more.

    Open contours are closed; single points, which mark anchors in old UFOs, are left out.
    Raises: DataError if it is none, broken, leads outside of itself, or takes too much.
    """
    try:
        size = _size_of(path)
        limits = Limits(cpu_s=3 + 5e-6 * size, memory_bytes=(512 << 20) + 16 * size)
        read = run_sandboxed("fontgan.fontfile.ufo:read_sandboxed", b"", limits, path=str(path))
    except (LimitExceeded, zipfile.BadZipFile, NotADirectoryError) as error:
        raise DataError(f"{path}: not a UFO that can be read ({error}). Save it anew in a font editor.") from error
    return msgspec.json.decode(read, type=UfoFont)


def _size_of(path: Path) -> int:
    """The bytes of a UFO's files, unpacked. Raises: DataError if one lies outside of it, or there are too many."""
    size = 0
    if path.is_file():
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    root = path.resolve()
    for folder, names, files in os.walk(path):
        for name in [*names, *files]:
            file = Path(folder, name)
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                raise DataError(f"{file}: leads outside of the UFO. Put the file itself in its place.")
            if not file.is_file() and not file.is_dir():
                raise DataError(f"{file}: is no file that can be read to its end. Take it out of the UFO.")
            size += file.stat().st_size if file.is_file() else 0
    if size > MAX_BYTES:
        raise DataError(f"{path}: has more than {MAX_BYTES >> 30} GB, which no UFO has. Give another.")
    return size


def read_sandboxed(_: bytes, *, path: str) -> bytes:
    """What the bounded process does: a UFO as JSON. Raises: whatever ufoLib and the XML parser do on what is none."""
    with UFOReader(path, validate=True) as reader:
        return msgspec.json.encode(_read(reader))


def _read(reader: UFOReader) -> UfoFont:
    info = SimpleNamespace(unitsPerEm=1000, ascender=None, descender=None, familyName="", styleName="", copyright="")
    reader.readInfo(info)
    em, ascender, descender = info.unitsPerEm, info.ascender, info.descender
    if not MIN_EM <= em <= MAX_EM:
        raise ValueError(f"unitsPerEm is {em}; {MIN_EM} to {MAX_EM} is needed")
    if not all(value is None or _is_near(value) for value in (ascender, descender)):
        raise ValueError(f"ascender {ascender} or descender {descender} is not less than {MAX_COORDINATE:.0f}")
    # The em is laid centred on ascender..descender, as the project does with fonts.
    baseline = BASELINE * em if ascender is None or descender is None else (em + ascender + descender) / 2
    glyphs: dict[str, DrawnGlyph] = {}
    empty, nameless = [], []
    glyph_set = reader.getGlyphSet()
    for name, file in glyph_set.contents.items():
        if Path(file).name != file:
            raise ValueError(f"the file of glyph {name} is not in its folder: {file}")
    for name in glyph_set.contents:
        glyph, pen = glyph_set[name], _Counted(glyph_set)
        try:
            glyph.draw(pen)
        except (MissingComponentError, RecursionError) as error:
            raise ValueError(f"a component of glyph {name} is not there, or components hold each other") from error
        outline = _closed(pen.value)
        width = getattr(glyph, "width", 0)
        if not all(map(_is_near, [width, *(value for _, points in outline.calls for p in points for value in p)])):
            raise ValueError(f"glyph {name} is wider or reaches farther than {MAX_COORDINATE:.0f} units")
        unicodes = getattr(glyph, "unicodes", [])
        if not unicodes and name != ".notdef":
            nameless.append(name)
        for code in unicodes:
            if not is_character(code):
                raise ValueError(f"glyph {name} stands for U+{code:04X}, which is no character")
            char = chr(code)
            if not outline.calls and not is_space(char):
                empty.append(char)
            elif char in glyphs:
                raise ValueError(f"two glyphs stand for {char} U+{ord(char):04X}, one of them {name}")
            else:
                glyphs[char] = DrawnGlyph(char, outline, width)
    return UfoFont(
        [glyphs[char] for char in sorted(glyphs)], round(em), baseline, printable(info.familyName),
        printable(info.styleName), printable(info.copyright, MAX_NAME_LENGTH), sorted(empty),
        sorted(map(printable, nameless)),
    )  # fmt: skip


def _is_near(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= MAX_COORDINATE


class _Counted(DecomposingRecordingPen):  # type: ignore[misc]
    """Draws components out, as long as they come to no more points than a glyph may have."""

    def __init__(self, glyph_set: Any):
        super().__init__(glyph_set)
        self.components = 0

    def addComponent(self, glyphName: str, *more: Any, **named: Any) -> None:
        self.components += 1
        if self.components > MAX_POINTS or len(self.value) > MAX_POINTS:
            raise ValueError(f"the components of a glyph come to more than {MAX_POINTS} points")
        super().addComponent(glyphName, *more, **named)


def _closed(calls: list[tuple[str, tuple[Any, ...]]]) -> Outline:
    """Contours of more than a point, each closed and begun on a point of the curve."""
    kept: list[tuple[str, tuple[Any, ...]]] = []
    contour: list[tuple[str, tuple[Any, ...]]] = []
    for name, points in calls:
        if name in ("closePath", "endPath"):
            if sum(len(points) for _, points in contour) > 1:
                kept += [*contour, ("closePath", ())]
            contour = []
        elif name == "qCurveTo" and points[-1] is None:
            # TrueType's contour without a point on the curve: one lies halfway between two others.
            middle = tuple((a + b) / 2 for a, b in zip(points[0], points[-2], strict=True))
            contour += [("moveTo", (middle,)), ("qCurveTo", (*points[:-1], middle))]
        else:
            contour.append((name, points))
    return Outline(tuple(kept))
