"""Weights & Biases, and Trackio, which takes the same calls."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.errors import ConfigError, one_line
from fontgan.loggers import Service, Settings, import_for


class Wandb(Service):
    """Weights & Biases; its files are in ``RUN/wandb``.

    Args:
        project, entity: where W&B keeps it; None for the user's default entity.
    """

    def __init__(self, run: Path, *, project: str = "fontgan", entity: str | None = None):
        super().__init__(run)
        self.place = {"project": project, "entity": entity}
        self.wandb = import_for("wandb")

    def _open(self) -> Any:
        settings = self.wandb.Settings(silent=True)
        kept = {"name": self.run.name, "id": self._kept_id("wandb.id"), "resume": "allow", "dir": str(self.run)}
        try:
            opened = self.wandb.init(**self.place, **kept, settings=settings)
        except self.wandb.Error as error:
            said = one_line(str(error))[:300]
            raise ConfigError(f"logger=wandb: {said}. Log in (wandb login), or set WANDB_MODE=offline.") from error
        # Not W&B's own count, which cannot go back.
        opened.define_metric("step")
        opened.define_metric("*", step_metric="step")
        return opened

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.opened.log({**values, "step": step})

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self.opened.log({name: self.wandb.Image(image), "step": step})

    def text(self, step: int, name: str, text: str) -> None:
        self.opened.log({name: self.wandb.Html(f"<pre>{html.escape(text)}</pre>"), "step": step})

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        self.opened.config.update(dict(settings), allow_val_change=True)


class Trackio(Service):
    """Trackio, where it keeps its own (``$TRACKIO_DIR``)."""

    def __init__(self, run: Path, *, project: str = "fontgan"):
        super().__init__(run)
        self.project = project
        why = "It asks for Pillow below 13 and fontgan for 13, so that pip cannot install both"
        self.trackio = import_for("trackio", f"{why}; docs/reference/loggers.md says what to do.")

    def _open(self) -> Any:
        name = f"{self.run.name}-{self._kept_id('trackio.id')}"
        return self.trackio.init(project=self.project, name=name, resume="allow", embed=False)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.opened.log(dict(values), step=step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self.opened.log({name: self.trackio.Image(np.stack([image] * 3, axis=-1))}, step=step)

    def text(self, step: int, name: str, text: str) -> None:
        self.opened.log({name: self.trackio.Markdown(text)}, step=step)

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        self.opened.log({"settings": dict(settings)})
