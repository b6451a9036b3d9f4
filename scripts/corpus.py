"""Fetches the free fonts that a base model learns from, and those that it is judged on, which it must never see.

    python scripts/corpus.py FOLDER

The list is corpus.yaml, beside this file.  npm and, for some fonts, apt-get must be there.  FOLDER then holds the fonts with
their licences, ``training.yaml`` and ``validation.yaml`` for ``data.targets`` and ``fonts`` of fontgan, and
``manifest.csv``, which tells what each font is.  What is there already is kept, so the same command goes on.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    import yaml
    from fontTools.ttLib import TTFont
    from tqdm import tqdm

    from fontgan.data.font_tables import unpacked
    from fontgan.data.npm import check_hash, npm_files
    from fontgan.errors import DataError
    from fontgan.runtime.files import atomic_write
except ModuleNotFoundError as error:
    sys.exit(f"scripts/corpus.py: {not_installed(error)}")

LIST = Path(__file__).with_name("corpus.yaml")
# The source whose forms of characters are those of a region.
SOURCES = {"sc": "shelf:sans", "jp": "shelf:sans-jp", "tc": "shelf:sans-tc", "kr": "shelf:sans-kr"}
# A line that the text of each licence has.
LICENCES = {
    "OFL-1.1": "SIL OPEN FONT LICENSE", "Apache-2.0": "APACHE LICENSE", "BSD-3-Clause": "BSD-3-CLAUSE",
    "OGDL-Taiwan-1.0": "OGDL-TW-1.0",
}  # fmt: skip


def fetch(name: str, facts: dict[str, str], folder: Path) -> Path:
    """A font of the list with its licence beside it. Returns: its file. Raises: DataError."""
    file = folder / f"{name}.ttf"
    if not file.is_file():
        members = [facts["file"], facts["licence_file"]]
        read = (
            npm_files(facts["npm"], members, name) if "npm" in facts else debian_files(facts["debian"], members, name)
        )
        font, terms = read
        check_hash(font, facts["sha256"], f"{name}: {facts['file']}")
        line = LICENCES[facts["licence"]]
        # Looked for without regard to capitals: Apache's own text and Debian's short names differ in them.
        if line not in terms.decode("utf-8", "replace").upper():
            raise DataError(f"{name}: {facts['licence_file']} is not the text of {facts['licence']}. Nothing is kept.")
        atomic_write(file.with_suffix(".LICENSE.txt"), terms)
        atomic_write(file, unpacked(file, font))
    return file


def debian_files(package: str, names: list[str], where: str) -> list[bytes]:
    """Files of a Debian package, from the mirror that apt is set up for. Raises: DataError."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise DataError(f"{where}: is in the Debian package {package}, and {program} is not installed.")
    with tempfile.TemporaryDirectory(prefix="fontgan-") as folder:
        result = subprocess.run(["apt-get", "download", package], capture_output=True, text=True, cwd=folder)
        packed = next(Path(folder).glob("*.deb"), None)
        if result.returncode or packed is None:
            raise DataError(f"{where}: apt-get could not download {package}. See what apt-get download {package} says.")
        try:
            subprocess.run(["dpkg-deb", "-x", str(packed), folder], check=True, capture_output=True)
            return [(Path(folder) / name).read_bytes() for name in names]
        except (OSError, subprocess.CalledProcessError) as error:
            raise DataError(f"{where}: the Debian package {package} is broken or lacks a file ({error}).") from error


def row(name: str, facts: dict[str, str], file: Path) -> dict[str, str | int]:
    """What the manifest tells of a font."""
    font = TTFont(file, lazy=True)
    told = {id: font["name"].getDebugName(id) or "" for id in (1, 5)}
    return {
        "name": name, "use": facts.get("use", "training"), "family": told[1], "version": told[5],
        "class": facts["class"], "region": facts["region"], "weight": font["OS/2"].usWeightClass,
        "characters": len(font.getBestCmap()), "source": SOURCES[facts["region"]], "licence": facts["licence"],
        "package": facts.get("npm") or facts["debian"], "sha256": facts["sha256"],
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    folder = Path(arguments[0])
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    targets: dict[str, dict[str, dict[str, str]]] = {"training": {}, "validation": {}}
    rows = []
    for name, facts in tqdm(listed.items(), desc="fonts", unit="font"):
        use = facts.get("use", "training")
        (folder / use).mkdir(parents=True, exist_ok=True)
        file = fetch(name, facts, folder / use)
        targets[use][name] = {"font": f"{use}/{file.name}", "source": SOURCES[facts["region"]]}
        rows.append(row(name, facts, file))
    for use, named in targets.items():
        atomic_write(folder / f"{use}.yaml", yaml.safe_dump(named, sort_keys=False))
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(folder / "manifest.csv", table.getvalue())
    print(f"{len(targets['training'])} fonts to train on, {len(targets['validation'])} to judge by, in {folder}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DataError as error:
        sys.exit(f"scripts/corpus.py: {error}")
