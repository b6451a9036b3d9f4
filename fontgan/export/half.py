"""An ONNX graph in half precision: computed in it, or only kept in it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

# Sums over many places, quotients of them and what a pixel is made of lose too much in eleven bits, or overflow.
STAYS_WHOLE = (
    "Softmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "ReduceMean", "ReduceSum",
    "ReduceL2", "Reciprocal", "GridSample", "Round", "Resize",
)  # fmt: skip
SMALL = 64  # values: smaller tensors are not worth a node that widens them


def computed_in_half(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The graph in float16, but for ``STAYS_WHOLE``; inputs and outputs stay as they are."""
    from onnxruntime.transformers import float16

    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, *STAYS_WHOLE]
    return float16.convert_float_to_float16(model, keep_io_types=True, op_block_list=blocked)


def kept_in_half(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The graph with its weights in float16, which it widens before it computes in float32: half the bytes to fetch, for
    machines that do not compute in half precision. onnxruntime widens them once, when it loads the file.

    The graph given is changed.
    """
    from onnx import TensorProto, helper, numpy_helper

    widened = []
    for number, tensor in enumerate(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALL:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float16)
        widened.append(helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=TensorProto.FLOAT))
        model.graph.initializer[number].CopyFrom(numpy_helper.from_array(values, f"{tensor.name}_half"))
    for node in reversed(widened):
        model.graph.node.insert(0, node)
    return model
