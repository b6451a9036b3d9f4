"""fontgan report blocks: a page of what every block of the generator costs, with the same numbers as JSON beside it."""

import logging
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

from fontgan import __version__
from fontgan.config.schema import MISSING, ComputingConfig, limited
from fontgan.runtime.files import atomic_write, make_folder_of, page_file, write_json

log = logging.getLogger(__name__)

ORDER = 90
SUMMARY = "measure what every block of the generator costs, each swapped alone into the same one"
EXAMPLES = (
    "fontgan report blocks out=blocks.md",
    "fontgan report blocks size=128 ngf=64 device=cuda",
)


@dataclass
class Config(ComputingConfig):
    out: str = MISSING
    size: int = limited(64)
    batch_size: int = limited(2)
    ngf: int = limited(1)
    seed: int = limited(0)


def main(cfg: Config) -> int:
    """Measures every block and writes the page. Returns: 0."""
    from fontgan.config.compose import command_of
    from fontgan.report.block_choices import candidate, discover
    from fontgan.report.blocks import MADE_BY_US, measure_blocks, to_markdown
    from fontgan.report.cost import ROUNDS
    from fontgan.runtime.device import describe, pick_device, pick_precision

    out = page_file(cfg.out, "fontgan report blocks", MADE_BY_US, ".md", beside=[".json"])
    device = pick_device(cfg.device)
    precision = pick_precision(cfg.precision, device)
    make_folder_of(out)
    base, rows = measure_blocks(
        discover(), lambda choice: candidate(choice, f"data.size={cfg.size}", f"generator.ngf={cfg.ngf}"),
        size=cfg.size, batch_size=cfg.batch_size, ngf=cfg.ngf, seed=cfg.seed,
        device=cfg.device, precision=cfg.precision,
    )  # fmt: skip
    made = {
        "fontgan": __version__,
        "torch": version("torch"),
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, precision),
        "command": command_of("report_blocks", cfg),
        **{key: getattr(cfg, key) for key in ("size", "batch_size", "ngf", "seed")},
        "rounds": ROUNDS,
    }
    numbers = {"made": made, "baseline": asdict(base), "rows": [asdict(row) for row in rows]}
    atomic_write(out, to_markdown(base, rows, made))  # first: it says whose the other is
    write_json(out.with_suffix(".json"), numbers, allow_nan=False)
    log.info("%s: %d choices, with %s beside it", out, len(rows), out.with_suffix(".json").name)
    return 0
