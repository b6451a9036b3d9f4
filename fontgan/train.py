"""A training from its config: open the run folder, build the parts, fit, or go on with a run that was stopped."""

import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from fontgan.build import batch_too_large, build_loggers, build_parts, resolve_batch_size, try_on, validate_on
from fontgan.config.compose import find_pretrained
from fontgan.config.guides_here import go_on_with_guides
from fontgan.errors import ConfigError, RunError
from fontgan.models.cost import parameters
from fontgan.models.predict import draw_glyphs
from fontgan.run_folder import RunFolder, RunLock, Settings, plan_of, run_metadata, settings_to_compare
from fontgan.runtime import distributed
from fontgan.runtime.device import describe, out_of_memory, pick_device, pick_precision
from fontgan.runtime.files import atomic_write, user_path
from fontgan.runtime.log_setup import kept_messages, log_into_file, quiet
from fontgan.training import checkpoint as checkpoints
from fontgan.training.evaluator import Evaluator
from fontgan.training.profiler import StepProfiler
from fontgan.training.run_logger import RunLogger
from fontgan.training.state import TrainingState
from fontgan.training.step import average_over_processes
from fontgan.training.trainer import Trainer

log = logging.getLogger(__name__)


def train(cfg: DictConfig, swept: Settings | None = None, device: torch.device | None = None) -> int:
    """Trains in ``cfg.out``, from the start or from its last checkpoint; a finished run is left as it is.

    Args:
        swept: what tells this run from the others of its sweep, for TensorBoard's HParams.
        device: that of the sweep for this job; None takes the one that the config names.
    Returns: exit code.
    """
    if cfg.sweep.over:
        over = ", ".join(map(str, cfg.sweep.over)) if isinstance(cfg.sweep.over, DictConfig) else cfg.sweep.over
        raise ConfigError(f"sweep.over: asks for several runs, over {over}. Add -m, or use sweep=none.")
    device = device or pick_device(cfg.trainer.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all batches have one shape, so trying the algorithms once pays
    try:
        with distributed.process_group(device):
            return _run(cfg, user_path(cfg.out), device, swept or {})
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    # Out here nothing holds the error any more, whose frames hold what filled the memory.
    raise batch_too_large(cfg, device)


def _run(cfg: DictConfig, out: Path, device: torch.device, swept: Settings) -> int:
    """Opens the run's folder, validates, builds, fits; in every process, the main one first where files are involved."""
    # Until all parts are built nothing is written: a refused command leaves no half-made run behind.
    with kept_messages() as messages, RunLock(out) as lock, ExitStack() as held:
        with distributed.main_first():
            if distributed.is_main():
                lock.take_if_begun()  # before it is read: what another training removes meanwhile would look damaged
            run = RunFolder.open(out)
        resolve_batch_size(cfg, run.config, device)
        go_on_with_guides(cfg, run.config)
        with distributed.main_first():
            validate_on(cfg, device)
            run.check_same_run(cfg)
            if run.is_finished(cfg):
                run.tidy(lock)
        if run.is_finished(cfg):
            return 0
        precision = pick_precision(cfg.trainer.precision, device)
        if cfg.trainer.threads:
            torch.set_num_threads(cfg.trainer.threads)
        with distributed.main_first():
            pretrained = find_pretrained(cfg, run.last)
            loggers = build_loggers(cfg, out) if distributed.is_main() else []
            try_on(cfg, device, pretrained)
            pack, train_step, sampler = build_parts(cfg, device, precision, pretrained)
            run.check_same_glyphs(pack)
        with distributed.main_first():
            if distributed.is_main():
                lock.take()
                held.enter_context(log_into_file(messages, out / "train.log"))
                checkpoints.clear_leftovers(out, run.last)
            with quiet("fontgan"):
                run = RunFolder.open(out)  # once more: another process may have trained while this one waited
                run.check_same_run(cfg)
            if run.last is None and distributed.is_main():
                atomic_write(out / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        _check_same_everywhere(run)
        average_over_processes(train_step, cfg.data.size)
        metadata, config_yaml = run_metadata(pack, pretrained, device, precision), OmegaConf.to_yaml(cfg, resolve=True)
        state = TrainingState(out, train_step, sampler, device=device, metadata=metadata, config_yaml=config_yaml)
        _begin(cfg, state, run.last, precision)
        draw = partial(draw_glyphs, train_step.generator_ema, device=device, autocast=train_step.autocast)
        evaluator = Evaluator(pack, train_step.generator_ema, draw, cfg.trainer.sheet_chars, cfg.trainer.sheet_styles)
        logger = RunLogger(out, loggers, from_step=state.step)
        profiler = StepProfiler(out, device) if cfg.trainer.profile and distributed.is_main() else None
        return _fit(cfg, Trainer(state, plan_of(cfg), evaluator=evaluator, logger=logger, profiler=profiler), swept)


def _check_same_everywhere(run: RunFolder) -> None:
    """Raises: RunError, in all processes alike, if they see different checkpoints."""
    seen = distributed.all_gather(run.last.step if run.last else 0)
    if len(set(seen)) > 1:
        error = RunError(
            f"out={run.path}: the processes see different checkpoints there (of steps {', '.join(map(str, seen))}). "
            "A shared folder may need a moment; start again, or see that all of them have the same one."
        )
        raise distributed.raise_on_main(error)


def _begin(cfg: DictConfig, state: TrainingState, last: checkpoints.Checkpoint | None, precision: str) -> None:
    """Goes on from the last checkpoint, if there is one, and says what is trained."""
    processes = distributed.world_size()
    if last is not None:
        state.resume(last)
        if distributed.is_main():
            atomic_write(state.run / "config.yaml", state.config_yaml)  # with what may differ from the earlier start
        log.info("goes on from step %d in %s", last.step, state.run)
    elif processes > 1:
        distributed.own_random_stream(cfg.trainer.seed, 0)
    millions, where = parameters(state.train_step.generator) / 1e6, describe(state.device, precision)
    log.info("generator of %.2f M parameters (ngf %d) on %s", millions, cfg.generator.ngf, where)
    if processes > 1:
        log.info("%d processes, %d pairs of a batch each", processes, state.sampler.batch_size // processes)


def _fit(cfg: DictConfig, trainer: Trainer, swept: Settings) -> int:
    """Trains, and says how it ended. Returns: exit code."""
    state, logger = trainer.state, trainer.logger
    try:
        logger.config(state.step, state.config_yaml)
        finished = trainer.fit()
        if trainer.profiler is not None:
            trainer.profiler.close()
        if finished:
            there = checkpoints.all_checkpoints(state.run)
            last_scores, best_scores = (c.metadata["scores"] for c in (there[-1], checkpoints.best(there)))
            logger.result(state.step, settings_to_compare(cfg) | swept, last_scores, best_scores)
    finally:
        logger.close()
        state.sampler.close()
    if not finished:
        limit = cfg.trainer.max_minutes
        of = f" after {state.minutes:.1f} of {limit:g} minutes" if limit else f" of {cfg.trainer.max_steps}"
        log.info("stopped at step %d%s and saved; the same command goes on (out=%s)", state.step, of, state.run)
        return 128 + trainer.stopped_by if trainer.stopped_by else 0
    log.info("finished at step %d after %.1f minutes; look at %s", state.step, state.minutes, state.run / "sheet.png")
    style = state.sampler.pack.styles[0]
    log.info("draw with it: fontgan infer checkpoint=%s out=DIR style=%s text=...", state.run, style)
    return 0
