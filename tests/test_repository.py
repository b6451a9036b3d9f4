"""The files that a repository's visitors meet first: they are valid where they are read, and what they say is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fontgan import __version__
from fontgan.config.verbs import verbs
from tests.test_docs import commands

ROOT = Path(__file__).parents[1]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

in_a_checkout = pytest.mark.skipif(not FORMS, reason="a source distribution has no issue forms")


def valid(file: Path, schema: str) -> None:
    """By the schema that comes with check-jsonschema; it fetches nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_citation_is_valid_and_of_this_version() -> None:
    file = ROOT / "CITATION.cff"
    valid(file, "citation-file-format")
    cited = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert str(cited["version"]) == __version__
    bibtex = (ROOT / "README.md").read_text(encoding="utf-8").partition("```bibtex\n")[2].partition("```")[0]
    for value in (cited["title"], cited["authors"][0]["name"], f"{{{__version__}}}"):
        assert value in bibtex


@in_a_checkout
@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_takes(form: Path) -> None:
    valid(form, "github-issue-forms")
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    fields = [part for part in content["body"] if part["type"] != "markdown"]
    # What the schema cannot say: GitHub refuses a form with two fields of one id or label, or with no field at all.
    for of in (lambda part: part["id"], lambda part: part["attributes"]["label"]):
        told = [of(part) for part in fields]
        assert fields
        assert len(set(told)) == len(told), told
    assert 3 < len(content["name"]) < 200
    assert content["description"]


def asked(form: Path) -> dict[str, Any]:
    """The field for what doctor prints."""
    (field,) = [part for part in yaml.safe_load(form.read_text("utf-8"))["body"] if part.get("id") == "doctor"]
    return field


@in_a_checkout
@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_for_doctor(form: Path) -> None:
    field = asked(form)
    assert field["type"] == "textarea"
    assert field["attributes"]["render"] == "text"  # its columns stay
    assert "`fontgan doctor`" in field["attributes"]["description"]
    assert "doctor" in verbs()


@in_a_checkout
def test_reports_are_not_taken_without_doctor() -> None:
    needed = {form.stem for form in FORMS if asked(form).get("validations", {}).get("required")}
    assert needed == {"bug", "glyph-quality"}
    valid(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml", "github-issue-config")


def test_what_contributing_says_to_type_exists() -> None:
    text = CONTRIBUTING.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    made = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert {"install", "test", "lint"} <= made <= set(targets)
    assert ".venv/bin/fontgan doctor" in text
    for module in re.findall(r"python -m (tests[.\w]*)", text):
        assert (ROOT / Path(*module.split(".")) / "__main__.py").is_file(), module
    assert (ROOT / "tests" / "models").is_dir()
    assert not list(commands(CONTRIBUTING))  # else tests/test_docs.py is to compose them


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CITATION.cff", ".github"])
def test_no_person_or_address_is_made_up(name: str) -> None:
    path = ROOT / name
    for file in [path] if path.is_file() else path.rglob("*.yml"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!localhost)|\S@\S+\.\w", text), file
