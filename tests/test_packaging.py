"""What users install: the bounds and licences of every dependency, and the files of the wheel and the sdist."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fontgan.config.groups import config_folder
from scripts.make_licences import READ, families, licence_of, needed
from tests.helpers import FONTS, TINY
from tests.versions import ROOT, declared, lower

pytestmark = pytest.mark.slow

REQUIREMENTS = list(declared())
OF_THE_COMMUNITY = ("CITATION.cff", "CONTRIBUTING.md", "SECURITY.md")
PAGE = ROOT / "docs" / "reference" / "dependencies.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    """The rows of the page's table by package: comes with, bounds, licence, what for, why not older, why not newer."""
    return table_under("## Bounds")


def table_under(heading: str) -> dict[str, list[str]]:
    """The rows of a table of the page by what their first cell names."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            assert name.strip("` ") not in found, f"{name} has two rows"
            found[name.strip("` ")] = [cell.strip() for cell in cells]
    return found


def test_every_extra_is_explained_and_its_licences_are_named() -> None:
    extras = table_under("## Extras")
    always = set(needed(part for part in REQUIREMENTS if not part[0]))
    assert set(extras) == {extra for extra, _ in REQUIREMENTS if extra}
    for extra, (opens, verbs, adds, licences) in extras.items():
        assert len(opens) > 8
        assert "`" in verbs
        if extra != "dev":
            assert re.fullmatch(r"\d+ MB", adds)
            below = set(needed(part for part in REQUIREMENTS if part[0] == extra)) - always
            assert families(licences) == set().union(
                *(families(READ.get(name) or licence_of(name) or "") for name in below)
            )


@pytest.mark.parametrize(("extra", "requirement"), REQUIREMENTS, ids=lambda part: str(part) or "always")
def test_every_dependency_has_bounds_a_licence_and_reasons(
    rows: dict[str, list[str]], extra: str, requirement: Requirement
) -> None:
    assert lower(requirement), f"{requirement}: no lower bound"
    assert any(part.operator == "<" for part in requirement.specifier), f"{requirement}: no upper bound"
    assert requirement.name in rows, f"{requirement}: no row in {PAGE.name}"
    comes_with, bounds, licence, what_for, not_older = rows[requirement.name]
    assert f"`{extra}`" in comes_with.split(", ") if extra else comes_with == "always"
    assert bounds == f"`{','.join(str(p) for p in sorted(requirement.specifier, key=lambda p: p.operator != '>='))}`"
    assert families(licence), licence
    assert all(len(text) > 5 for text in (what_for, not_older))


def test_the_page_has_no_row_too_many(rows: dict[str, list[str]]) -> None:
    assert set(rows) == {requirement.name for _, requirement in REQUIREMENTS}
    assert len(rows) >= 30


def test_licences_are_those_that_the_packages_state(rows: dict[str, list[str]]) -> None:
    compared = 0
    for _, requirement in REQUIREMENTS:
        if (stated := licence_of(requirement.name)) is not None:
            assert families(stated) <= families(rows[requirement.name][2]), f"{requirement.name}: {stated}"
            compared += 1
    assert compared >= 20


def test_no_unread_licence_comes_in_unseen() -> None:
    """Those of all that the dependencies depend on in their turn."""
    below = needed(declared())
    assert {name for name in below if licence_of(name) == ""} - set(READ) == set()
    assert len(below) > 150


def test_the_page_of_licences_names_every_package_and_its_licence() -> None:
    listed = {}
    for line in (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, bounds, asked_for_by, licence = (cell.strip() for cell in line.strip("|").split(" | "))
            listed[name.strip("`")] = (bounds, asked_for_by, licence)
            assert families(licence) or name.strip("`") in READ, line
            assert (stated := licence_of(name.strip("`"))) is None or families(stated) <= families(licence), line
    for extra, requirement in REQUIREMENTS:
        bounds, asked_for_by, _ = listed[canonicalize_name(requirement.name)]
        if (f"the extra `{extra}`" if extra else "fontgan") in asked_for_by:  # else an earlier section has it
            assert SpecifierSet(bounds.strip("`")) == requirement.specifier
        else:
            assert extra == "dev"
    assert len(listed) > 150


def test_whatever_is_imported_is_declared() -> None:
    """A package that comes only because another asks for it may be gone with the other's next version."""
    names = importlib.metadata.packages_distributions()
    for file in (ROOT / "fontgan").rglob("*.py"):
        for module in imported(file):
            if module not in sys.stdlib_module_names and module != "fontgan":
                assert {canonicalize_name(name) for name in names.get(module, [module])} & {
                    canonicalize_name(requirement.name) for extra, requirement in REQUIREMENTS if extra != "dev"
                }, f"{file}: {module}"


def test_files_of_others_are_read_only_by_what_the_lower_bounds_are_chosen_for() -> None:
    """docs/reference/dependencies.md leaves out flaws of torch.jit and of OpenCV's readers, since nothing here calls them."""
    texts = {file: file.read_text(encoding="utf-8") for file in (ROOT / "fontgan").rglob("*.py")}
    for file, text in texts.items():
        assert not re.search(
            r"torch\.(jit|package)\.|torch\.export\.load|\bim(read|decode)|VideoCapture|FileStorage", text
        ), file
    assert len(texts) > 100


# -- the wheel and the sdist ------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, made from the sdist as indexes have it, and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    result = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_holds_the_package_its_configs_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = [PurePosixPath(name) for name in wheel.namelist()]
        entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert wheel.read(entry_points).decode().split() == ["[console_scripts]", "fontgan", "=", "fontgan.cli:main"]
    package = {name for name in names if name.parts[0] == "fontgan"}
    about = set(names) - package
    assert {name.parts[0] for name in about} == {f"fontgan-{importlib.metadata.version('fontgan')}.dist-info"}
    assert {name.relative_to(name.parts[0]).parts[0] for name in about} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses"
    }  # fmt: skip
    here = {file.relative_to(ROOT) for file in (ROOT / "fontgan").rglob("*.py")}
    assert {name for name in package if name.suffix == ".py"} == {PurePosixPath(file) for file in here}
    configs = {file.relative_to(config_folder()) for file in config_folder().rglob("*.yaml")}
    assert {name for name in package if name.is_relative_to("fontgan/configs")} == {
        PurePosixPath("fontgan/configs") / file for file in configs
    }
    assert len(configs) > 50
    others = {name for name in package if name.suffix != ".py" and name.parts[1] != "configs"}
    assert {(str(name.parent), name.suffix) for name in others} == {
        ("fontgan/assets/base", ".safetensors"),
        ("fontgan/assets/base", ".yaml"),
        ("fontgan/assets/base", ".json"),
        ("fontgan/assets/base", ".csv"),
        ("fontgan/assets/base", ""),  # NOTICE
        ("fontgan/assets/fonts", ".ttf"),
        ("fontgan/assets/fonts", ".txt"),
        ("fontgan/assets/shelf", ".woff2"),
        ("fontgan/assets/shelf", ".txt"),
        ("fontgan/assets/shelf", ".yaml"),
        ("fontgan/assets/shelf", ".md"),
        ("fontgan/assets/charsets", ".txt"),
        ("fontgan/hub", ".j2"),
        ("fontgan/models", ".safetensors"),
        ("fontgan/studio/locale", ".po"),
        ("fontgan/studio/static", ".css"),
        ("fontgan/studio/static", ".js"),
        ("fontgan/studio/templates", ".j2"),
        ("fontgan/report/templates", ".j2"),
        ("fontgan/report/templates", ".css"),
        ("fontgan/report/templates", ".js"),
        ("fontgan/report/templates", ".json"),
    }
    for licence in FONTS.parent.glob("*/*.LICENSE.txt"):  # beside its font, and where tools look for licences
        assert sum(name.name == licence.name for name in names) == 2
    assert built[0].stat().st_size < 24e6  # 21 MB: the base model, fonts and two small networks


def test_the_sdist_holds_the_sources_and_nothing_else(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        members = sdist.getmembers()
    assert all(member.isfile() for member in members)  # no link leads anywhere
    names = {PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in members}
    assert {name.parts[0] for name in names} == {
        "fontgan", "configs", "scripts", "tests", "notebooks", "docs", "README.md", "README.ja.md", "README.zh-Hans.md",
        "README.zh-Hant.md", "LICENSE", "Makefile", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore",
        "Dockerfile", ".dockerignore", ".github", *(name for name in OF_THE_COMMUNITY if (ROOT / name).exists()),
    }  # fmt: skip
    golden = PurePosixPath("tests/golden")  # what it compares with: numbers and the commands' help
    code = [name for name in names if name.parts[0] in ("scripts", "tests") and golden not in name.parents]
    assert {name for name in code if name.suffix != ".py"} == {PurePosixPath("scripts/corpus.yaml")}
    assert {name.suffix for name in names if golden in name.parents} == {".py", ".json", ".txt"}
    assert {name.suffix for name in names if name.parts[0] == "configs"} == {".yaml"}
    assert {name.suffix for name in names if name.parts[0] == "docs"} == {".md", ".txt"}
    assert not any("__pycache__" in name.parts for name in names)
    assert built[1].stat().st_size < 24e6


def test_the_tools_of_the_index_find_nothing_wrong(built: tuple[Path, Path]) -> None:
    for command in (["twine", "check", "--strict", *built], ["check_wheel_contents", built[0]]):
        result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_description_reads_well_where_there_is_no_repository(built: tuple[Path, Path]) -> None:
    """No picture and no link that leads nowhere, nothing of a checkout, and markup that the index shows."""
    from readme_renderer.markdown import render

    with zipfile.ZipFile(built[0]) as wheel:
        about = next(name for name in wheel.namelist() if name.endswith("dist-info/METADATA"))
        head, _, description = wheel.read(about).decode().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in head
    page = render(description)
    assert page is not None
    assert "<img" not in page
    assert all(link.startswith(("https://", "#")) for link in re.findall(r'href="([^"]*)"', page))
    assert not re.search(
        r"\bmake (demo|test)\b|in a checkout|```|\]\(|images/", re.sub(r"<pre.*?</pre>", "", page, flags=re.S)
    )
    assert page.count("<table") == 2
    assert page.count("<pre") >= 3
    assert "Font style transfer you can train yourself" in page
    assert "<strong>Licence.</strong>" in page


def test_a_wheel_in_an_empty_environment_trains_from_another_folder(built: tuple[Path, Path], tmp_path: Path) -> None:
    """The wheel's own files alone; its dependencies are lent from this environment to save their download."""
    venv.create(tmp_path / "env", with_pip=False)
    commands = tmp_path / "env" / "bin"
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, built[0]], check=True)
    lent = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join(lent))
    away = tmp_path / "away"
    away.mkdir()

    def fontgan(*arguments: str) -> str:
        result = subprocess.run(
            [commands / "python", "-m", "fontgan", *arguments], capture_output=True, text=True, cwd=away
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    where = subprocess.run(
        [commands / "python", "-c", "import fontgan; print(fontgan.__file__)"], capture_output=True, text=True, cwd=away
    )
    assert str(site) in where.stdout, where.stdout + where.stderr
    assert "train" in fontgan("--help")
    assert "batch_size" in fontgan("train", "--cfg")
    fontgan("train", *TINY, "out=run")
    assert (away / "run" / "sheet.png").is_file()
    fontgan("infer", "checkpoint=run", "text=永字", "style=all", "out=drawn")
    assert len(list((away / "drawn").rglob("U+6C38.png"))) >= 1
    code = "from fontgan.extras import how_to_install; print(how_to_install('ocr'))"  # no checkout to name
    told = subprocess.run([commands / "python", "-c", code], capture_output=True, text=True, cwd=away)
    assert re.match(r'pip install "onnxruntime[<>=.,\d]+" "rapidocr[<>=.,\d]+"$', told.stdout.strip()), (
        told.stdout + told.stderr
    )


# -- inside -----------------------------------------------------------------------------------


def imported(file: Path) -> set[str]:
    """The top names of all that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def test_the_python_versions_named_are_those_of_the_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [text.rsplit(" ", 1)[1] for text in project["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    assert project["requires-python"] == f">={named[0]}"
    assert f"Python {', '.join(named[:-1])} and {named[-1]}" in PAGE.read_text(encoding="utf-8")
