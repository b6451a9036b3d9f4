"""Config -> objects: the only place that sees Hydra.  Everything else takes plain arguments."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import logging
import math
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from fontgan.errors import ConfigError, RunError
from fontgan.files import user_path
from fontgan.plainyaml import read_yaml
from fontgan.schema import VERBS, objects_in_signature, signature_schema
from fontgan.targets import NOT_FOR_CONFIGS, PLACES, locate

if TYPE_CHECKING:
    from fontgan.data.frame import Frame
    from fontgan.data.pairs import PairPlan
    from fontgan.models.unet import UnetGenerator
    from fontgan.training.checkpoint import Checkpoint
    from fontgan.training.transfer import Origin

log = logging.getLogger(__name__)

LONGEST_FOLDER_NAME = 200  # bytes; file systems end at 255
DEEPEST = 32  # brackets within brackets of a typed value; a hybrid's levels need two
SPECIAL_KEYS = ("_target_", "_partial_")
SETTLED_KEYS = {"generator": ("match_params",)}  # by node: what ``settle`` reads and no target takes
EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "optuna": "optuna"}
# Of values out of range, and of parts that do not fit together.
WHAT_PARTS_RAISE = (ValueError, TypeError, RuntimeError, ArithmeticError, AttributeError, LookupError, MemoryError)
NAMED_PRESETS = {"generator.up": ("inner", "outer", "levels")}  # by node: keys that hold names until ``settle``


def config_folder() -> Path:
    """``configs/``: inside the package in a wheel, beside it in a checkout."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "configs"


def choices(group: str) -> list[str]:
    """The variants of a config group, read from its folder."""
    folder = config_folder() / group
    return sorted(file.stem for file in folder.glob("*.yaml") if not file.stem.startswith("_"))


def groups() -> list[str]:
    """Every config group, read from the folders."""
    root = config_folder()
    found = (path.parent.relative_to(root).as_posix() for path in root.rglob("*.yaml") if path.parent != root)
    return sorted(set(found))


# -- overrides as users type them -----------------------------------------------------------

# What Hydra's grammar takes in a value; paths and glyphs need more (Var.ttf@wght=600, ~/字体, A.ttc#1).
# And what looks like our own escape, whose first underscore is escaped, or it would be taken for one.
_PLAIN = re.compile(r"""[^\w/+.$%*@?|,:{}\[\]'"\\ \t-]|[^\x00-\x7f]|_(?=_u)""")
_SWEEP_FUNCTION = re.compile(r"(range|glob|choice|interval|shuffle|sort|tag)\(")
_ESCAPED = re.compile(r"__u([0-9a-f]{1,6})__")


def readable(text: str) -> str:
    """Undoes what ``prepare_overrides`` did to characters that Hydra's grammar refuses."""
    return _ESCAPED.sub(lambda match: chr(code) if (code := int(match[1], 16)) <= sys.maxunicode else match[0], text)


def prepare_overrides(overrides: Iterable[str], *, sweep: bool = False) -> list[str]:
    """Makes what users type fit Hydra's grammar.

    Characters that it refuses are escaped (``check_config`` brings them back), a comma in a plain value is a
    comma unless this is a sweep, and ``data.targets=`` replaces the styles there are, where Hydra by itself would
    add a map's entries to them.

    Raises: ConfigError for a value without a key, and brackets nested beyond ``DEEPEST``.
    """
    prepared = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not key.strip("+~ ") or key.strip() != key:
            raise ConfigError(f"{override[:80]}: settings are written key=value.")
        if _depth(override) > DEEPEST:
            raise ConfigError(f"{key[:40]}: is nested deeper than {DEEPEST} brackets. Write it more simply.")
        if not (sweep and _SWEEP_FUNCTION.match(value)):
            value = _PLAIN.sub(lambda match: f"__u{ord(match[0]):x}__", value)
        if not sweep and "," in value and value[0] not in "[{'\"":
            value = "'" + value.replace("'", "\\'") + "'"
        override = f"{key}{equals}{value}"
        if key == "data.targets":
            prepared += ["~data.targets", "+" + override]
        else:
            prepared.append(override)
    return prepared


def _depth(text: str) -> int:
    """How many brackets are open at once; with hundreds Hydra's parser runs out of stack."""
    deepest = depth = 0
    for char in text:
        depth = depth + 1 if char in "[{(" else max(0, depth - 1) if char in "]})" else depth
        deepest = max(deepest, depth)
    return deepest


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return readable(value) if isinstance(value, str) else value


# -- composing ------------------------------------------------------------------------------


_ODD_IN_A_NAME = re.compile(r"[^\w=.,+-]")


def own_settings(overrides: Iterable[str], shared: Collection[str]) -> dict[str, str]:
    """What tells a sweep's job from the others: setting -> value as typed, of its overrides less the shared keys."""
    settings = {}
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+")
        if not key.startswith("~") and key.partition("@")[0] not in shared:
            settings[key] = readable(value)
    return settings


def job_folder(settings: dict[str, str]) -> str:
    """The name of a job's folder: its own settings, with what file systems dislike replaced."""
    pairs = sorted(settings.items(), key="=".join)
    name = ",".join(f"{_ODD_IN_A_NAME.sub('-', key)}={_file_name(value)}" for key, value in pairs) or "default"
    if len(name.encode()) <= LONGEST_FOLDER_NAME:
        return name
    return f"{name[: LONGEST_FOLDER_NAME // 4]}-{_hash(name)[:12]}"


def _file_name(value: str) -> str:
    """The value itself, or where characters were replaced one with a hash, since ``a/b`` and ``a-b`` are two."""
    name = _ODD_IN_A_NAME.sub("-", value)
    return name if name == value else f"{name}-{_hash(value)[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()  # arguments that are no UTF-8


def _job_folder(overrides: ListConfig, shared: ListConfig) -> str:
    written: Any = OmegaConf.to_container(overrides)  # with interpolations as they were typed
    return job_folder(own_settings(written, shared))


OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
OmegaConf.register_new_resolver("readable", readable, replace=True)


@contextmanager
def hydra_here() -> Iterator[Hydra]:
    """Hydra over ``configs/``; in a sweep's job the sweep's own Hydra is put back afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder()), job_name="fontgan", version_base="1.3"):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            yield hydra
    finally:
        GlobalHydra.instance().hydra = before


def compose_config(verb: str, overrides: list[str]) -> DictConfig:
    """Composes, checks and settles the config of a verb from overrides as typed.

    Raises: ConfigError, in one line, for an unknown key, choice or type, or what only a sweep can use.
    """
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key == "launcher" or key.startswith(("hydra.", "hydra/")):
            raise ConfigError(f"{override}: is for the jobs of a sweep. Add -m, or leave it out.")
    prepared = prepare_overrides(overrides)
    cfg = compose_prepared(verb, prepared)
    for sentence in settle(cfg, prepared):
        log.info("%s", sentence)
    return cfg


def compose_prepared(verb: str, overrides: list[str]) -> DictConfig:
    """The same from overrides that ``prepare_overrides`` made, and not settled."""
    try:
        with hydra_here():
            cfg = compose(verb, overrides)
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:  # ValueError: of long numbers
        raise ConfigError(readable(str(explain(verb, overrides, error)))) from error
    cfg = check_config(verb, cfg)
    _refuse_what_would_be_ignored(verb, cfg, {override.partition("=")[0] for override in overrides})
    return cfg


def hydra_choices(verb: str, overrides: list[str]) -> dict[str, str]:
    """Hydra's own groups -> the choices that these prepared overrides make: launcher, sweeper."""
    with hydra_here():
        chosen = compose(verb, overrides, return_hydra_config=True).hydra.runtime.choices
    return {str(group): str(choice) for group, choice in chosen.items() if str(group).startswith("hydra/")}


def _refuse_what_would_be_ignored(verb: str, cfg: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a setting as typed would be replaced by what another one chooses."""
    if cfg.get("sweep") and cfg.sweep.budget is not None:
        for key in sorted(typed & {"trainer.max_steps", "trainer.max_minutes"}):
            raise ConfigError(f"{key}: sweep.budget={cfg.sweep.budget} sets it. Leave one of the two out.")
    wanted = cfg.get("generator") and cfg.generator.get("match_params")
    if wanted is not None and str(wanted) not in choices("generator/up") and "generator.ngf" in typed:
        raise ConfigError(f"generator.ngf: generator.match_params={wanted} chooses it. Leave one of the two out.")
    if cfg.get("loss"):
        _refuse_idle_losses(cfg.loss, typed)
    if cfg.get("generator"):
        _refuse_idle_parts(cfg.generator, typed)
    if verb == "complete":
        _refuse_in_completing(cfg, typed)
    if verb == "build_font" and str(cfg.input).lower().endswith((".ufo", ".ufoz")):
        for key in sorted(typed & {"speck", "workers"}):
            raise ConfigError(
                f"{key}={cfg[key]}: is about tracing images, and input={cfg.input} is a UFO. Leave it out."
            )


# What fontgan complete sets of its training, and the setting of its own for each.
SET_BY_COMPLETE = {"data.source": "source", "data.targets": "target", "data.charset": "charset"}
SHAPES_TRAINING = ("data", "generator", "discriminator", "loss", "optim", "trainer", "experiment", "init_from", "name")
SHAPES_DRAWING = ("trainer.device", "trainer.precision")


def _refuse_in_completing(cfg: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where fontgan complete would replace a typed setting, or never read it."""
    for key in sorted(typed):
        plain = key.lstrip("+~")
        if plain in SET_BY_COMPLETE:
            raise ConfigError(f"{plain}: fontgan complete sets it. Use {SET_BY_COMPLETE[plain]}=... instead.")
        if plain == "data":
            raise ConfigError(f"data: fontgan complete takes source=, target= and charset= instead. Leave {key}= out.")
        if cfg.run is not None and re.split(r"[./@]", plain)[0] in SHAPES_TRAINING and plain not in SHAPES_DRAWING:
            raise ConfigError(f"{plain}: run={cfg.run} is drawn with and nothing is trained. Leave one of them out.")
    if cfg.run is None and cfg.style is not None:
        raise ConfigError("style: chooses among the styles of run=RUN. Add run=RUN, or leave it out.")


def _refuse_idle_parts(generator: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a typed part of the generator has no level to be at, or typed levels no part."""
    for key in sorted(typed):
        if key.startswith(("generator/attention", "generator.attention.")) and not generator.attention_levels:
            raise ConfigError(
                f"{key}: generator.attention_levels=[] leaves it out. Add generator.attention_levels=[3], or leave it out."
            )
    if "generator.encoder_refine_levels" in typed and generator.encoder_refine._target_.endswith("NoRefine"):
        raise ConfigError(
            "generator.encoder_refine_levels: generator/encoder_refine=none leaves it out. "
            "Add generator/encoder_refine=resskip_standard, or leave it out."
        )


def _refuse_idle_losses(loss: DictConfig, typed: set[str]) -> None:
    """Raises: ConfigError where a typed setting of the loss shapes a term whose weight is 0; a preset may hold such."""
    judged, both = loss.get("adversarial"), loss.get("l1") and loss.get("ink_bce")
    idle = {
        "gan": not judged and "loss.adversarial is 0. Raise it, such as loss=ink_gan",
        "adversarial_from": not (judged or loss.get("category"))
        and loss.get("adversarial_from")
        and "loss.adversarial and loss.category are 0. Raise one, such as loss=ink_gan",
        "handover": not both and loss.get("handover") and "it needs loss.l1 and loss.ink_bce above 0. Raise both",
    }
    for key, reason in idle.items():
        if f"loss.{key}" in typed and reason:
            raise ConfigError(f"loss.{key}={loss.get(key)}: would never be used, since {reason}, or leave it out.")


def check_config(verb: str, cfg: DictConfig) -> DictConfig:
    """Checks keys and types against ``fontgan.schema`` and each target's signature; resolves interpolations.

    Args:
        cfg: of overrides that ``prepare_overrides`` made.
    Raises: ConfigError.
    """
    return _checked(verb, OmegaConf.create(_readable(OmegaConf.to_container(cfg, resolve=False))))


def _checked(verb: str, cfg: DictConfig) -> DictConfig:
    try:
        return _checked_and_resolved(verb, cfg)
    except OmegaConfBaseException as error:  # interpolations that lead nowhere, or round in a circle
        raise ConfigError(f"{error.full_key or 'config'}: {_first_line(error)}.") from error


def _checked_and_resolved(verb: str, cfg: DictConfig) -> DictConfig:
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        hints = {"checkpoint": "checkpoint=RUN", "out": "out=DIR", "font": "font=FONT.ttf"}
        key = missing[0]
        raise ConfigError(f"{key}: needs a value. Add {hints.get(key, key + '=...')}; see fontgan {verb} --help.")
    _merge(OmegaConf.structured(VERBS[verb]), cfg, "")
    _check_places(cfg)
    for path, node in _target_nodes(cfg):
        _check_target(path, node)
    OmegaConf.resolve(cfg)
    _check_numbers(OmegaConf.to_container(cfg))
    return cfg


def _check_places(cfg: DictConfig) -> None:
    """Raises: ConfigError where a config has no class in a place that needs one."""
    for place in PLACES:
        parent = OmegaConf.select(cfg, place.path.rpartition(".")[0]) if "." in place.path else cfg
        name = place.path.rpartition(".")[2]
        if not isinstance(parent, DictConfig) or name not in parent:
            continue  # of another verb, or said by the signature of what it belongs to
        node = parent._get_node(name)
        if not isinstance(node, DictConfig) or (node.get("_target_") is None and not place.optional):
            raise ConfigError(
                f"{place.path}: names no class (_target_). Choose a variant of {place.path.replace('.', '/')}."
            )


def _check_numbers(value: Any, path: str = "") -> None:
    """Raises: ConfigError for a number that is infinite or none at all; comparing with one would let all through."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_numbers(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path}={value}: a finite number is needed.")


def _check_target(path: str, node: DictConfig) -> None:
    """Checks a node's keys and types against the signature of its target."""
    target = locate(path, node["_target_"])
    if not isinstance(node.get("_partial_", False), bool):
        raise ConfigError(f"{path}._partial_={node['_partial_']}: choose true or false.")
    if not target.__module__.startswith("fontgan."):
        for key in _keys(node):
            if key in NOT_FOR_CONFIGS:
                raise ConfigError(f"{path}.{key}: is not for a config to say. Leave it out.")
    signature = signature_schema(target)
    schema, types = OmegaConf.structured(signature), {field.name: field.type for field in fields(signature)}
    named = NAMED_PRESETS.get(path, ())
    for key, optional in objects_in_signature(target).items():
        if key not in node or key in named or isinstance(node[key], DictConfig):
            continue
        if not (optional and node[key] is None):
            raise ConfigError(
                f"{path}.{key}={node[key]}: a part is needed. Choose a variant of {path.replace('.', '/')}/{key}."
            )
    settled = SETTLED_KEYS.get(path, ())
    keys = [key for key in _keys(node) if key not in (*SPECIAL_KEYS, *settled)]
    _check_keys(schema, keys, path, also=settled)
    # Nested nodes are checked on their own; their place in the signature takes the object made of them.
    nested = [key for key in keys if _is_map(node._get_node(key))]
    for key in nested:
        if types[key] is not Any:
            raise ConfigError(f"{path}.{key}={node[key]}: one value is needed, not a map.")
    typed = OmegaConf.create({key: node._get_node(key) for key in keys if key not in nested})
    _merge(schema, typed, path)
    for key in _keys(typed):
        node[key] = typed._get_node(key)


def _is_map(node: Any) -> bool:
    return isinstance(node, DictConfig) and not node._is_none()


def _keys(node: DictConfig) -> list[str]:
    return [str(key) for key in node]


def _check_keys(schema: DictConfig, keys: Iterable[str], path: str, also: Iterable[str] = ()) -> None:
    known = [*_keys(schema), *also]
    for key in keys:
        if key not in known:
            raise unknown_key(f"{path}.{key}".lstrip("."), known)


def _merge(schema: DictConfig, node: DictConfig, path: str) -> None:
    """Checks a node and takes over its values as the schema reads them: ``off`` is False, 2024 as a name is "2024".

    Raises: ConfigError where a key or type of ``node`` is not in the schema.
    """
    _check_keys(schema, _keys(node), path)
    try:
        merged = OmegaConf.merge(schema, node)
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        if isinstance(error, ConfigKeyError) and isinstance(error.parent_node, DictConfig):
            raise unknown_key(f"{path}.{key}".lstrip("."), _keys(error.parent_node)) from error
        raise ConfigError(
            _wrong_type(f"{path}.{key}".strip("."), OmegaConf.select(node, key) if key else node, error)
        ) from error
    _take_over(node, merged)


def _wrong_type(key: str, value: Any, error: Exception) -> str:
    """What to write instead, where one value was given for a list or a list for one value."""
    reason = _first_line(error)
    if isinstance(value, ListConfig) and "ListConfig" in reason:
        written = ", ".join(map(str, value))
        remedy = f" Write {key}={written}." if len(value) == 1 else ""
        return f"{key}=[{written}]: one value is needed, not a list.{remedy}"
    if "is not a ListConfig" in reason:
        return f"{key}={value}: a list is needed. Write {key}=[{value}]."
    return f"{key}: {reason}."


def _take_over(node: DictConfig, merged: Any) -> None:
    for key in _keys(node):
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            if is_dataclass(OmegaConf.get_type(merged, key)):
                _take_over(child, merged[key])
        elif not OmegaConf.is_interpolation(node, key):
            node[key] = merged[key]


def explain(verb: str, overrides: list[str], error: Exception) -> ConfigError:
    """Turns a Hydra error into one line that lists the choices."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group.startswith("hydra/") and name in EXTRAS:
            return ConfigError(
                f"{group}={name}: its Hydra plugin is not installed. pip install 'fontgan[{EXTRAS[name]}]' installs it."
            )
        known = choices(group) if group else []
        if known:
            return ConfigError(
                f"{group}={name}: no such variant.{_did_you_mean(name, known)} Choose one of {', '.join(known)}."
            )
    text = str(error)
    match = re.search(r"Could not override '([^']+)'|Could not delete from config. '?([\w.]+)'?", text)
    if match:
        return _unknown_override(verb, match[1] or match[2], overrides)
    match = re.search(r"No match in the defaults list|Could not override '([^']+)'. No match", text)
    key_match = re.search(r"'([\w./]+)=", text)
    if match and key_match:
        known = groups()
        return ConfigError(
            f"{key_match[1]}: no such config group.{_did_you_mean(key_match[1], known)} Groups: {', '.join(known)}."
        )
    for override in overrides:
        if not _parses(override):
            return ConfigError(f"{readable(override)}: cannot be read. Put the value in quotes: 'key=\"value\"'.")
    return ConfigError(f"config: {_first_line(error)}")


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except (HydraException, ValueError, RecursionError):
        return False
    return True


def _unknown_override(verb: str, key: str, overrides: list[str]) -> ConfigError:
    """Names the keys that exist where the user looked for ``key``."""
    group = key.replace(".", "/")
    if "/" in key or group in groups():
        known = groups()
        if key in known:
            parent = key.rpartition("/")[0]
            taken = next(
                (readable(o.partition("=")[2]) for o in overrides if o.startswith(f"{parent}=")), "the default"
            )
            return ConfigError(
                f"{key}: {parent}={taken} has no {key} of its own. Choose another {parent}, or leave it out."
            )
        return ConfigError(f"{key}: no such config group.{_did_you_mean(key, known)} Groups: {', '.join(known)}.")
    chosen = [o for o in overrides if "=" in o and o.partition("=")[0].lstrip("+~") in groups()]
    try:
        with hydra_here():
            node: Any = compose(verb, chosen, return_hydra_config=key.startswith("hydra."))
    except HydraException:
        return ConfigError(f"{key}: no such config key.")
    path: list[str] = []
    for part in key.split("."):
        child = node._get_node(part) if isinstance(node, DictConfig) and part in node else None
        if not isinstance(child, DictConfig):
            break
        node = child
        path.append(part)
    known = [str(k) for k in node if k not in (*SPECIAL_KEYS, "hydra")]
    return unknown_key(key, known)


def unknown_key(key: str, known: list[str]) -> ConfigError:
    name = key.rpartition(".")[2]
    known = [k for k in known if k not in SPECIAL_KEYS]
    return ConfigError(
        f"{key}: no such config key.{_did_you_mean(name, known)} Keys here: {', '.join(known) or 'none'}."
    )


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


# -- building -------------------------------------------------------------------------------


def _target_nodes(cfg: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node that names a target, outer before inner."""
    if isinstance(cfg, DictConfig):
        if not cfg._is_none() and cfg.get("_target_") is not None:
            yield path, cfg
        for key in [] if cfg._is_none() else cfg:  # as they are: 2 is another key than "2"
            if not OmegaConf.is_missing(cfg, key):
                yield from _target_nodes(cfg._get_node(key), f"{path}.{key!s}".lstrip("."))
    elif isinstance(cfg, ListConfig):
        for index in range(len(cfg)):
            yield from _target_nodes(cfg._get_node(index), f"{path}[{index}]")


def build(cfg: Any, path: str, **supplied: Any) -> Any:
    """Instantiates a checked node, or gives None where its target is null.

    Raises: ConfigError with the part's own words if it refuses its arguments.
    """
    if cfg.get("_target_") is None:
        return None
    for where, node in _target_nodes(cfg, path):
        locate(where, node["_target_"])
    if path in SETTLED_KEYS:
        cfg = OmegaConf.masked_copy(cfg, [key for key in _keys(cfg) if key not in SETTLED_KEYS[path]])
    try:
        return instantiate(cfg, **supplied)
    except HydraException as error:
        cause = error.__cause__ if error.__cause__ is not None else error
        if isinstance(cause, WHAT_PARTS_RAISE):
            raise ConfigError(_with_path(_first_line(cause), cause, cfg, path)) from error
        raise


def _with_path(message: str, cause: BaseException, cfg: DictConfig, path: str) -> str:
    """Puts the config's path before a part's own ``key=value: ...``; the part does not know where it is used."""
    match = re.match(r"(\w+)=(.+?): ", message)
    if not match:
        return message
    # Several parts may have such a key: the innermost of those that were being made when it was refused.
    made, trace = [], cause.__traceback__
    while trace is not None:
        made.append((trace.tb_frame.f_locals.get("self"), trace.tb_frame.f_code.co_name))
        trace = trace.tb_next
    nodes = [(where, node) for where, node in _target_nodes(cfg, path) if str(node.get(match[1])) == match[2]]
    for maker, function in reversed(made):
        for where, node in nodes:
            target = locate(where, node["_target_"])
            if isinstance(maker, target) if inspect.isclass(target) else target.__name__ == function:
                return f"{where}.{message}"
    return message


def build_generator(cfg: DictConfig, styles: int) -> UnetGenerator:
    """A generator of ``styles`` styles, its weights freshly drawn. Raises: ConfigError."""
    check_depth(cfg)
    return build(cfg.generator, "generator", styles=styles)


# -- settings that follow from others -------------------------------------------------------

_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)")


def settle(cfg: DictConfig, overrides: Iterable[str]) -> list[str]:
    """Puts in place what other settings ask for: init_from brings a run's ``generator`` and ``data``,
    generator.match_params scales ``generator.ngf``, sweep.budget sets ``trainer.max_steps`` and ``trainer.max_minutes``.

    For a config as composed; a saved one is settled, and its checkpoint fits no other width.
    Args:
        overrides: as ``prepare_overrides`` made them.
    Returns: what was chosen, in sentences.
    Raises: ConfigError where that is impossible.
    """
    _name_presets(cfg)
    return [*_inherit(cfg, overrides), *_match_params(cfg), *_keep_to_budget(cfg)]


def _inherit(cfg: DictConfig, overrides: Iterable[str]) -> list[str]:
    """Takes ``generator`` and ``data`` from the run that ``init_from`` names, but for what was typed."""
    if cfg.get("init_from") is None:
        return []
    typed = {}
    for override in overrides:
        key, _, value = override.partition("=")
        typed[key.lstrip("+~").replace("/", ".")] = readable(value)
    if typed.get("generator.match_params", "null") != "null":
        raise ConfigError(
            "generator.match_params: the network comes from init_from, and so does its width. Leave it out."
        )
    old = _config_to_inherit(cfg)
    for key in ("size", "margin"):
        if f"data.{key}" in typed and cfg.data[key] != old.data[key]:
            raise ConfigError(
                f"data.{key}={cfg.data[key]}: the network of init_from={cfg.init_from} knows {old.data[key]}. Leave it out."
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
    for key in _keys(old.data):
        # A typed choice of the group, data=sample, stands for all it sets; the canvas is the network's all the same.
        settable = key not in ("size", "margin") and (key != "source" or cfg.data.source)
        if key == "cache" or ("data" in typed and settable) or f"data.{key}" in typed:
            continue
        inner = [name for name in typed if name.startswith(f"data.{key}.")]
        for name in inner:
            OmegaConf.update(old, name, OmegaConf.select(cfg, name), merge=False, force_add=True)
        cfg.data[key] = old.data[key]
        brought.append(f"data.{key}")
    return [f"init_from={cfg.init_from}: brings {', '.join(brought)}"]


def _config_to_inherit(cfg: DictConfig) -> DictConfig:
    """The config of the run that ``init_from`` names; where ``out`` has started from it already its own, since the
    old run may be gone."""
    from fontgan.training.checkpoint import find

    own = _own_config(cfg)
    if own is not None:
        return own
    checkpoint = find(user_path(cfg.init_from), "best", key="init_from")
    old = load_config(checkpoint.folder / "config.yaml")
    check_fits(old, checkpoint)
    return old


def _own_config(cfg: DictConfig) -> DictConfig | None:
    """The config of the run in ``out`` if it has started from ``init_from`` already."""
    file = user_path(cfg.out) / "config.yaml" if "out" in cfg else None
    if file is None or not file.is_file():
        return None
    there = load_config(file)
    return there if there.get("init_from") == cfg.init_from else None


def find_origin(cfg: DictConfig, last: Checkpoint | None = None) -> Origin | None:
    """The run that ``init_from`` names, or None.

    Args:
        last: a checkpoint of the run that started from it; with it nothing of the old run is needed any more.
    Raises: RunError if there is no usable checkpoint.
    """
    if cfg.get("init_from") is None:
        return None
    from fontgan.training.checkpoint import find
    from fontgan.training.transfer import origin_of, origin_of_resumed

    if last is not None:
        return origin_of_resumed(last)
    return origin_of(find(user_path(cfg.init_from), "best", key="init_from"))


def _refuse_other_targets(cfg: DictConfig, old: DictConfig, key: str, value: str) -> None:
    """Raises: ConfigError where a typed setting would put another part into the network of init_from."""

    def targets(whole: DictConfig) -> dict[str, str]:
        return {path: node["_target_"] for path, node in _target_nodes(OmegaConf.select(whole, key), key)}

    wanted, there = targets(cfg), targets(old)
    if wanted != there:
        path = next(path for path in {**wanted, **there} if wanted.get(path) != there.get(path))
        raise ConfigError(
            f"{key}={value}: init_from={cfg.init_from} has another architecture ({path} is {there.get(path, 'absent')} "
            "there). Leave it out; the network comes from that run."
        )


def _name_presets(cfg: DictConfig) -> None:
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
    """The preset of generator/up of that name, or the node itself where it is one already.

    Raises: ConfigError if there is none of that name, or it is a hybrid itself.
    """
    if isinstance(name, DictConfig) and "fusion" in name:
        return name
    known = [preset for preset in choices("generator/up") if preset != "hybrid"]
    if name not in known:
        raise ConfigError(
            f"{where}={name}: no such preset.{_did_you_mean(str(name), known)} Choose one of {', '.join(known)}."
        )
    with hydra_here():
        return compose("train", [f"generator/up={name}"]).generator.up


def _match_params(cfg: DictConfig) -> list[str]:
    wanted = cfg.get("generator") and cfg.generator.get("match_params")
    if wanted is None:
        return []
    from fontgan.models.cost import WIDEST, closest_width

    presets = choices("generator/up")
    match = _COUNT.fullmatch(str(wanted).strip())
    if match:
        count = round(float(match[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[match[2]])
    elif wanted in presets:
        with hydra_here():
            other = compose("train", [f"generator/up={wanted}"])
        _name_presets(other)
        count = _count_parameters(cfg, cfg.generator.ngf, up=other.generator.up)
    else:
        raise ConfigError(
            f"generator.match_params={wanted}: cannot be read. Write a count (8M, 800k, 8000000), or a preset of "
            f"generator/up: {', '.join(presets)}."
        )
    for ngf, beyond in ((1, count.__lt__), (WIDEST, count.__gt__)):
        if beyond(there := _count_parameters(cfg, ngf)):
            raise ConfigError(
                f"generator.match_params={wanted}: generator.ngf={ngf} has {there:,} parameters, and ngf goes from "
                f"1 to {WIDEST}. Ask for another count, or change generator.depth."
            )
    cfg.generator.ngf = closest_width(lambda ngf: _count_parameters(cfg, ngf), count)
    found = _count_parameters(cfg, cfg.generator.ngf)
    return [
        f"generator.match_params={wanted}: {count:,} parameters asked for; generator.ngf={cfg.generator.ngf} "
        f"gives {found:,} ({found / count - 1:+.1%})"
    ]


def _count_parameters(cfg: DictConfig, ngf: int, up: DictConfig | None = None) -> int:
    from fontgan.models.cost import parameters

    changed: dict[str, Any] = {"ngf": ngf} if up is None else {"ngf": ngf, "up": up}
    targets = _targets(cfg)
    return parameters(_weightless(cfg, "generator", {**cfg.generator, **changed}, max(1, len(targets or ()))))


def _weightless(cfg: DictConfig, path: str, node: Any, styles: int) -> Any:
    """A network of ``cfg`` whose weights take no memory, to count with."""
    from fontgan.models.weightless import weightless

    check_depth(cfg)
    with weightless():
        return build(OmegaConf.create(node), path, styles=styles)


def _keep_to_budget(cfg: DictConfig) -> list[str]:
    if cfg.get("sweep") is None or cfg.sweep.budget is None:
        return []
    from fontgan.training.budget import NO_END, parse_budget

    budget = parse_budget(cfg.sweep.budget)
    if budget.unit == "minutes":
        cfg.trainer.max_steps, cfg.trainer.max_minutes = NO_END, budget.amount
        return [f"sweep.budget={cfg.sweep.budget}: trainer.max_minutes={budget.amount:g}, however many steps"]
    if budget.unit == "steps":
        cfg.trainer.max_steps, cfg.trainer.max_minutes = int(budget.amount), None
        return [f"sweep.budget={cfg.sweep.budget}: trainer.max_steps={cfg.trainer.max_steps}"]
    if not isinstance(cfg.trainer.batch_size, int):
        raise ConfigError(
            f"sweep.budget={cfg.sweep.budget}: operations are counted of a batch of known size, and trainer.batch_size="
            f"{cfg.trainer.batch_size} is none. Give it a number, or the budget in steps or minutes."
        )
    a_step = _flops_of_a_step(cfg)
    steps = round(budget.amount / a_step)
    if steps < 1:
        raise ConfigError(
            f"sweep.budget={cfg.sweep.budget}: a step of this training takes {a_step:.3g} FLOP. Allow more."
        )
    cfg.trainer.max_steps, cfg.trainer.max_minutes = steps, None
    return [f"sweep.budget={cfg.sweep.budget}: trainer.max_steps={steps}, of {a_step:.4g} FLOP each"]


def _flops_of_a_step(cfg: DictConfig) -> float:
    """Operations of a training step, with what is frozen held still."""
    from fontgan.data.pairs import name_styles
    from fontgan.training.budget import step_flops
    from fontgan.training.checkpoint import all_checkpoints
    from fontgan.training.transfer import hold_still

    check_discriminator(cfg)
    check_held_still(cfg)
    targets = list(name_styles(_targets(cfg) or ()))
    started = all_checkpoints(user_path(cfg.out)) if cfg.init_from and _own_config(cfg) is not None else []
    origin = find_origin(cfg, started[-1] if started else None)
    styles = len(origin.model_styles(targets) if origin else targets)
    generator = _weightless(cfg, "generator", cfg.generator, styles)
    frozen: list[Any] = []
    if origin is not None:
        frozen, _ = hold_still(
            generator, origin, targets, frozen=cfg.trainer.freeze or [], train_only=cfg.trainer.train_only
        )
    return step_flops(
        generator,
        _weightless(cfg, "discriminator", cfg.discriminator, styles),
        build(cfg.loss, "loss"),
        size=cfg.data.size,
        batch_size=cfg.trainer.batch_size,
        accumulate=cfg.trainer.accumulate,
        frozen_parts=frozen,
    )


def check_depth(cfg: DictConfig) -> None:
    """Raises: ConfigError if the images are too small to be halved as often as the generator halves them."""
    size, depth = int(cfg.data.size), cfg.generator.depth
    kept = 1 if cfg.generator.get("innermost_stride") == 1 else 0  # levels that do not halve
    deepest = size.bit_length() - 1 + kept
    if depth > deepest:
        larger = f" or data.size={2 ** (depth - kept)}" if depth - kept <= 9 else ""
        raise ConfigError(
            f"data.size={size} with generator.depth={depth}: {size} px can be halved {deepest - kept} times at most. "
            f"Use generator.depth={deepest}{larger}."
        )


def check_single_pixels(cfg: DictConfig, generator: UnetGenerator) -> None:
    """Raises: ConfigError if a norm would see a single value, of which it leaves nothing but its own bias."""
    import torch
    from torch import Tensor, nn

    from fontgan import distributed

    size, reader = cfg.data.size, generator.reference_style
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
        style = torch.zeros(1, reader.shots, size, size) if reader else torch.zeros(1, generator.styles)
        try:
            generator.eval()(torch.zeros(1, 1, size, size), style)
        finally:
            for hook in hooks:
                hook.remove()
            generator.train(was_training)


def build_plan(cfg: DictConfig, canvas: Frame | None = None) -> PairPlan:
    """Opens the data that ``cfg.data`` names.

    Args:
        canvas: that of the network the glyphs are for; None fits one to them.
    """
    from fontgan.data.pairs import plan_pairs

    data = cfg.data
    if not data.source:
        raise ConfigError("data.source: needs a font or a glyph folder. Add data.source=A.ttf.")
    targets = _targets(cfg)
    if not targets:
        raise ConfigError(
            "data.targets: needs at least one style. Add data.targets=[B.ttf] or data.targets={mine: DIR}."
        )
    return plan_pairs(
        str(data.source),
        targets,
        charset=data.charset,
        size=data.size,
        margin=data.margin,
        align=data.align,
        holdout=data.holdout,
        holdout_chars=data.holdout_chars,
        canvas=canvas,
    )


def _targets(cfg: DictConfig) -> Any:
    """``data.targets``, a list or a map even where one style was typed alone; None if there are none."""
    targets: Any = cfg.data.targets
    if isinstance(targets, str):
        return [targets]
    return OmegaConf.to_container(targets) if OmegaConf.is_config(targets) else targets


def check_held_still(cfg: DictConfig) -> None:
    """Raises: ConfigError if trainer.freeze or trainer.train_only cannot be read, or there is nothing to hold still."""
    from fontgan.training.transfer import PARTS

    parts, only = cfg.trainer.freeze, cfg.trainer.train_only
    unknown = [name for name in parts or [] if name not in PARTS]
    if unknown:
        raise ConfigError(f"trainer.freeze: {unknown[0]} is no part. Choose of {', '.join(PARTS)}.")
    if only not in (None, "style"):
        raise ConfigError(f"trainer.train_only={only}: choose style, or null.")
    if parts and only:
        raise ConfigError(
            "trainer.freeze and trainer.train_only: the second freezes all but new rows. Give one of them."
        )
    if (parts or only) and cfg.init_from is None:
        # What is frozen from the start stays the random numbers it was drawn as; nobody means that.
        key = "freeze" if parts else "train_only"
        raise ConfigError(f"trainer.{key}: holds a trained network still, and none is given. Add init_from=RUN.")


def check_discriminator(cfg: DictConfig) -> None:
    """Raises: ConfigError where loss and discriminator do not go together, or one would be ignored."""
    wanted = cfg.loss.adversarial > 0 or cfg.loss.category > 0
    given = cfg.discriminator.get("_target_") is not None
    if wanted and not given:
        raise ConfigError(
            "discriminator=none, but loss.adversarial or loss.category is above 0. "
            "Use discriminator=patch (or zi2zi), or set both weights to 0."
        )
    if given and not wanted:
        raise ConfigError(
            "discriminator: would never be used, since loss.adversarial and loss.category are 0. "
            "Use discriminator=none, or loss=ink_gan, or loss.adversarial=0.02."
        )
    layers = cfg.discriminator.get("layers", 0)
    if given and cfg.data.size >> layers < 1:
        raise ConfigError(
            f"discriminator.layers={layers}: {cfg.data.size} px can be halved {cfg.data.size.bit_length() - 1} times at most."
        )
    if cfg.loss.category > 0 and cfg.discriminator.get("head", "category") != "category":
        raise ConfigError(
            "loss.category is above 0, but discriminator.head=projection names no category. "
            "Use discriminator.head=category or loss.category=0."
        )


def load_config(file: Path) -> DictConfig:
    """Reads a run's saved config, which a stranger may have written, and checks it like a typed one and more strictly.

    Raises: ConfigError, in one line, also for what no saved config holds: interpolations, references, numbers out of
        any range.
    """
    try:
        loaded = read_yaml(file)
        if not isinstance(loaded, dict):
            raise ValueError("is not a run's config")
        cfg = OmegaConf.create(loaded)
        lacking = [key for key in NEEDED_IN_SAVED if OmegaConf.select(cfg, key, default=_ABSENT) is _ABSENT]
        if lacking:
            raise ValueError(f"lacks {lacking[0]}")
        cfg = _checked("train", cfg)
        _check_saved_numbers(cfg)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    except (ValueError, OmegaConfBaseException) as error:
        raise ConfigError(f"{file}: {_first_line(error)}. Use the config.yaml that was saved with the run.") from error
    return cfg


_ABSENT = object()
NEEDED_IN_SAVED = (
    "data.source", "data.targets", "data.charset", "data.size", "data.margin", "data.align", "data.holdout",
    "data.holdout_chars", "data.augment", "generator", "discriminator", "loss", "loss.adversarial", "loss.category",
    "generator.depth", "generator.ngf", "generator.up", "generator.style", "optim.algorithm", "optim.lr",
    "optim.discriminator_lr", "optim.warmup_steps", "optim.final_lr_share", "trainer.batch_size", "trainer.accumulate",
    "trainer.max_steps", "trainer.max_minutes", "trainer.precision", "trainer.seed",
)  # fmt: skip
# Lowest and highest of what decides how much memory or time is spent before anything else could refuse it.
RANGES_IN_SAVED = {
    "data.workers": (1, 1024), "trainer.batch_size": (1, 65_536), "trainer.accumulate": (1, 65_536),
    "trainer.threads": (1, 1024), "trainer.sheet_chars": (0, 10_000), "trainer.max_steps": (1, 10**15),
    "trainer.seed": (0, 2**63), "optim.warmup_steps": (0, 10**15), "discriminator.layers": (0, 9),
}  # fmt: skip


def _check_saved_numbers(cfg: DictConfig) -> None:
    """Raises: ConfigError for a number that no training of ours had, or that nothing could be built with."""
    from fontgan.data.pairs import SIZES

    if cfg.data.size not in SIZES:
        raise ConfigError(f"data.size={cfg.data.size}: choose one of {', '.join(map(str, SIZES))}.")
    targets = _targets(cfg)
    specs = list(targets.values()) if isinstance(targets, dict) else targets
    if (
        not isinstance(cfg.data.source, str)
        or not isinstance(specs, list)
        or not all(isinstance(s, str) for s in specs)
    ):
        raise ConfigError("data.source or data.targets: names no font or folder.")
    if cfg.trainer.batch_size != "auto" and type(cfg.trainer.batch_size) is not int:
        raise ConfigError(f"trainer.batch_size={cfg.trainer.batch_size}: a whole number of pairs is needed.")
    check_depth(cfg)
    for key, (low, high) in RANGES_IN_SAVED.items():
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int | float) and not low <= value <= high:
            raise ConfigError(f"{key}={value}: {low} to {high} is needed.")


def check_fits(cfg: DictConfig, checkpoint: Checkpoint, names: Iterable[str] = ("generator",)) -> None:
    """Compares the networks that a saved config asks for with what its checkpoint holds, before memory is taken for them.

    They are made without weights (on torch's meta device), and no further than the file's own number of tensors.

    Args:
        names: of ``generator`` and ``discriminator``, where the config has one.
    Raises: RunError if they differ; ConfigError if a network cannot be built so.
    """
    if "styles" not in checkpoint.facts:
        raise RunError(f"{checkpoint.folder / 'run.json'}: lacks styles. Use another checkpoint of the run.")
    styles = len(checkpoint.facts["styles"])
    for name in names:
        if cfg[name].get("_target_") is None:
            continue
        theirs, file = checkpoint.shapes(name), checkpoint.folder / f"{name}.safetensors"
        with _no_more_parameters_than(len(theirs), file):
            network = _weightless(cfg, name, cfg[name], styles)
        ours = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        if ours != theirs:
            key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
            raise _other_architecture(
                file, f"{key} is {theirs.get(key, 'absent')} there and {ours.get(key, 'absent')} here"
            )


def _other_architecture(file: Path, reason: str) -> RunError:
    return RunError(
        f"{file}: was made by another architecture than its config names ({reason}). "
        "Use the config.yaml that was saved with it."
    )


@contextmanager
def _no_more_parameters_than(count: int, file: Path) -> Iterator[None]:
    """Stops the building of a network that would have many more tensors than its file.

    Some are made and replaced on the way, such as those that a spectral norm is put over, hence twice as many.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    made = 0

    def look(*_: Any) -> None:
        nonlocal made
        made += 1
        if made > 2 * count + 100:
            raise _other_architecture(file, f"it has {count} tensors, and the config asks for more")

    handle = register_module_parameter_registration_hook(look)
    try:
        yield
    finally:
        handle.remove()


def differences(old: DictConfig, new: DictConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (old value, new value) wherever two configs differ; a key that an older run lacks is null."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return {
        key: (before.get(key), after.get(key)) for key in sorted({*before, *after}) if before.get(key) != after.get(key)
    }


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    container = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    if isinstance(container, dict):
        for key, value in container.items():
            yield from _leaves(value, f"{path}.{key!s}".lstrip("."))
    else:
        yield path, container
