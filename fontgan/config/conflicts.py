"""Settings that contradict each other, or would never be used."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig

from fontgan.config.groups import choices
from fontgan.errors import ConfigError


def refuse_what_would_be_ignored(verb: str, cfg: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a setting as typed would be replaced by what another one chooses."""
    if cfg.get("sweep") and cfg.sweep.budget is not None:
        for key in sorted(typed & {"trainer.max_steps", "trainer.max_minutes"}):
            raise ConfigError(f"{key}: sweep.budget={cfg.sweep.budget} sets it. Leave one of the two out.")
    wanted = cfg.get("generator") and cfg.generator.get("match_params")
    if wanted is not None and str(wanted) not in choices("generator/up") and "generator.ngf" in typed:
        raise ConfigError(f"generator.ngf: generator.match_params={wanted} chooses it. Leave one of the two out.")
    if cfg.get("loss"):
        _refuse_idle_losses(cfg.loss, typed)
    if cfg.get("generator"):
        _refuse_idle_parts(cfg.generator, typed)
    if verb == "complete":
        _refuse_in_completing(cfg, typed)
    if verb == "build_font" and str(cfg.input).lower().endswith((".ufo", ".ufoz")):
        for key in sorted(typed & {"speck", "workers"}):
            raise ConfigError(
                f"{key}={cfg[key]}: is about tracing images, and input={cfg.input} is a UFO. Leave it out."
            )


# What fontgan complete sets of its training, and the setting of its own for each.
SET_BY_COMPLETE = {"data.source": "source", "data.targets": "target", "data.charset": "charset"}
SHAPES_TRAINING = ("data", "generator", "discriminator", "loss", "optim", "trainer", "experiment", "init_from", "name")
SHAPES_DRAWING = ("trainer.device", "trainer.precision")


def _refuse_in_completing(cfg: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where fontgan complete would replace a typed setting, or never read it."""
    for key in sorted(typed):
        plain = key.lstrip("+~")
        if plain in SET_BY_COMPLETE:
            raise ConfigError(f"{plain}: fontgan complete sets it. Use {SET_BY_COMPLETE[plain]}=... instead.")
        if plain == "data":
            raise ConfigError(f"data: fontgan complete takes source=, target= and charset= instead. Leave {key}= out.")
        if cfg.run is not None and re.split(r"[./@]", plain)[0] in SHAPES_TRAINING and plain not in SHAPES_DRAWING:
            raise ConfigError(f"{plain}: run={cfg.run} is drawn with and nothing is trained. Leave one of them out.")
    if cfg.run is None and cfg.style is not None:
        raise ConfigError("style: chooses among the styles of run=RUN. Add run=RUN, or leave it out.")


def _refuse_idle_parts(generator: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a typed part of the generator has no level to be at, or typed levels no part."""
    for key in sorted(typed):
        if key.startswith(("generator/attention", "generator.attention.")) and not generator.attention_levels:
            raise ConfigError(
                f"{key}: generator.attention_levels=[] leaves it out. Add generator.attention_levels=[3], or leave it out."
            )
    if "generator.encoder_refine_levels" in typed and generator.encoder_refine._target_.endswith("NoRefine"):
        raise ConfigError(
            "generator.encoder_refine_levels: generator/encoder_refine=none leaves it out. "
            "Add generator/encoder_refine=resskip_standard, or leave it out."
        )


def _refuse_idle_losses(loss: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a typed setting of the loss shapes a term whose weight is 0; a preset may hold such."""
    judged, both = loss.get("adversarial"), loss.get("l1") and loss.get("ink_bce")
    idle = {
        "gan": not judged and "loss.adversarial is 0. Raise it, such as loss=ink_gan",
        "adversarial_from": not (judged or loss.get("category"))
        and loss.get("adversarial_from")
        and "loss.adversarial and loss.category are 0. Raise one, such as loss=ink_gan",
        "handover": not both and loss.get("handover") and "it needs loss.l1 and loss.ink_bce above 0. Raise both",
    }
    for key, reason in idle.items():
        if f"loss.{key}" in typed and reason:
            raise ConfigError(f"loss.{key}={loss.get(key)}: would never be used, since {reason}, or leave it out.")


def check_depth(cfg: DictConfig) -> None:
    """Raises: ConfigError if the images are too small to be halved as often as the generator halves them."""
    size, depth = int(cfg.data.size), cfg.generator.depth
    kept = 1 if cfg.generator.get("innermost_stride") == 1 else 0  # levels that do not halve
    deepest = size.bit_length() - 1 + kept
    if depth > deepest:
        larger = f" or data.size={2 ** (depth - kept)}" if depth - kept <= 9 else ""
        raise ConfigError(
            f"data.size={size} with generator.depth={depth}: {size} px can be halved {deepest - kept} times at most. "
            f"Use generator.depth={deepest}{larger}."
        )


def check_freeze(cfg: DictConfig) -> None:
    """Raises: ConfigError if trainer.freeze or trainer.train_only cannot be read, or there is nothing to hold still."""
    from fontgan.training.finetune import PARTS

    parts, only = cfg.trainer.freeze, cfg.trainer.train_only
    unknown = [name for name in parts or [] if name not in PARTS]
    if unknown:
        raise ConfigError(f"trainer.freeze: {unknown[0]} is no part. Choose of {', '.join(PARTS)}.")
    if only not in (None, "style"):
        raise ConfigError(f"trainer.train_only={only}: choose style, or null.")
    if parts and only:
        raise ConfigError(
            "trainer.freeze and trainer.train_only: the second freezes all but new rows. Give one of them."
        )
    if (parts or only) and cfg.init_from is None:
        # What is frozen from the start stays the random numbers it was drawn as; nobody means that.
        key = "freeze" if parts else "train_only"
        raise ConfigError(f"trainer.{key}: holds a trained network still, and none is given. Add init_from=RUN.")


def check_discriminator(cfg: DictConfig) -> None:
    """Raises: ConfigError where loss and discriminator do not go together, or one would be ignored."""
    wanted = cfg.loss.adversarial > 0 or cfg.loss.category > 0
    given = cfg.discriminator.get("_target_") is not None
    if wanted and not given:
        raise ConfigError(
            "discriminator=none, but loss.adversarial or loss.category is above 0. "
            "Use discriminator=patch (or zi2zi), or set both weights to 0."
        )
    if given and not wanted:
        raise ConfigError(
            "discriminator: would never be used, since loss.adversarial and loss.category are 0. "
            "Use discriminator=none, or loss=ink_gan, or loss.adversarial=0.02."
        )
    layers = cfg.discriminator.get("layers", 0)
    if given and cfg.data.size >> layers < 1:
        raise ConfigError(
            f"discriminator.layers={layers}: {cfg.data.size} px can be halved {cfg.data.size.bit_length() - 1} times at most."
        )
    if cfg.loss.category > 0 and cfg.discriminator.get("head", "category") != "category":
        raise ConfigError(
            "loss.category is above 0, but discriminator.head=projection names no category. "
            "Use discriminator.head=category or loss.category=0."
        )


def check_trainer(cfg: DictConfig) -> None:
    """Raises: ConfigError for numbers out of range."""
    from fontgan.training.rollback import check_on_divergence

    check_batch_size(cfg.trainer.batch_size)
    at_least: dict[str, tuple[Any, float]] = {
        "data.workers": (cfg.data.workers, 1),
        "trainer.accumulate": (cfg.trainer.accumulate, 1),
        "trainer.max_steps": (cfg.trainer.max_steps, 1),
        "trainer.stop_at": (cfg.trainer.stop_at, 1),
        "trainer.threads": (cfg.trainer.threads, 1),
        "trainer.log_every": (cfg.trainer.log_every, 1),
        "trainer.eval_every": (cfg.trainer.eval_every, 1),
        "trainer.save_every": (cfg.trainer.save_every, 1),
        "trainer.sheet_chars": (cfg.trainer.sheet_chars, 0),
        "trainer.grad_clip": (cfg.trainer.grad_clip, 0),
        "trainer.seed": (cfg.trainer.seed, 0),
        "optim.warmup_steps": (cfg.optim.warmup_steps, 0),
        "optim.lr": (cfg.optim.lr, 0),
        "optim.discriminator_lr": (cfg.optim.discriminator_lr, 0),
        "optim.final_lr_share": (cfg.optim.final_lr_share, 0),
    }
    for key, (value, lowest) in at_least.items():
        if value is not None and value < lowest:
            raise ConfigError(f"{key}={value}: {lowest:g} or more is needed.")
    if cfg.trainer.max_minutes is not None and cfg.trainer.max_minutes <= 0:
        raise ConfigError(
            f"trainer.max_minutes={cfg.trainer.max_minutes}: more than 0 is needed, or null for no limit."
        )
    check_freeze(cfg)
    check_on_divergence(cfg.trainer.on_divergence)
    if not 0 <= cfg.trainer.ema_decay < 1:
        raise ConfigError(f"trainer.ema_decay={cfg.trainer.ema_decay}: from 0 (no averaging) to below 1 is needed.")
    if cfg.trainer.compile not in ("auto", True, False):
        raise ConfigError(f"trainer.compile={cfg.trainer.compile}: choose one of auto, true, false.")


def check_batch_size(batch_size: Any) -> None:
    """Raises: ConfigError if it is no number of pairs, or cannot be shared out evenly among the processes."""
    from fontgan.runtime import distributed

    if batch_size == "auto":
        return
    if isinstance(batch_size, bool) or not isinstance(batch_size, int):
        raise ConfigError(f"trainer.batch_size={batch_size}: a whole number of pairs is needed, or auto.")
    if batch_size < 1:
        raise ConfigError(f"trainer.batch_size={batch_size}: 1 or more is needed.")
    processes = distributed.world_size()
    if batch_size % processes:
        below, above = batch_size // processes * processes, -(-batch_size // processes) * processes
        raise ConfigError(
            f"trainer.batch_size={batch_size}: cannot be shared out evenly among {processes} processes. "
            f"Use {f'{below} or ' if below else ''}{above}."
        )
