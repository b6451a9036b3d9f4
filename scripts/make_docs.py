"""Rewrites the generated parts of docs/: what stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.

They are made of the files in configs/ and of ``fontgan --help``, so a new variant needs no line here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
DOCS = ROOT / "docs"
CONFIGS = ROOT / "configs"
BLOCKS = DOCS / "reference" / "blocks.json"  # as ``fontgan report blocks`` leaves it
BENCHMARKS = DOCS / "reference" / "benchmarks"  # as ``fontgan bench`` leaves them


def commands() -> str:
    """The verbs with their summaries, as ``fontgan --help`` lists them."""
    printed = subprocess.run([sys.executable, "-m", "fontgan", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    lines = printed.stdout.partition("verbs:\n")[2].partition("\n\n")[0].splitlines()
    start = next(i for i in range(3, 80) if all(line[i - 1] == " " != line[i] for line in lines))
    rows = [(f"`fontgan {line[:start].strip()}`", line[start:]) for line in lines]
    return table(("command", "what it does"), rows)


def groups() -> str:
    """Every group with its variants."""
    from fontgan.config.groups import choices, groups

    rows = [(f"`{group}`", ", ".join(f"`{name}`" for name in choices(group))) for group in groups()]
    return table(("group", "variants"), rows)


def settings() -> str:
    """Every setting with its default and its comment, by config file."""
    parts = [section("##", file.stem, file) for file in sorted(CONFIGS.glob("*.yaml"))]
    for group, files in files_by_group():
        parts.append(f"## `{group}`")
        parts += [section("###", f"{group}={file.stem}", file) for file in files]
    return "\n\n".join(parts)


def files_by_group() -> Iterator[tuple[str, list[Path]]]:
    """The folders of configs/ and their files, those included that others are made of."""
    for folder in sorted(path for path in CONFIGS.rglob("*") if path.is_dir()):
        if files := sorted(folder.glob("*.yaml")):
            yield folder.relative_to(CONFIGS).as_posix(), files


def section(level: str, title: str, file: Path) -> str:
    from fontgan.config.comments import header, keys

    text = file.read_text(encoding="utf-8")
    said = "\n".join(header(text))
    if named := re.match(r"(fontgan [\w -]+): (?s:(.*))", said):
        title, said = named[1], named[2][:1].upper() + named[2][1:]
    rows = [(f"`{key}`", f"`{value}`" if value else "", meaning) for key, value, meaning in keys(text)]
    listed = table(("setting", "default", "meaning"), rows) if rows else ""
    said = re.sub(r"\n(?=Source:|Use:)", "  \n", said)  # two spaces break a line in Markdown
    return "\n\n".join(part for part in (f"{level} `{title}`", said, listed) if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in [head, *rows]]
    return "\n".join(f"| {line} |" for line in [lines[0], " | ".join(["---"] * len(head)), *lines[1:]])


def blocks_page() -> str:
    """The page of ``fontgan report blocks``, made again from its numbers and from what the files of the blocks say now."""
    from fontgan.report.block_choices import discover
    from fontgan.report.blocks import BASELINE, Row, to_markdown

    made = json.loads(BLOCKS.read_text(encoding="utf-8"))
    measured = {(row["choice"]["group"], row["choice"]["name"]): row for row in made["rows"]}
    there = [choice for choice in discover() if (choice.group, choice.name) in measured]
    rows = [Row(**{**measured[choice.group, choice.name], "choice": choice}) for choice in there]
    return to_markdown(Row(**{**made["baseline"], "choice": BASELINE}), rows, made["made"])


def benchmarks_page() -> str:
    """The page of ``fontgan bench``, made again from its figures."""
    from fontgan.bench.page import read_figures, to_markdown

    return to_markdown(read_figures(BENCHMARKS), BENCHMARKS.with_suffix(".md"))


def charsets() -> str:
    """Every named character set, group by group."""
    from fontgan.data.charset_sets import GROUPS

    rows = [
        (f"`{name}`", f"{len(named()):,}", named.what, named.source, group[0].upper() + group[1:])
        for group, sets in GROUPS.items()
        for name, named in sets.items()
    ]
    return table(("name", "characters", "what it is", "from", "for"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands, "groups": groups, "settings": settings, "charsets": charsets
}  # fmt: skip


def main() -> None:
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = re.sub(
            r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)",
            lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}",
            old,
            flags=re.DOTALL,
        )
        if page.stem == BLOCKS.stem and BLOCKS.exists():
            new = blocks_page()
        if page.stem == BENCHMARKS.stem:
            new = benchmarks_page()
        if new != old:
            page.write_text(new, encoding="utf-8", newline="\n")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    from fontgan.cli import not_installed

    try:
        main()
    except ModuleNotFoundError as error:
        sys.exit(f"scripts/make_docs.py: {not_installed(error)}")
