"""Few-shot measurements: fixed lots, trials that go on, tables with intervals, and two of them compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fontgan.complete.expect import read_table
from fontgan.config.compose import compose_config
from fontgan.data.plan import Target
from fontgan.errors import DataError
from fontgan.evaluation.fewshot import draw_lots
from fontgan.evaluation.fewshot_table import Glyphs, compare, read_trials, table
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, box, error_line, fontgan_here, make_font

ROOT = Path(__file__).parents[2]
RECIPE = [setting for setting in TINY if not setting.startswith(("data.charset", "trainer.max_steps"))]


def command(out: Path, *more: str, fonts: str = f"{{kai: '{KAI}', brush: '{BRUSH}'}}") -> list[str]:
    return ["fewshot", *RECIPE, f"fonts={fonts}", f"data.source={SOURCE}", f"out={out}",
            "known=[12,24]", "drawn=10", "budget=2steps", "replicates=50", *more]  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fewshot") / "a"
    result = fontgan_here(*command(out))
    assert result.returncode == 0, result.stderr
    return out


def config(*overrides: str) -> Any:
    return compose_config("fewshot", ["fonts=[A.ttf]", "out=x", f"data.source={SOURCE}", *overrides])


def test_lots_are_fixed_and_nested() -> None:
    few, many = (draw_lots(config(f"known=[{n}]", "drawn=50"), "kai", Target(str(KAI))) for n in (30, 800))
    assert few == many
    brush = draw_lots(config("known=[30]", "drawn=50"), "brush", Target(str(BRUSH)))
    assert len(set(few[:50]) & set(brush[:50])) > 40  # but for what a font lacks
    with pytest.raises(DataError, match="drawn and known need 1250"):
        draw_lots(config("known=[1050]"), "kai", Target(str(KAI)))


def test_what_is_drawn_was_never_trained_on_and_is_the_same_for_every_number(measured: Path) -> None:
    seen: dict[str, set[str]] = {}
    for known in (12, 24):
        for font in ("kai", "brush"):
            folder = measured / f"{font}-{known}-seed1"
            (checkpoint,) = (folder / "run" / "checkpoints").glob("step-*2")
            data = json.loads((checkpoint / "run.json").read_text())["data"]
            assert len(data["trained"]) == known
            assert len(data["held_out"]) == 10
            assert seen.setdefault(font, set(data["held_out"])) == set(data["held_out"])
            assert not set(data["trained"]) & seen[font]


def test_the_table_has_every_font_and_the_mean_with_its_interval(measured: Path) -> None:
    text = (measured / "table.md").read_text()
    for known in (12, 24):
        for font in ("kai", "brush"):
            assert f"| {known} | {font} |" in text
        assert f"| {known} | **mean** | **" in text
    assert "a blank page | 1.000" in text
    assert "the nearest known glyph" in text
    assert (measured / "sheet-12.png").is_file()


def test_the_same_command_does_nothing_again_and_more_fonts_are_added(measured: Path, here: Here) -> None:
    before = {file: file.stat().st_mtime_ns for file in measured.rglob("fewshot.json")}
    result = here(*command(measured))
    assert result.returncode == 0, result.stderr
    assert {file: file.stat().st_mtime_ns for file in measured.rglob("fewshot.json")} == before


def test_a_measurement_is_no_worse_than_itself_and_a_better_one_shows(measured: Path) -> None:
    trials = read_trials(measured)
    same = compare(trials, trials, "itself", replicates=50)
    assert all("+0.000** (+0.000 to +0.000)" in line for line in same[4:])
    better = json.loads(json.dumps(trials))
    for one in better:
        for line in one["glyphs"]:
            line["l1"], line["l1_per_ink"] = line["l1"] / 2, line["l1_per_ink"] / 2
    lines = compare(better, trials, "worse", replicates=50)
    assert all(line.split("|")[2].strip().startswith("**-") for line in lines[4:])


def test_l1_over_a_blank_page_is_that_of_the_sums(measured: Path) -> None:
    trials = [one for one in read_trials(measured) if (one["font"], one["known"]) == ("kai", 24)]
    glyphs = Glyphs(trials)
    over = glyphs.statistics()["L1 / blank"](np.arange(10))
    blank = trials[0]["baselines"]["l1"]["blank_page"]
    assert over == pytest.approx(np.mean([line["l1"] for line in trials[0]["glyphs"]]) / blank, rel=1e-4)
    assert f"{over:.3f}" in "\n".join(table(trials, replicates=10))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.targets=[A.ttf]", "data.targets: fontgan fewshot sets it. Use fonts="),
        ("trainer.max_steps=3", "trainer.max_steps: fontgan fewshot sets it. Use budget="),
        ("budget={12: 2steps}", "budget: says nothing of known=24"),
        ("budget=soon", "cannot be read"),
        ("against=[nowhere]", "holds no few-shot measurements"),
        ("known=[12,5000]", "drawn and known need 5010"),
        ("known=[3]", "known=3: 10 or more is needed"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_before_anything_is_written(
    setting: str, said: str, tmp_path: Path, here: Here
) -> None:
    assert said in error_line(here(*command(tmp_path / "out"), setting))
    assert not (tmp_path / "out").exists()


def test_fonts_that_are_none_or_share_too_little_are_named(tmp_path: Path, here: Here) -> None:
    small = make_font(tmp_path / "small.ttf", {"一": box(0, 300, 900, 400)})
    asked = command(tmp_path / "out", fonts=f"{{kai: '{XIAOWEI}', small: '{small}'}}")
    assert "small: shares 1 characters with its source" in error_line(here(*asked))
    assert "fonts: which fonts" in error_line(here(*command(tmp_path / "out", fonts="[]")))


def test_another_recipe_in_the_same_folder_is_refused_and_a_longer_one_is_measured_anew(
    measured: Path, tmp_path: Path, here: Here
) -> None:
    out = tmp_path / "a"
    shutil.copytree(measured, out)
    assert "optim.lr" in error_line(here(*command(out), "optim.lr=0.001"))
    result = here(*[setting.replace("budget=2steps", "budget=3steps") for setting in command(out)])
    assert result.returncode == 0, result.stderr
    assert {one["steps"] for one in read_trials(out)} == {3}


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '{"font": 3}'])
def test_a_file_that_is_no_measurement_gets_one_line(content: str, tmp_path: Path, here: Here) -> None:
    (tmp_path / "other" / "kai").mkdir(parents=True)
    (tmp_path / "other" / "kai" / "fewshot.json").write_text(content)
    line = error_line(here(*command(tmp_path / "out"), f"against=[{tmp_path / 'other'}]"))
    assert "fewshot.json: not a measurement of fontgan" in line


@pytest.mark.slow
def test_what_to_expect_is_made_of_measurements(measured: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.csv"
    command = [sys.executable, "scripts/expected.py", str(file), str(measured)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    rows = read_table(file)
    assert {(row.font, row.known) for row in rows} == {(font, known) for font in ("kai", "brush") for known in (12, 24)}
    assert rows == sorted(rows, key=lambda row: (row.untrained, row.known))
    assert all(0 <= value <= 1 for row in rows for value in (row.untrained, row.read, row.failed))
    assert made.stdout.count("\n| ") == 2  # a line a font, below the head
    nothing = subprocess.run([*command[:3], str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert "holds no few-shot measurements" in nothing.stderr
    assert nothing.returncode != 0
