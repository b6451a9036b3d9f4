"""fontgan train -m: one run for each combination of the comma-separated settings, through Hydra's multirun."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fontgan.build import check_config, config_folder, explain, prepare_overrides
from fontgan.errors import UserError

log = logging.getLogger(__name__)


def main(verb: str, overrides: list[str]) -> int:
    """Runs the jobs one after the other, each in its own folder of ``out``; a failed one does not end the sweep.

    Returns: 0, or 1 if a job failed.
    """
    failed: list[str] = []
    done: list[str] = []

    def job(cfg: DictConfig) -> None:
        folder = HydraConfig.get().runtime.output_dir
        OmegaConf.set_struct(cfg, True)
        with open_dict(cfg):
            cfg.out = folder
        log.info("job %d: %s", HydraConfig.get().job.num + 1, Path(folder).name)
        try:
            code = _run(verb, cfg)
        except (UserError, OSError) as error:
            log.error("%s: %s", Path(folder).name, " ".join(str(error).split()))
            code = 1
        if code >= 128:
            raise KeyboardInterrupt  # the user stopped this job, and means the sweep
        (failed if code else done).append(Path(folder).name)

    prepared = prepare_overrides(overrides, sweep=True)
    argv = sys.argv
    try:
        sys.argv = [f"fontgan {verb}", "--multirun", *prepared, _name_folders_by_what_varies(prepared)]
        GlobalHydra.instance().clear()
        hydra.main(config_path=str(config_folder()), config_name=verb, version_base="1.3")(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(verb, [o for o in overrides if "," not in o], error) from error
    finally:
        sys.argv = argv
    log.info("sweep: %d jobs done%s", len(done), f", {len(failed)} failed: {' '.join(failed)}" if failed else "")
    return 1 if failed else 0


def _name_folders_by_what_varies(overrides: list[str]) -> str:
    """The Hydra override that leaves settings which all jobs share out of the jobs' folder names.

    Raises: HydraException if an override cannot be parsed.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    shared = sorted({override.key_or_group for override in parsed if not override.is_sweep_override()} | {"out"})
    return f"hydra.job.config.override_dirname.exclude_keys=[{','.join(shared)}]"


def _run(verb: str, cfg: DictConfig) -> int:
    import importlib

    return int(importlib.import_module(f"fontgan.commands.{verb}").main(check_config(verb, cfg)))
