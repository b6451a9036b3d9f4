"""Source + target styles -> which pairs there are, how they are aligned, and which are held out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fontgan.data import charset as charsets
from fontgan.data.frame import Box, Frame, clips, fit_canvas, fit_median, median_box, reach
from fontgan.data.glyphs import PAPER, Coverage, Diagnostics, GlyphSource
from fontgan.data.refusal import is_most
from fontgan.data.sources import check_style_name, open_glyphs, style_name
from fontgan.errors import DataError, shorten

_HOLDOUT_BUCKETS = 10_000
FEW_PAIRS = 10  # fewer are not trained on
MORE_PAIRS = 50  # fewer are trained on with a warning
PLENTY_OF_PAIRS = 1000


@dataclass
class GlyphEntry:
    """One font or folder of a pair plan: the source, or a style."""

    name: str
    glyphs: GlyphSource
    coverage: Coverage
    align: Frame = field(default_factory=Frame)  # own cell -> the source's cell
    boxes: dict[str, Box] = field(default_factory=dict)  # ink in the own cell


@dataclass
class PairPlan:
    """Everything known about the data before a pixel is drawn."""

    source: GlyphEntry
    styles: list[GlyphEntry]
    chars: list[str]  # all characters that make a pair with at least one style
    held_out: list[str]
    canvas: Frame  # the source's cell -> canvas pixels
    size: int
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def members(self) -> list[GlyphEntry]:
        return [self.source, *self.styles]

    def frame(self, member: GlyphEntry) -> Frame:
        """The member's own cell -> canvas pixels, alignment included."""
        return member.align.compose(self.canvas)


def plan_pairs(
    source: str,
    targets: Sequence[str] | Mapping[str, str],
    *,
    charset: str,
    size: int,
    margin: float = 0.04,
    align: bool = True,
    holdout: float = 0.1,
    holdout_chars: str = "",
    canvas: Frame | None = None,
) -> PairPlan:
    """Opens source and targets and decides pairs, split, alignment and canvas.

    Args:
        source: font file or glyph folder, as ``open_glyphs`` takes it.
        targets: the styles; a mapping names them, a list takes file names as names.
        charset: see ``fontgan.data.charset.resolve``.
        size: side of the canvas in pixels, one of ``fontgan.data.frame.SIZES``.
        margin: empty border on each side, as a fraction of the canvas, 0 to below 0.25.
        align: bring each style's median ink box onto the source's (undone on output).
        holdout: share of characters never trained on, 0 to below 1; the same for all styles.
        holdout_chars: a charset of more characters to hold out, or "".
        canvas: the source's cell -> canvas pixels as a trained network knows it; None fits one to these glyphs.
    Raises: DataError if something cannot be read or no pairs are left.
    """
    named = name_styles(targets)
    glyphs = open_glyphs(source)
    source_entry = GlyphEntry("source", glyphs, glyphs.coverage(charsets.resolve(charset, "data.charset")))
    there = source_entry.coverage.present
    if not there:
        _say_unusable(source, source_entry.coverage)
        raise DataError(
            f"{source}: has none of the characters of data.charset={charset}. Choose another charset or source."
        )
    styles = [_open_style(name, spec, there, charset) for name, spec in named.items()]
    with_pairs = {char for style in styles for char in style.coverage.present}
    chars = [char for char in there if char in with_pairs]
    if not chars:
        remedy = "Choose a charset or fonts that have characters in common."
        raise DataError(
            f"{source}: shares no characters with {', '.join(named)} within data.charset={charset}. {remedy}"
        )
    held_out = hold_out(
        chars, holdout, charsets.resolve(holdout_chars, "data.holdout_chars") or [] if holdout_chars else []
    )
    if len(held_out) == len(chars):
        raise DataError(f"all {len(chars)} characters are held out and none is left to train on. Hold out fewer.")
    plan = PairPlan(source_entry, styles, chars, held_out, canvas or Frame(), size)
    for member in plan.members:
        plan.diagnostics += member.coverage.diagnostics
        member.boxes = {char: member.glyphs.ink_box(char) for char in member.coverage.present}
    _align(plan, apply=align)
    if canvas is None:
        boxes = [source_entry.boxes[char] for char in chars]
        for style in styles:  # aligned, as they are trained on, and as they are, since output undoes the alignment
            boxes += [*map(style.align.box, style.boxes.values()), *style.boxes.values()]
        plan.canvas = fit_canvas(boxes, size, margin)
    _say_clipped(plan)
    return plan


def _open_style(name: str, spec: str, wanted: list[str], charset: str) -> GlyphEntry:
    """A style, whose diagnostics tell if it has none of the wanted characters, the source's."""
    glyphs = open_glyphs(spec)
    coverage = glyphs.coverage(wanted)
    if not coverage.present:
        told = f"{spec}: style {name} shares no characters with the source within data.charset={charset}."
        coverage.diagnostics.add("error", told, "Choose a charset that both have, or take the style out.")
    return GlyphEntry(name, glyphs, coverage)


def _say_unusable(spec: str, coverage: Coverage) -> None:
    """Raises: DataError if glyphs are there, but none that can be used."""
    left_out = [f"{len(chars)} {reason}" for reason, chars in coverage.left_out.items() if reason != "missing"]
    warnings = [finding for finding in coverage.diagnostics if finding.level == "warning"]
    if left_out and warnings:
        said = warnings[-1]  # the first ones speak of names
        raise DataError(f"{spec}: no glyph can be used ({', '.join(left_out)}). {said.message} {said.remedy}".rstrip())


def hold_out(chars: Sequence[str], share: float, more: Sequence[str] = ()) -> list[str]:
    """The characters never trained on: those whose hash falls below ``share``, and ``more``.

    A hash of the character alone decides, so a character keeps its side when the charset, the fonts or their
    order change.  At least one character stays on each side as long as there are two.
    """
    if len(chars) < 2:
        return []
    chosen = set(more)
    if share > 0:
        digests = {char: hashlib.sha256(char.encode()).digest() for char in chars}
        buckets = {char: int.from_bytes(digest[:4], "big") % _HOLDOUT_BUCKETS for char, digest in digests.items()}
        ranked = sorted(chars, key=lambda char: (buckets[char], char))
        below = sum(bucket < share * _HOLDOUT_BUCKETS for bucket in buckets.values())
        chosen |= set(ranked[: min(max(1, below), len(chars) - 1)])
    return [char for char in chars if char in chosen]


def _align(plan: PairPlan, *, apply: bool) -> None:
    """Fits each style's median ink box to the source's, and tells how far it was."""
    # Fitted on training characters alone: what is held out must not be looked at.
    trained = set(plan.chars) - set(plan.held_out)
    for style in plan.styles:
        shared = [char for char in style.boxes if char in trained]
        if not shared:
            if style.boxes:
                told = f"style {style.name}: all of its {len(style.boxes)} characters are held out."
                plan.diagnostics.add("error", told, "Give it more characters or hold out fewer.")
            continue
        boxes = [style.boxes[char] for char in shared]
        fitted = fit_median(boxes, [plan.source.boxes[char] for char in shared])
        offsets = zip(median_box(boxes).centre, (fitted.dx, fitted.dy), strict=True)
        x, y = ((fitted.scale - 1) * centre + offset for centre, offset in offsets)
        shift = max(abs(x), abs(y))
        measure = f"scale {fitted.scale:.3f} and a shift of its centre by {x:+.3f}, {y:+.3f} em"
        if apply:
            style.align = fitted
            far = not 0.5 < fitted.scale < 2 or shift > 0.3
            message = f"{style.name}: aligned to the source by {measure} (undone on output)."
            remedy = "That is far; look whether the glyphs fill their cells as they should."
        else:
            far = not 0.9 < fitted.scale < 1.1 or shift > 0.05
            message = f"{style.name}: lies off the source by {measure}, and data.align=false leaves it there."
            remedy = "Use data.align=true."
        odd = "" if 0.5 <= fitted.scale <= 2 else "odd_size"
        plan.diagnostics.add("warning" if far else "note", message, remedy if far else "", odd)


def _say_clipped(plan: PairPlan) -> None:
    for member in plan.members:
        frames = (plan.frame(member), plan.canvas)
        boxes = {char: member.boxes[char] for char in plan.chars if char in member.boxes}
        over = [char for char, box in boxes.items() if any(clips(frame.box(box), plan.size) for frame in frames)]
        what = "glyphs reach over the edge of the canvas and are clipped"
        remedy = "Leave them out of the charset, or check their size in the font."
        plan.diagnostics.tell("warning", member.name, over, what, remedy, kind="clipped", of=len(boxes))


def find_too_few(plan: PairPlan, names: Sequence[str], *, finetuned: bool) -> Diagnostics:
    """Warns of styles of these names that have few pairs; most of what is trained from nothing must have enough."""
    diagnostics, held_out = Diagnostics(), set(plan.held_out)
    counts = {style.name: len(style.coverage.present) for style in plan.styles}
    most = is_most(sum(0 < count < FEW_PAIRS for count in counts.values()), len(counts))
    for style in plan.styles:
        count = counts[style.name]
        if style.name not in names or not 0 < count < MORE_PAIRS:
            continue
        told = f"style {style.name}: has few pairs to train on ({len(set(style.coverage.present) - held_out)})."
        least = (
            f"{FEW_PAIRS} characters that the source has too are the least"
            if count < FEW_PAIRS
            else "It can be trained"
        )
        remedy = f"{least}; hundreds are better, and docs/guide/data.md says what to expect of how many."
        diagnostics.add("warning", told, remedy, "few" if count < FEW_PAIRS and most and not finetuned else "")
    return diagnostics


def find_outside(plan: PairPlan, charset: str, names: Sequence[str]) -> Diagnostics:
    """Warns of styles of these names that have characters outside a charset chosen for others."""
    diagnostics = Diagnostics()
    within = charsets.resolve(charset, "data.charset")
    told = f"data.charset={charset if len(charset) <= 20 else f'{charset[:20]}...'}"
    for style in plan.styles:
        # Where there is plenty nobody misses the rest, and looking through a large font would take a while.
        if style.name not in names or len(style.coverage.present) >= PLENTY_OF_PAIRS:
            continue
        everything = style.glyphs.coverage(None).present if within is not None else []
        outside = plan.source.glyphs.coverage(sorted(set(everything) - set(within or []))).present
        what = f"of its {len(everything)} characters are outside {told}"
        remedy = "Add data.charset=font to train on all that the source has too."
        diagnostics.tell("warning", f"style {style.name}", outside, what, remedy)
    return diagnostics


def find_duplicates(plan: PairPlan) -> Diagnostics:
    """Draws every style's glyphs small and names characters that share one image (a sign of placeholders)."""
    diagnostics = Diagnostics()
    for member in plan.members:
        if not member.boxes:
            continue  # nothing in common with the source: that is an error of its own
        small = fit_canvas(list(member.boxes.values()), 48, 0.0)
        blank: list[str] = []
        groups: dict[bytes, list[str]] = {}  # characters of one image
        for char in member.boxes:
            image = member.glyphs.rasterize(char, small, 48)
            groups.setdefault(hashlib.sha256(image.tobytes()).digest(), []).append(char)
            if image.min() == PAPER:
                blank.append(char)
        same = [group for group in groups.values() if len(group) > 1]
        if same:
            shown = shorten(["=".join(group[:6]) for group in same], 6)
            told = f"{member.name}: {sum(map(len, same))} characters share an image with another: {shown}."
            remedy = "Fine where they look alike; if it is a placeholder, take them out of the font or folder."
            most = is_most(max(map(len, same)), len(member.boxes))
            diagnostics.add("warning", told, remedy, "alike" if most else "")
        remedy = "Draw them or take them out."
        diagnostics.tell(
            "warning", member.name, blank, "characters draw blank", remedy, kind="blank", of=len(member.boxes)
        )
    return diagnostics


def manifest(plan: PairPlan) -> dict[str, Any]:
    """What a run needs to know of its data later, and what a user wants to read: names, licences, counts."""
    held_out = set(plan.held_out)
    return {
        "size": plan.size,
        "cell_to_canvas": plan.canvas.as_dict(),
        "characters": len(plan.chars),
        "held_out": "".join(plan.held_out),
        "trained": "".join(char for char in plan.chars if char not in held_out),
        "members": [
            {
                "name": member.name,
                **member.glyphs.describe(),
                "pairs": len(set(member.coverage.present) & set(plan.chars)),
                "left_out": {reason: "".join(chars) for reason, chars in member.coverage.left_out.items()},
                "align": member.align.as_dict(),
                "beyond_em": _share_beyond_em(member, plan.size),
                "median_ink_box": list(median_box(list(member.boxes.values()))) if member.boxes else None,
            }
            for member in plan.members
        ],
        "findings": [str(finding) for finding in plan.diagnostics],
    }


def _share_beyond_em(member: GlyphEntry, size: int) -> float:
    """The share of a member's glyphs that reach out of the em by more than half a pixel of an image of it."""
    beyond = sum(reach(box) * size > 0.5 for box in member.boxes.values())
    return round(beyond / max(1, len(member.boxes)), 4)


def name_styles(targets: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Style name -> font or folder, in their order. Raises: DataError if there is none, or a name will not do."""
    if not targets:
        raise DataError("data.targets: no style is given. Name at least one font or glyph folder.")
    pairs = targets.items() if isinstance(targets, Mapping) else [(style_name(str(spec)), spec) for spec in targets]
    named: dict[str, str] = {}
    for name, spec in pairs:
        if name in named:
            remedy = f"Name them: data.targets={{one: {named[name]}, two: {spec}}}."
            raise DataError(f"data.targets: two styles are called {name}. {remedy}")
        check_style_name(str(name), "data.targets", "Name it: data.targets={mine: PATH}.")
        named[str(name)] = str(spec)
    return named
