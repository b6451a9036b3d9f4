"""fontgan complete: draw the characters that a typeface lacks, and build the font."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from fontgan.complete.check import check
from fontgan.complete.font import build, prove
from fontgan.complete.outlines import outline
from fontgan.complete.plan import MIN_KNOWN_CHARS as MIN_LEARNED
from fontgan.complete.plan import (
    Places,
    Plan,
    Work,
    clipped_on,
    key_of,
    learn_as_before,
    open_work,
    plan_completion,
    say_stage,
    sha256_of,
)
from fontgan.config.compose import compose_config
from fontgan.data.image_source import FolderGlyphs, name_from_char
from fontgan.errors import ConfigError, RunError, shorten
from fontgan.evaluation.checks_file import CheckedGlyph
from fontgan.run_folder import is_finished
from fontgan.runtime.files import locked, user_path

if TYPE_CHECKING:
    from fontgan.inference import Run, Style

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> int:
    """Does what is not done yet, stage by stage.

    Returns: 0; or what the training returned where it was stopped, and the same command goes on.
    """
    places = check_settings(cfg)
    fewest = MIN_LEARNED if cfg.run is None else 0
    plan = plan_completion(cfg.target, cfg.source, cfg.charset, fewest=fewest)
    work = open_work(places.work, identity_of(plan, cfg))
    if cfg.run is None:
        learn_as_before(plan, work)
    say_plan(plan, cfg)
    for key, file in (("out", places.font), ("proof", places.proof)):
        refuse_strange(key, file, work)
    guard_target(plan, cfg, places.font)
    opened = open_run(cfg, plan, work) if cfg.run is not None else None
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


def check_settings(cfg: DictConfig) -> Places:
    """What is quick to refuse.  Returns: where things go.  Raises: ConfigError or RunError."""
    from fontgan.fontfile.names import check_name
    from fontgan.fontfile.target import check_writable
    from fontgan.fontfile.vectorize import check_tracing
    from fontgan.metrics.recognition import find_ocr

    if cfg.doubtful not in ("keep", "drop"):
        raise ConfigError(f"doubtful={cfg.doubtful}: choose one of keep, drop.")
    check_tracing(cfg.tolerance, cfg.speck, None)
    find_ocr(cfg.ocr)
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
    log.info("%s: %d characters to make: %s", plan.target.path.name, len(plan.lacking), shorten(plan.lacking, 30))
    if cfg.run is None:
        log.info("learned from the %d characters that it shares with %s", len(plan.learned_from), plan.source.path.name)
    if plan.undrawable:
        log.warning(
            "%s lacks %d characters of charset=%s too, and they stay out: %s",
            plan.source.path.name, len(plan.undrawable), cfg.charset, shorten(plan.undrawable),
        )  # fmt: skip
    over = clipped_on(plan, cfg.data.size, cfg.data.margin) if cfg.run is None and cfg.init_from is None else []
    if over:
        log.warning(
            "%d characters reach over the edge of the canvas that the shared ones need: %s. Use a larger data.margin if "
            "they come out clipped.", len(over), shorten(over),
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
    if file.is_file() and sha256_of(file) not in work.facts.get("wrote", {}).get(key, []):
        raise ConfigError(
            f"{key}={file}: is there already, and not from this work. Name another file, or take it away."
        )


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


def train(cfg: DictConfig, plan: Plan, work: Work) -> int | None:
    """Trains, or goes on.  Returns: None when it is finished, else the exit code."""
    from fontgan.train import train as train_run
    from fontgan.training.checkpoint import all_checkpoints

    say_stage(1, f"training in {work.run}")
    config = training_config(cfg, plan, work.run)
    code = train_run(config)
    there = all_checkpoints(work.run)
    if code == 0 and there and is_finished(config, there[-1]):
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


def draw(cfg: DictConfig, plan: Plan, work: Work, run: Run, style: Style) -> str:
    """Draws what is lacking, but for what is drawn already.  Returns: a key of how it was drawn."""
    from fontgan.commands.infer import main as infer

    say_stage(2, f"drawing {len(plan.lacking)} glyphs in {work.glyphs}")
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
            "%d of them are doubtful, the worst first: %s", len(doubtful), shorten([one.char for one in doubtful], 30)
        )
    log.info("look at %s; reject.txt and redraw/ in the work folder change what goes in", places.proof)
