"""Sources + target styles + guides -> which pairs there are, how they are aligned, and which are held out."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from fontgan.data import charset as charsets
from fontgan.data.canvas import CUT, choose_canvas, cut_off, widen_canvas
from fontgan.data.frame import Box, Frame, fit_median, median_box
from fontgan.data.glyphs import Coverage
from fontgan.data.guides import add_guide
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.name_reading import AUTO, names_read_as
from fontgan.data.plan import GlyphEntry, PairPlan, StyleEntry, StyleInput, Target
from fontgan.data.refusal import is_most
from fontgan.data.sources import Spec, check_style_name, open_glyphs, own_name, say_spec, style_name
from fontgan.errors import DataError

_HOLDOUT_BUCKETS = 10_000
MANY_CLIPPED = 0.02  # share of a source's glyphs; of fewer nobody need be warned


def plan_pairs(
    source: Spec | None,
    targets: Sequence[str] | Mapping[str, Target | str],
    *,
    charset: str,
    size: int,
    margin: float = 0.0,
    align: bool = True,
    guides: Sequence[Spec] = (),
    holdout: float = 0.1,
    holdout_chars: str = "",
    canvases: Mapping[str, Frame] | None = None,
    room_for: str = "",
    names: str = AUTO,
) -> PairPlan:
    """Opens sources, guides and targets and decides pairs, split, alignment and canvases.

    Args:
        source: font file or glyph folder, or several read as one, as ``open_glyphs`` takes them; None where every
            target names its own.
        targets: the styles; a mapping names them, a list takes file names as names.
        charset: see ``fontgan.data.charset.resolve``.
        size: side of the canvas in pixels, one of ``fontgan.data.frame.SIZES``.
        margin: room on each side of a font's em, as a fraction of the canvas, 0 to below 0.25.
        align: bring the median ink box of sources and guides onto that of each style.
        guides: fonts whose glyph of the same character the generator sees beside the source.
        holdout: share of characters never trained on, 0 to below 1; the same for all styles.
        holdout_chars: a charset of more characters to hold out, or "".
        canvases: own cell -> canvas pixels of styles that a trained network knows already, by name.
        room_for: a charset of characters of the source that are to be drawn later, or "": canvases have room for them.
        names: how those of images are read, one of ``name_reading.READINGS``.
    Raises: DataError if something cannot be read or no pairs are left.
    """
    with names_read_as(names):
        plan = _open_styles(source, targets, charset, size)
        more = charsets.resolve(holdout_chars, "data.holdout_chars") or [] if holdout_chars else []
        later = charsets.resolve(room_for, "data.room_for") or [] if room_for else []
        for style in plan.styles:
            trained = set(style.boxes).difference(hold_out(list(style.boxes), holdout, more))
            known = (canvases or {}).get(style.name)
            _choose_canvas(style, plan, margin, known, trained if align else set(), later)
        _find_chars(plan, charset)
        plan.held_out = hold_out(plan.chars, holdout, more)
        if len(plan.held_out) == len(plan.chars):
            raise DataError(
                f"all {len(plan.chars)} characters are held out and none is left to train on. Hold out fewer."
            )
        for member in (*plan.sources, *plan.styles):
            plan.diagnostics += member.coverage.diagnostics
        _align(plan, apply=align)
        seen: dict[int, np.ndarray] = {}
        for spec in guides:
            add_guide(plan, spec, seen, apply=align)
    _say_clipped(plan)
    return plan


def _open_styles(
    source: Spec | None, targets: Sequence[str] | Mapping[str, Target | str], charset: str, size: int
) -> PairPlan:
    """Sources and styles, not yet on canvases."""
    named = name_styles(targets)
    opened = _open_sources(source, named, charset)
    plan = PairPlan(list(opened.values()), [], [], [], [], size)
    for name, target in named.items():
        own = opened[_key(target.source or source)]
        style = _open_style(name, target.spec, own.coverage.present, charset)
        if target.file_name:
            told = f"{target.spec}: its style is called {name}."
            plan.diagnostics.add("note", told, "data.targets={mine: PATH} gives it a name of your own.")
        style.inputs = [StyleInput(own, own.coverage.present)]
        plan.styles.append(style)
    return plan


def _find_chars(plan: PairPlan, charset: str) -> None:
    """The characters of which there are pairs. Raises: DataError if there are none."""
    for entry in plan.sources:
        own_styles = [style for style in plan.styles if style.source.entry is entry]
        with_pairs = {char for style in own_styles for char in style.coverage.present}
        plan.chars += [char for char in entry.coverage.present if char in with_pairs]
    plan.chars = list(dict.fromkeys(plan.chars))
    if not plan.chars:
        remedy = "Choose a charset or fonts that have characters in common."
        where = ", ".join(entry.glyphs.path.name for entry in plan.sources)
        raise DataError(
            f"{where}: shares no characters with {', '.join(style.name for style in plan.styles)} within data.charset={charset}. {remedy}"
        )


def _key(spec: Spec | None) -> tuple[str, ...]:
    return (spec,) if isinstance(spec, str) else tuple(spec or ())


def _open_sources(shared: Spec | None, named: Mapping[str, Target], charset: str) -> dict[tuple[str, ...], GlyphEntry]:
    """Every source that a style is drawn from, once."""
    opened: dict[tuple[str, ...], GlyphEntry] = {}
    wanted = charsets.resolve(charset, "data.charset")
    for name, target in named.items():
        spec = target.source or shared
        if not spec:
            raise DataError(f"style {name}: has no source. Add data.source=A.ttf, or give the style its own.")
        if (key := _key(spec)) in opened:
            continue
        glyphs = open_glyphs(spec)
        coverage = glyphs.coverage(wanted)
        if not coverage.present:
            _say_unusable(say_spec(spec), coverage)
            told = f"{say_spec(spec)}: has none of the characters of data.charset={charset}."
            raise DataError(f"{told} Choose another charset or source.")
        called = f"source {glyphs.path.name}" if opened else "source"
        boxes = {char: glyphs.ink_box(char) for char in coverage.present}
        opened[key] = GlyphEntry(called, glyphs, coverage, boxes)
    return opened


def _open_style(name: str, spec: str, wanted: list[str], charset: str) -> StyleEntry:
    """A style, whose diagnostics tell if it has none of the wanted characters, the source's."""
    glyphs = open_glyphs(spec, wanted)
    coverage = glyphs.coverage(wanted)
    if not coverage.present:
        told = f"{spec}: style {name} shares no characters with the source within data.charset={charset}."
        coverage.diagnostics.add("error", told, "Choose a charset that both have, or take the style out.")
    return StyleEntry(name, glyphs, coverage, {char: glyphs.ink_box(char) for char in coverage.present})


def _choose_canvas(
    style: StyleEntry, plan: PairPlan, margin: float, known: Frame | None, trained: Collection[str], later: list[str]
) -> None:
    """Lays the style's cell on the canvas; glyphs that reach over its edge are named, and not learned from where they are few.

    Args:
        known: the canvas, where a network has it already.
        trained: characters that the source is aligned on; none to leave it where it is.
        later: characters of the source that are to be drawn, which the canvas has room for.
    """
    boxes, source = style.boxes, style.source.entry
    style.canvas = known or choose_canvas(style.glyphs, list(boxes.values()), plan.size, margin)
    if boxes and known is None and not isinstance(style.glyphs, FolderGlyphs):
        align = fit_median(*_boxes_of(style, trained)) if trained else Frame()
        made = [source.glyphs.ink_box(char) for char in source.glyphs.coverage(later).present] if later else []
        seen = [source.boxes[char] for char in boxes]
        wide = widen_canvas(
            style.canvas, list(boxes.values()), [*map(align.box, seen)], [*map(align.box, made)], plan.size, margin
        )
        if wide != style.canvas:
            told = f"{style.name}: the canvas is wider than the em, so that glyphs that reach out of it, of the style and its source, are whole"
            told = f"{told}: the em takes {wide.scale:.0f} of {plan.size} px."
            style.coverage.diagnostics.add("note", told, "A larger data.size draws them finer.")
            style.canvas = wide
    over = cut_off(style.canvas, boxes, plan.size)
    few = not is_most(len(over), len(boxes))
    what = "glyphs reach over the edge of the canvas"
    what += " that the others need, and are not learned from" if few else " and are clipped"
    remedy = "Look at them in the font; a larger data.margin would take them in."
    style.coverage.diagnostics.tell("warning", style.name, over, what, remedy, kind="clipped", of=len(boxes))
    if few:
        style.coverage.leave_out("beyond", over)
        style.boxes = {char: boxes[char] for char in style.coverage.present}


def _boxes_of(style: StyleEntry, chars: Collection[str]) -> tuple[list[Box], list[Box]]:
    """Ink of the source and of the style, each in its own cell, of characters that both have."""
    shared = [char for char in style.boxes if char in chars]
    return [style.source.entry.boxes[char] for char in shared], [style.boxes[char] for char in shared]


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
    """Brings each style's source onto it, median ink box onto median ink box, and tells how far it was."""
    # Fitted on training characters alone: what is held out must not be looked at.
    trained = set(plan.chars) - set(plan.held_out)
    for style in plan.styles:
        source = style.source
        shared = [char for char in style.boxes if char in trained]
        if not shared:
            if style.boxes:
                told = f"style {style.name}: all of its {len(style.boxes)} characters are held out."
                plan.diagnostics.add("error", told, "Give it more characters or hold out fewer.")
            continue
        boxes = [style.boxes[char] for char in shared]
        fitted = fit_median(*_boxes_of(style, shared))
        off = fitted.inverse()  # as people see it: where the style lies to the source
        offsets = zip(median_box(boxes).centre, (off.dx, off.dy), strict=True)
        x, y = ((off.scale - 1) * centre + offset for centre, offset in offsets)
        shift = max(abs(x), abs(y))
        measure = f"scale {off.scale:.3f} and a shift of its centre by {x:+.3f}, {y:+.3f} em"
        if apply:
            source.align = fitted
            far = not 0.5 < off.scale < 2 or shift > 0.3
            message = f"{style.name}: lies off the source by {measure}; the source is brought to it."
            remedy = "That is far; look whether the glyphs fill their cells as they should."
        else:
            far = not 0.9 < off.scale < 1.1 or shift > 0.05
            message = f"{style.name}: lies off the source by {measure}, and data.align=false leaves it there."
            remedy = "Use data.align=true."
        odd = "" if 0.5 <= off.scale <= 2 else "odd_size"
        plan.diagnostics.add("warning" if far else "note", message, remedy if far else "", odd)


def _say_clipped(plan: PairPlan) -> None:
    for style in plan.styles:
        frame, source = style.frame_of(style.source), style.source.entry
        boxes = {char: source.boxes[char] for char in style.coverage.present}
        over = cut_off(frame, boxes, plan.size, CUT * plan.size)
        what = f"glyphs reach over the edge of the canvas of {style.name} and are clipped"
        remedy = "Leave them out of the charset, or use a larger data.margin."
        level = "warning" if len(over) > MANY_CLIPPED * len(boxes) else "note"
        plan.diagnostics.tell(level, source.name, over, what, remedy, kind="clipped", of=len(boxes))


def name_styles(targets: Iterable[str] | Mapping[str, Target | str]) -> dict[str, Target]:
    """Style name -> its font or folder, in their order. Raises: DataError if there is none, or a name will not do."""
    if not targets:
        raise DataError("data.targets: no style is given. Name at least one font or glyph folder.")
    given = targets.items() if isinstance(targets, Mapping) else [_named_by_itself(str(spec)) for spec in targets]
    named: dict[str, Target] = {}
    for name, value in given:
        target = value if isinstance(value, Target) else Target(str(value))
        if name in named:
            remedy = f"Name them: data.targets={{one: {named[name].spec}, two: {target.spec}}}."
            raise DataError(f"data.targets: two styles are called {name}. {remedy}")
        check_style_name(str(name), "data.targets", "Name it: data.targets={mine: PATH}.")
        named[str(name)] = target
    return named


def _named_by_itself(spec: str) -> tuple[str, Target]:
    name, of_file = style_name(spec), own_name(spec)
    return name, Target(spec, file_name="" if name == of_file else of_file)
