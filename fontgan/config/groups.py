"""``configs/`` on disk: groups, variants, and Hydra over them."""

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


def _folders() -> list[Path]:
    return [config_folder(), *(plugin.configs for plugin in active().values())]


def variants(group: str) -> dict[str, Path]:
    """The variants of a config group with their files, read from its folders."""
    files = (file for root in _folders() for file in (root / SAME_VARIANTS.get(group, group)).glob("*.yaml"))
    return {file.stem: file for file in sorted(files) if not file.stem.startswith(("_", "."))}


def file_of(name: str) -> Path | None:
    """The file of a config as Hydra names it, ``generator/up/gated``; None where it is none of ours."""
    group, _, stem = name.rpartition("/")
    files = (root / SAME_VARIANTS.get(group, group) / f"{stem}.yaml" for root in _folders())
    return next((file for file in files if file.is_file()), None)


def choices(group: str) -> list[str]:
    return sorted(variants(group))


def groups() -> list[str]:
    """Every config group, read from the folders."""
    found = {file.rpartition("/")[0] for root in _folders() for file in _files_below(root) if "/" in file}
    return sorted({*found, *SAME_VARIANTS})


def _files_below(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in sorted(root.rglob("*.yaml"))]


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
            for group, like in SAME_VARIANTS.items():
                for name in choices(like):
                    ConfigStore.instance().store(name, {"defaults": [{f"/{like}@_here_": name}]}, group=group)
            yield hydra
    finally:
        GlobalHydra.instance().hydra = before


def _add_plugins(hydra: Hydra) -> None:
    """Raises: ConfigError if a plugin has a file of a name that is taken; Hydra would never read it."""
    if not active():
        return
    path, taken = hydra.config_loader.get_search_path(), set(_files_below(config_folder()))
    for name, plugin in active().items():
        for file in _files_below(plugin.configs):
            if file in taken:
                raise ConfigError(f"plugins=[{name}]: configs/{file} is a file of another package too. Rename it.")
            taken.add(file)
        path.prepend(name, f"file://{plugin.configs}", anchor="schema")
    hydra.config_loader = ConfigLoaderImpl(path)


def hydra_choices(verb: str, overrides: list[str]) -> dict[str, str]:
    """Hydra's own groups -> the choices that these prepared overrides make: launcher, sweeper."""
    with hydra_here():
        chosen = compose(verb, overrides, return_hydra_config=True).hydra.runtime.choices
    return {str(group): str(choice) for group, choice in chosen.items() if str(group).startswith("hydra/")}
