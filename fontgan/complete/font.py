"""The font file of a completed typeface, and its page."""

import logging
from collections.abc import Collection
from pathlib import Path

from fontgan import __version__
from fontgan.complete.plan import Plan
from fontgan.complete.work import Work, say_stage
from fontgan.data.charset import visible
from fontgan.errors import ConfigError, DataError, shorten
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.fontfile.create import create_font
from fontgan.fontfile.credits import Credits
from fontgan.fontfile.extend import extend_font
from fontgan.fontfile.formats import check_count, convert
from fontgan.fontfile.ink import with_ink
from fontgan.fontfile.licence import check_licence
from fontgan.fontfile.names import check_lengths, check_name, style_of
from fontgan.fontfile.target import check_limits, check_out, open_target
from fontgan.fontfile.ufo import read_ufo
from fontgan.generate.inference import Run
from fontgan.report.proof import write_proof
from fontgan.runtime.files import atomic_write

log = logging.getLogger(__name__)


def guard_target(
    plan: Plan,
    font: Path,
    formats: Collection[str],
    *,
    confirm_ownership: bool,
    family: str | None,
    credits: Credits,
) -> None:
    """Licence, names, limits and flavour of the target, before hours are spent.  Raises: UserError."""
    check_name("family", family)
    if plan.from_images:
        credits.check(None, confirm_ownership=False)
        if confirm_ownership:
            raise ConfigError(
                "confirm_ownership: is about a font that is the target, and it is a folder. Leave it out."
            )
        check_out(font, outlines=None, overwrite=True)
        check_limits(None, [*plan.has, *plan.lacking])
        check_count(formats, len(plan.has) + len(plan.lacking))
        check_lengths(family or plan.target.path.resolve().stem, "Regular")
        return
    target = open_target(plan.target_spec)
    check_out(font, outlines=target.outlines, overwrite=True)
    check_limits(target, plan.lacking)
    check_count(formats, target.glyphs.glyph_count + len(plan.lacking))
    credits.check(target.font, confirm_ownership=confirm_ownership)
    if family:
        check_lengths(family, style_of(target.font))
    where = target.glyphs.path.name
    said = check_licence(target.font, confirm_ownership=confirm_ownership, family=family, where=where)
    for line in [*said, target.changes_first]:
        if line:
            log.info("%s", line)


def left_out_chars(work: Work, checks: list[CheckedGlyph], *, drop_doubtful: bool) -> set[str]:
    """Those of ``reject.txt``, and the flagged ones if they are to be dropped."""
    left_out = {one.char for one in checks if one.flags and drop_doubtful}
    if work.reject.is_file():
        try:
            left_out |= set(visible(work.reject.read_text(encoding="utf-8-sig")))
        except UnicodeDecodeError as error:
            raise DataError(f"{work.reject}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    return left_out


def build(
    plan: Plan,
    work: Work,
    checks: list[CheckedGlyph],
    redrawn: set[str],
    *,
    run: Run,
    drop_doubtful: bool,
    family: str | None,
    credits: Credits,
    tolerance: float,
) -> list[str]:
    """Builds the font of the outlines as they lie in the work folder.  Returns: the characters that went in."""
    say_stage(5, f"building {work.font}")
    ufo = read_ufo(work.outlines)
    ufo.say_left_out(work.outlines)
    wanted = set(plan.lacking) - (left_out_chars(work, checks, drop_doubtful=drop_doubtful) - redrawn)
    target = None if plan.from_images else open_target(plan.target_spec)
    em = target.glyphs.units_per_em if target else ufo.units_per_em
    glyphs = with_ink([glyph for glyph in ufo.glyphs_at(em) if glyph.char in wanted], str(work.outlines))
    if not glyphs:
        raise DataError(
            f"{work.folder}: no glyph is left to go into the font. Look at outlines.ufo and reject.txt, or use doubtful=keep."
        )
    made = work.folder / f"font{work.font.suffix}"
    note = note_of(work, run, len(glyphs), sum(glyph.char in redrawn for glyph in glyphs))
    if target:
        extend_font(target, glyphs, made, family=family, credits=credits, note=note, tolerance=tolerance)
    else:
        own = with_ink(read_ufo(work.own_outlines).glyphs_at(em), str(work.own_outlines))
        create_font(
            [*own, *glyphs], made, family=family or plan.target.path.resolve().stem,
            credits=credits, note=note, units_per_em=em, baseline=ufo.baseline, tolerance=tolerance,
        )  # fmt: skip
    work.place("out", made, work.font)
    return [glyph.char for glyph in glyphs]


def note_of(work: Work, run: Run, count: int, redrawn: int) -> str:
    """What the name table says of the glyphs that were added, ``redrawn`` of them drawn by hand."""
    folder = run.checkpoint.folder.resolve().parent.parent
    name = f"{work.folder.name}/run" if folder == work.run.resolve() else folder.name
    by_hand = f", and {redrawn} drawn anew by hand were traced" if redrawn else ""
    step = run.checkpoint.step
    return f"{count - redrawn} glyphs were generated by fontgan {__version__}, run {name} at step {step}{by_hand}."


def prove(plan: Plan, work: Work) -> None:
    made = work.folder / "proof.html"
    write_proof(work.font, made, target=plan.target_spec, source=plan.source_spec, checks=work.checks)
    work.place("proof", made, work.proof)


def write_formats(work: Work) -> None:
    """Writes the font as it lies there in each further format.  Raises: DataError, RunError as ``convert``."""
    for key, file in work.formats.items():
        made = work.folder / f"font.{key}"
        atomic_write(made, convert(work.font.read_bytes(), key))
        work.place(key, made, file)
        log.info("%s: the same font as %s", file, key)


def say_result(work: Work, checks: list[CheckedGlyph], added: list[str], redrawn: set[str]) -> None:
    by_hand = len(redrawn & set(added))
    made = set(added) - redrawn
    doubtful = sorted((one for one in checks if one.flags and one.char in made), key=lambda one: -one.doubt)
    own = f", {by_hand} of them your own drawings" if by_hand else ""
    log.info("%s: %d glyphs were added%s", work.font, len(added), own)
    if doubtful:
        worst = shorten([one.char for one in doubtful], 30)
        log.info("%d of them are doubtful, the worst first: %s", len(doubtful), worst)
    log.info("look at %s; reject.txt and redraw/ in the work folder change what goes in", work.proof)
