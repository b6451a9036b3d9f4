"""Which pictures are pages, and their pixels."""

from __future__ import annotations

import glob
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fontgan.data.folder import IMAGE_ENDINGS
from fontgan.errors import DataError


def find_pictures(pages: str | Sequence[str]) -> list[Path]:
    """The files that a pattern, a file, a folder, or a list of them stands for, in order, each once.

    Raises: DataError if one of them stands for none.
    """
    found: list[Path] = []
    for spec in [pages] if isinstance(pages, str) else pages:
        path = Path(spec).expanduser()
        if path.is_dir():
            files = sorted(f for f in path.iterdir() if f.suffix.lower() in IMAGE_ENDINGS and f.is_file())
            files = [file for file in files if not file.name.startswith(".")]
            if not files:
                raise DataError(f"pages={spec}: the folder holds no images. Put the scans or photographs there.")
        elif path.is_file():
            files = [path]
        else:
            files = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207  # absolute patterns too
            if not files:
                raise DataError(
                    f"pages={spec}: no such file or folder, and no file fits it as a pattern. Check the path."
                )
        found += files
    if not found:
        raise DataError("pages=[]: name at least one picture.")
    return list(dict.fromkeys(found))


def read_picture(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The pictures of a file, of which only a TIFF has several: a name to call it by, and its grey levels.

    Colour pictures give the mean of green and blue, to which the cyan guides are palest and black and red ink dark.

    Returns: (H, W) uint8 each.
    Raises: DataError if the file is no image or cannot be decoded to its end.
    """
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as opened:
            # The further frames of other formats are no pages: a telephone's JPEG may hold a depth map.
            frames = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
            for frame in range(frames):
                opened.seek(frame)
                opened.load()
                picture = ImageOps.exif_transpose(opened)
                yield (f"{path}" if frames == 1 else f"{path} (page {frame + 1})"), _grey(picture)
    except UnidentifiedImageError as error:
        said = "the file is empty" if not data else "of no known format"
        raise DataError(f"{path}: not an image that can be read ({said}). Give scans or photographs as JPEG, PNG or TIFF.") from error  # fmt: skip
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not an image that can be read ({error or type(error).__name__}). Take the picture again.") from error  # fmt: skip


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        deep = np.asarray(picture, np.float64)
        return np.clip(np.rint(deep * (255 / max(deep.max(initial=0), 255))), 0, 255).astype(np.uint8)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    green, blue = picture.convert("RGB").split()[1:]
    return np.asarray(Image.blend(green, blue, 0.5))
