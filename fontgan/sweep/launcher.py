"""fontgan train -m: one run for each combination of the settings swept over, through Hydra's multirun.

The sweep's folder holds a folder for each job, and ``sweep.json``, which fontgan/sweep/jobs.py describes.
"""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from fontgan.config import sweep_grid
from fontgan.config.check import check_config
from fontgan.config.compose import compose_escaped, find_pretrained, resolve
from fontgan.config.data_plan import build_plan
from fontgan.config.groups import hydra_choices, hydra_here
from fontgan.config.overrides import escape_overrides, own_settings, quoted, unescape
from fontgan.config.plugins import activate, typed_plugins
from fontgan.data.pack import make_pack
from fontgan.errors import ConfigError, RunError, UserError
from fontgan.run_folder import is_finished
from fontgan.runtime.distributed import asked_processes
from fontgan.runtime.files import cache_folder, user_path
from fontgan.runtime.locks import locked
from fontgan.runtime.log_setup import set_up_logging
from fontgan.sweep.jobs import DONE, FAILED, RUNNING, WAITING, Job, list_jobs, read_jobs, record
from fontgan.sweep.own_device import own_device
from fontgan.train import train
from fontgan.training import checkpoint as checkpoints

log = logging.getLogger(__name__)


def launch(overrides: list[str]) -> int:
    """Runs the jobs, each in its own folder of ``out``; a failed one does not end the sweep.

    Returns: 0, or 1 if a job failed.
    Raises: ConfigError, before any job starts, if a setting does not exist or fit.
    """
    if asked_processes() > 1:
        raise ConfigError("-m: a sweep starts its runs itself. Start it without torchrun; launcher= runs several.")
    typed = escape_overrides(overrides, sweep=True)
    some_job = [sweep_grid.choices_of_override(override)[0] for override in sweep_grid.parse_override(typed)]
    first = compose_escaped("train", some_job)
    parsed = sweep_grid.parse_override([*sweep_grid.ready_made(first, typed), *typed])
    some_job, shared = sweep_grid.check_every_choice(parsed), sweep_grid.shared_keys(parsed)
    chosen = hydra_choices("train", some_job)
    grid = sweep_grid.grid_jobs(parsed, shared) if chosen["hydra/sweeper"] == "basic" else {}
    jobs = [Job(folder, own) for folder, own in grid.items()]
    if not jobs and not first.data.holdout and not first.data.holdout_chars:
        raise ConfigError("data.holdout=0: a search needs held-out characters to score its trials by. Hold some out.")
    out = user_path(first.out).absolute()
    if chosen["hydra/launcher"] != "basic":
        # Here once, where the jobs would each begin with it. One whose data is bad says so itself.
        with suppress(UserError):
            cfg = compose_escaped("train", some_job)
            resolve("train", cfg, some_job)
            origin = find_pretrained(cfg)
            plan = build_plan(cfg, origin.canvases if origin else None)
            make_pack(plan, cache_folder(cfg.data.cache))
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "another sweep"):
        before = {job.folder: job.starts for job in list_jobs(out, jobs)}
        log.info("sweep: %s", f"{len(jobs)} jobs in {out}" if jobs else f"a search in {out}")
        lines = [override.input_line or "" for override in parsed]
        lines.append(f"hydra.job.config.override_dirname.exclude_keys=[{','.join(shared)}]")
        lines.append(f"hydra.sweep.dir={quoted(str(out))}")
        try:
            with hydra_here() as hydra:
                hydra.multirun("train", run_job, lines, with_log_configuration=False)
        except Exception as error:
            # A job keeps its errors to itself, so these are words of the launcher or the search.
            _say_how_it_went(out, before)
            words = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
            raise RunError(f"sweep: stopped ({words}). The same command goes on; finished jobs are kept.") from error
    return 1 if _say_how_it_went(out, before) else 0


def _say_how_it_went(folder: Path, before: dict[str, int]) -> list[Job]:
    """Of the jobs started more often than ``before`` says; a search cannot list its own. Returns: the failed ones."""
    ran = [job for job in read_jobs(folder) if job.starts > before.get(job.folder, 0)]
    failed = [job for job in ran if job.status == FAILED]
    done = sum(job.status == DONE for job in ran)
    for job in failed:
        log.error("failed: %s: %s", job.folder, job.error)
    log.info("sweep: %d jobs done%s; see %s", done, f", {len(failed)} failed" if failed else "", folder / "sweep.json")
    return failed


def run_job(cfg: DictConfig) -> float | None:
    """One job, wherever its launcher starts it. Returns: its best score, if any, which a search maximises."""
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
        activate(typed_plugins(overrides))  # in a process of its own
        with open_dict(cfg):
            cfg.out, cfg.sweep.over = str(out), {}
        cfg = check_config("train", cfg, overrides)
        for sentence in resolve("train", cfg, overrides):
            log.info("%s", sentence)
        parsed = sweep_grid.parse_override(overrides)
        values: dict[str, Any] = {override.get_key_element().lstrip("+"): override.value() for override in parsed}
        plain = {
            key: value if isinstance(value, int | float) else unescape(str(value)) for key, value in values.items()
        }
        with own_device(cfg.trainer.device, cache_folder(cfg.data.cache) / "gpus") as device:
            code = train(cfg, {key: plain[key] for key in own}, device)
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
    record(out.parent, job, status=DONE if is_finished(cfg, last) else WAITING)
    if code >= 128:
        raise KeyboardInterrupt  # the user stopped this job, and means the sweep
    return checkpoints.find(out, "best").score
