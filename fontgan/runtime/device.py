"""Where and in what precision networks compute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from fontgan.errors import ConfigError, RunError
from fontgan.runtime.distributed import asked_processes, local_rank


def pick_device(name: str) -> torch.device:
    """The device of that name; of several processes on one machine each takes a CUDA device of its own.

    Raises: ConfigError for an unknown name, or cuda where there is none, or fewer than processes.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device={name}: choose one of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda: torch finds no CUDA device here. Use device=auto or device=cpu.")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if asked_processes() == 1:
        return torch.device("cuda")
    number, there = local_rank(), torch.cuda.device_count()
    if number >= there:
        raise ConfigError(
            f"device={name}: process {number} of this machine finds {there} CUDA devices here, and each needs its own. "
            f"Start torchrun with --nproc-per-node={there}."
        )
    return torch.device("cuda", number)


def pick_precision(name: str, device: torch.device) -> str:
    """bf16 or fp32; auto is bf16 where the hardware computes in it. Raises: ConfigError for an unknown name."""
    if name not in ("auto", "bf16", "fp32"):
        raise ConfigError(f"precision={name}: choose one of auto, bf16, fp32.")
    if name != "auto":
        return name
    return "bf16" if _has_bf16(device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not hasattr(torch.cpu, "get_capabilities"):  # older torch cannot tell; full precision is always right
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve_bf16"))


def autocast(device: torch.device, precision: str) -> Callable[[], torch.autocast]:
    """A maker of the context in which a network computes."""
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def describe(device: torch.device, precision: str) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, {precision}"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch says that memory is full; on a CPU it has no type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


@contextmanager
def memory_error(message: str) -> Iterator[None]:
    """Raises: RunError with this message, in place of what torch says of memory that is full."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise RunError(message) from error


def wait_for(device: torch.device) -> None:
    """Returns when the device has done all it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
