"""What a pack and a run say of their data: the manifest, and its schema."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from fontgan.data.frame import MAX_TRANSFORM, Offset, StoredFrame, median_box, reach
from fontgan.data.sources import STYLE_NAME
from fontgan.data.view import StoredView
from fontgan.untrusted.plain_json import Count, Finite, Text

if TYPE_CHECKING:
    from fontgan.data.plan import GlyphEntry, PairPlan, StyleEntry

MAX_SIZE = 2**14  # pixels a side of what a manifest may claim
MAX_NAME_BYTES = 200  # names become folders
MAX_GUIDES = 16

StyleName = Annotated[str, Meta(pattern=STYLE_NAME)]
# Characters one after the other: no blanks, which nothing could be drawn of.
Chars = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z")]
StoredBox = tuple[Offset, Offset, Offset, Offset]


class ToCell(Struct, frozen=True, forbid_unknown_fields=True):
    """Font units -> cell."""

    units_per_em: Annotated[float, Meta(gt=0, le=MAX_TRANSFORM)]
    baseline: Offset


class Member(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A font or folder."""

    name: Text
    median_ink_box: StoredBox | None = None
    left_out: dict[str, str] = {}
    kind: Text = ""
    file: Text = ""
    then: list[Text] = []  # the files of a list after the first
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

    def __post_init__(self) -> None:
        box = self.median_ink_box
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("the median ink box has no inside")


class StyleMember(Member, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A style: how its cell lies on the canvas, and how what it is drawn from is brought there."""

    name: StyleName
    canvas: StoredFrame  # own cell -> canvas pixels
    source: Count  # its number among the sources
    inputs: Annotated[list[StoredFrame], Meta(min_length=1, max_length=1 + MAX_GUIDES)]  # own cells -> canvas pixels
    limits: list[Finite] = []  # of each guide: see ``data.unlike``
    preferred: list[Count] = []  # of each guide: the number of the font that is most like the source; empty: the first
    pairs: Count = 0
    beyond_em: Annotated[float, Meta(ge=0, le=1)] = 0  # share of the glyphs whose ink an image of the em would cut


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The data of a pack or run: its sources, guides and styles, and which characters are held out."""

    size: Annotated[int, Meta(ge=1, le=MAX_SIZE)]
    held_out: Chars
    trained: Chars
    sources: Annotated[list[Member], Meta(min_length=1)]
    styles: list[StyleMember]
    guides: Annotated[list[Member], Meta(max_length=MAX_GUIDES)] = []
    characters: Count = 0
    findings: list[str] = []

    def __post_init__(self) -> None:
        check_distinct("held_out", self.held_out)
        check_distinct("trained", self.trained)
        check_names("styles", [style.name for style in self.styles])
        for style in self.styles:
            if style.source >= len(self.sources):
                raise ValueError(f"style {style.name} is drawn from a source that is not there")
            if not len(style.inputs) - 1 == len(style.limits) == len(self.guides):
                raise ValueError(f"style {style.name} has {len(style.inputs)} inputs, not {1 + len(self.guides)}")
            if style.preferred and len(style.preferred) != len(self.guides):
                raise ValueError(f"style {style.name} prefers {len(style.preferred)} fonts, not {len(self.guides)}")


def manifest(plan: "PairPlan") -> dict[str, Any]:
    """What a run needs to know of its data later, and what a user wants to read: names, licences, counts."""
    held_out = set(plan.held_out)
    return {
        "size": plan.size,
        "characters": len(plan.chars),
        "held_out": "".join(plan.held_out),
        "trained": "".join(char for char in plan.chars if char not in held_out),
        "sources": [_facts(entry) for entry in plan.sources],
        "guides": [_facts(entry) for entry in plan.guides],
        "styles": [_style_facts(style, plan) for style in plan.styles],
        "findings": [str(finding) for finding in plan.diagnostics],
    }


def _facts(entry: "GlyphEntry") -> dict[str, Any]:
    return {
        "name": entry.name,
        **entry.glyphs.describe(),
        "left_out": {reason: "".join(chars) for reason, chars in entry.coverage.left_out.items()},
        "median_ink_box": list(median_box(list(entry.boxes.values()))) if entry.boxes else None,
    }


def _style_facts(style: "StyleEntry", plan: "PairPlan") -> dict[str, Any]:
    beyond = sum(reach(box) * plan.size > 0.5 for box in style.boxes.values())  # by half a pixel of an image of the em
    return {
        **_facts(style),
        "canvas": style.canvas.as_dict(),
        "source": next(number for number, entry in enumerate(plan.sources) if entry is style.source.entry),
        "inputs": [style.frame_of(seen).as_dict() for seen in style.inputs],
        "limits": [seen.limit for seen in style.inputs[1:]],
        "preferred": [seen.preferred for seen in style.inputs[1:]],
        "pairs": len(style.coverage.present),
        "beyond_em": round(beyond / max(1, len(style.boxes)), 4),
    }


def check_names(what: str, names: list[str]) -> None:
    """Raises: ValueError for a name that is there twice, or too long for a folder."""
    check_distinct(what, names)
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise ValueError(f"{what} has a name longer than {MAX_NAME_BYTES} bytes")


def check_distinct(what: str, entries: list[str] | str) -> None:
    """Raises: ValueError for what is there twice."""
    if len(set(entries)) < len(entries):
        raise ValueError(f"{what} has an entry twice")
