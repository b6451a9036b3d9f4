"""Where a pack's pixels are while it is trained on: on the device if they fit there, else read as they are asked for.

A store works in two steps. ``load_host`` takes rows (N,) int64, -1 for an empty page, does what the host has to do
and may run in a thread, ahead of time; ``to_device`` makes of its result (N, H, W) uint8 on the device and is called by the training loop.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from fontgan.data.glyphs import PAPER
from fontgan.data.pack import Pack
from fontgan.data.pack_shards import PixelRows
from fontgan.runtime.accelerator import copies_from_pinned, to_device
from fontgan.runtime.memory import available_bytes

log = logging.getLogger(__name__)

RESIDENT_SHARE = 0.5  # of the free device memory that a pack may take; the rest is for activations
AHEAD = 3  # batches that are prepared while the device computes
_LOAD_ROWS = 4096  # read at once on the way to the device

Thing = TypeVar("Thing")


@dataclass
class StreamedPixels:
    """Read from the pack's files into host memory, which CUDA devices copy from without waiting."""

    pixels: PixelRows
    device: torch.device
    ahead: int = 0  # batches to fetch before they are asked for, in a thread; 0: none, and no thread

    def load_host(self, rows: np.ndarray) -> Tensor:
        pinned = copies_from_pinned(self.device)
        # Torch keeps pinned memory for the next batch, and gives it out again only when its copy has ended.
        found = torch.empty((len(rows), *self.pixels.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        self.pixels.read_into(rows, found.numpy())
        return found

    def to_device(self, fetched: Tensor) -> Tensor:
        return to_device(fetched, self.device)


class ResidentPixels:
    """The whole pack as one tensor on the device, gathered there."""

    def __init__(self, pixels: PixelRows, device: torch.device, *, ahead: int = 0):
        self.device = device
        self.ahead = ahead
        # One more, empty, which -1 stands for.
        shape = (len(pixels) + 1, *pixels.shape[1:])
        self.pixels = torch.full(shape, PAPER, dtype=torch.uint8, device=device)
        for first in range(0, len(pixels), _LOAD_ROWS):
            read = torch.from_numpy(pixels[first : first + _LOAD_ROWS])
            self.pixels[first : first + len(read)] = read

    def load_host(self, rows: np.ndarray) -> Tensor:
        return on_host(torch.from_numpy(rows % len(self.pixels)), self.device)

    def to_device(self, fetched: Tensor) -> Tensor:
        return self.pixels.index_select(0, to_device(fetched, self.device))


PixelStore = StreamedPixels | ResidentPixels


def on_host(tensor: Tensor, device: torch.device) -> Tensor:
    """Puts a tensor where a copy to the device need not wait."""
    return tensor.pin_memory() if copies_from_pinned(device) else tensor


def choose_store(pack: Pack, device: torch.device) -> PixelStore:
    """Resident on a GPU whose free memory it takes at most half of; else streamed, for a GPU by a thread."""
    size = f"{len(pack.pixels):,} glyphs, {pack.pixels.nbytes / 2**30:.2f} GiB"
    if device.type == "cpu":
        log.info("the pack (%s) is read from its files as batches need it", size)
        return StreamedPixels(pack.pixels, device)
    free = available_bytes(device)
    if pack.pixels.nbytes <= RESIDENT_SHARE * free:
        log.info("the pack (%s) is kept on %s, which has %.2f GiB free", size, device, free / 2**30)
        return ResidentPixels(pack.pixels, device, ahead=AHEAD)
    told = "the pack (%s) is read by a thread, %d batches ahead: %s has %.2f GiB free"
    log.info(told, size, AHEAD, device, free / 2**30)
    return StreamedPixels(pack.pixels, device, ahead=AHEAD)


class Prefetch(Generic[Thing]):
    """Makes number ``i + 1``, ... in a thread while number ``i`` is used; what was made for another order goes."""

    def __init__(self, make: Callable[[int], Thing], *, ahead: int):
        self.make = make
        self.ahead = ahead
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch") if ahead else None
        self._coming: dict[int, Future[Thing]] = {}

    def get(self, index: int) -> Thing:  # raises what ``make`` raised
        if self._thread is None:
            return self.make(index)
        wanted = range(index, index + self.ahead + 1)
        for stale in self._coming.keys() - set(wanted):
            self._coming.pop(stale).cancel()
        for number in wanted:
            if number not in self._coming:
                self._coming[number] = self._thread.submit(self.make, number)
        return self._coming.pop(index).result()

    def close(self) -> None:
        """Ends the thread; what is asked for afterwards is made at once."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
        self._thread = None
        self._coming.clear()
