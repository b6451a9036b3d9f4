"""Numeric health: what ruins a training is noticed, explained in one line, and stopped or rolled back; and nothing else."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build_generator
from fontgan.data.batches import PairSampler
from fontgan.losses import GAN_LOSSES, GanLoss, l1
from fontgan.training import checkpoint as checkpoints
from fontgan.training import monitor as health
from fontgan.training.dead_channels import watched_channels
from fontgan.training.monitor import Diverged, StyleCollapse, TrainingMonitor, chance
from fontgan.training.objective import Objective, Term
from fontgan.training.rollback import MAX_ROLLBACKS
from fontgan.training.run_json import MonitorState
from fontgan.training.run_logger import RunLogger
from fontgan.untrusted.plain_json import convert
from tests.health_margins import CASES, follow
from tests.helpers import TINY, Here, error_line, reseal

CPU = torch.device("cpu")
WITHOUT_D = ("loss=ink", "discriminator=none", "trainer.precision=fp32")
# Gradient descent on a square: above a certain rate each step overshoots by more than the last. 3 is above, 0.75 below.
STEEP = (
    *TINY, *WITHOUT_D, "trainer.sheet_chars=0", "loss.constancy.weight=1", "optim.algorithm._target_=torch.optim.SGD", "~optim.algorithm.betas",
    "~optim.algorithm.weight_decay", "~optim.algorithm.fused", "optim.lr=3", "optim.warmup_steps=0",
    "trainer.grad_clip=0", "trainer.max_steps=16", "trainer.eval_every=16", "trainer.save_every=50",
    "trainer.log_every=1",
)  # fmt: skip
ON_INK = Objective([Term("l1", l1)])
ROLLBACK = "trainer.on_divergence=rollback"


def weights(run: Path) -> dict[str, torch.Tensor]:
    folder = checkpoints.find(run, "last").folder
    return {f"{file.stem}/{k}": t for file in folder.glob("gen*.safetensors") for k, t in load_file(file).items()}


def assert_same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


# -- healthy runs raise no alarm ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda overrides: overrides[-1])
def test_healthy_runs_raise_no_alarm(case: tuple[str, ...]) -> None:
    """Nor come near one; ``python -m tests.health_margins`` has longer ones."""
    assert len(CASES) >= len(choices("loss")) + 3
    largest, shares, warnings = follow(case, 12)
    judged = case != ("loss=ink",)
    assert set(largest) == {"the losses of the drawing", "the generator's gradient"} | (
        {"the discriminator's gradient"} if judged else set()
    )
    assert largest["the losses of the drawing"] < 0.5 * health.EXPLODED["drawing"]
    assert max(largest.values()) < 0.5 * health.EXPLODED["gradient"]
    assert len(shares) == (12 if judged else 0)
    assert all(10 * health.VANISHED < share < 0.5 * health.OVERWHELMED for share in shares)
    assert warnings == []


def test_losses_at_chance_are_those_of_theory() -> None:
    known = {"hinge": 2, "least_squares": 0.25, "non_saturating": 2 * math.log(2), "relativistic": math.log(2)}
    assert {kind: chance(Term("gan", GanLoss(kind=kind))) for kind in GAN_LOSSES} == pytest.approx(
        {**known, "bce": known["non_saturating"]}
    )


def test_gradient_norms_are_those_before_clipping() -> None:
    for clip in (0, 0.001):
        cfg = compose_config("train", [*TINY, *WITHOUT_D, f"trainer.grad_clip={clip}"])
        _, step, sampler = build_parts(cfg, CPU, "fp32")
        step([sampler.batch(0)], 0, 0)
        left = torch.stack([p.grad.norm() for p in step.generator.parameters() if p.grad is not None]).norm()
        assert float(step.gradients["g"]) > 0.01
        assert float(left) == pytest.approx(clip or float(step.gradients["g"]), rel=1e-3)


# -- what is noticed at a step --------------------------------------------------------------


def test_a_gradient_that_is_not_finite_stops_before_anything_is_saved(tmp_path: Path, here: Here) -> None:
    line = error_line(here("train", *TINY, *WITHOUT_D, "loss.ink_bce.weight=1e30", f"out={tmp_path / 'run'}"))
    assert "step 1: a gradient is not finite (g=inf) on " in line
    assert "there is no checkpoint yet" in line
    assert "optim.lr=" in line
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_explosion_of_finite_losses_is_told_and_the_save_before_it_is_named(tmp_path: Path, here: Here) -> None:
    settings = [*TINY, *WITHOUT_D, "trainer.max_steps=200", "trainer.eval_every=200", "trainer.save_every=3"]
    assert here("train", *settings, "trainer.stop_at=3", f"out={tmp_path / 'run'}").returncode == 0
    # The same run with a rate that its config does not know, as a mistake or a faulty machine would make it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fontgan.training.schedule.Schedule.rate", lambda *_: 1e6)
        patch.setattr("fontgan.training.checkpoint.KEPT", 99)
        line = error_line(here("train", *settings, f"out={tmp_path / 'run'}"))
    assert "the losses of the drawing exploded" in line
    assert f"for {health.EXPLODED_STEPS} steps" in line
    assert "the checkpoint of step 3 stands. Go on from there with trainer.on_divergence=rollback" in line
    assert len(checkpoints.all_checkpoints(tmp_path / "run")) > 1  # others are newer, and in doubt


def test_a_streak_goes_on_after_resuming_where_it_stood() -> None:
    def fed(watch: TrainingMonitor, first: int, values: list[float]) -> int | None:
        for step, value in enumerate(values, first):
            try:
                watch.look_at_step(step, {"l1": value, "d_adversarial": 1.0}, {"g": 1.0})
            except Diverged as found:
                return found.step
        return None

    values = [1.0] * 30 + [100.0] * 40
    whole, first, second = (TrainingMonitor(ON_INK) for _ in range(3))
    at = fed(whole, 1, values)
    assert at == 30 + health.EXPLODED_STEPS
    assert fed(first, 1, values[:40]) is None
    second.state = convert(json.loads(json.dumps(msgspec.to_builtins(first.state))), MonitorState)
    assert fed(second, 41, values[40:]) == at
    for wrong in ([], {"usual": 3}, {"usual": {"a": "b"}}, {"said": 3}, {"lasting": {"a": []}}):
        with pytest.raises(ValueError, match=r"."):
            convert(wrong, MonitorState)


def test_a_spike_is_no_explosion() -> None:
    watch = TrainingMonitor(ON_INK)
    for step in range(1, 200):
        assert watch.look_at_step(step, {"l1": 1.0 if step % 20 else 1e9}, {"g": 1e6 if step % 9 == 0 else 1.0}) == []


def test_what_had_vanished_may_come_back() -> None:
    watch = TrainingMonitor(ON_INK)
    for step in range(1, 1500):
        norm = 1e-9 if 100 < step < 1000 else 1.0
        assert watch.look_at_step(step, {"l1": 1.0}, {"g": norm, "d": 0.0 if step < 500 else 1.0}) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            (
                "optim.discriminator_lr=0.01",
                "optim.lr=0",
                "discriminator=patch",
                "discriminator.ndf=8",
                "discriminator.spectral_norm=false",
            ),
            "always wins",
        ),
        (("optim.discriminator_lr=1e4", "discriminator=zi2zi", "discriminator.ndf=4"), "far worse than guessing"),
    ],
    ids=["vanishing", "exploding"],
)
def test_a_discriminator_out_of_balance_is_said_once(
    settings: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: Here
) -> None:
    monkeypatch.setattr(health, "VANISHED_STEPS", 10)
    monkeypatch.setattr(health, "OVERWHELMED_STEPS", 5)
    monkeypatch.setitem(health.EXPLODED, "gradient", math.inf)  # which would end the second one first
    result = here(
        "train", *TINY, "loss=ink_gan", "loss.adversarial.start=0", *settings, "trainer.max_steps=40",
        "trainer.eval_every=40", "trainer.save_every=40", "optim.warmup_steps=0", "trainer.sheet_chars=0",
        "trainer.precision=fp32", f"out={tmp_path / 'run'}",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if said in line]
    assert len(lines) == 1, result.stderr
    assert "2 would be guessing" in lines[0]
    assert "Use optim.discriminator_lr=" in lines[0]


# -- rolling back ---------------------------------------------------------------------------


def test_a_run_that_diverges_is_rolled_back_and_ends_well(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And twice the same; and the same where it is killed after the rollback."""
    result = here("train", *STEEP, ROLLBACK, f"out={tmp_path / 'one'}")
    assert result.returncode == 0, result.stderr
    past = checkpoints.find(tmp_path / "one", "last").metadata["rollbacks"]
    assert 1 <= len(past) <= 2
    assert [(p["back_to"], p["rate"]) for p in past] == [(0, 3 * 0.5**n) for n in range(1, len(past) + 1)]
    assert f"going back to the checkpoint of step 0, and on from there at {0.5 ** len(past):g}" in result.stderr
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "one").values())
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()]
    assert len(kinds) == len(set(kinds)) == 4
    check_tensorboard(tmp_path / "one", 16, len(past))

    assert here("train", *STEEP, ROLLBACK, f"out={tmp_path / 'two'}").returncode == 0
    assert_same(tmp_path / "one", tmp_path / "two")

    real, asked = PairSampler.batch, []

    def dies(self: PairSampler, index: int) -> Any:
        asked.append(index)
        if asked.count(7) == len(past) + 1:
            raise RuntimeError("killed")
        return real(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(PairSampler, "batch", dies)
        with pytest.raises(RuntimeError, match="killed"):
            here("train", *STEEP, ROLLBACK, f"out={tmp_path / 'killed'}")
    assert checkpoints.find(tmp_path / "killed", "last").step == 0
    rest = here("train", *STEEP, ROLLBACK, f"out={tmp_path / 'killed'}")
    assert "going back" not in rest.stderr  # the checkpoint knows already
    assert_same(tmp_path / "one", tmp_path / "killed")


def check_tensorboard(run: Path, steps: int, rollbacks: int) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("health/gradient_g")] == list(range(1, steps + 1))
    assert all(math.isfinite(event.value) for event in events.Scalars("health/gradient_g"))
    assert events.Scalars("health/rollbacks")[-1].value == rollbacks
    assert "health/dead_channels_level_1" in events.Tags()["scalars"]


def test_what_is_saved_on_the_way_up_is_not_gone_back_to(tmp_path: Path, here: Here) -> None:
    result = here("train", *STEEP, ROLLBACK, "trainer.save_every=2", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    past = checkpoints.find(tmp_path / "run", "last").metadata["rollbacks"][0]  # how many there are depends on the CPU
    assert past["back_to"] <= past["step"] - 6  # not to the two saves before it: the losses rise from the third step on


def test_a_run_that_diverges_again_soon_goes_back_further(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rise too slow to be noticed: the newest saves are finite and spoilt already."""
    monkeypatch.setattr(health, "EXPLODED", {"drawing": math.inf, "gradient": math.inf})
    monkeypatch.setattr(checkpoints, "KEPT", 99)
    here("train", *STEEP, ROLLBACK, "trainer.save_every=2", f"out={tmp_path / 'run'}")
    past = checkpoints.find(tmp_path / "run", "last").metadata["rollbacks"]
    back = [one["back_to"] for one in past]
    assert len(back) >= 2
    assert back == sorted(set(back), reverse=True)


def test_rollbacks_are_bounded_and_what_is_left_is_good(tmp_path: Path, here: Here) -> None:
    line = error_line(here("train", *STEEP, ROLLBACK, "optim.lr=1e30", f"out={tmp_path / 'run'}"))
    assert "were in vain" in line
    assert "on_divergence=rollback" not in line
    assert "the checkpoint of step 0 stands" in line
    assert [c.step for c in checkpoints.all_checkpoints(tmp_path / "run")] == [0]
    assert len(checkpoints.find(tmp_path / "run", "last").metadata["rollbacks"]) == MAX_ROLLBACKS
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run").values())


@pytest.mark.slow
def test_processes_that_train_together_roll_back_together(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0", "-m", "fontgan", "train", *STEEP, ROLLBACK, "optim.lr=20",
        f"out={tmp_path / 'run'}",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, result.stderr
    saved = checkpoints.find(tmp_path / "run", "last")
    assert saved.step == 16
    past = saved.metadata["rollbacks"]
    assert past
    assert result.stderr.count("going back to the checkpoint") == len(past)  # one of them speaks


def test_a_wrong_choice_is_refused_with_the_choices(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("train", *TINY, "trainer.on_divergence=ignore", f"out={tmp_path / 'run'}")
    assert "trainer.on_divergence=ignore: choose one of stop, rollback" in line
    assert not (tmp_path / "run").exists()


# -- what is noticed at an evaluation -------------------------------------------------------


def spoil(run: Path, change: Callable[[dict[str, torch.Tensor]], None], **metadata: Any) -> None:
    """Edits the generators and the description of a run's last checkpoint."""
    folder = checkpoints.find(run, "last").folder
    for file in folder.glob("generator*.safetensors"):
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)
    description = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**description, **metadata}))
    reseal(folder)


def last_bias(tensors: dict[str, torch.Tensor], value: float) -> None:
    key = next(key for key in reversed(list(tensors)) if key.startswith("unet.up.") and key.endswith("bias"))
    tensors[key].fill_(value)


@pytest.mark.slow
@pytest.mark.parametrize(("ink", "look"), [(-1e4, "blank"), (1e4, "black")])
def test_blank_or_black_is_a_warning_at_first_and_a_divergence_after_drawing(
    ink: float, look: str, tiny_run: Path, tmp_path: Path, here: Here
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    longer = [*TINY, "trainer.max_steps=8", "trainer.eval_every=1", f"out={run}"]
    # Both were drawn black or blank before; the health of a fresh run says nothing yet.
    spoil(run, lambda tensors: last_bias(tensors, ink), health={})
    early = here("train", *longer, "trainer.max_steps=6")
    assert early.returncode == 0, early.stderr
    lines = [
        line for line in early.stderr.splitlines() if f"every held-out glyph of kai brush xiaowei is {look}" in line
    ]
    assert len(lines) == 1, early.stderr  # of two evaluations
    assert "Early in a training that is common" in lines[0]
    spoil(run, lambda tensors: None, health={"drew": {"brush": 3, "xiaowei": 4}})
    line = error_line(here("train", *longer))
    assert f"step 7: every held-out glyph of brush xiaowei is {look}" in line
    assert "at step 3 most were not" in line


def test_an_evaluation_without_finite_scores_is_a_divergence() -> None:
    with pytest.raises(Diverged, match="a held-out score of kai is not finite"):
        TrainingMonitor(ON_INK).look_at_evaluation(5, {"kai": StyleCollapse(9, 0, 0, finite=False)}, {})


def test_one_or_two_held_out_glyphs_are_too_few_for_a_collapse() -> None:
    for glyphs, fatal in ((2, False), (3, True)):
        watch = TrainingMonitor(ON_INK)
        watch.look_at_evaluation(1, {"kai": StyleCollapse(glyphs, 0.0, 0.0)}, {})
        if fatal:
            with pytest.raises(Diverged) as found:
                watch.look_at_evaluation(2, {"kai": StyleCollapse(glyphs, 1.0, 0.0)}, {})
            assert found.value.good_until == 1
        else:
            assert "is blank" in watch.look_at_evaluation(2, {"kai": StyleCollapse(glyphs, 1.0, 0.0)}, {})[0]


def test_dead_channels_are_counted_by_level_and_said(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)

    def kill(tensors: dict[str, torch.Tensor]) -> None:
        tensors["unet.down.0.bias"].fill_(-1e9)

    spoil(run, kill)
    result = here("train", *TINY, "trainer.max_steps=6", "trainer.eval_every=1", f"out={run}")
    lines = [line for line in result.stderr.splitlines() if "they are dead" in line]
    assert len(lines) == 1, result.stderr
    assert "channels of level" in lines[0]


@torch.no_grad()
def test_dead_channels_of_one_map() -> None:
    generator = build_generator(compose_config("train", TINY), 1).eval()
    images, style = torch.rand(4, 1, 64, 64), torch.ones(4, 1)

    def count(batch: torch.Tensor = images) -> dict[int, tuple[int, int]]:
        with watched_channels(generator) as channels:
            for image in batch.split(2):
                generator(image, style[: len(image)])
        return channels.dead()

    before = count()
    assert set(before) == set(range(1, generator.depth + 1))
    generator.unet.down[0].weight[:3] = 0
    after = count()
    assert after[1][0] >= before[1][0] + 3  # the map itself; its activations lie a level further in
    assert after[2][0] >= before[2][0] + 3
    assert not any(module._forward_hooks for module in generator.modules())
    assert sum(of for _, of in count(images[:1]).values()) < sum(
        of for _, of in after.values()
    )  # small maps tell nothing


@pytest.mark.slow
@pytest.mark.parametrize("up", choices("generator/up"))
def test_no_up_path_is_born_dead(up: str) -> None:
    torch.manual_seed(0)
    generator = build_generator(compose_config("train", [*TINY, f"generator/up={up}"]), 1).eval()
    images = torch.rand(8, 1, 8, 8).round().mul(2).sub(1).repeat_interleave(8, -1).repeat_interleave(8, -2)
    with torch.no_grad(), watched_channels(generator) as channels:
        generator(images, torch.ones(8, 1))
    assert all(dead < 0.4 * health.DEAD_SHARE * of for dead, of in channels.dead().values()), channels.dead()


# -- the lines of metrics.jsonl -------------------------------------------------------------


def test_damaged_lines_of_the_metrics_are_dropped_and_named(
    tiny_run: Path, tmp_path: Path, here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    file = run / "metrics.jsonl"
    good = file.read_bytes()
    bad = [
        b"[1]",
        b"3",
        b'{"step": "4"}',
        b'{"step": true}',
        b'{"step": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
        b"x" * 3_000_000,
    ]
    file.write_bytes(b"\n".join(bad) + b"\n" + good + b'{"step": 9, "kind": "late"}\n{"step": 4, "ki')
    with caplog.at_level(logging.WARNING, "fontgan"):
        RunLogger(run, [], from_step=4).close()
    assert file.read_bytes() == good
    assert f"dropped {len(bad) + 1} damaged lines, the first is line 1" in caplog.text


def test_the_config_names_its_choices() -> None:
    text = (Path(__file__).parents[2] / "configs" / "trainer" / "default.yaml").read_text()
    assert OmegaConf.create(text).on_divergence == health.STOP
    assert all(choice in text for choice in (health.STOP, health.ROLLBACK))
