"""``data.targets=FILE.yaml`` and ``corpus=FOLDER``: many styles, listed in a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from omegaconf import DictConfig

from fontgan.errors import ConfigError
from fontgan.runtime.files import user_path
from fontgan.untrusted.plain_yaml import read_yaml

ENDINGS = (".yaml", ".yml")
TRAINING = "training.yaml"  # of a corpus, the fonts to train on


def resolve_targets_file(cfg: DictConfig) -> list[str]:
    """Puts the styles that a file lists where ``data.targets`` names it. Returns: what to tell. Raises: ConfigError."""
    if "data" not in cfg or not names_file(cfg.data.targets):
        return []
    name = cfg.data.targets
    cfg.data.targets = read_targets(name)
    return [f"data.targets={name}: {len(cfg.data.targets)} styles"]


def resolve_corpus(cfg: DictConfig, typed: Iterable[str]) -> None:
    """Has ``data.targets`` name the list of fonts in the folder ``corpus``. Raises: ConfigError."""
    if cfg.get("corpus") is None:
        return
    if "data.targets" in typed:
        raise ConfigError(f"corpus={cfg.corpus}: sets data.targets. Leave one of them out.")
    if not (user_path(cfg.corpus) / TRAINING).is_file():
        remedy = f"Make it: python scripts/corpus.py {cfg.corpus}"
        raise ConfigError(f"corpus={cfg.corpus}: holds no {TRAINING}. {remedy}")
    cfg.data.targets = (Path(cfg.corpus) / TRAINING).as_posix()


def names_file(targets: Any) -> TypeGuard[str]:
    return isinstance(targets, str) and targets.lower().endswith(ENDINGS)


def read_targets(name: str) -> dict[str, Any]:
    """Style -> what ``data.targets`` takes for it; files are looked for from the list's own folder. Raises: ConfigError."""
    file = user_path(name)
    try:
        listed = read_yaml(file)
    except OSError as error:
        raise ConfigError(f"data.targets={name}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ConfigError(f"data.targets={name}: {error}.") from error
    if not isinstance(listed, dict) or not listed:
        raise ConfigError(f"data.targets={name}: styles are needed, each on a line of its own: NAME: FONT.")
    return {str(style): _from(file.parent, value) for style, value in listed.items()}


def _from(folder: Path, value: Any) -> Any:
    """What a file says of a style, its paths made whole; what is no path stays as it is, to be refused where a typed one is."""
    if isinstance(value, dict):
        return {key: _from(folder, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_from(folder, one) for one in value]
    is_path = isinstance(value, str) and not value.startswith(("asset:", "shelf:"))
    return (folder / value).as_posix() if is_path else value
