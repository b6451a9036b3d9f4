"""The queue of commands: in order, one training at a time, whatever becomes of the server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fontgan.studio.jobs import Jobs, read_pid
from fontgan.studio.progress import progress_of
from tests.helpers import BRUSH
from tests.studio.conftest import Studio

COVERAGE = ["coverage", f"target={BRUSH}"]


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def wait(jobs: Jobs) -> None:
    import time

    end = time.monotonic() + 60
    while any(job.state in ("running", "waiting") for job in jobs.all()):
        jobs.start_next()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_command_runs_to_its_end_and_is_kept_as_it_was_typed(jobs: Jobs) -> None:
    job = jobs.ask([*COVERAGE, "out=found here.json"])
    assert job.state == "running"
    wait(jobs)
    (job,) = jobs.all()
    assert job.state == "done"
    assert "100%  ascii" in job.log
    assert job.typed == f"fontgan coverage target={BRUSH} 'out=found here.json'"
    assert (jobs.project / "found here.json").is_file()


def test_what_fails_says_why_in_the_line_of_the_command(jobs: Jobs) -> None:
    jobs.ask(["coverage", "target=nothing.ttf"])
    wait(jobs)
    (job,) = jobs.all()
    assert job.state == "failed"
    assert job.error.startswith("nothing.ttf: no such font file")


def test_one_of_each_lane_runs_and_the_rest_waits_in_order(jobs: Jobs) -> None:
    first = jobs.ask(COVERAGE)
    second = jobs.ask([*COVERAGE, "out=second.json"])
    third = jobs.ask([*COVERAGE, "out=third.json"])
    long = jobs.ask(["train", "trainer.max_steps=none"])  # refused, but in a lane of its own
    assert [first.state, second.state, third.state, long.state] == ["running", "waiting", "waiting", "running"]
    assert jobs.ask([*COVERAGE, "out=third.json"]).number == third.number, "what waits is not asked for twice"
    jobs.stop(second)
    wait(jobs)
    assert [job.state for job in jobs.all()] == ["done", "stopped", "done", "failed"]
    assert not (jobs.project / "second.json").exists()


def test_a_job_whose_process_died_is_cut_off(jobs: Jobs) -> None:
    job = jobs.ask(COVERAGE)
    pid = read_pid(job.folder)
    assert pid
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    wait(jobs)
    assert jobs.all()[0].state == "cut off"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"command": 3}', '{"command": [], "lane": "x", "asked": ""}'])
def test_a_damaged_job_is_passed_over(jobs: Jobs, content: str) -> None:
    folder = jobs.folder / "0001"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(content)
    assert jobs.all() == []
    assert jobs.ask(COVERAGE).number == 2
    wait(jobs)


def test_a_job_outlives_the_server_and_what_waits_is_begun_by_the_next(studio: Studio, tmp_path: Path) -> None:
    studio.post("/start/drop", files=[("Brush.ttf", BRUSH.read_bytes())])  # coverage, then preview
    studio.kill()
    queue = Jobs(studio.project)
    assert len(queue.all()) == 2
    studio.wait(lambda: queue.all()[0].state != "running")
    assert queue.all()[0].state == "done", "it was not the server's child to die with it"
    studio.start()
    studio.wait(lambda: queue.all()[1].state != "waiting")
    jobs = queue.all()
    assert jobs[1].state in ("running", "done")
    queue.stop(jobs[1])
    studio.wait(lambda: queue.all()[1].state != "running")


LOG = """\
out: Brush-complete.ttf
1 of 5: training in run
step 200, held-out (best baseline): kai: l1 0.139 (0.194)
training:  15% 119/800 [00:30<02:51,  3.97step/s, 60 glyphs/s ink_bce 0.145]
"""


def test_progress_is_read_from_what_a_command_writes() -> None:
    found = progress_of(LOG)
    assert (found.stage, found.of, found.what, found.share, found.left) == (1, 5, "training", 0.15, "2:51")
    later = progress_of(LOG + "4 of 5: tracing 19 outlines\n")
    assert (later.stage, later.share) == (4, None)
    assert progress_of("").share is None
    assert progress_of("x: 3% 1/? [00:01<?]").share is None
