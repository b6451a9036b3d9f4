"""fontgan train -m: one run for each combination of the settings swept over, through Hydra's multirun.

The sweep's folder holds a folder for each job, and ``sweep.json``: {"format": 1, "jobs": [job, ...]} with

    folder      the job's folder in the sweep's
    overrides   what tells it from the others, setting -> value as typed
    status      waiting, running, done or failed; a job whose process was killed stays "running" until it runs again
    error       why it failed, in one line, or null
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from fontgan.build import (
    build_plan,
    check_config,
    compose_prepared,
    hydra_choices,
    hydra_here,
    job_folder,
    prepare_overrides,
    readable,
    settle,
)
from fontgan.cli import set_up_logging
from fontgan.commands import train
from fontgan.data.pack import cache_folder, make_pack
from fontgan.errors import ConfigError, RunError, UserError
from fontgan.files import locked, write_whole
from fontgan.training import checkpoint as checkpoints

log = logging.getLogger(__name__)

FORMAT = 1
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Job:
    """A line of ``sweep.json``."""

    folder: str
    overrides: dict[str, str] = field(default_factory=dict)
    status: str = WAITING
    error: str | None = None


def main(verb: str, overrides: list[str]) -> int:
    """Runs the jobs, each in its own folder of ``out``; a failed one does not end the sweep.

    Returns: 0, or 1 if a job failed.
    Raises: ConfigError, before any job starts, if a setting does not exist or fit.
    """
    assert verb == "train"
    typed = prepare_overrides(overrides, sweep=True)
    first = compose_prepared("train", [_choices_of(override)[0] for override in _parse(typed)])
    parsed = _parse([*_ready_made(first, typed), *typed])
    _check_every_choice(parsed)
    some_job = [_choices_of(override)[0] for override in parsed]
    chosen = hydra_choices("train", some_job)
    jobs = _jobs(parsed) if chosen["hydra/sweeper"] == "basic" else []
    if not jobs and not first.data.holdout and not first.data.holdout_chars:
        raise ConfigError("data.holdout=0: a search needs held-out characters to score its trials by. Hold some out.")

    out = Path(first.out).expanduser().absolute()
    if chosen["hydra/launcher"] != "basic":
        # Here once, where the jobs would each begin with it.
        cfg = compose_prepared("train", some_job)
        make_pack(build_plan(cfg), cache_folder(cfg.data.cache))
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "another sweep"):
        _list_jobs(out, jobs)
        log.info("sweep: %s", f"{len(jobs)} jobs in {out}" if jobs else f"a search in {out}")
        lines = [override.input_line or "" for override in parsed]
        lines += [_name_folders_by_what_varies(parsed), f"hydra.sweep.dir={_quoted(str(out))}"]
        try:
            with hydra_here() as hydra:
                hydra.multirun("train", run_job, lines, with_log_configuration=False)
        except Exception as error:
            # A job keeps its errors to itself, so these are words of the launcher or the search.
            _say_how_it_went(out, jobs)
            words = " ".join(str(error).split()).rstrip(".")
            raise RunError(
                f"sweep: stopped ({type(error).__name__}: {words}). The same command goes on; finished jobs are kept."
            ) from error
    return 1 if _say_how_it_went(out, jobs) else 0


def _say_how_it_went(folder: Path, jobs: list[Job]) -> list[Job]:
    """Counts the jobs and lists the failed ones; of a search all, since it cannot tell its jobs beforehand.

    Returns: the failed ones.
    """
    names = {job.folder for job in jobs}
    ran = [job for job in read_jobs(folder) if job.folder in names or not names]
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
    swept = {
        override.key_or_group: override
        for override in _parse(list(hydra.overrides.task))
        if override.key_or_group not in hydra.job.config.override_dirname.exclude_keys
    }
    job = Job(out.name, {key: readable(override.get_value_element_as_str()) for key, override in swept.items()})
    record(out.parent, job, status=RUNNING)
    log.info("job %d: %s", hydra.job.num + 1, out.name)
    error = None
    try:
        with open_dict(cfg):
            cfg.out, cfg.sweep.over = str(out), {}
        cfg = check_config("train", cfg)
        for sentence in settle(cfg):
            log.info("%s", sentence)
        code = train.main(cfg, {key: _plain(override.value()) for key, override in swept.items()})
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
    over = OmegaConf.to_container(cfg.sweep.over)
    if not isinstance(over, dict):
        raise ConfigError(
            f"sweep.over={over}: settings with their values are needed, such as {{trainer.seed: [1, 2]}}."
        )
    ready = [
        f"{key!s}={','.join(map(_as_typed, values)) if isinstance(values, list) else _as_typed(values)}"
        for key, values in over.items()
        if key not in known
    ]
    return prepare_overrides(ready, sweep=True)


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(prepared: list[str]) -> list[Override]:
    """Raises: ConfigError if Hydra's grammar does not take an override."""
    parsed = []
    for override in prepared:
        try:
            parsed.append(OverridesParser.create().parse_override(override))
        except HydraException as error:
            raise ConfigError(f"{readable(override)}: cannot be read. Put the value in quotes.") from error
    return parsed


def _choices_of(override: Override) -> list[str]:
    """The overrides that a swept one stands for; of an interval its ends."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    key, values = override.get_key_element(), override.value()
    if isinstance(values, IntervalSweep):
        return [f"{key}={values.start}", f"{key}={values.end}"]
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _check_every_choice(parsed: list[Override]) -> None:
    """Composes the first job, and one more for each further choice, since Hydra itself would stop half-way."""
    options = [_choices_of(override) for override in parsed]
    first = [lines[0] for lines in options]
    settle(compose_prepared("train", first))
    for place, lines in enumerate(options):
        for line in lines[1:]:
            settle(compose_prepared("train", [*first[:place], line, *first[place + 1 :]]))


def _jobs(parsed: list[Override]) -> list[Job]:
    """The jobs that Hydra's own sweeper makes of the overrides, in its order.

    Raises: ConfigError for an interval, which only a search can sweep over.
    """
    swept = {override.get_key_element(): override.key_or_group for override in parsed if override.is_sweep_override()}
    try:
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        raise ConfigError(f"{' '.join(swept)}: an interval is swept over by a search. Add sweep=optuna.") from error
    jobs = []
    for lines in combinations:
        own = [line for line in lines if line.partition("=")[0] in swept]
        values = {swept[line.partition("=")[0]]: readable(line.partition("=")[2]) for line in own}
        jobs.append(Job(job_folder(",".join(sorted(own))), values))
    return jobs


def _name_folders_by_what_varies(parsed: list[Override]) -> str:
    """The Hydra override that leaves settings which all jobs share out of the jobs' folder names."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    shared = sorted(({override.key_or_group for override in parsed} | {"out"}) - swept)
    return f"hydra.job.config.override_dirname.exclude_keys=[{','.join(shared)}]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)


# -- sweep.json -----------------------------------------------------------------------------


def read_jobs(folder: Path) -> list[Job]:
    """The jobs that a sweep's folder lists. Raises: RunError if the list cannot be read."""
    file = folder / "sweep.json"
    if not file.is_file():
        return []
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
        if listed["format"] != FORMAT:
            raise RunError(f"{file}: has format {listed['format']}, and this version reads {FORMAT}.")
        return [Job(**job) for job in listed["jobs"]]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{file}: is damaged ({type(error).__name__}). Delete it; it is made again.") from error


def record(folder: Path, job: Job, *, status: str, error: str | None = None) -> None:
    """Writes a job's status into ``sweep.json``; jobs of other processes may do so at the same moment."""
    with _alone(folder):
        jobs = {known.folder: known for known in read_jobs(folder)}
        jobs[job.folder] = Job(job.folder, job.overrides, status, error)
        _write(folder, list(jobs.values()))


def _list_jobs(folder: Path, jobs: list[Job]) -> None:
    """Writes the jobs to come into ``sweep.json``, where finished ones and those of other sweeps stay."""
    with _alone(folder):
        listed = {known.folder: known for known in read_jobs(folder)}
        for job in jobs:
            if job.folder not in listed or listed[job.folder].status != DONE:
                listed[job.folder] = job
        _write(folder, list(listed.values()))


def _write(folder: Path, jobs: list[Job]) -> None:
    content = {"format": FORMAT, "jobs": [asdict(job) for job in jobs]}
    write_whole(folder / "sweep.json", json.dumps(content, ensure_ascii=False, indent=1))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
