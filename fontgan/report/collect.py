"""A folder of runs -> variants: runs whose configs differ in nothing but their seed."""

import json
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from omegaconf import DictConfig

from fontgan.config.saved import check_fits, differences, load_config
from fontgan.errors import RunError, UserError, encodable
from fontgan.evaluation.glyph_set import Pair
from fontgan.run_folder import free_on_resume, is_finished
from fontgan.sweep.jobs import DONE, FAILED, Job, read_jobs
from fontgan.training.budget import NO_END
from fontgan.training.checkpoint import Checkpoint, all_checkpoints, best
from fontgan.untrusted.plain_json import Count, convert

log = logging.getLogger(__name__)

# How long a run trains is free when it is resumed, but it shapes what comes out.
HOW_LONG = ("trainer.max_steps", "trainer.max_minutes", "trainer.stop_at")

MAX_HISTORY_BYTES = 64 * 2**20  # a line of three styles has 300
_PARTS_OF_A_RUN = ("checkpoints", "sheets", "tensorboard", "wandb", "mlflow")
_SEED_IN_A_NAME = re.compile(r"[-_.,+ ]*(trainer[.-])?seed[=_-]?\d+$")


@dataclass
class TrainedRun:
    """A run with its config, the checkpoint that is measured, and how its scores went."""

    folder: Path
    name: str  # the folder as seen from the reported one
    config: DictConfig
    checkpoint: Checkpoint
    last_step: int
    finished: bool
    history: list[dict[str, Any]] = field(default_factory=list)  # lines of metrics.jsonl
    last_minutes: float = 0.0
    evaluation: dict[str, Any] = field(default_factory=dict)  # once it is measured
    truth: dict[Pair, str] = field(default_factory=dict)  # fingerprints of the true glyphs behind its entries

    @property
    def seed(self) -> int:
        return int(self.config.trainer.seed)

    @property
    def glyphs(self) -> dict[Pair, dict[str, Any]]:
        """What was found of each glyph, the worst first."""
        return {(entry["style"], entry["char"]): entry for entry in self.evaluation["glyphs"]}


class LeftOut(NamedTuple):
    """A run or a sweep's job that is not compared, and why."""

    name: str
    status: str  # damaged, failed, unfinished, waiting, ...
    reason: str


@dataclass
class Variant:
    """Runs of one config, the seed aside."""

    label: str
    runs: list[TrainedRun]


class Collection(NamedTuple):
    variants: list[Variant]
    left_out: list[LeftOut]
    notes: list[str]


def collect(root: Path, which: str) -> Collection:
    """Finds the runs below a folder (and the folder itself, if it is one) and groups them.

    Args:
        which: "last" checkpoint of each run, or "best" by held-out SSIM less the share of blank glyphs.
    Raises: RunError if there is no run that could be compared.
    """
    if not root.is_dir():
        raise RunError(f"runs={root}: no such folder. Give the folder of a sweep, or of one run.")
    folders, jobs, notes = look_below(root)
    overrides = {folder: job.overrides for folder, job in jobs.items()}
    if not folders and not jobs:
        raise RunError(f"runs={root}: holds no run (a folder with config.yaml and checkpoints). Train first: fontgan train out={root}.")  # fmt: skip
    runs: list[TrainedRun] = []
    left_out: list[LeftOut] = []
    for folder in folders:
        job = jobs.pop(folder.resolve(), None)
        name = encodable(folder.name or str(folder) if folder == root else folder.relative_to(root).as_posix())
        try:
            run = read_run(folder, name, which)
        except UserError as error:
            status = job.status if job and job.status != DONE else "damaged"
            left_out.append(LeftOut(name, status, (job.error if job else "") or " ".join(str(error).split())))
            continue
        if job and job.status == FAILED:
            reason = job.error or "the sweep says so and not why; its train.log may"
            left_out.append(LeftOut(name, FAILED, f"{reason} (at step {run.last_step})"))
        else:
            runs.append(run)
    for gone, job in jobs.items():
        status, reason = ("missing", "its folder is gone") if job.status == DONE else (job.status, "it left no run")
        left_out.append(LeftOut(gone.name, status, job.error or reason))
    finished = [run for run in runs if run.finished]
    if finished:  # those that were cut short would be compared unfairly
        left_out += [LeftOut(run.name, "unfinished", f"stands at {_place(run)}") for run in runs if not run.finished]
    elif runs:
        span = " to ".join(map(str, sorted({min(run.last_step for run in runs), max(run.last_step for run in runs)})))
        notes.append(f"None of these runs has trained to its end yet; they stand at step {span}.")
    else:
        first = f" ({left_out[0].name}: {left_out[0].reason.rstrip('.')})" if left_out else ""
        raise RunError(f"runs={root}: holds no run that could be compared{first}. Train first: fontgan train -m ... out={root}.")  # fmt: skip
    runs = finished or runs
    for run in runs:
        ours, theirs = (each.checkpoint.metadata["data"]["size"] for each in (runs[0], run))
        if ours != theirs:
            raise RunError(f"runs: {runs[0].name} draws at {ours} px and {run.name} at {theirs} px, which cannot be compared. Report on each size by itself.")  # fmt: skip
    groups = group(runs)
    labels = label([settings_of(there, overrides) for there in groups], [there[0].name for there in groups])
    variants = [Variant(encodable(label), there) for label, there in zip(labels, groups, strict=True)]
    return Collection(variants, sorted(left_out, key=lambda entry: entry.name), notes)


# -- finding --------------------------------------------------------------------------------


def look_below(root: Path) -> tuple[list[Path], dict[Path, Job], list[str]]:
    """The folders that trainings have been at work in, the jobs that sweeps list, by their folders, and notes on lists
    that cannot be read."""
    folders: list[Path] = []
    jobs: dict[Path, Job] = {}
    notes: list[str] = []
    for path, subfolders, files in os.walk(root):
        folder = Path(path)
        if "config.yaml" in files and ({"checkpoints", "tensorboard"} & set(subfolders) or "train.log" in files):
            folders.append(folder)
        subfolders[:] = [name for name in subfolders if name not in _PARTS_OF_A_RUN and not name.startswith(".")]
        try:
            jobs |= {(folder / job.folder).resolve(): job for job in read_jobs(folder)}
        except (RunError, OSError) as error:
            notes.append(f"{error} The runs were found without it.")
    return sorted(folders), jobs, notes


def read_run(folder: Path, name: str, which: str) -> TrainedRun:
    """Raises: RunError or ConfigError if there is no usable checkpoint or config."""
    config = load_config(folder / "config.yaml")
    checkpoints = all_checkpoints(folder)
    if not checkpoints:
        raise RunError(f"{name}: holds no checkpoint yet.")
    last = checkpoints[-1]
    chosen = best(checkpoints) if which == "best" else last
    check_fits(config, chosen)
    history, minutes = read_history(folder / "metrics.jsonl"), float(last.metadata["minutes"])
    return TrainedRun(folder, name, config, chosen, last.step, is_finished(config, last), history, minutes)


class _HistoryLine(Struct, frozen=True):
    step: Count
    kind: str
    styles: dict[str, dict[str, Any]]


def read_history(file: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``, without numbers that are none; lines that are half-written or that no
    training wrote are counted in the log and passed over."""
    if not file.is_file():
        return []
    with file.open("rb") as stream:
        texts = stream.read(MAX_HISTORY_BYTES).decode("utf-8", "replace").splitlines()
    lines, wrong = [], 0
    for text in texts:
        try:
            read = convert(json.loads(text), _HistoryLine)
        except (ValueError, RecursionError):
            wrong += 1
            continue
        styles = {
            style: {key: value for key, value in scores.items() if isinstance(value, int | float) and abs(value) < 1e9}
            for style, scores in read.styles.items()
        }
        lines.append({"step": read.step, "kind": read.kind, "styles": styles})
    if wrong:
        log.warning("%s: passed over %d half-written or damaged lines", file, wrong)
    return lines


def _place(run: TrainedRun) -> str:
    trainer = run.config.trainer
    if trainer.max_minutes and trainer.max_steps >= NO_END:
        return f"minute {run.last_minutes:.1f} of {trainer.max_minutes:g}"
    return f"step {run.last_step} of {trainer.max_steps}"


# -- grouping and naming --------------------------------------------------------------------


def tells_variants_apart(key: str) -> bool:
    """Whether runs that differ in a setting are two variants, and not two runs of one."""
    return key in HOW_LONG or not (key in ("trainer.seed", "name") or free_on_resume(key))


def group(runs: Sequence[TrainedRun]) -> list[list[TrainedRun]]:
    """Runs by variant, in the order they were found; a variant's runs by seed."""
    groups: list[list[TrainedRun]] = []
    for run in runs:
        for there in groups:
            if not any(map(tells_variants_apart, differences(there[0].config, run.config))):
                there.append(run)
                break
        else:
            groups.append([run])
    return [sorted(there, key=lambda run: run.seed) for there in groups]


def settings_of(runs: Sequence[TrainedRun], overrides: dict[Path, dict[str, str]]) -> dict[str, str]:
    """What a sweep set for a variant, the seed aside: as it noted, or as it named the folder; {} if neither is there."""
    noted = (overrides.get(run.folder.resolve()) or settings_in_name(run.folder.name) for run in runs)
    settings = ({key.lstrip("+"): value for key, value in each.items() if not key.endswith("seed")} for each in noted)
    return next(filter(None, settings), {})


def settings_in_name(name: str) -> dict[str, str]:
    """``generator-up=deconv,trainer.seed=1`` -> its settings; {} if the name is of another kind."""
    settings: dict[str, str] = {}
    key = ""
    for part in name.split(","):
        if "=" in part:
            key, _, settings[key] = part.partition("=")
        elif key:  # a value with a comma in it
            settings[key] += f",{part}"
        else:
            return {}
    return settings


def label(settings: Sequence[dict[str, str]], names: Sequence[str]) -> list[str]:
    """Short unique names of variants: what a sweep varied, else their folders' names.

    Args:
        settings: what was set for each variant.   names: a folder of each.
    """
    if all(settings):
        keys = list(dict.fromkeys(key for each in settings for key in each))
        varied = [key for key in keys if len({each.get(key) for each in settings}) > 1] or keys
        said = {key: f"{re.split(r'[/.-]', key)[-1]}=" if len(varied) > 1 else "" for key in varied}
        labels = [", ".join(f"{said[key]}{each[key]}" for key in varied if key in each) for each in settings]
    else:
        labels = [_SEED_IN_A_NAME.sub("", name) or name for name in names]
    labels = [text or name for text, name in zip(labels, names, strict=True)]
    seen = [labels[: place + 1].count(text) for place, text in enumerate(labels)]
    return [text if count == 1 else f"{text} ({count})" for text, count in zip(labels, seen, strict=True)]
