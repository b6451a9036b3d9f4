"""fontgan evaluate: measure a run on its held-out characters, or a folder of glyphs against the true ones."""

import logging
from dataclasses import dataclass

from fontgan import __version__
from fontgan.base import run_path
from fontgan.config.schema import MISSING, ComputingConfig, ImagesConfig, limited
from fontgan.errors import ConfigError
from fontgan.runtime.files import out_file, user_path, write_json

log = logging.getLogger(__name__)

ORDER = 60
SUMMARY = "measure a run on its held-out characters, or any folder of glyphs against the true ones"
EXAMPLES = (
    "fontgan evaluate run=runs/quickstart out=evaluation.json sheet=worst.png",
    "fontgan evaluate pred=DIR truth=DIR",
)


@dataclass
class Config(ComputingConfig, ImagesConfig):
    run: str | None = MISSING
    which: str = MISSING
    pred: str | None = MISSING
    truth: str | None = MISSING
    source: str | None = MISSING
    out: str | None = MISSING
    sheet: str | None = MISSING
    ocr: str = MISSING
    replicates: int = limited(1)
    seed: int = limited(0)


def main(cfg: Config) -> int:
    """Prints the table, and writes ``out`` and ``sheet`` if they are given. Returns: exit code."""
    from fontgan.evaluation.evaluate import evaluate
    from fontgan.evaluation.folder_pairs import glyph_set_of_folders
    from fontgan.evaluation.glyph_set import glyph_set_of_run
    from fontgan.evaluation.tables import table, worst_sheet
    from fontgan.generate.inference import load
    from fontgan.metrics.recognition import find_ocr
    from fontgan.pictures.contact_sheet import save_png
    from fontgan.runtime.log_setup import say

    out = out_file("out", cfg.out, ".json") if cfg.out is not None else None
    sheet = out_file("sheet", cfg.sheet, ".png") if cfg.sheet is not None else None
    find_ocr(cfg.ocr)  # refused before anything is drawn
    if cfg.run is not None:
        if (cfg.pred, cfg.truth, cfg.source) != (None, None, None):
            raise ConfigError("run and pred/truth/source: measure either a run or two folders. Leave one of them out.")
        if not (folder := run_path(cfg.run)).is_dir():
            raise ConfigError(f"run={cfg.run}: no such folder. Give a run's folder, such as runs/quickstart.")
        run = load(
            folder, which=cfg.which,
            batch_size=cfg.batch_size, device=cfg.device, precision=cfg.precision,
        )  # fmt: skip
        glyphs = glyph_set_of_run(run, seed=cfg.seed)
    elif cfg.pred is None or cfg.truth is None:
        raise ConfigError("evaluate: needs run=RUN, or both pred=DIR and truth=DIR; see fontgan evaluate --help.")
    else:
        glyphs = glyph_set_of_folders(user_path(cfg.pred), user_path(cfg.truth), cfg.source, seed=cfg.seed)
    found = evaluate(glyphs, ocr=cfg.ocr, replicates=cfg.replicates, seed=cfg.seed)
    say(table(found))
    if out is not None:
        asked = ("run", "which", "pred", "truth", "source", "replicates", "seed")
        write_json(out, {"fontgan": __version__, "measured": {key: getattr(cfg, key) for key in asked}, **found})
        log.info("every number, of every glyph too: %s", out)
    if sheet is not None:
        save_png(worst_sheet(glyphs, found["glyphs"]), sheet)
        log.info("the most doubtful glyphs: %s", sheet)
    return 0
