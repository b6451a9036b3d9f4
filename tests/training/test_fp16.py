"""Training in fp16: losses are scaled, and a step whose gradients overflow is skipped, to the bit and without alarm."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from fontgan import build as building
from fontgan import train as training
from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.data.batches import GlyphBatch
from fontgan.runtime.device import autocast
from fontgan.training import monitor as monitoring
from fontgan.training.checkpoint import find
from fontgan.training.loss_buffer import StepReport
from fontgan.training.monitor import Diverged, TrainingMonitor
from fontgan.training.step import TrainStep
from tests.helpers import TINY, Here, combinations, error_line, two_and_two_steps_are_four

CPU = torch.device("cpu")
FP16 = "trainer.precision=fp16"


def a_step(*overrides: str, precision: str = "fp16") -> tuple[TrainStep, GlyphBatch]:
    cfg = compose_config("train", [*TINY, *overrides])
    _, step, sampler = build_parts(cfg, CPU, precision)
    return step, sampler.batch(0)


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(network: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_each_network_has_a_scaler_in_fp16_alone() -> None:
    assert set(a_step()[0].scalers) == {"g", "d"}
    assert set(a_step("discriminator=none", "loss=ink")[0].scalers) == {"g"}
    assert not a_step(precision="fp32")[0].scalers
    assert not a_step(precision="bf16")[0].scalers


@pytest.mark.parametrize("clip", [1e-3, pytest.param(0.0, marks=pytest.mark.slow)])
def test_scaling_alone_changes_not_one_bit(clip: float) -> None:
    """A power of two is taken off again exactly, so clipping sees what it would see without."""
    settings = (f"trainer.grad_clip={clip}", "loss.r1.weight=1")
    plain, batch = a_step(*settings, precision="fp32")
    scaled, _ = a_step(*settings, precision="fp32")
    scaled.scalers = {name: GradScaler("cpu", init_scale=2.0**10) for name in ("g", "d")}
    for place in range(2):
        ours, theirs = (step([batch], 0.6, place) for step in (scaled, plain))
        assert {name: float(value) for name, value in ours.items()} == {n: float(v) for n, v in theirs.items()}
        assert scaled.gradients == plain.gradients
    for name in ("generator", "discriminator", "generator_ema"):
        assert same(getattr(scaled, name), getattr(plain, name).state_dict()), name


@pytest.mark.parametrize(("overflowing", "fused"), combinations(["g", "d"], [True, False]))
def test_a_step_that_overflows_moves_nothing_of_its_network(overflowing: str, fused: bool) -> None:
    step, batch = a_step(f"++optim.algorithm.fused={str(fused).lower()}")
    step([batch], 0.6, 0)  # so that optimisers have a state
    step.scalers[overflowing].load_state_dict(step.scalers[overflowing].state_dict() | {"scale": 2.0**100})
    networks = {"g": step.generator, "d": step.discriminator}
    before = {name: {n: p.clone() for n, p in network.named_parameters()} for name, network in networks.items()}
    average = weights_of(step.generator_ema)
    optimisers = {"g": step.optimiser_g, "d": step.optimiser_d}
    states = copy.deepcopy({name: optimiser.state_dict()["state"] for name, optimiser in optimisers.items()})
    report = step([batch], 0.6, 1)
    assert all(value.isfinite() for value in report.values())
    for name, network in networks.items():
        skipped = name == overflowing
        moved = [not torch.equal(p, before[name][n]) for n, p in network.named_parameters()]
        assert any(moved) != skipped
        assert bool(step.gradients[name].isfinite()) != skipped
        assert step.scalers[name].get_scale() == (2.0**99 if skipped else 2.0**16)
        for number, state in optimisers[name].state_dict()["state"].items():
            for key, value in state.items():
                assert torch.equal(value, states[name][number][key]) or not skipped, (name, key)
    assert same(step.generator_ema, average) == (overflowing == "g")


def test_the_average_moves_as_in_other_precisions() -> None:
    step, batch = a_step()
    before, old = weights_of(step.generator_ema), weights_of(step.generator)
    step([batch], 0.6, 0)
    decay = min(step.ema_decay, 1 / 10)
    for name, ours in step.generator_ema.state_dict().items():
        new = step.generator.state_dict()[name]
        expected = before[name].lerp(new, 1 - decay) if name in dict(step.generator.named_parameters()) else new
        torch.testing.assert_close(ours, expected)
    assert not same(step.generator, old)


def test_networks_compute_in_fp16_and_r1_outside_of_it() -> None:
    step, batch = a_step("loss.r1.weight=1")
    seen: list[tuple[bool, bool, torch.dtype]] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        penalised = inputs[1].requires_grad and not inputs[1].is_leaf and len(inputs[1]) == len(batch.target)
        seen.append((penalised, torch.is_autocast_enabled("cpu"), output.features[0].dtype))

    step.discriminator.register_forward_hook(note)
    with torch.no_grad():
        logits = step.generator(batch.inputs, batch.style)
    assert logits.dtype == torch.float32
    report = step([batch], 0.6, 0)
    assert (False, True, torch.float16) in seen  # true and drawn glyphs together
    assert (True, False, torch.float32) in seen  # R1
    twin, _ = a_step("loss.r1.weight=1", precision="fp32")
    torch.testing.assert_close(report["d_r1"], twin([batch], 0.6, 0)["d_r1"], rtol=1e-3, atol=0)


def test_a_skipped_step_is_no_divergence_until_they_do_not_end() -> None:
    infinite = {"g": float("inf"), "d": 1.0}
    assert StepReport(1, {"l1": 0.5}, [], infinite, scaled=True).is_finite
    assert StepReport(1, {"l1": 0.5}, [], infinite, scaled=True).moved == {"d": 1.0}
    assert not StepReport(1, {"l1": 0.5}, [], infinite).is_finite
    assert not StepReport(1, {"l1": float("nan")}, [], {"g": 1.0}, scaled=True).is_finite  # no scale cures a loss

    watching = TrainingMonitor(a_step()[0].objective)
    for turn in range(3):
        for step in range(1, monitoring.OVERFLOWED_STEPS):
            watching.look_at_overflows(step, {"g": True, "d": False})
            assert not watching.in_doubt
        watching.look_at_overflows(turn, {"g": False, "d": False})
    assert not watching.state.lasting
    for step in range(101, 120):
        watching.look_at_overflows(step, {"d": True})
    with pytest.raises(Diverged, match=r"step 120: the discriminator's gradient has overflowed fp16 for 20 steps"):
        watching.look_at_overflows(120, {"d": True})


def scales_from(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "GradScaler", partial(GradScaler, init_scale=scale, growth_interval=2))


def test_a_run_whose_first_steps_overflow_ends_well_and_resumes_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales_from(2.0**40, monkeypatch)
    two_and_two_steps_are_four(["train", *TINY, FP16, "trainer.log_every=1"], tmp_path)
    saved = find(tmp_path / "four", "last").training_state()["scalers"]
    assert set(saved) == {"g", "d"}
    assert saved["g"]["scale"] == 2.0**36  # four steps, all skipped
    assert saved["g"]["_growth_tracker"] == 0


def test_what_overflows_without_end_has_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
    scales_from(2.0**120, monkeypatch)
    monkeypatch.setattr(monitoring, "OVERFLOWED_STEPS", 3)
    line = error_line(here("train", *TINY, FP16, f"out={tmp_path / 'run'}"))
    assert "step 3: the generator's gradient has overflowed fp16 for 3 steps, whatever its scale" in line
    assert "trainer.precision=fp32" in line


@pytest.mark.slow
def test_a_run_begun_in_another_precision_goes_on_in_fp16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here
) -> None:
    """As auto does on another card, and with checkpoints from before there were scalers."""
    command = ["train", *TINY, f"out={tmp_path / 'run'}"]
    assert here(*command, "trainer.stop_at=2").returncode == 0
    assert "scalers" not in find(tmp_path / "run", "last").training_state()
    monkeypatch.setattr(training, "pick_precision", lambda name, device: "fp16")
    assert here(*command).returncode == 0
    assert set(find(tmp_path / "run", "last").training_state()["scalers"]) == {"g", "d"}


def test_a_run_draws_in_fp16_what_it_draws_in_fp32() -> None:
    step, batch = a_step(precision="fp32")
    generator = step.generator.eval()
    with torch.no_grad():
        true = generator(batch.inputs, batch.style)
        with autocast(CPU, "fp16")():
            half = generator(batch.inputs, batch.style)
    torch.testing.assert_close(half.float(), true, rtol=0.05, atol=0.02)
