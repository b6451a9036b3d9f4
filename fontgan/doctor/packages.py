"""Which packages are installed, as their metadata say: none is imported here."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from fontgan.doctor.rows import Row, Wrong, row
from fontgan.extras import how_to_install

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SECTION = "packages"
SHOWN = ("torch", "torchvision", "numpy", "hydra-core", "omegaconf", "pillow", "freetype-py", "fonttools")
TO_WORK_ON_IT = ("dev", "fuzz")  # extras of who changes fontgan
# What is imported, where that is not the package's name.
_MODULES = {
    "hydra-core": "hydra", "pyyaml": "yaml", "pillow": "PIL", "freetype-py": "freetype", "fonttools": "fontTools",
    "scikit-image": "skimage", "skia-pathops": "pathops",
}  # fmt: skip


def package_rows() -> Iterator[Row]:
    yield row(SECTION, "versions", _versions)
    yield row(SECTION, "required", _required, must_work=True)
    yield row(SECTION, "extras", _extras)


def came_from() -> str:
    """From where fontgan was installed, without the folder; empty if it was not."""
    try:
        source = json.loads(_recorded("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        return ""
    if not source:
        return "installed from a package index"
    if "dir_info" in source:
        return "installed from a checkout" + (", editable" if source["dir_info"].get("editable") else "")
    return f"installed from {_file_of(source)}"


def _file_of(source: dict[str, str]) -> str:
    return PurePosixPath(unquote(urlsplit(source["url"]).path)).name


def modules() -> list[str]:
    """What fontgan imports of the packages that it requires, to be called without any of them."""
    asked = metadata.requires("fontgan") or []
    names = [re.match(r"[\w.-]+", line) for line in asked if "extra ==" not in line]
    return [_MODULES.get(found[0].lower(), found[0].replace("-", "_")) for found in names if found]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> str:
    return ", ".join(f"{name} {_installed(name) or 'lacking'}" for name in SHOWN)


def _asked() -> dict[str, list["Requirement"]]:
    """What fontgan requires always ("") and for each extra."""
    from packaging.requirements import Requirement

    try:
        lines = [Requirement(line) for line in metadata.requires("fontgan") or []]
    except metadata.PackageNotFoundError as error:
        remedy = "Run pip install . in its folder"
        raise Wrong(f"fontgan is not installed, so what it requires is not known. {remedy}.") from error
    extras = metadata.metadata("fontgan").get_all("Provides-Extra") or []
    found: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in lines:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found[""].append(requirement)
        else:
            for extra in extras:
                if requirement.marker.evaluate({"extra": extra}):
                    found[extra].append(requirement)
    return found


def _fault(requirement: "Requirement") -> str:
    """What is wrong with what is installed for it, empty if nothing is."""
    there = _installed(requirement.name)
    if there is None:
        return f"{requirement.name} is lacking"
    fits = requirement.specifier.contains(there, prereleases=True)
    return "" if fits else f"{requirement.name} is {there}"


def _required() -> str:
    asked = _asked()[""]
    wrong = {str(requirement): fault for requirement in asked if (fault := _fault(requirement))}
    if wrong:
        remedy = " ".join(f'"{requirement}"' for requirement in wrong)
        raise Wrong(f"{', '.join(wrong.values())}. Run pip install {remedy}")
    return f"all {len(asked)} are installed, in versions that fontgan takes"


def _extras() -> str:
    asked = {extra: needed for extra, needed in _asked().items() if extra and extra not in TO_WORK_ON_IT}
    there = [extra for extra, needed in asked.items() if not any(map(_fault, needed))]
    lacking = [extra for extra in asked if extra not in there]
    told = ", ".join(there) or "none"
    if not lacking:
        return f"{told}; none is lacking"
    name = "NAME" if len(lacking) > 1 else lacking[0]
    return f"{told}; lacking: {', '.join(lacking)}, each by {_install_command(name)}"


def _recorded(name: str) -> str | None:
    """A file of what the installation notes of itself; None if it has none."""
    return metadata.distribution("fontgan").read_text(name)


def _install_command(extra: str) -> str:
    """As PEP 610 records where fontgan came from. Quotes are double, since the shell of Windows knows no others."""
    if (Path(__file__).parents[2] / "pyproject.toml").is_file():
        return f'pip install -e ".[{extra}]" in the checkout'
    source = json.loads(_recorded("direct_url.json") or "{}")
    if "archive_info" in source:
        return f'pip install "{_file_of(source)}[{extra}]"'
    return "its packages" if extra == "NAME" else how_to_install(extra)
