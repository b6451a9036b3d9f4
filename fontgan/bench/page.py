"""Files of figures -> one Markdown page, a section for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fontgan.errors import RunError
from fontgan.untrusted.plain_json import read_json

FORMAT = 1
MADE_BY_US = "<!-- made by fontgan bench; it will be written over -->"

EXPLANATION = """\
What `fontgan bench` measured. Things compared are timed in turns in one process, after a warm-up; a ratio is formed
round by round. Each figure is the median, with the extremes in brackets. The floor of a step is the sum over its
operations of the larger of FLOPs over the rate of a large matrix product and bytes over the rate of a copy, both
measured in the same process. "aim" and "target" say what was reached of what is asked for; "-" where nothing is."""

BESIDE = """\
## Timing a public zi2zi trainer beside it

[zi2zi-pytorch](https://github.com/EuphoriaYan/zi2zi-pytorch) is a public port of zi2zi with the same kind of network.
Its trainer wants pickled pairs; its step can be timed on random glyphs without them, since what they show does not
change the time. One step here is one update of its discriminator and one of its generator, as in the step measured
above; its own `optimize_parameters` draws again and updates the generator a second time. On the same machine:

```sh
git clone https://github.com/EuphoriaYan/zi2zi-pytorch
cd zi2zi-pytorch
cat > time_step.py <<'END'
import statistics, sys, time
import torch
from model import Zi2ZiModel

batch, steps = int(sys.argv[1]), int(sys.argv[2])
device = "cuda" if torch.cuda.is_available() else "cpu"
model = Zi2ZiModel(input_nc=1, embedding_num=3, gpu_ids=["cuda:0"] if device == "cuda" else [])
model.setup()
source, target = (torch.rand(batch, 1, 256, 256, device=device) * 2 - 1 for _ in range(2))
model.set_input(torch.arange(batch, device=device) % 3, source, target)

def step():
    model.forward()
    model.set_requires_grad(model.netD, True)
    model.optimizer_D.zero_grad()
    model.backward_D()
    model.optimizer_D.step()
    model.set_requires_grad(model.netD, False)
    model.optimizer_G.zero_grad()
    model.backward_G()
    model.optimizer_G.step()
    if device == "cuda":
        torch.cuda.synchronize()

taken = []
for turn in range(2 + steps):
    started = time.perf_counter()
    step()
    taken.append(time.perf_counter() - started)
median = statistics.median(taken[2:])
print(f"{median:.3f} s a step, {batch / median:.1f} glyphs/s")
END
python time_step.py 16 5          # on a GPU: 16 100
fontgan bench step
```

It needs torch and torchvision, nothing else of its requirements.
"""


def read_figures(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files in a folder that ``fontgan bench`` wrote, by name; others are none of ours."""
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            numbers = read_json(file)
        except (OSError, ValueError):
            continue
        if isinstance(numbers, dict) and numbers.get("made_by") == "fontgan bench" and numbers.get("format") == FORMAT:
            found.append((file, numbers))
    return found


def to_markdown(found: Sequence[tuple[Path, dict[str, Any]]]) -> str:
    """The page. Args: found: of ``read_figures``."""
    parts = [MADE_BY_US, "# Benchmarks", EXPLANATION]
    for file, numbers in found:
        try:
            parts += _section(file.name, numbers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"{file}: its figures cannot be read ({type(error).__name__}: {error}). Measure them again, or take it away."
            ) from error
    return "\n\n".join([*parts, BESIDE.rstrip()]) + "\n"


def say_figure(figure: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Name, value with unit, spread, target, and what of it is reached."""
    spread = ""
    if figure["rounds"] > 1:
        spread = f"({number(figure['low'])} - {number(figure['high'])}, {figure['rounds']} rounds)"
    target = figure["target"]
    asked = reached = "-"
    if target:
        sign = "<=" if target["most"] else ">="
        asked = f"{sign} {number(target['need'])}" + (f", aim {number(target['aim'])}" if target["aim"] else "")
        reached = {"aim": "aim reached", "target": "reached", "no": "not reached"}[target["reached"]]
    return figure["name"], f"{number(figure['value'])} {figure['unit']}".strip(), spread, asked, reached


def number(value: float) -> str:
    """Three significant digits, large numbers whole with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _section(name: str, numbers: dict[str, Any]) -> list[str]:
    machine, peaks = {key: _plain(value) for key, value in numbers["machine"].items()}, numbers["peaks"]
    cpu = f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, {machine['memory_gib']} GiB"
    gpu = f"{machine['gpu']}, {machine['gpu_memory_gib']} GiB, CUDA {machine['cuda']}; on " if machine["gpu"] else ""
    parts = [
        f"## {machine['gpu'] or machine['cpu']} ({_plain(name)})",
        f"Measured {_plain(numbers['date'])} on {gpu}{cpu} ({', '.join(machine['capabilities'])}); torch {machine['torch']}, "
        f"numpy {machine['numpy']}, Python {machine['python']}, fontgan {machine['fontgan']}. "
        f"Matrix product: bf16 {peaks['bf16_gflops']:,.0f}, fp32 {peaks['fp32_gflops']:,.0f} GFLOP/s; "
        f"copy: {peaks['copy_gb_s']:,.1f} GB/s.",
        f"```sh\n{_code(numbers['command'])}\n```",
        _table(("figure", "value", "spread", "target", "reached"), [_row(f) for f in numbers["figures"]]),
        "How each was measured:",
        "\n".join(f"* {how}: {', '.join(names)}." for how, names in _by_method(numbers["figures"]).items()),
    ]
    if numbers["profile"]:
        rows = [
            (
                f"`{_cell(entry['name'])}`",
                str(entry["calls"]),
                f"{number(1000 * entry['seconds'])} ms",
                f"{entry['share']:.0%}",
            )
            for entry in numbers["profile"]
        ]
        parts += ["Where the tuned step spends its time:", _table(("operation", "calls", "time", "share"), rows)]
    return parts


def _row(figure: dict[str, Any]) -> tuple[str, ...]:
    """A figure as a table takes it; the last two cells are words of our own."""
    name, value, spread, *ours = say_figure(figure)
    return _plain(name), _plain(value), spread, *ours


def _by_method(figures: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """How something was measured -> the names of the figures measured so."""
    found: dict[str, list[str]] = {}
    for figure in figures:
        found.setdefault(_plain(figure["how"]), []).append(_plain(figure["name"]))
    return found


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(text: str, limit: int = 80) -> str:
    """A name as a cell takes it; those of GPU kernels go on for lines."""
    return _code(text if len(text) <= limit else f"{text[:limit]}...").replace("|", r"\|")


def _code(text: str) -> str:
    """A text that stays within its code: one line, and none of the marks that would end it."""
    return " ".join(str(text).split()).replace("`", "'")


def _plain(value: Any) -> Any:
    """A value of a file as Markdown shows it: one line, in which nothing is markup. What is no text stays as it is."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"[<>`|\[\]\\]", lambda mark: f"&#{ord(mark[0])};", " ".join(value.split()))
