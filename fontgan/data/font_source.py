"""Font + character -> glyph image, through FreeType's outlines and its antialiasing rasteriser.

Outlines are taken unscaled and unhinted and moved by one exact transform, so pixels map back to font
units; a raster of hinted outlines could not be mapped back.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import io
import math
import struct
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import freetype
import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import PAPER, Coverage, Diagnostic
from fontgan.errors import DataError, one_line, printable, shorten
from fontgan.untrusted.fonts import read_font, vet_font

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont  # imported where tables are read: who only draws does without

MAX_NAME_LENGTH = 20_000  # characters; the Open Font License has 4,000
RENDERER = "freetype-outline-1"  # change it when the same font would draw other pixels: it is part of the pack's key
MIN_EM, MAX_EM = 16, 16384  # units, as OpenType allows
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
        from fontTools.ttLib import TTLibError

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
        self._data = _unpacked(self.path, read)
        self._tables = _read_tables(self.path, self._data, self.index)
        self._face = self._open_face()
        if not self._face.is_scalable:
            raise DataError(
                f"{self.path}: holds bitmaps only, and outlines are needed. Give it as a folder of glyph images."
            )
        if "cmap" not in self._tables or not self._tables.getBestCmap():
            raise DataError(f"{self.path}: has no Unicode cmap, so its glyphs cannot be found by character.")
        self.location = self._set_instance(self.instance)
        self.units_per_em: int = self._face.units_per_EM
        if not MIN_EM <= self.units_per_em <= MAX_EM:
            raise DataError(
                f"{self.path}: has {self.units_per_em} units per em; {MIN_EM} to {MAX_EM} are allowed. The file is broken."
            )
        self.ascent, self.descent = _vertical_metrics(self._tables)
        # The em square is laid centred on ascent..descent; for 880/-120 of 1000 the baseline comes to 0.88.
        self._baseline = (self.units_per_em + self.ascent + self.descent) / 2
        self._boxes: dict[str, Box] = {}
        self._notdef = self._outline_bytes() if self._load_glyph(0) is not None else b""

    def vet_tables(self) -> None:
        """Sees that the tables, too, can be read within bounds. Raises: DataError if not."""
        vet_font(self.path, self._data, self._sha256, index=self.index, instance=self.instance, tables=True)

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: no more than another process needs to open the same face at the same instance."""
        kept = ("path", "index", "instance", "location", "units_per_em", "ascent", "descent", "_baseline", "_notdef")
        return {**{name: self.__dict__[name] for name in kept}, "_sha256": self._sha256}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises: DataError if the file is no longer what it was when it was pickled; OSError if it cannot be read."""
        opened_as = state.pop("_sha256")
        self.__dict__.update(state, _boxes={})
        read = read_font(self.path)
        self._sha256 = hashlib.sha256(read).hexdigest()
        if self._sha256 != opened_as:
            raise DataError(f"{self.path}: was changed while it was packed. Start again.")
        self._data = _unpacked(self.path, read)
        self._face = self._open_face()
        self._go_to(self.location)

    def _open_face(self) -> freetype.Face:
        return freetype.Face(io.BytesIO(self._data), self.index or 0)  # which keeps the bytes that it draws from

    @cached_property
    def _tables(self) -> TTFont:
        return _read_tables(self.path, self._data, self.index)

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
            elif self._outline_bytes() == self._notdef:
                left_out["notdef"].append(char)
            else:
                present.append(char)
                self._boxes[char] = self._in_cell(ink)  # while it is loaded: a plan asks for it next
        left_out = {reason: chars for reason, chars in left_out.items() if chars}
        diagnostics = [
            Diagnostic(
                "note" if reason == "missing" else "warning",
                f"{self.path.name}: {len(chars)} characters left out as {reason}: {shorten(chars)}.",
                {
                    "missing": "The font's cmap lacks them; choose a smaller charset if you expected them.",
                    "empty": "Their outlines hold no ink.",
                    "notdef": "They are drawn as the font's missing-glyph box.",
                }[reason],
            )
            for reason, chars in left_out.items()
        ]
        if self._lacking:
            diagnostics.append(
                Diagnostic(
                    "warning",
                    f"{self.path.name}: lacks the table {shorten(self._lacking)}, which every font has: it may be damaged, and "
                    "lie elsewhere in its em.",
                    "Get it anew from where it was made, or look at what is drawn of it.",
                )
            )
        if self._damaged:
            diagnostics.append(
                Diagnostic(
                    "warning",
                    f"{self.path.name}: the checksum of {shorten(self._damaged)} is wrong: the file may be damaged.",
                    "Get it anew from where it was made, or look at what is drawn of it.",
                )
            )
        return Coverage(present, left_out, diagnostics)

    @property
    def _lacking(self) -> list[str]:
        """Tables that the font must have: some are read where they are there, so that nobody would miss them."""
        return [tag for tag in ("OS/2", "hhea", "hmtx", "name", "post") if tag not in self._tables]

    @cached_property
    def _damaged(self) -> list[str]:
        """The tables whose bytes are not those that their checksum was made of."""
        return [printable(tag) for tag in wrong_checksums(self._data, self.index or 0)]

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

    def draw(self, char: str, frame: Frame, size: int) -> np.ndarray:
        self._load(char)
        try:
            return self.paint(frame, size)
        except freetype.FT_Exception as error:
            raise DataError(f"{self.path}: FreeType cannot draw {char!r} U+{ord(char):04X} ({error}).") from error

    def paint(self, frame: Frame, size: int) -> np.ndarray:
        """Draws the glyph that is loaded, and uses its outline up. Raises: freetype.FT_Exception."""
        outline = self._face.glyph.outline
        # Font units -> canvas in 26.6 pixels, y up as FreeType wants it.
        scale = frame.scale / self.units_per_em
        matrix = freetype.FT_Matrix(round(scale * 64 * 65536), 0, 0, round(scale * 64 * 65536))
        freetype.FT_Outline_Transform(ctypes.byref(outline._FT_Outline), ctypes.byref(matrix))
        freetype.FT_Outline_Translate(
            ctypes.byref(outline._FT_Outline),
            round(frame.dx * 64),
            round((size - frame.dy - scale * self._baseline) * 64),
        )
        pixels = np.zeros((size, size), dtype=np.uint8)
        bitmap = freetype.FT_Bitmap(
            size, size, size, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte)), 256, freetype.FT_PIXEL_MODE_GRAY
        )
        error = freetype.FT_Outline_Get_Bitmap(
            freetype.get_handle(), ctypes.byref(outline._FT_Outline), ctypes.byref(bitmap)
        )
        if error:
            raise freetype.FT_Exception(error)
        return PAPER - pixels

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

    def _outline_bytes(self) -> bytes:
        """The loaded outline as bytes to compare: its arrays as FreeType holds them, since lists of points are slow."""
        outline = self._face.glyph._FT_GlyphSlot.contents.outline
        return b"".join(
            ctypes.string_at(array, count * ctypes.sizeof(array._type_))
            for array, count in (
                (outline.points, outline.n_points),
                (outline.tags, outline.n_points),
                (outline.contours, outline.n_contours),
            )
        )

    def _set_instance(self, instance: str | None) -> dict[str, float]:
        if "fvar" not in self._tables:
            if instance:
                raise DataError(f"{self.path}@{instance}: the font is not variable. Leave @{instance} out.")
            return {}
        fvar = self._tables["fvar"]
        axes = {axis.axisTag: axis for axis in fvar.axes}
        location = {tag: float(axis.defaultValue) for tag, axis in axes.items()}
        if instance:
            location |= _parse_instance(self.path, instance, self._tables)
        self._go_to(location)
        return location

    def _go_to(self, location: dict[str, float]) -> None:
        """Sets a variable font's axes, which ``location`` has in the font's own order."""
        if location:
            self._face.set_var_design_coords(list(location.values()))


def _unpacked(path: Path, data: bytes) -> bytes:
    """A WOFF2 as the font inside, since FreeType as it comes with freetype-py does not read it; all else as it is."""
    if data[:4] != b"wOF2":
        return data
    if importlib.util.find_spec("brotli") is None:
        raise DataError(
            f"{path}: is a WOFF2, which the package brotli unpacks. Run pip install 'fontgan[woff2]', or give a TTF or OTF."
        )
    from fontTools.ttLib import TTFont

    font, plain = TTFont(io.BytesIO(data), recalcBBoxes=False, recalcTimestamp=False), io.BytesIO()
    font.flavor = None
    font.save(plain, reorderTables=False)
    return plain.getvalue()


def _read_tables(path: Path, data: bytes, index: int | None) -> TTFont:
    """The tables of a file's contents; ``path`` is for messages."""
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.ttCollection import TTCollection

    if data[:4] != b"ttcf":
        if index:
            raise DataError(f"{path}#{index}: the file is a single font, not a collection. Leave #{index} out.")
        return TTFont(io.BytesIO(data), lazy=True)
    faces = TTCollection(io.BytesIO(data), lazy=True).fonts
    names = [f"#{i} {_full_name(face)}" for i, face in enumerate(faces[:20])]
    if index is None and len(faces) > 1:
        raise DataError(f"{path}: a collection of {len(faces)} fonts. Choose one: {path}#0 .. ({', '.join(names)}).")
    if index is not None and index >= len(faces):
        raise DataError(f"{path}#{index}: the collection has {len(faces)} fonts: {', '.join(names)}.")
    return faces[index or 0]


def _full_name(face: TTFont) -> str:
    return printable((face["name"].getDebugName(4) or "") if "name" in face else "", 60)


def _parse_instance(path: Path, instance: str, tables: TTFont) -> dict[str, float]:
    """``wght=600,opsz=12`` (or with colons) or the name of a named instance -> axis values."""
    fvar = tables["fvar"]
    named = {tables["name"].getDebugName(entry.subfamilyNameID) or "": entry.coordinates for entry in fvar.instances}
    for name, coordinates in named.items():
        if name.casefold() == instance.casefold():
            return {tag: float(value) for tag, value in coordinates.items()}
    location = {}
    axes = {axis.axisTag: axis for axis in fvar.axes}
    ranges = ", ".join(f"{tag} {axis.minValue:g}..{axis.maxValue:g}" for tag, axis in axes.items())
    for part in instance.replace(":", "=").split(","):
        tag, _, text = part.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if tag not in axes or math.isnan(value) or not axes[tag].minValue <= value <= axes[tag].maxValue:
            raise DataError(
                f"{path}@{instance}: no such instance. Axes: {printable(ranges)}; named instances: {printable(', '.join(named)) or 'none'}."
            )
        location[tag] = value
    return location


def wrong_checksums(data: bytes, index: int) -> list[str]:
    """Tables of a font file that do not match their checksums, as OpenType reckons them, or the list of tables itself.

    Of 83 fonts of Debian and our own, whose checksums are all right, none is named.

    WOFF files are not looked at: what they hold compressed has checks of its own.
    Args:
        index: face of a collection.
    """
    if data[:4] in (b"wOFF", b"wOF2"):
        return []
    start = struct.unpack_from(">L", data, 12 + 4 * index)[0] if data[:4] == b"ttcf" else 0
    (count,) = struct.unpack_from(">H", data, start + 4)
    wrong = []
    for entry in range(start + 12, min(start + 12 + 16 * count, len(data) - 15), 16):
        tag, checksum, offset, length = struct.unpack_from(">4sLLL", data, entry)
        content = data[offset : offset + length]
        allowed = [_checksum(content)]
        if tag == b"head":  # whose own field for the whole file counts as 0; some tools count it as it is
            allowed.append(_checksum(content[:8] + bytes(4) + content[12:]))
        if len(content) != length or checksum not in allowed:
            wrong.append(tag.decode("latin-1"))
    if start == 0 and not wrong and _checksum(data) != 0xB1B0AFBA:
        wrong.append("the list of tables")  # of the rest of the file nothing is wrong
    return wrong


def _checksum(content: bytes) -> int:
    words = np.frombuffer(content + bytes(-len(content) % 4), ">u4")
    return int(words.sum(dtype=np.uint64)) & 0xFFFFFFFF


def is_character(code: int) -> bool:
    """Whether a code point of a cmap is one of Unicode's characters, and no half of a surrogate pair."""
    return 0 <= code < 0xD800 or 0xDFFF < code <= 0x10FFFF


def _vertical_metrics(tables: TTFont) -> tuple[float, float]:
    """Ascent and descent (negative) in font units: OS/2 typographic, else hhea, else 0.88 / -0.12 of the em."""
    if "OS/2" in tables and (tables["OS/2"].sTypoAscender or tables["OS/2"].sTypoDescender):
        return tables["OS/2"].sTypoAscender, tables["OS/2"].sTypoDescender
    if "hhea" in tables and (tables["hhea"].ascent or tables["hhea"].descent):
        return tables["hhea"].ascent, tables["hhea"].descent
    em = tables["head"].unitsPerEm
    return 0.88 * em, -0.12 * em
