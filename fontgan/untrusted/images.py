"""An image file that anybody may have made -> its pixels, or one line that says why not.

What is read is bounded before it is decoded: the kind of file, its bytes, the image's sides, and what its description
may make Pillow's Python code build.
"""

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from fontgan.errors import DataError


@dataclass(frozen=True)
class Bounds:
    """What an image may have at most."""

    bytes: int  # of the file
    side: int  # in pixels
    pixels: int  # in all


# A glyph is drawn at no more than 512 px. Files are held small as well, since many small parts cost Pillow much more
# memory and time than their bytes: a quarter of a MiB of them up to 59 MiB and 1.4 s (docs/research/log-reliability.md).
GLYPH = Bounds(bytes=16 * 2**20, side=4096, pixels=4096**2)
PAGE = Bounds(bytes=256 * 2**20, side=32_768, pixels=160_000_000)  # A3 in colour at 600 dpi has 70 million pixels

# No others: EPS would start Ghostscript, and what is rarely used is rarely looked after.
FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "AVIF")
MAX_PAGES = 1000  # of a TIFF
_MAX_TAG_VALUES = 2**16  # values of a TIFF tag: Pillow makes Python objects of them, of strips and tiles large ones
_OFFSET_TAGS = (273, 324)  # of strips and of tiles

# What Pillow raises on broken files. Besides its own (OSError, SyntaxError, ValueError, EOFError) its plugins raise what
# their Python code meets: data that ends (struct.error, LookupError, TypeError), division by what a file says is zero
# and numbers too large for C (ArithmeticError), decoders that give up (RuntimeError, MemoryError), broken compression
# (zlib.error), parts that contradict each other (AssertionError, AttributeError).
_UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, ArithmeticError, RuntimeError,
    MemoryError, zlib.error, AssertionError, AttributeError, Image.DecompressionBombError,
)  # fmt: skip

# They speak of what Pillow makes of a broken file, at some length; here a file is read or refused.
warnings.filterwarnings("ignore", module=r"PIL\.")


class _Refused(ValueError):
    """Why a file is not read; a remedy where it is another than the usual."""

    def __init__(self, reason: str, remedy: str = ""):
        super().__init__(reason)
        self.remedy = remedy


def is_file(path: Path) -> bool:
    """Whether it is a regular file, also behind symbolic links; a link to where one may not look is none."""
    return os.path.isfile(path)  # noqa: PTH113  # pathlib's own raises PermissionError


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no pipes among its files


def read_bytes(path: Path, most: int) -> bytes:
    """Reads a regular file; never waits for a pipe's writer, and takes nothing from devices that look like files.

    Raises: OSError if it cannot be read; ValueError if it is no regular file, empty or larger than ``most``.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:  # pathlib's own takes no opener
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise _Refused("no regular file")
        if about.st_size == 0:
            raise _Refused("the file is empty")
        if about.st_size > most:
            raise _Refused(f"{about.st_size / 2**20:.0f} MiB; {most // 2**20} are read at most", "Save it smaller.")
        return file.read(most)


@contextmanager
def opened(path: Path, bounds: Bounds, remedy: str) -> Iterator[tuple[ImageFile.ImageFile, bytes]]:
    """An image to decode with ``decoded``, and the bytes it is decoded from.

    Raises: DataError, with the ``remedy``, if the file is no image, or Pillow refuses it inside the ``with``.
    """
    try:
        data = read_bytes(path, bounds.bytes)
        if data.startswith((b"II", b"MM")):
            _check_tiff(data)
        known = [name for name in FORMATS if name in Image.OPEN]  # old Pillows have no AVIF
        with Image.open(io.BytesIO(data), formats=known) as image:
            if image.format == "PNG":  # decoding compares no checksums of pixels; an image that is verified is used up
                with Image.open(io.BytesIO(data), formats=["PNG"]) as same:
                    same.verify()
            yield image, data
    except _UNREADABLE as error:
        if isinstance(error, DataError):
            raise
        remedy = getattr(error, "remedy", "") or remedy
        raise DataError(f"{path}: not an image that can be read ({_say(error)}). {remedy}") from error


def decoded(image: ImageFile.ImageFile, bounds: Bounds) -> Image.Image:
    """The image's pixels as they were meant to be seen: turned as its EXIF data say.

    Raises: ValueError if it is too large; whatever Pillow raises if it cannot be decoded to its end.
    """
    width, height = image.size
    if max(width, height) > bounds.side or width * height > bounds.pixels:
        most = f"{bounds.side} a side" + (f", {bounds.pixels:,} in all" if bounds.pixels < bounds.side**2 else "")
        raise _Refused(f"{width}x{height} pixels; {most} are read at most", "Scale it down.")
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return image


def decoded_alone(image: ImageFile.ImageFile, bounds: Bounds) -> Image.Image:
    """``decoded`` of a file of one image. Raises: also ValueError if there are several, for nobody said which is meant."""
    # A camera's MPO holds the photograph first, then small ones of it, or what the other eye sees.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise _Refused(f"several images in one {image.format} file", "Save the one that is meant as a PNG.")
    return decoded(image, bounds)


def pages_of(image: ImageFile.ImageFile, bounds: Bounds) -> Iterator[Image.Image]:
    """All images of a TIFF, one after the other; of other formats the first: a telephone's JPEG may hold a depth map."""
    yield decoded(image, bounds)
    for page in range(1, MAX_PAGES + 1 if image.format == "TIFF" else 1):
        try:
            image.seek(page)
        except EOFError:
            return
        if page == MAX_PAGES:
            raise _Refused(f"more than {MAX_PAGES} pages", "Split it.")
        yield decoded(image, bounds)


def header_size(path: Path, bounds: Bounds) -> tuple[int, int]:
    """Width and height as the file says, nothing decoded. Raises: DataError."""
    with opened(path, bounds, "") as (image, _):
        return image.size


def _say(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "of no known format"  # Pillow's own words name a buffer in memory
    if isinstance(error, Image.DecompressionBombError):
        return "it would have too many pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # of the system's; its number and the path again help nobody
    if isinstance(error, MemoryError):
        return "damaged, or the memory is full"
    if isinstance(error, OSError | SyntaxError | ValueError | EOFError) and str(error):
        return str(error)
    return "damaged or cut off"  # what Pillow's code stumbled over says nothing to whoever has the file


def _check_tiff(data: bytes) -> None:
    """Raises: ValueError if a tag holds more values than any honest picture has; struct.error if the file is cut off."""
    order = "<" if data.startswith(b"II") else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    link, number = struct.Struct(order + "IQ"[big]), struct.Struct(order + "HQ"[big])
    entry = struct.Struct(order + ("HHQQ" if big else "HHII"))
    at, seen = link.unpack_from(data, 8 if big else 4)[0], set[int]()
    while at and at not in seen and len(seen) < MAX_PAGES:
        seen.add(at)
        entries = number.unpack_from(data, at)[0]
        at += number.size
        for _ in range(entries):
            tag, kind, count, _ = entry.unpack_from(data, at)
            # Plain bytes of other tags, such as colour profiles, stay bytes.
            if count > _MAX_TAG_VALUES and (kind not in (1, 2, 7) or tag in _OFFSET_TAGS):
                raise _Refused(f"its tag {tag} holds {count} values")
            at += entry.size
        at = link.unpack_from(data, at)[0]
