"""A run's saved config.yaml: read, checked and compared."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fontgan.config.check import check_and_resolve
from fontgan.config.conflicts import validate
from fontgan.config.instantiate import build_on_meta, source_spec, target_specs
from fontgan.config.plugins import refuse_inactive
from fontgan.errors import ConfigError, RunError, first_line
from fontgan.untrusted.plain_yaml import read_yaml

if TYPE_CHECKING:
    from fontgan.training.checkpoint import Checkpoint


def load_config(file: Path) -> DictConfig:
    """Reads a run's saved config, which a stranger may have written, and checks it like a typed one and more strictly.

    Raises: ConfigError, also for what no saved config holds: interpolations, references, numbers out of any range.
    """
    try:
        loaded = read_yaml(file)
        if not isinstance(loaded, dict):
            raise ValueError("is not a run's config")
        cfg = OmegaConf.create(loaded)
        named = loaded.get("plugins")
        refuse_inactive([str(name) for name in named] if isinstance(named, list) else [])
        cfg = check_and_resolve("train", cfg)
        shared = source_spec(cfg.data.source)
        if not (targets := target_specs(cfg)) or not all(target.source or shared for target in targets.values()):
            raise ConfigError("data.source or data.targets: names no font or folder.")
        validate("train", cfg)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from error
    except ConfigError as error:
        raise ConfigError(*(f"{file}: {fault}" for fault in error.faults)) from error
    except (ValueError, OmegaConfBaseException) as error:
        raise ConfigError(f"{file}: {first_line(error)}. Use the config.yaml that was saved with the run.") from error
    return cfg


def check_fits(cfg: DictConfig, checkpoint: "Checkpoint", names: Iterable[str] = ("generator",)) -> None:
    """Compares the networks that a saved config asks for with what its checkpoint holds, before memory is taken for them.

    They are made without weights (on torch's meta device), and no further than the file's own number of tensors.

    Raises: RunError if they differ; ConfigError if a network cannot be built so.
    """
    styles = len(checkpoint.metadata["styles"])
    for name in names:
        if cfg[name].get("_target_") is None:
            continue
        theirs, file = checkpoint.shapes(name), checkpoint.folder / f"{name}.safetensors"
        with _no_more_parameters_than(len(theirs), file):
            network = build_on_meta(name, cfg, styles)
        ours = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        if ours != theirs:
            key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
            there, here = theirs.get(key, "absent"), ours.get(key, "absent")
            raise _other_architecture(file, f"{key} is {there} there and {here} here")


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
    before, after = (dict(_leaves(OmegaConf.to_container(cfg, resolve=True))) for cfg in (old, new))
    pairs = {key: (before.get(key), after.get(key)) for key in sorted({*before, *after})}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(node, dict):
        yield path, node
    else:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key!s}".lstrip("."))
