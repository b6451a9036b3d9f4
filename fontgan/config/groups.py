"""``configs/`` on disk: groups, variants, and Hydra over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

SPECIAL_KEYS = ("_target_", "_partial_")


def config_folder() -> Path:
    """``configs/``: inside the package in a wheel, beside it in a checkout."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def choices(group: str) -> list[str]:
    """The variants of a config group, read from its folder."""
    folder = config_folder() / group
    return sorted(file.stem for file in folder.glob("*.yaml") if not file.stem.startswith("_"))


def groups() -> list[str]:
    """Every config group, read from the folders."""
    root = config_folder()
    found = (path.parent.relative_to(root).as_posix() for path in root.rglob("*.yaml") if path.parent != root)
    return sorted(set(found))


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


def hydra_choices(verb: str, overrides: list[str]) -> dict[str, str]:
    """Hydra's own groups -> the choices that these prepared overrides make: launcher, sweeper."""
    with hydra_here():
        chosen = compose(verb, overrides, return_hydra_config=True).hydra.runtime.choices
    return {str(group): str(choice) for group, choice in chosen.items() if str(group).startswith("hydra/")}
