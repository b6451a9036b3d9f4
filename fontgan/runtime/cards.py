"""The CUDA devices of this machine: which of them the installed torch can use, and what they compute in."""

import re

import torch

# The last torch whose wheels hold kernels for Maxwell, Pascal and Volta, in the build for CUDA 12.6 alone; CUDA 13
# begins with Turing.  https://github.com/pytorch/pytorch/issues/190385
LAST_FOR_OLD, OLDEST_OF_IT, OLDEST_OF_CUDA_13 = "2.14", (5, 0), (7, 5)
HAS_BF16, HAS_TENSOR_CORES = (8, 0), (7, 0)  # capabilities: Ampere, Volta
_ARCH = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


def cards() -> range:
    """The numbers of the CUDA devices that torch finds."""
    return range(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def usable_cards() -> list[int]:
    """The numbers of those that the installed torch has kernels for."""
    return [number for number in cards() if has_kernels(number)]


def has_kernels(number: int) -> bool:
    """Whether the installed torch has code for a card, or PTX that its driver can translate."""
    built_for = torch.cuda.get_arch_list()
    if torch.version.hip or not built_for:  # AMD's names tell no order; of a build without a list nothing is known
        return True
    return any(_runs_on(arch, torch.cuda.get_device_capability(number)) for arch in built_for)


def _runs_on(arch: str, capability: tuple[int, int]) -> bool:
    """Whether code built for ``sm_86`` runs on a card: of its generation, and no newer than the card."""
    match = _ARCH.fullmatch(arch)
    if match is None:
        return False
    built_for = int(match[2]), int(match[3])
    if match[4] == "a":  # of this very card alone
        return built_for == capability
    return built_for <= capability and (match[1] == "compute" or built_for[0] == capability[0])


def card_id(number: int) -> str:
    """What tells a card from others of its kind, also in other machines."""
    return str(torch.cuda.get_device_properties(number).uuid)


def why_unusable(number: int) -> tuple[str, str]:
    """Of a card that the installed torch has no kernels for: what is wrong, and the remedy."""
    capability = torch.cuda.get_device_capability(number)
    name = f"{torch.cuda.get_device_name(number)} (sm_{capability[0]}{capability[1]})"
    wrong = f"the installed torch {torch.__version__} has no kernels for {name}"
    if capability >= OLDEST_OF_CUDA_13:
        return wrong, "Install a newer torch"
    if capability >= OLDEST_OF_IT:
        return wrong, f"Install torch {LAST_FOR_OLD} or older in its build for CUDA 12.6"
    return wrong, "No torch that fontgan works with has any"


def has_bf16(device: torch.device) -> bool:
    """Whether a card computes in bf16 itself; torch would emulate it elsewhere, slowly."""
    return bool(torch.version.hip) or torch.cuda.get_device_capability(device) >= HAS_BF16


def gains_by_fp16(device: torch.device) -> bool:
    """Whether a card has tensor cores for fp16; of Turing, the GTX 16 series has none."""
    has_cores = torch.cuda.get_device_capability(device) >= HAS_TENSOR_CORES
    return has_cores and "GTX 16" not in torch.cuda.get_device_name(device)
