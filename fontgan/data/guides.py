"""Guides of a pair plan: opened, brought to every style, and without the characters that they have in another form."""

from collections.abc import Mapping, Sequence

import numpy as np

from fontgan.data import unlike
from fontgan.data.frame import Box, Frame, fit_median
from fontgan.data.glyphs import GlyphSource
from fontgan.data.plan import GlyphEntry, PairPlan, StyleEntry, StyleInput
from fontgan.data.source_list import SourceList
from fontgan.data.sources import Spec, open_glyphs
from fontgan.runtime.subsample import subsample_evenly

IDENTITY_CHECKED_ON = 30  # characters, to tell whether a guide is the style itself
SAME = 0.05  # of the ink of a glyph: another rendering of the same outline differs by less
NOTHING_IS_LIKE = -1.0  # a limit of distances that leaves a guide empty
COMPARED_ON = 300  # characters, at most, to tell which of a guide's fonts is most like a source
MANY = 0.1  # share of the characters; a guide that lacks no more is a note
BEHIND = "Name another font behind it, as data.guides=[[A.ttf,B.ttf]] does; fontgan shelf lists those of other regions."


def add_guide(plan: PairPlan, spec: Spec, seen: dict[int, np.ndarray], *, apply: bool) -> None:
    """Opens a guide and brings it to each style by way of the style's source, with which it shares most characters.

    Of a guide that is several fonts, each source prefers the one that has most characters most like it.

    ``seen``: what the encoder saw of each source, by its id; it is filled here.
    """
    glyphs = open_glyphs(spec, plan.chars)
    coverage = glyphs.coverage(plan.chars)
    missing = len(plan.chars) - len(coverage.present)
    guide = GlyphEntry(f"guide {glyphs.path.name}", glyphs, coverage)
    guide.boxes = {char: glyphs.ink_box(char) for char in coverage.present}
    if not coverage.present:
        told = f"{guide.name}: has none of the {len(plan.chars)} characters, and is empty."
        plan.diagnostics.add("warning", told, f"{BEHIND} Or take it out, unless a run that this starts from has it.")
    elif missing:
        told = f"{guide.name}: lacks {missing} of {len(plan.chars)} characters, and is empty there."
        plan.diagnostics.add("warning" if missing > MANY * len(plan.chars) else "note", told, BEHIND)
    plan.diagnostics += [finding for finding in coverage.diagnostics if finding.level != "note"]
    plan.guides.append(guide)
    for source in plan.sources:
        align = align_guide(guide.boxes, source.boxes) if apply else Frame()
        shared = [char for char in coverage.present if char in source.boxes]
        if id(source) not in seen:
            seen[id(source)] = unlike.encode(unlike.draw_small(source.glyphs, source.coverage.present))
        places = {char: place for place, char in enumerate(source.coverage.present)}
        of_source = seen[id(source)][[places[char] for char in shared]]
        preferred = preferred_font(glyphs, shared, of_source, align)
        apart = distances_to(glyphs, preferred, shared, of_source, align)
        limit = unlike.limit_of(apart[np.isfinite(apart)])
        chosen, apart = choose_fonts(glyphs, shared, of_source, align, preferred, apart, limit)
        other = {char for char, distance in zip(shared, apart.tolist(), strict=True) if distance > limit}
        what = f"characters look other than in {source.glyphs.path.name} (another region's form?), and are left out"
        plan.diagnostics.tell("note", guide.name, sorted(other), what)
        given = [char for char in shared if char not in other]
        entry = guide if chosen is glyphs else GlyphEntry(guide.name, chosen, coverage, guide.boxes)
        for style in plan.styles:
            if style.source.entry is not source:
                continue
            if is_same_font(guide, style):
                told = f"{guide.name}: draws as {style.name} itself does, and is empty for it."
                plan.diagnostics.add("note", told, "Else there would be nothing to learn.")
                style.inputs.append(
                    StyleInput(entry, [], align.compose(style.source.align), NOTHING_IS_LIKE, preferred)
                )
            else:
                style.inputs.append(StyleInput(entry, given, align.compose(style.source.align), limit, preferred))


def is_same_font(guide: GlyphEntry, style: StyleEntry) -> bool:
    """Whether a guide holds the very glyphs of a style, whatever the size and place that it has them at."""
    shared = subsample_evenly([char for char in style.boxes if char in guide.boxes], IDENTITY_CHECKED_ON)
    if not shared:
        return False
    onto = align_guide({char: guide.boxes[char] for char in shared}, {char: style.boxes[char] for char in shared})
    drawn = 255.0 - unlike.draw_small(guide.glyphs, shared, onto)
    true = 255.0 - unlike.draw_small(style.glyphs, shared)
    apart = np.abs(drawn - true).sum((1, 2)) / np.maximum(1, true.sum((1, 2)))
    return bool(np.median(apart) < SAME)


def preferred_font(glyphs: GlyphSource, chars: Sequence[str], seen: np.ndarray, frame: Frame) -> int:
    """Number of the font of a guide that most often is the one most like the source; the arguments are ``distances_to``'s."""
    if not isinstance(glyphs, SourceList) or not chars:
        return 0
    places = subsample_evenly(range(len(chars)), COMPARED_ON)
    some = [chars[place] for place in places]
    apart = [distances_to(glyphs, number, some, seen[places], frame) for number in range(len(glyphs.parts))]
    return int(np.bincount(np.argmin(apart, axis=0)).argmax())


def distances_to(
    glyphs: GlyphSource,
    number: int,
    chars: Sequence[str],
    seen: np.ndarray,
    frame: Frame,
    encode: unlike.Encode = unlike.encode,
) -> np.ndarray:
    """How far the glyphs of one font of a guide lie from the source's, (N,); infinitely where it lacks the character.

    Args:
        number: of the font, 0 if the guide is a single one.
        chars: N that the guide has.
        seen: what ``unlike.encode`` gave of the source's glyphs of ``chars``.
        frame: the guide's own cell -> the source's.
        encode: what gave ``seen``.
    """
    there = set(chars)
    if isinstance(glyphs, SourceList):
        there = set(glyphs.parts[number].coverage(list(chars)).present)
        glyphs = glyphs.choosing(dict.fromkeys(there, number))
    places = [place for place, char in enumerate(chars) if char in there]
    small = unlike.draw_small(glyphs, [chars[place] for place in places], frame)
    apart = np.full(len(chars), np.inf)
    apart[places] = unlike.distances(seen[places], encode(small))
    return apart


def choose_fonts(
    glyphs: GlyphSource,
    chars: Sequence[str],
    seen: np.ndarray,
    frame: Frame,
    preferred: int,
    apart: np.ndarray,
    limit: float,
    encode: unlike.Encode = unlike.encode,
) -> tuple[GlyphSource, np.ndarray]:
    """A guide with each character from one of its fonts: the preferred one, that of the source's region, unless it lacks
    the character or has it in another form than the source; then the one that has it most like the source.

    Args:
        glyphs, chars, seen, frame, encode: as in ``distances_to``.
        apart: what that gave of the preferred font.
        limit: the distance beyond which a form is another one.
    Returns: the guide to draw ``chars`` from, and how far each of them lies from the source's, (N,).
    """
    if not isinstance(glyphs, SourceList):
        return glyphs, apart
    part_of, apart = dict.fromkeys(chars, preferred), apart.copy()
    if places := np.flatnonzero(apart > limit).tolist():
        doubtful = [chars[place] for place in places]
        of_each = [
            distances_to(glyphs, number, doubtful, seen[places], frame, encode) for number in range(len(glyphs.parts))
        ]
        apart[places] = np.min(of_each, axis=0)
        part_of |= dict(zip(doubtful, np.argmin(of_each, axis=0).tolist(), strict=True))
    return glyphs.choosing(part_of), apart


def align_guide(guide: Mapping[str, Box], source: Mapping[str, Box]) -> Frame:
    """A guide's own cell -> the source's, fitted on the characters that both have; the same cell if there are none."""
    shared = [char for char in guide if char in source]
    return fit_median([guide[char] for char in shared], [source[char] for char in shared]) if shared else Frame()
