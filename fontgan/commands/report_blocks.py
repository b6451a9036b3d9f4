"""fontgan report blocks: a page of what every block of the generator costs, with the same numbers as JSON beside it."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from fontgan import __version__
from fontgan.config.limits import MISSING, limited
from fontgan.errors import ConfigError
from fontgan.runtime.files import atomic_write, make_folder_of, out_file

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

ORDER = 90
SUMMARY = "measure what every block of the generator costs, each swapped alone into the same one"
EXAMPLES = (
    "fontgan report blocks out=blocks.md",
    "fontgan report blocks size=128 ngf=64 device=cuda",
)


@dataclass
class Config:
    out: str = MISSING
    size: int = limited(64)
    batch_size: int = limited(2)
    ngf: int = limited(1)
    seed: int = limited(0)
    device: str = MISSING
    precision: str = MISSING
    plugins: list[str] = MISSING


def main(cfg: DictConfig) -> int:
    """Measures every block and writes the page. Returns: 0."""
    from fontgan.config.command_line import command_of
    from fontgan.report.block_choices import candidate, discover
    from fontgan.report.blocks import MADE_BY_US, measure_blocks, to_markdown
    from fontgan.report.cost import ROUNDS
    from fontgan.runtime.device import describe, pick_device, pick_precision

    out = out_file("out", cfg.out, ".md", make_folder=True)
    if out.is_file() and not out.read_bytes().startswith(MADE_BY_US.encode()):
        raise ConfigError(f"out={out}: is a page that fontgan report blocks did not make. Name another file.")
    if not out.is_file() and (beside := out.with_suffix(".json")).exists():
        raise ConfigError(f"out={out}: {beside.name} is there already and would be written too. Name another file.")
    device = pick_device(cfg.device)
    precision = pick_precision(cfg.precision, device)
    make_folder_of(out)
    base, rows = measure_blocks(
        discover(),
        lambda choice: candidate(choice, f"data.size={cfg.size}", f"generator.ngf={cfg.ngf}"),
        size=cfg.size,
        batch_size=cfg.batch_size,
        ngf=cfg.ngf,
        device=cfg.device,
        precision=cfg.precision,
        seed=cfg.seed,
    )
    made = {
        "fontgan": __version__,
        "torch": version("torch"),
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, precision),
        "command": command_of("report_blocks", cfg),
        **{key: cfg[key] for key in ("size", "batch_size", "ngf", "seed")},
        "rounds": ROUNDS,
    }
    numbers = {"made": made, "baseline": asdict(base), "rows": [asdict(row) for row in rows]}
    atomic_write(out, to_markdown(base, rows, made))  # first: it says whose the other is
    text = json.dumps(numbers, ensure_ascii=False, indent=1, allow_nan=False)
    atomic_write(out.with_suffix(".json"), text + "\n")
    log.info("%s: %d choices, with %s beside it", out, len(rows), out.with_suffix(".json").name)
    return 0
