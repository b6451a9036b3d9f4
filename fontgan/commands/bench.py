"""fontgan bench: how fast this machine trains, draws, reads data and makes fonts, as JSON and as a page."""

from dataclasses import dataclass
from typing import Any

from fontgan.config.schema import MISSING, ComputingConfig, limited

ORDER = 160
SUMMARY = "measure how fast this machine trains, draws, reads data and makes fonts, beside what it is compared to"
EXAMPLES = (
    "fontgan bench",
    "fontgan bench step training=scratch",
    "fontgan bench out=figures/mine.json page=benchmarks.md",
    "fontgan bench page out=figures/mine.json page=benchmarks.md",
)
FIRST_WORD = "what"


@dataclass
class Config(ComputingConfig):
    what: str = MISSING
    out: str = MISSING
    page: str | None = MISSING
    training: str = MISSING
    overrides: list[str] = MISSING
    compile: bool = MISSING
    rounds: int = limited(3)
    minutes: float = limited(0)
    fonts: list[str] | None = MISSING
    pairs: int = limited(0)
    traced: int = limited(1, 500)  # which the bundled fonts share
    glyphs: int = limited(1, 20992)  # the characters of a Unicode block
    seed: int = limited(0)
    threads: int | None = limited(1)


def main(cfg: Any) -> int:
    """Measures what is asked for, prints it, and writes the figures and the page. Returns: 0."""
    from fontgan.bench.run import run_bench

    return run_bench(cfg)
