"""Gradient checkpointing, what a step's memory is counted to be, and the batch that fits."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.errors import RunError
from fontgan.models.grad_checkpointing import checkpointed
from fontgan.runtime import memory as runtime_memory
from fontgan.runtime.memory import available_bytes
from fontgan.training import memory
from fontgan.training.memory import LiveBytes, largest_batch, peak_bytes, probe
from fontgan.training.step import TrainStep
from tests.helpers import TINY

CPU = torch.device("cpu")
MIB = 2**20


def a_step(*overrides: str) -> TrainStep:
    cfg = compose_config("train", [*TINY, "trainer.precision=fp32", *overrides])
    return build_parts(cfg, CPU, "fp32")[1]


def test_live_bytes_count_what_is_alive_at_once_and_no_views() -> None:
    with LiveBytes() as live:
        a = torch.ones(MIB)  # 4 MiB
        b = a + 1  # 8 MiB
        c = b.view(-1, 2)[0].add_(1)  # a view, changed in place
        del b, c  # back to 4
        d = a * 2
        assert live.now == 8 * MIB
        del a, d
        assert live.now == 0
    assert live.peak == 8 * MIB


def test_live_bytes_see_what_autograd_keeps() -> None:
    x = torch.ones(MIB, requires_grad=True)
    with LiveBytes() as live:
        y = x.exp().exp().exp()  # each result is kept for the way back
        assert live.now == 12 * MIB
        y.sum().backward()
        del y
        assert live.now == 4 * MIB  # the gradient of x
        x.grad = None
    assert live.now == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("experiment=scratch",),
        ("experiment=zi2zi_classic", "generator.depth=6", "data.size=64"),  # batch norm, dropout, constancy, a judge
        ("generator/up=subpixel_resskip", "generator/style=film_all", "generator.attention_levels=[3]"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_recomputing_gives_the_same_weights_for_less_memory(overrides: tuple[str, ...]) -> None:
    found = []
    for recompute in (False, True):
        step = a_step(*overrides, "generator.depth=4")
        if recompute:
            step.generator.set_grad_checkpointing()
        torch.manual_seed(5)
        probe(step, 4, 64, CPU)
        torch.manual_seed(6)
        peak = peak_bytes(lambda step=step: probe(step, 32, 64, CPU), CPU)
        found.append((step.generator.state_dict(), peak))
    (plain, plain_peak), (again, again_peak) = found
    assert plain.keys() == again.keys()
    for name, tensor in plain.items():  # running statistics and their counts among them
        assert torch.equal(tensor, again[name]), name
    assert again_peak < plain_peak


@pytest.mark.slow
@pytest.mark.parametrize("synchronised", [False, True])
def test_recomputing_repeats_dropout_and_leaves_batch_norms_statistics_alone(synchronised: bool) -> None:
    torch.manual_seed(0)
    part: nn.Sequential = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    if synchronised:
        part = nn.SyncBatchNorm.convert_sync_batchnorm(part)
    twin = copy.deepcopy(part)
    x = torch.randn(3, 2, 8, 8, requires_grad=True)
    x2 = x.detach().clone().requires_grad_()
    torch.manual_seed(1)
    part(x).square().sum().backward()
    torch.manual_seed(1)
    checkpointed(twin, x2).square().sum().backward()
    assert torch.equal(x.grad, x2.grad)  # type: ignore[arg-type]
    for (name, ours), theirs in zip(part.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    assert int(twin[1].num_batches_tracked) == 1  # type: ignore[arg-type]
    assert twin[1].momentum == part[1].momentum


@pytest.mark.slow
def test_the_largest_batch_takes_what_is_free_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    step = a_step()
    monkeypatch.setattr(memory, "available_bytes", lambda device: 200 * MIB)
    fits = largest_batch(step, 64, CPU, most=100_000)
    assert fits >= 16
    assert fits % 8 == 0
    # What is free is asked for when gradients and the optimisers' state are there already.
    limit = memory.SHARE_CPU * 200 * MIB
    assert peak_bytes(lambda: probe(step, fits, 64, CPU), CPU) <= limit * 1.02  # what was extrapolated holds
    assert peak_bytes(lambda: probe(step, fits + 16, 64, CPU), CPU) > limit
    assert largest_batch(step, 64, CPU, most=5) == 5


def test_not_even_one_pair_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: MIB // 4)
    with pytest.raises(RunError, match=r"trainer\.batch_size=auto: a step on one pair takes about .* GiB"):
        largest_batch(a_step(), 64, CPU, most=8)


def test_a_containers_limit_counts(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_memory, "CGROUP", tmp_path)
    free = available_bytes(CPU)
    assert free > 64 * MIB
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_bytes(CPU) > free / 2
    (tmp_path / "memory.max").write_text(f"{10 * MIB}\n")
    assert available_bytes(CPU) == 10 * MIB - 1000
    (tmp_path / "memory.stat").write_text("anon 600\ninactive_file 400\n")
    assert available_bytes(CPU) == 10 * MIB - 600
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert available_bytes(CPU) == 5 * MIB - 300


@pytest.mark.parametrize("precision", [pytest.param("fp32", marks=pytest.mark.slow), "bf16"])
def test_a_step_of_fake_tensors_counts_as_a_real_one(precision: str) -> None:
    """What scripts/card_costs.py goes by: nothing is computed, and the same bytes live at once."""
    step = build_parts(compose_config("train", [*TINY]), CPU, precision)[1]
    run = partial(probe, step, 8, 64, CPU)
    run()
    real = peak_bytes(run, CPU)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert peak_bytes(run, CPU) == pytest.approx(real, rel=1e-3)
