"""Computing a part of a network again in the backward pass instead of keeping its maps (gradient checkpointing)."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointed(part: nn.Module, *inputs: Tensor) -> Tensor:
    """As ``part(*inputs)``, with the same gradients, for the memory of its inputs alone.

    Random numbers (dropout) and precision are those of the first time; batch norm's running statistics move once.

    Source: Chen et al. 2016, arXiv:1604.06174.
    """
    return checkpoint(part, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_at_rest(part)))


@contextmanager
def _statistics_at_rest(part: nn.Module) -> Iterator[None]:
    """Batch norm computes by its batch as before, but what it stores stays."""
    norms = (module for module in part.modules() if isinstance(module, _BatchNorm) and module.training)
    stored = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in stored:
        # A moving average that takes nothing of the batch, and a count that is thrown away.
        norm.momentum, norm.num_batches_tracked = 0.0, None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in stored:
            norm.momentum, norm.num_batches_tracked = momentum, count
