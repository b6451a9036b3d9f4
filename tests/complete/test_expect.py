"""What a completion promises before it trains, and how that is compared with what came out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fontgan.commands.complete import shapes_training
from fontgan.complete.expect import Measured, expect, is_measured, read_table, say_against_expected
from fontgan.evaluation.checks_file import checked
from tests.helpers import BRUSH, Here, part_of

TABLE = [
    Measured("text", 0.1, 10, 0.9, 0.1), Measured("text", 0.1, 1000, 1.0, 0.0),
    Measured("brush", 0.5, 10, 0.5, 0.5), Measured("brush", 0.5, 1000, 0.7, 0.3),
]  # fmt: skip
HAS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可"


def test_between_fonts_and_numbers_of_glyphs_lies_what_is_expected() -> None:
    assert expect(0.1, 10, TABLE) == ("text", 0.9, 0.1)
    half_way = expect(0.3, 100, TABLE)  # of two orders of magnitude, and between the fonts
    assert half_way.read == pytest.approx((0.95 + 0.6) / 2)
    assert half_way.failed == pytest.approx((0.05 + 0.4) / 2)
    assert expect(0.9, 5000, TABLE) == ("brush", 0.7, 0.3)  # beyond what was measured: the last of it


def test_the_table_of_the_package_has_hands_from_easy_to_hard() -> None:
    table = read_table()
    fonts = {row.font: row.untrained for row in table}
    assert len(fonts) >= 5
    assert min(fonts.values()) < 0.2
    assert max(fonts.values()) > 0.6
    for font, untrained in fonts.items():
        own = [row for row in table if row.font == font]
        assert len({row.known for row in own}) == len(own) >= 2
        assert all(row.untrained == untrained for row in own)
        assert all(0 <= value <= 1 for row in own for value in (row.read, row.failed))


def test_what_came_out_is_said_beside_what_was_expected(caplog: pytest.LogCaptureFixture) -> None:
    found = [
        checked("永", 0.2, 0.9, ["structure"]),
        checked("字", 0.9, 0.0, ["illegible"]),
        checked("八", 0.9, 0.8, []),
    ]
    with caplog.at_level(logging.INFO, logger="fontgan"):
        say_against_expected(found, None)
        assert not caplog.records
        say_against_expected(found, {"read": 0.96, "failed": 0.1})
    assert caplog.messages == [
        "as drawn first: 66.7% read right (96% expected), 33 % fail the check of strokes (10 % expected)"
    ]


def test_only_of_scripts_that_were_measured_is_something_expected() -> None:
    assert is_measured("永字。")
    assert is_measured("あア一A")
    assert not is_measured("한글")
    assert not is_measured("ABc")


def test_settings_that_a_training_follows_are_not_promised_for() -> None:
    assert not shapes_training({"target", "out", "charset", "trainer.threads", "trainer.device"})
    assert shapes_training({"trainer.max_steps"})
    assert shapes_training({"experiment"})
    assert shapes_training({"+effort"})


def test_a_completion_says_first_what_to_expect(tmp_path: Path, here: Here) -> None:
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    settings = f"target={target}", f"charset={HAS}永字", f"out={tmp_path / 'o.ttf'}", "trainer.stop_at=1", "ocr=none"
    stopped = here("complete", *settings, "trainer.device=cpu")
    assert stopped.returncode == 0, stopped.stderr
    said = re.search(r"about (\d+) minutes; with your 30 glyphs expect (\d+) % read right and", stopped.stderr)
    assert said is not None, stopped.stderr
    assert 0 < int(said[1]) < 60
    assert "with your 30" not in here("complete", *settings, "trainer.device=cpu").stderr  # it is said once


def test_what_to_expect_is_written_and_nothing_begun(tmp_path: Path, here: Here) -> None:
    target, file = part_of(BRUSH, HAS, tmp_path / "Brush.ttf"), tmp_path / "expected.json"
    settings = f"target={target}", f"out={tmp_path / 'o.ttf'}", f"expect={file}", "ocr=none", "trainer.device=cpu"
    result = here("complete", *settings, f"charset={HAS}永字\U0001f642")
    assert result.returncode == 0, result.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["lacking"], found["undrawable"]) == ("永字", "\U0001f642")
    assert set(found["learned_from"]) == set(HAS)
    assert 0 < found["minutes"] < 60
    assert set(found["expected"]) == {"like", "read", "failed"}
    assert found["expected"]["like"] in {row.font for row in read_table()}
    assert 0 < found["expected"]["failed"] < 1
    assert 0 < found["expected"]["read"] < 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Brush.ttf", "expected.json"]


@pytest.mark.slow
def test_of_another_training_than_was_measured_only_the_time_is_told(tmp_path: Path, here: Here) -> None:
    target, file = part_of(BRUSH, HAS, tmp_path / "Brush.ttf"), tmp_path / "expected.json"
    settings = f"target={target}", f"out={tmp_path / 'o.ttf'}", f"expect={file}", "ocr=none", "trainer.device=cpu"
    result = here("complete", *settings, f"charset={HAS}永", "trainer.max_steps=50")
    assert result.returncode == 0, result.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["expected"] is None
    assert found["minutes"] > 0


def test_what_cannot_be_expected_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    given = "complete", f"target={target}", f"charset={HAS}永", f"out={tmp_path / 'o.ttf'}"
    expect_file = f"expect={tmp_path / 'expected.json'}"
    assert "from the base model alone" in refused(*given, expect_file, "run=runs/mine")
    assert "from the base model alone" in refused(*given, expect_file, "init_from=null")
    assert "ends in .json" in refused(*given, f"expect={tmp_path / 'expected.txt'}")
    assert [path.name for path in tmp_path.iterdir()] == ["Brush.ttf"]
