"""TensorBoard logs in ``RUN/tensorboard``."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from fontgan.loggers import Logger, Settings


class TensorBoard(Logger):
    """Curves, sheets and the config; at the end of a run a row of the HParams tab, which compares the runs of a sweep."""

    writer: Any = None

    def start(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        threading.excepthook = _without_trace
        purge_step = step + 1 if step else 0
        self.writer = SummaryWriter(str(self.run / "tensorboard"), purge_step=purge_step)  # type: ignore[no-untyped-call]

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self.writer.add_image(name, image[None], step)

    def text(self, step: int, name: str, text: str) -> None:
        self.writer.add_text(name, text, step)

    def result(self, settings: Settings, scores: Mapping[str, float]) -> None:
        from torch.utils.tensorboard.summary import hparams

        for summary in hparams(dict(settings), dict(scores)):  # type: ignore[no-untyped-call]
            self.writer.file_writer.add_summary(summary)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _without_trace(failed: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread, and raises what failed there, as on a full disk, again at the next thing logged."""
    if not (isinstance(failed.exc_value, OSError) and type(failed.thread).__module__.startswith("tensorboard.")):
        threading.__excepthook__(failed)
