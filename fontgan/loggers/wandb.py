"""Weights & Biases, and Trackio, which takes the same calls."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.errors import ConfigError, one_line
from fontgan.loggers import Logger, Settings, import_for
from fontgan.runtime.files import atomic_write


class Wandb(Logger):
    """One W&B run for a run of fontgan, over all its starts; its files are in ``RUN/wandb``.

    W&B forgets nothing: after a rollback, and where a training was killed after its last checkpoint, the curves have two
    values at some steps, the later one on top.

    Args:
        project, entity: where W&B keeps it; None for the user's default entity.
    """

    def __init__(self, run: Path, *, project: str = "fontgan", entity: str | None = None):
        super().__init__(run)
        self.project = project
        self.entity = entity
        self.wandb = import_for("wandb", "wandb", "pip install 'fontgan[wandb]' installs it.")
        self.opened: Any = None

    def start(self, step: int) -> None:
        if self.opened is not None:
            return
        try:
            self.opened = self.wandb.init(
                project=self.project,
                entity=self.entity,
                name=self.run.name,
                id=kept_id(self.run / "wandb.id"),
                resume="allow",
                dir=str(self.run),
                settings=self.wandb.Settings(silent=True),
            )
        except self.wandb.Error as error:
            raise ConfigError(
                f"logger=wandb: {one_line(str(error))[:300]}. Log in (wandb login), or set WANDB_MODE=offline."
            ) from error
        # Not W&B's own count, which cannot go back.
        self.opened.define_metric("step")
        self.opened.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.opened.log({**values, "step": step})

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self.opened.log({name: self.wandb.Image(image), "step": step})

    def text(self, step: int, name: str, text: str) -> None:
        self.opened.log({name: self.wandb.Html(f"<pre>{html.escape(text)}</pre>"), "step": step})

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        self.opened.config.update(dict(settings), allow_val_change=True)

    def close(self) -> None:
        if self.opened is not None:
            self.opened.finish()
            self.opened = None


class Trackio(Logger):
    """One Trackio run for a run of fontgan, over all its starts, where Trackio keeps its own (``$TRACKIO_DIR``).

    Trackio forgets nothing either, see ``Wandb``.
    """

    def __init__(self, run: Path, *, project: str = "fontgan"):
        super().__init__(run)
        self.project = project
        remedy = (
            "It asks for Pillow below 13 and fontgan for 13, so that pip cannot install both; "
            "docs/reference/loggers.md says what to do."
        )
        self.trackio = import_for("trackio", "trackio", remedy)
        self.opened: Any = None

    def start(self, step: int) -> None:
        if self.opened is None:
            name = f"{self.run.name}-{kept_id(self.run / 'trackio.id')}"
            self.opened = self.trackio.init(project=self.project, name=name, resume="allow", embed=False)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.opened.log(dict(values), step=step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self.opened.log({name: self.trackio.Image(np.stack([image] * 3, axis=-1))}, step=step)

    def text(self, step: int, name: str, text: str) -> None:
        self.opened.log({name: self.trackio.Markdown(text)}, step=step)

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        self.opened.log({"settings": dict(settings)})

    def close(self) -> None:
        if self.opened is not None:
            self.opened.finish()
            self.opened = None


def kept_id(file: Path) -> str:
    """A name by which a service knows the run again; made once and kept in the run's folder."""
    if not file.is_file():
        atomic_write(file, uuid.uuid4().hex[:16])
    return file.read_text(encoding="utf-8").strip()
