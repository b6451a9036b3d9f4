"""python -m tests.versions oldest|newest: the tests with the lowest or the highest versions that pyproject.toml allows.

Makes an environment of its own for the Python that runs it, and leaves it where --folder says for the next time.

    python3.12 -m pip install packaging && python3.12 -m tests.versions newest
    python -m tests.versions oldest tests/test_pack.py -k shard
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
NOT_OF_TESTS = ("ruff", "mypy", "types-")  # they read the code, and read it alike whatever it runs with


def declared() -> Iterator[tuple[str, Requirement]]:
    """The requirements of pyproject.toml, each with the extra it comes with: "" for those that always come."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, lines in {"": project["dependencies"], **project["optional-dependencies"]}.items():
        for requirement in map(Requirement, lines):
            if requirement.name != project["name"]:
                yield extra, requirement


def lower(requirement: Requirement) -> str | None:
    """The lowest version that it allows, None if it has no such bound."""
    return next((part.version for part in requirement.specifier if part.operator == ">="), None)


def wanted(which: str) -> list[str]:
    """What pip is asked for."""
    for_tests = [requirement for _, requirement in declared() if not requirement.name.startswith(NOT_OF_TESTS)]
    if which == "oldest":
        return [f"{requirement.name}=={lower(requirement)}" for requirement in for_tests]
    return [str(requirement) for requirement in for_tests]


def main() -> int:
    """Returns: what pytest returns, or 1 if the environment cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["oldest", "newest"])
    parser.add_argument("--folder", type=Path, help="folder of the environment, about 7 GB; used again if it is there")
    asked, for_pytest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary) / "env"
        commands = folder / ("Scripts" if os.name == "nt" else "bin")
        python = commands / ("python.exe" if os.name == "nt" else "python")
        try:
            if not python.exists():
                venv.create(folder, with_pip=True)
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, "--upgrade", *wanted(asked.which)], check=True)
            subprocess.run([*install, "--no-deps", "--editable", ROOT], check=True)
            subprocess.run([python, "-m", "pip", "check"], check=True)
        except subprocess.CalledProcessError as error:
            print(f"tests.versions: pip could not install the {asked.which} versions: {error}", file=sys.stderr)
            return 1
        subprocess.run([python, "-m", "pip", "freeze", "--exclude-editable"], check=True)
        print(f"Python {sys.version.split()[0]}, {asked.which} versions", flush=True)
        environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run([python, "-m", "pytest", *for_pytest], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
