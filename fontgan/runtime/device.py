"""Where and in what precision networks compute."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

from fontgan.errors import ConfigError, RunError
from fontgan.runtime.cards import cards, gains_by_fp16, has_bf16, usable_cards, why_unusable
from fontgan.runtime.device_name import parse_device
from fontgan.runtime.distributed import asked_processes, local_rank

log = logging.getLogger(__name__)

DTYPES = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}  # of convolutions and matrix products; fp32 has none of its own
# What torch, cuDNN and cuBLAS say of memory that is full where the error has no type that says so: the CPU's allocator,
# that of MPS, the driver, and libraries that find no room for themselves.
_FULL = (
    "DefaultCPUAllocator", "MPS backend out of memory", "CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "CUBLAS_STATUS_ALLOC_FAILED",
    "nable to find an engine to execute this computation",
)  # fmt: skip


def pick_device(name: str) -> torch.device:
    """The device of that name: auto, cpu, cuda, cuda:N or mps.  A CUDA device is this process's current one from now on.

    auto takes a CUDA device, else Apple's GPU, else the CPU.  Without a number the first CUDA device that torch has
    kernels for is taken; of several processes on one machine each takes one of its own.

    Raises: ConfigError for an unknown name, or a device that is not there, or that torch cannot use, or fewer than processes.
    """
    kind, number = parse_device(name)
    if kind == "cpu":
        return torch.device("cpu")
    if kind == "mps":
        return _pick_mps(name)
    there, usable = cards(), usable_cards()
    if kind == "auto" and not usable:
        if there:
            _tell_once("%s, so the CPU computes. %s to use it.", *why_unusable(there[0]))
        alone = asked_processes() == 1
        return torch.device("mps" if alone and not there and torch.backends.mps.is_available() else "cpu")
    if not there:
        raise ConfigError(f"device={name}: torch finds no CUDA device here. Use device=auto or device=cpu.")
    if number is not None:
        _check_number(name, number, len(there))
    elif asked_processes() > 1:
        number = _number_of_process(name, len(there))
    else:
        number = usable[0] if usable else there[0]
    if number not in usable:
        wrong, remedy = why_unusable(number)
        raise ConfigError(f"device={name}: {wrong}. {remedy}, or use device=cpu.")
    torch.cuda.set_device(number)  # memory is pinned, and events are recorded, through the current one
    return torch.device("cuda", number)


def _number_of_process(name: str, there: int) -> int:
    """The device of this one of several processes. Raises: ConfigError if there are fewer devices."""
    number = local_rank()
    if number >= there:
        raise ConfigError(
            f"device={name}: process {number} of this machine finds {there} CUDA devices here, and each needs its own. "
            f"Start torchrun with --nproc-per-node={there}."
        )
    return number


def _check_number(name: str, number: int, there: int) -> None:
    if number >= there:
        known = "cuda:0" if there == 1 else f"cuda:0 to cuda:{there - 1}"
        raise ConfigError(f"device={name}: torch finds {known} here. Use one of them, or device=cpu.")
    if asked_processes() > 1 and number != local_rank():
        raise ConfigError(f"device={name}: each process of torchrun takes a CUDA device of its own. Use device=cuda.")


def _pick_mps(name: str) -> torch.device:
    if not torch.backends.mps.is_available():
        why = "needs a newer macOS" if torch.backends.mps.is_built() else "is for Macs with Apple silicon"
        raise ConfigError(f"device={name}: torch finds no such GPU here; it {why}. Use device=auto or device=cpu.")
    if asked_processes() > 1:
        raise ConfigError(f"device={name}: several processes cannot train on it. Start without torchrun.")
    return torch.device("mps")


@cache
def _tell_once(message: str, *parts: str) -> None:
    log.warning(message, *parts)


def pick_precision(name: str, device: torch.device) -> str:
    """bf16, fp16 or fp32.

    auto is bf16 where the hardware computes in it, else fp16 on a GPU that is quicker by it, else fp32.

    Raises: ConfigError for an unknown name, or for bf16 on a GPU that has none.
    """
    if name not in ("auto", "bf16", "fp16", "fp32"):
        raise ConfigError(f"precision={name}: choose one of auto, bf16, fp16, fp32.")
    if name == "bf16" and device.type != "cpu" and not _has_bf16(device):
        raise ConfigError(
            f"precision=bf16: {device_name(device)} does not compute in it. Use precision=auto, fp16 or fp32."
        )
    if name != "auto":
        return name
    if _has_bf16(device):
        return "bf16"
    return "fp16" if device.type == "mps" or (device.type == "cuda" and gains_by_fp16(device)) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return has_bf16(device)
    if device.type == "mps":
        return _computes_in_bf16(device)
    if not hasattr(torch.cpu, "get_capabilities"):  # older torch cannot tell; full precision is always right
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve_bf16"))


def _computes_in_bf16(device: torch.device) -> bool:
    """Whether a product in bf16 works: of Apple's GPUs torch has no list, and it depends on the macOS too."""
    try:
        one = torch.ones(2, 2, dtype=torch.bfloat16, device=device)
        return bool((one @ one).sum() == 8)
    except (RuntimeError, TypeError):
        return False


def autocast(device: torch.device, precision: str) -> Callable[[], torch.autocast]:
    """A maker of the context in which a network computes."""
    dtype = DTYPES.get(precision, torch.bfloat16)
    return lambda: torch.autocast(device.type, dtype=dtype, enabled=precision in DTYPES)


def device_name(device: torch.device) -> str:
    """As its maker calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return str(getattr(torch.backends.mps, "get_name", lambda: "Apple GPU")())
    return f"CPU, {torch.get_num_threads()} threads"


def describe(device: torch.device, precision: str) -> str:
    return f"{device_name(device)}, {precision}"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, or of a library that it calls, says that memory is full."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _FULL)


@contextmanager
def memory_error(message: str) -> Iterator[None]:
    """Raises: RunError with this message, in place of what torch says of memory that is full."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise RunError(message) from error
