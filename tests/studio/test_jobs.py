"""The queue of commands: in order, one training at a time, whatever becomes of the server."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fontgan.runtime.locks import hold
from fontgan.studio.commands import draw_text
from fontgan.studio.jobs import Jobs, write_end
from fontgan.studio.own_text import AT_MOST_EVERY_S, draw_again
from fontgan.studio.progress import progress_of
from fontgan.studio.project import open_project
from tests.helpers import BRUSH
from tests.studio.conftest import Studio, kill_job

COVERAGE = ["coverage", f"font={BRUSH}"]


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
    assert job.typed == f"fontgan coverage font={BRUSH} 'out=found here.json'"
    assert (jobs.project / "found here.json").is_file()


def test_what_fails_says_why_in_the_line_of_the_command(jobs: Jobs) -> None:
    jobs.ask(["coverage", "font=nothing.ttf"])
    wait(jobs)
    (job,) = jobs.all()
    assert job.state == "failed"
    assert job.error.startswith("nothing.ttf: no such font file")


def test_one_of_each_lane_runs_and_the_rest_waits_in_order(jobs: Jobs) -> None:
    first = jobs.ask(COVERAGE)
    second = jobs.ask([*COVERAGE, "out=second.json"])
    third = jobs.ask([*COVERAGE, "out=third.json"])
    long = jobs.ask(["complete", "target=nothing.ttf"])  # refused, but in a lane of its own
    assert [first.state, second.state, third.state, long.state] == ["running", "waiting", "waiting", "running"]
    assert jobs.ask([*COVERAGE, "out=third.json"]).number == third.number, "what waits is not asked for twice"
    expect = jobs.ask(["complete", "target=nothing.ttf", "expect=expected.json"])
    assert (long.does, expect.does, expect.lane) == ("complete", "expect", "short"), (
        "to tell what to expect is no training"
    )
    jobs.stop(expect)
    jobs.stop(second)
    wait(jobs)
    assert [job.state for job in jobs.all()] == ["done", "stopped", "done", "failed", "stopped"]
    assert not (jobs.project / "second.json").exists()


def test_a_job_whose_process_died_is_cut_off(jobs: Jobs) -> None:
    job = jobs.ask(COVERAGE)
    kill_job(job)
    wait(jobs)
    assert jobs.all()[0].state == "cut off"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"command": 3}',
        '{"command": [], "lane": "x", "asked": ""}',
        '{"command": [], "asked": "2026-01-01T00:00:00Z"}',
        '{"command": ["scan"], "asked": ""}',
    ],
)
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


def test_the_own_text_is_drawn_again_after_a_save_of_the_training(tmp_path: Path) -> None:
    def write_job(number: int, command: list[str], age: float) -> Path:
        folder = tmp_path / "jobs" / f"{number:04d}"
        folder.mkdir(parents=True)
        asked = datetime.now(UTC) - timedelta(seconds=age)
        (folder / "job.json").write_text(json.dumps({"command": command, "asked": asked.isoformat()}))
        (folder / "log.txt").touch()
        return folder

    def drawn_for(text: str, **last: Any) -> list[list[str]]:
        """What is asked for after a save, where the text was drawn for before that with this end and age."""
        project = open_project(tmp_path).choose(target="in/A.ttf", text=text)
        (project.work / "run" / "checkpoints" / "step-00000200").mkdir(parents=True, exist_ok=True)
        with hold(write_job(1, ["coverage"], 0) / ".lock"):  # so that nothing starts
            if last:
                write_end(
                    write_job(2, draw_text(project.choose(text=last.get("before", text))), last["age"]), last["code"]
                )
            draw_again(project.choose(text=text), Jobs(tmp_path))
            found = [job.command for job in Jobs(tmp_path).all() if job.state == "waiting"]
        shutil.rmtree(tmp_path / "jobs")
        return found

    first = drawn_for("永字")
    assert [words[0] for words in first] == ["infer"]
    assert {"text='永字'", "which=last"} <= set(first[0])
    assert drawn_for("") == [], "no text was chosen"
    assert drawn_for("永字", age=600, code=0) == first, "the training has saved since"
    assert drawn_for("永字", age=-5, code=0) == [], "the save was drawn"
    assert drawn_for("永字", age=AT_MOST_EVERY_S / 2, code=0) == [], "it was drawn a moment ago"
    assert drawn_for("永字", age=600, code=1) == [], "what failed is not tried again by itself"
    assert drawn_for("永字", age=600, code=130) == [], "nor what was stopped"
    assert drawn_for("永字", age=600, code=1, before="字") == first, "another text is"
