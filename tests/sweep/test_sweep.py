"""Sweeps: their jobs, ready-made ones, equal budgets and sizes, being killed, launchers, the search, HParams."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch.utils.flop_counter import FlopCounterMode

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, config_folder
from fontgan.config.instantiate import build, build_generator
from fontgan.config.overrides import job_folder
from fontgan.data.batches import GlyphBatch
from fontgan.errors import ConfigError, RunError
from fontgan.extras import how_to_install
from fontgan.models.cost import closest_width, forward_flops, parameters
from fontgan.report import collect
from fontgan.runtime.locks import locked
from fontgan.sweep import jobs, launcher
from fontgan.training import checkpoint as checkpoints
from fontgan.training.budget import Budget, parse_budget, step_flops
from tests.helpers import SOURCE, TINY, Here, fontgan, on_meta

READY = [name for name in choices("sweep") if name != "none"]
GRIDS = [name for name in READY if name != "optuna"]
NO_STEPS = tuple(setting for setting in TINY if "max_steps" not in setting)
NO_WIDTH = tuple(setting for setting in TINY if "ngf" not in setting)


def listed(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    assert content["format"] == 1
    return content["jobs"]  # type: ignore[no-any-return]


def statuses(folder: Path) -> list[str]:
    return [job["status"] for job in listed(folder)]


# -- what a sweep is ------------------------------------------------------------------------


def test_each_job_has_its_own_folder_and_a_failed_one_does_not_end_the_sweep(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    swept = [
        "generator/up=deconv,gated",
        f"data.source=gone.ttf,{SOURCE}",
        "trainer.max_steps=1",
        "out=字/sweep",
        "trainer.sheet_chars=0",
    ]
    result = here("train", "-m", *TINY, *swept)
    assert result.returncode == 1
    assert "2 jobs done, 2 failed" in result.stderr
    assert "Traceback" not in result.stderr
    there = {job["folder"]: job for job in listed(tmp_path / "字" / "sweep")}
    assert len(there) == 4
    for folder, job in there.items():
        lacks = job["overrides"]["data.source"] == "gone.ttf"
        assert set(job["overrides"]) == {"generator/up", "data.source"}
        assert job["status"] == ("failed" if lacks else "done")
        assert ("gone.ttf" in (job["error"] or "")) == lacks
        assert (tmp_path / "字" / "sweep" / folder / "checkpoints").is_dir() != lacks
        if lacks:
            assert f"failed: {folder}: " in result.stderr
    assert os.listdir(tmp_path) == ["字"]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("swept", "says"),
    [
        ("generator/up=deconv,nope", "generator/up=nope: no such variant"),
        ("trainer.sed=1,2", "Did you mean seed?"),
        ("optim.lr=0.1,fast", "fast"),
        ("optim.lr=interval(0.1,0.2)", "Add sweep=optuna"),
        ("generator.match_params=800k,huge", "generator.match_params=huge: cannot be read"),
        ("sweep.budget=2steps,3", "sweep.budget=3: cannot be read"),
        ("launcher=slum", "Did you mean slurm?"),
        ("generator/up=glob(z*)", "there is no such variant of generator/up"),
        ("trainer.seed=glob(*)", "there is no such variant of trainer.seed"),
        ("trainer.seed=range(3,3)", "stands for no value"),
        ("trainer.seed=range(1,3,0)", "must not be zero"),
        ("sweep.over=foo", "sweep.over=foo: settings with their values are needed"),
        ("sweep.over=null", "sweep.over=null: settings with their values are needed"),
        ("sweep.budget=1e999FLOP", "sweep.budget=1e999FLOP: cannot be read"),
    ],
)
def test_a_sweep_is_checked_before_its_first_job(
    swept: str, says: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    kept = [setting for setting in NO_STEPS if "ngf" not in setting]
    assert says in refused("train", "-m", *kept, swept, f"out={tmp_path / 'sweep'}")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["sweep=up_blocks"], "Add -m"),
        (["sweep=optuna"], "Add -m"),
        (["launcher=joblib"], "Add -m"),
        (["hydra.launcher.n_jobs=2"], "Add -m"),
        (["sweep.budget=5min"], "trainer.max_steps: sweep.budget=5min sets it"),
        (["generator.match_params=8M"], "generator.ngf: generator.match_params=8M chooses it"),
    ],
)
def test_what_would_be_ignored_is_refused(
    settings: list[str], says: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert says in refused("train", *TINY, *settings, f"out={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_the_ready_sweeps_are_found() -> None:
    assert {"up_blocks", "style_by_up", "optuna"} <= set(READY)
    assert {p.stem for p in (config_folder() / "sweep").glob("*.yaml")} == {"none", *READY}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "typed", "jobs"),
    [("up_blocks", (), 16), ("up_blocks", ("generator/up=gated", "trainer.seed=5,6,7"), 3),
     ("style_by_up", (), 9)],
)  # fmt: skip
def test_a_ready_sweep_lists_its_jobs_and_gives_way_to_what_is_typed(
    name: str, typed: tuple[str, ...], jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything up to the first job, which fails before it does anything."""
    ran: list[str] = []

    def fail(cfg: Any, swept: Any, device: Any) -> int:
        ran.append(Path(cfg.out).name)
        assert not cfg.sweep.over
        raise RunError("stopped here")

    monkeypatch.setattr(launcher, "train", fail)
    assert launcher.launch([*TINY, f"sweep={name}", *typed, f"out={tmp_path}"]) == 1
    assert [job["folder"] for job in listed(tmp_path)] == ran
    assert len(ran) == jobs
    assert statuses(tmp_path) == ["failed"] * jobs
    if "generator/up=gated" in typed:
        assert ran == [f"trainer.seed={seed}" for seed in (5, 6, 7)]
    if name == "up_blocks" and not typed:
        assert "generator-up=interpolate_conv,trainer.seed=2" in ran
        assert listed(tmp_path)[0]["overrides"] == {"generator/up": "deconv", "trainer.seed": "1"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("swept", "values"),
    [
        ("data.targets=[a/b.ttf],[a-b.ttf]", ["[a/b.ttf]", "[a-b.ttf]"]),
        ("data.targets={mine: 字.ttf},{mine: 体.ttf}", ["{mine:字.ttf}", "{mine:体.ttf}"]),
        ("data.source=a/b.ttf,a-b.ttf", ["a/b.ttf", "a-b.ttf"]),
        ("data.source=shelf:sans,shelf:song", ["shelf:sans", "shelf:song"]),
        ("data.charset=、,。", ["、", "。"]),
        ("data.charset=的一,不是", ["的一", "不是"]),
    ],
)
def test_jobs_are_listed_by_the_folders_they_run_in(
    swept: str, values: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = swept.partition("=")[0]
    ran: dict[str, Any] = {}

    def fail(cfg: Any, settings: dict[str, Any], device: Any) -> int:
        ran[Path(cfg.out).name] = settings[key]
        raise RunError("stopped here")

    monkeypatch.setattr(launcher, "train", fail)
    kept = [setting for setting in TINY if "charset" not in setting]
    assert launcher.launch([*kept, swept, f"out={tmp_path}"]) == 1
    assert [job["folder"] for job in listed(tmp_path)] == list(ran)
    assert [job["overrides"] for job in listed(tmp_path)] == [{key: value} for value in values]
    assert statuses(tmp_path) == ["failed", "failed"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(ran)
    if "targets" not in key:
        assert list(ran.values()) == values  # what HParams show
    assert not any("__u" in f"{name}{shown}" for name, shown in ran.items())


def test_folders_are_named_by_plain_values_and_told_apart_by_a_hash_of_others() -> None:
    assert job_folder({"trainer.seed": "1", "generator/up": "deconv"}) == "generator-up=deconv,trainer.seed=1"
    assert job_folder({"data.charset": "的一"}) == "data.charset=的一"
    assert job_folder({}) == "default"
    names = {job_folder({"data.source": value}) for value in ("a/b.ttf", "a-b.ttf", "a b.ttf", "a:b.ttf")}
    assert len(names) == 4
    assert "data.source=a-b.ttf" in names
    assert all(re.fullmatch(r"data\.source=a-b\.ttf(-[0-9a-f]{8})?", name) for name in names)
    long = {job_folder({"data.charset": "的" * 200 + last}) for last in "一、。"}
    assert len(long) == 3
    assert all(len(name.encode()) <= 200 for name in long)


@pytest.mark.slow
def test_a_pattern_stands_for_the_variants_that_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "train", lambda *_: (_ for _ in ()).throw(RunError("stopped here")))
    assert launcher.launch([*TINY, "generator/up=glob(*,exclude=[c*,d*,g*,s*])", f"out={tmp_path}"]) == 1
    names = [job["overrides"]["generator/up"] for job in listed(tmp_path)]
    assert names == [name for name in choices("generator/up") if name[0] not in "cdgs"]
    assert len(names) >= 4


def test_every_ready_grid_is_counted_above() -> None:
    assert set(GRIDS) == {"up_blocks", "style_by_up"}


def test_two_sweeps_in_one_folder_are_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    with locked(tmp_path, "a test"):
        assert "another sweep is at work there" in refused("train", "-m", *TINY, "trainer.seed=1,2", f"out={tmp_path}")


def test_the_list_of_jobs_keeps_finished_ones_and_is_never_half_written(tmp_path: Path) -> None:
    one, two = jobs.Job("a", {"trainer.seed": "1"}), jobs.Job("b", {"trainer.seed": "2"})
    jobs.list_jobs(tmp_path, [one, two])
    assert statuses(tmp_path) == ["waiting", "waiting"]
    jobs.record(tmp_path, one, status=jobs.DONE)
    jobs.record(tmp_path, two, status=jobs.FAILED, error="because")
    assert listed(tmp_path)[1] == {
        "folder": "b", "overrides": {"trainer.seed": "2"}, "status": "failed", "error": "because", "starts": 0,
    }  # fmt: skip
    jobs.list_jobs(tmp_path, [two, jobs.Job("c")])
    assert [(job.folder, job.status, job.error) for job in jobs.read_jobs(tmp_path)] == [
        ("a", "done", None),
        ("b", "waiting", None),
        ("c", "waiting", None),
    ]
    (tmp_path / "sweep.json").write_text('{"format": 1, "jo')
    with pytest.raises(RunError, match="is damaged"):
        jobs.read_jobs(tmp_path)
    (tmp_path / "sweep.json").write_text('{"format": 7, "jobs": []}')
    with pytest.raises(RunError, match="has format 7"):
        jobs.read_jobs(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ['{"format": 1, "jo', '{"format": 7, "jobs": []}', "[]", '{"format": 1, "jobs": [{"folder": 3}]}',
     '{"format": 1, "jobs": [{"folder": "a", "overrides": [1]}]}'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_noted_by_the_report(text: str, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(RunError):
        jobs.read_jobs(tmp_path)
    found = collect.collect(tmp_path, "last")
    assert [len(variant.runs) for variant in found.variants] == [1]
    (note,) = found.notes
    assert note.startswith(str(tmp_path / "sweep.json"))


def test_jobs_of_many_processes_write_the_list_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fontgan.sweep import jobs\n"
        "for i in range(20): jobs.record(Path(sys.argv[1]), jobs.Job(f'{sys.argv[2]}{i}'), status=jobs.DONE)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert {job.folder for job in jobs.read_jobs(tmp_path)} == {f"{name}{i}" for name in "ab" for i in range(20)}


# -- killed and started again; HParams --------------------------------------------------------


def state(folder: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.fixture(scope="module")
def killed_sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], dict[str, tuple[int, int]]]:
    """A sweep of three jobs that was killed in its second; its command; the state of its first job's files."""
    out = tmp_path_factory.mktemp("sweeps") / "killed"
    command = ["train", "-m", *NO_STEPS, "generator/up=deconv,gated,subpixel", "trainer.max_steps=20",
               "trainer.eval_every=10", f"out={out}"]  # fmt: skip
    with (out.parent / "errors").open("w") as errors:
        process = subprocess.Popen([sys.executable, "-m", "fontgan", *command], stderr=errors)
        deadline = time.monotonic() + 200
        while not list((out / "generator-up=gated" / "checkpoints").glob("step-*")):
            assert process.poll() is None, (out.parent / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    return out, command, state(out / "generator-up=deconv")


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_was(
    killed_sweep: tuple[Path, list[str], dict[str, tuple[int, int]]], here: Here
) -> None:
    out, command, first_job = killed_sweep
    assert statuses(out) == ["done", "running", "waiting"]
    assert checkpoints.find(out / "generator-up=gated", "last").step < 20
    assert not (out / "generator-up=subpixel").exists()
    again = here(*command)
    assert again.returncode == 0, again.stderr
    assert statuses(out) == ["done", "done", "done"]
    assert f"nothing is left to do in {out / 'generator-up=deconv'}" in again.stderr
    assert again.stderr.count("goes on from step") == 1
    assert again.stderr.count("finished at step 20 after") == 2
    assert state(out / "generator-up=deconv") == first_job
    assert len(first_job) >= 10
    for job in listed(out):
        assert checkpoints.find(out / job["folder"], "last").step == 20
        lines = [json.loads(line) for line in (out / job["folder"] / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [0, 0, 0, 10, 20]
    everything = {job["folder"]: state(out / job["folder"]) for job in listed(out)}
    third = here(*command)
    assert third.returncode == 0, third.stderr
    assert third.stderr.count("nothing is left to do") == 3
    assert {job["folder"]: state(out / job["folder"]) for job in listed(out)} == everything

    # TensorBoard's HParams: each run says what it was and how it ended.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    for job in listed(out):
        events = EventAccumulator(str(out / job["folder"] / "tensorboard"))
        events.Reload()
        content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
        said = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        assert said["generator/up"].string_value == job["overrides"]["generator/up"]
        assert said["generator.ngf"].number_value == 8
        scores = checkpoints.find(out / job["folder"], "last").metadata["scores"]
        for key in ("l1", "ssim"):
            mean = sum(style[key] for style in scores.values()) / len(scores)
            assert events.Scalars(f"last/{key}")[-1].value == pytest.approx(mean)
            assert events.Scalars(f"best/{key}")


# -- equal budgets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("2000steps", Budget(2000, "steps")),
        ("1 step", Budget(1, "steps")),
        ("5min", Budget(5, "minutes")),
        ("0.5 minutes", Budget(0.5, "minutes")),
        ("30PFLOP", Budget(30e15, "FLOP")),
        ("1.5 TFLOPs", Budget(1.5e12, "FLOP")),
        ("3e15FLOP", Budget(3e15, "FLOP")),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text",
    [
        "2000",
        "steps",
        "0min",
        "-3min",
        "5h",
        "1.5steps",
        "30PFLOPS/s",
        "",
        "1e999FLOP",
        "1e300EFLOP",
        "1e999min",
        "1e999steps",
    ],
)
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.budget"):
        parse_budget(text)


@pytest.mark.slow
def test_a_budget_sets_the_length_of_the_training() -> None:
    steps = compose_config("train", [*NO_STEPS, "sweep.budget=7steps"]).trainer
    assert (steps.max_steps, steps.max_minutes) == (7, None)
    minutes = compose_config("train", [*NO_STEPS, "sweep.budget='0.5 min'"]).trainer
    assert minutes.max_minutes == 0.5
    assert minutes.max_steps >= 10**9
    with pytest.raises(ConfigError, match="a step of this training takes"):
        compose_config("train", [*NO_STEPS, "sweep.budget=1kFLOP"])


@pytest.mark.slow
def test_a_budget_of_operations_gives_cheaper_variants_more_steps() -> None:
    def max_steps(*settings: str) -> int:
        return int(compose_config("train", [*NO_STEPS, *settings, "sweep.budget=1TFLOP"]).trainer.max_steps)

    cheap, dear = max_steps("generator/up=deconv_add"), max_steps("generator/up=resskip")
    assert cheap > 1.2 * dear
    assert max_steps("trainer.batch_size=2") == pytest.approx(2 * max_steps(), rel=0.02)
    # Accumulation redraws each batch for the discriminator's update, hence rather less than half the steps.
    assert max_steps("trainer.accumulate=2") < 0.5 * max_steps()
    alone, late, early = (
        max_steps("loss=ink", "discriminator=none"), max_steps("loss.adversarial.start=0.5"),
        max_steps("loss.adversarial.start=0"),
    )  # fmt: skip
    assert alone > late > early
    assert 1 / late == pytest.approx((1 / alone + 1 / early) / 2, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [["loss.adversarial.start=0"], ["loss.adversarial.start=0", "trainer.accumulate=2"], ["loss=zi2zi", "discriminator=zi2zi"], ["loss=ink", "discriminator=none"]],
)  # fmt: skip
def test_operations_of_a_step_are_those_of_a_real_one(settings: list[str]) -> None:
    cfg = compose_config("train", [*TINY, *settings])
    _, step, sampler = build_parts(cfg, torch.device("cpu"), "fp32")
    batches: list[GlyphBatch] = [sampler.batch(index) for index in range(cfg.trainer.accumulate)]
    with FlopCounterMode(display=False) as counter:
        step(batches, 1.0, 0)
    counted = step_flops(
        *on_meta(step), step.objective, size=64, batch_size=cfg.trainer.batch_size, accumulate=cfg.trainer.accumulate,
    )  # fmt: skip
    assert counted == pytest.approx(counter.get_total_flops(), rel=1e-6)
    assert counted > 2 * cfg.trainer.batch_size * cfg.trainer.accumulate * forward_flops(step.generator, 64)


@pytest.mark.slow
def test_a_run_of_so_many_minutes_ends_after_them_and_is_finished_then(tmp_path: Path, here: Here) -> None:
    command = ["train", *NO_STEPS, "sweep.budget=0.02min", f"out={tmp_path / 'run'}"]
    result = here(*command)
    assert result.returncode == 0, result.stderr
    assert "sweep.budget=0.02min: trainer.max_minutes=0.02, however many steps" in result.stderr
    saved = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert (saved.sweep.budget, saved.trainer.max_minutes) == ("0.02min", 0.02)
    assert 0.02 <= checkpoints.find(tmp_path / "run", "last").metadata["minutes"] < 0.2
    assert "nothing is left to do" in here(*command).stderr


# -- equal parameters -----------------------------------------------------------------------


def test_cost_of_the_classic_network() -> None:
    network = build_generator(compose_config("train", ["experiment=zi2zi_classic"]), 3)
    assert parameters(network) == pytest.approx(55.46e6, rel=2e-4)
    assert forward_flops(network, 256) == pytest.approx(11.897e9, rel=1e-4)
    assert network.training
    assert next(network.parameters()).device.type == "cpu"


def test_the_width_of_a_known_size_is_found() -> None:
    cfg = compose_config("train", ["experiment=zi2zi_classic", "generator.match_params=55.46M"])
    assert cfg.generator.ngf == 64
    assert closest_width(lambda width: width * width, 26) == 5
    assert closest_width(lambda width: width * width, 31) == 6
    assert closest_width(lambda width: width * width, 1) == 1
    assert closest_width(lambda width: width * width, 10**9) == 1024


def count(cfg: DictConfig, ngf: int) -> int:
    cfg = cfg.copy()
    cfg.generator.ngf = ngf
    return parameters(build_generator(cfg, 3))


@cache
def wanted_count() -> int:
    return count(compose_config("train", [*NO_WIDTH, "generator/up=interpolate_conv"]), 24)


@pytest.mark.slow
@pytest.mark.parametrize("up", choices("generator/up"))
def test_a_preset_is_matched_by_the_nearest_width(up: str) -> None:
    wanted = wanted_count()
    cfg = compose_config("train", [*NO_WIDTH, f"generator/up={up}", "generator.ngf=24", "generator.match_params=interpolate_conv"])  # fmt: skip
    ngf = cfg.generator.ngf
    assert cfg.generator.match_params == "interpolate_conv"
    off = {near: abs(count(cfg, near) - wanted) for near in (ngf - 1, ngf, ngf + 1)}
    assert min(off, key=lambda near: off[near]) == ngf
    assert off[ngf] < 0.08 * wanted
    assert ngf == 24 or up != "interpolate_conv"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("huge", f"Write a count (8M, 800k, 8000000), or a preset of generator/up: {choices('generator/up')[0]}"),
        ("10", "generator.ngf=1 has"),
        ("9000G", "generator.ngf=1024 has"),
    ],
)
def test_other_sizes_are_refused(wanted: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose_config("train", [*NO_WIDTH, f"generator.match_params={wanted}"])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_matched_sweep_resumes_and_draws_without_its_preset(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep"
    command = ["train", "-m", *TINY, "generator/up=deconv,resskip", "generator.match_params=subpixel", f"out={out}"]
    assert here(*command, "trainer.stop_at=2").returncode == 0
    assert statuses(out) == ["waiting", "waiting"]
    result = here(*command)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("goes on from step 2") == 2
    assert result.stderr.count("generator.match_params=subpixel: ") == 2
    assert statuses(out) == ["done", "done"]
    saved = [OmegaConf.load(out / job["folder"] / "config.yaml") for job in listed(out)]
    assert [cfg.generator.match_params for cfg in saved] == ["subpixel", "subpixel"]
    assert saved[0].generator.ngf != saved[1].generator.ngf
    monkeypatch.setattr("fontgan.models.cost.closest_width", lambda *_: pytest.fail("searched once more"))
    monkeypatch.setattr("fontgan.config.compose.choices", lambda group: [])
    run = out / listed(out)[0]["folder"]
    drawn = here("infer", f"checkpoint={run}", "text=一", "style=kai", f"out={tmp_path / 'drawn'}", "allow=[blank]")
    assert drawn.returncode == 0, drawn.stderr
    assert list((tmp_path / "drawn").rglob("*.png"))


def test_what_settles_the_config_is_no_argument_of_the_network() -> None:
    cfg = compose_config("train", [*NO_WIDTH, "generator.match_params=100000"])
    assert parameters(build(cfg.generator, "generator", styles=3)) == pytest.approx(1e5, rel=0.2)


# -- other processes and machines -----------------------------------------------------------


def needs(plugin: str) -> pytest.MarkDecorator:
    there = importlib.util.find_spec(f"hydra_plugins.hydra_{plugin}") is not None
    return pytest.mark.skipif(not there, reason=f"the Hydra plugin hydra_{plugin} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "settings", "bad_first"),
    [
        pytest.param("joblib", ("hydra.launcher.n_jobs=2",), True, marks=needs("joblib_launcher")),
        pytest.param("submitit_local", (), False, marks=needs("submitit_launcher")),
        pytest.param("ray", ("hydra.launcher.ray.init.num_cpus=2",), False, marks=needs("ray_launcher")),
    ],
)
def test_a_sweep_runs_through_a_launcher(
    launcher: str, settings: tuple[str, ...], bad_first: bool, tmp_path: Path
) -> None:
    """One job that trains and one whose font is gone, each in a process of its own."""
    sources = f"data.source=gone.ttf,{SOURCE}" if bad_first else f"data.source={SOURCE},gone.ttf"
    result = fontgan("train", "-m", *TINY, sources, f"launcher={launcher}", *settings, "out=字/sweep", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    assert "1 jobs done, 1 failed" in result.stderr
    jobs = {job["overrides"]["data.source"]: job for job in listed(tmp_path / "字" / "sweep")}
    assert {source: job["status"] for source, job in jobs.items()} == {str(SOURCE): "done", "gone.ttf": "failed"}
    assert "failed: data.source=gone.ttf: " in result.stderr
    run = tmp_path / "字" / "sweep" / jobs[str(SOURCE)]["folder"]
    assert checkpoints.find(run, "last").step == 4
    assert "finished at step 4" in (run / "train.log").read_text()


def test_the_launchers_are_found_and_each_selects_one_of_hydra() -> None:
    from fontgan.config.groups import hydra_choices

    selected = {name: hydra_choices("train", [f"launcher={name}"])["hydra/launcher"] for name in choices("launcher")}
    assert selected == {
        "joblib": "joblib", "local": "basic", "ray": "ray", "slurm": "submitit_slurm", "submitit_local": "submitit_local",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "group", "file", "extra"),
    [
        ("launcher=joblib", "launcher", "joblib.yaml", "joblib"),
        ("launcher=slurm", "launcher", "submitit_slurm.yaml", "slurm"),
        ("launcher=ray", "launcher", "ray.yaml", "ray"),
        ("sweep=optuna", "sweeper", "optuna.yaml", "optuna"),
    ],
)
def test_a_plugin_that_is_not_installed_is_named_with_its_extra(
    setting: str, group: str, file: str, extra: str, tmp_path: Path, refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    compose_config("train", [])  # Hydra has looked for its plugins
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"][group], file)
    line = refused("train", "-m", *TINY, setting, "trainer.seed=1,2", f"out={tmp_path / 'sweep'}")
    assert how_to_install(extra) in line
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="there is a SLURM here")
@needs("submitit_launcher")
def test_slurm_where_there_is_none_is_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("train", "-m", *TINY, "trainer.seed=1,2", "launcher=slurm", f"out={tmp_path}")
    assert "sweep: stopped" in line
    assert statuses(tmp_path) == ["waiting", "waiting"]


# -- a search -------------------------------------------------------------------------------


@pytest.mark.slow
@needs("optuna_sweeper")
def test_a_search_maximises_the_held_out_score_and_finds_its_trials_again(tmp_path: Path, here: Here) -> None:
    command = ["train", "-m", *TINY, "sweep=optuna", "hydra.sweeper.n_trials=2", f"out={tmp_path}"]
    result = here(*command)
    assert result.returncode == 0, result.stderr
    jobs = listed(tmp_path)
    assert [job["status"] for job in jobs] == ["done", "done"]
    assert set(jobs[0]["overrides"]) == {"optim.lr", "loss.edge.weight", "loss.dice.weight"}
    scores = {}
    for job in jobs:
        cfg = OmegaConf.load(tmp_path / job["folder"] / "config.yaml")
        assert 0.0003 <= cfg.optim.lr <= 0.01
        assert cfg.optim.lr == pytest.approx(float(job["overrides"]["optim.lr"]))
        scores[cfg.optim.lr] = checkpoints.find(tmp_path / job["folder"], "best").score
    assert len(scores) == 2
    found = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert found.best_value == pytest.approx(max(scores.values()))
    assert scores[found.best_params["optim.lr"]] == pytest.approx(found.best_value)
    before = {job["folder"]: state(tmp_path / job["folder"]) for job in jobs}
    again = here(*command)
    assert again.stderr.count("nothing is left to do") == 2
    assert "2 jobs done" in again.stderr
    assert {job["folder"]: state(tmp_path / job["folder"]) for job in listed(tmp_path)} == before


@pytest.mark.slow
@needs("optuna_sweeper")
def test_a_search_without_anything_held_out_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("train", "-m", *TINY, "data.holdout=0", "sweep=optuna", f"out={tmp_path / 'sweep'}")
    assert "a search needs held-out characters" in line
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@needs("optuna_sweeper")
def test_failed_trials_of_an_earlier_search_are_not_held_against_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = jobs.FAILED

    def run(cfg: Any) -> float:
        folder = Path(HydraConfig.get().runtime.output_dir)
        jobs.record(tmp_path, jobs.Job(folder.name), status=jobs.RUNNING)
        jobs.record(tmp_path, jobs.Job(folder.name), status=outcome)
        return 0.5

    monkeypatch.setattr(launcher, "run_job", run)
    command = [*TINY, "sweep=optuna", "hydra.sweeper.n_trials=1", f"out={tmp_path}"]
    assert launcher.launch(command) == 1
    assert launcher.launch(command) == 1  # the same trial, failed once more
    assert [(job["status"], job["starts"]) for job in listed(tmp_path)] == [("failed", 2)]
    outcome = jobs.DONE
    assert launcher.launch([*command, "hydra.sweeper.sampler.seed=2"]) == 0
    assert statuses(tmp_path) == ["failed", "done"]
