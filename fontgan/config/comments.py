"""What the files of configs/ say about themselves: the header of each, and the comment beside each key."""

import re
from typing import NamedTuple


class Row(NamedTuple):
    """A key of a file, dotted, with its value as written and its comment."""

    key: str
    value: str
    meaning: str


def header(text: str) -> list[str]:
    """The comment that a file begins with, line by line."""
    lines = re.findall(r"\A(?:#.*\n)*", text)[0].splitlines()
    return [line[2:] for line in lines if not line.startswith("# @")]


def keys(text: str, *, merged: bool = False) -> list[Row]:
    """The lines ``key: value  # comment``; a comment alone below one continues its comment.

    Args:
        merged: also those that ``<<: *name`` takes over from the map marked ``&name``.
    """
    found: list[Row] = []
    above: list[tuple[int, str]] = []  # indentation and name of the keys that a line is nested in
    marked: dict[str, str] = {}  # &name -> the key of its map
    for line in text.splitlines():
        if more := re.match(r"\s+#\s*(.*)", line):
            if found:
                found[-1] = found[-1]._replace(meaning=f"{found[-1].meaning} {more[1]}".strip())
        elif mark := re.match(r"\s+(&|<<: \*)(\w+)", line):
            here = ".".join(name for _, name in above)
            if mark[1] == "&":
                marked[mark[2]] = here
            elif merged:
                inside = f"{marked[mark[2]]}."
                taken = [row for row in found if row.key.startswith(inside)]
                found += [row._replace(key=f"{here}.{row.key.removeprefix(inside)}") for row in taken]
        elif part := re.match(r"(\s*)([\w./]+):\s*(.*)", line):
            indent, name = len(part[1]), part[2]
            value, _, meaning = part[3].partition("# ")
            above = [one for one in above if one[0] < indent] + [(indent, name)]
            if above[0][1] != "defaults" and not name.startswith("_"):
                found.append(Row(".".join(one[1] for one in above), value.strip(), meaning.strip()))
    parents = {row.key.rpartition(".")[0] for row in found}
    return [row for row in found if row.value or row.meaning or row.key not in parents]
