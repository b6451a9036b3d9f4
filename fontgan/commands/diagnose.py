"""fontgan diagnose: how much of a run's glyphs is artefact, and which stage of its decoder brings it in."""

import logging
from dataclasses import dataclass
from pathlib import Path

from fontgan import __version__
from fontgan.config.schema import MISSING, ComputingConfig, limited
from fontgan.runtime.files import out_file, write_json

log = logging.getLogger(__name__)

ORDER = 70
SUMMARY = "say how much of a run's glyphs is artefact, and which stage of its decoder brings it in"
EXAMPLES = ("fontgan diagnose checkpoint=runs/quickstart out=diagnosis.json picture=diagnosis.png",)


@dataclass
class Config(ComputingConfig):
    checkpoint: str = MISSING
    which: str = MISSING
    out: str | None = MISSING
    picture: str | None = MISSING
    glyphs: int = limited(1)


def main(cfg: Config) -> int:
    """Prints the tables, and writes ``out`` and ``picture`` if they are given. Returns: exit code."""
    from fontgan.config.saved import load_config
    from fontgan.evaluation.artefact_picture import picture
    from fontgan.evaluation.diagnose import diagnose
    from fontgan.evaluation.diagnosis_text import findings, score_table, stage_table
    from fontgan.generate.inference import load
    from fontgan.pictures.contact_sheet import save_png
    from fontgan.runtime.log_setup import say

    out = out_file("out", cfg.out, ".json") if cfg.out is not None else None
    picture_file = out_file("picture", cfg.picture, ".png") if cfg.picture is not None else None
    run = load(
        cfg.checkpoint, which=cfg.which,
        batch_size=cfg.batch_size, device=cfg.device, precision=cfg.precision,
    )  # fmt: skip
    found, glyphs = diagnose(run, glyphs=cfg.glyphs)
    found["findings"] = findings(found, load_config(Path(found["checkpoint"]) / "config.yaml"))
    say("\n".join([score_table(found), "", stage_table(found), "", *found["findings"]]))
    if out is not None:
        settings = {"which": cfg.which, "glyphs": cfg.glyphs, "precision": cfg.precision}
        write_json(out, {"fontgan": __version__, "settings": settings, **found})
        log.info("every number, of every glyph and stage too: %s", out)
    if picture_file is not None:
        save_png(picture(found, glyphs), picture_file)
        log.info("spectra, stages and the worst glyphs: %s", picture_file)
    return 0
