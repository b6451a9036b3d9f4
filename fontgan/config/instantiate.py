"""``_target_`` -> object."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fontgan.config.check import RESOLVED_KEYS, parameter_keys, target_nodes
from fontgan.config.targets import locate
from fontgan.errors import ConfigError, first_line

if TYPE_CHECKING:
    from fontgan.models.unet import UnetGenerator

# Of values out of range, and of parts that do not fit together.
WHAT_PARTS_RAISE = (ValueError, TypeError, RuntimeError, ArithmeticError, AttributeError, LookupError, MemoryError)


def build(cfg: Any, path: str, **supplied: Any) -> Any:
    """Instantiates a checked node, or gives None where its target is null.

    Raises: ConfigError with the part's own words if it refuses its arguments.
    """
    if cfg.get("_target_") is None:
        return None
    for where, node in target_nodes(cfg, path):
        locate(where, node["_target_"])
    if path in RESOLVED_KEYS:
        cfg = OmegaConf.masked_copy(cfg, [key for key in parameter_keys(cfg) if key not in RESOLVED_KEYS[path]])
    try:
        return instantiate(cfg, **supplied)
    except HydraException as error:
        cause = error.__cause__ if error.__cause__ is not None else error
        if isinstance(cause, WHAT_PARTS_RAISE):
            raise ConfigError(_with_path(first_line(cause), cause, cfg, path)) from error
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
    nodes = [(where, node) for where, node in target_nodes(cfg, path) if str(node.get(match[1])) == match[2]]
    for maker, function in reversed(made):
        for where, node in nodes:
            target = locate(where, node["_target_"])
            if isinstance(maker, target) if inspect.isclass(target) else target.__name__ == function:
                return f"{where}.{message}"
    return message


def build_generator(cfg: DictConfig, styles: int) -> UnetGenerator:
    """A generator of ``styles`` styles, its weights freshly drawn. Raises: ConfigError."""
    return build(cfg.generator, "generator", styles=styles)


def build_on_meta(cfg: DictConfig, path: str, node: Any, styles: int) -> Any:
    """A network of ``cfg`` whose weights take no memory, to count with."""
    from fontgan.models.meta import on_meta_device

    with on_meta_device():
        return build(OmegaConf.create(node), path, styles=styles)


def target_specs(cfg: DictConfig) -> Any:
    """``data.targets``, a list or a map even where one style was typed alone; None if there are none."""
    targets: Any = cfg.data.targets
    if isinstance(targets, str):
        return [targets]
    return OmegaConf.to_container(targets) if OmegaConf.is_config(targets) else targets
