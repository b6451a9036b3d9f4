"""Verb and overrides -> checked, resolved config."""

import logging
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hydra import compose
from omegaconf import DictConfig, ListConfig, OmegaConf

from fontgan.base import BASE, run_path
from fontgan.config.auto_source import AUTO, resolve_auto_source
from fontgan.config.check import check_config, parameter_keys, target_nodes
from fontgan.config.conflicts import check_values, validate
from fontgan.config.explain import COMPOSING_RAISES, did_you_mean, explain_all
from fontgan.config.field_names import variant_hint
from fontgan.config.groups import choices, hydra_here
from fontgan.config.guides_here import leave_out_unfetched
from fontgan.config.instantiate import build_objective, build_on_meta, target_specs, try_losses
from fontgan.config.overrides import escape_overrides, unescape
from fontgan.config.plugins import activate, active, refuse_inactive, typed_plugins
from fontgan.config.saved import check_fits, load_config
from fontgan.config.stored_paths import store_with_slashes
from fontgan.config.targets_file import resolve_corpus, resolve_targets_file
from fontgan.config.verbs import file_name, verbs
from fontgan.errors import ConfigError
from fontgan.runtime.files import user_path

if TYPE_CHECKING:
    from fontgan.training.checkpoint import Checkpoint
    from fontgan.training.finetune import PretrainedRun

log = logging.getLogger(__name__)

# What the packaged base brings of its data: what its network has been shown, not which fonts and characters it learned.
OF_THE_NETWORK = ("source", "guides", "guide_dropout", "size", "margin", "align")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)")


def compose_config(verb: str, overrides: list[str]) -> Any:
    """Composes, checks and settles a verb's config, a DictConfig with the keys of its ``Config``, from typed overrides.

    Raises: ConfigError, in one line, for an unknown key, choice or type, or what only a sweep can use.
    """
    prepared = prepare(overrides)
    cfg = compose_escaped(verb, prepared)
    for sentence in resolve(verb, cfg, prepared):
        log.info("%s", sentence)
    return cfg


def prepare(overrides: Sequence[str], *, sweep: bool = False) -> list[str]:
    """Typed overrides in Hydra's grammar; of a ``sweep`` those of its first job.   Raises: ConfigError."""
    if sweep:
        from fontgan.config.sweep_grid import check_every_choice, parse_override

        return check_every_choice(parse_override(escape_overrides(overrides, sweep=True)))
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key == "launcher" or key.startswith(("hydra.", "hydra/")):
            raise ConfigError(f"{override}: is for the jobs of a sweep. Add -m, or leave it out.")
    return escape_overrides(overrides)


def command_of(verb: str, cfg: Any, *needed: str) -> str:
    """The command that repeats what was asked for: what differs from the defaults, and the keys that have none."""
    default = compose_config(verb, [f"{key}={cfg[key]}" for key in needed])
    changed = [f"{key!s}={value}" for key, value in cfg.items() if key in needed or value != default[key]]
    typed = next(each for each in verbs() if file_name(each) == verb)
    return shlex.join(["fontgan", *typed.split(), *changed])


def compose_escaped(verb: str, overrides: list[str]) -> DictConfig:
    """Keys and types are checked, values not yet. Args: overrides: as ``escape_overrides`` made them."""
    return check_config(verb, _compose(verb, overrides), overrides)


def _compose(verb: str, overrides: list[str]) -> DictConfig:
    activate(typed_plugins(overrides))
    try:
        with hydra_here():
            return compose(verb, overrides)
    except COMPOSING_RAISES as error:
        raise explain_all(verb, overrides, error) from error


def check_typed(verb: str, overrides: list[str]) -> None:
    """Raises: ConfigError for keys, variants and values that are wrong by themselves, as a verb would refuse them.

    Not for keys that are still without a value, nor for settings that do not go together.
    """
    cfg = _compose(verb, overrides)
    for key in OmegaConf.missing_keys(cfg):
        OmegaConf.update(cfg, key, "to come")
    cfg = check_config(verb, cfg, overrides)
    _expand_presets(cfg)
    check_values(verb, cfg)
    if "generator" in cfg:
        for part in ("generator", "discriminator"):
            build_on_meta(part, cfg, styles=2)


def resolve(verb: str, cfg: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Validates a config and puts in place what settings ask for: init_from brings a run's ``generator`` and ``data``,
    data.source=auto a font of the shelf, generator.match_params scales ``generator.ngf``, sweep.budget sets ``trainer.max_steps`` and ``trainer.max_minutes``.

    For a config as composed of escaped overrides; a saved one is settled, and its checkpoint fits no other width.
    Returns: what was chosen, in sentences.   Raises: ConfigError for values that do not fit.
    """
    _expand_presets(cfg)
    store_with_slashes(cfg)
    inherited = _inherit(cfg, overrides)
    typed = [override.partition("=")[0] for override in overrides]
    validate(verb, cfg, typed)
    if "trainer" in cfg:
        refuse_inactive(cfg.plugins)  # of a file of configs/, which imports nothing by itself
        # Those whose classes the training uses, typed or installed, make the run what it is.
        used = {node["_target_"].partition(".")[0] for _, node in target_nodes(cfg)}
        cfg.plugins = sorted(used & set(active()))
    leave_out_unfetched(cfg, typed)
    resolve_corpus(cfg, typed)
    return [*inherited, *resolve_targets_file(cfg), *resolve_auto_source(cfg), *_match_params(cfg), *_apply_budget(cfg)]


def _inherit(cfg: DictConfig, overrides: Iterable[str]) -> list[str]:
    """Takes ``generator`` and ``data`` from the run that ``init_from`` names, but for what was typed."""
    if cfg.get("init_from") is None:
        return []
    typed = {}
    for override in overrides:
        key, _, value = override.partition("=")
        typed[key.lstrip("+~").replace("/", ".")] = unescape(value)
    if typed.get("generator.match_params", "null") != "null":
        raise ConfigError("generator.match_params: the network comes from init_from, with its width. Leave it out.")
    old, init_from = _config_to_inherit(cfg), f"init_from={cfg.init_from}"
    for key in ("size", "margin"):
        if f"data.{key}" in typed and cfg.data[key] != old.data[key]:
            known = f"the network of {init_from} knows {old.data[key]}"
            raise ConfigError(
                f"data.{key}={cfg.data[key]}: {known}. Leave it out, or train from nothing: init_from=null."
            )
    for key in typed:
        if key.startswith("generator."):
            _refuse_other_targets(cfg, old, key, typed[key])
            OmegaConf.update(old, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    brought = []
    if "generator" in cfg:
        old.generator.match_params = None
        cfg.generator = old.generator
        brought.append("generator")
    for key in parameter_keys(old.data):
        # A typed choice of the group, data=sample, stands for all it sets; canvas and guides are the network's all the same.
        settable = key not in ("size", "margin", "guides") and (key != "source" or cfg.data.source)
        if key == "cache" or ("data" in typed and settable) or f"data.{key}" in typed:
            continue
        if cfg.init_from == BASE and key not in OF_THE_NETWORK:
            continue
        inner = [name for name in typed if name.startswith(f"data.{key}.")]
        for name in inner:
            OmegaConf.update(old, name, OmegaConf.select(cfg, name), merge=False, force_add=True)
        # The base has a source for each region; which one is a matter of the target.
        cfg.data[key] = AUTO if (cfg.init_from, key) == (BASE, "source") else old.data[key]
        brought.append(f"data.{key}")
    return [f"{init_from}: brings {', '.join(brought)}"]


def _config_to_inherit(cfg: DictConfig) -> DictConfig:
    """The config of the run that ``init_from`` names; where ``out`` has started from it already its own, since the
    old run may be gone."""
    from fontgan.training.checkpoint import find

    if (own := _own_config(cfg)) is not None:
        return own
    checkpoint = find(run_path(cfg.init_from), "best", key="init_from")
    old = load_config(checkpoint.folder / "config.yaml")
    check_fits(old, checkpoint)
    return old


def _own_config(cfg: DictConfig) -> DictConfig | None:
    """The config of the run in ``out`` if it has started from ``init_from`` already."""
    file = user_path(cfg.out) / "config.yaml" if cfg.get("out") else None
    if file is None or not file.is_file():
        return None
    there = load_config(file)
    return there if there.get("init_from") == cfg.init_from else None


def find_pretrained(cfg: DictConfig, last: "Checkpoint | None" = None) -> "PretrainedRun | None":
    """The run that ``init_from`` names, or None; of a run with a ``last`` checkpoint nothing of it is read any more.

    Raises: RunError if there is no usable checkpoint.
    """
    if cfg.get("init_from") is None:
        return None
    from fontgan.training.checkpoint import find
    from fontgan.training.finetune import origin_of

    checkpoint = last or find(run_path(cfg.init_from), "best", key="init_from")
    return origin_of(checkpoint, resumed=last is not None)


def _refuse_other_targets(cfg: DictConfig, old: DictConfig, key: str, value: str) -> None:
    """Raises: ConfigError where a typed setting would put another part into the network of init_from."""

    def targets(whole: DictConfig) -> dict[str, str]:
        return {path: node["_target_"] for path, node in target_nodes(OmegaConf.select(whole, key), key)}

    wanted, there = targets(cfg), targets(old)
    if wanted != there:
        path = next(path for path in {**wanted, **there} if wanted.get(path) != there.get(path))
        raise ConfigError(
            f"{key}={value}: init_from={cfg.init_from} has another architecture ({path} is {there.get(path, 'absent')} "
            "there). Leave it out, or train from nothing: init_from=null."
        )


def up_preset(name: str) -> DictConfig:
    """``generator.up`` as a preset of generator/up makes it, with the presets that it names in their places.

    Raises: ConfigError for a preset that cannot be composed.
    """
    try:
        with hydra_here():
            cfg = compose(overrides=[f"+generator/up={name}"])  # alone, which is quicker than all of train
    except COMPOSING_RAISES as error:
        raise explain_all("train", [f"generator/up={name}"], error) from error
    _expand_presets(cfg)
    return cfg.generator.up


def _expand_presets(cfg: DictConfig) -> None:
    """Replaces the preset names in generator/up=hybrid by the presets, so that a saved config needs no names."""
    up = cfg.get("generator") and cfg.generator.up
    if not up or "switch" not in up:
        return
    for key in ("inner", "outer"):
        up[key] = _preset(up[key], f"generator.up.{key}")
    levels = up.get("levels") or {}
    if isinstance(levels, ListConfig):
        levels = dict(enumerate(levels, start=1))
    elif not isinstance(levels, dict | DictConfig):
        raise ConfigError(f"generator.up.levels={levels}: write a map, {{2: deconv}}, or a list from level 1 inwards.")
    named: dict[str, Any] = {}
    for place, name in levels.items():
        level = str(place)
        if not re.fullmatch("[1-9][0-9]*", level):
            raise ConfigError(f"generator.up.levels: {level} is no level. Levels count from 1, the outermost.")
        if name is not None:
            named[level] = _preset(name, f"generator.up.levels.{level}")
    up.levels = named


def _preset(name: Any, where: str) -> DictConfig:
    """The preset of generator/up of that name, or the node itself where it is one already."""
    if isinstance(name, DictConfig) and "fusion" in name:
        return name
    known = [preset for preset in choices("generator/up") if preset != "hybrid"]
    if name not in known:
        remedy = f"{variant_hint('generator/up', str(name)) or did_you_mean(str(name), known)} Choose one of {', '.join(known)}."
        raise ConfigError(f"{where}={name}: no such preset.{remedy}")
    return up_preset(name)


def _match_params(cfg: DictConfig) -> list[str]:
    wanted = cfg.get("generator") and cfg.generator.get("match_params")
    if wanted is None:
        return []
    from fontgan.models.cost import MAX_WIDTH, closest_width

    presets = choices("generator/up")
    match = _COUNT.fullmatch(str(wanted).strip())
    if match:
        count = round(float(match[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[match[2]])
    elif wanted in presets:
        count = _count_parameters(cfg, up=up_preset(wanted))
    else:
        raise ConfigError(
            f"generator.match_params={wanted}: cannot be read. Write a count (8M, 800k, 8000000), or a preset of "
            f"generator/up: {', '.join(presets)}."
        )
    for ngf, beyond in ((1, count.__lt__), (MAX_WIDTH, count.__gt__)):
        if beyond(there := _count_parameters(cfg, ngf=ngf)):
            raise ConfigError(
                f"generator.match_params={wanted}: generator.ngf={ngf} has {there:,} parameters, and ngf goes from "
                f"1 to {MAX_WIDTH}. Ask for another count, or change generator.depth."
            )
    cfg.generator.ngf = closest_width(lambda ngf: _count_parameters(cfg, ngf=ngf), count)
    found = _count_parameters(cfg)
    return [
        f"generator.match_params={wanted}: {count:,} parameters asked for; generator.ngf={cfg.generator.ngf} "
        f"gives {found:,} ({found / count - 1:+.1%})"
    ]


def _count_parameters(cfg: DictConfig, **changed: Any) -> int:
    from fontgan.models.cost import parameters

    return parameters(build_on_meta("generator", cfg, max(1, len(target_specs(cfg))), **changed))


def _apply_budget(cfg: DictConfig) -> list[str]:
    if cfg.get("sweep") is None or cfg.sweep.budget is None:
        return []
    from fontgan.training.budget import NO_END, parse_budget

    budget, asked = parse_budget(cfg.sweep.budget), f"sweep.budget={cfg.sweep.budget}"
    if budget.unit == "minutes":
        cfg.trainer.max_steps, cfg.trainer.max_minutes = NO_END, budget.amount
        return [f"{asked}: trainer.max_minutes={budget.amount:g}, however many steps"]
    steps, each = int(budget.amount), ""
    if budget.unit != "steps":
        if not isinstance(cfg.trainer.batch_size, int):
            raise ConfigError(
                f"{asked}: operations are counted of a batch of known size, and trainer.batch_size="
                f"{cfg.trainer.batch_size} is none. Give it a number, or the budget in steps or minutes."
            )
        a_step = _flops_of_a_step(cfg)
        steps, each = round(budget.amount / a_step), f", of {a_step:.4g} FLOP each"
        if steps < 1:
            raise ConfigError(f"{asked}: a step of this training takes {a_step:.3g} FLOP. Allow more.")
    cfg.trainer.max_steps, cfg.trainer.max_minutes = steps, None
    return [f"{asked}: trainer.max_steps={steps}{each}"]


def _flops_of_a_step(cfg: DictConfig) -> float:
    """Operations of a training step, with what is frozen held still."""
    from fontgan.training.budget import step_flops
    from fontgan.training.checkpoint import all_checkpoints
    from fontgan.training.finetune import freeze_parts

    objective = build_objective(cfg.loss)
    try_losses(cfg, objective)
    targets = list(target_specs(cfg))
    started = all_checkpoints(user_path(cfg.out)) if cfg.init_from and _own_config(cfg) is not None else []
    pretrained = find_pretrained(cfg, started[-1] if started else None)
    styles = len(pretrained.model_styles(targets) if pretrained else targets)
    generator = build_on_meta("generator", cfg, styles)
    discriminator = build_on_meta("discriminator", cfg, styles)
    frozen: list[Any] = []
    if pretrained is not None:
        frozen, _ = freeze_parts(
            generator, pretrained, targets, frozen=cfg.trainer.freeze or [], train_only=cfg.trainer.train_only
        )
    return step_flops(
        generator, discriminator, objective, size=cfg.data.size, batch_size=cfg.trainer.batch_size,
        accumulate=cfg.trainer.accumulate, frozen_parts=frozen,
    )  # fmt: skip
