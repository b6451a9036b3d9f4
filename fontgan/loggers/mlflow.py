"""MLflow."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.errors import ConfigError, one_line
from fontgan.loggers import Service, Settings, import_for
from fontgan.runtime.files import atomic_write

log = logging.getLogger(__name__)


class Mlflow(Service):
    """MLflow, in files or on a server.

    Args:
        tracking_uri: None for ``$MLFLOW_TRACKING_URI``, and where that is not set for files in ``RUN/mlflow``.
    """

    def __init__(self, run: Path, *, experiment: str = "fontgan", tracking_uri: str | None = None):
        super().__init__(run)
        self.experiment = experiment
        self.tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or (run / "mlflow").resolve().as_uri()
        # Its file store is not developed further, but is all that a single run needs. Nothing is told to its makers.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self.mlflow = import_for("mlflow")

    def _open(self) -> Any:
        client, kept = self.mlflow.MlflowClient(tracking_uri=self.tracking_uri), self.run / "mlflow.id"
        try:
            if kept.is_file():
                self.id = kept.read_text(encoding="utf-8").strip()
                client.update_run(self.id, status="RUNNING")
            else:
                there = client.get_experiment_by_name(self.experiment)
                experiment = there.experiment_id if there else client.create_experiment(self.experiment)
                self.id = client.create_run(experiment, run_name=self.run.name).info.run_id
                atomic_write(kept, self.id)
        except self.mlflow.MlflowException as error:
            raise ConfigError(f"logger=mlflow: {self.tracking_uri} refuses ({one_line(str(error))[:300]}).") from error
        return client

    def _send(self, what: str, *given: Any, **named: Any) -> None:
        """A server that is away for a while costs its numbers, and not the training."""
        try:
            getattr(self.opened, what)(self.id, *given, **named)
        except self.mlflow.MlflowException as error:
            log.warning("logger=mlflow: %s", one_line(str(error))[:300])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        now = round(1000 * time.time())
        metrics = [self.mlflow.entities.Metric(tag, value, now, step) for tag, value in values.items()]
        for start in range(0, len(metrics), 1000):  # as many as MLflow takes at once
            self._send("log_batch", metrics=metrics[start : start + 1000])

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._send("log_image", image, artifact_file=f"{name}/step-{step:08d}.png")

    def text(self, step: int, name: str, text: str) -> None:
        self._send("log_text", text, f"{name}.md")

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        self._send("log_batch", params=[self.mlflow.entities.Param(key, str(value)) for key, value in settings.items()])

    def close(self) -> None:
        if self.opened is not None:
            self._send("set_terminated")
            self.opened = None
