"""Files of figures -> one Markdown page: a table for each section and machine."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fontgan.bench.figures import show_figure
from fontgan.errors import RunError
from fontgan.untrusted.plain_json import read_json

FORMAT = 2
MADE_BY_US = "<!-- made by fontgan bench; it will be written over -->"

INTRODUCTION = """\
Measured by `fontgan bench`. Variants that are compared run interleaved in one process after a warm-up, and a ratio is
formed round by round. Each figure is the median, with the extremes in brackets. The JSON files also say how each figure
was measured, and the machine's peak rates. Measure your own machine with the same commands."""

# Heading, the sections below it, and what a reader must know.
TABLES = (
    ("Training step", ("step",), """\
*Plain* is eager, fp32, NCHW, with an optimiser that is not fused. *Default* is what fontgan does unasked. The lower
bound is the sum over the step's operations of the larger of two times: FLOPs over the rate of a large matrix product,
and bytes over the rate of a copy, both measured in the same process."""),
    ("Inference", ("infer",), """\
*As infer draws* has batch norms folded into convolutions and weights cast to bf16 beforehand. *Folder in, folder out*
is `fontgan infer`: it reads, draws, and writes PNGs, a manifest and a contact sheet."""),
    ("Data and fonts", ("data", "font"), """\
Packing draws glyphs of 128 px into an empty cache. The fastest step is that of `scratch`, which reads batches of
16 glyphs of 96 px, augmented. A font is made of images of 256 px."""),
    ("Tracers", ("outlines",), """\
Each tracer's outlines against those of the fonts that the images were drawn from; deviations in thousandths of the em."""),
)  # fmt: skip


def read_figures(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files in a folder that ``fontgan bench`` wrote, by name; others are none of ours."""
    found = []
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError):
            content = read_json(file)
            marks = isinstance(content, dict) and (content.get("made_by"), content.get("format"))
            if marks == ("fontgan bench", FORMAT):
                found.append((file, content))
    return found


def to_markdown(found: Sequence[tuple[Path, dict[str, Any]]], page: Path) -> str:
    """The page of what ``read_figures`` found, with links to the files from where ``page`` will lie.

    Raises: RunError if a file's figures cannot be read.
    """
    tables: dict[str, list[str]] = defaultdict(list)
    for file, content in found:
        link = os.path.relpath(file.resolve(), page.resolve().parent)
        try:
            for section in dict.fromkeys(figure["section"] for figure in content["figures"]):
                tables[section] += _section(section, content, link)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"{file}: its figures cannot be read ({type(error).__name__}: {error}). Measure them again, or take it away."
            ) from error
    parts = [MADE_BY_US, "# Benchmarks", INTRODUCTION]
    for heading, sections, note in TABLES:
        if there := [part for section in sections for part in tables[section]]:
            parts += [f"## {heading}", note, *there]
    return "\n\n".join(parts) + "\n"


def _section(section: str, content: dict[str, Any], link: str) -> list[str]:
    """Machine and command, the table, and the most expensive operations where there is a profile."""
    machine = {key: _plain(value) for key, value in content["machine"].items()}
    has_gpu = content["machine"]["gpu"]
    gpu = f"{machine['gpu']} ({machine['gpu_memory_gib']} GiB, CUDA {machine['cuda']}), " if has_gpu else ""
    figures = [figure for figure in content["figures"] if figure["section"] == section]
    link = re.sub(r"[<>\\\s]", lambda mark: f"%{ord(mark[0]):02X}", link)  # within angle brackets
    parts = [
        f"{_plain(content['date'])}, `{_code(content['command'])}`: {gpu}{machine['cpu']}, {machine['cores']} cores, "
        f"torch threads: {machine['threads']}, {machine['memory_gib']} GiB; torch {machine['torch']}, fontgan "
        f"{machine['fontgan']} ([JSON](<{link}>)).",
        _table(figures),
    ]
    if section == "step" and content["profile"]:
        top = [f"`{_code(entry['name'][:80])}` {entry['share']:.0%}" for entry in content["profile"][:3]]
        parts.append(f"Most time of the default step: {', '.join(top)}.")
    return parts


def _table(figures: Sequence[dict[str, Any]]) -> str:
    """A row for each name, a column for each of the figures' columns."""
    columns = list(dict.fromkeys(_plain(figure["column"]) for figure in figures))
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        rows.setdefault(_plain(figure["name"]), {})[_plain(figure["column"])] = _plain(show_figure(figure))
    lines = [[" ", *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *(cells.get(column, "") for column in columns)] for name, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """A text that stays within its code: one line, and none of the marks that would end it."""
    return " ".join(str(text).split()).replace("`", "'")


def _plain(value: Any) -> str:
    """A value of a file as Markdown shows it: one line, in which nothing is markup."""
    return re.sub(r"[<>`|\[\]\\]", lambda mark: f"&#{ord(mark[0])};", " ".join(str(value).split()))
