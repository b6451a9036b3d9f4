"""Loggers: each writes what can be read again, nothing twice, and the run's own record needs none of them."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fontgan.config.groups import choices
from fontgan.extras import how_to_install
from fontgan.loggers.lines import Csv, JsonLines
from fontgan.report.collect import collect
from tests.helpers import TINY, Here, error_line, fontgan

ROOT = Path(__file__).parents[2]
SHORT = (*TINY, "trainer.max_steps=2", "trainer.eval_every=2", "trainer.log_every=1")
TAGS = {"loss/dice", "lr/g", "speed/glyphs_per_second", "held_out/kai/ssim", "baseline/blank_page/kai/l1", "last/l1"}


def numbers(file: Path) -> list[tuple[int, str, float]]:
    """Step, tag and value of all that a CSV or JSON Lines file holds."""
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as opened:
            return [(int(row["step"]), row["tag"], float(row["value"])) for row in csv.DictReader(opened)]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [(line["step"], tag, value) for line in lines for tag, value in line.items() if tag != "step"]


# -- files ------------------------------------------------------------------------------------


def test_a_resumed_run_has_every_number_once(tmp_path: Path, here: Here) -> None:
    """Those beyond the checkpoint, as a killed process leaves them, are dropped; other loggers may be chosen."""
    both, steps = "logger=[csv,jsonl]", ("trainer.log_every=1",)
    assert here("train", *TINY, *steps, both, f"out={tmp_path / 'whole'}").returncode == 0
    run = tmp_path / "cut"
    assert here("train", *TINY, *steps, both, f"out={run}", "trainer.stop_at=2").returncode == 0
    with (run / "scalars.csv").open("a") as file:
        file.write("3,loss/l1,9.5\n4,lo")
    with (run / "scalars.jsonl").open("a") as file:
        file.write('{"step": 3, "loss/l1": 9.5}\n{"st')
    rest = here("train", *TINY, *steps, "logger=[csv,jsonl,tensorboard]", f"out={run}")
    assert rest.returncode == 0, rest.stderr
    for name in ("scalars.csv", "scalars.jsonl"):
        whole, resumed = ([n for n in numbers(out / name) if "speed" not in n[1]] for out in (tmp_path / "whole", run))
        assert resumed == whole
        assert len({(step, tag) for step, tag, _ in whole}) == len(whole)
        assert {tag for _, tag, _ in whole} >= TAGS - {"speed/glyphs_per_second"}
    assert list((run / "tensorboard").glob("events*"))
    assert numbers(run / "scalars.csv") == numbers(run / "scalars.jsonl")


@pytest.mark.parametrize("kind", [Csv, JsonLines])
def test_a_log_that_starts_anew_is_empty_and_one_that_goes_back_keeps_its_head(
    kind: Callable[..., Any], tmp_path: Path
) -> None:
    logger = kind(tmp_path)
    logger.start(0)
    for step in (1, 2, 3):
        logger.scalars(step, {"loss/l1": 0.5 / step, 'held_out/a, "b"/l1': 1e-9})
    (file,) = tmp_path.iterdir()
    logger.start(2)
    assert {step for step, _, _ in numbers(file)} == {1, 2}
    logger.scalars(3, {"loss/l1": 7.0})
    assert numbers(file)[-1] == (3, "loss/l1", 7.0)
    assert (2, 'held_out/a, "b"/l1', 1e-9) in numbers(file)
    kind(tmp_path).start(0)
    assert numbers(file) == []


def test_a_run_without_loggers_has_its_own_record_and_can_be_reported(tmp_path: Path, here: Here) -> None:
    run = tmp_path / "runs" / "bare"
    result = here("train", *SHORT, "logger=none", f"out={run}")
    assert result.returncode == 0, result.stderr
    assert {"metrics.jsonl", "sheet.png", "sheets", "checkpoints"} <= {path.name for path in run.iterdir()}
    assert not any(path.name.startswith(("tensorboard", "scalars")) for path in run.iterdir())
    (variant,) = collect(tmp_path / "runs", "best").variants
    assert [line["kind"] for line in variant.runs[0].history][-1] == "held_out"


# -- choosing ---------------------------------------------------------------------------------


def test_unknown_loggers_are_refused_with_the_choices(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("train", *TINY, "logger=[csv,wanb]", f"out={tmp_path / 'run'}")
    assert "logger=wanb: no such variant. Did you mean wandb? Choose one of csv, jsonl, mlflow, none, tensor" in line
    assert "Keys here: project, entity" in refused("train", *TINY, "logger=wandb", "logger.wandb.projekt=a")


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_one_that_is_not_installed_is_refused_before_anything_is_written(
    name: str, refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    line = refused("train", *TINY, f"logger=[csv,{name}]", f"out={tmp_path / 'run'}")
    assert f"logger={name}: {name} is not installed." in line
    assert ("loggers.md" if name == "trackio" else f"Run {how_to_install(name)}.") in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_packages_are_imported_only_where_they_are_chosen(tmp_path: Path) -> None:
    assert set(choices("logger")) == {"csv", "jsonl", "mlflow", "none", "tensorboard", "trackio", "wandb"}
    code = (
        "import sys, fontgan.cli; "
        f"code = fontgan.cli.main(['train', *{SHORT!r}, 'logger=csv', 'out={tmp_path / 'run'}']); "
        "print(code, sorted({'wandb', 'mlflow', 'trackio', 'tensorboard'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip().endswith("0 []"), result.stdout + result.stderr


# -- services, each offline -------------------------------------------------------------------


def train_and_resume(run: Path, here: Here, name: str, *more: str) -> None:
    for steps in (1, 2):
        settings = (*SHORT, f"logger={name}", *more, f"trainer.stop_at={steps}", f"out={run}")
        result = here("train", *settings)
        assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_wandb_keeps_numbers_sheets_and_config_offline(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = tmp_path / "run"
    train_and_resume(run, here, "wandb", "logger.wandb.project=glyphs")
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    name = (run / "wandb.id").read_text()
    assert [file.name for file in files] == [f"run-{name}.wandb"] * 2  # one run, in two starts
    deadline = time.monotonic() + 60  # a process of W&B's own writes the files, and may still be at it
    while "last/l1" not in {tag for row in wandb_history(files[-1]) for tag in row} and time.monotonic() < deadline:
        time.sleep(0.1)
    found = [row for file in files for row in wandb_history(file)]
    assert {tag for row in found for tag in row} >= TAGS
    assert [row["step"] for row in found if "lr/g" in row] == [1, 2]
    media = {file.suffix for file in (run / "wandb").rglob("media/**/*.*")}
    assert {".png", ".html"} <= media


@pytest.mark.slow
def test_wandb_without_a_login_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name, value in (("WANDB_MODE", "online"), ("HOME", str(tmp_path)), ("NETRC", str(tmp_path / "netrc"))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    line = error_line(fontgan("train", *SHORT, "logger=wandb", f"out={tmp_path / 'run'}"))
    assert "logger=wandb: " in line
    assert "Log in (wandb login), or set WANDB_MODE=offline" in line


def wandb_history(file: Path) -> list[dict[str, Any]]:
    """What was logged, of a file in LevelDB's log format: blocks of 32 KiB, records of crc32, length and kind."""
    from wandb.proto import wandb_internal_pb2

    data, record, found = file.read_bytes(), b"", []
    at = 7
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        if at + 7 + length > len(data):
            break  # it is being written
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            parsed = wandb_internal_pb2.Record.FromString(record)
            items = parsed.history.item
            if items:
                found.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
            record = b""
    return found


@pytest.mark.slow
def test_mlflow_keeps_numbers_sheets_and_config_in_files(tmp_path: Path, here: Here) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    run, store = tmp_path / "run", (tmp_path / "store").as_uri()
    train_and_resume(run, here, "mlflow", f"logger.mlflow.tracking_uri={store}")
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("fontgan")
    (found,) = client.search_runs([experiment.experiment_id])  # one run, in two starts
    assert found.info.run_id == (run / "mlflow.id").read_text()
    assert found.info.status == "FINISHED"
    assert set(found.data.metrics) >= TAGS
    assert [point.step for point in client.get_metric_history(found.info.run_id, "lr/g")] == [1, 2]
    assert found.data.params["generator.ngf"] == "8"
    assert "generator" in mlflow.artifacts.load_text(f"{found.info.artifact_uri}/config.md")
    sheet = client.download_artifacts(found.info.run_id, "held_out/sheet/step-00000002.png", str(tmp_path))
    assert np.array_equal(np.asarray(Image.open(sheet).convert("L")), np.asarray(Image.open(run / "sheet.png")))


def test_trackio_keeps_numbers_and_sheets_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed: docs/reference/loggers.md says why")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))
    run = tmp_path / "run"
    for steps in (1, 2):
        settings = (*SHORT, "logger=trackio", f"trainer.stop_at={steps}", f"out={run}")
        assert fontgan("train", *settings).returncode == 0
    name = f"run-{(run / 'trackio.id').read_text()}"
    code = (
        "import json; from trackio.sqlite_storage import SQLiteStorage as S; "
        f"print(json.dumps([S.get_runs('fontgan'), S.get_logs('fontgan', {name!r})]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    runs, rows = json.loads(result.stdout)
    assert len(runs) == 1  # in two starts
    assert {tag for row in rows for tag in row} >= TAGS
    assert sorted(row["step"] for row in rows if "lr/g" in row) == [1, 2]
    assert list((tmp_path / "store" / "media").rglob("*.png"))


# -- one of one's own -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_logger_of_the_docs_is_written_and_trained_with(tmp_path: Path) -> None:
    page = (
        (ROOT / "docs" / "reference" / "extending.md")
        .read_text(encoding="utf-8")
        .partition("## A logger")[2]
        .partition("\n## ")[0]
    )
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "yaml", "sh"]
    shutil.copytree(ROOT / "fontgan", tmp_path / "fontgan", ignore=shutil.ignore_patterns("__pycache__", "configs"))
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for _, text in blocks[:2]:
        name = re.search(r"^# ((fontgan|configs)/\S+)$", text, re.MULTILINE)
        assert name is not None, text
        assert not (tmp_path / name[1]).exists()
        (tmp_path / name[1]).write_text(text, encoding="utf-8")

    def start(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fontgan", *shlex.split(blocks[2][1])[1:], *SHORT, *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    result = start()
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "watched"
    now = json.loads((run / "now.json").read_text())
    assert now["step"] == 2
    assert set(now) >= TAGS
    assert list((run / "tensorboard").glob("events*"))
    assert "Keys here: file" in error_line(start("logger.status.fiel=a"))
