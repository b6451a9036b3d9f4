"""fontgan train: fit a generator to glyph pairs, or go on with a run that was stopped."""

from __future__ import annotations

import copy
import logging
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from fontgan import __version__, distributed
from fontgan.build import (
    build,
    build_generator,
    check_depth,
    check_discriminator,
    check_held_still,
    check_single_pixels,
    differences,
    find_origin,
    load_config,
)
from fontgan.commands.check import checked_plan
from fontgan.data.batches import PairSampler
from fontgan.data.pack import Pack, cache_folder, make_pack
from fontgan.device import autocast, describe, out_of_memory, pick_device, pick_precision
from fontgan.errors import ConfigError, RunError, UserError
from fontgan.files import locked, user_path, write_whole
from fontgan.logs import OneLineFormatter, quiet
from fontgan.models.cost import parameters
from fontgan.models.draw import draw_glyphs
from fontgan.models.unet import UnetGenerator
from fontgan.training import checkpoint as checkpoints
from fontgan.training.memory import largest_batch
from fontgan.training.objective import Objective
from fontgan.training.profiler import StepProfiler
from fontgan.training.step import TrainStep
from fontgan.training.track import Tracker
from fontgan.training.trainer import STOPPED, Cadence, Schedule, Trainer, check_on_divergence
from fontgan.training.transfer import (
    Origin,
    codes_of_an_older_reader,
    hold_still,
    take_over,
)

log = logging.getLogger(__name__)

# Keys that may differ when a run is resumed: they change where, how long or how often, not what is learned.
FREE_ON_RESUME = (
    "out", "data.cache", "data.workers", "trainer.device", "trainer.compile", "trainer.gradient_checkpointing",
    "trainer.threads", "trainer.max_steps", "trainer.max_minutes", "trainer.stop_at", "trainer.log_every",
    "trainer.eval_every", "trainer.save_every", "trainer.sheet_chars", "trainer.profile", "trainer.on_divergence",
    "generator.match_params", "sweep.budget",
)  # fmt: skip

Settings = dict[str, str | int | float | bool]


def main(cfg: DictConfig, swept: Settings | None = None) -> int:
    """Trains in ``cfg.out``, from the start or from its last checkpoint; a finished run is left as it is.

    Args:
        swept: settings that tell this run from the others of its sweep, for TensorBoard's HParams.
    Returns: exit code.
    """
    out = user_path(cfg.out)
    if cfg.sweep.over:
        over = ", ".join(map(str, cfg.sweep.over)) if isinstance(cfg.sweep.over, DictConfig) else cfg.sweep.over
        raise ConfigError(f"sweep.over: asks for several runs, over {over}. Add -m, or use sweep=none.")
    device = pick_device(cfg.trainer.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all batches have one shape, so trying the algorithms once pays
    try:
        with distributed.together(device):
            return _train_in(out, cfg, device, swept or {})
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    # Out here nothing holds the error any more, whose frames hold what filled the memory.
    raise _too_large(cfg, device)


def _train_in(out: Path, cfg: DictConfig, device: torch.device, swept: Settings) -> int:
    """As ``main``, in every process; the main one does first what leaves files, or finds out what is wrong."""
    # Until all parts are built nothing is written: a refused command leaves no half-made run behind.
    with _kept_messages() as messages, ExitStack() as held:
        settle_batch_size(cfg, out, device)
        with distributed.main_first():
            check_trainer(cfg)
            check_discriminator(cfg)
            last = _look_into(out, cfg)
            if finished := last is not None and is_finished(cfg, last):
                _tidy(out, last)
            else:
                precision = pick_precision(cfg.trainer.precision, device)
                if cfg.trainer.threads:
                    torch.set_num_threads(cfg.trainer.threads)
                origin = find_origin(cfg, last)
                pack, train_step, sampler = build_parts(cfg, device, precision, origin)
                if last is not None and last.facts.get("pack") != pack.path.name:
                    raise RunError(
                        f"out={out}: its glyphs have changed since (a font, a folder or the way they are drawn). "
                        "Train in another out=, or bring the old files back."
                    )
        if finished:
            return 0
        with distributed.main_first():
            if distributed.is_main():
                out.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(out, "another training"))
                held.enter_context(_into_file(messages, out / "train.log"))
                checkpoints.clear_leftovers(out, last)
            with quiet("fontgan"):
                last = _look_into(out, cfg)  # once more: another process may have trained while this one waited
            if last is None and distributed.is_main():
                write_whole(out / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        seen = distributed.from_all(last.step if last else 0)
        if len(set(seen)) > 1:
            raise distributed.said_once(
                RunError(
                    f"out={out}: the processes see different checkpoints there (of steps {', '.join(map(str, seen))}). "
                    "A shared folder may need a moment; start again, or see that all of them have the same one."
                )
            )
        average_over_processes(train_step, cfg.data.size)
        facts = _facts(pack, origin, device, precision)
        return _train(cfg, out, last, pack, train_step, sampler, device, precision, facts, swept)


def _tidy(out: Path, last: checkpoints.Checkpoint) -> None:
    """Leaves a finished run as it is, but for what a killed process left there."""
    if distributed.is_main():
        with locked(out, "another training"):
            checkpoints.clear_leftovers(out, last)
    log.info("finished at step %d before; nothing is left to do in %s", last.step, out)


def average_over_processes(train_step: TrainStep, size: int) -> None:
    """From now on every process's gradients are the mean over all of them; all must call this at once."""
    if distributed.world_size() == 1:
        return
    train_step.forward = distributed.averaging(train_step.forward, [])
    if train_step.discriminator is not None:
        idle = heads_without_loss(
            train_step.discriminator, train_step.objective, size=size, styles=train_step.generator.styles
        )
        train_step.forward_d = distributed.averaging(train_step.forward_d, idle)


def heads_without_loss(discriminator: nn.Module, objective: Objective, *, size: int, styles: int) -> list[nn.Parameter]:
    """The discriminator's parameters that no term of its own update reaches, such as a category head with loss.category=0.

    Found on torch's meta device, where nothing is computed.
    """
    meta = copy.deepcopy(discriminator).to("meta").eval()
    image, style = torch.zeros(1, 1, size, size, device="meta"), torch.zeros(1, styles, device="meta")
    verdict = meta(image, image, style)
    terms = objective.discrimination(verdict, verdict, style)
    reached = torch.autograd.grad(sum(terms.values()), list(meta.parameters()), allow_unused=True)  # type: ignore[arg-type]
    return [ours for ours, found in zip(discriminator.parameters(), reached, strict=True) if found is None]


def is_finished(cfg: DictConfig, last: checkpoints.Checkpoint) -> bool:
    """Whether the training that ``cfg`` asks for ended with this checkpoint."""
    return _schedule(cfg).progress(last.step, float(last.facts.get("minutes", 0))) >= 1


def _schedule(cfg: DictConfig) -> Schedule:
    return Schedule(cfg.trainer.max_steps, cfg.trainer.max_minutes, cfg.optim.warmup_steps, cfg.optim.final_lr_share)


def build_parts(
    cfg: DictConfig, device: torch.device, precision: str, origin: Origin | None = None
) -> tuple[Pack, TrainStep, PairSampler]:
    """The data's pack, the networks with their optimisers, and the sampler, as the config says.

    Args:
        origin: of ``find_origin``; with a checkpoint its weights are taken over, without one they are still to come.
    Raises: UserError; what is quick to refuse is refused first.
    """
    check_depth(cfg)
    objective, augment = build(cfg.loss, "loss"), build(cfg.data.augment, "data.augment")
    plan = checked_plan(cfg, origin)
    targets = [member.name for member in plan.styles]
    styles = origin.model_styles(targets) if origin else targets
    torch.manual_seed(cfg.trainer.seed)
    layout = torch.channels_last if cfg.trainer.channels_last else torch.contiguous_format
    if len(styles) > 1 and cfg.generator.style.get("_target_", "").endswith("NoStyle"):
        log.warning("generator/style=none with %d styles: all of them will be drawn alike.", len(styles))
    generator = build_generator(cfg, len(styles))
    if origin is not None and origin.checkpoint is not None:
        take_over(generator, origin, styles)
    check_single_pixels(cfg, generator)
    generator = _share_statistics(cfg, generator, device).to(device).to(memory_format=layout)  # type: ignore[call-overload]
    if cfg.trainer.gradient_checkpointing:
        generator.recompute_in_backward()
    frozen_parts, kept_rows = _hold_still(cfg, generator, origin, targets)
    discriminator = build(cfg.discriminator, "discriminator", styles=len(styles))
    optimiser_d = None
    if discriminator is not None:
        discriminator = _share_statistics(cfg, discriminator, device).to(device).to(memory_format=layout)
        optimiser_d = _optimiser(cfg, discriminator, cfg.optim.discriminator_lr)
    compiled = wants_compile(cfg, device)
    judge = torch.compile(discriminator) if compiled and discriminator is not None else None
    train_step = TrainStep(
        generator,
        discriminator,
        objective,
        optimiser_g=_optimiser(cfg, generator, cfg.optim.lr),
        optimiser_d=optimiser_d,
        autocast=autocast(device, precision),
        forward=torch.compile(generator) if compiled else None,
        forward_d=judge,
        judge=judge,
        ema=cfg.trainer.ema,
        grad_clip=cfg.trainer.grad_clip,
        frozen_parts=frozen_parts,
        kept_rows=kept_rows,
    )
    pack = make_pack(plan, cache_folder(cfg.data.cache), workers=cfg.data.workers).for_model(styles)
    shots = generator.reference_style.shots if generator.reference_style is not None else 0
    sampler = PairSampler(
        pack,
        batch_size=cfg.trainer.batch_size,
        seed=cfg.trainer.seed,
        augment=augment,
        shots=shots,
        device=device,
        layout=layout,
        rank=distributed.rank(),
        world_size=distributed.world_size(),
    )
    return pack, train_step, sampler


def settle_batch_size(cfg: DictConfig, out: Path, device: torch.device) -> None:
    """Puts a number where ``trainer.batch_size`` is auto: that of the run which is there already, or the largest that fits.

    Raises: UserError; what is quick to refuse is refused first.
    """
    if cfg.trainer.batch_size != "auto":
        return
    with distributed.main_first():
        if distributed.is_main():
            check_trainer(cfg)
            check_discriminator(cfg)
            with quiet("fontgan"):  # the one that goes on from a checkpoint says what is damaged
                begun = _begun_with(out, checkpoints.newest_intact(out))
            number = begun.trainer.batch_size if begun is not None else None
            if not isinstance(number, int):
                number = _fitting_batch_size(cfg, device)
                log.info("trainer.batch_size=auto: %d pairs fit into the memory that is free", number)
            cfg.trainer.batch_size = number
    number = cfg.trainer.batch_size if distributed.is_main() else 0
    cfg.trainer.batch_size = int(distributed.agree_on_largest([number])[0])


def _fitting_batch_size(cfg: DictConfig, device: torch.device) -> int:
    """Pairs of the largest batch, over all processes, whose step fits; no more than there are pairs to train on."""
    processes = distributed.world_size()
    tried = cfg.copy()
    tried.trainer.batch_size, tried.trainer.compile = 2 * processes, False
    tried.trainer.sync_batch_norm = False  # one process alone measures, and the others would not answer
    with quiet("fontgan"):
        _, step, sampler = build_parts(
            tried, device, pick_precision(cfg.trainer.precision, device), find_origin(cfg, None)
        )
    most = max(1, len(sampler.pairs) // processes)
    sampler.close()
    return processes * largest_batch(step, cfg.data.size, device, most=most)


def _too_large(cfg: DictConfig, device: torch.device) -> RunError:
    """What to say when memory is full, with the batch that would fit; call it when nothing holds that memory any more."""
    batch_size, processes = cfg.trainer.batch_size, distributed.asked_processes()
    if device.type == "cuda":
        torch.cuda.empty_cache()
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


def _hold_still(
    cfg: DictConfig, generator: UnetGenerator, origin: Origin | None, targets: Sequence[str]
) -> tuple[list[nn.Module], int]:
    """As ``hold_still``, and says what moves."""
    if origin is None:
        return [], 0
    frozen, kept_rows = hold_still(
        generator, origin, targets, frozen=cfg.trainer.freeze or [], train_only=cfg.trainer.train_only
    )
    stale = codes_of_an_older_reader(generator, origin, targets)
    if stale:
        log.warning(
            "init_from: the reader of references is trained, and %s keep what the old one read, which fits no longer. "
            "Add trainer.freeze=[style], or name them in data.targets.",
            ", ".join(stale),
        )
    if frozen:
        moving = sum(
            p[kept_rows:].numel() if kept_rows else p.numel() for p in generator.parameters() if p.requires_grad
        )
        log.info("trained: %s of %s parameters", f"{moving:,}", f"{parameters(generator):,}")
    return frozen, kept_rows


def _optimiser(cfg: DictConfig, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    make = build(cfg.optim.algorithm, "optim.algorithm")
    try:
        optimiser: torch.optim.Optimizer = make([p for p in network.parameters() if p.requires_grad], lr=lr)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"optim.algorithm: {error}.") from error
    return optimiser


def _train(
    cfg: DictConfig,
    out: Path,
    last: checkpoints.Checkpoint | None,
    pack: Pack,
    train_step: TrainStep,
    sampler: PairSampler,
    device: torch.device,
    precision: str,
    facts: dict[str, Any],
    swept: Settings,
) -> int:
    config_yaml = OmegaConf.to_yaml(cfg, resolve=True)
    processes = distributed.world_size()
    compute = autocast(device, precision)
    tracker = Tracker(
        out,
        pack,
        lambda source, style: draw_glyphs(train_step.averaged, source, style, device=device, autocast=compute),
        sheet_chars=cfg.trainer.sheet_chars,
        from_step=last.step if last else 0,
    )
    trainer = Trainer(
        out,
        train_step,
        sampler,
        tracker=tracker,
        schedule=_schedule(cfg),
        cadence=Cadence(cfg.trainer.log_every, cfg.trainer.eval_every, cfg.trainer.save_every),
        accumulate=cfg.trainer.accumulate,
        device=device,
        stop_at=cfg.trainer.stop_at,
        on_divergence=cfg.trainer.on_divergence,
        facts=facts,
        config_yaml=config_yaml,
        profiler=StepProfiler(out, device) if cfg.trainer.profile and distributed.is_main() else None,
    )
    if last is not None:
        trainer.resume(last)
        if distributed.is_main():
            write_whole(out / "config.yaml", config_yaml)  # with what may differ from the earlier start
        log.info("goes on from step %d in %s", last.step, out)
    elif processes > 1:
        distributed.own_random_stream(cfg.trainer.seed, 0)
    tracker.config(trainer.step, config_yaml)
    millions = parameters(train_step.generator) / 1e6
    log.info("generator of %.2f M parameters (ngf %d) on %s", millions, cfg.generator.ngf, describe(device, precision))
    if processes > 1:
        log.info("%d processes, %d pairs of a batch each", processes, sampler.batch_size // processes)
    try:
        result = trainer.fit()
        if trainer.profiler is not None:
            trainer.profiler.close()
        if result != STOPPED:
            there = checkpoints.all_checkpoints(out)
            last_scores, best_scores = (c.facts["scores"] for c in (there[-1], checkpoints.best(there)))
            tracker.result(trainer.step, _settings_to_compare(cfg) | swept, last_scores, best_scores)
    finally:
        tracker.close()
        sampler.close()
    if result == STOPPED:
        limit = cfg.trainer.max_minutes
        of = f" after {trainer.minutes:.1f} of {limit:g} minutes" if limit else f" of {cfg.trainer.max_steps}"
        log.info("stopped at step %d%s and saved; the same command goes on (out=%s)", trainer.step, of, out)
        return 128 + trainer.stopped_by if trainer.stopped_by else 0
    log.info("finished at step %d after %.1f minutes; look at %s", trainer.step, trainer.minutes, out / "sheet.png")
    log.info("draw with it: fontgan infer checkpoint=%s out=DIR style=%s text=...", out, pack.styles[0])
    return 0


def _settings_to_compare(cfg: DictConfig) -> Settings:
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


@contextmanager
def _kept_messages() -> Iterator[MemoryHandler]:
    """Keeps what is said before the run's folder exists, for its log file."""
    handler = MemoryHandler(10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    logger = logging.getLogger("fontgan")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log file whose own failure to write says nothing: the full disk is told once, by what must be saved."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


@contextmanager
def _into_file(messages: MemoryHandler, file: Path) -> Iterator[None]:
    """Writes kept and coming messages into ``train.log``."""
    target = _LogFile(file, encoding="utf-8")
    target.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(message)s"))
    messages.setTarget(target)
    messages.flush()
    logger = logging.getLogger("fontgan")
    logger.removeHandler(messages)
    logger.addHandler(target)
    try:
        yield
    except (UserError, OSError) as error:
        target.handle(logging.makeLogRecord({"levelname": "ERROR", "msg": " ".join(str(error).split())}))
        raise
    finally:
        logger.removeHandler(target)
        target.close()


def check_trainer(cfg: DictConfig) -> None:
    """Raises: ConfigError for numbers out of range."""
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
    check_held_still(cfg)
    check_on_divergence(cfg.trainer.on_divergence)
    if not 0 <= cfg.trainer.ema < 1:
        raise ConfigError(f"trainer.ema={cfg.trainer.ema}: from 0 (no averaging) to below 1 is needed.")
    if cfg.trainer.compile not in ("auto", True, False):
        raise ConfigError(f"trainer.compile={cfg.trainer.compile}: choose one of auto, true, false.")


def check_batch_size(batch_size: Any) -> None:
    """Raises: ConfigError if it is no number of pairs, or cannot be shared out evenly among the processes."""
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


def wants_compile(cfg: DictConfig, device: torch.device) -> bool:
    """auto compiles on CUDA where there is a C compiler.

    Raises: ConfigError where compiling is asked for and there is no C++ compiler, or what cannot be compiled.
    """
    setting, recompute = cfg.trainer.compile, cfg.trainer.gradient_checkpointing
    if setting == "auto":
        has_compiler = any(map(shutil.which, ("cc", "gcc", "clang")))  # Triton needs one
        return device.type == "cuda" and has_compiler and not recompute
    if setting and recompute:
        raise ConfigError(
            "trainer.compile=true: cannot keep batch norm's statistics still where trainer.gradient_checkpointing=true "
            "computes again. Leave one of them out."
        )
    if setting and device.type == "cpu" and not (shutil.which("g++") or shutil.which("clang++")):
        raise ConfigError(
            "trainer.compile=true: torch needs a C++ compiler for the CPU. Install g++ or use compile=false."
        )
    return bool(setting)


def _look_into(out: Path, cfg: DictConfig) -> checkpoints.Checkpoint | None:
    """The last checkpoint if ``out`` holds this very run, None if it is free.

    Raises: RunError if it holds a different run or files of another kind.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"out={out}: is a file. Name a folder.")
    for name in ("train.log", "metrics.jsonl"):  # which are appended to
        if (out / name).is_symlink():
            raise RunError(f"{out / name}: is a link, and a run writes into its own folder alone. Remove it.")
    last = checkpoints.newest_intact(out)
    begun = _begun_with(out, last)
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


def _begun_with(out: Path, last: checkpoints.Checkpoint | None) -> DictConfig | None:
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


def _facts(pack: Pack, origin: Origin | None, device: torch.device, precision: str) -> dict[str, Any]:
    started = {} if origin is None else {"init_from": origin.facts()}
    return {
        "styles": list(pack.model_styles),
        **started,
        "pack": pack.path.name,
        "data": pack.manifest if origin is None else origin.manifest(pack.manifest),
        "made_with": {
            "fontgan": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": describe(device, precision),
        },
    }
