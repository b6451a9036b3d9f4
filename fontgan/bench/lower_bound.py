"""The least time that the operations of a computation could take on a device, from their FLOPs and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from fontgan.bench.machine import Peaks

# Only reserve memory, or overwrite their first argument without reading it.
RESERVING = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
OVERWRITING = ("copy_", "fill_", "zero_", "normal_", "uniform_", "bernoulli_", "random_")


@dataclass
class OperationCost:
    """What the calls of an operation come to.

    Attributes:
        flops: multiplications and additions of convolutions and matrix products; 0 for all else.
        moved: bytes of the tensors read and written.
        seconds: the lower bound.
    """

    calls: int = 0
    flops: int = 0
    moved: int = 0
    seconds: float = 0.0

    def add(self, other: OperationCost) -> None:
        self.calls += other.calls
        self.flops += other.flops
        self.moved += other.moved
        self.seconds += other.seconds


class LowerBound(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is computed while it is entered, backward passes included.

    The bound of an operation is the larger of its FLOPs over the peak of a matrix product in its own precision and of
    its bytes over the bandwidth of a copy. FLOPs are those of ``torch.utils.flop_counter``: convolutions, matrix
    products and attention. Bytes are those of all tensors that go in and come out, once each. Views and mere
    reservations of memory are free.

    It is the bound of the step as it stands, operation by operation, not of the mathematics: operations fused into one
    (by a compiler) could move fewer bytes than counted, and tensors still lying in a cache come faster than a copy;
    both let a step fall below it. What it leaves out is the time to start an operation, second readings inside one
    (batch norm reads its input twice), layout changes inside convolutions, and the arithmetic of everything but
    products; so nothing reaches it in full. A fused optimiser is counted as writing gradients too, since its signature
    says so.

    Args:
        peaks: of the device that computes.
    """

    def __init__(self, peaks: Peaks):
        super().__init__()  # type: ignore[no-untyped-call]
        self.peaks = peaks
        self.by_operation: dict[str, OperationCost] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not _is_free(func):
            packet = func._overloadpacket
            flops = int(flop_registry[packet](*args, **kwargs, out_val=out)) if packet in flop_registry else 0
            moved = bytes_moved(func, args, kwargs, out)
            low = any(tensor.dtype == torch.bfloat16 for tensor in tensors_in((args, kwargs)))
            peak = self.peaks.bf16_gflops if low else self.peaks.fp32_gflops
            seconds = max(flops / peak, moved / self.peaks.copy_gb_s) / 1e9
            cost = self.by_operation.setdefault(str(packet), OperationCost())
            cost.add(OperationCost(1, flops, moved, seconds))
        return out

    @property
    def total(self) -> OperationCost:
        """All operations together."""
        total = OperationCost()
        for cost in self.by_operation.values():
            total.add(cost)
        return total


def count_lower_bound(task: Callable[[], object], peaks: Peaks) -> LowerBound:
    """Does a task once and counts it."""
    with LowerBound(peaks) as counter:
        task()
    return counter


def bytes_moved(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
    """Bytes of the tensors that an operation reads and writes."""
    written = _written_arguments(func, args, kwargs)
    read = list(tensors_in((args, kwargs)))
    if func._overloadpacket.__name__ in OVERWRITING:
        read = read[1:]
    changed = {id(tensor) for tensor in written}
    made = [tensor for tensor in tensors_in(out) if id(tensor) not in changed]
    return sum(map(bytes_of, [*read, *written, *made]))


def bytes_of(tensor: Tensor) -> int:
    """Bytes of a tensor's distinct elements: an expanded one repeats what it has."""
    count = 1
    for side, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= 1 if stride == 0 and side else side
    return count * tensor.element_size()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in an argument or a result."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_in(item)


def _written_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The arguments that an operation changes in place, as its schema says."""
    written: list[Tensor] = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written += tensors_in(args[place] if place < len(args) else kwargs.get(argument.name))
    return written


def _is_free(func: Any) -> bool:
    """Whether an operation computes nothing: it gives back a view, or reserves memory, or asks for a number."""
    if func._overloadpacket.__name__ in RESERVING:
        return True
    returned = func._schema.returns
    return bool(returned) and all(
        result.alias_info is not None and not result.alias_info.is_write for result in returned
    )
