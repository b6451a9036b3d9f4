"""The READMEs of other languages say what README.md says to those who make type: commands, figures, pictures, links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGLISH = ROOT / "README.md"
TRANSLATED = sorted(ROOT.glob("README.*.md"))
CODE = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A number with what it counts, where that is a unit and no noun.
FIGURE = re.compile(r"(\d+(?:[.,]\d+)*)(?: (%|GB|min\b|分钟|分鐘|分))?")
MINUTES = ("min", "分钟", "分鐘", "分")


def language(page: Path) -> str:
    """zh-Hans of README.zh-Hans.md."""
    return page.name.removeprefix("README").removesuffix(".md").strip(".")


def text(page: Path) -> str:
    """What stands above the section on research, without the line of languages."""
    above, _, _ = page.read_text(encoding="utf-8").partition(
        "\n## I do research" if page == ENGLISH else last_heading(page)
    )
    title, _, below = above.partition("\n\n")
    languages, _, told = below.partition("\n\n")
    assert title == "# fontgan"
    assert "](README" in languages
    return told


def last_heading(page: Path) -> str:
    return re.findall(r"^## .*$", page.read_text(encoding="utf-8"), re.M)[-1]


def commands(page: Path) -> list[list[str]]:
    """The lines of each block, without their comments."""
    return [[re.sub(r"\s+# .*$", "", line) for line in block.splitlines()] for block in CODE.findall(text(page))]


def links(page: Path) -> list[str]:
    """Where links and pictures lead. A picture in the page's language counts as the English one."""
    own = f".{language(page)}."
    return [
        link.replace(own, ".") if "/images/" in link and language(page) else link for link in LINK.findall(text(page))
    ]


def words(page: Path) -> str:
    """The text without commands, targets of links, and code."""
    return re.sub(r"`[^`]*`", "", LINK.sub("]", CODE.sub("", text(page))))


def figures(page: Path) -> Counter[tuple[str, str]]:
    """Numbers with their units."""
    return Counter((number, "min" if unit in MINUTES else unit) for number, unit in FIGURE.findall(words(page)))


def code(page: Path) -> Counter[str]:
    """What stands in backquotes within a line."""
    return Counter(re.findall(r"`[^`\n]+`", CODE.sub("", text(page))))


def test_the_readmes_are_found() -> None:
    assert [language(page) for page in TRANSLATED] == ["ja", "zh-Hans", "zh-Hant"]
    assert len(commands(ENGLISH)) >= 4
    assert len(links(ENGLISH)) > 15
    assert figures(ENGLISH) > Counter({("97.8", "%"): 1, ("4", "min"): 1, ("6", "GB"): 1, ("0.509", ""): 1})


@pytest.mark.parametrize("page", [ENGLISH, *TRANSLATED], ids=language)
def test_a_readme_leads_to_the_others(page: Path) -> None:
    line = page.read_text(encoding="utf-8").split("\n\n")[1]
    assert set(LINK.findall(line)) == {other.name for other in (ENGLISH, *TRANSLATED)} - {page.name}


@pytest.mark.parametrize("page", TRANSLATED, ids=language)
def test_commands_are_those_of_the_english_readme(page: Path) -> None:
    assert commands(page) == commands(ENGLISH)


@pytest.mark.parametrize("page", TRANSLATED, ids=language)
def test_figures_are_those_of_the_english_readme(page: Path) -> None:
    assert figures(page) == figures(ENGLISH)


@pytest.mark.parametrize("page", TRANSLATED, ids=language)
def test_links_pictures_and_code_are_those_of_the_english_readme(page: Path) -> None:
    assert links(page) == links(ENGLISH)
    assert code(page) == code(ENGLISH)


@pytest.mark.parametrize("page", TRANSLATED, ids=language)
def test_tables_have_the_rows_of_the_english_readme(page: Path) -> None:
    def rows(of: Path) -> list[int]:
        return [line.count("|") for line in text(of).splitlines() if line.startswith("|")]

    assert rows(page) == rows(ENGLISH)
    assert len(rows(page)) > 10
