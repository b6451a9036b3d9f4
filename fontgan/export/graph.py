"""A generator -> an ONNX graph that takes and gives pixels.

    glyphs  (B, 1 + guides, H, W) uint8, 0 ink .. 255 paper: the source glyph, and the same character of each guide
    style   (B, styles) float32: weights that sum to 1; of a graph that reads references it is, in place of that,
    references  (B, K, H, W) uint8: K glyphs of one style
    drawn   (B, H, W) uint8, 0 ink .. 255 paper

All conversions of values are inside, so that a program in any language needs to know none of them, and a quarter of the
bytes cross its border.
"""

import io
import re
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.data.unlike import SIDE, quick_encoder
from fontgan.errors import RunError
from fontgan.extras import how_to_install
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.log_setup import quiet
from fontgan.values import image_from_logits, image_from_pixels, pixels_from_image, sharpened

if TYPE_CHECKING:
    import onnx

OPSET = 20  # the first with GridSample of today's form; every onnxruntime since 1.17 reads it
EXAMPLES = 2  # glyphs that the graph is traced with: of one, torch would take the number for fixed
SHOTS = 4  # references that a graph of them is traced with; it takes any number


class Drawing(nn.Module):
    """What ``draw_pixels`` computes of a batch, as one module; its inputs and outputs are the graph's."""

    def __init__(self, generator: UnetGenerator):
        super().__init__()
        self.generator = generator

    def forward(self, glyphs: Tensor, style: Tensor) -> Tensor:
        sharpness = self.generator.sharpness
        given = image_from_pixels(style) if style.dim() == 4 else style
        logits = self.generator(image_from_pixels(glyphs), given)
        image = image_from_logits(logits) if sharpness == 1 else sharpened(logits, sharpness)
        return pixels_from_image(image[:, 0])


class Seeing(nn.Module):
    """The glyph encoder as ``unlike.encode`` uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = quick_encoder()

    def forward(self, ink: Tensor) -> Tensor:
        return F.normalize(self.encoder.features(ink)[-1].flatten(2), dim=1)


def to_onnx(generator: UnetGenerator, size: int, *, references: bool = False) -> "onnx.ModelProto":
    """The graph of a generator on the CPU, in float32.

    Args:
        generator: in evaluation mode; with folded batch norms the graph is smaller.
        size: pixels a side.
        references: whether it takes references in place of weights.
    Raises: RunError, which names the operator, if the network holds one that ONNX has not.
    """
    glyphs = torch.full((EXAMPLES, generator.in_channels, size, size), 255, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes: list[Any] = [{0: batch}, {0: batch}]
    if references:
        style = torch.full((EXAMPLES, SHOTS, size, size), 255, dtype=torch.uint8)
        shapes[1] = {0: batch, 1: torch.export.Dim("shots", min=1, max=1024)}
    else:
        style = torch.full((EXAMPLES, generator.styles), 1 / generator.styles)
    names = ["glyphs", "references" if references else "style"]
    return _translated(Drawing(generator).eval(), (glyphs, style), names, "drawn", shapes)


def encoder_to_onnx() -> "onnx.ModelProto":
    """The graph of what ``fontgan.data.unlike`` sees of a glyph: ``ink`` (N, 1, 64, 64) float32, 0 paper .. 1 ink, to
    ``seen`` (N, C, places)."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    example = torch.zeros(EXAMPLES, 1, SIDE, SIDE)
    return _translated(Seeing(), (example,), ["ink"], "seen", [{0: batch}])


def _translated(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], output: str, shapes: list[Any]
) -> "onnx.ModelProto":
    from torch.onnx import OnnxExporterError

    said = io.StringIO()
    try:
        with torch.no_grad(), quiet("torch"), redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, inputs, dynamo=True, opset_version=OPSET, input_names=names, output_names=[output],
                dynamic_shapes=shapes, verbose=False, optimize=True,
            )  # fmt: skip
    except OnnxExporterError as error:
        raise RunError(_why_not(error)) from error
    assert program is not None
    model = program.model_proto
    fixed = [given.name for given in model.graph.input if not given.type.tensor_type.shape.dim[0].dim_param]
    if fixed:
        raise RunError(
            "export: a part of this network takes the number of glyphs for a constant, so that it would draw only "
            f"{EXAMPLES} at once. In its forward, write x.shape[0] where it says len(x)."
        )
    _forget_its_making(model)
    return model


def _forget_its_making(model: "onnx.ModelProto") -> None:
    """Takes out where in whose folders each node was traced, which is a third of the bytes of a small network."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph, model):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _why_not(error: BaseException) -> str:
    """One line for what torch says in many: which operator it is that ONNX has not."""
    cause: BaseException | None = error
    while cause is not None:
        if found := re.search(r"target=torch\.ops\.([\w.]+)", str(cause)):
            operator = found[1].removesuffix(".default")
            return (
                f"export: the operator {operator} of this network cannot be exported to ONNX. Write the part that uses it "
                "with other operations (docs/reference/extending.md), or train with another part."
            )
        if isinstance(cause, ImportError):
            return f"export: needs a package that is not installed ({cause}). Run {how_to_install('export')}."
        cause, last = cause.__cause__, cause
    told = " ".join(str(last).split())[:200]
    return f"export: this network cannot be exported to ONNX ({told}). A forward that branches on values, in Python, cannot be."
