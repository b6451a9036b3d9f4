"""What an image of a glyph shows: its size, and where the em square lies in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from fontgan.data.frame import Frame, StoredFrame
from fontgan.untrusted.images import GLYPH
from fontgan.untrusted.plain_json import convert

Side = Annotated[int, Meta(ge=1, le=GLYPH.side)]


class StoredView(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``View.as_dict``."""

    width: Side
    height: Side
    cell: StoredFrame


@dataclass(frozen=True)
class View:
    """Width and height in pixels, and cell -> pixels."""

    width: int
    height: int
    cell: Frame

    @classmethod
    def of_em(cls, width: int, height: int) -> View:
        """An image that is one em cell: the em square is the smallest square around it, centred."""
        side = max(width, height)
        return cls(width, height, Frame(side, (width - side) / 2, (height - side) / 2))

    @property
    def side(self) -> int:
        """The longer one."""
        return max(self.width, self.height)

    def resized(self, side: int) -> View:
        """The same, the longer side ``side`` pixels."""
        by = side / self.side
        width, height = (max(1, round(length * by)) for length in (self.width, self.height))
        return View(width, height, self.cell.compose(Frame(by)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> View:
        """What ``as_dict`` gave, as a file has it. Raises: ValueError if it holds anything else."""
        view = convert(stored, StoredView)
        return cls(view.width, view.height, Frame(view.cell.scale, view.cell.dx, view.cell.dy))
