"""A run's saved config.yaml: read, checked and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fontgan.config.check import check_and_resolve
from fontgan.config.conflicts import check_depth
from fontgan.config.explain import first_line
from fontgan.config.instantiate import build_on_meta, target_specs
from fontgan.errors import ConfigError, RunError
from fontgan.untrusted.plain_yaml import read_yaml

if TYPE_CHECKING:
    from fontgan.training.checkpoint import Checkpoint


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
        cfg = check_and_resolve("train", cfg)
        _check_saved_numbers(cfg)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from error
    except ConfigError as error:
        raise ConfigError(*(f"{file}: {fault}" for fault in error.faults)) from error
    except (ValueError, OmegaConfBaseException) as error:
        raise ConfigError(f"{file}: {first_line(error)}. Use the config.yaml that was saved with the run.") from error
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
    targets = target_specs(cfg)
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
    if "styles" not in checkpoint.metadata:
        raise RunError(f"{checkpoint.folder / 'run.json'}: lacks styles. Use another checkpoint of the run.")
    styles = len(checkpoint.metadata["styles"])
    for name in names:
        if cfg[name].get("_target_") is None:
            continue
        theirs, file = checkpoint.shapes(name), checkpoint.folder / f"{name}.safetensors"
        with _no_more_parameters_than(len(theirs), file):
            network = build_on_meta(cfg, name, cfg[name], styles)
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
