"""Devices and precisions by name: CUDA cards of several kinds and Apple's GPU, whose calls are replaced by stand-ins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fontgan.build import wants_compile
from fontgan.config.compose import compose_config
from fontgan.errors import ConfigError
from fontgan.generate import onnx_run
from fontgan.runtime import accelerator, device, memory
from fontgan.runtime.accelerator import restore_random_states, to_host, unused_bytes, wait_for
from fontgan.runtime.cards import _runs_on, usable_cards
from fontgan.runtime.device import describe, out_of_memory, pick_device, pick_precision
from fontgan.training.loss_buffer import LossBuffer, StepReport

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda:0"), torch.device("mps")
GIB = 2**30
Cards = Callable[..., None]
CARDS = {
    "H100": (9, 0), "RTX 3060": (8, 6), "RTX 2060": (7, 5), "GTX 1660": (7, 5), "V100": (7, 0), "GTX 1080": (6, 1),
    "K80": (3, 7), "RTX 9090": (13, 0),
}  # fmt: skip
CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]
CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Cards:
    """Makes torch find cards of those names, built for the architectures of a CUDA 13 unless others are given."""
    device._tell_once.cache_clear()
    chosen: list[int] = []

    def find(*names: str, built_for: Sequence[str] = CU130) -> list[int]:
        def number(of: Any) -> int:
            return of if isinstance(of, int) else torch.device(of).index or 0

        replaced: dict[str, Any] = {
            "is_available": lambda: bool(names),
            "device_count": lambda: len(names),
            "get_arch_list": lambda: list(built_for),
            "get_device_capability": lambda of: CARDS[names[number(of)]],
            "get_device_name": lambda of: f"NVIDIA {names[number(of)]}",
            "get_device_properties": lambda of: SimpleNamespace(uuid=f"GPU-{number(of)}"),
            "set_device": lambda of: chosen.append(number(of)),
        }
        for name, stand_in in replaced.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)
        return chosen

    return find


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Makes torch find an Apple GPU. Returns: what was asked of torch.mps, and what it answers of memory."""
    asked: dict[str, Any] = {"calls": [], "recommended": 10 * GIB, "allocated": 2 * GIB, "driver": 3 * GIB}
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M2", raising=False)
    replaced: dict[str, Any] = {
        "recommended_max_memory": lambda: asked["recommended"],
        "current_allocated_memory": lambda: asked["allocated"],
        "driver_allocated_memory": lambda: asked["driver"],
        "get_rng_state": lambda: torch.tensor([1, 2, 3], dtype=torch.uint8),
    }
    for name in ("synchronize", "empty_cache", "set_rng_state"):
        replaced[name] = lambda *given, name=name: asked["calls"].append((name, *given))
    for name, stand_in in replaced.items():
        monkeypatch.setattr(torch.mps, name, stand_in)
    return asked


# -- devices --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:-1", "cuda:x", "mps:1", "CUDA", "", "cpu:0", "cuda:99999"])
def test_other_names_are_refused_with_those_there_are(name: str, cards: Cards) -> None:
    cards("H100")
    with pytest.raises(ConfigError, match=r"choose one of auto, cpu, cuda, cuda:N .*, mps"):
        pick_device(name)


def test_cards_are_taken_by_number_and_become_the_current_one(cards: Cards) -> None:
    chosen = cards("H100", "RTX 3060", "GTX 1080")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("cuda") == pick_device("auto") == torch.device("cuda", 0)
    assert chosen == [1, 0, 0]
    assert pick_device("cpu") == CPU
    with pytest.raises(ConfigError, match=r"device=cuda:3: torch finds cuda:0 to cuda:2 here"):
        pick_device("cuda:3")
    cards("H100")
    with pytest.raises(ConfigError, match=r"device=cuda:1: torch finds cuda:0 here"):
        pick_device("cuda:1")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_what_is_not_there_is_refused(name: str, cards: Cards) -> None:
    cards()
    with pytest.raises(ConfigError, match=rf"^device={name}: torch finds no .* Use device=auto or device=cpu\.$"):
        pick_device(name)
    assert pick_device("auto") == CPU


def test_processes_of_torchrun_take_a_card_each(cards: Cards, mac: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cards("H100", "H100")
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in (0, 1):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert pick_device("auto") == pick_device("cuda") == pick_device(f"cuda:{rank}") == torch.device("cuda", rank)
        with pytest.raises(ConfigError, match=r"each process of torchrun takes a CUDA device of its own"):
            pick_device(f"cuda:{1 - rank}")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 of this machine finds 2 CUDA devices"):
        pick_device("cuda")
    with pytest.raises(ConfigError, match="device=mps: several processes cannot train on it"):
        pick_device("mps")
    cards()
    assert pick_device("auto") == CPU


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("GTX 1080", r"NVIDIA GTX 1080 \(sm_61\)\. Install torch 2\.14 or older in its build for CUDA 12\.6"),
        ("V100", r"NVIDIA V100 \(sm_70\)\. Install torch 2\.14 or older in its build for CUDA 12\.6"),
        ("K80", r"NVIDIA K80 \(sm_37\)\. No torch that fontgan works with has any"),
        ("RTX 9090", r"NVIDIA RTX 9090 \(sm_130\)\. Install a newer torch"),
    ],
)
def test_a_card_that_torch_has_no_kernels_for(
    name: str, remedy: str, cards: Cards, caplog: pytest.LogCaptureFixture
) -> None:
    """auto says so once and goes on without it, cuda is refused in one line."""
    cards(name, built_for=CU130[:-1])  # the last one is text that a newer card's driver could translate
    for asked in ("cuda", "cuda:0"):
        with pytest.raises(ConfigError, match=rf"^device={asked}: .* no kernels for {remedy}, or use device=cpu\.$"):
            pick_device(asked)
    with caplog.at_level(logging.WARNING, logger="fontgan"):
        assert pick_device("auto") == pick_device("auto") == CPU
    (line,) = [record.getMessage() for record in caplog.records]
    assert "so the CPU computes" in line
    assert "\n" not in line
    cards(name, "RTX 3060", built_for=CU130[:-1])
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda", 1)
    assert usable_cards() == [1]


def test_kernels_run_on_their_generation_and_ptx_on_newer_ones() -> None:
    assert [card for card, capability in CARDS.items() if any(_runs_on(arch, capability) for arch in CU130)] == [
        "H100", "RTX 3060", "RTX 2060", "GTX 1660", "RTX 9090"
    ]  # fmt: skip
    old = [card for card, capability in CARDS.items() if any(_runs_on(arch, capability) for arch in CU126)]
    assert {"V100", "GTX 1080"} < set(old)
    assert not _runs_on("sm_86", (8, 0))
    assert _runs_on("sm_80", (8, 9))
    assert _runs_on("sm_90a", (9, 0))
    assert not _runs_on("sm_100a", (10, 3))
    assert _runs_on("sm_100f", (10, 3))
    assert not _runs_on("gfx90a", (9, 0))


def test_exported_runs_know_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert onnx_run._providers("cpu") == [onnx_run.CPU]
    with pytest.raises(ConfigError, match="device=mps: exported runs are drawn on the CPU or on CUDA"):
        onnx_run._providers("mps")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [onnx_run.CUDA])
    assert onnx_run._providers("cuda:1")[0] == (onnx_run.CUDA, {"device_id": 1})
    assert onnx_run._providers("auto")[0] == (onnx_run.CUDA, {"device_id": 0})


# -- precisions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "precision"),
    [("H100", "bf16"), ("RTX 3060", "bf16"), ("RTX 2060", "fp16"), ("V100", "fp16"), ("GTX 1660", "fp32"), ("GTX 1080", "fp32")],
)  # fmt: skip
def test_auto_computes_in_what_the_card_is_made_for(name: str, precision: str, cards: Cards) -> None:
    cards(name, built_for=CU126)
    assert pick_precision("auto", CUDA) == precision
    assert pick_precision("fp16", CUDA) == "fp16"
    assert pick_precision("fp32", CUDA) == "fp32"
    if precision == "bf16":
        assert pick_precision("bf16", CUDA) == "bf16"
    else:
        with pytest.raises(ConfigError, match=rf"^precision=bf16: NVIDIA {name} does not compute in it\."):
            pick_precision("bf16", CUDA)


@pytest.mark.parametrize("has_bf16", [True, False])
def test_apples_gpu_computes_in_bf16_or_fp16(has_bf16: bool, mac: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_computes_in_bf16", lambda device: has_bf16)
    assert pick_device("mps") == pick_device("auto") == MPS
    assert pick_precision("auto", MPS) == ("bf16" if has_bf16 else "fp16")
    assert describe(MPS, "bf16") == "Apple M2, bf16"
    if not has_bf16:
        with pytest.raises(ConfigError, match="precision=bf16: Apple M2 does not compute in it"):
            pick_precision("bf16", MPS)


def test_whether_a_gpu_has_bf16_is_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device._computes_in_bf16(CPU)

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError("BFloat16 is not supported on MPS")

    monkeypatch.setattr(torch, "ones", refuse)
    assert not device._computes_in_bf16(CPU)


def test_a_cpu_computes_in_whatever_is_asked_for() -> None:
    for precision in ("bf16", "fp16", "fp32"):
        assert pick_precision(precision, CPU) == precision
    with pytest.raises(ConfigError, match="choose one of auto, bf16, fp16, fp32"):
        pick_precision("fp8", CPU)


# -- Apple's GPU, its calls replaced --------------------------------------------------------


def test_it_is_waited_for_and_emptied(mac: Any) -> None:
    wait_for(MPS)
    accelerator.empty_cache(MPS)
    assert mac["calls"] == [("synchronize",), ("empty_cache",)]


def test_its_random_state_is_kept_beside_that_of_the_host(mac: Any) -> None:
    states = accelerator.random_states(MPS)
    assert set(states) == {"cpu", "cuda", "mps"}
    restore_random_states(states, MPS)
    ((name, state),) = mac["calls"]
    assert name == "set_rng_state"
    assert state.tolist() == [1, 2, 3]
    assert set(accelerator.random_states(CPU)) == {"cpu", "cuda"}  # as earlier checkpoints have it
    restore_random_states({"cpu": torch.get_rng_state(), "cuda": None}, MPS)  # begun elsewhere
    restore_random_states(states, CPU)
    assert len(mac["calls"]) == 1


def test_its_memory_is_what_the_host_and_metal_have_left(mac: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unused_bytes(MPS, host=100 * GIB) == 8 * GIB  # of what Metal recommends
    assert unused_bytes(MPS, host=4 * GIB) == 5 * GIB  # of the host's, and what torch keeps
    mac["allocated"] = mac["driver"] = 12 * GIB
    assert unused_bytes(MPS, host=100 * GIB) == 0
    monkeypatch.setattr(memory, "_host_bytes", lambda: 0)
    assert memory.available_bytes(MPS) == 0


def test_nothing_is_pinned_for_it_and_nothing_copied_unseen(mac: Any) -> None:
    assert not accelerator.copies_from_pinned(MPS)
    assert accelerator.copies_from_pinned(CUDA)
    assert not accelerator.copies_from_pinned(CPU)


def test_it_is_not_compiled_for(mac: Any) -> None:
    cfg = compose_config("train", ["experiment=scratch"])
    assert not wants_compile(cfg, MPS)
    cfg.trainer.compile = True
    with pytest.raises(ConfigError, match=r"trainer\.compile=true: .*trainer\.device=mps"):
        wants_compile(cfg, MPS)


def test_losses_and_drawings_arrive_where_there_are_no_events() -> None:
    copied, event = to_host(torch.arange(3))
    assert event is None
    assert copied.tolist() == [0, 1, 2]
    buffer = LossBuffer()
    buffer.kept.append(StepReport(1, {"l1": torch.tensor(0.5)}, ["a:b"], {"g": torch.tensor(2.0)}))
    buffer.copy_async()
    assert [report.values for report in buffer.collect()] == [{"l1": 0.5}]


# -- memory that is full --------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.",
        "MPS backend out of memory (MPS allocated: 8.00 GiB, other allocations: 1 GiB, max allowed: 9.07 GiB).",
        "CUDA error: out of memory",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "Unable to find an engine to execute this computation",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_full_memory_is_known_by_everybodys_words(words: str) -> None:
    assert out_of_memory(RuntimeError(words))
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
