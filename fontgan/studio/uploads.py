"""Files that are dropped into the studio: bounded in size and number, under names that lead nowhere else.

What is inside them is looked at by the commands that read them, as on the command line.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from starlette.datastructures import UploadFile

from fontgan.data.image_source import IMAGE_ENDINGS, name_from_char
from fontgan.data.name_reading import DECIMAL, HEX, char_from_name
from fontgan.errors import DataError, shorten
from fontgan.runtime.file_names import alike, composed, is_of_the_system, portable
from fontgan.runtime.files import replace, temporary_sibling
from fontgan.untrusted.fonts import MAX_BYTES as MAX_FONT_BYTES
from fontgan.untrusted.images import PAGE

MAX_FILES = 20_000  # of one drop: a folder of glyph images
MAX_NAME = 100  # characters, and 120 bytes
FONT_ENDINGS = (".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2")


def safe_name(name: str) -> str:
    """A dropped file's own name, without its folders and what a file system, a shell or a config could take amiss.

    ``A.png`` becomes ``U+0041.png``, since ``a.png`` may be the same file, and so does ``。.png``, whose name would be lost.
    """
    last = composed(PurePosixPath(name.replace("\\", "/")).name)
    stem, dot, ending = last.rpartition(".")
    odd = alike(stem) != stem or not stem.isalnum()
    if len(stem) == 1 and odd and is_image(last) and (char := char_from_name(stem)):
        return f"{name_from_char(char)}.{ending}"
    plain = re.sub(r"[^\w.+-]+", "-", last).strip(".-")
    stem, dot, ending = plain.rpartition(".")
    return portable(f"{stem[:MAX_NAME].rstrip('-')}{dot}{ending[:10]}" if dot else plain[:MAX_NAME])


def is_font(name: str) -> bool:
    return name.lower().endswith(FONT_ENDINGS)


def is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_ENDINGS


def are_glyphs(names: Sequence[str]) -> bool:
    """Whether most of these images are named by characters, so that they are glyphs and no pages."""
    stems = [Path(safe_name(name)).stem for name in names]
    named = sum(any(char_from_name(stem, way) for way in (HEX, DECIMAL)) for stem in stems)
    return bool(names) and 2 * named > len(names)


def save(file: UploadFile, folder: Path) -> Path:
    """Saves one dropped file. Raises: DataError if it is no font and no image by its name, or too large."""
    name = safe_name(file.filename or "")
    if not (is_font(name) or is_image(name)):
        raise DataError(
            f"{name or 'a file without a name'}: is neither a font nor an image. Drop TTF, OTF, WOFF, PNG or JPEG."
        )
    most = MAX_FONT_BYTES if is_font(name) else PAGE.bytes
    if file.size is None or file.size > most:
        raise DataError(f"{name}: has more than {most >> 20} MB. Drop a smaller one.")
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / name
    with temporary_sibling(out) as aside:
        with (aside / name).open("wb") as stream:
            shutil.copyfileobj(file.file, stream)
        replace(aside / name, out)
    return out


def save_all(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """Saves what was dropped. Raises: DataError, and what was saved before stays."""
    if len(files) > MAX_FILES:
        raise DataError(f"{len(files)} files: are more than {MAX_FILES} at once. Drop fewer at a time.")
    named = [file for file in files if file.filename and not is_of_the_system(PurePosixPath(file.filename).name)]
    wanted = [file for file in named if not safe_name(file.filename or "").startswith("_")]
    if not wanted:
        raise DataError("nothing was dropped. Choose a font, or images.")
    kinds = {is_font(safe_name(file.filename or "")) for file in wanted}
    if len(kinds) > 1:
        raise DataError(
            f"{shorten([safe_name(file.filename or '') for file in wanted])}: fonts and images at once. Drop one kind."
        )
    return [save(file, folder) for file in wanted]
