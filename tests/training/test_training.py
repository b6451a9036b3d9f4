"""Training: batches, the step, resuming bit for bit, stopping, and what a run leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import load_file, save_file

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build, build_generator, build_objective
from fontgan.data.augment import Augmentation
from fontgan.data.batches import PairSampler, collate_pairs, pairs_of
from fontgan.data.pack import make_pack
from fontgan.data.pairs import plan_pairs
from fontgan.errors import RunError
from fontgan.metrics.pixels import BASELINES, scores
from fontgan.run_folder import RunFolder
from fontgan.runtime.device import autocast, pick_precision
from fontgan.training import checkpoint as checkpoints
from fontgan.training.schedule import Schedule
from fontgan.training.step import TrainStep
from fontgan.values import image_from_pixels, pixels_from_image
from tests.helpers import KAI, SOURCE, TINY, Here, described, error_line, fontgan, fontgan_here, reseal


def weights(run: Path, step: int) -> dict[str, dict[str, torch.Tensor]]:
    folder = run / "checkpoints" / f"step-{step:08d}"
    return {file.stem: load_file(file) for file in folder.glob("*.safetensors")}


def assert_same_weights(one: Path, other: Path, step: int) -> None:
    first, second = weights(one, step), weights(other, step)
    assert first.keys() == second.keys()
    assert len(first) >= 2
    for name, tensors in first.items():
        assert tensors.keys() == second[name].keys()
        for key, tensor in tensors.items():
            assert torch.equal(tensor, second[name][key]), f"{name}/{key}"


# -- batches --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    plan = plan_pairs(str(SOURCE), {"kai": str(KAI)}, charset="的一是不了在人有我他这个们中来上大为和国", size=64)
    return make_pack(plan, tmp_path_factory.mktemp("packs"))


def test_every_pair_comes_once_an_epoch_and_no_held_out_one_ever(pack) -> None:  # type: ignore[no-untyped-def]
    sampler = PairSampler(pack, batch_size=3, seed=1, augment=Augmentation(strength=0))
    count = len(sampler.pairs)
    names = [name for index in range(2 * count) for name in sampler.batch(index).names]
    for epoch in range(6):
        pairs = sampler.pairs.named(np.arange(count))
        assert sorted(names[epoch * count : (epoch + 1) * count]) == sorted(f"{s}:{c}" for s, c in pairs)
    assert not {name.partition(":")[2] for name in names} & set(pack.held_out)
    assert names[:count] != names[count : 2 * count]


def test_a_batch_depends_on_seed_and_index_alone(pack) -> None:  # type: ignore[no-untyped-def]
    def fresh(seed: int = 1) -> PairSampler:
        return PairSampler(pack, batch_size=4, seed=seed, augment=Augmentation())

    walked = fresh()
    for index in range(20):
        last = walked.batch(index)
    jumped = fresh().batch(19)
    assert torch.equal(last.source, jumped.source)
    assert torch.equal(last.target, jumped.target)
    assert last.names == jumped.names
    assert fresh(seed=2).batch(19).names != jumped.names


def test_augmentation_moves_source_and_target_alike(pack) -> None:  # type: ignore[no-untyped-def]
    batch = collate_pairs(pack, [("kai", pack.trained[0])] * 4)
    twice = torch.cat([batch.source, batch.source], dim=1)
    moved = Augmentation(strength=3)(twice, torch.Generator().manual_seed(0))
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert not torch.equal(moved[0], moved[1])
    assert not torch.equal(moved, twice)
    assert torch.equal(Augmentation(strength=0)(twice, torch.Generator()), twice)
    ink = (1 - moved).sum() / (1 - twice).sum()
    assert 0.8 < float(ink) < 1.2  # small: the glyph is still there


def test_pixels_and_images_are_each_others_inverse() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    image = image_from_pixels(pixels)
    assert image.shape == (1, 16, 16)
    assert (float(image.min()), float(image.max())) == (-1, 1)
    assert np.array_equal(pixels_from_image(image), pixels)


# -- schedule and scores --------------------------------------------------------------------


def test_schedule_warms_up_and_follows_whichever_ends_first() -> None:
    schedule = Schedule(max_steps=100, max_minutes=10, warmup_steps=10, final_share=0.1)
    assert schedule.rate(0, 0) == pytest.approx(0.1)
    assert schedule.rate(9, 0) == pytest.approx(1, abs=0.03)
    assert schedule.rate(100, 0) == pytest.approx(0.1)
    assert schedule.rate(50, 10) == pytest.approx(0.1)
    assert schedule.progress(50, 2) == 0.5
    assert schedule.progress(50, 7.5) == 0.75


def test_scores_have_their_known_values() -> None:
    truth = torch.zeros(2, 1, 32, 32)
    truth[:, :, 8:16, 8:16] = 1
    assert scores(truth, truth) == pytest.approx({"l1": 0, "rmse": 0, "ssim": 1, "blank": 0})
    blank = scores(torch.zeros_like(truth), truth)
    assert blank["l1"] == pytest.approx(1 / 16)
    assert blank["rmse"] == pytest.approx(0.25)
    assert blank["blank"] == 1
    assert blank["ssim"] < 0.9
    drawn = {name: draw(truth, truth[0]) for name, draw in BASELINES.items()}
    assert set(drawn) == {"copy_source", "blank_page", "mean_glyph"}
    assert torch.equal(drawn["mean_glyph"], truth)
    assert float(drawn["blank_page"].sum()) == 0


# -- the step -------------------------------------------------------------------------------


def make_step(*overrides: str, ema_decay: float = 0.0, lr: float = 1e-3) -> TrainStep:
    cfg = compose_config("train", [*TINY, *overrides])
    torch.manual_seed(0)
    generator = build_generator(cfg, 1)
    judge = build(cfg.discriminator, "discriminator", styles=1)
    return TrainStep(
        generator,  # type: ignore[arg-type]
        judge,
        build_objective(cfg.loss),
        optimiser_g=torch.optim.SGD(generator.parameters(), lr),
        optimiser_d=torch.optim.SGD(judge.parameters(), lr) if judge is not None else None,
        autocast=autocast(torch.device("cpu"), "fp32"),
        ema_decay=ema_decay,
    )


def test_accumulated_batches_equal_one_large_batch(pack) -> None:  # type: ignore[no-untyped-def]
    large = PairSampler(pack, batch_size=4, seed=1, augment=Augmentation(strength=0)).batch(0)
    small = PairSampler(pack, batch_size=2, seed=1, augment=Augmentation(strength=0))
    # Instance norm: batch norm would see other statistics in the parts than in the whole.
    settings = ["loss=ink", "discriminator=none", "generator/norm=instance"]
    whole, parts = make_step(*settings), make_step(*settings)
    first = whole([large], 0.7, 0)
    second = parts([small.batch(0), small.batch(1)], 0.7, 0)
    assert {k: float(v) for k, v in first.items()} == pytest.approx({k: float(v) for k, v in second.items()}, rel=1e-4)
    for one, other in zip(whole.generator.parameters(), parts.generator.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("loss", [name for name in choices("loss") if name != "ink"])
def test_adversarial_step_moves_both_networks_and_leaves_the_judge_trainable(loss: str, pack) -> None:  # type: ignore[no-untyped-def]
    step = make_step(f"loss={loss}", "discriminator=zi2zi", "discriminator.ndf=4")
    assert step.discriminator is not None
    before = [p.clone() for network in (step.generator, step.discriminator) for p in network.parameters()]
    batch = PairSampler(pack, batch_size=4, seed=1, augment=Augmentation()).batch(0)
    report = step([batch], 0.9, 0)
    after = [p for network in (step.generator, step.discriminator) for p in network.parameters()]
    # A bias right before a batch norm has no effect, hence most and not all.
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) > 0.8 * len(before)
    assert all(p.requires_grad for p in step.discriminator.parameters())
    assert "adversarial" in report
    assert "d_adversarial" in report
    if loss == "zi2zi":
        assert {"l1", "category", "constancy", "d_category"} <= set(report)


def test_the_averaged_generator_follows(pack) -> None:  # type: ignore[no-untyped-def]
    step = make_step(ema_decay=0.9, lr=0.1)
    sampler = PairSampler(pack, batch_size=4, seed=1, augment=Augmentation())
    start = [p.clone() for p in step.generator_ema.parameters()]
    step([sampler.batch(0)], 0.5, 0)
    for s, a, g in zip(start, step.generator_ema.parameters(), step.generator.parameters(), strict=True):
        assert torch.allclose(a, s + 0.9 * (g - s), atol=1e-6)  # at step 0 the average forgets with (1 + 0) / (10 + 0)
    assert make_step().generator_ema is not step.generator_ema


def test_a_few_steps_learn(pack) -> None:  # type: ignore[no-untyped-def]
    step = make_step(lr=0.05)
    batch = PairSampler(pack, batch_size=8, seed=1, augment=Augmentation(strength=0)).batch(0)
    losses = [sum(float(v) for v in step([batch], 0.2, i).values()) for i in range(30)]
    assert losses[-1] < 0.8 * losses[0]


# -- whole runs, in processes of their own --------------------------------------------------


def test_a_run_leaves_what_it_promises(tiny_run: Path) -> None:
    assert {"config.yaml", "train.log", "metrics.jsonl", "sheet.png", "sheets", "tensorboard", "checkpoints"} <= set(
        os.listdir(tiny_run)
    )
    assert sorted(os.listdir(tiny_run / "sheets")) == ["step-00000000.png", "step-00000004.png"]
    sheet = np.asarray(Image.open(tiny_run / "sheet.png"))
    assert sheet.shape[0] > 7 * 64  # source, and drawn and true for three styles
    lines = [json.loads(line) for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == [
        "baseline/copy_source",
        "baseline/blank_page",
        "baseline/mean_glyph",
        "held_out",
    ]
    assert set(lines[-1]["styles"]) == {"kai", "brush", "xiaowei"}
    assert set(lines[-1]["styles"]["kai"]) == {"l1", "rmse", "ssim", "blank"}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tiny_run / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"held_out/kai/l1", "baseline/blank_page/kai/ssim"} <= set(tags["scalars"])
    assert tags["images"] == ["held_out/sheet"]
    assert "config/text_summary" in tags["tensors"]


def test_a_checkpoint_describes_itself(tiny_run: Path) -> None:
    saved = checkpoints.find(tiny_run, "last")
    assert saved.step == 4
    assert saved.metadata["styles"] == ["kai", "brush", "xiaowei"]
    assert all(style["canvas"]["scale"] > 0 for style in saved.metadata["data"]["styles"])
    assert saved.score is not None
    cfg = OmegaConf.load(saved.folder / "config.yaml")
    assert cfg.generator.ngf == 8
    assert sorted(os.listdir(saved.folder)) == [
        "config.yaml",
        "discriminator.safetensors",
        "generator.safetensors",
        "generator_training.safetensors",
        "run.json",
        "training.safetensors",
    ]


@pytest.mark.slow
def test_two_and_two_steps_equal_four_bit_for_bit(tmp_path: Path) -> None:
    """In processes of their own, as a user would stop and resume."""
    assert fontgan("train", *TINY, f"out={tmp_path / 'four'}").returncode == 0
    part = fontgan("train", *TINY, f"out={tmp_path / 'two'}", "trainer.stop_at=2")
    assert part.returncode == 0, part.stderr
    assert "stopped at step 2 of 4" in part.stderr
    rest = fontgan("train", *TINY, f"out={tmp_path / 'two'}")
    assert rest.returncode == 0, rest.stderr
    assert "goes on from step 2" in rest.stderr
    assert_same_run(tmp_path / "four", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resuming_is_exact_with_every_part_at_work(precision: str, tmp_path: Path, here: Here) -> None:
    """Batch norm, dropout, attention, both networks' optimisers, accumulation, no averaging."""
    more = (
        "loss=zi2zi", "discriminator=zi2zi", "discriminator.ndf=4", "generator/up=resskip", "generator.dropout=0.5",
        "generator/norm=batch", "generator.attention_levels=[3]", "trainer.accumulate=2", "trainer.ema_decay=0",
        f"trainer.precision={precision}",
    )  # fmt: skip
    assert here("train", *TINY, *more, f"out={tmp_path / 'four'}").returncode == 0
    assert here("train", *TINY, *more, f"out={tmp_path / 'two'}", "trainer.stop_at=2").returncode == 0
    assert here("train", *TINY, *more, f"out={tmp_path / 'two'}").returncode == 0
    assert_same_run(tmp_path / "four", tmp_path / "two")


def assert_same_run(one: Path, other: Path) -> None:
    assert_same_weights(one, other, 4)
    metrics = [(run / "metrics.jsonl").read_text().splitlines() for run in (one, other)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == 4  # three baselines and one evaluation, none of them twice


def test_leftovers_of_a_killed_process_are_cleared(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    leftover = tmp_path / "run" / "checkpoints" / ".step-killed"
    leftover.mkdir()
    (leftover / "generator.safetensors").write_bytes(b"half")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "ki')
    assert here("train", *TINY, "trainer.max_steps=5", f"out={tmp_path / 'run'}").returncode == 0
    assert not leftover.exists()
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        json.loads(line)


def test_with_nothing_held_out_there_is_still_a_sheet(tmp_path: Path, here: Here) -> None:
    result = here("train", *TINY, "data.holdout=0", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "sheet.png").is_file()
    assert checkpoints.find(tmp_path / "run", "best").score is None


def test_a_finished_run_started_again_is_left_as_it_is(tiny_run: Path, here: Here) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = [p for p in tiny_run.rglob("*") if p.is_file() and p.name != ".lock"]
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files}

    before = state()
    result = here("train", *TINY, f"out={tiny_run}")
    assert result.returncode == 0
    assert "finished at step 4 before; nothing is left to do" in result.stderr
    assert state() == before
    assert len(before) >= 10


def test_a_run_without_a_setting_that_may_differ_resumes(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    for file in (tmp_path / "run").rglob("config.yaml"):
        cfg = OmegaConf.load(file)
        del cfg["trainer"]["profile"]
        file.write_text(OmegaConf.to_yaml(cfg))
    reseal(tmp_path / "run")
    result = here("train", *TINY, "trainer.max_steps=5", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert "goes on from step 4" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = [o for o in TINY if "max_steps" not in o and "_every" not in o]
    process = subprocess.Popen(
        [sys.executable, "-m", "fontgan", "train", *settings, "trainer.max_steps=100000", "trainer.save_every=5", f"out={out}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((out / "checkpoints").glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + number, errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    saved = checkpoints.find(out, "last")
    assert saved.step >= 5
    assert not list((out / "checkpoints").glob(".*"))


def test_a_folder_with_another_run_is_refused_not_overwritten(tiny_run: Path, refused: Callable[..., str]) -> None:
    before = (tiny_run / "config.yaml").read_bytes()
    line = refused("train", *TINY, "generator.ngf=4", "optim.lr=0.5", f"out={tiny_run}")
    assert "holds a different run" in line
    assert "generator.ngf 8 -> 4" in line
    assert (tiny_run / "config.yaml").read_bytes() == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert "holds files that are no run" in refused("train", *TINY, f"out={tmp_path}")
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_refused_command_leaves_no_folder_behind(tmp_path: Path, refused: Callable[..., str]) -> None:
    out = tmp_path / "run"
    for wrong in ("generator.depth=9", "data.source=nothing.ttf", "loss=zi2zi"):
        refused("train", *TINY, wrong, f"out={out}")
    assert not out.exists()


def test_two_trainings_in_one_folder_are_refused(tiny_run: Path, here: Here) -> None:
    from fontgan.runtime.locks import locked

    with locked(tiny_run, "a test"):
        assert "another training is at work there" in error_line(here("train", *TINY, f"out={tiny_run}"))


def test_a_run_at_work_is_not_called_damaged(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    """The training that holds the folder may be removing a checkpoint that this one has just seen."""
    from fontgan.runtime.locks import locked

    shutil.copytree(tiny_run, run := tmp_path / "run")
    for checkpoint in checkpoints.all_checkpoints(run):
        (checkpoint.folder / "run.json").unlink()
    with locked(run, "a test"):
        assert "another training is at work there" in error_line(here("train", *TINY, f"out={run}"))
    assert "damaged" in error_line(here("train", *TINY, f"out={run}"))


def test_a_run_that_begins_at_this_moment_is_no_foreign_folder(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its config.yaml may come after it was looked for and before the files of the folder are listed."""
    (run := tmp_path / "run").mkdir()

    def looked_for_too_early(folder: Path, _last: None) -> None:
        shutil.copy(tiny_run / "config.yaml", folder)

    monkeypatch.setattr("fontgan.run_folder._begun_with", looked_for_too_early)
    assert RunFolder.open(run).last is None


def test_a_longer_training_may_go_on_from_a_finished_one(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    result = here("train", *TINY, "trainer.max_steps=6", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert checkpoints.find(tmp_path / "run", "last").step == 6


def test_a_loss_that_is_not_finite_stops_and_names_step_losses_and_characters(tmp_path: Path, here: Here) -> None:
    result = here(
        "train", *TINY, "optim.lr=1e30", "trainer.grad_clip=0", "trainer.max_steps=50", "trainer.save_every=1",
        "trainer.precision=fp32", "optim.warmup_steps=0", f"out={tmp_path / 'run'}",
    )  # fmt: skip
    line = error_line(result)
    assert "a loss is not finite" in line
    assert "ink_bce=" in line
    assert "kai:" in line or "brush:" in line or "xiaowei:" in line
    if there := checkpoints.all_checkpoints(tmp_path / "run"):
        assert f"the checkpoint of step {there[-1].step} stands" in line
        for tensors in weights(tmp_path / "run", there[-1].step).values():
            assert all(tensor.isfinite().all() for tensor in tensors.values())
    else:
        assert "there is no checkpoint yet" in line
    assert "is not finite" in (tmp_path / "run" / "train.log").read_text()


def test_weights_that_are_not_finite_are_never_saved(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    """A finite loss can have gradients that are not: the step that follows must not become a checkpoint."""
    shutil.copytree(tiny_run, tmp_path / "run")
    file = tmp_path / "run" / "checkpoints" / "step-00000004" / "generator_training.safetensors"
    tensors = load_file(file)
    tensors["unet.down.0.weight"][0, 0, 0, 0] = float("nan")
    save_file(tensors, file)
    reseal(file.parent)
    line = error_line(here("train", *TINY, "trainer.max_steps=5", f"out={tmp_path / 'run'}"))
    assert "not finite" in line
    assert "the checkpoint of step 2 stands" in line  # that of step 4 holds the weights that gave the loss


def test_stop_at_below_the_resumed_step_stops_at_once(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    result = here("train", *TINY, "trainer.max_steps=9", "trainer.stop_at=2", f"out={tmp_path / 'run'}")
    assert result.returncode == 0
    assert "stopped at step 4 of 9" in result.stderr


@pytest.mark.parametrize(
    "weights_of_loss",
    [
        ("loss.ink_bce.weight=0", "loss.dice.weight=0", "loss.edge.weight=0", "loss.l1.fade_in=0"),
        ("loss.l1.weight=0", "loss.dice.weight=0", "loss.edge.weight=0", "loss.ink_bce.end=1", "loss.ink_bce.fade_out=0"),
        ("loss.ink_bce.weight=0", "loss.l1.weight=0"),
    ],
)  # fmt: skip
def test_any_part_of_the_loss_trains_alone(weights_of_loss: tuple[str, ...], pack) -> None:  # type: ignore[no-untyped-def]
    step = make_step("loss=ink", "discriminator=none", *weights_of_loss)
    batch = PairSampler(pack, batch_size=2, seed=1, augment=Augmentation()).batch(0)
    for progress in (0.0, 0.5, 1.0):
        assert step([batch], progress, 0)


def limit_file_size(megabytes: float) -> None:
    import resource  # of POSIX

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 2**20), resource.RLIM_INFINITY))


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_older_one(tmp_path: Path) -> None:
    """A limit on file size makes the same writes fail that a full disk does."""
    out = tmp_path / "run"
    assert fontgan_here("train", *TINY, "trainer.stop_at=2", f"out={out}").returncode == 0
    before = weights(out, 2)
    result = subprocess.run(
        [sys.executable, "-m", "fontgan", "train", *TINY, f"out={out}"],
        capture_output=True, text=True, timeout=240, preexec_fn=lambda: limit_file_size(0.1),
    )  # fmt: skip
    line = error_line(result)
    assert "what was saved before stands" in line
    assert [c.step for c in checkpoints.all_checkpoints(out)] == [2]
    assert not list((out / "checkpoints").glob(".*"))
    assert weights(out, 2).keys() == before.keys()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MB with 2 MB free."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    (disk / "filler").write_bytes(b"x" * 30 * 2**20)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_same_command_goes_on_later(small_disk: Path) -> None:
    assert "disk is full" in error_line(fontgan_here("train", *TINY, f"out={small_disk / 'run'}"))
    (small_disk / "filler").unlink()
    result = fontgan_here("train", *TINY, f"out={small_disk / 'run'}")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_full_disk_of_packs_is_one_line_too(small_disk: Path, tmp_path: Path) -> None:
    command = ["train", *TINY, "data.size=256", f"data.cache={small_disk / 'cache'}", f"out={tmp_path / 'run'}"]
    assert "disk is full" in error_line(fontgan_here(*command))
    assert not list((small_disk / "cache" / "packs").iterdir())
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_architecture_is_refused(
    tiny_run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    for file in (tmp_path / "run").rglob("config.yaml"):
        file.write_text(file.read_text().replace("ngf: 8", "ngf: 16"))
    reseal(tmp_path / "run")
    line = refused("infer", f"checkpoint={tmp_path / 'run'}", "text=一", "style=kai", f"out={tmp_path / 'o'}")
    assert "another architecture" in line
    assert not (tmp_path / "o").exists()


def test_a_damaged_checkpoint_is_named_and_not_drawn_with(
    tiny_run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    newest = "step-00000004"
    for name in ("generator.safetensors", "run.json", "config.yaml"):
        run = tmp_path / name
        shutil.copytree(tiny_run, run)
        (run / "checkpoints" / newest / name).write_bytes(b"\x00damaged")
        asked = run / "checkpoints" / newest
        line = refused("infer", f"checkpoint={asked}", "text=一", "style=kai", f"out={tmp_path / 'o'}")
        assert name in line
        flipped = bytearray((tiny_run / "checkpoints" / newest / name).read_bytes())
        flipped[len(flipped) // 2] ^= 1
        (run / "checkpoints" / newest / name).write_bytes(flipped)
        line = refused("infer", f"checkpoint={asked}", "text=一", "style=kai", f"out={tmp_path / 'o'}")
        assert name in line
    assert not (tmp_path / "o").exists()


LONGER = (*TINY, "trainer.max_steps=6")


@pytest.fixture(scope="module")
def at_step_4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that was stopped after four, with checkpoints of steps 2 and 4."""
    out = tmp_path_factory.mktemp("runs") / "six"
    assert fontgan_here("train", *LONGER, "trainer.stop_at=4", f"out={out}").returncode == 0
    return out


@pytest.mark.slow
def test_a_run_goes_on_from_the_newest_intact_checkpoint(at_step_4: Path, tmp_path: Path, here: Here) -> None:
    """Whichever file of the newest is damaged, it is named, and the run ends with the weights of an undisturbed one."""
    shutil.copytree(at_step_4, tmp_path / "undisturbed")
    result = here("train", *LONGER, f"out={tmp_path / 'undisturbed'}")
    assert "goes on from step 4" in result.stderr
    names = sorted(os.listdir(at_step_4 / "checkpoints" / "step-00000004"))
    assert len(names) == 6
    for number, name in enumerate(names):
        run = tmp_path / name
        shutil.copytree(at_step_4, run)
        file = run / "checkpoints" / "step-00000004" / name
        data = bytearray(file.read_bytes())
        data[(number * 7919) % len(data)] ^= 1 << number % 8
        file.write_bytes(data if number % 3 else data[: number * 10])
        result = here("train", *LONGER, f"out={run}")
        assert result.returncode == 0, result.stderr
        assert "goes on from step 2" in result.stderr
        assert name in result.stderr
        assert_same_weights(tmp_path / "undisturbed", run, 6)
        (run / "checkpoints" / "step-00000004").stat()  # made again


@pytest.mark.slow
def test_with_every_checkpoint_damaged_the_run_is_refused_and_left_alone(
    at_step_4: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(at_step_4, tmp_path / "run")
    for file in (tmp_path / "run" / "checkpoints").rglob("discriminator.safetensors"):
        file.write_bytes(b"")
    line = refused("train", *LONGER, f"out={tmp_path / 'run'}")
    assert "discriminator.safetensors" in line
    assert len(os.listdir(tmp_path / "run" / "checkpoints")) == 2


@pytest.mark.slow
def test_a_damaged_config_is_replaced_by_that_of_the_checkpoint(at_step_4: Path, tmp_path: Path, here: Here) -> None:
    saved = (at_step_4 / "checkpoints" / "step-00000004" / "config.yaml").read_text()
    for number, text in enumerate(("", saved.replace("ngf: 8", "ngf: 9"), saved[:300])):
        run = tmp_path / str(number)
        shutil.copytree(at_step_4, run)
        (run / "config.yaml").write_text(text)
        result = here("train", *LONGER, "trainer.stop_at=4", f"out={run}")
        assert result.returncode == 0, result.stderr
        assert f"{run / 'config.yaml'}: " in result.stderr
        assert OmegaConf.load(run / "config.yaml").generator.ngf == 8


def test_a_link_in_the_place_of_a_log_is_not_followed(
    at_step_4: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(at_step_4, tmp_path / "run")
    (tmp_path / "theirs").write_text("mine")
    for name in ("train.log", "metrics.jsonl"):
        (tmp_path / "run" / name).unlink()
        (tmp_path / "run" / name).symlink_to(tmp_path / "theirs")
        assert f"{name}: is a link" in refused("train", *LONGER, f"out={tmp_path / 'run'}")
        (tmp_path / "run" / name).unlink()
    (tmp_path / "run" / ".lock").unlink(missing_ok=True)
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "theirs")
    refused("train", *LONGER, "data.size=128", f"out={tmp_path / 'run'}")
    assert (tmp_path / "theirs").read_text() == "mine"


class Planted:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["PLANTED"],)


def test_a_planted_pickle_does_not_run(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", str(tmp_path / "ran"))
    shutil.copytree(tiny_run, tmp_path / "run")
    for folder in (tmp_path / "run" / "checkpoints").iterdir():
        for name in ("training", "generator"):
            torch.save({"optimisers": Planted()}, folder / f"{name}.safetensors")
        reseal(folder)
    with pytest.raises(RunError, match=r"training\.safetensors: is damaged"):
        checkpoints.find(tmp_path / "run", "last").training_state()
    longer = [*TINY, "trainer.max_steps=5"]  # a finished run would not look into it
    assert "generator.safetensors" in error_line(fontgan("train", *longer, f"out={tmp_path / 'run'}"))
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_format_is_refused_with_both_numbers(tiny_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_run / "checkpoints" / "step-00000004", tmp_path / "step-00000004"))
    description = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**description, "format": 1}))
    reseal(folder)
    with pytest.raises(RunError, match="has format 1, and this version reads 3"):
        checkpoints.open_checkpoint(folder)


def test_the_best_and_the_last_two_are_kept(tmp_path: Path) -> None:
    def save(step: int, ssim: float | None) -> None:
        scores = {} if ssim is None else {"kai": {"ssim": ssim, "blank": 0.0}}
        metadata = {**described(["kai"]), "scores": scores}
        checkpoints.save(
            tmp_path,
            step=step,
            metadata=metadata,
            config_yaml="",
            networks={"generator": torch.nn.Linear(1, 1)},
            training={},
        )

    for step, ssim in ((1, 0.2), (2, 0.9), (3, 0.5), (4, None), (5, 0.6)):
        save(step, ssim)
    assert [c.step for c in checkpoints.all_checkpoints(tmp_path)] == [2, 4, 5]
    assert checkpoints.find(tmp_path, "best").step == 2
    assert checkpoints.find(tmp_path, "last").step == 5


GPU = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]
)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_takes_a_step(experiment: str, device: str) -> None:
    cfg = compose_config(
        "train", [f"experiment={experiment}", "trainer.batch_size=2", "data.charset=的一是不了在人有我他"]
    )
    where = torch.device(device)
    _, step, sampler = build_parts(cfg, where, pick_precision(cfg.trainer.precision, where))
    report = step([sampler.batch(0).to(where)], 0.99, 0)  # late, so that every term is at work
    assert all(value.isfinite() for value in report.values())
    assert ("adversarial" in report) == (cfg.loss.adversarial.weight > 0)


@pytest.mark.parametrize("device", [GPU])
def test_a_run_on_the_gpu_finishes_and_resumes(device: str, tmp_path: Path, here: Here) -> None:
    settings = [*(o for o in TINY if "device" not in o), f"trainer.device={device}", f"out={tmp_path / 'run'}"]
    assert here("train", *settings, "trainer.stop_at=2").returncode == 0
    assert here("train", *settings).returncode == 0
    assert checkpoints.find(tmp_path / "run", "last").step == 4


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for the CPU with g++")
def test_a_compiled_generator_draws_the_same(pack) -> None:  # type: ignore[no-untyped-def]
    step = make_step("generator.depth=3")
    batch = collate_pairs(pack, pairs_of(pack, pack.trained)[:2])
    compiled = torch.compile(step.generator.eval())
    with torch.no_grad():
        assert torch.allclose(compiled(batch.source, batch.style), step.generator(batch.source, batch.style), atol=1e-4)
