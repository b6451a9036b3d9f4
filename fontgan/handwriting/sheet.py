"""What a template page looks like, and what its code says of it.

All lengths are millimetres from the page's top left corner, y down.  The corner markers tell the paper and which way
up the page lies; the code tells the rest, so that a page is read without the file it was printed from.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fontgan.data.frame import Box, Frame
from fontgan.errors import ConfigError
from fontgan.extras import how_to_install

PAPERS = {"a4": (210.0, 297.0), "a3": (297.0, 420.0), "letter": (215.9, 279.4)}  # width, height, upright
MIN_CELL_MM, MAX_CELL_MM = 10, 60
EDGE_MM = 8.0  # markers keep off the paper's edge, where printers leave a border
MARKER_MM = 12.0
CODE_MM = 40.0
CODE_TOP_MM = 9.0
GRID_TOP_MM = CODE_TOP_MM + CODE_MM + 4
GRID_SIDE_MM = 10.0
ROOM = 0.08  # of the em around each em box: strokes that overshoot it are kept
CANVAS_EMS = 1 + 2 * ROOM  # side of what is cut out, in ems

VERSION = 1
_HEADER = struct.Struct(">BBHHHHHHHB")
_CHECKSUM = struct.Struct(">I")
# 73 modules a side are 0.55 mm each, three pixels of a 150 dpi scan; such a code holds 528 characters of base 32.
MAX_MODULES = 73
_MAX_BYTES = 528 * 5 // 8
_UNIT = 0.01  # of the stored lengths, millimetres


class NotAPage(ValueError):
    """A code that is read but is no code of a template page."""


@dataclass(frozen=True)
class Page:
    """One page: where its cells are, and the character of each, row by row."""

    paper: str  # one of ``PAPERS``
    number: int  # from 1
    pages: int
    cell: float  # side of an em box
    left: float  # of the first em box
    top: float
    pitch_x: float  # from one em box to the next
    pitch_y: float
    columns: int
    chars: str

    def em_boxes(self) -> Iterator[tuple[str, Box]]:
        """Each character with its em box."""
        for i, char in enumerate(self.chars):
            row, column = divmod(i, self.columns)
            x, y = self.left + column * self.pitch_x, self.top + row * self.pitch_y
            yield char, Box(x, y, x + self.cell, y + self.cell)

    def to_text(self) -> str:
        """What the page's code holds: base 32 without padding, which QR codes store compactly."""
        lengths = [round(v / _UNIT) for v in (self.cell, self.left, self.top, self.pitch_x, self.pitch_y)]
        header = _HEADER.pack(VERSION, list(PAPERS).index(self.paper), self.number, self.pages, *lengths, self.columns)
        data = header + self.chars.encode("utf-16-be")
        return base64.b32encode(_CHECKSUM.pack(zlib.crc32(data)) + data).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> Page:
        """Raises: NotAPage if it is no such text, or of a version that is not known."""
        foreign = NotAPage("its code is not one of fontgan template")
        try:
            stored = base64.b32decode(text.encode("ascii") + b"=" * (-len(text) % 8))
            data = stored[_CHECKSUM.size :]
            if _CHECKSUM.unpack_from(stored)[0] != zlib.crc32(data):
                raise foreign
            version, paper, number, pages, *lengths, columns = _HEADER.unpack_from(data)
            if version != VERSION:
                raise NotAPage(f"its page is of version {version}, and this fontgan knows version {VERSION}")
            chars = data[_HEADER.size :].decode("utf-16-be")
        except (binascii.Error, UnicodeError, struct.error) as error:
            raise foreign from error
        if not chars or columns < 1 or paper >= len(PAPERS):
            raise foreign
        cell, left, top, pitch_x, pitch_y = (round(v * _UNIT, 2) for v in lengths)
        return cls(list(PAPERS)[paper], number, pages, cell, left, top, pitch_x, pitch_y, columns, chars)


def canvas_frame(size: int) -> Frame:
    """Cell -> canvas: the em square with room around it on all sides."""
    scale = size / CANVAS_EMS
    return Frame(scale, ROOM * scale, ROOM * scale)


def label_mm(cell: float) -> float:
    """Height of the strip above a cell that holds its label."""
    return min(max(0.2 * cell, 3.5), 7.0)


def label_box(em: Box, cell: float) -> Box:
    """The em square of a cell's label, clear of what is cut out of the scan."""
    side, (middle, _), bottom = 0.85 * label_mm(cell), em.centre, em.y0 - (ROOM * cell + 0.4)
    return Box(middle - side / 2, bottom - side, middle + side / 2, bottom)


def lay_out(chars: Sequence[str], paper: str, cell: float) -> list[Page]:
    """Pages that hold the characters in order. Raises: ConfigError for a paper not known, or cells that do not fit."""
    if paper not in PAPERS:
        raise ConfigError(f"paper={paper}: choose one of {', '.join(PAPERS)}.")
    if not MIN_CELL_MM <= cell <= MAX_CELL_MM:  # also what is no number
        allowed = f"{MIN_CELL_MM} to {MAX_CELL_MM} millimetres"
        raise ConfigError(f"cell_mm={cell:g}: {allowed} are needed, for a pen to draw a character in.")
    width, height = PAPERS[paper]
    pitch_x = round(cell * CANVAS_EMS, 2)
    pitch_y = round(pitch_x + label_mm(cell), 2)
    columns = math.floor((width - 2 * GRID_SIDE_MM) / pitch_x)
    rows = math.floor((height - EDGE_MM - MARKER_MM - 2 - GRID_TOP_MM) / pitch_y)
    if columns < 1 or rows < 1:
        raise ConfigError(f"cell_mm={cell:g}: no cell fits on paper={paper}. Choose smaller cells or larger paper.")
    left = round((width - columns * pitch_x) / 2 + ROOM * cell, 2)
    top = round(GRID_TOP_MM + label_mm(cell) + ROOM * cell, 2)
    # The code has room for so many bytes: two a character, and four for those beyond the basic plane.
    room = _MAX_BYTES - _CHECKSUM.size - _HEADER.size
    most = min(rows, max(1, room // 2 // columns)) * columns
    parts: list[str] = []
    for char in chars:
        if not parts or len(parts[-1]) == most or len((parts[-1] + char).encode("utf-16-be")) > room:
            parts.append("")
        parts[-1] += char
    if len(parts) > 0xFFFF:
        remedy = "Choose smaller cells or fewer characters."
        raise ConfigError(f"cell_mm={cell:g}: {len(parts)} pages are too many. {remedy}")
    shape = (cell, left, top, pitch_x, pitch_y, columns)
    return [Page(paper, number, len(parts), *shape, part) for number, part in enumerate(parts, 1)]


def code_box(paper: str) -> Box:
    """Where the code stands: the square of its modules, without the white around it."""
    right = PAPERS[paper][0] - EDGE_MM - MARKER_MM - 6
    return Box(right - CODE_MM, CODE_TOP_MM, right, CODE_TOP_MM + CODE_MM)


def marker_boxes(paper: str) -> dict[int, Box]:
    """The four corner markers by their ids, clockwise from the top left; each paper has ids of its own."""
    width, height = PAPERS[paper]
    first = 4 * list(PAPERS).index(paper)
    right, bottom = width - EDGE_MM - MARKER_MM, height - EDGE_MM - MARKER_MM
    corners = [(EDGE_MM, EDGE_MM), (right, EDGE_MM), (right, bottom), (EDGE_MM, bottom)]
    return {first + i: Box(x, y, x + MARKER_MM, y + MARKER_MM) for i, (x, y) in enumerate(corners)}


def need_opencv() -> None:
    """Raises: ConfigError if OpenCV is not there."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"markers and codes of pages need OpenCV. Run {how_to_install('handwriting')}.") from error


def marker_modules(number: int) -> np.ndarray:
    """A marker's squares: (6, 6) bool, True is black; the outer ring is black."""
    import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    return np.asarray(cv2.aruco.generateImageMarker(dictionary, number, 6)) == 0


def code_modules(text: str) -> np.ndarray:
    """A QR code's squares: (n, n) bool, True is black; without the white around it."""
    import cv2

    settings = cv2.QRCodeEncoder_Params()  # type: ignore[attr-defined]
    settings.mode = cv2.QRCODE_ENCODER_MODE_ALPHANUMERIC
    # Most redundancy that the square has room for: a quarter of the code may be lost, or else 15 %.
    for level in (cv2.QRCODE_ENCODER_CORRECT_LEVEL_Q, cv2.QRCODE_ENCODER_CORRECT_LEVEL_M):
        settings.correction_level = level
        modules = np.asarray(cv2.QRCodeEncoder.create(settings).encode(text)) == 0
        rows = np.flatnonzero(modules.any(axis=1))
        modules = modules[rows[0] : rows[-1] + 1, rows[0] : rows[-1] + 1]
        if len(modules) <= MAX_MODULES:
            return modules
    raise AssertionError(f"a code of {len(modules)} modules for {len(text)} characters")
