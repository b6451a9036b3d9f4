"""Outlines as a UFO 3, which font editors open and save; and back, also from UFOs made elsewhere."""

from __future__ import annotations

import plistlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.parsers.expat import ExpatError

from fontTools.pens.pointPen import SegmentToPointPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ufoLib import UFOReader, UFOWriter
from fontTools.ufoLib.errors import UFOLibError

from fontgan.errors import DataError
from fontgan.fontfile.metrics import LEAST_EM, MOST_EM
from fontgan.fontfile.names import glyph_name
from fontgan.fontfile.outline import DrawnGlyph, Outline, is_space
from fontgan.fontfile.target import check_writable

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


def is_ufo(path: Path) -> bool:
    """Whether a path is meant as a UFO: by its name, or by what a folder holds."""
    return path.suffix.lower() in (".ufo", ".ufoz") or (path / "metainfo.plist").is_file()


def check_ufo_out(out: Path, *, overwrite: bool) -> None:
    """Raises: DataError if a UFO may not be written there."""
    if out.suffix.lower() != ".ufo":
        raise DataError(f"out={out}: the name of a UFO ends in .ufo.")
    if out.exists():
        if not out.is_dir() or _made_by(out) is None:
            raise DataError(f"out={out}: is there already, and not of fontgan vectorize. Name another .ufo.")
        if not overwrite:
            raise DataError(
                f"out={out}: is there already. Name another .ufo, or add overwrite=true; what was edited there is lost."
            )
    check_writable(out)


def _made_by(ufo: Path) -> str | None:
    try:
        return plistlib.loads((ufo / "lib.plist").read_bytes()).get(MADE_BY)  # type: ignore[no-any-return]
    except (OSError, ValueError, ExpatError, AttributeError, plistlib.InvalidFileException):
        return None


def write_ufo(
    out: Path, glyphs: list[DrawnGlyph], *, units_per_em: int, baseline: float, family: str = "", style: str = "Regular"
) -> None:
    """Writes a UFO aside and renames it; one that is there is replaced.

    Args:
        glyphs: in font units.
        baseline: font units from the em's top down to it; the em's top and bottom become ascender and descender.
    Raises: OSError if it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh = aside / out.name
        _write(fresh, glyphs, units_per_em, round(baseline), family, style)
        fresh.chmod(0o755)
        if out.exists():
            out.rename(aside / "replaced")
        fresh.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(ufo: Path, glyphs: list[DrawnGlyph], em: int, ascender: int, family: str, style: str) -> None:
    writer = UFOWriter(ufo, formatVersion=3, fileCreator="fontgan")
    facts: dict[str, Any] = {
        "unitsPerEm": em, "ascender": ascender, "descender": ascender - em, "styleName": style,
        "openTypeOS2TypoAscender": ascender, "openTypeOS2TypoDescender": ascender - em, "openTypeOS2TypoLineGap": 0,
    }  # fmt: skip
    if family:
        facts["familyName"] = family
    writer.writeInfo(SimpleNamespace(**facts))
    glyph_set = writer.getGlyphSet()
    order: dict[str, None] = {}
    for glyph in glyphs:
        name = glyph_name(glyph.char, order)
        order[name] = None
        glyph_set.writeGlyph(
            name,
            SimpleNamespace(width=round(glyph.advance), height=em, unicodes=[ord(glyph.char)]),
            lambda pen, outline=glyph.outline: outline.draw(SegmentToPointPen(pen)),
        )
    glyph_set.writeContents()
    writer.writeLayerContents()
    writer.writeLib({"public.glyphOrder": list(order), MADE_BY: "fontgan vectorize"})
    writer.close()


def read_ufo(path: Path) -> UfoFont:
    """Reads a UFO of version 1, 2 or 3.

    Open contours are closed; single points, which mark anchors in old UFOs, are left out.
    Raises: DataError if it is none, or broken.
    """
    if not path.exists():
        raise DataError(f"{path}: no such UFO. Check the path.")
    try:
        with UFOReader(path, validate=True) as reader:
            return _read(reader)
    except (
        UFOLibError, ExpatError, plistlib.InvalidFileException, ValueError, KeyError, TypeError, AttributeError,
        RecursionError, NotADirectoryError,
    ) as error:  # what ufoLib and the XML parsers raise on broken files  # fmt: skip
        said = (
            "its components hold each other"
            if isinstance(error, RecursionError)
            else str(error) or type(error).__name__
        )
        raise DataError(
            f"{path}: not a UFO that can be read ({said}). Open it in a font editor and save it anew."
        ) from error


def _read(reader: UFOReader) -> UfoFont:
    info = SimpleNamespace()
    reader.readInfo(info)
    em = getattr(info, "unitsPerEm", 1000)
    if not LEAST_EM <= em <= MOST_EM:
        raise ValueError(f"unitsPerEm is {em}; {LEAST_EM} to {MOST_EM} is needed")
    ascender, descender = getattr(info, "ascender", None), getattr(info, "descender", None)
    # The em is laid centred on ascender..descender, as the project does with fonts.
    baseline = 0.88 * em if ascender is None or descender is None else (em + ascender + descender) / 2
    glyphs: dict[str, DrawnGlyph] = {}
    empty, nameless = [], []
    glyph_set = reader.getGlyphSet()
    for name in glyph_set.keys():  # noqa: SIM118  # no dictionary
        glyph, pen = glyph_set[name], DecomposingRecordingPen(glyph_set)
        glyph.draw(pen)
        outline = _closed(pen.value)
        unicodes = getattr(glyph, "unicodes", [])
        if not unicodes and name != ".notdef":
            nameless.append(name)
        for char in map(chr, unicodes):
            if not outline.calls and not is_space(char):
                empty.append(char)
            elif char in glyphs:
                raise ValueError(f"two glyphs stand for {char} U+{ord(char):04X}, one of them {name}")
            else:
                glyphs[char] = DrawnGlyph(char, outline, getattr(glyph, "width", 0))
    return UfoFont(
        [glyphs[char] for char in sorted(glyphs)], round(em), baseline, getattr(info, "familyName", ""),
        getattr(info, "styleName", ""), getattr(info, "copyright", ""), sorted(empty), sorted(nameless),
    )  # fmt: skip


def _closed(calls: list[tuple[str, tuple[Any, ...]]]) -> Outline:
    """Only contours that enclose something, each closed and begun on a point of the curve."""
    kept: list[tuple[str, tuple[Any, ...]]] = []
    contour: list[tuple[str, tuple[Any, ...]]] = []
    for name, points in calls:
        if name in ("closePath", "endPath"):
            if sum(len(points) for _, points in contour) >= 3:
                kept += [*contour, ("closePath", ())]
            contour = []
        elif name == "qCurveTo" and points[-1] is None:
            # TrueType's contour without a point on the curve: one lies halfway between two others.
            middle = tuple((a + b) / 2 for a, b in zip(points[0], points[-2], strict=True))
            contour += [("moveTo", (middle,)), ("qCurveTo", (*points[:-1], middle))]
        else:
            contour.append((name, points))
    return Outline(tuple(kept))
