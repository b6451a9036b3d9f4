"""How much memory a training step takes, and the largest batch that fits."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fontgan.data.batches import GlyphBatch
from fontgan.errors import RunError
from fontgan.models.unet import UnetGenerator
from fontgan.runtime.accelerator import allocated_peak
from fontgan.runtime.memory import available_bytes
from fontgan.training.step import TrainStep

# Of what is free; the rest is for what no count sees: workspaces of the convolutions, fragmentation, other programs.
SHARE_CPU, SHARE_CUDA = 0.7, 0.9
# Batch sizes measured: batch norm needs more than one value; the second two tell what a pair takes among many, where
# the weights no longer decide when the peak is.
FIRST, SECOND = (2, 4), (8, 16)


def largest_batch(step: TrainStep, size: int, device: torch.device, *, most: int) -> int:
    """The largest batch whose training step on images of ``size`` pixels fits into the memory that is free now.

    Two small batches are measured; what a step takes grows linearly with the batch, so no attempt has to fail.  The
    step is moved by it, so give one that is thrown away.

    Returns: 1 to ``most``, a multiple of 8 from 8 on, as tensor cores like it.
    Raises: RunError if not even one pair fits.
    """
    share = SHARE_CUDA if device.type == "cuda" else SHARE_CPU
    probe(step, FIRST[0], size, device)  # gradients and the optimisers' state, which stay, are made in the first step
    free = available_bytes(device)
    for small, large in (FIRST, SECOND):
        few, many = (_step_bytes(step, n, size, device) for n in (small, large))
        of_a_pair = max(1.0, (many - few) / (large - small))
        fixed = max(0.0, few - small * of_a_pair)
        fitting = min(most, int((share * free - fixed) / of_a_pair))
        if fitting < 2 * SECOND[1]:
            break
    if fitting < 1:
        raise RunError(
            f"trainer.batch_size=auto: a step on one pair takes about {(fixed + of_a_pair) / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free. Lower generator.ngf or data.size, or use trainer.gradient_checkpointing=true."
        )
    return fitting // 8 * 8 if fitting >= 8 else fitting


def _step_bytes(step: TrainStep, batch_size: int, size: int, device: torch.device) -> int:
    """The peak of a training step."""
    run = partial(probe, step, batch_size, size, device)
    if device.type == "cuda":
        run()  # cuDNN tries its algorithms at the first batch of a size, in workspaces that no later step needs
    return peak_bytes(run, device)


def probe(step: TrainStep, batch_size: int, size: int, device: torch.device) -> None:
    """One whole training step on noise, with every term of the objective at work."""
    images = torch.rand(batch_size, 1, size, size, device=device).mul_(2).sub_(1)
    step([batch_of(images.contiguous(memory_format=torch.channels_last), step.generator)], progress=1.0, step=0)


def batch_of(images: Tensor, generator: UnetGenerator) -> GlyphBatch:
    """Pairs of an image and itself, (B, 1, H, W), all of the first style; the guides are that image too."""
    style = torch.zeros(len(images), generator.styles, device=images.device)
    style[:, 0] = 1
    shots = generator.style.shots
    references = images.expand(-1, shots, -1, -1) if shots else None
    return GlyphBatch(images.expand(-1, generator.in_channels, -1, -1), images, style, [""] * len(images), references)


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that tensors made in ``run`` take at once, beside those that were there before.

    On CUDA as the allocator counts; elsewhere by watching every operation's results come and go.
    """
    if device.type == "cuda":
        return allocated_peak(run, device)
    with LiveBytes() as live:
        run()
    return live.peak


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operations make while they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                # A view or an in-place result has the storage of what was given.
                if id(storage) not in given and storage not in self._seen:
                    self._seen.add(storage)
                    self._count(storage.nbytes())
                    weakref.finalize(storage, self._count, -storage.nbytes())
        return result

    def _count(self, nbytes: int) -> None:
        self.now += nbytes
        self.peak = max(self.peak, self.now)
