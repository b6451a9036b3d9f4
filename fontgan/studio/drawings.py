"""Glyphs that are drawn on the screen: their strokes in ink/, and the images made of them that commands read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fontgan.data.glyphs import PAPER
from fontgan.data.image_source import FolderGlyphs, name_from_char
from fontgan.errors import DataError
from fontgan.handwriting.ink import draw_ink, parse_ink
from fontgan.handwriting.sheet import canvas_frame
from fontgan.pictures.contact_sheet import save_png
from fontgan.runtime.files import atomic_write
from fontgan.studio.hand_folder import SIZE, begin_hand, glyphs_of
from fontgan.studio.project import Project
from fontgan.studio.source_picture import png_of

PLACES = ("hand", "redraw")  # the hand's own glyphs, and those in place of made ones


@dataclass(frozen=True)
class Drawing:
    """One glyph's ink in one of ``PLACES``."""

    project: Project
    place: str
    char: str

    @property
    def folder(self) -> Path:
        """Where its image lies."""
        return self.project.hand if self.place == "hand" else self.project.work / "redraw"

    @property
    def image(self) -> Path:
        return self.folder / f"{name_from_char(self.char)}.png"

    @property
    def strokes(self) -> Path:
        return self.project.folder / "ink" / self.place / f"{name_from_char(self.char)}.json"

    @property
    def kept_base(self) -> Path:
        """What the strokes mend, as it was before the first of them."""
        return self.strokes.with_suffix(".png")

    def base(self) -> np.ndarray | None:
        """What the strokes mend, (SIZE, SIZE) uint8, 0 ink .. 255 paper; None where there was nothing."""
        if self.kept_base.is_file():
            return np.asarray(Image.open(self.kept_base).convert("L"))
        if self.strokes.is_file():
            return None  # drawn on bare paper
        folder = self.folder if self.image.is_file() else self.project.work / "glyphs"
        if self.place == "hand" and not self.image.is_file():
            return None
        if not (folder / self.image.name).is_file():
            return None
        return FolderGlyphs(folder).rasterize(self.char, canvas_frame(SIZE), SIZE)

    @property
    def mends(self) -> bool:
        """Whether there is anything under the strokes."""
        return self.base() is not None

    def base_png(self) -> bytes | None:
        found = self.base()
        return None if found is None else png_of(found)

    def move(self, image: Path) -> None:
        """Gives the image another name or place; its strokes, which would no longer fit, go to thrown-out/ink/."""
        self.image.replace(image)
        self._put_strokes_aside()

    def put(self, image: np.ndarray) -> None:
        """Gives it another image, (SIZE, SIZE) uint8; strokes over the one before go to thrown-out/ink/."""
        begin_hand(self.folder)
        self._put_strokes_aside()
        save_png(image, self.image)

    def _put_strokes_aside(self) -> None:
        aside = self.project.folder / "thrown-out" / "ink"
        aside.mkdir(parents=True, exist_ok=True)
        for file in (self.strokes, self.kept_base):
            if file.is_file():
                file.replace(aside / file.name)


def draw(drawing: Drawing, ink_json: bytes) -> None:
    """Keeps the strokes, and writes the image that they make. Raises: DataError if they are no ink of this character."""
    try:
        ink = parse_ink(ink_json)
    except ValueError as error:
        raise DataError(f"{drawing.char}: the strokes cannot be read ({error}). Draw them again.") from error
    if ink.char != drawing.char:
        raise DataError(f"{drawing.char}: the strokes are of {ink.char}. Open its own page.")
    base = drawing.base()
    drawing.strokes.parent.mkdir(parents=True, exist_ok=True)
    begin_hand(drawing.folder)
    if base is not None and not drawing.kept_base.is_file():
        save_png(base, drawing.kept_base)
    image = draw_ink(ink, SIZE, base)
    atomic_write(drawing.strokes, ink_json)
    if (image < PAPER).any():
        save_png(image, drawing.image)
    else:
        drawing.image.unlink(missing_ok=True)  # all was erased


def read_strokes(drawing: Drawing) -> bytes | None:
    """The strokes as JSON; None where nothing was drawn yet."""
    return drawing.strokes.read_bytes() if drawing.strokes.is_file() else None


def redrawn_of(project: Project) -> set[str]:
    """Characters that the user drew in place of made glyphs."""
    return set(glyphs_of(project.work / "redraw"))
