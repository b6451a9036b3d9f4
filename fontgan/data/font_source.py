"""Font + character -> glyph image, through FreeType's outlines and its antialiasing rasteriser.

Outlines are taken unscaled and unhinted and moved by one exact transform, so pixels map back to font
units; a raster of hinted outlines could not be mapped back.
"""

from __future__ import annotations

import hashlib
import io
import struct
from functools import cached_property
from pathlib import Path
from typing import Any

import freetype
import numpy as np
from fontTools.ttLib import TTLibError

from fontgan.data.font_tables import (
    MAX_EM,
    MAX_NAME_LENGTH,
    MIN_EM,
    instance_location,
    is_character,
    lacking_tables,
    read_tables,
    unpacked,
    vertical_metrics,
    wrong_checksums,
)  # fmt: skip
from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import Coverage, Diagnostics
from fontgan.data.outline_raster import outline_bytes, rasterize_outline
from fontgan.errors import DataError, one_line, printable, shorten
from fontgan.untrusted.fonts import read_font, vet_font

RENDERER = "freetype-outline-1"  # change it when the same font would draw other pixels: it is part of the pack's key
_WHY_LEFT_OUT = {
    "missing": "The font's cmap lacks them; choose a smaller charset if you expected them.",
    "empty": "Their outlines hold no ink.",
    "notdef": "They are drawn as the font's missing-glyph box.",
}
_NO_SCALE = freetype.FT_LOAD_NO_SCALE | freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP


class FontGlyphs:
    """One face of a font file, at one instance if it is variable."""

    def __init__(self, path: Path, *, index: int | None = None, instance: str | None = None, data: bytes | None = None):
        """
        Args:
            path: TTF, OTF, WOFF or TTC file.
            index: face of a collection, from 0; needed where the file holds several.
            instance: of a variable font, a named instance (``Bold``) or axis values (``wght=600,opsz=12``).
            data: the file's bytes, which the program made itself or looked over before; None to read and vet it.
        Raises: DataError if the file is no outline font, takes more time or memory than one may, or the face or instance
            does not exist.
        """
        self.path = path
        self.index = index
        self.instance = instance
        try:
            # Read once: what is drawn is what was hashed and vetted, whatever becomes of the file.
            read = read_font(path) if data is None else data
            self._sha256 = hashlib.sha256(read).hexdigest()
            if data is None:
                vet_font(path, read, self._sha256, index=index, instance=instance)
            self._open(read)
        except DataError:
            raise
        except (
            TTLibError, freetype.FT_Exception, OSError, ValueError, KeyError, AssertionError, EOFError,
            ImportError, AttributeError, IndexError, struct.error,
        ) as error:  # what fontTools and FreeType raise on broken or unknown files  # fmt: skip
            raise DataError(
                f"{path}: not a font that can be read ({error or type(error).__name__}). "
                "Give a TTF, OTF, TTC or WOFF file with outlines."
            ) from error

    def _open(self, read: bytes) -> None:
        self._data = unpacked(self.path, read)
        self._tables = read_tables(self.path, self._data, self.index)
        self._face = freetype.Face(io.BytesIO(self._data), self.index or 0)  # which keeps the bytes that it draws from
        if not self._face.is_scalable:
            raise DataError(
                f"{self.path}: holds bitmaps only, and outlines are needed. Give it as a folder of glyph images."
            )
        if "cmap" not in self._tables or not self._tables.getBestCmap():
            raise DataError(f"{self.path}: has no Unicode cmap, so its glyphs cannot be found by character.")
        self.location = instance_location(self.path, self.instance, self._tables)
        if self.location:
            self._face.set_var_design_coords(list(self.location.values()))
        self.units_per_em: int = self._face.units_per_EM
        if not MIN_EM <= self.units_per_em <= MAX_EM:
            raise DataError(
                f"{self.path}: has {self.units_per_em} units per em; {MIN_EM} to {MAX_EM} are allowed. The file is broken."
            )
        self.ascent, self.descent = vertical_metrics(self._tables)
        # The em square is laid centred on ascent..descent; for 880/-120 of 1000 the baseline comes to 0.88.
        self._baseline = (self.units_per_em + self.ascent + self.descent) / 2
        self._boxes: dict[str, Box] = {}
        self._notdef = outline_bytes(self._face) if self._load_glyph(0) is not None else b""

    def vet_tables(self) -> None:
        """Sees that the tables, too, can be read within bounds. Raises: DataError if not."""
        vet_font(self.path, self._data, self._sha256, index=self.index, instance=self.instance, tables=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.path, self.index, self.instance, self._sha256)

    # -- what is there ------------------------------------------------------------------------

    def characters(self) -> list[str]:
        """Every character of the cmap, drawn or not; halves of surrogate pairs, which broken fonts map, are none."""
        return [chr(code) for code in sorted(self._tables.getBestCmap()) if is_character(code)]

    @property
    def data(self) -> bytes:
        """The font file's bytes, of a WOFF2 unpacked."""
        return self._data

    @property
    def glyph_count(self) -> int:
        return int(self._face.num_glyphs)

    def glyph_of(self, char: str) -> int:
        """The number of a character's glyph; 0 if it has none."""
        return int(self._face.get_char_index(ord(char)))

    def load(self, glyph: int) -> int:
        """Loads a glyph by its number. Returns: how many points its outline has. Raises: freetype.FT_Exception."""
        self._face.load_glyph(glyph, _NO_SCALE)
        return int(self._face.glyph.outline.n_points)

    def coverage(self, wanted: list[str] | None) -> Coverage:
        if wanted is None:
            wanted = self.characters()
        present: list[str] = []
        left_out: dict[str, list[str]] = {"missing": [], "empty": [], "notdef": []}
        for char in wanted:
            glyph = self.glyph_of(char)
            if glyph == 0:
                left_out["missing"].append(char)
                continue
            ink = self._load_glyph(glyph)
            if ink is None:
                left_out["empty"].append(char)
            elif outline_bytes(self._face) == self._notdef:
                left_out["notdef"].append(char)
            else:
                present.append(char)
                self._boxes[char] = self._in_cell(ink)  # while it is loaded: a plan asks for it next
        left_out = {reason: chars for reason, chars in left_out.items() if chars}
        diagnostics = Diagnostics()
        for reason, chars in left_out.items():
            tell = diagnostics.note if reason == "missing" else diagnostics.warn
            tell(
                f"{self.path.name}: {len(chars)} characters left out as {reason}: {shorten(chars)}.",
                _WHY_LEFT_OUT[reason],
            )
        if lacking := lacking_tables(self._tables):
            diagnostics.warn(
                f"{self.path.name}: lacks the table {shorten(lacking)}, which every font has: it may be damaged, and "
                "lie elsewhere in its em.",
                "Get it anew from where it was made, or look at what is drawn of it.",
            )
        if self._damaged:
            diagnostics.warn(
                f"{self.path.name}: the checksum of {shorten(self._damaged)} is wrong: the file may be damaged.",
                "Get it anew from where it was made, or look at what is drawn of it.",
            )
        return Coverage(present, left_out, diagnostics)

    @cached_property
    def _damaged(self) -> list[str]:
        """The tables whose bytes are not those that their checksum was made of."""
        return wrong_checksums(self._data, self._tables)

    def ink_box(self, char: str) -> Box:
        if char not in self._boxes:
            self._load(char)
            self._boxes[char] = self._in_cell(self._face.glyph.outline.get_bbox())
        return self._boxes[char]

    # -- pixels -------------------------------------------------------------------------------

    def to_cell(self) -> dict[str, float]:
        """Font units (y up) -> cell: x / units_per_em and (baseline - y) / units_per_em."""
        return {"units_per_em": self.units_per_em, "baseline": self._baseline}

    def advance(self, char: str) -> int:
        """The advance width in font units, also of a glyph whose outline is broken."""
        return int(self._face.get_advance(self.glyph_of(char), _NO_SCALE))

    def rasterize(self, char: str, frame: Frame, size: int) -> np.ndarray:
        self._load(char)
        try:
            return self.rasterize_loaded(frame, size)
        except freetype.FT_Exception as error:
            raise DataError(f"{self.path}: FreeType cannot draw {char!r} U+{ord(char):04X} ({error}).") from error

    def rasterize_loaded(self, frame: Frame, size: int) -> np.ndarray:
        """The glyph that is loaded, whose outline is used up. Raises: freetype.FT_Exception."""
        scale = frame.scale / self.units_per_em
        from_bottom = size - frame.dy - scale * self._baseline
        return rasterize_outline(self._face.glyph.outline, scale, frame.dx, from_bottom, size)

    # -- identity -----------------------------------------------------------------------------

    def fingerprint(self, chars: list[str]) -> str:
        key = f"{RENDERER}|{self.index}|{sorted(self.location.items())}|".encode()
        return hashlib.sha256(key + self._data).hexdigest()

    def describe(self) -> dict[str, Any]:
        name = self._tables.get("name")

        def entry(name_id: int) -> str:
            return printable((name.getDebugName(name_id) or "") if name is not None else "", MAX_NAME_LENGTH)

        return {
            "kind": "font",
            "file": one_line(self.path.name),
            "index": self.index,
            "location": self.location,
            "family": entry(16) or entry(1),
            "style": entry(17) or entry(2),
            "version": entry(5),
            "copyright": entry(0),
            "licence": entry(13),
            "licence_url": entry(14),
            "to_cell": self.to_cell(),
            "ascent": self.ascent,
            "descent": self.descent,
        }

    # -- inside -------------------------------------------------------------------------------

    def _load(self, char: str) -> None:
        try:
            self.load(self.glyph_of(char))
        except freetype.FT_Exception as error:
            raise DataError(
                f"{self.path}: the glyph of {char!r} U+{ord(char):04X} is broken ({error}). Leave it out, or mend the font."
            ) from error

    def _load_glyph(self, glyph: int) -> freetype.BBox | None:
        """Loads a glyph by its index and gives the box of its ink in font units, or None if it encloses nothing."""
        try:
            self._face.load_glyph(glyph, _NO_SCALE)
        except freetype.FT_Exception:
            return None  # a broken outline draws nothing; survey counts it as empty
        outline = self._face.glyph.outline
        box = outline.get_bbox()
        if outline.n_points == 0 or box.xMin == box.xMax or box.yMin == box.yMax:
            return None
        return box

    def _in_cell(self, box: freetype.BBox) -> Box:
        em = self.units_per_em
        return Box(box.xMin / em, (self._baseline - box.yMax) / em, box.xMax / em, (self._baseline - box.yMin) / em)


def _open_again(path: Path, index: int | None, instance: str | None, sha256: str) -> FontGlyphs:
    """The font that was pickled. Raises: DataError if its file is no longer what it was; OSError if it cannot be read."""
    data = read_font(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"{path}: was changed while it was packed. Start again.")
    return FontGlyphs(path, index=index, instance=instance, data=data)
