"""How an extra is installed is said in one place, and nothing sends anybody to an index where fontgan is not."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fontgan import extras
from fontgan.extras import how_to_install
from tests.versions import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
OF_AN_INDEX = re.compile(
    r"""(?:pip|uv|pipx|conda|mamba|poetry)\s+(?:install|add)\s[^\n]*?(?<![\w./-])fontgan(?![\w./:-])"""
)
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".ipynb", ".j2", ".js", ".po", ".cff", ""}


def texts() -> list[Path]:
    """The files that speak to people, wherever they lie."""
    return [
        file
        for top in ROOT.iterdir()
        if top.name not in {".git", ".venv", ".fontbakery", "runs", "demo", "build", "dist"} and "cache" not in top.name
        for file in ([top] if top.is_file() else top.rglob("*"))
        if file.is_file() and file.suffix in TEXTS and file != Path(__file__) and "__pycache__" not in file.parts
    ]


def test_nothing_tells_to_install_from_an_index() -> None:
    found = {}
    for file in texts():
        if told := OF_AN_INDEX.search(file.read_text(encoding="utf-8", errors="ignore")):
            found[str(file.relative_to(ROOT))] = told[0]
    assert found == {}
    assert len(texts()) > 500


@pytest.mark.parametrize(
    "told", ["pip install fontgan", "pip install 'fontgan[ocr]'", "uv add fontgan", "pip install -U fontgan"]
)
def test_what_is_looked_for_would_be_found(told: str) -> None:
    assert OF_AN_INDEX.search(told)
    assert not OF_AN_INDEX.search("pip install dist/fontgan-0.1.0-py3-none-any.whl")


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_checkout_names_the_extra_and_itself(extra: str) -> None:
    assert how_to_install(extra) == f'pip install -e ".[{extra}]" in {ROOT}'


@pytest.fixture(scope="module")
def built_metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a wheel of this checkout would state; that of the environment may be older."""
    folder = tmp_path_factory.mktemp("metadata")
    code = "import hatchling.build, sys; hatchling.build.prepare_metadata_for_build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("extra", [name for name in EXTRAS if name != "dev"])
def test_elsewhere_the_packages_of_the_extra_are_named(
    extra: str, built_metadata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(built_metadata)
    monkeypatch.setattr(extras, "CHECKOUT", tmp_path)
    command = how_to_install(extra)
    assert command.startswith("pip install ")
    assert set(map(Requirement, re.findall('"([^"]*)"', command))) == set(map(Requirement, EXTRAS[extra]))
