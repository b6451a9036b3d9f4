"""What else a pair plan is warned of: few pairs, characters outside the charset, glyphs that look alike."""

import hashlib
from collections.abc import Sequence

from fontgan.data import charset as charsets
from fontgan.data.frame import fit_canvas
from fontgan.data.glyphs import PAPER, Diagnostics
from fontgan.data.plan import PairPlan
from fontgan.data.refusal import is_most
from fontgan.errors import shorten

FEW_PAIRS = 10  # fewer are not trained on
MORE_PAIRS = 50  # fewer are trained on with a warning
PLENTY_OF_PAIRS = 1000


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
        outside = style.source.entry.glyphs.coverage(sorted(set(everything) - set(within or []))).present
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
