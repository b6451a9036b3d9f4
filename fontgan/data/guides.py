"""Guides of a pair plan: opened, brought to every style, and without the characters that they have in another form."""

from collections.abc import Mapping

from torch import Tensor

from fontgan.data import unlike
from fontgan.data.frame import Box, Frame, fit_median
from fontgan.data.plan import GlyphEntry, PairPlan, StyleInput
from fontgan.data.sources import Spec, open_glyphs


def add_guide(plan: PairPlan, spec: Spec, seen: dict[int, Tensor], *, apply: bool) -> None:
    """Opens a guide and brings it to each style by way of the style's source, with which it shares most characters.

    ``seen``: what the encoder saw of each source, by its id; it is filled here.
    """
    glyphs = open_glyphs(spec)
    coverage = glyphs.coverage(plan.chars)
    missing = len(plan.chars) - len(coverage.present)
    guide = GlyphEntry(f"guide {glyphs.path.name}", glyphs, coverage)
    guide.boxes = {char: glyphs.ink_box(char) for char in coverage.present}
    if not coverage.present:
        told = f"{guide.name}: has none of the {len(plan.chars)} characters, and is empty."
        plan.diagnostics.add("warning", told, "Take it out of data.guides, unless a run that it starts from has it.")
    elif missing:
        told = f"{guide.name}: lacks {missing} of {len(plan.chars)} characters, and is empty there."
        plan.diagnostics.add("note", told)
    plan.diagnostics += [finding for finding in coverage.diagnostics if finding.level != "note"]
    plan.guides.append(guide)
    for source in plan.sources:
        align = align_guide(guide.boxes, source.boxes) if apply else Frame()
        shared = [char for char in coverage.present if char in source.boxes]
        if id(source) not in seen:
            seen[id(source)] = unlike.encode(unlike.draw_small(source.glyphs, source.coverage.present))
        places = {char: place for place, char in enumerate(source.coverage.present)}
        encoded = unlike.encode(unlike.draw_small(glyphs, shared, align))
        apart = unlike.distances(seen[id(source)][[places[char] for char in shared]], encoded)
        limit = unlike.limit_of(apart)
        other = {char for char, distance in zip(shared, apart.tolist(), strict=True) if distance > limit}
        what = f"characters look other than in {source.glyphs.path.name} (another region's form?), and are left out"
        plan.diagnostics.tell("note", guide.name, sorted(other), what)
        given = [char for char in shared if char not in other]
        for style in plan.styles:
            if style.source.entry is source:
                style.inputs.append(StyleInput(guide, given, align.compose(style.source.align), limit))


def align_guide(guide: Mapping[str, Box], source: Mapping[str, Box]) -> Frame:
    """A guide's own cell -> the source's, fitted on the characters that both have; the same cell if there are none."""
    shared = [char for char in guide if char in source]
    return fit_median([guide[char] for char in shared], [source[char] for char in shared]) if shared else Frame()
