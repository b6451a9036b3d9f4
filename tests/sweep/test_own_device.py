"""Of several GPUs each job of a sweep gets its own; the GPUs are stand-ins, the locks and processes are real."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from fontgan.errors import RunError
from fontgan.sweep import launcher, own_device
from fontgan.sweep.own_device import own_device as job
from tests.helpers import TINY
from tests.sweep.test_sweep import statuses

HOLD = """
import sys, time
from pathlib import Path
from fontgan.runtime.locks import locked
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
with locked(folder, "another job"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two GPUs, unless a test changes the list."""
    there = [0, 1]
    monkeypatch.setattr(own_device, "usable_cards", lambda: there)
    monkeypatch.setattr(own_device, "card_id", lambda number: f"GPU-{number}")
    monkeypatch.setattr(own_device, "pick_device", torch.device)
    monkeypatch.setattr(own_device, "PATIENCE", 0.02)
    return there


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_job_gets_its_own_and_the_next_one_waits(name: str, gpus: list[int], tmp_path: Path) -> None:
    got: list[Any] = []

    def third() -> None:
        with job(name, tmp_path) as device:
            got.append(device)

    with job(name, tmp_path) as first:
        with job(name, tmp_path) as second:
            assert [first, second] == [torch.device("cuda", 0), torch.device("cuda", 1)]
            waiting = threading.Thread(target=third)
            waiting.start()
            time.sleep(0.2)
            assert not got
        waiting.join(10)
        assert got == [second]


def test_a_job_that_failed_holds_nothing(gpus: list[int], tmp_path: Path) -> None:
    def fail() -> None:
        with job("auto", tmp_path) as device:
            assert device.index == 0
            raise RunError("stopped")

    for _ in range(3):
        with pytest.raises(RunError, match="stopped"):
            fail()


def test_a_job_of_another_process_holds_its_gpu_until_it_dies(gpus: list[int], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "GPU-0")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with job("auto", tmp_path) as device:
            assert device.index == 1
        holder.kill()
        holder.wait()
    with job("auto", tmp_path) as device:
        assert device.index == 0


@pytest.mark.parametrize(("name", "there"), [("auto", [0]), ("cpu", [0, 1]), ("cuda:1", [0, 1]), ("mps", [0, 1])])
def test_what_is_named_or_alone_is_shared(
    name: str, there: list[int], gpus: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus[:] = there
    monkeypatch.setattr(own_device, "pick_device", str)
    with job(name, tmp_path) as first, job(name, tmp_path) as second:
        assert first == second == name
    assert not list(tmp_path.iterdir())


def test_the_jobs_of_a_sweep_train_on_the_gpus_they_got(
    gpus: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []

    def train(cfg: Any, swept: Any, device: Any) -> int:
        ran.append(device)
        assert cfg.trainer.device == "auto"  # the run's config does not say which GPU it got
        raise RunError("stopped here")

    monkeypatch.setattr(launcher, "train", train)
    settings = [setting for setting in TINY if "device" not in setting]
    assert launcher.launch([*settings, "trainer.seed=1,2", f"out={tmp_path / 'sweep'}"]) == 1
    assert ran == [torch.device("cuda", 0)] * 2  # one after the other
    assert statuses(tmp_path / "sweep") == ["failed", "failed"]
