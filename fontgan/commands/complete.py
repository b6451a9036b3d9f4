"""fontgan complete: draw the characters that a typeface lacks, and build the font."""

from __future__ import annotations

import hashlib
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig, OmegaConf

from fontgan.build import compose_config
from fontgan.completion import FEWEST as FEWEST_LEARNED
from fontgan.completion import Plan, Work, clipped_on, key_of, learn_as_before, open_work, plan_completion
from fontgan.data.charset import visible
from fontgan.data.folder import FolderGlyphs, image_files, name_from_char, read_grey, resample
from fontgan.data.frame import Frame
from fontgan.data.render import FontGlyphs
from fontgan.errors import ConfigError, DataError, RunError, some
from fontgan.files import locked, user_path, write_whole
from fontgan.fontfile.checks import CheckedGlyph, read_checks, write_checks
from fontgan.spread import spread_evenly

if TYPE_CHECKING:
    from fontgan.fontfile.metrics import Layout
    from fontgan.fontfile.outline import DrawnGlyph
    from fontgan.fontfile.ufo import UfoFont
    from fontgan.fontfile.vectorize import Vectorized
    from fontgan.inference import Run, Style

log = logging.getLogger(__name__)

STAGES = 5
GATE_GLYPHS = 240  # true glyphs that the structure gate is fitted on, at most
GATE_SEED = 1
AT_ONCE = 256  # glyphs checked together


@dataclass(frozen=True)
class Places:
    """The files asked for and the folder to work in."""

    font: Path
    proof: Path
    work: Path


def main(cfg: DictConfig) -> int:
    """Does what is not done yet, stage by stage.

    Returns: 0; or what the training returned where it was stopped, and the same command goes on.
    """
    places = check_settings(cfg)
    fewest = FEWEST_LEARNED if cfg.run is None else 0
    plan = plan_completion(cfg.target, cfg.source, cfg.charset, fewest=fewest)
    work = open_work(places.work, identity_of(plan, cfg))
    if cfg.run is None:
        learn_as_before(plan, work)
    say_plan(plan, cfg)
    for key, file in (("out", places.font), ("proof", places.proof)):
        refuse_strange(key, file, work)
    guard_target(plan, cfg, places.font)
    opened = open_run(cfg, plan, work) if cfg.run is not None else None
    if opened is None:
        check_training(cfg)
    work.folder.mkdir(parents=True, exist_ok=True)
    with locked(work.folder, "another fontgan complete"):
        work.save()
        if opened is None:
            code = train(cfg, plan, work)
            if code is not None:
                return code
        run, style = opened or open_run(cfg, plan, work)
        drawn_as = draw(cfg, plan, work, run, style)
        checks = check(cfg, plan, work, run, style, drawn_as)
        redrawn = outline(cfg, plan, work, checks, drawn_as)
        added = build(cfg, plan, work, places, checks, redrawn)
        prove(cfg, work, places)
    say_result(places, checks, added, redrawn)
    return 0


# -- before anything is done ----------------------------------------------------------------


def check_settings(cfg: DictConfig) -> Places:
    """What is quick to refuse.  Returns: where things go.  Raises: ConfigError or RunError."""
    from fontgan.fontfile.names import check_name
    from fontgan.fontfile.target import check_writable
    from fontgan.fontfile.vectorize import check_tracing
    from fontgan.metrics.recognition import find_recogniser

    if cfg.doubtful not in ("keep", "drop"):
        raise ConfigError(f"doubtful={cfg.doubtful}: choose one of keep, drop.")
    check_tracing(cfg.tolerance, cfg.speck, None)
    find_recogniser(cfg.recogniser)
    font = user_path(cfg.out)
    if font.suffix.lower() not in (".ttf", ".otf"):
        raise ConfigError(f"out={cfg.out}: a font file ends in .ttf or .otf. Name it so.")
    proof = user_path(cfg.proof) if cfg.proof is not None else font.with_suffix(".proof.html")
    if proof.suffix.lower() != ".html":
        raise ConfigError(f"proof={cfg.proof}: the page is HTML. Name a file that ends in .html.")
    for key, file in (("out", font), ("proof", proof)):
        if file.is_dir():
            raise ConfigError(f"{key}={file}: is a folder. Name a file.")
        if not file.absolute().parent.is_dir():
            raise ConfigError(f"{key}={file}: its folder does not exist. Make it, or name another file.")
        check_writable(file, key)
    check_name("family", cfg.family)
    work = user_path(cfg.work) if cfg.work is not None else font.with_name(f"{font.stem}-work")
    if font.exists() and user_path(str(cfg.target)).exists() and font.samefile(user_path(cfg.target)):
        raise ConfigError(f"out={font}: is the target itself, which stays as it is. Name another file.")
    check_writable(work, "work")
    return Places(font, proof, work)


def say_plan(plan: Plan, cfg: DictConfig) -> None:
    log.info("%s: %d characters to make: %s", plan.target.path.name, len(plan.lacking), some(plan.lacking, 30))
    if cfg.run is None:
        log.info("learned from the %d characters that it shares with %s", len(plan.learned_from), plan.source.path.name)
    if plan.undrawable:
        log.warning(
            "%s lacks %d characters of charset=%s too, and they stay out: %s",
            plan.source.path.name, len(plan.undrawable), cfg.charset, some(plan.undrawable),
        )  # fmt: skip
    over = clipped_on(plan, cfg.data.size, cfg.data.margin) if cfg.run is None and cfg.init_from is None else []
    if over:
        log.warning(
            "%d characters reach over the edge of the canvas that the shared ones need: %s. Use a larger data.margin if "
            "they come out clipped.", len(over), some(over),
        )  # fmt: skip


def identity_of(plan: Plan, cfg: DictConfig) -> dict[str, str]:
    """What one completion is known by."""
    return {
        "target": plan.target.fingerprint(plan.has),
        "source": plan.source.fingerprint([]) if not isinstance(plan.source, FolderGlyphs) else str(plan.source.path),
        "run": str(cfg.run),
    }


def refuse_strange(key: str, file: Path, work: Work) -> None:
    """Raises: ConfigError if a file is there that this completion did not write."""
    if file.is_file() and _sha256(file) not in work.facts.get("wrote", {}).get(key, []):
        raise ConfigError(
            f"{key}={file}: is there already, and not from this work. Name another file, or take it away."
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def guard_target(plan: Plan, cfg: DictConfig, font: Path) -> None:
    """Licence, limits and flavour of the target, before hours are spent.  Raises: UserError."""
    from fontgan.fontfile.licence import check_licence
    from fontgan.fontfile.target import check_limits, check_out, open_target

    if plan.from_images:
        if cfg.confirm_ownership:
            raise ConfigError(
                "confirm_ownership: is about a font that is the target, and it is a folder. Leave it out."
            )
        check_out(font, outlines=None, overwrite=True)
        check_limits(None, [*plan.has, *plan.lacking])
        return
    target = open_target(cfg.target)
    check_out(font, outlines=target.outlines, overwrite=True)
    check_limits(target, plan.lacking)
    for line in check_licence(
        target.font, confirm_ownership=cfg.confirm_ownership, family=cfg.family, where=target.glyphs.path.name
    ):
        log.info("%s", line)
    if target.changes_first:
        log.info("%s", target.changes_first)


# -- training -------------------------------------------------------------------------------


def training_config(cfg: DictConfig, plan: Plan, out: Path) -> DictConfig:
    """What ``fontgan train`` is to do."""
    training = compose_config("train", ["experiment=complete"])
    for key in ("generator", "discriminator", "loss", "optim", "trainer", "data", "init_from", "name"):
        OmegaConf.update(training, key, cfg[key], merge=False)
    training.data.source = str(cfg.source)
    training.data.targets = {plan.style: str(cfg.target)}
    training.data.charset = "".join(plan.learned_from)
    training.out = str(out)
    return training


def check_training(cfg: DictConfig) -> None:
    """Raises: ConfigError for settings of the training that are out of range."""
    from fontgan.commands.train import check_trainer

    check_trainer(cfg)


def train(cfg: DictConfig, plan: Plan, work: Work) -> int | None:
    """Trains, or goes on.  Returns: None when it is finished, else the exit code."""
    from fontgan.commands import train as training
    from fontgan.training.checkpoint import all_checkpoints

    _say_stage(1, f"training in {work.run}")
    config = training_config(cfg, plan, work.run)
    code = training.main(config)
    there = all_checkpoints(work.run)
    if code == 0 and there and training.is_finished(config, there[-1]):
        return None
    log.info("the same fontgan complete command goes on from there")
    return code


def open_run(cfg: DictConfig, plan: Plan, work: Work) -> tuple[Run, Style]:
    """The trained run and the style to draw in.  Raises: UserError."""
    from fontgan.commands.infer import choose_styles
    from fontgan.inference import load

    run = load(cfg.run if cfg.run is not None else work.run, device=cfg.trainer.device, precision=cfg.trainer.precision)
    if cfg.run is None:
        return run, plan.style
    if cfg.style == "all":
        raise ConfigError(f"style=all: a font has one style. Choose one of {', '.join(run.styles)}.")
    style, _ = choose_styles(run, cfg.style, work.glyphs)[0]
    run.style_align(style)
    return run, style


# -- drawing and checking -------------------------------------------------------------------


def draw(cfg: DictConfig, plan: Plan, work: Work, run: Run, style: Style) -> str:
    """Draws what is lacking, but for what is drawn already.  Returns: a key of how it was drawn."""
    from fontgan.commands.infer import main as infer

    _say_stage(2, f"drawing {len(plan.lacking)} glyphs in {work.glyphs}")
    key = key_of(run.weights_hash, style, run.source_spec, work.facts["identity"])
    if work.facts["stages"].get("draw") != key:
        if work.glyphs.exists():
            log.info("%s: is of other weights or another style and is made anew", work.glyphs)
            shutil.rmtree(work.glyphs)
        work.done("draw", key)  # from here on what lies there is of this key
    todo = [char for char in plan.lacking if not (work.glyphs / f"{name_from_char(char)}.png").is_file()]
    if todo:
        asked = compose_config("infer", ["checkpoint=RUN", "out=DIR"])
        asked.checkpoint, asked.out = str(cfg.run or work.run), str(work.glyphs)
        asked.font, asked.charset = str(cfg.source), "".join(plan.lacking)
        asked.style = style if isinstance(style, str) else dict(style)
        asked.device, asked.precision = cfg.trainer.device, cfg.trainer.precision
        code = infer(asked)
        if code:
            raise RunError(f"{work.glyphs}: not all glyphs could be drawn. See above; the same command goes on.")
    return key


def check(cfg: DictConfig, plan: Plan, work: Work, run: Run, style: Style, drawn_as: str) -> list[CheckedGlyph]:
    """Checks every made glyph and writes ``checks.json``.  Returns: what it holds."""
    from fontgan.metrics.checks import check_glyphs
    from fontgan.metrics.recognition import find_recogniser
    from fontgan.metrics.structure import FEWEST, fit_gate

    _say_stage(3, "checking every glyph")
    reader = find_recogniser(cfg.recogniser)
    key = key_of(drawn_as, plan.lacking, plan.learned_from, reader.name if reader else None)
    if work.is_done("check", key, work.checks):
        return list(read_checks(work.checks).values())
    canvas = Frame.from_dict(run.manifest["cell_to_canvas"])
    aligned = run.style_align(style).then(canvas)
    learned = spread_evenly(plan.learned_from, GATE_GLYPHS)
    gate = None
    if len(learned) >= FEWEST:
        true = np.stack([plan.target.draw(char, aligned, run.size) for char in learned])
        gate = fit_gate(run.source_pixels(plan.source, learned), true, seed=GATE_SEED)
        log.info(
            "the check of strokes flags %.0f %% of the target's own glyphs, and %.0f %% of those with a component lost",
            100 * gate.calibration.right_flagged, 100 * gate.calibration.missing_caught,
        )  # fmt: skip
    found: list[CheckedGlyph] = []
    move = canvas.inverse().then(aligned)
    for start in range(0, len(plan.lacking), AT_ONCE):
        chars = plan.lacking[start : start + AT_ONCE]
        images = (read_grey(work.glyphs / f"{name_from_char(char)}.png")[0] for char in chars)
        drawn = np.stack([resample(image, move, run.size) for image in images])
        found += check_glyphs(chars, run.source_pixels(plan.source, chars), drawn, gate=gate, reader=reader)
    write_checks(
        work.checks,
        found,
        recogniser=reader.name if reader else None,
        structure=None if gate is None else vars(gate.calibration),
    )
    work.done("check", key)
    return found


# -- outlines, font, page -------------------------------------------------------------------


def outline(cfg: DictConfig, plan: Plan, work: Work, checks: list[CheckedGlyph], drawn_as: str) -> set[str]:
    """Traces every image that is new or has changed into the UFO; all else there stays, as edited since.

    Returns: the characters that the user drew anew.
    """
    from fontgan.fontfile.metrics import drawn_baseline
    from fontgan.fontfile.ufo import read_ufo, write_ufo

    layout = layout_of(plan, work)
    em, baseline, family = layout.units_per_em, layout.baseline, cfg.family or plan.target.path.resolve().stem
    redrawn = redrawn_chars(work, plan.lacking)
    blank = {one.char for one in checks if "blank" in one.flags}
    how = key_of(drawn_as, cfg.tolerance, cfg.speck)
    files = {char: work.glyphs / f"{name_from_char(char)}.png" for char in plan.lacking if char not in blank} | redrawn
    images = {char: key_of(how, char in redrawn, _sha256(file)) for char, file in files.items()}
    there = work.facts.get("traced", {}) if work.outlines.is_dir() else {}
    todo = [char for char, key in images.items() if there.get(char) != key]
    _say_stage(4, f"tracing {len(todo)} outlines")
    if todo:
        kept = read_ufo(work.outlines) if there else None
        glyphs = {glyph.char: glyph for glyph in scaled_to(kept, em)} if kept else {}
        redraw_baseline = drawn_baseline(work.redraw)
        own_cells = replace(layout, baseline=baseline if redraw_baseline is None else redraw_baseline * em)
        for folder, cells, chars in (
            (work.glyphs, layout, [char for char in todo if char not in redrawn]),
            (work.redraw, own_cells, [char for char in todo if char in redrawn]),
        ):
            if chars:
                for char in chars:
                    glyphs.pop(char, None)
                found = trace_images(cfg, folder, cells, chars)
                glyphs |= {glyph.char: glyph for glyph in found.glyphs}
                images = {char: key for char, key in images.items() if char not in found.unreadable}  # tried again
        write_ufo(work.outlines, list(glyphs.values()), units_per_em=em, baseline=baseline, family=family)
        work.facts["traced"] = there | images
        work.save()
    if plan.from_images and not work.is_done("own", how, work.own_outlines):
        own = trace_images(cfg, plan.target.path, layout, plan.has)
        write_ufo(work.own_outlines, own.glyphs, units_per_em=em, baseline=baseline, family=family)
        work.done("own", how)
    return set(redrawn)


def layout_of(plan: Plan, work: Work) -> Layout:
    """Where the made glyphs lie in font units."""
    from fontgan.fontfile.metrics import choose_layout

    target = plan.target if isinstance(plan.target, FontGlyphs) else None
    source = plan.source if isinstance(plan.source, FontGlyphs) else None
    # Glyphs drawn after a folder lie in that folder's own cells, whatever manifest stands beside them.
    return choose_layout(work.glyphs if target else plan.target.path, target=target, source=source)


def trace_images(cfg: DictConfig, folder: Path, layout: Layout, chars: list[str]) -> Vectorized:
    """The outlines of images; none of them is an error here, as where every redrawn one is a speck."""
    from fontgan.fontfile.vectorize import vectorize_folder

    return vectorize_folder(
        folder, chars=chars, layout=layout, tolerance=cfg.tolerance, speck=cfg.speck, none_is_error=False
    )


def scaled_to(ufo: UfoFont, em: int) -> list[DrawnGlyph]:
    """Its glyphs in units of another em."""
    from fontgan.fontfile.metrics import scaled_glyphs

    return ufo.glyphs if em == ufo.units_per_em else scaled_glyphs(ufo.glyphs, em / ufo.units_per_em)


def redrawn_chars(work: Work, lacking: list[str]) -> dict[str, Path]:
    """The user's own drawings of characters that are lacking."""
    if not work.redraw.is_dir() or not image_files(work.redraw):
        return {}
    drawings = FolderGlyphs(work.redraw)
    survey = drawings.survey(None)
    for finding in survey.findings:
        log.log(logging.WARNING if finding.level != "note" else logging.INFO, "%s", finding)
    wanted = set(lacking)
    strange = [char for char in survey.present if char not in wanted]
    if strange:
        log.warning(
            "%s: %d drawings are of no character that is made here: %s", work.redraw, len(strange), some(strange)
        )
    present = set(survey.present)
    return {char: drawings.files[char] for char in lacking if char in present}


def left_out_chars(cfg: DictConfig, work: Work, checks: list[CheckedGlyph]) -> set[str]:
    """Those of ``reject.txt``, and with ``doubtful=drop`` the flagged ones."""
    left_out: set[str] = set()
    if work.reject.is_file():
        try:
            left_out |= set(visible(work.reject.read_text(encoding="utf-8-sig")))
        except UnicodeDecodeError as error:
            raise DataError(f"{work.reject}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    if cfg.doubtful == "drop":
        left_out |= {one.char for one in checks if one.flags}
    return left_out


def build(
    cfg: DictConfig, plan: Plan, work: Work, places: Places, checks: list[CheckedGlyph], redrawn: set[str]
) -> list[str]:
    """Builds the font of the outlines as they lie in the work folder.  Returns: the characters that went in."""
    from fontgan.fontfile.create import create_font
    from fontgan.fontfile.extend import extend_font
    from fontgan.fontfile.target import open_target
    from fontgan.fontfile.ufo import read_ufo

    _say_stage(5, f"building {places.font}")
    ufo = read_ufo(work.outlines)
    wanted = set(plan.lacking) - (left_out_chars(cfg, work, checks) - redrawn)
    target = None if plan.from_images else open_target(cfg.target)
    em = target.glyphs.units_per_em if target else ufo.units_per_em
    glyphs = [glyph for glyph in scaled_to(ufo, em) if glyph.char in wanted]
    if not glyphs:
        raise DataError(
            f"{work.folder}: no glyph is left to go into the font. Look at outlines.ufo and reject.txt, or use doubtful=keep."
        )
    made = work.folder / f"font{places.font.suffix}"
    by_hand = sum(glyph.char in redrawn for glyph in glyphs)
    note = note_of(cfg, work, len(glyphs) - by_hand, by_hand)
    if target:
        built = extend_font(
            target, glyphs, made, family=cfg.family, note=note, tolerance=cfg.tolerance
        )  # fmt: skip
    else:
        own = scaled_to(read_ufo(work.own_outlines), em)
        built = create_font(
            [*own, *glyphs], made, family=cfg.family or plan.target.path.resolve().stem, note=note,
            units_per_em=em, baseline=ufo.baseline, tolerance=cfg.tolerance,
        )  # fmt: skip
    for warning in built.warnings:
        log.warning("%s", warning)
    if built.verified:
        log.info("%s", built.verified)
    place(work, "out", made, places.font)
    return [glyph.char for glyph in glyphs]


def note_of(cfg: DictConfig, work: Work, made: int, redrawn: int) -> str:
    """What the name table says of the glyphs that were not drawn by hand."""
    from fontgan import __version__
    from fontgan.training.checkpoint import find

    checkpoint = find(user_path(cfg.run) if cfg.run is not None else work.run, "best")
    run = checkpoint.folder.resolve().parent.parent.name if cfg.run is not None else f"{work.folder.name}/run"
    by_hand = f", and {redrawn} drawn anew by hand were traced" if redrawn else ""
    return f"{made} glyphs were generated by fontgan {__version__}, run {run} at step {checkpoint.step}{by_hand}."


def prove(cfg: DictConfig, work: Work, places: Places) -> None:
    from fontgan.report.proof import write_proof

    made = work.folder / "proof.html"
    write_proof(places.font, made, target=cfg.target, source=cfg.source, checks=work.checks)
    place(work, "proof", made, places.proof)


def place(work: Work, key: str, made: Path, file: Path) -> None:
    """Moves a finished file to where it was asked for, and remembers it as this completion's own.

    It is remembered first, beside the one that it replaces: whenever this is stopped, the file there is known.
    """
    there = [_sha256(file)] if file.is_file() else []
    work.facts.setdefault("wrote", {})[key] = [*there, _sha256(made)]
    work.save()
    write_whole(file, made.read_bytes())
    made.unlink()


def say_result(places: Places, checks: list[CheckedGlyph], added: list[str], redrawn: set[str]) -> None:
    by_hand = redrawn & set(added)
    made = set(added) - redrawn
    doubtful = sorted((one for one in checks if one.flags and one.char in made), key=lambda one: -one.doubt)
    log.info(
        "%s: %d glyphs were added%s",
        places.font,
        len(added),
        f", {len(by_hand)} of them your own drawings" if by_hand else "",
    )
    if doubtful:
        log.info(
            "%d of them are doubtful, the worst first: %s", len(doubtful), some([one.char for one in doubtful], 30)
        )
    log.info("look at %s; reject.txt and redraw/ in the work folder change what goes in", places.proof)


def _say_stage(number: int, what: str) -> None:
    log.info("%d of %d: %s", number, STAGES, what)
