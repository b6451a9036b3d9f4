"""Several processes train as one: the same weights, one writer, and going on after one of them was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build, build_objective
from fontgan.errors import ConfigError
from fontgan.runtime import distributed
from fontgan.training import checkpoint as checkpoints
from fontgan.training.loss_buffer import LossBuffer, StepReport
from fontgan.training.step import heads_without_loss
from tests.helpers import TINY, Here

# Nothing in it depends on how a batch is shared out: no batch norm, no dropout.  Adam divides by the size of a gradient,
# so where that is next to nothing rounding alone would decide; eps keeps it from doing so.
EVEN = (
    *TINY, "generator/norm=group", "trainer.precision=fp32", "+optim.algorithm.eps=0.01",
    "loss.adversarial.start=0", "loss.adversarial.weight=1", "loss.r1.weight=1", "loss.feature_matching.weight=1", "trainer.accumulate=2",
    "discriminator.head=category", "discriminator.ndf=4",
)  # fmt: skip


def torchrun(*arguments: str, restarts: int = 0) -> subprocess.Popen[str]:
    """Starts a command in two processes of this machine that train together."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--max-restarts={restarts}",
            "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "-m", "fontgan", *arguments,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """What it said; fails if it failed."""
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / f"step-{step:08d}"
    files = sorted(file for file in folder.glob("*.safetensors") if file.stem != "training")  # each process has its own
    return {f"{file.stem}/{key}": t for file in files for key, t in load_file(file).items()}


def largest_difference(one: Path, other: Path, step: int) -> float:
    first, second = weights(one, step), weights(other, step)
    assert first.keys() == second.keys()
    assert {key.partition("/")[0] for key in first} == {"generator", "generator_training", "discriminator"}
    return max(float((first[key] - second[key]).abs().max()) for key in first)


def held_out(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "code", "stream", "says"),
    [(["--version"], 0, "stdout", "fontgan "), (["fly"], 2, "stderr", "no such command")],
)
def test_a_process_that_ends_at_once_has_said_all_and_gives_its_code(
    arguments: list[str], code: int, stream: str, says: str
) -> None:
    command, group = [sys.executable, "-m", "fontgan", *arguments], {**os.environ, "WORLD_SIZE": "2"}
    result = subprocess.run(command, env=group, capture_output=True, text=True)
    assert result.returncode == code
    assert says in getattr(result, stream)


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_one_of_them_writes(tmp_path: Path, here: Here) -> None:
    two = torchrun("train", *EVEN, f"out={tmp_path / 'two'}")
    assert here("train", *EVEN, f"out={tmp_path / 'one'}").returncode == 0
    said = finish(two)
    assert "2 processes, 2 pairs of a batch each" in said
    # In single precision a sum of parts is not the sum of the whole to the last bit.  What four steps learned is larger.
    assert largest_difference(tmp_path / "one", tmp_path / "two", 4) < 1e-5
    assert here("train", *EVEN, "trainer.max_steps=5", f"out={tmp_path / 'one'}").returncode == 0
    before, after = weights(tmp_path / "two", 4), weights(tmp_path / "one", 5)
    assert max(float((before[key] - after[key]).abs().max()) for key in before) > 1e-4

    # The held-out glyphs were shared out too, and none was counted twice or left out.
    one, of_two = held_out(tmp_path / "one")[:4], held_out(tmp_path / "two")
    assert [line["kind"] for line in of_two] == [line["kind"] for line in one]
    for line, other in zip(one, of_two, strict=True):
        for style, scores in line["styles"].items():  # type: ignore[attr-defined]
            assert other["styles"][style] == pytest.approx(scores, abs=1e-5)  # type: ignore[index]

    # One writer: each line once, on the screen and in the file, and one log for TensorBoard.
    for text in (said, (tmp_path / "two" / "train.log").read_text()):
        for words in ("finished at step 4", "baseline copy source", "step 4, held-out"):
            assert text.count(words) == 1, text
    assert len(list((tmp_path / "two" / "tensorboard").glob("events*"))) == 1
    assert len(checkpoints.find(tmp_path / "two", "last").training_state()["random"]) == 2


def worker_of(torchrun_pid: int, rank: int) -> int | None:
    """The process that torchrun started as that rank."""
    for child in Path(f"/proc/{torchrun_pid}/task/{torchrun_pid}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    return None


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_the_run_goes_on_from_its_checkpoint(tmp_path: Path, here: Here) -> None:
    longer = (*EVEN, "trainer.max_steps=40", "trainer.save_every=5", "trainer.eval_every=40", "trainer.accumulate=1")
    process = torchrun("train", *longer, f"out={tmp_path / 'two'}", restarts=1)
    deadline = time.monotonic() + 90
    while not (tmp_path / "two" / "checkpoints" / "step-00000005").is_dir() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    worker = worker_of(process.pid, 1)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    said = finish(process)
    assert "process 0 of 2: another process died" in said
    logged = (tmp_path / "two" / "train.log").read_text()
    assert logged.count("goes on from step ") == 1
    assert "finished at step 40" in logged
    assert here("train", *longer, f"out={tmp_path / 'one'}").returncode == 0
    assert largest_difference(tmp_path / "one", tmp_path / "two", 40) < 1e-3


@pytest.mark.slow
def test_an_error_is_said_once(tmp_path: Path) -> None:
    process = torchrun("train", *TINY, "trainer.batch_size=5", f"out={tmp_path / 'run'}")
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    errors = [line for line in said.splitlines() if "fontgan train: error: " in line]
    assert len(errors) == 1, said
    assert "trainer.batch_size=5: cannot be shared out evenly among 2 processes. Use 4 or 6." in errors[0]
    assert not (tmp_path / "run").exists()


# -- the parts, in this process -------------------------------------------------------------


def test_every_thing_is_in_exactly_one_share(monkeypatch: pytest.MonkeyPatch) -> None:
    things = list(range(10))
    assert distributed.share_of(things) == things
    for processes in (2, 3, 16):
        monkeypatch.setattr(distributed, "world_size", lambda n=processes: n)
        shares = []
        for rank in range(processes):
            monkeypatch.setattr(distributed, "rank", lambda r=rank: r)
            shares.append(list(distributed.share_of(things)))
        assert [thing for share in shares for thing in share] == things
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("batch_size", [0, 2.5, True, "many"])
def test_a_batch_size_that_is_no_number_of_pairs_is_refused(batch_size: object) -> None:
    with pytest.raises(ConfigError, match=rf"^trainer\.batch_size={batch_size}: "):
        compose_config("train", [f"trainer.batch_size={batch_size}"])


def test_shared_batch_norm_is_refused_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    norm, cpu = torch.nn.BatchNorm2d(3), torch.device("cpu")
    assert distributed.with_shared_statistics(norm, cpu) is norm  # alone there is nothing to share
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(ConfigError, match=r"sync_batch_norm=true: torch synchronises batch norm on CUDA devices only"):
        distributed.with_shared_statistics(norm, cpu)
    shared = distributed.with_shared_statistics(torch.nn.Sequential(norm), torch.device("cuda"))
    assert shared.state_dict().keys() == torch.nn.Sequential(norm).state_dict().keys()  # so that any run can be read


def test_a_world_size_that_is_no_number_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Callable[..., str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert "WORLD_SIZE=many: this environment variable must be a number" in refused("train", *TINY, f"out={tmp_path}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in choices("discriminator") if name != "none"])
def test_only_a_head_that_no_loss_looks_at_is_idle(name: str) -> None:
    options = ["discriminator.head=category"] if name == "patch" else []
    chosen = [f"discriminator={name}", "discriminator.ndf=4", *options]
    config = compose_config("train", [*TINY, *chosen])
    judge = build(config.discriminator, "discriminator", styles=3)

    def idle(*losses: str) -> set[str]:
        objective = build_objective(compose_config("train", [*TINY, *chosen, "loss=ink", *losses]).loss)
        found = heads_without_loss(judge, objective, size=64, styles=3)
        assert all(parameter.requires_grad for parameter in judge.parameters())
        return {key for key, ours in judge.named_parameters() if any(ours is parameter for parameter in found)}

    assert idle("loss.adversarial.weight=1", "loss.category.weight=1") == set()
    assert idle("loss.adversarial.weight=1") == {"to_class_logits.weight", "to_class_logits.bias"}
    assert idle("loss.category.weight=1") >= {"to_logits.bias"}
    assert not any(key.startswith("trunk") for key in idle("loss.category.weight=1"))


def test_reports_arrive_in_order_and_name_the_glyphs_of_what_is_not_finite() -> None:
    reports = LossBuffer()
    reports.kept.append(StepReport(1, {"l1": torch.tensor(0.5), "edge": torch.tensor(0.25)}, ["kai:一"], {}))
    reports.kept.append(StepReport(2, {"l1": torch.tensor(float("nan"))}, ["kai:二", "brush:三"], {}))
    assert not reports.sent
    reports.copy_async()
    assert reports.sent
    reports.kept.append(StepReport(3, {"l1": torch.tensor(0.1)}, ["kai:四"], {}))
    first, second = reports.collect()
    assert (first.step, first.values, first.is_finite) == (1, {"l1": 0.5, "edge": 0.25}, True)
    assert not second.is_finite
    assert second.say() == "a loss is not finite (l1=nan) on kai:二 brush:三"
    assert (len(reports.kept), reports.sent, reports.collect()) == (1, [], [])
