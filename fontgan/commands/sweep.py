"""fontgan train -m: one run for each combination of the comma-separated settings, through Hydra's multirun."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from fontgan.build import check_config, compose_prepared, config_folder, prepare_overrides, readable
from fontgan.errors import ConfigError, UserError

log = logging.getLogger(__name__)


def main(verb: str, overrides: list[str]) -> int:
    """Runs the jobs one after the other, each in its own folder of ``out``; a failed one does not end the sweep.

    Returns: 0, or 1 if a job failed.
    Raises: ConfigError, before any job starts, if a setting does not exist or fit.
    """
    prepared = prepare_overrides(overrides, sweep=True)
    parsed = _parse(prepared)
    _check_every_choice(verb, parsed)
    failed: list[str] = []
    done: list[str] = []

    def job(cfg: DictConfig) -> None:
        folder = readable(HydraConfig.get().runtime.output_dir)
        with open_dict(cfg):
            cfg.out = folder
        name = Path(folder).name
        log.info("job %d: %s", HydraConfig.get().job.num + 1, name)
        try:
            code = int(importlib.import_module(f"fontgan.commands.{verb}").main(check_config(verb, cfg)))
        except (UserError, OSError) as error:
            log.error("%s: error: %s", name, " ".join(str(error).split()))
            code = 1
        except Exception:
            log.exception("%s: failed", name)
            code = 1
        if code >= 128:
            raise KeyboardInterrupt  # the user stopped this job, and means the sweep
        (failed if code else done).append(name)

    argv = sys.argv
    sys.argv = [f"fontgan {verb}", "--multirun", *prepared, _name_folders_by_what_varies(parsed)]
    GlobalHydra.instance().clear()
    try:
        hydra.main(config_path=str(config_folder()), config_name=verb, version_base="1.3")(job)()
    finally:
        sys.argv = argv
    log.info("sweep: %d jobs done%s", len(done), f", {len(failed)} failed: {' '.join(failed)}" if failed else "")
    return 1 if failed else 0


def _parse(prepared: list[str]) -> list[Override]:
    """Raises: ConfigError if Hydra's grammar does not take an override."""
    parsed = []
    for override in prepared:
        try:
            parsed.append(OverridesParser.create().parse_override(override))
        except HydraException as error:
            raise ConfigError(f"{readable(override)}: cannot be read. Put the value in quotes.") from error
    return parsed


def _check_every_choice(verb: str, parsed: list[Override]) -> None:
    """Composes the first job, and one more for each further choice, since Hydra itself would stop half-way."""
    options = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()]
        if o.is_sweep_override()
        else [o.input_line or ""]
        for o in parsed
    ]
    first = [lines[0] for lines in options]
    compose_prepared(verb, first)
    for place, lines in enumerate(options):
        for line in lines[1:]:
            compose_prepared(verb, [*first[:place], line, *first[place + 1 :]])


def _name_folders_by_what_varies(parsed: list[Override]) -> str:
    """The Hydra override that leaves settings which all jobs share out of the jobs' folder names."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    shared = sorted(({override.key_or_group for override in parsed} | {"out"}) - swept)
    return f"hydra.job.config.override_dirname.exclude_keys=[{','.join(shared)}]"
