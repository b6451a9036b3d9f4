"""The schema of a manifest: what a pack and a run say of the data (``fontgan.data.pairs.manifest`` writes it)."""

from typing import Annotated

from msgspec import Meta, Struct

from fontgan.data.frame import MAX_TRANSFORM, Offset, StoredFrame
from fontgan.data.sources import STYLE_NAME
from fontgan.data.view import StoredView
from fontgan.untrusted.plain_json import Count, Finite, Text

MAX_SIZE = 2**14  # pixels a side of what a manifest may claim
MAX_NAME_BYTES = 200  # names become folders

StyleName = Annotated[str, Meta(pattern=STYLE_NAME)]
MemberName = Annotated[str, Meta(pattern=rf"{STYLE_NAME}|^source\Z")]
# Characters one after the other: no blanks, which nothing could be drawn of.
Chars = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z")]


class ToCell(Struct, frozen=True, forbid_unknown_fields=True):
    """Font units -> cell."""

    units_per_em: Annotated[float, Meta(gt=0, le=MAX_TRANSFORM)]
    baseline: Offset


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """The source or one style: its font or folder, and how its cell was brought onto the source's."""

    name: MemberName
    align: StoredFrame
    median_ink_box: tuple[Offset, Offset, Offset, Offset] | None = None
    pairs: Count = 0
    left_out: dict[str, str] = {}
    kind: Text = ""
    file: Text = ""
    images: Count = 0
    index: int | None = None
    location: dict[str, Finite] = {}
    family: Text = ""
    style: Text = ""
    version: Text = ""
    copyright: Text = ""
    licence: Text = ""
    licence_url: Text = ""
    to_cell: ToCell | None = None
    ascent: Finite = 0
    descent: Finite = 0
    view: StoredView | None = None  # most images of a folder
    beyond_em: Annotated[float, Meta(ge=0, le=1)] = 0  # share of the glyphs whose ink an image of the em would cut

    def __post_init__(self) -> None:
        box = self.median_ink_box
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("the median ink box has no inside")


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The data of a pack or run: its canvas, its split, its members."""

    size: Annotated[int, Meta(ge=1, le=MAX_SIZE)]
    cell_to_canvas: StoredFrame
    held_out: Chars
    trained: Chars
    members: list[Member]
    characters: Count = 0
    findings: list[str] = []

    def __post_init__(self) -> None:
        check_distinct("held_out", self.held_out)
        check_distinct("trained", self.trained)
        check_names("members", [member.name for member in self.members])


def check_names(what: str, names: list[str]) -> None:
    """Raises: ValueError for a name that is there twice, or too long for a folder."""
    check_distinct(what, names)
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise ValueError(f"{what} has a name longer than {MAX_NAME_BYTES} bytes")


def check_distinct(what: str, entries: list[str] | str) -> None:
    """Raises: ValueError for what is there twice."""
    if len(set(entries)) < len(entries):
        raise ValueError(f"{what} has an entry twice")
