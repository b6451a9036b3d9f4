"""fontgan train -m: one run for each combination of the settings swept over, through Hydra's multirun.

The sweep's folder holds a folder for each job, and ``sweep.json``, which fontgan/jobs.py describes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from fontgan.build import (
    build_plan,
    check_config,
    choices,
    compose_prepared,
    find_origin,
    hydra_choices,
    hydra_here,
    job_folder,
    own_settings,
    prepare_overrides,
    readable,
    settle,
)
from fontgan.cli import set_up_logging
from fontgan.commands import train
from fontgan.data.pack import cache_folder, make_pack
from fontgan.distributed import asked_processes
from fontgan.errors import ConfigError, RunError, UserError
from fontgan.files import locked, user_path
from fontgan.jobs import DONE, FAILED, RUNNING, WAITING, Job, list_jobs, read_jobs, record
from fontgan.training import checkpoint as checkpoints

log = logging.getLogger(__name__)


def main(verb: str, overrides: list[str]) -> int:
    """Runs the jobs, each in its own folder of ``out``; a failed one does not end the sweep.

    Returns: 0, or 1 if a job failed.
    Raises: ConfigError, before any job starts, if a setting does not exist or fit.
    """
    assert verb == "train"
    if asked_processes() > 1:
        raise ConfigError(
            "-m: a sweep starts its runs itself. Start it without torchrun; launcher= runs several at once."
        )
    typed = prepare_overrides(overrides, sweep=True)
    first = compose_prepared("train", [_choices_of(override)[0] for override in _parse(typed)])
    parsed = _parse([*_ready_made(first, typed), *typed])
    _check_every_choice(parsed)
    some_job = [_choices_of(override)[0] for override in parsed]
    chosen = hydra_choices("train", some_job)
    shared = _shared(parsed)
    jobs = _jobs(parsed, shared) if chosen["hydra/sweeper"] == "basic" else []
    if not jobs and not first.data.holdout and not first.data.holdout_chars:
        raise ConfigError("data.holdout=0: a search needs held-out characters to score its trials by. Hold some out.")

    out = user_path(first.out).absolute()
    if chosen["hydra/launcher"] != "basic":
        # Here once, where the jobs would each begin with it. One whose data is bad says so itself.
        with suppress(UserError):
            cfg = compose_prepared("train", some_job)
            settle(cfg, some_job)
            origin = find_origin(cfg)
            plan = build_plan(cfg, origin.canvas if origin else None)
            make_pack(plan, cache_folder(cfg.data.cache))
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "another sweep"):
        before = {job.folder: job.starts for job in list_jobs(out, jobs)}
        log.info("sweep: %s", f"{len(jobs)} jobs in {out}" if jobs else f"a search in {out}")
        lines = [override.input_line or "" for override in parsed]
        lines += [
            f"hydra.job.config.override_dirname.exclude_keys=[{','.join(shared)}]",
            f"hydra.sweep.dir={_quoted(str(out))}",
        ]
        try:
            with hydra_here() as hydra:
                hydra.multirun("train", run_job, lines, with_log_configuration=False)
        except Exception as error:
            # A job keeps its errors to itself, so these are words of the launcher or the search.
            _say_how_it_went(out, before)
            words = " ".join(str(error).split()).rstrip(".")
            raise RunError(
                f"sweep: stopped ({type(error).__name__}: {words}). The same command goes on; finished jobs are kept."
            ) from error
    return 1 if _say_how_it_went(out, before) else 0


def _say_how_it_went(folder: Path, before: dict[str, int]) -> list[Job]:
    """Counts the jobs that have been started since, and lists the failed ones.

    Args:
        before: how often each job had been started before; a search cannot tell its jobs beforehand.
    Returns: the failed ones.
    """
    ran = [job for job in read_jobs(folder) if job.starts > before.get(job.folder, 0)]
    failed = [job for job in ran if job.status == FAILED]
    done = sum(job.status == DONE for job in ran)
    for job in failed:
        log.error("failed: %s: %s", job.folder, job.error)
    log.info("sweep: %d jobs done%s; see %s", done, f", {len(failed)} failed" if failed else "", folder / "sweep.json")
    return failed


def run_job(cfg: DictConfig) -> float | None:
    """One job, in whatever process or machine its launcher starts it.

    Returns: the score of its best checkpoint, which a search maximises; None if it failed or has none.
    """
    if not logging.getLogger("fontgan").handlers:
        set_up_logging(verbose=False)  # in a process of its own
    hydra = HydraConfig.get()
    out = Path(hydra.runtime.output_dir)
    overrides: Any = OmegaConf.to_container(hydra.overrides.task)
    own = own_settings(overrides, hydra.job.config.override_dirname.exclude_keys)
    job = Job(out.name, own)
    record(out.parent, job, status=RUNNING)
    log.info("job %d: %s", hydra.job.num + 1, out.name)
    error = None
    try:
        with open_dict(cfg):
            cfg.out, cfg.sweep.over = str(out), {}
        cfg = check_config("train", cfg)
        for sentence in settle(cfg, overrides):
            log.info("%s", sentence)
        values = {override.get_key_element().lstrip("+"): override.value() for override in _parse(overrides)}
        code = train.main(cfg, {key: _plain(values[key]) for key in own})
    except (UserError, OSError) as problem:
        error = " ".join(str(problem).split())
        log.error("%s: error: %s", out.name, error)
    except Exception as problem:
        error = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        log.exception("%s: failed", out.name)
    except BaseException:
        record(out.parent, job, status=WAITING)
        raise
    if error is not None:
        record(out.parent, job, status=FAILED, error=error)
        return None
    last = checkpoints.find(out, "last")
    record(out.parent, job, status=DONE if train.is_finished(cfg, last) else WAITING)
    if code >= 128:
        raise KeyboardInterrupt  # the user stopped this job, and means the sweep
    return checkpoints.find(out, "best").score


# -- what is swept over ---------------------------------------------------------------------


def _ready_made(cfg: DictConfig, typed: list[str]) -> list[str]:
    """The settings of ``sweep.over`` as overrides, but for those that were typed."""
    known = {override.key_or_group for override in _parse(typed)}
    over = cfg.sweep.over
    if not isinstance(over, DictConfig):
        said = "null" if over is None else over
        raise ConfigError(
            f"sweep.over={said}: settings with their values are needed, such as {{trainer.seed: [1, 2]}}."
        )
    lists: Any = OmegaConf.to_container(over)
    ready = [
        f"{key!s}={','.join(map(_as_typed, values)) if isinstance(values, list) else _as_typed(values)}"
        for key, values in lists.items()
        if key not in known
    ]
    return prepare_overrides(ready, sweep=True)


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(prepared: list[str]) -> list[Override]:
    """Raises: ConfigError if Hydra's grammar does not take an override."""
    parser = OverridesParser.create()
    parsed = []
    for line in prepared:
        try:
            override = parser.parse_override(line)
            names = override.value()
            if isinstance(names, Glob):  # listed here, since not every sweeper can
                variants = names.filter(choices(override.key_or_group))
                if not variants:
                    raise ConfigError(f"{readable(line)}: there is no such variant of {override.key_or_group}.")
                override = parser.parse_override(f"{override.get_key_element()}=choice({','.join(variants)})")
        except ConfigError:
            raise
        except (HydraException, ValueError, RecursionError) as error:  # ValueError: of numbers of thousands of digits
            raise ConfigError(f"{readable(line)[:200]}: cannot be read. Put the value in quotes.") from error
        parsed.append(override)
    return parsed


def _choices_of(override: Override) -> list[str]:
    """The overrides that a swept one stands for; of an interval its ends. Raises: ConfigError if there is none."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    key, values = override.get_key_element(), override.value()
    if isinstance(values, IntervalSweep):
        return [f"{key}={values.start}", f"{key}={values.end}"]
    try:
        lines = [f"{key}={value}" for value in override.sweep_string_iterator()]
    except (HydraException, ValueError) as error:
        raise ConfigError(f"{readable(override.input_line or key)}: {str(error).rstrip('.')}.") from error
    if not lines:
        raise ConfigError(f"{readable(override.input_line or key)}: stands for no value at all.")
    return lines


def _check_every_choice(parsed: list[Override]) -> None:
    """Composes the first job, and one more for each further choice, since Hydra itself would stop half-way."""
    options = [_choices_of(override) for override in parsed]
    first = [lines[0] for lines in options]
    settle(compose_prepared("train", first), first)
    for place, lines in enumerate(options):
        for line in lines[1:]:
            job = [*first[:place], line, *first[place + 1 :]]
            settle(compose_prepared("train", job), job)


def _shared(parsed: list[Override]) -> list[str]:
    """The settings that all jobs share, which are left out of their folders' names."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    return sorted(({override.key_or_group for override in parsed} | {"out"}) - swept)


def _jobs(parsed: list[Override], shared: Collection[str]) -> list[Job]:
    """The jobs that Hydra's own sweeper makes of the overrides, in its order.

    Raises: ConfigError for an interval, which only a search can sweep over.
    """
    try:
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        swept = [override.key_or_group for override in parsed if override.is_interval_sweep()]
        raise ConfigError(f"{' '.join(swept)}: an interval is swept over by a search. Add sweep=optuna.") from error
    settings = [own_settings(lines, shared) for lines in combinations]
    return [Job(job_folder(own), own) for own in settings]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, int | float | bool) else readable(str(value))
