"""Source + target styles -> which pairs there are, how they are aligned, and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fontgan.data import charset as charsets
from fontgan.data.frame import Box, Frame, clips, fit_canvas, fit_median, median_box
from fontgan.data.glyphs import PAPER, Coverage, Diagnostics, GlyphSource
from fontgan.data.sources import check_style_name, open_glyphs, style_name
from fontgan.errors import DataError, shorten

_HOLDOUT_BUCKETS = 10_000
FEW_PAIRS = 10
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
    diagnostics: Diagnostics

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
    source_entry = _open_source(source, charset)
    styles = [_open_style(name, spec, source_entry, charset) for name, spec in named.items()]
    with_pairs = {char for style in styles for char in style.coverage.present}
    chars = [char for char in source_entry.coverage.present if char in with_pairs]
    if not chars:
        raise DataError(
            f"{source}: shares no characters with {', '.join(named)} within charset={charset}. "
            "Choose a charset or fonts that have characters in common."
        )
    held_out = hold_out(chars, holdout, charsets.resolve(holdout_chars) if holdout_chars else [])
    if len(held_out) == len(chars):
        raise DataError(f"all {len(chars)} characters are held out and none is left to train on. Hold out fewer.")
    diagnostics = Diagnostics(finding for entry in (source_entry, *styles) for finding in entry.coverage.diagnostics)
    diagnostics += _align(source_entry, styles, set(chars) - set(held_out), apply=align)
    canvas = canvas or _fit_canvas(source_entry, styles, chars, size, margin)
    plan = PairPlan(source_entry, styles, chars, held_out, canvas, size, diagnostics)
    diagnostics += _say_clipped(plan)
    return plan


def _open_source(spec: str, charset: str) -> GlyphEntry:
    """Raises: DataError if it has none of the characters of the charset."""
    wanted = charsets.resolve(charset)
    glyphs = open_glyphs(spec)
    coverage = glyphs.coverage(wanted)
    if not coverage.present:
        _say_unusable(spec, coverage)
        raise DataError(f"{spec}: has none of the characters of charset={charset}. Choose another charset or source.")
    return GlyphEntry("source", glyphs, coverage)


def _open_style(name: str, spec: str, source: GlyphEntry, charset: str) -> GlyphEntry:
    """A style, whose diagnostics tell if it has no character of the source's."""
    glyphs = open_glyphs(spec)
    coverage = glyphs.coverage(source.coverage.present)
    if not coverage.present:
        coverage.diagnostics.error(
            f"{spec}: style {name} shares no characters with the source within charset={charset}.",
            "Choose a charset that both have, or take the style out.",
        )
    return GlyphEntry(name, glyphs, coverage)


def _align(source: GlyphEntry, styles: list[GlyphEntry], trained: set[str], *, apply: bool) -> Diagnostics:
    """Measures all ink, and fits each style's median ink box to the source's. Returns: what is to be told of it."""
    for member in [source, *styles]:
        member.boxes = {char: member.glyphs.ink_box(char) for char in member.coverage.present}
    diagnostics = Diagnostics()
    for style in styles:
        # Fitted on training characters alone: what is held out must not be looked at.
        shared = [char for char in style.coverage.present if char in trained]
        if shared:
            fitted = fit_median([style.boxes[c] for c in shared], [source.boxes[c] for c in shared])
            _say_alignment(diagnostics, style, fitted, shared, applied=apply)
            style.align = fitted if apply else Frame()
        elif style.coverage.present:
            diagnostics.error(
                f"style {style.name}: all of its {len(style.coverage.present)} characters are held out.",
                "Give it more characters or hold out fewer.",
            )
    return diagnostics


def _fit_canvas(source: GlyphEntry, styles: list[GlyphEntry], chars: list[str], size: int, margin: float) -> Frame:
    boxes = [source.boxes[char] for char in chars]
    # Styles twice: aligned, as they are trained on, and as they are, since output undoes the alignment.
    boxes += [frame.box(box) for style in styles for frame in (style.align, Frame()) for box in style.boxes.values()]
    return fit_canvas(boxes, size, margin)


def hold_out(chars: Sequence[str], share: float, more: Sequence[str] | None = None) -> list[str]:
    """The characters never trained on: those whose hash falls below ``share``, and ``more``.

    A hash of the character alone decides, so a character keeps its side when the charset, the fonts or their
    order change.  At least one character stays on each side as long as there are two.
    """
    chosen = set(more or []) & set(chars)
    if share > 0:
        ranked = sorted(chars, key=lambda char: (_bucket(char), char))
        by_hash = [char for char in ranked if _bucket(char) < share * _HOLDOUT_BUCKETS] or ranked[:1]
        chosen |= set(by_hash[: max(1, len(chars) - 1)])
    return [char for char in chars if char in chosen] if len(chars) > 1 else []


def _bucket(char: str) -> int:
    return int.from_bytes(hashlib.sha256(char.encode()).digest()[:4], "big") % _HOLDOUT_BUCKETS


def duplicate_images(images: Mapping[str, np.ndarray]) -> list[list[str]]:
    """Groups of characters whose images are the same to the pixel."""
    groups: dict[bytes, list[str]] = {}
    for char, image in images.items():
        groups.setdefault(hashlib.sha256(image.tobytes()).digest(), []).append(char)
    return [group for group in groups.values() if len(group) > 1]


def find_too_few(plan: PairPlan, charset: str, names: Sequence[str]) -> Diagnostics:
    """Warns of styles, of these names, that have few pairs, or characters that ``charset`` leaves out.

    For styles whose charset nobody chose for them: that of a run to start from, say.
    """
    diagnostics = Diagnostics()
    within = charsets.resolve(charset)
    for style in plan.styles:
        count = len(set(style.coverage.present) - set(plan.held_out))
        # Where there is plenty nobody misses the rest, and looking through a large font would take a while.
        if style.name not in names or count >= PLENTY_OF_PAIRS:
            continue
        everything = style.glyphs.coverage(None).present if within is not None else []
        outside = plan.source.glyphs.coverage(sorted(set(everything) - set(within or []))).present
        if outside:
            diagnostics.warn(
                f"style {style.name}: {len(outside)} of its {len(everything)} characters are outside "
                f"data.charset={_short(charset)}: {shorten(outside)}.",
                "Add data.charset=font to train on all that the source has too.",
            )
        if 0 < count < FEW_PAIRS:
            diagnostics.warn(f"style {style.name}: has few pairs to train on ({count}).", "Give it more characters.")
    return diagnostics


def _short(text: str, limit: int = 20) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


def find_duplicates(plan: PairPlan) -> Diagnostics:
    """Draws every style's glyphs small and names characters that share one image (a sign of placeholders)."""
    diagnostics = Diagnostics()
    for member in plan.members:
        if not member.boxes:
            continue  # nothing in common with the source: that is an error of its own
        small = fit_canvas(list(member.boxes.values()), 48, 0.0)
        images = {char: member.glyphs.rasterize(char, small, 48) for char in member.coverage.present}
        groups = duplicate_images(images)
        if groups:
            shown = shorten(["=".join(group[:6]) for group in groups], 6)
            diagnostics.warn(
                f"{member.name}: {sum(map(len, groups))} characters share an image with another: {shown}.",
                "Fine where they look alike; if it is a placeholder, take them out of the font or folder.",
            )
        blank = [char for char, image in images.items() if image.min() == PAPER]
        if blank:
            diagnostics.warn(
                f"{member.name}: {len(blank)} characters draw blank: {shorten(blank)}.", "Draw them or take them out."
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
                "median_ink_box": list(median_box(list(member.boxes.values()))) if member.boxes else None,
            }
            for member in plan.members
        ],
        "findings": [str(finding) for finding in plan.diagnostics],
    }


def name_styles(targets: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Style name -> font or folder, in their order. Raises: DataError if there is none, or a name will not do."""
    if not targets:
        raise DataError("data.targets: no style is given. Name at least one font or glyph folder.")
    if isinstance(targets, Mapping):
        named = {str(name): str(spec) for name, spec in targets.items()}
    else:
        named = {}
        for spec in map(str, targets):
            name = style_name(spec)
            if name in named:
                raise DataError(
                    f"data.targets: two styles are called {name}. Name them: data.targets={{one: {named[name]}, two: {spec}}}."
                )
            named[name] = spec
    for name in named:
        check_style_name(name, "data.targets", "Name it: data.targets={mine: PATH}.")
    return named


def _say_unusable(spec: str, coverage: Coverage) -> None:
    """Raises: DataError if glyphs are there, but none that can be used."""
    left_out = [f"{len(chars)} {reason}" for reason, chars in coverage.left_out.items() if reason != "missing"]
    warnings = [finding for finding in coverage.diagnostics if finding.level == "warning"]
    if left_out and warnings:
        said = warnings[-1]  # the first ones speak of names
        raise DataError(f"{spec}: no glyph can be used ({', '.join(left_out)}). {said.message} {said.remedy}".rstrip())


def _say_alignment(
    diagnostics: Diagnostics, style: GlyphEntry, fitted: Frame, shared: Sequence[str], *, applied: bool
) -> None:
    have = median_box([style.boxes[c] for c in shared])
    shift_x = (fitted.scale - 1) * (have.x0 + have.x1) / 2 + fitted.dx
    shift_y = (fitted.scale - 1) * (have.y0 + have.y1) / 2 + fitted.dy
    shift = max(abs(shift_x), abs(shift_y))
    measure = f"scale {fitted.scale:.3f} and a shift of its centre by {shift_x:+.3f}, {shift_y:+.3f} em"
    if applied:
        far = not 0.5 < fitted.scale < 2 or shift > 0.3
        message = f"{style.name}: aligned to the source by {measure} (undone on output)."
        remedy = "That is far; look whether the glyphs fill their cells as they should."
    else:
        far = not 0.9 < fitted.scale < 1.1 or shift > 0.05
        message = f"{style.name}: lies off the source by {measure}, and data.align=false leaves it there."
        remedy = "Use data.align=true."
    if far:
        diagnostics.warn(message, remedy)
    else:
        diagnostics.note(message)


def _say_clipped(plan: PairPlan) -> Diagnostics:
    diagnostics = Diagnostics()
    for member in plan.members:
        frame = plan.frame(member)
        over = [
            char
            for char in plan.chars
            if char in member.boxes
            and (
                clips(frame.box(member.boxes[char]), plan.size) or clips(plan.canvas.box(member.boxes[char]), plan.size)
            )
        ]
        if over:
            diagnostics.warn(
                f"{member.name}: {len(over)} glyphs reach over the edge of the canvas and are clipped: {shorten(over)}.",
                "Leave them out of the charset, or check their size in the font.",
            )
    return diagnostics
