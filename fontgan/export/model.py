"""A run -> the bytes of an ONNX file, tried against torch before anything is written."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from fontgan.errors import ConfigError, RunError
from fontgan.export.graph import Drawing, encoder_to_onnx, to_onnx
from fontgan.export.half import computed_in_half, kept_in_half
from fontgan.export.metadata import describe, licence_note
from fontgan.extras import how_to_install
from fontgan.generate.inference import Run
from fontgan.generate.onnx_run import open_session

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)

Shrink = Callable[["onnx.ModelProto"], "onnx.ModelProto"]
PRECISIONS: dict[str, Shrink] = {"fp32": lambda model: model, "fp16": computed_in_half, "kept_fp16": kept_in_half}
# Grey levels of 255 by which a pixel may differ from what torch draws in float32, and the mean over all pixels. Beyond
# float32's rounding, a pixel is one level off where its value lies between two.
MOST_OFF = {"fp32": 2, "fp16": 64, "kept_fp16": 64}
MEAN_OFF = {"fp32": 0.01, "fp16": 0.5, "kept_fp16": 0.5}
TRIED = 3  # glyphs
SHOTS = 5  # references, where it reads them


class Exported(NamedTuple):
    """The file, and how far what onnxruntime draws with it is from what torch does, in grey levels of 255."""

    data: bytes
    most: int
    mean: float


def export_model(
    run: Run, *, precision: str = "fp32", references: bool = False, licence: str | None = None, encoder: bool = True
) -> Exported:
    """A run's generator with all that is needed to use it.

    Args:
        run: on the CPU, in fp32.
        precision: of ``PRECISIONS``.
        references: whether it takes references in place of weights; for a run of generator/style=reference.
        encoder: whether it holds what compares guides, if it has any; ``fontgan infer`` needs that.
        licence: what the file says of its licence; None gathers it from the run's fonts.
    Raises: ConfigError or RunError; where a part cannot be exported, which names the operator.
    """
    check_packages()
    if references and not run.reads_references:
        raise ConfigError(
            "style=references: this run knows its styles by name. Leave it out, or train with generator/style=reference."
        )
    model = to_onnx(run.drawing, run.size, references=references)
    second = encoder_to_onnx().SerializeToString() if encoder and run.drawn_from.guides else None
    model = PRECISIONS[precision](model)
    said = describe(run, licence=licence_note(run) if licence is None else licence, encoder=second)
    for key, value in said.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version = "fontgan", said["made_by"].removeprefix("fontgan ")
    data = model.SerializeToString()
    most, mean = difference(run, data, references=references)
    if most > MOST_OFF[precision] or mean > MEAN_OFF[precision]:
        remedy = "Use precision=fp32." if precision != "fp32" else "Tell the makers of fontgan which parts it has."
        raise RunError(
            f"export: onnxruntime draws otherwise than torch (by {mean:.2g} of 255 levels on average, {most} at most, in "
            f"{precision}). {remedy}"
        )
    return Exported(data, most, mean)


def difference(run: Run, data: bytes, *, references: bool = False, seed: int = 0) -> tuple[int, float]:
    """How far onnxruntime and torch draw apart on glyphs of noise and strokes: grey levels at most, and on average."""
    source = np.random.default_rng(seed)
    glyphs = _strokes(source, (TRIED, run.in_channels), run.size)
    given: np.ndarray
    if references:
        given = _strokes(source, (TRIED, SHOTS), run.size)
    else:
        given = np.eye(len(run.styles), dtype=np.float32)[source.integers(len(run.styles), size=TRIED)]
        given[-1] = np.float32(1 / len(run.styles))
    session = open_session(data, ["CPUExecutionProvider"], "export")
    fed = {"glyphs": glyphs, "references" if references else "style": given}
    drawn = session.run(["drawn"], {name: fed[name] for name in (one.name for one in session.get_inputs())})[0]
    with torch.inference_mode():
        true = Drawing(run.drawing)(torch.from_numpy(glyphs), torch.from_numpy(given)).numpy()
    apart = np.abs(drawn.astype(np.int16) - true)
    return int(apart.max()), float(apart.mean())


def _strokes(source: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Paper with bars of ink, (*shape, size, size) uint8."""
    pages = np.full((*shape, size, size), 255, np.uint8)
    for page in pages.reshape(-1, size, size):
        for x, y, long, thick in source.integers(0, size // 2, (6, 4)):
            page[y : y + 1 + thick // 6, x : x + long] = 0
            page[x : x + long, y : y + 1 + thick // 6] = 0
    return pages


def check_packages() -> None:
    """Raises: RunError if what the extra ``export`` brings is not there."""
    lacking = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if lacking:
        raise RunError(f"export: needs {', '.join(lacking)}, not installed here. Run {how_to_install('export')}.")
