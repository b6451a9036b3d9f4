"""What others build and run of the repository besides the package: the workflows of public CI, the container, the notebook."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from fontTools.ttLib import TTFont

from fontgan.config.compose import compose_config
from tests.helpers import FONTS
from tests.versions import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# -- workflows --------------------------------------------------------------------------------


def jobs(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"])


def runs(file: Path) -> list[dict[str, Any]]:
    """The steps that run a command."""
    return [step for job in jobs(file).values() for step in job["steps"] if "run" in step]


def test_the_workflows_are_of_the_form_that_github_reads() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(WORKFLOWS) >= 2


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_the_commands_of_the_workflows_are_shell(file: Path) -> None:
    for step in runs(file):
        plain = re.sub(r"\$\{\{.*?\}\}", "x", step["run"])
        assert subprocess.run(["bash", "-n"], input=plain, text=True).returncode == 0, step
    assert runs(file)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_no_workflow_may_write_or_holds_a_secret(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    assert [job for job in jobs(file).values() if "permissions" in job] == (
        [jobs(file)["publish"]] if file.stem == "release" else []
    )


def test_the_matrix_is_every_system_python_and_set_of_versions() -> None:
    matrix = jobs(ROOT / ".github" / "workflows" / "test.yml")["test"]["strategy"]["matrix"]
    pythons = [text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    assert matrix == {
        "os": ["ubuntu-latest", "macos-latest", "windows-latest"], "python": pythons, "versions": ["newest", "oldest"],
    }  # fmt: skip


def test_what_is_tested_there_is_what_the_pages_tell() -> None:
    """The README's commands; where there is no make, those of the guide to installing."""
    told = "".join(
        (ROOT / page).read_text(encoding="utf-8")
        for page in ("README.md", "docs/guide/install.md", "docs/reference/dependencies.md", "Makefile")
    )
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    commands = [line for step in runs(ROOT / ".github/workflows/test.yml") for line in step["run"].splitlines()]
    assert {"make test", "make test-all", "make lint", "docker build -t fontgan ."} < set(commands)
    for command in commands:
        if command.startswith("make "):
            assert set(command.split()[1:]) <= set(targets)
        elif "pip install -e" in command or command.startswith(("python -m pytest", "docker build")):
            assert command in told
    assert 'python -m tests.versions oldest -m "not slow"' in commands


def test_only_a_tag_publishes_and_only_after_the_wheel_was_tried() -> None:
    file = ROOT / ".github" / "workflows" / "release.yml"
    assert yaml.safe_load(file.read_text(encoding="utf-8"))[True] == {
        "push": {"tags": ["v*"]}
    }  # YAML 1.1 reads on as true
    publish = jobs(file)["publish"]
    assert publish["needs"] == ["build", "try"]
    assert publish["permissions"] == {"id-token": "write"}
    assert all("publish" not in step.get("uses", "") for name in ("build", "try") for step in jobs(file)[name]["steps"])


# -- the container ----------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, without its comments: (instruction, the rest of its line)."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def one(name: str) -> str:
    (found,) = (rest for instruction, rest in instructions() if instruction == name)
    return found


def test_the_container_is_not_root_and_keeps_its_project_in_a_volume() -> None:
    order = [name for name, _ in instructions()]
    assert one("USER").isdigit()
    assert int(one("USER")) > 1000
    assert order.index("USER") > max(i for i, name in enumerate(order) if name == "RUN")
    assert one("VOLUME") == one("WORKDIR") == "/project"
    assert f"--uid {one('USER')} " in " ".join(rest for name, rest in instructions() if name == "RUN")


def test_it_can_be_built_for_the_cpu_and_for_cuda() -> None:
    stages = {
        rest.split(" AS ")[1]: rest.split(" AS ")[0]
        for name, rest in instructions()
        if name == "FROM" and " AS " in rest
    }
    assert set(stages) == {"cpu", "cuda"}
    assert stages["cuda"].startswith("nvidia/cuda:")
    assert ("ARG", "BASE=cpu") in instructions()
    assert ("FROM", "${BASE}") in instructions()


def test_it_starts_the_studio_on_the_port_that_it_exposes() -> None:
    assert json.loads(one("ENTRYPOINT")) == ["fontgan"]
    verb, *overrides = json.loads(one("CMD"))
    config = compose_config(verb, overrides)
    assert one("EXPOSE") == str(config.port)
    assert (config.host, config.shown_host, config.open) == ("0.0.0.0", "localhost", False)


def test_it_installs_extras_that_there_are() -> None:
    (extras,) = re.findall(r'pip install "/src\[([\w,]+)\]"', (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert "studio" in extras.split(",")


def test_the_guide_builds_and_runs_it_as_its_head_says() -> None:
    head = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition("ARG")[0]
    guide = (ROOT / "docs" / "guide" / "install.md").read_text(encoding="utf-8")
    commands = [" ".join(shlex.split(line[1:], comments=True)) for line in head.splitlines() if "   docker " in line]
    assert len(commands) == 5
    assert all(command in guide for command in commands)


@pytest.mark.slow
def test_what_the_builder_is_given_makes_the_wheel(tmp_path: Path) -> None:
    """.dockerignore leaves out all but what is named in it."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    for name in (line[1:] for line in lines if line.startswith("!")):
        there = ROOT / name
        if there.is_dir():
            shutil.copytree(there, tmp_path / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (tmp_path / "src").mkdir(exist_ok=True)
            shutil.copy(there, tmp_path / "src" / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, tmp_path / "src"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert any(fnmatch(file.name, "fontgan-*.whl") for file in tmp_path.iterdir())


# -- the notebook -----------------------------------------------------------------------------


def cells(kind: str) -> list[str]:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def test_the_notebook_is_kept_without_what_a_run_leaves_in_it() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert len(cells("code")) >= 8


def test_it_says_what_to_change_on_colab_and_kaggle() -> None:
    told = "\n".join(cells("markdown"))
    for name in re.findall(r"^([A-Z]+) = ", cells("code")[0], re.M):
        assert f"`{name}`" in told
    assert "Colab" in told
    assert "Kaggle" in told
    assert 'pip install --quiet "./fontgan-source[notebook]"' in cells("code")[1].replace("%", "")
    assert "notebook" in PROJECT["optional-dependencies"]


@pytest.mark.slow
@pytest.mark.timeout(1500)  # two minutes where nothing else computes
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of its own, on the CPU. A command after ``!`` fails silently, so each cell is asked for its exit code."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and re.search(r"^!", cell.source, re.M):
            cell.source += "\nassert _exit_code == 0, _exit_code"
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in shown if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2 + 4 + 1  # the sheet and the plot, four glyphs, the font
    assert (tmp_path / "XiaoWei.proof.html").is_file()
    new = cmap_of(tmp_path / "XiaoWei.ttf") - cmap_of(FONTS / "ZCOOLXiaoWei-Regular.ttf")
    assert {chr(code) for code in new} == set("潮滟宛绕芳甸霰霜")


def cmap_of(font: Path) -> set[int]:
    return set(TTFont(font).getBestCmap())
