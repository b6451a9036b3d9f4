"""Run logger: what a run's folder records of its training, and what is passed on to the loggers of ``logger=``.

``metrics.jsonl`` (held-out scores, a line for each evaluation and each baseline) and ``sheets/`` are the run's own record.
They are written whatever loggers are chosen: ``fontgan report`` reads them, and a resumed run goes on with them.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fontgan.loggers import Logger, Settings
from fontgan.loggers.lines import append_json, drop_lines_after, step_of_json
from fontgan.pictures.contact_sheet import save_png
from fontgan.runtime.distributed import is_main
from fontgan.training.evaluator import Scores, format_scores, mean_scores

log = logging.getLogger(__name__)


class RunLogger:
    """Each process has one; that of the main process alone writes. What a run that was cut off logged beyond
    ``from_step`` is dropped."""

    def __init__(self, run: Path, loggers: Sequence[Logger], *, from_step: int):
        self.run = run
        self.metrics = run / "metrics.jsonl"
        self.loggers = loggers if is_main() else ()
        self.go_back(from_step)

    def go_back(self, step: int) -> None:
        """Drops what is logged beyond a step, from where the training goes on."""
        if is_main():
            drop_lines_after(self.metrics, step, step_of_json)
        for logger in self.loggers:
            logger.start(step)

    def close(self) -> None:
        for logger in self.loggers:
            logger.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for logger in self.loggers if values else ():
            logger.scalars(step, values)

    def config(self, step: int, config_yaml: str) -> None:
        for logger in self.loggers:
            logger.text(step, "config", f"```yaml\n{config_yaml}\n```")

    def result(self, step: int, settings: Settings, last: Scores, best: Scores) -> None:
        """What runs are compared by: their settings, and mean scores of the last and of the best checkpoint."""
        found = {
            f"{when}/{key}": sum(style[key] for style in scored.values()) / len(scored)
            for when, scored in (("last", last), ("best", best))
            if scored
            for key in ("l1", "ssim")
        }
        for logger in self.loggers:
            logger.result(settings, found)
        self.scalars(step, found)

    def baselines(self, found: dict[str, Scores]) -> None:
        """Writes the scores of the baselines down, once in a run."""
        written = self.metrics.read_text(encoding="utf-8") if is_main() and self.metrics.is_file() else ""
        for name, by_style in found.items():
            if f'"kind": "baseline/{name}"' not in written:
                log.info("baseline %s: %s", name.replace("_", " "), format_scores(by_style, {}))
                self.scores(0, f"baseline/{name}", by_style)

    def scores(self, step: int, kind: str, found: Scores) -> None:
        """Writes scores down, if there are any."""
        if is_main() and found:
            append_json(self.metrics, {"step": step, "kind": kind, "styles": found})
        for style, values in (found | ({"all": mean_scores(found)} if len(found) > 1 else {})).items():
            self.scalars(step, {f"{kind}/{style}/{name}": value for name, value in values.items()})

    def sheet(self, step: int, image: Image.Image) -> None:
        """Saves a contact sheet as ``sheets/step-....png`` and as the run's ``sheet.png``."""
        folder = self.run / "sheets"
        folder.mkdir(exist_ok=True)
        save_png(image, folder / f"step-{step:08d}.png")
        save_png(image, self.run / "sheet.png")
        for logger in self.loggers:
            logger.image(step, "held_out/sheet", np.asarray(image))
