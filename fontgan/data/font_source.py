"""Font + character -> glyph image, through FreeType's outlines and its antialiasing rasteriser.

Outlines are taken unscaled and unhinted and moved by one exact transform, so that pixels map back to font units.
"""

import ctypes
import hashlib
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import freetype
import numpy as np
from fontTools.ttLib import TTLibError

from fontgan.data import font_tables
from fontgan.data.character_map import character_map
from fontgan.data.frame import FAR, Box, Frame, farthest_usual, reach
from fontgan.data.glyphs import PAPER, Coverage, Diagnostics
from fontgan.errors import DataError, one_line, printable, shorten
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.fonts import read_font, vet_font

RENDERER = "freetype-outline-1"  # change it when the same font would draw other pixels: it is part of the pack's key
_WHY_LEFT_OUT = {
    "missing": "The font's cmap lacks them; choose a smaller charset if you expected them.",
    "empty": "Their outlines hold no ink.",
    "notdef": "They are drawn as the font's missing-glyph box.",
    "outlying": "Unlike the rest they reach far out of the em: a long dash or ligature, or a point that lies astray.",
}
_MEASURED = 1000  # glyphs that a font's usual reach out of the em is taken from
_NO_SCALE = freetype.FT_LOAD_NO_SCALE | freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP


class FontGlyphs:
    """One face of a font file, at one instance if it is variable.

    ``legacy_cmap`` tells, of one without a Unicode cmap, how its characters were read.
    """

    def __init__(self, path: Path, *, index: int | None = None, instance: str | None = None, data: bytes | None = None):
        """
        Args:
            path: TTF, OTF, WOFF or TTC file.
            index: face of a collection, from 0; needed where the file holds several.
            instance: of a variable font, a named instance (``Bold``) or axis values (``wght=600,opsz=12``).
            data: the file's bytes, which the program made itself or looked over before; None to read and vet it.
        Raises: DataError if the file is no outline font, takes too much time or memory, or lacks the face or instance.
        """
        self.path, self.index, self.instance = path, index, instance
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
            why, remedy = error or type(error).__name__, "Give a TTF, OTF, TTC or WOFF file with outlines."
            raise DataError(f"{path}: not a font that can be read ({why}). {remedy}") from error

    def _open(self, read: bytes) -> None:
        self.data = font_tables.unpacked(self.path, read)  # the file's bytes, of a WOFF2 unpacked
        self._tables = font_tables.read_tables(self.path, self.data, self.index)
        self._face = freetype.Face(io.BytesIO(self.data), self.index or 0)  # which keeps the bytes that it draws from
        if not self._face.is_scalable:
            remedy = "Give it as a folder of glyph images."
            raise DataError(f"{self.path}: holds bitmaps only, and outlines are needed. {remedy}")
        glyphs, self.legacy_cmap = character_map(self._tables)
        if not glyphs:
            raise DataError(
                f"{self.path}: has no cmap of Unicode or of another encoding that is known here, so its glyphs cannot be "
                "found by character. Give it a Unicode one in a font editor."
            )
        self._codes = [code for code in sorted(glyphs) if font_tables.is_character(code)]
        # FreeType finds glyphs by Unicode alone.
        numbers = self._tables.getReverseGlyphMap() if self.legacy_cmap else {}
        self._of_legacy = {code: numbers[glyphs[code]] for code in self._codes} if self.legacy_cmap else None
        self.location = font_tables.instance_location(self.path, self.instance, self._tables)
        if self.location:
            self._face.set_var_design_coords(list(self.location.values()))
        self.units_per_em: int = self._face.units_per_EM
        if not font_tables.MIN_EM <= self.units_per_em <= font_tables.MAX_EM:
            allowed = f"{font_tables.MIN_EM} to {font_tables.MAX_EM} are allowed"
            raise DataError(f"{self.path}: has {self.units_per_em} units per em; {allowed}. The file is broken.")
        self.ascent, self.descent = font_tables.vertical_metrics(self._tables)
        # The em square is laid centred on ascent..descent; for 880/-120 of 1000 the baseline comes to 0.88.
        self._baseline = (self.units_per_em + self.ascent + self.descent) / 2
        self._boxes: dict[str, Box] = {}
        self._notdef = _outline_bytes(self._face) if self._load_ink(0) is not None else b""

    def vet_tables(self) -> None:
        """Sees that the tables, too, can be read within bounds. Raises: DataError if not."""
        vet_font(self.path, self.data, self._sha256, index=self.index, instance=self.instance, tables=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.path, self.index, self.instance, self._sha256)

    def characters(self) -> list[str]:
        """Every character of the cmap, drawn or not; halves of surrogate pairs, which broken fonts map, are none."""
        return list(map(chr, self._codes))

    @property
    def glyph_count(self) -> int:
        return int(self._face.num_glyphs)

    def glyph_of(self, char: str) -> int:
        """The number of a character's glyph; 0 if it has none."""
        if self._of_legacy is not None:
            return self._of_legacy.get(ord(char), 0)
        return int(self._face.get_char_index(ord(char)))

    def load(self, glyph: int) -> int:
        """Loads a glyph by its number. Returns: how many points its outline has. Raises: freetype.FT_Exception."""
        self._face.load_glyph(glyph, _NO_SCALE)
        return int(self._face.glyph.outline.n_points)

    def coverage(self, wanted: list[str] | None) -> Coverage:
        present: list[str] = []
        left_out: dict[str, list[str]] = {reason: [] for reason in _WHY_LEFT_OUT}
        for char in self.characters() if wanted is None else wanted:
            glyph = self.glyph_of(char)
            ink = self._load_ink(glyph) if glyph else None
            if ink is None:
                left_out["empty" if glyph else "missing"].append(char)
            elif _outline_bytes(self._face) == self._notdef:
                left_out["notdef"].append(char)
            else:
                present.append(char)
                self._boxes[char] = ink  # while it is loaded: a plan asks for it next
        if any(reach(self._boxes[char]) > FAR for char in present):
            left_out["outlying"] = [char for char in present if reach(self._boxes[char]) > self._farthest_usual]
            present = [char for char in present if reach(self._boxes[char]) <= self._farthest_usual]
        name, diagnostics = self.path.name, Diagnostics()
        for reason, chars in left_out.items():
            level = "note" if reason == "missing" else "warning"
            diagnostics.tell(level, name, chars, f"characters left out as {reason}", _WHY_LEFT_OUT[reason])
        remedy = "Get it anew from where it was made, or look at what is drawn of it."
        # Some are read where they are there, so that nobody would miss them.
        lacking = [tag for tag in ("OS/2", "hhea", "hmtx", "name", "post") if tag not in self._tables]
        for tags, told in (
            (lacking, "lacks the table {}, which every font has: it may be damaged, and lie elsewhere in its em."),
            (self._damaged, "the checksum of {} is wrong: the file may be damaged."),
        ):
            if tags:
                diagnostics.add("warning", f"{name}: {told.format(shorten(tags))}", remedy)
        return Coverage(present, {reason: chars for reason, chars in left_out.items() if chars}, diagnostics)

    @cached_property
    def _farthest_usual(self) -> float:
        glyphs = (self.glyph_of(char) for char in subsample_evenly(self.characters(), _MEASURED))
        return farthest_usual([ink for glyph in glyphs if (ink := self._load_ink(glyph))])

    @cached_property
    def _damaged(self) -> list[str]:
        """The tables whose bytes are not those that their checksum was made of."""
        return font_tables.wrong_checksums(self.data, self._tables)

    def ink_box(self, char: str) -> Box:
        if char not in self._boxes:
            with self._told(char):
                self.load(self.glyph_of(char))
            self._boxes[char] = self._loaded_box()
        return self._boxes[char]

    def to_cell(self) -> dict[str, float]:
        """Font units (y up) -> cell: x / units_per_em and (baseline - y) / units_per_em."""
        return {"units_per_em": self.units_per_em, "baseline": self._baseline}

    def advance(self, char: str) -> int:
        """The advance width in font units, also of a glyph whose outline is broken."""
        return int(self._face.get_advance(self.glyph_of(char), _NO_SCALE))

    def rasterize(self, char: str, frame: Frame, size: int) -> np.ndarray:
        with self._told(char):
            self.load(self.glyph_of(char))
            return self.rasterize_loaded(frame, size)

    @contextmanager
    def _told(self, char: str) -> Iterator[None]:
        """Raises: DataError for what FreeType raises of a glyph."""
        try:
            yield
        except freetype.FT_Exception as error:
            what = f"the glyph of {char!r} U+{ord(char):04X} is broken ({error})"
            raise DataError(f"{self.path}: {what}. Leave it out, or mend the font.") from error

    def rasterize_loaded(self, frame: Frame, size: int) -> np.ndarray:
        """The glyph that is loaded, whose outline is used up. Raises: freetype.FT_Exception."""
        scale = frame.scale / self.units_per_em
        from_bottom = size - frame.dy - scale * self._baseline
        # Font units -> canvas in 26.6 pixels, y up as FreeType wants it.
        outline = ctypes.byref(self._face.glyph.outline._FT_Outline)
        matrix = freetype.FT_Matrix(round(scale * 64 * 65536), 0, 0, round(scale * 64 * 65536))
        freetype.FT_Outline_Transform(outline, ctypes.byref(matrix))
        freetype.FT_Outline_Translate(outline, round(frame.dx * 64), round(from_bottom * 64))
        pixels = np.zeros((size, size), dtype=np.uint8)
        buffer = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte))
        bitmap = freetype.FT_Bitmap(size, size, size, buffer, 256, freetype.FT_PIXEL_MODE_GRAY)
        error = freetype.FT_Outline_Get_Bitmap(freetype.get_handle(), outline, ctypes.byref(bitmap))
        if error:
            raise freetype.FT_Exception(error)
        return PAPER - pixels

    def fingerprint(self, chars: list[str]) -> str:
        key = f"{RENDERER}|{self.index}|{sorted(self.location.items())}|".encode()
        return hashlib.sha256(key + self.data).hexdigest()

    def describe(self) -> dict[str, Any]:
        def entry(name_id: int) -> str:
            name = self._tables["name"].getDebugName(name_id) if "name" in self._tables else None
            return printable(name or "", font_tables.MAX_NAME_LENGTH)

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

    def _load_ink(self, glyph: int) -> Box | None:
        """Loads a glyph by its number and gives the box of its ink in the cell, or None if it encloses nothing."""
        try:
            points = self.load(glyph)
        except freetype.FT_Exception:
            return None  # a broken outline draws nothing; survey counts it as empty
        box = self._loaded_box()
        return box if points and box.width and box.height else None

    def _loaded_box(self) -> Box:
        box, em = self._face.glyph.outline.get_bbox(), self.units_per_em
        return Box(box.xMin / em, (self._baseline - box.yMax) / em, box.xMax / em, (self._baseline - box.yMin) / em)


def _open_again(path: Path, index: int | None, instance: str | None, sha256: str) -> FontGlyphs:
    """The font that was pickled. Raises: DataError if its file is no longer what it was; OSError if it is not read."""
    data = read_font(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"{path}: was changed while it was packed. Start again.")
    return FontGlyphs(path, index=index, instance=instance, data=data)


def _outline_bytes(face: freetype.Face) -> bytes:
    """The loaded outline as bytes to compare: its arrays as FreeType holds them, since lists of points are slow."""
    outline = face.glyph._FT_GlyphSlot.contents.outline
    points, ends = outline.n_points, outline.n_contours
    arrays = ((outline.points, points), (outline.tags, points), (outline.contours, ends))
    return b"".join(ctypes.string_at(array, count * ctypes.sizeof(array._type_)) for array, count in arrays)
