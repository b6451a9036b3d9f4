"""How much memory a training step takes, and the largest batch that fits."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fontgan.data.batches import GlyphBatch
from fontgan.errors import RunError
from fontgan.runtime.distributed import processes_here
from fontgan.training.step import TrainStep

# Of what is free; the rest is for what no count sees: workspaces of the convolutions, fragmentation, other programs.
SHARE_CPU, SHARE_CUDA = 0.7, 0.9
# Batch sizes measured: batch norm needs more than one value; the second two tell what a pair takes among many, where
# the weights no longer decide when the peak is.
FIRST, SECOND = (2, 4), (8, 16)
CGROUP = Path("/sys/fs/cgroup")


def largest_batch(step: TrainStep, size: int, device: torch.device, *, most: int) -> int:
    """The largest batch whose training step fits into the memory that is free now.

    Two small batches are measured; what a step takes grows linearly with the batch, so no attempt has to fail.

    Args:
        step: is moved by the measurement, so give one that is thrown away.
        size: of the images, pixels.
        most: never more than this.
    Returns: at least 1, a multiple of 8 from 8 on, as tensor cores like it.
    Raises: RunError if not even one pair fits.
    """
    share = SHARE_CUDA if device.type == "cuda" else SHARE_CPU
    probe(step, FIRST[0], size, device)  # gradients and the optimisers' state, which stay, are made in the first step
    free = available_bytes(device)
    fixed, of_a_pair = _line(step, FIRST, size, device)
    fitting = int((share * free - fixed) / of_a_pair)
    if min(fitting, most) >= 2 * SECOND[1]:
        fixed, of_a_pair = _line(step, SECOND, size, device)
        fitting = int((share * free - fixed) / of_a_pair)
    if fitting < 1:
        raise RunError(
            f"trainer.batch_size=auto: a step on one pair takes about {(fixed + of_a_pair) / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free. Lower generator.ngf or data.size, or use trainer.gradient_checkpointing=true."
        )
    fitting = min(fitting, most)
    return fitting // 8 * 8 if fitting >= 8 else fitting


def _line(step: TrainStep, batch_sizes: tuple[int, int], size: int, device: torch.device) -> tuple[float, float]:
    """Bytes that a step takes whatever the batch, and bytes a pair."""
    small, large = (peak_bytes(lambda n=n: probe(step, n, size, device), device) for n in batch_sizes)  # type: ignore[misc]
    of_a_pair = max(1.0, (large - small) / (batch_sizes[1] - batch_sizes[0]))
    return max(0.0, small - batch_sizes[0] * of_a_pair), of_a_pair


def probe(step: TrainStep, batch_size: int, size: int, device: torch.device) -> None:
    """One whole training step on noise, with every term of the objective at work."""
    generator = step.generator
    images = torch.rand(batch_size, 1, size, size, device=device).mul_(2).sub_(1)
    images = images.contiguous(memory_format=torch.channels_last)
    style = torch.zeros(batch_size, generator.styles, device=device)
    style[:, 0] = 1
    shots = generator.style.shots
    references = images.expand(-1, shots, -1, -1) if shots else None
    step([GlyphBatch(images, images, style, [""] * batch_size, references)], progress=1.0, step=0)


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that tensors made in ``run`` take at once, beside those that were there before.

    On CUDA as the allocator counts; elsewhere by watching every operation's results come and go.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with LiveBytes() as live:
        run()
    return live.peak


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operations make while they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
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


def available_bytes(device: torch.device) -> int:
    """Memory of the device that this process can have now; of a container (cgroup v2), what its limit leaves."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit = _number(CGROUP / "memory.max")
    used = _number(CGROUP / "memory.current")
    if limit is not None and used is not None:
        free = min(free, limit - used + _file_cache())
    return free // processes_here()


def _file_cache() -> int:
    """Bytes that count as used by the container and are given up when they are needed."""
    file = CGROUP / "memory.stat"
    fields = dict(line.split() for line in file.read_text().splitlines()) if file.is_file() else {}
    return int(fields.get("inactive_file", 0))


def _number(file: Path) -> int | None:
    """The number in a file of the kernel's, None where there is no such file or no limit ("max")."""
    text = file.read_text().strip() if file.is_file() else ""
    return int(text) if text.isdigit() else None
