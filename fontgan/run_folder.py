"""What a run's folder holds, and whether a training may go on with it."""

from __future__ import annotations

import logging
import platform
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fontgan import __version__
from fontgan.config.saved import differences, load_config
from fontgan.data.pack import Pack
from fontgan.errors import RunError, UserError
from fontgan.runtime import distributed
from fontgan.runtime.device import describe
from fontgan.runtime.files import locked
from fontgan.training import checkpoint as checkpoints
from fontgan.training.finetune import PretrainedRun
from fontgan.training.schedule import Schedule

log = logging.getLogger(__name__)


# Keys that may differ when a run is resumed: they change where, how long or how often, not what is learned.
FREE_ON_RESUME = (
    "out", "data.cache", "data.workers", "trainer.device", "trainer.compile", "trainer.gradient_checkpointing",
    "trainer.threads", "trainer.max_steps", "trainer.max_minutes", "trainer.stop_at", "trainer.log_every",
    "trainer.eval_every", "trainer.save_every", "trainer.sheet_chars", "trainer.profile", "trainer.on_divergence",
    "generator.match_params", "sweep.budget",
)  # fmt: skip

Settings = dict[str, str | int | float | bool]


def tidy_finished(out: Path, last: checkpoints.Checkpoint) -> None:
    """Leaves a finished run as it is, but for what a killed process left there."""
    if distributed.is_main():
        with locked(out, "another training"):
            checkpoints.clear_leftovers(out, last)
    log.info("finished at step %d before; nothing is left to do in %s", last.step, out)


def is_finished(cfg: DictConfig, last: checkpoints.Checkpoint) -> bool:
    """Whether the training that ``cfg`` asks for ended with this checkpoint."""
    return schedule_of(cfg).progress(last.step, float(last.metadata.get("minutes", 0))) >= 1


def schedule_of(cfg: DictConfig) -> Schedule:
    return Schedule(cfg.trainer.max_steps, cfg.trainer.max_minutes, cfg.optim.warmup_steps, cfg.optim.final_lr_share)


def settings_to_compare(cfg: DictConfig) -> Settings:
    """The settings of a run that people compare, flat."""
    parts = {
        key: str(node.get("_target_")).rpartition(".")[2]
        for key in (
            "generator.up",
            "generator.up.resize",
            "generator.up.fusion",
            "generator.up.refine",
            "generator.style",
            "generator.norm",
            "discriminator",
        )
        if (node := OmegaConf.select(cfg, key)) is not None  # a hybrid has parts for each level instead
    }
    numbers = (
        "generator.ngf",
        "generator.depth",
        "data.size",
        "loss.adversarial",
        "optim.lr",
        "trainer.batch_size",
        "trainer.max_steps",
        "trainer.seed",
    )
    return parts | {key: OmegaConf.select(cfg, key) for key in numbers}


def look_into(out: Path, cfg: DictConfig) -> checkpoints.Checkpoint | None:
    """The last checkpoint if ``out`` holds this very run, None if it is free.

    Raises: RunError if it holds a different run or files of another kind.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"out={out}: is a file. Name a folder.")
    for name in ("train.log", "metrics.jsonl"):  # which are appended to
        if (out / name).is_symlink():
            raise RunError(f"{out / name}: is a link, and a run writes into its own folder alone. Remove it.")
    last = checkpoints.newest_intact(out)
    begun = begun_with(out, last)
    if begun is None:
        # A half-written config.yaml is what a process leaves that was killed at its very start.
        ours = (".lock", "train.log", ".config.yaml-*")
        found = [p.name for p in out.iterdir()] if out.is_dir() else []
        strangers = [name for name in found if not any(fnmatch(name, pattern) for pattern in ours)]
        if strangers:
            raise RunError(f"out={out}: holds files that are no run ({strangers[0]}, ...). Name a new or empty folder.")
        return None
    changed = differences(begun, cfg)
    forbidden = {key: pair for key, pair in changed.items() if key not in FREE_ON_RESUME}
    if forbidden:
        shown = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in list(forbidden.items())[:5])
        more = f" and {len(forbidden) - 5} more" if len(forbidden) > 5 else ""
        raise RunError(
            f"out={out}: holds a different run ({shown}{more}). Name another out=, or repeat that run's settings to resume it."
        )
    for key, (old, new) in changed.items():
        if key != "out":
            log.info("%s: %s -> %s since the run was started", key, old, new)
    return last


def begun_with(out: Path, last: checkpoints.Checkpoint | None) -> DictConfig | None:
    """The config of the run that ``out`` holds, None if there is none.

    That of its newest intact checkpoint, whose checksum is known; ``config.yaml`` counts where nothing was saved yet.

    Raises: UserError if it cannot be read.
    """
    file = out / "config.yaml"
    if last is None:
        return load_config(file) if file.is_file() else None
    saved = load_config(last.folder / "config.yaml")
    try:
        changed = set(differences(load_config(file), saved)) - set(FREE_ON_RESUME)
        problem = f"{file}: {min(changed)} differs from that of the newest checkpoint" if changed else None
    except UserError as error:
        problem = str(error)
    if problem is not None:
        log.warning("%s The config.yaml in %s counts, and is put in its place.", problem, last.folder)
    return saved


def run_facts(pack: Pack, pretrained: PretrainedRun | None, device: torch.device, precision: str) -> dict[str, Any]:
    started = {} if pretrained is None else {"init_from": pretrained.metadata()}
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
