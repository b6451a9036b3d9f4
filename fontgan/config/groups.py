"""``configs/`` on disk: groups, variants, and Hydra over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

from fontgan.config.plugins import active
from fontgan.errors import ConfigError

SPECIAL_KEYS = ("_target_", "_partial_")
# Groups without a folder: their variants are those of another group, put to work in another place.
SAME_VARIANTS = {"generator/encoder_refine": "generator/up/refine"}


def config_folder() -> Path:
    """``configs/``: inside the package in a wheel, beside it in a checkout."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def config_files() -> dict[str, Path]:
    """Every file of ``configs/`` and of the plugins', by its place there, such as ``loss/ink.yaml``.

    Raises: ConfigError if a plugin has a file of a name that is taken; Hydra would never read it.
    """
    found: dict[str, Path] = {}
    for owner, root in [("fontgan", config_folder()), *((name, plugin.configs) for name, plugin in active().items())]:
        files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.yaml")}
        if taken := sorted(files.keys() & found):
            raise ConfigError(f"plugins=[{owner}]: configs/{taken[0]} is a file of another package too. Rename it.")
        found |= files
    return found


def variants(group: str) -> dict[str, Path]:
    """The variants of a config group with their files, read from its folders."""
    folder = SAME_VARIANTS.get(group, group)
    files = {Path(place): file for place, file in sorted(config_files().items())}
    return {
        place.stem: file
        for place, file in files.items()
        if place.parent.as_posix() == folder and not place.stem.startswith("_")
    }


def choices(group: str) -> list[str]:
    """The names of a config group's variants."""
    return sorted(variants(group))


def groups() -> list[str]:
    """Every config group, read from the folders."""
    found = {place.rpartition("/")[0] for place in config_files() if "/" in place}
    return sorted({*found, *SAME_VARIANTS})


@contextmanager
def hydra_here() -> Iterator[Hydra]:
    """Hydra over ``configs/``; in a sweep's job the sweep's own Hydra is put back afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder()), job_name="fontgan", version_base="1.3"):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            _add_plugins(hydra)
            _store_same_variants()
            yield hydra
    finally:
        GlobalHydra.instance().hydra = before


def _store_same_variants() -> None:
    for group, like in SAME_VARIANTS.items():
        for name in choices(like):
            ConfigStore.instance().store(name, {"defaults": [{f"/{like}@_here_": name}]}, group=group)


def _add_plugins(hydra: Hydra) -> None:
    if not active():
        return
    config_files()  # refuses files of one name
    path = hydra.config_loader.get_search_path()
    for name, plugin in active().items():
        path.prepend(name, f"file://{plugin.configs}", anchor="schema")
    hydra.config_loader = ConfigLoaderImpl(path)


def hydra_choices(verb: str, overrides: list[str]) -> dict[str, str]:
    """Hydra's own groups -> the choices that these prepared overrides make: launcher, sweeper."""
    with hydra_here():
        chosen = compose(verb, overrides, return_hydra_config=True).hydra.runtime.choices
    return {str(group): str(choice) for group, choice in chosen.items() if str(group).startswith("hydra/")}
