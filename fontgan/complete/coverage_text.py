"""What a typeface has and lacks of character sets -> lines to print, CSV, and plain data for JSON."""

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import Any

from fontgan.complete.coverage import SetCoverage, TypefaceCoverage

FEW = 40  # characters that are listed with a code point each
COLUMNS = ("group", "set", "what", "characters", "has", "lacks", "percent", "lacking")


def table_of(sets: Iterable[SetCoverage]) -> str:
    """A line for each set under its group."""
    lines = []
    for group, members in groupby(sets, key=lambda each: each.group):
        lines += ["", group]
        for each in members:
            lacks = f"lacks {len(each.missing)}" if each.missing else ""
            lines.append(
                f"{each.percent:4}%  {each.name:<20} {each.has:>5} of {each.of:<5}  {lacks:<11}  {each.what}".rstrip()
            )
    return "\n".join(lines)


def lacking_of(found: SetCoverage) -> str:
    """The characters that are lacking, after their code points: each after its own, of many the first of a line."""
    if not found.missing:
        return f"\n{found.name}: lacks nothing"
    lines = ["", f"{found.name}: lacks {len(found.missing)}"]
    if len(found.missing) <= FEW:
        lines += [
            "  ".join(f"{code_point(char):<7} {shown(char)}" for char in part) for part in _pieces(found.missing, 8)
        ]
    else:
        lines += [f"{code_point(part[0]):<7} {''.join(map(shown, part))}" for part in _pieces(found.missing, 32)]
    return "\n".join(lines)


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def shown(char: str) -> str:
    """A character as it can be seen by itself: a combining mark stands on a dotted circle."""
    return f"\N{DOTTED CIRCLE}{char}" if unicodedata.category(char)[0] == "M" else char


def code_point(char: str) -> str:
    return f"U+{ord(char):04X}"


def to_csv(found: TypefaceCoverage, listed: set[str]) -> str:
    """A line for each set; the characters that it lacks stand in those of ``listed``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in found.sets:
        lacking = each.missing if each.name in listed else ""
        numbers = (each.of, each.has, len(each.missing), each.percent)
        writer.writerow((each.group, each.name, each.what, *numbers, lacking))
    return text.getvalue()


def to_json(font: str, found: TypefaceCoverage) -> dict[str, Any]:
    sets = [asdict(each) | {"has": each.has} for each in found.sets]
    licence = asdict(found.licence) if found.licence else None
    content = {"font": font, "family": found.family, "characters": found.characters, "region": found.region.name}
    return content | {"source": found.source, "charset": found.charset, "sets": sets, "licence": licence}
