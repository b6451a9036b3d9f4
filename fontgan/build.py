"""Config -> networks, optimisers, data and the training step.  What it builds takes plain arguments."""

import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from fontgan.config.compose import find_pretrained
from fontgan.config.data_plan import checked_plan
from fontgan.config.instantiate import build, build_generator, build_objective, try_losses
from fontgan.data.batches import PairSampler
from fontgan.data.pack import Pack, make_pack
from fontgan.errors import ConfigError, Faults, RunError, UserError
from fontgan.loggers import Logger
from fontgan.models.cost import parameters
from fontgan.models.predict import draw_glyphs
from fontgan.models.unet import EncodeDecode, UnetGenerator
from fontgan.runtime import distributed
from fontgan.runtime.accelerator import empty_cache
from fontgan.runtime.device import autocast, pick_precision
from fontgan.runtime.files import cache_folder
from fontgan.runtime.log_setup import quiet
from fontgan.training.finetune import PretrainedRun, freeze_parts, load_pretrained, stale_prototypes
from fontgan.training.memory import largest_batch
from fontgan.training.nearest_style import start_at_nearest_style
from fontgan.training.registration import Registration
from fontgan.training.step import TrainStep
from fontgan.training.trial import refuse_what_cannot_run

log = logging.getLogger(__name__)


def build_loggers(cfg: DictConfig, run: Path) -> list[Logger]:
    """The loggers of ``logger=``, which have written nothing yet. Raises: ConfigError if a package is not there."""
    return [build(node, f"logger.{name}", run=run) for name, node in (cfg.get("logger") or {}).items()]


def check_single_pixels(cfg: DictConfig, generator: UnetGenerator) -> None:
    """Raises: ConfigError if a norm would see a single value, of which it leaves nothing but its own bias."""
    size, shots = cfg.data.size, generator.style.shots
    batch = cfg.trainer.batch_size // (1 if cfg.trainer.sync_batch_norm else distributed.world_size())
    kinds = nn.GroupNorm | nn.InstanceNorm2d | nn.BatchNorm2d

    def look(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        channels, places = inputs[0].shape[1], inputs[0].shape[2:].numel()
        if isinstance(norm, nn.GroupNorm):
            seen = channels // norm.num_groups * places
        else:
            seen = places * (batch if isinstance(norm, nn.BatchNorm2d) else 1)
        if seen == 1:
            raise ConfigError(
                f"data.size={size} with generator.depth={cfg.generator.depth}: {type(norm).__name__} meets a map of a "
                "single pixel and would leave nothing of it. Use a smaller generator.depth, batch norm there with "
                "trainer.batch_size above 1, or generator.encoder_refine_levels without the innermost."
            )

    hooks = [module.register_forward_pre_hook(look) for module in generator.modules() if isinstance(module, kinds)]
    was_training = generator.training
    # One real glyph: torch's meta device would compute nothing, but takes seconds to import.
    with torch.no_grad():
        style = torch.zeros(1, shots, size, size) if shots else torch.zeros(1, generator.styles)
        try:
            generator.eval()(torch.zeros(1, generator.in_channels, size, size), style)
        finally:
            for hook in hooks:
                hook.remove()
            generator.train(was_training)


def build_parts(
    cfg: DictConfig, device: torch.device, precision: str, pretrained: PretrainedRun | None = None
) -> tuple[Pack, TrainStep, PairSampler]:
    """The data's pack, the networks with their optimisers, and the sampler, as the config says.

    Args:
        pretrained: of ``find_pretrained``; with a checkpoint its weights are taken over, without one they are still to come.
    Raises: UserError; what is quick to refuse is refused first.
    """
    objective, augment = build_objective(cfg.loss), build(cfg.data.augment, "data.augment")
    try_losses(cfg, objective)
    plan = checked_plan(cfg, pretrained)
    targets = [member.name for member in plan.styles]
    styles = pretrained.model_styles(targets) if pretrained else targets
    torch.manual_seed(cfg.trainer.seed)
    layout = torch.channels_last if cfg.trainer.channels_last else torch.contiguous_format
    if len(styles) > 1 and cfg.generator.style.get("_target_", "").endswith("NoStyle"):
        log.warning("generator/style=none with %d styles: all of them will be drawn alike.", len(styles))
    generator = build_generator(cfg, len(styles))
    if pretrained is not None and pretrained.checkpoint is not None:
        load_pretrained(generator, pretrained, styles)
    check_single_pixels(cfg, generator)
    pack = make_pack(plan, cache_folder(cfg.data.cache), workers=cfg.data.workers).for_model(styles)
    generator = _share_statistics(cfg, generator, device).to(device).to(memory_format=layout)  # type: ignore[call-overload]
    if pretrained is not None and pretrained.checkpoint is not None:
        draw = partial(draw_glyphs, generator, device=device, autocast=autocast(device, precision))
        start_at_nearest_style(generator, pretrained, pack, draw)
    if cfg.trainer.gradient_checkpointing:
        generator.set_grad_checkpointing()
    frozen_parts, num_frozen_styles = _freeze(cfg, generator, pretrained, targets)
    discriminator = build(cfg.discriminator, "discriminator", styles=len(styles))
    optimiser_d = None
    if discriminator is not None:
        discriminator = _share_statistics(cfg, discriminator, device).to(device).to(memory_format=layout)
        optimiser_d = _optimiser(cfg, discriminator, cfg.optim.discriminator_lr)
    compiled, registration = wants_compile(cfg, device), Registration(**cfg.trainer.registration)
    scaled = [
        name
        for name, network in (("g", generator), ("d", discriminator))
        if network is not None and precision == "fp16"
    ]
    train_step = TrainStep(
        generator, discriminator, objective,
        optimiser_g=_optimiser(cfg, generator, cfg.optim.lr), optimiser_d=optimiser_d,
        autocast=autocast(device, precision), ema_decay=cfg.trainer.ema_decay, grad_clip=cfg.trainer.grad_clip,
        scalers={name: GradScaler(device.type) for name in scaled},
        forward=torch.compile(EncodeDecode(generator)) if compiled else None,
        forward_d=torch.compile(discriminator) if compiled and discriminator is not None else None,
        registration=registration if registration.shift or registration.bend else None, frozen_parts=frozen_parts, num_frozen_styles=num_frozen_styles,
    )  # fmt: skip
    sampler = PairSampler(
        pack, batch_size=cfg.trainer.batch_size, seed=cfg.trainer.seed, augment=augment,
        guide_dropout=cfg.data.guide_dropout, balance=cfg.data.balance, shots=generator.style.shots,
        device=device, layout=layout, rank=distributed.rank(), world_size=distributed.world_size(),
    )  # fmt: skip
    return pack, train_step, sampler


def resolve_batch_size(cfg: DictConfig, begun: DictConfig | None, device: torch.device) -> None:
    """Puts a number where ``trainer.batch_size`` is auto: that of the run which is there already, or the largest that fits."""
    if cfg.trainer.batch_size != "auto":
        return
    number: Any = 0
    with distributed.main_first():
        if distributed.is_main():
            number = begun.trainer.batch_size if begun is not None else "auto"
            if number == "auto":
                number = _fitting_batch_size(cfg, device)
                log.info("trainer.batch_size=auto: %d pairs fit into the memory that is free", number)
    cfg.trainer.batch_size = int(distributed.all_reduce_max([number])[0])


def validate_on(cfg: DictConfig, device: torch.device) -> None:
    """The rules that depend on the machine. Raises: ConfigError with all that are broken."""
    faults, batch_size, processes = Faults(), cfg.trainer.batch_size, distributed.world_size()
    if batch_size % processes:
        below, above = batch_size // processes * processes, -(-batch_size // processes) * processes
        faults.found.append(
            f"trainer.batch_size={batch_size}: cannot be shared out evenly among {processes} processes. "
            f"Use {f'{below} or ' if below else ''}{above}."
        )
    with faults.gather():
        wants_compile(cfg, device)
    faults.raise_all()


def _fitting_batch_size(cfg: DictConfig, device: torch.device) -> int:
    """Pairs of the largest batch, over all processes, whose step fits; no more than there are pairs to train on."""
    processes = distributed.world_size()
    step, sampler = _throwaway(cfg, device, find_pretrained(cfg))
    most = max(1, len(sampler.pairs) // processes)
    sampler.close()
    return processes * largest_batch(step, cfg.data.size, device, most=most)


def _throwaway(
    cfg: DictConfig, device: torch.device, pretrained: PretrainedRun | None
) -> tuple[TrainStep, PairSampler]:
    """A training of batches of two pairs, to be tried out in this process alone."""
    tried, processes = cfg.copy(), distributed.world_size()
    tried.trainer.batch_size, tried.trainer.compile = 2 * processes, False
    tried.trainer.sync_batch_norm = False  # one process alone measures, and the others would not answer
    with quiet("fontgan"):
        _, step, sampler = build_parts(tried, device, pick_precision(cfg.trainer.precision, device), pretrained)
    return step, sampler


def try_on(cfg: DictConfig, device: torch.device, pretrained: PretrainedRun | None) -> None:
    """Tries the training out where torch lacks operations. Raises: ConfigError that names the part that cannot run."""
    if device.type == "mps":
        step, sampler = _throwaway(cfg, device, pretrained)
        refuse_what_cannot_run(step, sampler, device)
        sampler.close()


def batch_too_large(cfg: DictConfig, device: torch.device) -> RunError:
    """What to say when memory is full, with the batch that would fit; call it when nothing holds that memory any more."""
    batch_size, processes = cfg.trainer.batch_size, distributed.asked_processes()
    empty_cache(device)
    advice = "Lower generator.ngf or data.size"
    if isinstance(batch_size, int) and batch_size > processes:
        try:
            fits = min(_fitting_batch_size(cfg, device), batch_size // 2)
        except (UserError, RuntimeError):  # even the small batches that would tell do not fit
            advice = "Lower trainer.batch_size, generator.ngf or data.size"
        else:
            fits = max(processes, fits // processes * processes)
            batches = -(-batch_size * cfg.trainer.accumulate // fits)
            advice = f"About {fits} would: trainer.batch_size={fits}, with trainer.accumulate={batches} for as many a step, in another out="
    return RunError(
        f"trainer.batch_size={batch_size}: does not fit in the memory of {device.type}. {advice}; "
        "or use trainer.gradient_checkpointing=true, which takes less memory and more time."
    )


def _share_statistics(cfg: DictConfig, network: nn.Module, device: torch.device) -> Any:
    return distributed.with_shared_statistics(network, device) if cfg.trainer.sync_batch_norm else network


def _freeze(
    cfg: DictConfig, generator: UnetGenerator, pretrained: PretrainedRun | None, targets: Sequence[str]
) -> tuple[list[nn.Module], int]:
    """As ``freeze_parts``, and says what moves."""
    if pretrained is None:
        return [], 0
    frozen, num_frozen_styles = freeze_parts(
        generator, pretrained, targets, frozen=cfg.trainer.freeze or [], train_only=cfg.trainer.train_only
    )
    stale = stale_prototypes(generator, pretrained, targets)
    if stale:
        log.warning(
            "init_from: the reader of references is trained, and %s keep what the old one read, which fits no longer. "
            "Add trainer.freeze=[style], or name them in data.targets.",
            ", ".join(stale),
        )
    if frozen:
        trained = [p for p in generator.parameters() if p.requires_grad]
        moving = sum((p[num_frozen_styles:] if num_frozen_styles else p).numel() for p in trained)
        log.info("trained: %s of %s parameters", f"{moving:,}", f"{parameters(generator):,}")
    return frozen, num_frozen_styles


def _optimiser(cfg: DictConfig, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    make = build(cfg.optim.algorithm, "optim.algorithm")
    try:
        return make([p for p in network.parameters() if p.requires_grad], lr=lr)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"optim.algorithm: {error}.") from error


def wants_compile(cfg: DictConfig, device: torch.device) -> bool:
    """auto compiles on CUDA where there is a C compiler. Raises: ConfigError where true is asked for and cannot be."""
    setting, recompute = cfg.trainer.compile, cfg.trainer.gradient_checkpointing
    if setting == "auto":
        has_compiler = any(map(shutil.which, ("cc", "gcc", "clang")))  # Triton needs one
        return device.type == "cuda" and has_compiler and not recompute
    if setting and recompute:
        raise ConfigError(
            "trainer.compile=true: cannot keep batch norm's statistics still where trainer.gradient_checkpointing=true "
            "computes again. Leave one of them out."
        )
    if setting and device.type == "mps":
        raise ConfigError("trainer.compile=true: is for CUDA and CPUs, not for trainer.device=mps. Use compile=false.")
    if setting and device.type == "cpu" and not (shutil.which("g++") or shutil.which("clang++")):
        raise ConfigError("trainer.compile=true: torch needs a C++ compiler on CPUs. Install g++ or use compile=false.")
    return bool(setting)
