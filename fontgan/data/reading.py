"""How the images of a folder are read: as a person sees them, dark ink on white paper.

All verbs read glyph images here. Which tone is ink, most of a folder's images decide, for one that is cropped to its
ink does not tell by itself.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fontgan.data.glyphs import PAPER, Diagnostics
from fontgan.data.grey import grey_over_paper
from fontgan.data.polarity import may_be_solid, tones
from fontgan.errors import DataError
from fontgan.runtime.subsample import subsample_evenly
from fontgan.untrusted.images import GLYPH, decoded_alone, opened

SURVEYED = 32  # images that tell what a folder's are like
ALL = 0.9  # share of a folder's images whose ink is pale where its ink is
INK_LEVEL = 64  # a pixel this much darker than paper (of 255) counts as ink when boxes are measured

Levels = tuple[np.ndarray, bool | None]  # grey levels as they are seen, and whether they are known to be light on dark


class Seen(NamedTuple):
    """What reading an image showed."""

    inverted: bool  # it is light on dark
    doubtful: bool  # by itself it looks the other way round
    cleaned: bool  # it had shadows, grey paper or pale ink
    cropped: bool  # ink is near all four borders
    digest: str = ""  # sha256 of the very bytes that it is decoded from


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of one folder.

    Args:
        light_on_dark: what most of them are.
        has_margins: whether paper lies around most glyphs, so that one image may be known to be unlike the rest.
        all_pale: whether all ink is pale, and not only that of one image.
        cleans: whether shadows and grey paper become white, and pale ink black.
    """

    light_on_dark: bool = False
    has_margins: bool = True
    all_pale: bool = False
    cleans: bool = True

    def read(self, file: Path, char: str | None = None) -> tuple[np.ndarray, Seen]:
        """Reads an image of one of ``fontgan.untrusted.images.FORMATS``.

        Args:
            char: the character that it shows, if it is known.
        Returns: (H, W) uint8, 0 ink .. 255 paper; and what was seen.
        Raises: DataError if it is no image, larger than ``fontgan.untrusted.images.GLYPH``, or not decoded to its end.
        """
        with opened(file, GLYPH, "Replace it or take it out.") as (image, data):
            grey, seen = self.orient(grey_over_paper(decoded_alone(image, GLYPH)), char)
            return grey, seen._replace(digest=hashlib.sha256(data).hexdigest())

    def orient(self, levels: Levels, char: str | None = None) -> tuple[np.ndarray, Seen]:
        """The same of an image that is opened."""
        grey, known = levels
        own = tones(grey)
        says = own.says if known is None else 1 - 2 * known
        by_itself = known is not None or (self.has_margins and own.is_sure and not may_be_solid(char))
        inverted = says < 0 if by_itself else self.light_on_dark
        turned = PAPER - grey if inverted else grey
        clean = turned
        if self.cleans:
            from fontgan.data.paper import on_white  # here, because its import takes long

            clean = on_white(turned, all_pale=self.all_pale)
        doubtful = says == (1 if inverted else -1) and not may_be_solid(char)
        near = 1 + max(clean.shape) // 100  # of the border
        sides = (clean[:near], clean[-near:], clean[:, :near], clean[:, -near:])
        cropped = all(int(side.min()) < PAPER - INK_LEVEL for side in sides)
        return clean, Seen(inverted, doubtful, clean is not turned, cropped)

    @property
    def key(self) -> str:
        """What the folder decides of its images' pixels."""
        return f"{self.light_on_dark} {self.has_margins} {self.all_pale} {self.cleans}"


def reader_of(files: Sequence[Path], *, cleans: bool = True, unlike: bool = True) -> ImageReader:
    """Looks at some of a folder's images, from all over.

    Args:
        cleans: see ``ImageReader``; not for images that fontgan drew, or that are measured as they are.
        unlike: whether an image may be known to be unlike the rest.
    """
    return survey(_opened(subsample_evenly(files, SURVEYED)), cleans=cleans, unlike=unlike)


def _opened(files: Iterable[Path]) -> Iterator[Levels]:
    for file in files:
        with suppress(DataError), opened(file, GLYPH, "") as (image, _):  # told when its turn comes to be read
            yield grey_over_paper(decoded_alone(image, GLYPH))


def survey(images: Iterable[Levels], *, cleans: bool = True, unlike: bool = True) -> ImageReader:
    """What images have in common."""
    votes, margins, pale = [], [], []
    for grey, known in images:
        own = tones(grey)
        if known is not None:
            votes.append(1 - 2 * known)
        elif 0 < own.dark < 1:
            votes.append(own.says)
            margins.append(own.has_margin)
        if cleans:
            pale += _pale(PAPER - grey if known or (known is None and own.says < 0) else grey)
    return ImageReader(
        light_on_dark=sum(votes) < 0,
        has_margins=unlike and 2 * sum(margins) >= len(margins),
        all_pale=len(pale) > 0 and sum(pale) >= ALL * len(pale),
        cleans=cleans,
    )


def _pale(grey: np.ndarray) -> list[bool]:
    """Whether ink on white paper is pale; nothing where that cannot be told."""
    from fontgan.data.paper import GREY, WHITE, ink_level  # here, because its import takes long

    level = ink_level(grey) if np.median(grey) >= WHITE else None
    return [] if level is None else [level > GREY]


class Tally:
    """What reading the images of a folder showed, to be told in the same words by every verb."""

    def __init__(self, folder: Path, *, cells: bool = False):
        """cells: whether it is known where the em lies in the images, so that they may be cropped to their ink."""
        self.folder, self.cells = folder, cells
        self.seen: dict[str, Seen] = {}

    def add(self, file: Path, seen: Seen) -> None:
        self.seen[file.name] = seen

    @property
    def inverted(self) -> list[str]:
        return self._named("inverted")

    def findings(self) -> Diagnostics:
        found, count, inverted = Diagnostics(), len(self.seen), self.inverted
        if 0 < len(inverted) == count:
            found.add("note", f"{self.folder}: light ink on dark paper; all {count} images are inverted.")
        else:
            odd, kind = inverted, "light on dark, unlike the rest, and are inverted"
            if 2 * len(inverted) > count:
                odd = sorted(self.seen.keys() - set(inverted))
                kind = "dark on light, unlike the rest, which are inverted"
            found.tell("warning", self.folder, odd, f"of {count} images are {kind}", "Look at them.")
        what, remedy = "images look as if ink and paper were exchanged, and are read like the rest", "Look at them."
        found.tell("warning", self.folder, self._named("doubtful"), what, remedy)
        what = "images have shadows, grey paper or pale ink, and are read as black on white"
        found.tell("note", self.folder, self._named("cleaned"), what)
        cropped = [] if self.cells else self._named("cropped")
        if count > 2 and 2 * len(cropped) > count:
            what = f"of {count} images are cropped to their ink, and have lost their size and place in the cell"
            found.tell("warning", self.folder, cropped, what, "Cut them all to the same cell.")
        return found

    def _named(self, what: str) -> list[str]:
        return [name for name, seen in sorted(self.seen.items()) if getattr(seen, what)]
