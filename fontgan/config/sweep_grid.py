"""The jobs of a sweep: what ``fontgan train -m`` was asked to vary, one run for each combination."""

import json
from collections.abc import Collection
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from fontgan.config.compose import compose_escaped, resolve
from fontgan.config.groups import choices
from fontgan.config.overrides import escape_overrides, job_folder, own_settings, unescape
from fontgan.errors import ConfigError
from fontgan.runtime.file_names import find_alike


def ready_made(cfg: DictConfig, typed: list[str]) -> list[str]:
    """The settings of ``sweep.over`` as overrides, but for those that were typed."""
    known = {override.key_or_group for override in parse_override(typed)}
    over = cfg.sweep.over
    if not isinstance(over, DictConfig):
        said = "null" if over is None else over
        raise ConfigError(
            f"sweep.over={said}: settings with their values are needed, such as {{trainer.seed: [1, 2]}}."
        )

    def as_typed(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    lists: Any = OmegaConf.to_container(over)
    lists = {key: values if isinstance(values, list) else [values] for key, values in lists.items() if key not in known}
    return escape_overrides((f"{key!s}={','.join(map(as_typed, values))}" for key, values in lists.items()), sweep=True)


def parse_override(prepared: list[str]) -> list[Override]:
    """Raises: ConfigError if Hydra's grammar does not take an override."""
    parser = OverridesParser.create()
    parsed = []
    for line in prepared:
        try:
            override = parser.parse_override(line)
            names = override.value()
        except (HydraException, ValueError, RecursionError) as error:  # ValueError: of numbers of thousands of digits
            raise ConfigError(f"{unescape(line)[:200]}: cannot be read. Put the value in quotes.") from error
        if isinstance(names, Glob):  # listed here, since not every sweeper can
            variants = names.filter(choices(override.key_or_group))
            if not variants:
                raise ConfigError(f"{unescape(line)}: there is no such variant of {override.key_or_group}.")
            override = parser.parse_override(f"{override.get_key_element()}=choice({','.join(variants)})")
        parsed.append(override)
    return parsed


def choices_of_override(override: Override) -> list[str]:
    """The overrides that a swept one stands for; of an interval its ends. Raises: ConfigError if there is none."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    key, values = override.get_key_element(), override.value()
    if isinstance(values, IntervalSweep):
        return [f"{key}={values.start}", f"{key}={values.end}"]
    try:
        lines = [f"{key}={value}" for value in override.sweep_string_iterator()]
    except (HydraException, ValueError) as error:
        raise ConfigError(f"{unescape(override.input_line or key)}: {str(error).rstrip('.')}.") from error
    if not lines:
        raise ConfigError(f"{unescape(override.input_line or key)}: stands for no value at all.")
    return lines


def check_every_choice(parsed: list[Override]) -> list[str]:
    """Composes a job with each choice, since Hydra itself would stop half-way. Returns: the overrides of the first."""
    options = [choices_of_override(override) for override in parsed]
    first = [lines[0] for lines in options]
    resolve("train", compose_escaped("train", first), first)
    for place, lines in enumerate(options):
        for line in lines[1:]:
            job = [*first[:place], line, *first[place + 1 :]]
            resolve("train", compose_escaped("train", job), job)
    return first


def shared_keys(parsed: list[Override]) -> list[str]:
    """The settings that all jobs share, which are left out of their folders' names."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    return sorted(({override.key_or_group for override in parsed} | {"out"}) - swept)


def grid_jobs(parsed: list[Override], shared: Collection[str]) -> dict[str, dict[str, str]]:
    """The jobs of Hydra's own sweeper: folder -> settings of its own. Raises: ConfigError for an interval."""
    try:
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        swept = [override.key_or_group for override in parsed if override.is_interval_sweep()]
        raise ConfigError(f"{' '.join(swept)}: an interval is swept over by a search. Add sweep=optuna.") from error
    settings = [own_settings(lines, shared) for lines in combinations]
    jobs = {job_folder(own): own for own in settings}
    if twins := find_alike(jobs):
        raise ConfigError(
            f"-m: the jobs {' and '.join(twins)} differ in capitals alone, and would be one folder on Windows and macOS. "
            "Leave one of them out, or sweep over it in another out=."
        )
    return jobs
