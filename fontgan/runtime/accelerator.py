"""What differs between CUDA, Apple's MPS and the CPU beside computing: waiting, copying, memory, random numbers.

Everything else in fontgan asks here, so that ``torch.cuda`` and ``torch.mps`` are named in few places.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def wait_for(device: torch.device) -> None:
    """Returns when the device has done all it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


# -- copies ---------------------------------------------------------------------------------


def copies_from_pinned(device: torch.device) -> bool:
    """Whether copies go on beside computing, from and into pinned host memory.

    Apple's GPU shares the host's memory: there is nothing to pin, and a copy that is not waited for may be read too soon.
    """
    return device.type == "cuda"


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; on CUDA the host does not wait for the copy."""
    return tensor.to(device, non_blocking=copies_from_pinned(device))


def to_host(tensor: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """The tensor on the host, and on CUDA the event to wait for before it is read."""
    if not copies_from_pinned(tensor.device):
        return tensor.cpu(), None
    copied = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(tensor.device))
    return copied, event


# -- memory ---------------------------------------------------------------------------------


def unused_bytes(device: torch.device, host: int) -> int:
    """Memory of a GPU that this process can still have, what torch keeps for later included.

    Args:
        host: what is free of the host's memory, which Apple's GPU shares.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    used, held = torch.mps.current_allocated_memory(), torch.mps.driver_allocated_memory()
    return max(0, min(torch.mps.recommended_max_memory() - used, host + held - used))


def allocated_peak(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that ``run`` allocates at once on a CUDA device, beside those that were there before."""
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def empty_cache(device: torch.device) -> None:
    """Gives back what torch keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


# -- random numbers -------------------------------------------------------------------------


def random_states(device: torch.device) -> dict[str, Any]:
    """Where the random numbers of the host and of the device stand."""
    states = {"cpu": torch.get_rng_state(), "cuda": None}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Goes back to ``random_states``; those of a kind of device that this one is not are left alone."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and states.get("mps") is not None:
        torch.mps.set_rng_state(states["mps"])
