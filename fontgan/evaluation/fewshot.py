"""Fonts that nobody trained on, of which a recipe is shown few glyphs: trained, drawn, measured, compared.

Of each font the same characters are drawn, whatever is known of it; which are known is a fixed lot, so that of 100 known
characters all are among the 800.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from fontgan.config.auto_source import AUTO, source_of_region
from fontgan.config.compose import compose_config
from fontgan.config.effort import apply_effort
from fontgan.config.instantiate import source_spec, target_specs
from fontgan.data import charset as charsets
from fontgan.data.plan import Target
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, RunError
from fontgan.evaluation.evaluate import evaluate
from fontgan.evaluation.fewshot_table import compare, read_trial, read_trials, table
from fontgan.evaluation.glyph_set import glyph_set_of_run
from fontgan.evaluation.moved import scores_of_moved
from fontgan.generate.inference import load
from fontgan.metrics.recognition import find_ocr
from fontgan.pictures.contact_sheet import contact_sheet, save_png
from fontgan.run_folder import is_finished
from fontgan.runtime.file_names import find_alike
from fontgan.runtime.files import atomic_write, user_path, write_json
from fontgan.runtime.locks import locked
from fontgan.runtime.log_setup import say
from fontgan.train import train as fit
from fontgan.training.budget import NO_END, parse_budget
from fontgan.training.checkpoint import all_checkpoints

log = logging.getLogger(__name__)

RESULT = "fewshot.json"
SHEET_GLYPHS = 16
GATE_SEED = 1


@dataclass(frozen=True)
class Trial:
    """One font, learned of so many known glyphs, with one seed."""

    font: str
    known: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.font}-{self.known}-seed{self.seed}"


def measure_fewshot(cfg: DictConfig, training_keys: Sequence[str], typed: Collection[str]) -> int:
    """Does every trial that is not done yet, and writes ``table.md``, ``table.json`` and a sheet a number of known glyphs.

    ``typed``: settings that ``cfg.effort`` leaves as they are.
    Returns: 0, or what a training returned that was stopped.   Raises: UserError.
    """
    find_ocr(cfg.ocr)  # refused before hours are spent
    fonts, out = _fonts(cfg), user_path(cfg.out)
    others = {Path(other).name: read_trials(user_path(other)) for other in cfg.against}
    lots = {name: draw_lots(cfg, name, target) for name, target in fonts.items()}
    trials = [Trial(font, known, seed) for known in cfg.known for seed in cfg.seeds for font in fonts]
    budgets = {known: _budget(cfg.budget, known) for known in cfg.known}
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "another fontgan fewshot"):
        for number, trial in enumerate(trials, start=1):
            log.info("%d of %d: %s", number, len(trials), trial.name)
            run = _config(cfg, training_keys, trial, fonts[trial.font], lots[trial.font], out)
            apply_effort(run, cfg.effort, trial.known, typed)
            run.trainer.update(budgets[trial.known])
            if code := _train(run):
                return code
            _measure(cfg, trial, run)
        found = [one for one in read_trials(out) if Trial(one["font"], one["known"], one["seed"]) in trials]
        lines = table(found, replicates=cfg.replicates)
        for name, theirs in others.items():
            lines += ["", *compare(found, theirs, name, replicates=cfg.replicates)]
        atomic_write(out / "table.md", "\n".join(lines) + "\n")
        for known in cfg.known:
            _sheet([one for one in found if one["known"] == known], out, out / f"sheet-{known}.png")
    say("\n".join(lines))
    log.info("the table and the sheets: %s", out)
    return 0


def _fonts(cfg: DictConfig) -> dict[str, Target]:
    found = target_specs(OmegaConf.create({"data": {"targets": cfg.fonts}}))
    if not found:
        raise ConfigError("fonts: which fonts are to be drawn? Add fonts=[A.ttf,B.ttf].")
    if twins := find_alike(found):
        remedy = "Name them: fonts={one: A.ttf, two: B.ttf}."
        raise ConfigError(f"fonts: {' and '.join(twins)} would have one folder on Windows and macOS. {remedy}")
    if cfg.data.source == AUTO:
        found = {
            name: target if target.source else target._replace(source=source_of_region(target.spec)[0])
            for name, target in found.items()
        }
    return found


def draw_lots(cfg: DictConfig, name: str, target: Target) -> str:
    """The characters that font and source share, in the order of the lots: those to draw first, then the known ones.

    Raises: DataError if there are too few.
    """
    source = target.source or source_spec(cfg.data.source)
    if source is None:
        raise ConfigError("data.source: needs a font or a glyph folder. Add data.source=A.ttf.")
    there = open_glyphs(source).coverage(charsets.resolve(cfg.data.charset, "data.charset")).present
    shared = open_glyphs(target.spec).coverage(there).present
    needed = cfg.drawn + max(cfg.known)
    if len(shared) < needed:
        told = f"{name}: shares {len(shared)} characters with its source within data.charset={cfg.data.charset}, and"
        raise DataError(f"{told} drawn and known need {needed}. Lower known or drawn, or choose another charset.")
    return "".join(sorted(shared, key=lambda char: hashlib.sha256(f"lot {char}".encode()).digest()))


def _budget(asked: Any, known: int) -> dict[str, Any]:
    """The keys of the trainer that a budget sets."""
    text = asked.get(known) if OmegaConf.is_dict(asked) else asked
    if text == AUTO:
        return {}
    if text is None:
        raise ConfigError(f"budget: says nothing of known={known}. Add it: budget={{{known}: 8min}}.")
    budget = parse_budget(str(text))
    if budget.unit == "minutes":
        return {"max_steps": NO_END, "max_minutes": budget.amount}
    if budget.unit == "steps":
        return {"max_steps": int(budget.amount), "max_minutes": None}
    raise ConfigError(f"budget={text}: minutes or steps are needed here.")


def _config(cfg: DictConfig, keys: Iterable[str], trial: Trial, target: Target, lot: str, out: Path) -> DictConfig:
    """The config of a trial's training."""
    config = compose_config("train", ["experiment=complete", "init_from=null"])
    for key in keys:
        OmegaConf.update(config, key, cfg[key], merge=False)
    own = {"font": target.spec} | ({"source": target.source} if target.source else {})
    config.data.targets = {trial.font: own}
    if config.data.source == AUTO:
        config.data.source = target.source
    config.data.charset = lot[: cfg.drawn + trial.known]
    config.data.holdout, config.data.holdout_chars = 0.0, lot[: cfg.drawn]
    config.trainer.seed = trial.seed
    config.out = str(out / trial.name / "run")
    return config


def _train(config: DictConfig) -> int:
    """Trains, or goes on. Returns: 0 when it is finished."""
    code = fit(config)  # which leaves a finished run as it is, and refuses one of other settings
    there = all_checkpoints(user_path(config.out))
    if code == 0 and not (there and is_finished(config, there[-1])):
        raise RunError(f"{config.out}: the training was stopped before its end. The same command goes on.")
    return code


def _measure(cfg: DictConfig, trial: Trial, config: DictConfig) -> None:
    """Writes the scores of a finished run beside it, and what its sheet needs, unless they are there."""
    folder = user_path(cfg.out) / trial.name
    made_of = {"steps": all_checkpoints(folder / "run")[-1].step, "ocr": cfg.ocr}
    if (folder / RESULT).is_file() and made_of.items() <= dict(read_trial(folder / RESULT)).items():
        return
    run = load(folder / "run", which="last", device=cfg.trainer.device, precision=cfg.trainer.precision)
    glyphs = glyph_set_of_run(run, seed=GATE_SEED)
    found = evaluate(glyphs, ocr=cfg.ocr, replicates=1)
    for kind, images in {"drawn": glyphs.drawn, "true": glyphs.truth, "source": glyphs.source}.items():
        assert images is not None
        np.save(folder / f"{kind}.npy", images[:SHEET_GLYPHS])
    moved = {names[1]: scores for names, scores in zip(glyphs.names, scores_of_moved(glyphs), strict=True)}
    lines = [line | moved[line["char"]] for line in found["glyphs"]]
    facts = {"font": trial.font, "known": trial.known, "seed": trial.seed}
    facts |= {"minutes": run.checkpoint.metadata["minutes"], "size": run.size, **made_of}
    baselines = {name: metric["baselines"] for name, metric in found["metrics"].items()}
    write_json(folder / RESULT, {**facts, "baselines": baselines, "glyphs": lines})


def _sheet(found: Sequence[dict[str, Any]], out: Path, file: Path) -> None:
    """Source, drawn and true glyphs of each font, the first seed of it."""
    rows, seen = [], set()
    for one in found:
        if one["font"] not in seen:
            seen.add(one["font"])
            folder = out / Trial(one["font"], one["known"], one["seed"]).name
            rows += [
                (f"{one['font']} {kind}", list(np.load(folder / f"{kind}.npy"))) for kind in ("source", "drawn", "true")
            ]
    save_png(contact_sheet(rows), file)
