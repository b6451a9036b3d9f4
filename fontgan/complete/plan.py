"""The plan for completing a typeface: which characters it lacks, and which it can be learned from."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from fontTools import unicodedata as scripts

from fontgan.data import charset as charsets
from fontgan.data.canvas import choose_canvas, cut_off, widen_canvas
from fontgan.data.frame import fit_median
from fontgan.data.glyphs import Diagnostics, GlyphSource, warn_of_outlying
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.pair_findings import FEW_PAIRS
from fontgan.data.refusal import is_most, tell_or_refuse
from fontgan.data.sources import Spec, open_glyphs, say_spec, style_name
from fontgan.errors import DataError, shorten

log = logging.getLogger(__name__)

ALPHABETS = frozenset({"Latin", "Greek", "Cyrillic"})  # of one construction: a style of one tells that of the others


@dataclass
class Plan:
    """A typeface to complete."""

    target: GlyphSource
    source: GlyphSource
    has: list[str]  # characters that the target has, of all
    lacking: list[str]  # characters to make: wanted, not in the target, in the source
    undrawable: list[str]  # wanted characters that the source lacks too
    learned_from: list[str]  # characters of both, of the scripts that are lacking
    style: str
    target_spec: str  # as asked for
    source_spec: Spec

    @property
    def from_images(self) -> bool:
        """Whether the target is a folder of glyph images, so that a new font is made."""
        return isinstance(self.target, FolderGlyphs)

    @property
    def identity(self) -> dict[str, str]:
        """What one completion is known by."""
        from_images = isinstance(self.source, FolderGlyphs)
        source = str(self.source.path) if from_images else self.source.fingerprint([])
        return {"target": self.target.fingerprint(self.has), "source": source}


def plan_completion(
    target: str,
    source: Spec,
    charset: str,
    *,
    learns: bool = True,
    taken: Collection[str] = (),
    allow: Collection[str] = (),
) -> Plan:
    """Looks at both and finds what is to be made.

    Args:
        target, source: as ``fontgan.data.sources.open_glyphs`` takes them.
        charset: as ``fontgan.data.charset.resolve`` takes it; ``font`` is all the source has.
        learns: whether a style is learned from the characters that they have in common.
        taken: names that the new style must not have, since a run that it is learned from has them for other styles.
        allow: kinds of ``data.refusal`` that may make most of the result useless.
    Raises: DataError if one cannot be read, nothing is lacking, or they have too little in common.
    """
    wanted = charsets.resolve(charset)
    drawn, complete = open_glyphs(target), open_glyphs(source)
    found, own = complete.coverage(wanted), drawn.coverage(None)
    warn_of_outlying(drawn.path, own, "stay as they are, but nothing is learned from them")
    warn_of_outlying(complete.path, found, "nothing is drawn from them")
    drawable, has = found.present, own.drawn
    there = set(has)
    lacking = [char for char in drawable if char not in there]
    there.update(drawable)
    undrawable = [char for char in wanted or [] if char not in there]
    if not lacking and undrawable:
        raise DataError(
            f"{say_spec(source)}: lacks all {len(undrawable)} characters that {target} lacks of charset={charset} ({shorten(undrawable)}). "
            "Choose another source."
        )
    if not lacking:
        raise DataError(f"{target}: has all characters of charset={charset} already. Choose a larger charset.")
    wanted_scripts = {script_of(char) for char in lacking}
    if wanted_scripts & ALPHABETS:
        wanted_scripts |= ALPHABETS
    learned_from = complete.coverage([char for char in own.present if script_of(char) in wanted_scripts]).present
    findings = Diagnostics(found for found in own.diagnostics if found.kind)
    if learns and len(learned_from) < FEW_PAIRS:
        told = (
            f"{target}: has {len(learned_from)} characters in common with {say_spec(source)} to learn from, of the scripts that are "
            f"lacking ({', '.join(sorted(wanted_scripts))}); {FEW_PAIRS} are needed."
        )
        level = "warning" if learned_from else "error"
        findings.add(level, told, "Draw some of them first: fontgan advise.", "few" if learned_from else "")
    if charsets.is_list(charset) and is_most(len(undrawable), len(lacking) + len(undrawable)):
        told = f"{say_spec(source)}: lacks {len(undrawable)} of the {len(lacking) + len(undrawable)} characters that {target} lacks"
        findings.add("warning", f"{told}: {shorten(undrawable)}.", "Choose another source.", "lacking")
    tell_or_refuse(findings, allow)
    return Plan(
        drawn,
        complete,
        has,
        lacking,
        undrawable,
        learned_from,
        "target" if (name := style_name(target)) in taken else name,
        target,
        source,
    )


def script_of(char: str) -> str:
    """Unicode's script, such as ``Han``; what several scripts share, such as digits, is ``Common``."""
    return str(scripts.script_name(scripts.script(char)))


def say_plan(plan: Plan, charset: str, *, learns: bool) -> None:
    source = plan.source.path.name
    log.info("%s: %d characters to make: %s", plan.target.path.name, len(plan.lacking), shorten(plan.lacking, 30))
    if learns:
        log.info("learned from the %d characters that it shares with %s", len(plan.learned_from), source)
    if plan.undrawable:
        lacks = len(plan.undrawable), charset, shorten(plan.undrawable)
        log.warning("%s lacks %d characters of charset=%s too, and they stay out: %s", source, *lacks)


def warn_of_clipped(plan: Plan, size: int, margin: float, allow: Collection[str] = ()) -> None:
    """Warns of characters that reach over the edge of the canvas that the training will choose.

    Raises: DataError if most do, and ``allow`` does not name that.
    """
    own = [plan.target.ink_box(char) for char in plan.learned_from]
    source = [plan.source.ink_box(char) for char in plan.learned_from]
    align, made = fit_median(source, own), {char: plan.source.ink_box(char) for char in plan.lacking}
    canvas = choose_canvas(plan.target, own, size, margin)
    if not plan.from_images:
        seen, later = [*map(align.box, source)], [*map(align.box, made.values())]
        canvas = widen_canvas(canvas, own, seen, later, size, margin)
    over = cut_off(align.compose(canvas), made, size)
    what, remedy = "characters reach over the edge of the canvas that the shared ones need", "Use a larger data.margin."
    found = Diagnostics()
    found.tell("warning", plan.source.path.name, over, what, remedy, kind="clipped", of=len(plan.lacking))
    tell_or_refuse(found, allow)
