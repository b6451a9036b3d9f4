"""Settings of the step that change how it is computed: batch_size=auto, profile, recomputing, compiling, too little memory."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from fontgan.training import memory
from fontgan.training.profiler import OPERATIONS, STEPS, WARM_UP
from fontgan.training.step import TrainStep
from tests.helpers import TINY, Here

MIB = 2**20


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = max((run / "checkpoints").glob("step-*"))
    return load_file(newest / "generator_training.safetensors")


@pytest.mark.slow
def test_batch_size_auto_takes_what_fits_writes_it_down_and_keeps_it(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr(memory, "available_bytes", lambda device: 40 * MIB)
    settings = ("train", *TINY, "trainer.batch_size=auto", f"out={run}")
    result = here(*settings, "trainer.stop_at=1")
    assert result.returncode == 0, result.stderr
    found = OmegaConf.load(run / "config.yaml").trainer.batch_size
    assert f"trainer.batch_size=auto: {found} pairs" in result.stderr
    assert found % 8 == 0
    assert found >= 8
    # With more memory a new run would take more; this one goes on with the batches it began with.
    monkeypatch.setattr(memory, "available_bytes", lambda device: 80 * MIB)
    result = here(*settings, "trainer.stop_at=2")
    assert result.returncode == 0, result.stderr
    assert OmegaConf.load(run / "config.yaml").trainer.batch_size == found
    other = here("train", *TINY, "trainer.batch_size=auto", f"out={tmp_path / 'other'}", "trainer.stop_at=1")
    assert other.returncode == 0, other.stderr
    assert OmegaConf.load(tmp_path / "other" / "config.yaml").trainer.batch_size > found


@pytest.mark.slow
def test_batch_size_auto_is_never_more_than_there_are_pairs(tmp_path: Path, here: Here) -> None:
    result = here("train", *TINY, "trainer.batch_size=auto", f"out={tmp_path / 'run'}", "trainer.stop_at=1")
    assert result.returncode == 0, result.stderr
    manifest = json.loads(max((tmp_path / "run" / "checkpoints").glob("step-*/run.json")).read_text())["data"]
    pairs = len(manifest["trained"]) * 3
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").trainer.batch_size == pairs // 8 * 8


@pytest.mark.slow
def test_batch_size_auto_trains_as_its_number_does(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: 40 * MIB)
    for size in ("auto", None):
        run = tmp_path / str(size)
        size = size or str(OmegaConf.load(tmp_path / "auto" / "config.yaml").trainer.batch_size)
        result = here("train", *TINY, f"trainer.batch_size={size}", f"out={run}", "trainer.stop_at=2")
        assert result.returncode == 0, result.stderr
    found, expected = weights(tmp_path / "auto"), weights(tmp_path / "None")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("value", ["many", "2.5", "true", "0"])
def test_other_batch_sizes_are_refused(value: str, refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("train", *TINY, f"trainer.batch_size={value}", f"out={tmp_path / 'run'}")
    assert "trainer.batch_size=" in line
    assert not (tmp_path / "run").exists()


def test_a_budget_of_operations_needs_a_known_batch(refused: Callable[..., str], tmp_path: Path) -> None:
    unlimited = [setting for setting in TINY if not setting.startswith("trainer.max_steps")]
    line = refused("train", *unlimited, "trainer.batch_size=auto", "sweep.budget=1TFLOP", f"out={tmp_path / 'run'}")
    assert "sweep.budget=1TFLOP" in line
    assert "trainer.batch_size=auto is none" in line


def test_too_little_memory_ends_in_one_line_that_says_what_fits(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TrainStep.__call__

    def fail(self: TrainStep, batches: list, progress: float, step_number: int = 0, **more: int) -> object:
        if len(batches[0].names) > 16:
            raise torch.OutOfMemoryError("out of memory")
        return step(self, batches, progress, more.get("step", step_number))

    monkeypatch.setattr(TrainStep, "__call__", fail)
    monkeypatch.setattr(memory, "available_bytes", lambda device: 12 * MIB)
    line = refused("train", *TINY, "trainer.batch_size=40", f"out={tmp_path / 'run'}")
    assert "trainer.batch_size=40: does not fit in the memory" in line
    fits, accumulate = map(int, re.findall(r"trainer\.batch_size=(\d+), with trainer\.accumulate=(\d+)", line)[0])
    assert 1 <= fits <= 16
    assert 40 <= fits * accumulate < 40 + fits
    assert "trainer.gradient_checkpointing=true" in line
    assert "in another out=" in line


@pytest.mark.slow
def test_profile_leaves_a_trace_and_a_table(tmp_path: Path, here: Here) -> None:
    run = tmp_path / "run"
    steps = WARM_UP + STEPS
    result = here("train", *TINY, "trainer.profile=true", f"trainer.max_steps={steps}", f"out={run}")
    assert result.returncode == 0, result.stderr
    trace = json.loads((run / "profile" / "trace.json").read_text())
    assert any("convolution" in str(event.get("name")) for event in trace["traceEvents"])
    table = (run / "profile" / "operations.txt").read_text().splitlines()
    assert len(table) == 1 + OPERATIONS
    shares = [float(line.split()[-3].rstrip("%")) for line in table[1:]]
    assert shares == sorted(shares, reverse=True)
    assert 20 < sum(shares) <= 100.1
    assert str(run / "profile" / "trace.json") in result.stderr
    assert sorted(p.name for p in (run / "profile").iterdir()) == ["operations.txt", "trace.json"]


@pytest.mark.parametrize("steps", [1, WARM_UP])
def test_a_run_too_short_to_profile_says_so(steps: int, tmp_path: Path, here: Here) -> None:
    result = here("train", *TINY, "trainer.profile=true", f"trainer.max_steps={steps}", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert "trainer.profile: the run ended before step" in result.stderr
    assert not (tmp_path / "run" / "profile").exists()


@pytest.mark.slow
def test_gradient_checkpointing_trains_the_same_weights(tmp_path: Path, here: Here) -> None:
    for on in ("true", "false"):
        result = here("train", *TINY, f"trainer.gradient_checkpointing={on}", f"out={tmp_path / on}")
        assert result.returncode == 0, result.stderr
    found, expected = weights(tmp_path / "true"), weights(tmp_path / "false")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles for the CPU with g++, which is not here")
def test_a_compiled_training_learns_what_an_eager_one_does(tmp_path: Path, here: Here) -> None:
    lean = ("discriminator=zi2zi", "discriminator.ndf=4", "loss=zi2zi", "generator.depth=3", "trainer.precision=fp32")
    even = "+optim.algorithm.eps=0.01"  # or Adam makes a whole step of the rounding in a gradient near 0
    for compiled in ("true", "false"):
        result = here("train", *TINY, *lean, even, f"trainer.compile={compiled}", f"out={tmp_path / compiled}")
        assert result.returncode == 0, result.stderr
    found, expected = weights(tmp_path / "true"), weights(tmp_path / "false")
    assert found.keys() == expected.keys()  # a compiled network's names are those of the network
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(found[name], expected[name]) for name in expected)  # it was another program indeed


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles for the CPU with g++, which is not here")
def test_what_makes_a_step_quick_changes_nothing_that_matters(tmp_path: Path, here: Here) -> None:
    """100 steps from one seed: held-out L1 of bf16, channels_last and compiled within 2 % of plain fp32."""
    settings = (
        *TINY, "data.charset=gb2312-1", "discriminator=none", "loss=ink", "generator.depth=3", "trainer.batch_size=8",
        "trainer.max_steps=100", "trainer.eval_every=100", "trainer.save_every=100",
    )  # fmt: skip
    plain = ("trainer.precision=fp32", "trainer.channels_last=false", "trainer.compile=false")
    quick = ("trainer.precision=bf16", "trainer.channels_last=true", "trainer.compile=true")
    found = {}
    for name, how in (("plain", (*plain, "optim.algorithm.fused=false")), ("quick", quick)):
        result = here("train", *settings, *how, f"out={tmp_path / name}")
        assert result.returncode == 0, result.stderr
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        found[name] = lines[-1]["styles"]
        assert lines[-1]["step"] == 100
    assert len(found["plain"]) == 3
    for style, scores in found["plain"].items():
        assert found["quick"][style]["l1"] == pytest.approx(scores["l1"], rel=0.02)
        assert found["quick"][style]["l1"] != scores["l1"]  # it was computed otherwise
