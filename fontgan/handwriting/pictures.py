"""Which pictures are pages, and their pixels."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fontgan.data.grey import eight_bits
from fontgan.data.image_source import named_as_image
from fontgan.errors import DataError
from fontgan.runtime.files import user_path
from fontgan.untrusted.images import PAGE, is_file, opened, pages_of

_SOFT_PX = 1.0  # sigma that turns dots of single pixels into grey
# Of black pixels without a black neighbour: 0 in scans of black and white, 0.26 and more in dithered.
_LONE_SHARE = 0.05


def find_pictures(pages: str | Sequence[str]) -> list[Path]:
    """The files that patterns, files or folders stand for, in order, each once. Raises: DataError if one has none."""
    found: list[Path] = []
    for spec in [pages] if isinstance(pages, str) else pages:
        path = user_path(spec)
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if named_as_image(file) and is_file(file))
            lacking = "the folder holds no images. Put the scans or photographs there."
        else:  # a file as it stands, or a pattern, of which pathlib's own may not be absolute
            folder = glob.escape(str(path.parent)) if path.parent.is_dir() else str(path.parent)  # it may be called [1]
            names = [path] if path.is_file() else glob.glob(os.path.join(folder, path.name), recursive=True)  # noqa: PTH207,PTH118
            files = sorted(file for file in map(Path, names) if file.is_file())
            lacking = "no such file or folder, and no file fits it as a pattern. Check the path."
        if not files:
            raise DataError(f"pages={spec}: {lacking}")
        found += files
    if not found:
        raise DataError("pages=[]: name at least one picture.")
    return list(dict.fromkeys(found))


def read_picture(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The pictures of a file, of which only a TIFF has several: a name to call it by, and grey levels, (H, W) uint8.

    Colour pictures give the mean of green and blue, to which the cyan guides are palest and black and red ink dark.
    Raises: DataError if it is no image, larger than ``fontgan.untrusted.images.PAGE``, or not decoded to its end.
    """
    with opened(path, PAGE, "Give scans or photographs as JPEG, PNG or TIFF.") as (file, _):
        several = file.format == "TIFF" and getattr(file, "is_animated", False)
        for number, picture in enumerate(pages_of(file, PAGE), 1):
            yield (f"{path} (page {number})" if several else f"{path}"), _grey(picture)


def softened(grey: np.ndarray) -> tuple[np.ndarray, bool]:
    """A dithered picture, (H, W) uint8, as one of grey levels: its dots become paper, frames and ink; others as they are.

    Steps of pixels in black and white stay, because tracing finds an edge by them better than in what a blur leaves.
    Returns: the picture, and whether it is dithered.
    """
    import cv2

    dark, bright = int(grey.min()), int(grey.max())
    black = (grey == dark).astype(np.uint8)
    if dark == bright or not (black | (grey == bright)).all():
        return grey, False
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    lone = (black == 1) & (cv2.filter2D(black, -1, cross, borderType=cv2.BORDER_REPLICATE) == 0)
    dithered = bool(lone.sum() > _LONE_SHARE * black.sum())
    return (np.asarray(cv2.GaussianBlur(grey, (0, 0), _SOFT_PX)) if dithered else grey), dithered


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return eight_bits(np.asarray(picture))
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    green, blue = picture.convert("RGB").split()[1:]
    return np.asarray(Image.blend(green, blue, 0.5))
