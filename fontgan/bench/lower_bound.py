"""The least time that the operations of a computation could take on a device, from their FLOPs and bytes."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from fontgan.bench.machine import Peaks
from fontgan.runtime.device import DTYPES

# Only reserve memory, or overwrite their first argument without reading it.
RESERVING = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
OVERWRITING = ("copy_", "fill_", "zero_", "normal_", "uniform_", "bernoulli_", "random_")


class LowerBound(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is computed while it is entered, backward passes included.

    The bound of an operation is the larger of its FLOPs over the peak of a matrix product in its own precision and of
    its bytes over the bandwidth of a copy. FLOPs are those of ``torch.utils.flop_counter``: convolutions, matrix
    products and attention. Bytes are those of all tensors that go in and come out, once each. Views and mere
    reservations of memory are free.

    It is the bound of the step as it stands, operation by operation: fusing operations, and tensors still lying in a
    cache, let a step fall below it. Starting an operation, reading twice inside one (as batch norm does), changing
    layouts and all arithmetic but products count nothing; so no step reaches it in full. A fused optimiser is counted
    as writing gradients too, since its signature says so.

    Attributes:
        calls, flops, moved, seconds: operations that compute something, their FLOPs, bytes and bounds, summed.
    """

    def __init__(self, peaks: Peaks):
        super().__init__()  # type: ignore[no-untyped-call]
        self.peaks = peaks
        self.calls = self.flops = self.moved = 0
        self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not _is_free(func):
            count_flops = flop_registry.get(func._overloadpacket)
            flops = int(count_flops(*args, **kwargs, out_val=out)) if count_flops else 0
            moved = bytes_moved(func, args, kwargs, out)
            low = any(tensor.dtype in DTYPES.values() for tensor in tensors_in((args, kwargs)))
            peak = self.peaks.bf16_gflops if low else self.peaks.fp32_gflops
            self.calls += 1
            self.flops += flops
            self.moved += moved
            self.seconds += max(flops / peak, moved / self.peaks.copy_gb_s) / 1e9
        return out


def count_lower_bound(task: Callable[[], object], peaks: Peaks) -> LowerBound:
    """Does a task once and counts it."""
    with LowerBound(peaks) as counter:
        task()
    return counter


def bytes_moved(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
    """Bytes of the tensors that an operation reads and writes; its schema says which arguments it changes in place."""
    written: list[Tensor] = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written += tensors_in(args[place] if place < len(args) else kwargs.get(argument.name))
    read = tensors_in((args, kwargs))[func._overloadpacket.__name__ in OVERWRITING :]
    changed = {id(tensor) for tensor in written}
    made = [tensor for tensor in tensors_in(out) if id(tensor) not in changed]
    return sum(map(bytes_of, [*read, *written, *made]))


def bytes_of(tensor: Tensor) -> int:
    """Bytes of a tensor's distinct elements: an expanded one repeats what it has."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return math.prod(side if stride or not side else 1 for side, stride in sides) * tensor.element_size()


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in an argument or a result."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _is_free(func: Any) -> bool:
    """Whether an operation computes nothing: it gives back a view, or reserves memory, or asks for a number."""
    returned = [result.alias_info for result in func._schema.returns]
    views = bool(returned) and all(alias is not None and not alias.is_write for alias in returned)
    return views or func._overloadpacket.__name__ in RESERVING
