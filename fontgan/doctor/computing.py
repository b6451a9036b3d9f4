"""Whether the packages can be imported, and what torch computes with here; asked in the child."""

import importlib
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fontgan.doctor.machine import amount
from fontgan.doctor.packages import modules
from fontgan.doctor.rows import Wrong, why

SECTION = "computing"
COMPILERS = ("cc", "gcc", "g++", "clang", "cl")


class Question(NamedTuple):
    section: str
    name: str
    ask: Callable[[], str]
    must_work: bool = False


def computing(*, device: str, precision: str, announce: Callable[[str, str], None], folder: str) -> Iterator[Question]:
    """Args: announce: is told of each package before it is imported."""
    broken: dict[str, str] = {}
    yield Question(SECTION, "imports", lambda: _imports(broken, announce), must_work=True)
    if "torch" in broken:
        return
    yield Question(SECTION, "torch", _torch)
    yield Question(SECTION, "CUDA", _cuda)
    yield Question(SECTION, "MPS", _mps)
    if broken:
        return
    yield Question(SECTION, f"device={device}", lambda: _taken(device, precision), must_work=True)
    yield Question(SECTION, "compiling", lambda: _compiling(device))


def _imports(broken: dict[str, str], announce: Callable[[str, str], None]) -> str:
    """Fills ``broken`` with modules that cannot be imported, and why. Raises: Wrong if there are any."""
    started, needed = time.monotonic(), modules()
    for module in needed:
        announce(SECTION, f"import {module}")
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001  # a broken package may raise anything
            broken[module] = why(error)
    if broken:
        reasons: dict[str, list[str]] = {}  # what one package broke is told once
        for module, reason in broken.items():
            reasons.setdefault(reason, []).append(module)
        raise Wrong("; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items()))
    import freetype

    library = ".".join(map(str, freetype.version()))
    return f"all {len(needed)} packages, in {time.monotonic() - started:.1f} s; FreeType {library}"


def _torch() -> str:
    import torch

    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    if hip := getattr(torch.version, "hip", None):
        built = f"ROCm {hip}"
    if torch.version.cuda and (cudnn := torch.backends.cudnn.version()):  # type: ignore[no-untyped-call]
        built += f", cuDNN {cudnn}"
    return f"{torch.__version__} (built with {built}), threads on the CPU: {torch.get_num_threads()}"


def _cuda() -> str:
    import torch

    with warnings.catch_warnings(record=True) as warned:  # torch says so why it cannot use a device that is there
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    driver = f"driver {found}" if (found := _driver()) else "no NVIDIA driver"
    if there:
        return "; ".join([driver, *map(_cuda_device, range(torch.cuda.device_count()))])
    told = [f"none: {driver}"]
    if found and not torch.version.cuda:
        told.append("this torch is built without CUDA: install one that is, see pytorch.org")
    return "; ".join([*told, *(why(Wrong(str(warning.message))) for warning in warned[:1])])


def _driver() -> str:
    """The version of NVIDIA's driver, empty if there is none."""
    if (tool := shutil.which("nvidia-smi")) is None:
        return ""
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip().partition("\n")[0] if asked.returncode == 0 else ""


def _cuda_device(number: int) -> str:
    import torch

    about = torch.cuda.get_device_properties(number)
    named = f"cuda:{number} {about.name}, compute capability {about.major}.{about.minor}"
    try:
        free, total = torch.cuda.mem_get_info(number)
        works = float((torch.ones(2, device=f"cuda:{number}") + 1).sum()) == 4
    except RuntimeError as error:  # such as no kernels for it in this torch, or another process holds it alone
        return f"{named}, cannot be used: {why(Wrong(str(error)))}"
    return f"{named}, {amount(free)} free of {amount(total)}, {'computes' if works else 'computes wrongly'}"


def _mps() -> str:
    import torch

    if torch.backends.mps.is_available():
        return "there"
    return "none" if torch.backends.mps.is_built() else "none: this torch is built without it"


def _taken(device: str, precision: str) -> str:
    import torch

    from fontgan.runtime.device import pick_device, pick_precision

    taken = pick_device(device)
    chosen = pick_precision(precision, taken)
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # of an older torch: none
    units = [name for name, there in known.items() if there is True and ("bf16" in name or "amx" in name)]
    why_so = f" (the CPU has {', '.join(units) or 'no unit for bf16'})" if taken.type == "cpu" else ""
    return f"computes on {taken} in {chosen}{why_so}"


def _compiling(device: str) -> str:
    from fontgan.build import wants_compile
    from fontgan.config.compose import compose_config
    from fontgan.runtime.device import pick_device

    taken = pick_device(device)
    found = [name for name in COMPILERS if shutil.which(name)]
    compilers = f"C compilers: {', '.join(found) or 'none'}"
    if wants_compile(compose_config("train", ["experiment=scratch"]), taken):
        return f"trainer.compile=auto does; {compilers}"
    reason = "a C compiler is lacking" if taken.type == "cuda" else "that is for CUDA"
    return f"trainer.compile=auto does not, as {reason}; {compilers}"
