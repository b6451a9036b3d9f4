"""Every command of the README and of docs/ is one that fontgan takes, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest

from fontgan.config.compose import compose_config, compose_escaped
from fontgan.config.field_names import key_hint, variant_hint
from fontgan.config.overrides import escape_overrides
from fontgan.config.plugins import activate
from fontgan.config.sweep_grid import check_every_choice, choices_of_override, parse_override, ready_made
from fontgan.config.verbs import file_name, verbs
from tests.helpers import KAI

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Written there by the page itself, in the reader's own package or copy; tests/test_extending.py does what it says.
OWN_PARTS = re.compile(r"strokes|my_package|logger\.status|ink_amount")


def commands(page: Path) -> Iterator[str]:
    """The fontgan commands of a page's shell blocks, with the shell's variables put in; of a loop, its first turn."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S):
        values: dict[str, str] = {}
        for line in block.replace("\\\n", " ").splitlines():
            line = Template(line.strip()).safe_substitute(values)
            if assigned := re.match(r"""(\w+)=(["']?)(.*)\2$""", line):
                values[assigned[1]] = assigned[3]
            if loop := re.match(r"for (\w+) in (\S+)", line):
                values[loop[1]] = loop[2].rstrip(";")
            if found := re.match(r"(?:torchrun .* -m )?fontgan (?!.* \.\.\.)([^|>]*)", line):
                yield found[1]


COMMANDS = [
    pytest.param(
        command, id=f"{page.relative_to(ROOT)}: {command}",
        marks=() if page == ROOT / "README.md" and " -m " not in command else pytest.mark.slow,
    )
    for page in PAGES
    for command in dict.fromkeys(commands(page))
    if not OWN_PARTS.search(command)
]  # fmt: skip


def test_many_commands_are_found() -> None:
    assert len(COMMANDS) > 100
    assert {value.split()[0] for (command,) in (each.values for each in COMMANDS) for value in [str(command)]} >= {
        verb.split()[0] for verb in verbs()
    }


@pytest.fixture(scope="module")
def here_with_runs(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs that the pages learn from."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "runs").mkdir()
    for name in (
        "base",
        "runs/base",
        "runs/first",
        "runs/second",
        "runs/third",
        "runs/longer",
        "runs/short",
        "runs/reading",
        "runs/traditional",
        "runs/mine",
        "my-base",
    ):
        (folder / name).symlink_to(tiny_run)
    for name in ("MyFont.ttf", "A.ttf", "B.ttf", "C.otf"):  # opened to tell a region by
        (folder / name).symlink_to(KAI)
    (folder / "corpus").mkdir()
    (folder / "corpus" / "training.yaml").write_text("one: A.ttf\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_is_taken(command: str, here_with_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here_with_runs)
    typed = shlex.split(command, comments=True)
    words = 2 if " ".join(typed[:2]) in verbs() else 1
    verb, overrides = " ".join(typed[:words]), typed[words:]
    assert verb in verbs()
    monkeypatch.setattr(
        "fontgan.hub.pull.pull", lambda spec: here_with_runs / "runs" / "mine"
    )  # no page's test asks the hub
    if "--help" in overrides:
        return
    if overrides and "=" not in overrides[0] and hasattr(verbs()[verb], "FIRST_WORD"):
        overrides[0] = f"{verbs()[verb].FIRST_WORD}={overrides[0]}"
    activate([])
    if "-m" in overrides:
        prepared = escape_overrides([each for each in overrides if each != "-m"], sweep=True)
        first = compose_escaped("train", [choices_of_override(each)[0] for each in parse_override(prepared)])
        check_every_choice(parse_override([*ready_made(first, prepared), *prepared]))
    else:
        assert compose_config(file_name(verb), overrides)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.strip("<>").partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file), link


POSTS = ROOT / "docs" / "research" / "posts.md"
SETTINGS_OF_THE_POSTS = sorted(
    {
        override
        for row in re.findall(r"^\|.*?\| (.*?) \|", POSTS.read_text(encoding="utf-8"), re.M)
        for override in re.findall(r"`([^`]*=[^`]*)`", row)
    }
)


def test_many_settings_of_the_posts_are_found() -> None:
    assert len(SETTINGS_OF_THE_POSTS) > 35


NAMES_OF_THE_POSTS = sorted(
    {
        name
        for row in re.findall(r"^\| (.*?) \|", POSTS.read_text(encoding="utf-8"), re.M)
        for name in re.findall(r"`([A-Za-z_]\w*)`", row)
    }
    - {"SiLU", "downconv", "downsample", "shortcut"}  # parts of PyTorch's or a block's own, no choice of a block
)


def test_many_names_of_the_posts_are_found() -> None:
    assert len(NAMES_OF_THE_POSTS) > 20


@pytest.mark.parametrize("name", NAMES_OF_THE_POSTS)
def test_a_name_of_the_posts_leads_to_a_setting(name: str) -> None:
    hint = variant_hint("generator/up", name) or key_hint(name, "", ["generator"])
    assert re.search(r"[./=]\w+ here\.$", hint), hint


@pytest.mark.slow
@pytest.mark.parametrize("overrides", SETTINGS_OF_THE_POSTS)
def test_a_setting_of_the_posts_composes(overrides: str) -> None:
    assert compose_config("train", ["experiment=scratch", *overrides.split()])
