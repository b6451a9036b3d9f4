"""What a device cannot compute is refused by the name of the part before a training starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from fontgan import build as building
from fontgan import train as training
from fontgan.build import build_parts, try_on
from fontgan.config.compose import compose_config
from fontgan.errors import ConfigError
from fontgan.generate import inference
from fontgan.models import resize
from fontgan.runtime.device import autocast
from fontgan.training.trial import refuse_what_cannot_run
from tests.helpers import TINY, Here, error_line

CPU, MPS = torch.device("cpu"), torch.device("mps")
BORDER = "MPS: Unsupported Border padding mode"
MISSING = (
    "The operator 'aten::{}' is not currently implemented for the MPS device. If you want this op to be considered for "
    "addition please comment on the tracker."
)


class NoWayBack(torch.autograd.Function):
    """Passes maps on, and fails on the way back as torch does where it lacks the operation."""

    operation = "grid_sampler_2d_backward"

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor) -> torch.Tensor:
        return maps.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError(MISSING.format(NoWayBack.operation))


def a_training(*overrides: str) -> Any:
    cfg = compose_config("train", [*TINY, *overrides])
    return build_parts(cfg, CPU, "fp32")[1:]


def refusal(step: Any, sampler: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        refuse_what_cannot_run(step, sampler, MPS)
    return str(caught.value)


def test_what_runs_is_not_refused() -> None:
    step, sampler = a_training()
    before = step.generator._forward_pre_hooks.copy()
    refuse_what_cannot_run(step, sampler, MPS)
    assert step.generator._forward_pre_hooks == before


def test_a_part_that_fails_on_the_way_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sampler = a_training("generator/up=gated_dysample_mbconv")
    real = F.grid_sample

    def refuse(x: Any, *args: Any, **kwargs: Any) -> Any:
        if x.shape[1] != 2:  # a pair that data.augment moves
            raise RuntimeError(BORDER)
        return real(x, *args, **kwargs)

    monkeypatch.setattr(resize.F, "grid_sample", refuse)
    line = refusal(step, sampler)
    assert line.startswith(
        f"trainer.device=mps: torch {torch.__version__} cannot compute DySampleResize there ({BORDER})"
    )
    assert line.endswith("Use another part in its place, a newer torch, or trainer.device=cpu.")


def test_a_part_that_fails_on_the_way_back_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sampler = a_training("generator/up=gated_dysample_mbconv")
    real = resize.DySampleResize.forward
    monkeypatch.setattr(resize.DySampleResize, "forward", lambda self, x: NoWayBack.apply(real(self, x)))
    line = refusal(step, sampler)
    assert "cannot compute DySampleResize there (The operator 'aten::grid_sampler_2d_backward'" in line


def test_what_is_no_part_of_a_network_is_told_by_its_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sampler = a_training()
    monkeypatch.setattr(torch, "_foreach_lerp_", lambda *_: (_ for _ in ()).throw(RuntimeError(MISSING.format("lerp"))))
    assert "cannot compute the losses, the optimiser or data.augment there (The operator 'aten::lerp'" in refusal(
        step, sampler
    )


def test_full_memory_is_no_lack_of_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sampler = a_training()
    full = torch.OutOfMemoryError("MPS backend out of memory")
    monkeypatch.setattr(torch, "_foreach_lerp_", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(torch.OutOfMemoryError):
        refuse_what_cannot_run(step, sampler, MPS)


def test_only_devices_that_lack_operations_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(building, "_throwaway", lambda cfg, device, pretrained: a_training())
    monkeypatch.setattr(building, "refuse_what_cannot_run", lambda step, sampler, device: tried.append(device))
    for device in (CPU, torch.device("cuda"), MPS):
        try_on(compose_config("train", list(TINY)), device, None)
    assert tried == [MPS]


def test_a_training_that_is_refused_leaves_nothing(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cfg: Any, device: Any, pretrained: Any) -> None:
        raise ConfigError("trainer.device=mps: torch cannot compute SomePart there.")

    monkeypatch.setattr(training, "try_on", refuse)
    assert "SomePart" in error_line(here("train", *TINY, f"out={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


def test_a_network_that_cannot_be_drawn_with_there_is_refused(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = inference.load(tiny_run, device="cpu", precision="fp32")
    inference._check_that_device_draws(run.generator, CPU, "fp16")

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError(BORDER)

    monkeypatch.setattr(inference, "draw_glyphs", refuse)
    with pytest.raises(ConfigError, match=rf"^device=cpu: torch .* cannot draw with this network there \({BORDER}\)"):
        inference._check_that_device_draws(run.generator, CPU, "fp16")
    assert autocast(CPU, "fp16")().fast_dtype == torch.float16
