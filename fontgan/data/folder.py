"""A folder of glyph images -> glyphs.

One image is one em cell: its edges are the em square's, whatever its size in pixels.  A folder that fontgan
made holds a ``manifest.json`` that says where in the image the em square lies.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fontgan.data.frame import Box, Frame
from fontgan.data.glyphs import PAPER, Finding, Survey
from fontgan.errors import DataError, some

MANIFEST = "manifest.json"
SHEET = "_sheet.png"  # the contact sheet that fontgan infer leaves in a folder; never taken for a glyph
STRIP, ANIMATION = "strip.png", "path.gif"  # what it leaves of a path; no glyphs where a manifest says it was there
READER = "folder-1"  # change it when the same image would give other pixels: it is part of the pack's key
INK_LEVEL = 64  # a pixel this much darker than paper (of 255) counts as ink when boxes are measured
IMAGE_ENDINGS = frozenset(Image.registered_extensions())
_HEX_NAME = re.compile(r"(?:[uU]\+|uni|[uU])?([0-9A-Fa-f]{4,6})")


def char_from_name(stem: str) -> str | None:
    """The character a file name stands for, or None.

    ``U+4E00``, ``4E00``, ``uni4E00``, ``u1F600`` and the character itself, also where a file system has taken it
    apart (か + ゛ for が).
    """
    composed = stem if len(stem) == 1 else unicodedata.normalize("NFC", stem)
    if len(composed) == 1:
        char = composed
    elif match := _HEX_NAME.fullmatch(stem):
        if int(match[1], 16) > 0x10FFFF:
            return None
        char = chr(int(match[1], 16))
    else:
        return None
    category = unicodedata.category(char)
    return None if category[0] == "Z" or category in ("Cc", "Cf", "Cs", "Cn") else char


def name_from_char(char: str) -> str:
    """``U+4E00`` for 一: safe in every file system, where the character itself may not be."""
    return f"U+{ord(char):04X}"


def read_grey(path: Path) -> tuple[np.ndarray, bool]:
    """Reads any Pillow image as grey levels.

    Transparency shows paper: white under dark ink, black under light ink.

    Returns: (H, W) uint8, 0 ink .. 255 paper; and whether the image was light on dark and is inverted here.
    Raises: DataError if the file is no image or cannot be decoded to its end.
    """
    return _read_hashed(path)[:2]


def _read_hashed(path: Path) -> tuple[np.ndarray, bool, str]:
    """What ``read_grey`` gives, and the sha256 of the very bytes that it is decoded from."""
    data = None
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        problem = str(error) or type(error).__name__
        if data == b"":
            problem = "the file is empty"
        elif isinstance(error, UnidentifiedImageError):
            problem = "of no known format"  # Pillow's own words name a buffer in memory
        raise DataError(f"{path}: not an image that can be read ({problem}). Replace it or take it out.") from error
    return *grey_of(image), hashlib.sha256(data).hexdigest()


def grey_of(image: Image.Image) -> tuple[np.ndarray, bool]:
    """An opened image as ``read_grey`` gives it."""
    grey = _grey_over_paper(image)
    # Paper is what touches the border; the median there is robust to strokes that run out of the cell.
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    inverted = bool(np.median(border) < 128)
    return (255 - grey if inverted else grey), inverted


def _grey_over_paper(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        deep = np.asarray(image, dtype=np.float64)
        # 16-bit levels reach 65535; an "I" or "F" image with small values is 8-bit data in a wide type.
        top = 65535.0 if deep.max(initial=0) > 255 else 255.0 if deep.max(initial=0) > 1 or image.mode != "F" else 1.0
        return np.clip(np.rint(deep / top * 255), 0, 255).astype(np.uint8)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"), dtype=np.float64) / 255
        grey = np.asarray(rgba.convert("RGB").convert("L"), dtype=np.float64)
        ink_level = (grey * alpha).sum() / alpha.sum() if alpha.sum() else 0.0
        if alpha.min(initial=1) == 1:
            paper = 255.0  # nothing shows through
        else:
            paper = 255.0 if ink_level < 128 else 0.0
        return np.rint(grey * alpha + paper * (1 - alpha)).astype(np.uint8)
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def square_cell(grey: np.ndarray) -> Frame:
    """Cell -> pixels of an image: the em square is the smallest square around it, centred."""
    height, width = grey.shape
    side = max(height, width)
    return Frame(side, (width - side) / 2, (height - side) / 2)


def image_files(folder: Path) -> list[Path]:
    """The glyph images of a folder by their endings, sorted by name; without hidden files and fontgan's overviews."""
    overviews = {SHEET, STRIP, ANIMATION} if (folder / MANIFEST).is_file() else {SHEET}
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_ENDINGS
        and not file.name.startswith(".")
        and file.name not in overviews
        and file.is_file()
    )


class CellFinder:
    """Where the em square lies in the images of a folder: as its ``manifest.json`` says, or the whole image."""

    def __init__(self, folder: Path):
        """Raises: DataError if there is a manifest that is not fontgan's."""
        file = folder / MANIFEST
        self.canvas: Frame | None = None
        self.size = 0
        if file.is_file():
            try:
                stored = json.loads(file.read_text(encoding="utf-8"))
                self.canvas, self.size = Frame.from_dict(stored["cell_to_canvas"]), int(stored["size"])
                if self.size < 1 or self.canvas.scale <= 0:
                    raise ValueError("size and scale must be above 0")
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{file}: not a manifest of fontgan ({type(error).__name__}: {error}). "
                    "Take it out, and each image counts as a whole em cell."
                ) from error

    def cell_to_image(self, grey: np.ndarray) -> Frame:
        """Cell -> pixels of this image."""
        if self.canvas is None:
            return square_cell(grey)
        return self.canvas.then(Frame(max(grey.shape) / self.size))  # the images may have been scaled since


def ink_box(grey: np.ndarray) -> Box | None:
    """The ink's box in pixels of the image, or None for a blank image."""
    ink = grey < PAPER - INK_LEVEL
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


class FolderGlyphs:
    """Glyph images in one folder, one a character."""

    def __init__(self, path: Path):
        """Raises: DataError if the folder holds no image whose name stands for a character."""
        self.path = path
        self.files: dict[str, Path] = {}
        self.findings: list[Finding] = []
        unparsed: list[str] = []
        doubled: list[str] = []
        for file in image_files(path):
            char = char_from_name(file.stem)
            if char is None:
                unparsed.append(file.name)
            elif char in self.files:
                doubled.append(f"{file.name} (also {self.files[char].name})")
            else:
                self.files[char] = file
        if unparsed:
            self.findings.append(
                Finding(
                    "warning",
                    f"{path}: {len(unparsed)} file names stand for no character and are left out: {some(unparsed)}.",
                    "Name them U+4E00.png, 4E00.png, uni4E00.png or by the character itself.",
                )
            )
        if doubled:
            self.findings.append(
                Finding(
                    "warning",
                    f"{path}: {len(doubled)} files repeat a character and are left out: {some(doubled)}.",
                    "Keep one image a character.",
                )
            )
        if not self.files:
            what = f"{len(unparsed)} images, none named after a character" if unparsed else "no images"
            raise DataError(
                f"{path}: the folder holds {what}. Put glyph images there, named U+4E00.png, 4E00.png, uni4E00.png or 一.png."
            )
        self._cells = CellFinder(path)
        self._boxes: dict[str, Box] = {}
        self._hashes: dict[str, str] = {}  # of the images' files as they were surveyed or hashed

    def survey(self, wanted: list[str] | None) -> Survey:
        """Reads every wanted image once: unreadable and blank ones are left out, polarity is noted."""
        chars = list(self.files) if wanted is None else wanted
        present: list[str] = []
        left_out: dict[str, list[str]] = {"missing": [], "unreadable": [], "empty": []}
        findings = list(self.findings)
        inverted: list[str] = []
        sizes: dict[tuple[int, int], int] = {}
        for char in chars:
            file = self.files.get(char)
            if file is None:
                left_out["missing"].append(char)
                continue
            try:
                grey, was_inverted, digest = _read_hashed(file)
            except DataError as error:
                left_out["unreadable"].append(char)
                findings.append(Finding("warning", str(error)))
                continue
            box = self._measure(grey)
            if box is None:
                left_out["empty"].append(char)
                continue
            present.append(char)
            self._boxes[char] = box
            self._hashes[char] = digest
            sizes[grey.shape] = sizes.get(grey.shape, 0) + 1
            if was_inverted:
                inverted.append(file.name)
        if present:
            findings += self._say_polarity(inverted, len(present))
        if len(sizes) > 1:
            sizes_text = [f"{w}x{h} px ({count})" for (h, w), count in sorted(sizes.items(), key=lambda s: -s[1])]
            findings.append(
                Finding(
                    "note",
                    f"{self.path}: images of {len(sizes)} sizes: {some(sizes_text, 5)}; each is taken as a whole em cell.",
                    "Cut them all to the same cell if they are not.",
                )
            )
        if left_out["missing"]:
            findings.append(
                Finding(
                    "note",
                    f"{self.path}: {len(left_out['missing'])} characters left out as missing: {some(left_out['missing'])}.",
                )
            )
        if left_out["empty"]:
            findings.append(
                Finding(
                    "warning",
                    f"{self.path}: {len(left_out['empty'])} images hold no ink and are left out: {some(left_out['empty'])}.",
                    "Draw them or take them out.",
                )
            )
        return Survey(present, {reason: chars for reason, chars in left_out.items() if chars}, findings)

    def ink_box(self, char: str) -> Box:
        if char not in self._boxes:
            box = self._measure(read_grey(self.files[char])[0])
            if box is None:
                raise DataError(f"{self.files[char]}: the image holds no ink.")
            self._boxes[char] = box
        return self._boxes[char]

    def draw(self, char: str, frame: Frame, size: int) -> np.ndarray:
        """Raises: DataError if the image cannot be read, or is no longer the one that was surveyed or hashed."""
        grey, _, digest = _read_hashed(self.files[char])
        if self._hashes.get(char, digest) != digest:
            raise DataError(f"{self.files[char]}: was changed while its folder was in use. Start again.")
        return resample(grey, self._cells.cell_to_image(grey).inverse().then(frame), size)

    def fingerprint(self, chars: list[str]) -> str:
        key = hashlib.sha256(f"{READER}|{self._cells.canvas}|{self._cells.size}".encode())
        for char in chars:
            if char not in self._hashes:
                self._hashes[char] = hashlib.sha256(self.files[char].read_bytes()).hexdigest()
            key.update(f"{char}{self._hashes[char]}".encode())
        return key.hexdigest()

    def describe(self) -> dict[str, Any]:
        return {"kind": "folder", "file": self.path.name, "images": len(self.files)}

    # -- inside -------------------------------------------------------------------------------

    def _measure(self, grey: np.ndarray) -> Box | None:
        """The ink's box in cell coordinates, or None for a blank image."""
        box = ink_box(grey)
        return None if box is None else self._cells.cell_to_image(grey).inverse().box(box)

    def _say_polarity(self, inverted: list[str], count: int) -> list[Finding]:
        if not inverted:
            return [Finding("note", f"{self.path}: dark ink on light paper.")]
        if len(inverted) == count:
            return [Finding("note", f"{self.path}: light ink on dark paper; all {count} images are inverted.")]
        odd, kind = (
            (inverted, "light on dark, unlike the rest, and are inverted")
            if 2 * len(inverted) <= count
            else (
                [file.name for file in self.files.values() if file.name not in set(inverted)],
                "dark on light, unlike the rest, which are inverted",
            )
        )
        return [
            Finding(
                "warning",
                f"{self.path}: {len(odd)} of {count} images are {kind}: {some(odd)}.",
                "Look at them: an image whose ink fills its border is read the wrong way round.",
            )
        ]


def resample(grey: np.ndarray, to_canvas: Frame, size: int) -> np.ndarray:
    """Moves an image onto a canvas, antialiased also where it shrinks; what lies outside is paper.

    Args:
        grey: (H, W) uint8, 0 ink .. 255 paper.
        to_canvas: image pixels -> canvas pixels.
    Returns: (size, size) uint8.
    """
    height, width = grey.shape
    back = to_canvas.inverse()
    region = back.box(Box(0, 0, size, size))  # what the canvas shows, in image pixels
    pad_left, pad_top = max(0, int(np.ceil(-region.x0))), max(0, int(np.ceil(-region.y0)))
    pad_right, pad_bottom = max(0, int(np.ceil(region.x1 - width))), max(0, int(np.ceil(region.y1 - height)))
    padded = np.pad(grey, ((pad_top, pad_bottom), (pad_left, pad_right)), constant_values=PAPER)
    box = (
        max(0.0, region.x0 + pad_left),
        max(0.0, region.y0 + pad_top),
        min(float(padded.shape[1]), region.x1 + pad_left),
        min(float(padded.shape[0]), region.y1 + pad_top),
    )
    return np.asarray(Image.fromarray(padded).resize((size, size), Image.Resampling.BICUBIC, box=box))
