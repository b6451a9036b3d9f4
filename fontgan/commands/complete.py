"""fontgan complete: draw the characters that a typeface lacks, and build the font."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from fontgan.base import BASE, run_path
from fontgan.config.schema import MISSING, FontFileConfig, TracingConfig, TrainingConfig, limited
from fontgan.errors import ConfigError

if TYPE_CHECKING:
    from fontgan.complete.expect import Estimate
    from fontgan.complete.plan import Plan
    from fontgan.complete.work import Work

log = logging.getLogger(__name__)

ORDER = 10
SUMMARY = "draw what a typeface lacks and build the font, from training to the file to install, in one command"
EXAMPLES = (
    "fontgan complete target=MyFont.ttf",
    "fontgan complete target=my-glyphs/ charset=gb2312 family='My Hand' out=MyHand.ttf",
    "fontgan complete target=MyFont.ttf source=NotoSansSC.ttf run=runs/mine out=MyFont-complete.ttf",
)


@dataclass
class Config(TrainingConfig, TracingConfig, FontFileConfig):
    target: str = MISSING
    source: Any = MISSING
    charset: str = MISSING
    out: str | None = MISSING
    formats: list[str] = limited(choices=("woff2", "otf", "ttf"))
    run: str | None = MISSING
    style: Any = MISSING
    effort: dict[int, Any] = MISSING
    work: str | None = MISSING
    proof: str | None = MISSING
    doubtful: str = limited(choices=("keep", "drop"))
    ocr: str = MISSING
    expect: str | None = MISSING


# What it sets of its training, and the setting of its own for each.
SETS = {"data.source": "source", "data.targets": "target", "data.charset": "charset", "data.room_for": "charset"}
TRAINING = [key.name for key in fields(TrainingConfig)]
SHAPES_TRAINING = {*TRAINING, "experiment", "effort"} - {"plugins", "allow"}
SHAPES_DRAWING = ("trainer.device", "trainer.precision")
# Of the settings that shape a training, those by which what it gives is no other than was measured.
HARMLESS = (*SHAPES_DRAWING, "trainer.threads", "trainer.seed", "trainer.stop_at")


def conflicts(cfg: Config, typed: set[str]) -> None:
    """Raises: ConfigError where a typed setting would be replaced, or never read."""
    for key in sorted(typed):
        plain = key.lstrip("+~")
        if plain in SETS:
            raise ConfigError(f"{plain}: fontgan complete sets it. Use {SETS[plain]}=... instead.")
        if plain == "data":
            raise ConfigError(f"data: fontgan complete takes source=, target= and charset= instead. Leave {key}= out.")
        if cfg.run is not None and re.split(r"[./@]", plain)[0] in SHAPES_TRAINING and plain not in SHAPES_DRAWING:
            raise ConfigError(f"{plain}: run={cfg.run} is drawn with and nothing is trained. Leave one of them out.")
    if cfg.run is None and cfg.style is not None:
        raise ConfigError("style: chooses among the styles of run=RUN. Add run=RUN, or leave it out.")
    if cfg.expect is not None and (cfg.run is not None or cfg.init_from != BASE):
        raise ConfigError(
            "expect: tells of trainings from the base model alone. Leave run and init_from out, or expect."
        )


def main(cfg: Any, typed: Collection[str] = ()) -> int:
    """Does what is not done yet, stage by stage. Returns: 0, or what the training returned where it was stopped."""
    from fontgan.complete.draw import check, draw, open_run, refuse_blank
    from fontgan.complete.font import build, guard_target, prove, say_result, write_formats
    from fontgan.complete.outlines import outline
    from fontgan.complete.plan import plan_completion, say_plan, warn_of_clipped
    from fontgan.complete.settle import settle, warn_of_unlike_source
    from fontgan.complete.work import Work, find_places, learn_as_before
    from fontgan.config.instantiate import source_spec
    from fontgan.fontfile.credits import Credits
    from fontgan.metrics.recognition import find_ocr
    from fontgan.runtime.locks import locked
    from fontgan.training.checkpoint import find

    chosen = settle(cfg)
    places = find_places(out=cfg.out, formats=cfg.formats, proof=cfg.proof, work=cfg.work, target=cfg.target)
    reader = find_ocr(cfg.ocr)
    if (source := source_spec(cfg.source, "source")) is None:
        raise ConfigError("source: needs a complete font to draw from. Add source=A.ttf.")
    starts_from_base = cfg.run is None and cfg.init_from == BASE
    taken = find(run_path(BASE), "last", key="init_from").metadata["styles"] if starts_from_base else ()
    plan = plan_completion(cfg.target, source, cfg.charset, learns=cfg.run is None, taken=taken, allow=cfg.allow)
    if cfg.expect is not None:
        return tell_expected(cfg, plan, typed)
    work = Work(*places, plan.identity | {"run": str(cfg.run)})
    if cfg.run is None:
        learn_as_before(plan, work)
    say_plan(plan, cfg.charset, learns=cfg.run is None)
    if starts_from_base and not chosen:
        warn_of_unlike_source(plan.source, cfg.target)
    if cfg.run is None and cfg.init_from is None:
        warn_of_clipped(plan, cfg.data.size, cfg.data.margin, cfg.allow)
    credits = Credits.of(cfg)
    guard_target(
        plan, work.font, cfg.formats, family=cfg.family, credits=credits, confirm_ownership=cfg.confirm_ownership
    )
    computing = {"device": cfg.trainer.device, "precision": cfg.trainer.precision}
    if cfg.run is not None:
        run, style = open_run(cfg.run, cfg.style, **computing)
    work.folder.mkdir(parents=True, exist_ok=True)
    with locked(work.folder, "another fontgan complete"):
        work.save()
        if cfg.run is None:
            if (code := train(cfg, plan, work, typed)) is not None:
                return code
            run, style = open_run(work.run, plan.style, **computing)
        drawn_as = draw(plan, work, run, style)
        checks = check(plan, work, run, style, drawn_as, reader=reader)
        redrawn = outline(plan, work, checks, drawn_as, family=cfg.family, tolerance=cfg.tolerance, speck=cfg.speck)
        refuse_blank([one for one in checks if one.char not in redrawn], work.glyphs, cfg.allow)
        added = build(
            plan, work, checks, redrawn, run=run, drop_doubtful=cfg.doubtful == "drop", family=cfg.family,
            credits=credits, tolerance=cfg.tolerance,
        )  # fmt: skip
        prove(plan, work)
        write_formats(work)
    say_result(work, checks, added, redrawn)
    return 0


def shapes_training(typed: Collection[str]) -> bool:
    """Whether any setting was typed that a training follows, so that nothing is measured of what it gives."""
    parts = {re.split(r"[./@]", key.lstrip("+~"))[0] for key in typed if key not in HARMLESS}
    return bool(parts & SHAPES_TRAINING)


def tell_expected(cfg: Any, plan: "Plan", typed: Collection[str]) -> int:
    """Writes ``expect``: what is to be made, in how many minutes, and how well. Returns: 0."""
    from fontgan.complete.expect import say_expected
    from fontgan.complete.font import guard_target
    from fontgan.complete.plan import say_plan
    from fontgan.fontfile.credits import Credits
    from fontgan.runtime.files import out_file, user_path, write_json

    file = out_file("expect", cfg.expect, ".json")
    say_plan(plan, cfg.charset, learns=True)
    guard_target(
        plan, user_path(cfg.out), cfg.formats,
        family=cfg.family, credits=Credits.of(cfg), confirm_ownership=cfg.confirm_ownership,
    )  # fmt: skip
    found = expect_of(cfg, plan, training_config(cfg, plan, typed), typed)
    say_expected(found, len(plan.learned_from))
    told = {"minutes": round(found.minutes, 2), "expected": found.expected and found.expected._asdict()}
    chars = {"lacking": plan.lacking, "undrawable": plan.undrawable, "learned_from": plan.learned_from}
    write_json(file, told | {key: "".join(value) for key, value in chars.items()})
    return 0


def expect_of(cfg: Any, plan: "Plan", config: Any, typed: Collection[str]) -> "Estimate":
    from fontgan.complete.expect import estimate, is_measured

    return estimate(
        str(cfg.target), plan.source_spec, plan.learned_from, steps=config.trainer.max_steps, to_make=len(plan.lacking),
        as_measured=is_measured(plan.lacking) and not shapes_training(typed),
        device=cfg.trainer.device, precision=cfg.trainer.precision, threads=cfg.trainer.threads,
    )  # fmt: skip


def training_config(cfg: Any, plan: "Plan", typed: Collection[str]) -> Any:
    """The config of the training, without its data."""
    from omegaconf import OmegaConf

    from fontgan.config.compose import compose_config
    from fontgan.config.effort import apply_effort

    config = compose_config("train", ["experiment=complete", "init_from=null"])
    for key in TRAINING:
        OmegaConf.update(config, key, cfg[key], merge=False)
    apply_effort(config, cfg.effort, len(plan.learned_from), typed)
    return config


def train(cfg: Any, plan: "Plan", work: "Work", typed: Collection[str]) -> int | None:
    """Trains, or goes on.  Returns: None when it is finished, else the exit code."""
    from fontgan.complete.expect import is_measured, say_expected
    from fontgan.complete.work import say_stage
    from fontgan.run_folder import is_finished
    from fontgan.train import train as fit
    from fontgan.training.checkpoint import all_checkpoints

    say_stage(1, f"training in {work.run}")
    config = training_config(cfg, plan, typed)
    if cfg.init_from == BASE and not work.run.exists() and is_measured(plan.lacking) and not shapes_training(typed):
        found = expect_of(cfg, plan, config, typed)
        say_expected(found, len(plan.learned_from))
        if found.expected:
            work.facts["expected"] = {"read": round(found.expected.read, 4), "failed": round(found.expected.failed, 4)}
        work.save()
    config.data.source = plan.source_spec
    config.data.targets = {plan.style: str(cfg.target)}
    config.data.charset = "".join(plan.learned_from)
    config.data.room_for = work.facts["room_for"]
    config.out = str(work.run)
    code = fit(config)
    there = all_checkpoints(work.run)
    if code == 0 and there and is_finished(config, there[-1]):
        return None
    log.info("the same fontgan complete command goes on from there")
    return code
