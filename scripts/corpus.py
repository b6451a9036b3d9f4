"""Fetches the free fonts that a base model learns from, and those that it is judged on, which it must never see.

    python scripts/corpus.py FOLDER

The list is corpus.yaml, beside this file.  npm and, for some fonts, apt-get must be there.  FOLDER then holds the fonts with
their licences, ``training.yaml`` and ``validation.yaml`` for ``data.targets`` and ``fonts`` of fontgan, and
``manifest.csv``, which tells what each font is, or why it was left out.  What is there already is kept, so the same
command goes on.  A font to train on that draws as one of the others does ends it.
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
    import numpy as np
    import yaml
    from fontTools.ttLib import TTFont
    from tqdm import tqdm

    from fontgan.data import charset
    from fontgan.data.font_tables import unpacked
    from fontgan.data.frame import Frame
    from fontgan.data.npm import check_hash, npm_files
    from fontgan.data.sources import open_glyphs
    from fontgan.errors import DataError
    from fontgan.runtime.files import atomic_write
    from fontgan.runtime.subsample import subsample_evenly
except ModuleNotFoundError as error:
    sys.exit(f"scripts/corpus.py: {not_installed(error)}")

LIST = Path(__file__).with_name("corpus.yaml")
# The source whose forms of characters are those of a region.
SOURCES = {"sc": "shelf:sans", "jp": "shelf:sans-jp", "tc": "shelf:sans-tc", "kr": "shelf:sans-kr"}
# The bundled fonts, beside those of the list, on which results are told.
JUDGED = {path.stem: str(path) for path in (ROOT / "fontgan/assets/fonts").glob("*.ttf") if "Noto" not in path.name}
# Of each set, how many characters fonts are compared by.
COMPARED = {"gb2312-1": 100, "jis-1": 100, "big5-1": 50, "kana": 30, "ksx1001-hangul": 100}
# A line that the text of each licence has.
LICENCES = {
    "OFL-1.1": "SIL OPEN FONT LICENSE", "Apache-2.0": "APACHE LICENSE", "BSD-3-Clause": "BSD-3-CLAUSE",
    "OGDL-Taiwan-1.0": "OGDL-TW-1.0", "MIT": "PERMISSION IS HEREBY GRANTED, FREE OF CHARGE",
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
        "package": facts.get("npm") or facts["debian"], "sha256": facts["sha256"], "why": "",
    }  # fmt: skip


def pictures(font: str) -> dict[str, np.ndarray]:
    """Glyphs spread evenly over all scripts, drawn small. Returns: {character: ink [32, 32], 0 to 255}."""
    glyphs, frame = open_glyphs(font), Frame(30, 1, 1)
    asked = (char for name, count in COMPARED.items() for char in subsample_evenly(charset.resolve(name) or [], count))
    return {char: 255 - glyphs.rasterize(char, frame, 32).astype(int) for char in glyphs.coverage([*asked]).present}


def same_glyphs(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> tuple[int, int]:
    """Returns: how many glyphs two fonts draw alike, to a hundredth of their ink, and how many both have."""
    both = one.keys() & other.keys()
    alike = (100 * np.abs(one[char] - other[char]).sum() <= other[char].sum() for char in both)
    return sum(alike), len(both)


def refuse_seen(training: dict[str, Path], judged: dict[str, str]) -> None:
    """Raises: DataError if a font to train on draws one glyph in twenty as a font does that others are judged on."""
    unseen = {name: pictures(font) for name, font in judged.items()}
    for name, file in tqdm(training.items(), desc="comparing", unit="font"):
        drawn = pictures(str(file))
        for judge, truth in unseen.items():
            alike, both = same_glyphs(drawn, truth)
            if 20 * alike > both:
                why = f"draws {alike} of {both} glyphs as {judge} does, and nothing may learn from that one"
                raise DataError(f"{name}: {why}. Mark it as left_out in {LIST.name}.")


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    folder = Path(arguments[0])
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    left_out = {name: facts for name, facts in listed.items() if "left_out" in facts}
    files: dict[str, dict[str, Path]] = {"training": {}, "validation": {}}
    rows = []
    for name, facts in tqdm([item for item in listed.items() if item[0] not in left_out], desc="fonts", unit="font"):
        use = facts.get("use", "training")
        (folder / use).mkdir(parents=True, exist_ok=True)
        files[use][name] = fetch(name, facts, folder / use)
        rows.append(row(name, facts, files[use][name]))
    refuse_seen(files["training"], {name: str(file) for name, file in files["validation"].items()} | JUDGED)
    for use, named in files.items():
        targets = {
            name: {"font": f"{use}/{file.name}", "source": SOURCES[listed[name]["region"]]}
            for name, file in named.items()
        }
        atomic_write(folder / f"{use}.yaml", yaml.safe_dump(targets, sort_keys=False))
    for name, facts in left_out.items():
        told = {"name": name, "use": "left out", "why": facts["left_out"]}
        rows.append(told | {key: facts[key] for key in ("class", "region")})
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(folder / "manifest.csv", table.getvalue())
    counts = f"{len(files['training'])} fonts to train on, {len(files['validation'])} to judge by"
    print(f"{counts}, in {folder}; {len(left_out)} left out, see manifest.csv")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DataError as error:
        sys.exit(f"scripts/corpus.py: {error}")
