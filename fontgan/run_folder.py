"""What a run's folder holds, and whether a training may go on with it."""

import logging
import platform
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Self

import torch
from omegaconf import DictConfig, OmegaConf

from fontgan import __version__
from fontgan.config.saved import differences, load_config
from fontgan.config.schema import settings
from fontgan.config.verbs import verb_module
from fontgan.data.pack import Pack
from fontgan.errors import RunError, UserError
from fontgan.runtime import distributed
from fontgan.runtime.device import describe
from fontgan.runtime.file_names import is_of_the_system
from fontgan.runtime.locks import locked
from fontgan.training import checkpoint as checkpoints
from fontgan.training.finetune import PretrainedRun
from fontgan.training.schedule import Schedule, TrainingPlan

log = logging.getLogger(__name__)

Settings = dict[str, str | int | float | bool]


def free_on_resume(key: str) -> bool:
    """Whether a key may differ when a run is resumed; ``generator.match_params`` is resolved to the width it chose."""
    free = [where for where, field in settings(verb_module("train").Config) if field.metadata.get("free")]
    return any(f"{key}.".startswith(f"{one}.") for one in (*free, "generator.match_params"))


def is_finished(cfg: DictConfig, last: checkpoints.Checkpoint) -> bool:
    """Whether the training that ``cfg`` asks for ended with this checkpoint."""
    return schedule_of(cfg).progress(last.step, float(last.metadata.get("minutes", 0))) >= 1


def schedule_of(cfg: DictConfig) -> Schedule:
    return Schedule(cfg.trainer.max_steps, cfg.trainer.max_minutes, cfg.optim.warmup_steps, cfg.optim.final_lr_share)


def plan_of(cfg: DictConfig) -> TrainingPlan:
    keys = ("log_every", "eval_every", "save_every", "accumulate", "stop_at", "on_divergence")
    return TrainingPlan(schedule_of(cfg), **{key: cfg.trainer[key] for key in keys})


def settings_to_compare(cfg: DictConfig) -> Settings:
    """The settings of a run that people compare, flat."""
    up = ("generator.up", "generator.up.resize", "generator.up.fusion", "generator.up.refine")
    parts = {
        key: str(node.get("_target_")).rpartition(".")[2]
        for key in (*up, "generator.style", "generator.norm", "discriminator")
        if (node := OmegaConf.select(cfg, key)) is not None  # a hybrid has parts for each level instead
    }
    numbers = (
        "generator.ngf", "generator.depth", "data.size", "loss.adversarial.weight", "optim.lr",
        "trainer.batch_size", "trainer.max_steps", "trainer.seed",
    )  # fmt: skip
    return parts | {key: OmegaConf.select(cfg, key) for key in numbers}


class RunLock(ExitStack):
    """Once taken, keeps every other training out of a run's folder until it is closed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._held = False

    def take(self) -> None:
        """Makes the folder if need be. Raises: RunError if another training is at work there."""
        if not self._held:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.enter_context(locked(self._folder, "another training"))
            self._held = True

    def take_if_begun(self) -> None:
        """Where no run was begun, nothing is made yet."""
        if (self._folder / ".lock").is_file():
            self.take()


@dataclass(frozen=True)
class RunFolder:
    """What the folder of a run holds: nothing yet, or a run that a training may go on with."""

    path: Path
    last: checkpoints.Checkpoint | None  # its newest intact one; None before the first
    config: DictConfig | None  # what it was begun with; None if there is no run

    @classmethod
    def open(cls, path: Path) -> Self:
        """Looks into a folder. Raises: RunError if it holds files of another kind; UserError if it cannot be read."""
        if path.exists() and not path.is_dir():
            raise RunError(f"out={path}: is a file. Name a folder.")
        for name in ("train.log", "metrics.jsonl", "scalars.jsonl", "scalars.csv"):  # which are appended to
            if (path / name).is_symlink():
                raise RunError(f"{path / name}: is a link, and a run writes into its own folder alone. Remove it.")
        # Listed before config.yaml is looked for, since another training may write it at this moment. A half-written one
        # is what a process leaves that was killed at its very start.
        ours = (".lock", "train.log", ".config.yaml-*")
        there = [p.name for p in path.iterdir()] if path.is_dir() else []
        others = [name for name in there if not (is_of_the_system(name) or any(fnmatch(name, one) for one in ours))]
        last = checkpoints.newest_intact(path)
        config = _begun_with(path, last)
        if config is None and others:
            raise RunError(f"out={path}: holds files that are no run ({others[0]}, ...). Name a new or empty one.")
        return cls(path, last, config)

    def check_same_run(self, cfg: DictConfig) -> None:
        """Says which settings have changed since. Raises: RunError if they make it a different run."""
        if self.config is None:
            return
        changed = differences(self.config, cfg)
        forbidden = [f"{key} {old} -> {new}" for key, (old, new) in changed.items() if not free_on_resume(key)]
        if forbidden:
            shown = ", ".join(forbidden[:5])
            more = f" and {len(forbidden) - 5} more" if len(forbidden) > 5 else ""
            raise RunError(
                f"out={self.path}: holds a different run ({shown}{more}). Name another out=, "
                "or repeat that run's settings to resume it."
            )
        for key, (old, new) in changed.items():
            if key != "out":
                log.info("%s: %s -> %s since the run was started", key, old, new)

    def check_same_glyphs(self, pack: Pack) -> None:
        """Raises: RunError if the run was begun with other glyphs."""
        if self.last is not None and self.last.metadata.get("pack") != pack.path.name:
            raise RunError(
                f"out={self.path}: its glyphs have changed since (a font, a folder or the way they are drawn). "
                "Train in another out=, or bring the old files back."
            )

    def is_finished(self, cfg: DictConfig) -> bool:
        return self.last is not None and is_finished(cfg, self.last)

    def tidy(self, lock: RunLock) -> None:
        """Leaves a finished run as it is, but for what a killed process left there."""
        assert self.last is not None
        if distributed.is_main():
            lock.take()
            checkpoints.clear_leftovers(self.path, self.last)
        log.info("finished at step %d before; nothing is left to do in %s", self.last.step, self.path)


def _begun_with(out: Path, last: checkpoints.Checkpoint | None) -> DictConfig | None:
    """The config of the run in ``out``: of its newest intact checkpoint, whose checksum is known, else config.yaml."""
    file = out / "config.yaml"
    if last is None:
        return load_config(file) if file.is_file() else None
    saved = load_config(last.folder / "config.yaml")
    try:
        changed = [key for key in differences(load_config(file), saved) if not free_on_resume(key)]
        problem = f"{file}: {min(changed)} differs from that of the newest checkpoint" if changed else None
    except UserError as error:
        problem = str(error)
    if problem is not None:
        log.warning("%s The config.yaml in %s counts, and is put in its place.", problem, last.folder)
    return saved


def run_metadata(pack: Pack, pretrained: PretrainedRun | None, device: torch.device, precision: str) -> dict[str, Any]:
    started = {} if pretrained is None else {"init_from": {"checkpoint": pretrained.name, "styles": pretrained.styles}}
    return {
        "styles": list(pack.model_styles),
        **started,
        "pack": pack.path.name,
        "data": pack.manifest if pretrained is None else pretrained.manifest(pack.manifest),
        "made_with": {
            "fontgan": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": describe(device, precision),
        },
    }
