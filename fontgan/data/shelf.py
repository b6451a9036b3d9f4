"""The shelf: complete source fonts, four in the package and larger ones that npm fetches into the cache."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from fontgan.data.font_tables import unpacked
from fontgan.data.npm import check_hash, npm_files
from fontgan.errors import DataError
from fontgan.runtime.files import atomic_write, cache_folder

FOLDER = Path(__file__).parents[1] / "assets" / "shelf"


@dataclass(frozen=True)
class ShelfFont:
    """One font of the shelf, as shelf.yaml describes it.

    Args:
        covers: the character sets of ``fontgan.data.charset`` that it has wholly.
        package: the npm package that it comes in, ``name@version``; empty if fontgan's own package holds it.
        file, licence: the font and its licence in that package.
        sha256: of the font as the package has it.
    """

    name: str
    kind: str
    family: str
    version: str
    characters: int
    covers: list[str]
    package: str = ""
    file: str = ""
    licence: str = ""
    sha256: str = field(default="", repr=False)

    @property
    def path(self) -> Path:
        """Where the font lies, or will lie once it is fetched."""
        return cache_folder(None) / "shelf" / f"{self.name}.ttf" if self.package else FOLDER / f"{self.name}.woff2"

    @property
    def licence_path(self) -> Path:
        return self.path.with_name(f"{self.name}.LICENSE.txt")


@cache
def shelf() -> dict[str, ShelfFont]:
    """Every font of the shelf by its name, those of the package first."""
    listed = yaml.safe_load((FOLDER / "shelf.yaml").read_text(encoding="utf-8"))
    return {name: ShelfFont(name, kind=facts.pop("class"), **facts) for name, facts in listed.items()}


def bundled() -> list[str]:
    """Those that the package holds, as settings name them."""
    return [f"shelf:{name}" for name, font in shelf().items() if not font.package]


def shelf_font(name: str, where: str) -> ShelfFont:
    """A font of the shelf; ``where`` is what errors tell of. Raises: DataError if there is none of that name."""
    if name not in shelf():
        raise DataError(f"{where}: the shelf has no font of that name. There are {', '.join(shelf())}.")
    return shelf()[name]


def is_fetched(spec: str) -> bool:
    """Whether ``shelf:NAME`` is on this machine. Raises: DataError if there is no such font."""
    name = spec.removeprefix("shelf:")
    return shelf_font(name, spec).path.is_file()


def shelf_path(name: str) -> Path:
    """The file of ``shelf:NAME``. Raises: DataError if there is no such font, or it is not fetched yet."""
    font = shelf_font(name, f"shelf:{name}")
    if not font.path.is_file():
        raise DataError(
            f"shelf:{name}: is not on this machine yet. Run fontgan shelf 'fetch=[{name}]', which fetches it."
        )
    return font.path


def fetch_font(font: ShelfFont) -> None:
    """Brings a font and its licence into the cache by ``npm pack``, from the registry that npm is set up for.

    Raises: DataError if npm is lacking or fails, or the font is not the one whose hash is pinned; nothing is left then.
    """
    where = f"fetch={font.name}"
    font.path.parent.mkdir(parents=True, exist_ok=True)
    data, terms = npm_files(font.package, [font.file, font.licence], where)
    check_hash(data, font.sha256, f"{where}: {font.file} of {font.package}")
    atomic_write(font.licence_path, terms)
    atomic_write(font.path, unpacked(font.path, data))
