"""An exported run: onnxruntime computes, and torch is not needed."""

import hashlib
import logging
from collections.abc import Generator, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.data import unlike
from fontgan.errors import ConfigError, DataError, RunError, first_line
from fontgan.export.metadata import read
from fontgan.generate.placement import RunInputs
from fontgan.generate.run import BaseRun, Style, Tag
from fontgan.hub.names import is_on_hub
from fontgan.runtime.device_name import parse_device
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def is_exported(checkpoint: str) -> bool:
    """Whether a setting names an exported run rather than a run's folder."""
    return checkpoint.lower().endswith(".onnx") and not is_on_hub(checkpoint)


def load_exported(file: str, *, device: str = "auto", precision: str = "auto", batch_size: int = 32) -> "OnnxRun":
    """Loads what ``fontgan export`` wrote.

    Args:
        device: auto, cpu, cuda or cuda:N.
        precision: auto; a file has the precision that it was exported in.
    Raises: ConfigError; RunError if onnxruntime is lacking or the file is none of fontgan's.
    """
    path = user_path(file)
    if not path.is_file():
        raise RunError(f"checkpoint={file}: no such file. Give a file of fontgan export, or a run's folder.")
    if precision != "auto":
        raise ConfigError(
            f"precision={precision}: an exported file has its own. Leave it out, or export again with it."
        )
    providers = _providers(device)
    data = path.read_bytes()
    session = open_session(data, providers, path)
    return OnnxRun(path, data, session, batch_size)


class OnnxRun(BaseRun):
    """A file of ``fontgan export``.  Made by ``load_exported``."""

    def __init__(self, path: Path, data: bytes, session: Any, batch_size: int):
        self.where, self.name, self.batch_size = path, path.name, batch_size
        self.weights_hash = hashlib.sha256(data).hexdigest()[:16]
        self._session = session
        stored, self.manifest, encoder = read(session.get_modelmeta().custom_metadata_map, path)
        self._encoder = encoder
        inputs = {given.name: list(given.shape) for given in session.get_inputs()}
        self.reads_references = "references" in inputs
        self.in_channels = 1 + len(stored.guides)
        side = stored.manifest.size
        if inputs.get("glyphs", [])[1:] != [self.in_channels, side, side]:
            raise RunError(f"{path}: its graph takes no glyphs of {side} px. Export the run again.")
        names = [style.name for style in stored.manifest.styles]
        if not self.reads_references and inputs.get("style", [])[1:] != [len(names)]:
            raise RunError(f"{path}: its graph does not have the styles that it names. Export the run again.")
        # A graph that reads references knows no style by its name.
        self.styles = [] if self.reads_references else names
        self.trained_styles = [] if self.reads_references else stored.trained_styles
        self.drawn_from = RunInputs(stored.source, dict(stored.own), list(stored.guides))
        self.align, self.margin = stored.align, stored.margin
        self.computes_alone = session.get_providers()[0] == CUDA
        self._references: list[np.ndarray] = []

    def draw_batches(
        self, batches: Iterable[tuple[Tag, np.ndarray]], style: Style
    ) -> Generator[tuple[Tag, np.ndarray], None, None]:
        name, given = self._style_input(style)
        for tag, pixels in batches:
            fed = {"glyphs": np.ascontiguousarray(pixels), name: np.repeat(given, len(pixels), axis=0)}
            yield tag, self._session.run(["drawn"], fed)[0]

    def _style_input(self, style: Style) -> tuple[str, np.ndarray]:
        shares = self.shares(style)
        if not self.reads_references:
            return "style", np.array([shares], np.float32)
        if sum(share != 0 for share in shares) != 1:
            raise DataError(f"style={style}: a file that reads references mixes no styles. Name one.")
        return "references", self._references[int(np.argmax(shares))][None]

    def encode(self, glyphs: np.ndarray) -> np.ndarray:
        def see(part: np.ndarray) -> np.ndarray:
            ink = (1 - part.astype(np.float32) / 255)[:, None]
            return self._compares.run(["seen"], {"ink": ink})[0].astype(np.float16)

        return unlike.in_parts(see, glyphs)

    @cached_property
    def _compares(self) -> Any:
        assert self._encoder is not None
        return open_session(self._encoder, [CPU], self.where)

    def learn_style(self, pixels: np.ndarray) -> None:
        self._references.append(pixels)


def _providers(device: str) -> list[str | tuple[str, dict[str, int]]]:
    """Raises: ConfigError for a device that is not there; RunError without onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RunError("checkpoint: an exported run is drawn by onnxruntime. Run pip install onnxruntime.") from error
    kind, number = parse_device(device)
    if kind == "mps":
        raise ConfigError("device=mps: exported runs are drawn on the CPU or on CUDA. Use device=auto or device=cpu.")
    there = CUDA in onnxruntime.get_available_providers()
    if kind == "cuda" and not there:
        raise ConfigError(f"device={device}: onnxruntime finds no CUDA device here. Use device=auto or device=cpu.")
    return [(CUDA, {"device_id": number or 0}), CPU] if there and kind != "cpu" else [CPU]


def open_session(data: bytes, providers: Sequence[Any], where: object) -> Any:
    """A graph made ready by onnxruntime. Raises: RunError if it cannot be."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # onnxruntime's own classes have no base of theirs
        told = " ".join(first_line(error).split())[:200]
        raise RunError(f"{where}: onnxruntime cannot load it ({told}). Export the run again.") from error
