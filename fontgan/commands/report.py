"""fontgan report: compare runs in one page, with the same content as CSV and JSON beside it."""

import logging
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version

from fontgan import __version__
from fontgan.config.schema import MISSING, ComputingConfig, limited
from fontgan.errors import RunError
from fontgan.runtime.files import atomic_write, make_folder_of, page_file, user_path, write_json

log = logging.getLogger(__name__)

ORDER = 80
SUMMARY = "compare runs in one page: which variant wins, by how much, at what cost"
EXAMPLES = ("fontgan report runs=runs/sweep out=report.html",)
MADE_BY_US = 'name="generator" content="fontgan'  # in the head of every report
BESIDE = (".csv", ".json")


@dataclass
class Config(ComputingConfig):
    runs: str = MISSING
    out: str = MISSING
    which: str = limited(choices=("last", "best"))
    ocr: str = MISSING
    replicates: int = limited(100)
    seed: int = limited(0)
    rates: bool = MISSING


def main(cfg: Config) -> int:
    """Measures the runs below ``cfg.runs`` and writes the report. Returns: 0."""
    from fontgan.config.compose import command_of
    from fontgan.metrics.recognition import find_ocr
    from fontgan.report import cost
    from fontgan.report.collect import collect
    from fontgan.report.content import content_of, to_csv
    from fontgan.report.measure import Settings, compare, measure
    from fontgan.report.page import draw_pictures, open_first_runs, render_page
    from fontgan.runtime.device import describe, pick_device, pick_precision
    from fontgan.runtime.log_setup import say

    device = pick_device(cfg.device)
    precision = pick_precision(cfg.precision, device)
    find_ocr(cfg.ocr)
    root = user_path(cfg.runs)
    out = page_file(cfg.out, "fontgan report", MADE_BY_US, ".html", ".htm", beside=BESIDE)
    beside = [out.with_suffix(ending).name for ending in BESIDE]
    asked = {"ocr": cfg.ocr, "replicates": cfg.replicates, "seed": cfg.seed, "batch_size": cfg.batch_size}
    settings = Settings(cfg.ocr, cfg.replicates, cfg.seed, cfg.batch_size, cfg.device, cfg.precision)
    collection = collect(root, cfg.which)
    make_folder_of(out)
    variants, not_measured = measure(collection.variants, settings)
    if not variants:
        raise RunError(f"runs={root}: no run could be measured. {not_measured[0].name}: {not_measured[0].reason}")
    comparison = compare(variants, settings)
    opened, notes = open_first_runs(variants, settings)
    timed = opened if cfg.rates else ()
    costs = cost.costs_of(variants, timed, device=cfg.device, precision=cfg.precision, batch_size=cfg.batch_size)
    made = {
        "fontgan": __version__,
        "runs": str(root),
        "date": time.strftime("%Y-%m-%d"),
        "device": describe(device, precision),
        "which": cfg.which,
        **asked,
        "rates": cfg.rates,
        "rounds": cost.ROUNDS,
        "versions": {
            "fontgan": __version__,
            **{name: version(name) for name in ("torch", "numpy", "torchmetrics")},
            "Python": platform.python_version(),
        },
        "command": command_of("report", cfg, "runs"),
        "files": beside,
    }
    left_out = [*collection.left_out, *not_measured]
    content = content_of(collection, variants, comparison, costs, left_out, notes, made)
    page = render_page(content, draw_pictures(opened, content))
    atomic_write(out, page)  # first: it says whose the others are, so that a report cut short here can be made again
    write_json(out.with_suffix(".json"), content, allow_nan=False)
    atomic_write(out.with_suffix(".csv"), to_csv(content))
    for entry in content["left_out"]:
        log.info("left out: %s: %s (%s)", entry["name"], entry["reason"], entry["status"])
    for note in content["notes"]:
        log.info("%s", note)
    say(content["answer"])
    log.info("%s", " ".join(content["how_sure"]))
    log.info("%s (%.1f MB), with %s beside it", out, len(page) / 1e6, " and ".join(beside))
    return 0
