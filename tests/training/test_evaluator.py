"""What the log and the sheet tell of many styles."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from fontgan.training.evaluator import format_scores, mean_scores
from tests.helpers import BRUSH, KAI, TINY, XIAOWEI, Here, part_of

CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你"


def scores(value: float) -> dict[str, float]:
    return {"l1": value, "rmse": value, "ssim": 1 - value, "blank": 0.0}


def test_few_styles_are_told_of_one_by_one() -> None:
    found = {f"s{i}": scores(i / 100) for i in range(8)}
    told = format_scores(found, {})
    assert all(f"s{i}: l1 0.0{i}0" in told for i in range(8))
    assert "mean of" not in told


def test_many_styles_are_told_of_by_their_mean_and_the_worst() -> None:
    found = {f"s{i}": scores(i / 100) for i in range(40)}
    told = format_scores(found, {"blank_page": {name: scores(0.5) for name in found}})
    assert told.startswith("mean of 40 styles: l1 0.195 (0.500) rmse 0.195 (0.500) ssim 0.805 (0.500); s39: l1 0.390")
    assert told.count(":") == 4
    assert mean_scores(found)["l1"] == pytest.approx(0.195)


def test_the_sheet_shows_some_of_many_styles(tmp_path: Path, here: Here) -> None:
    fonts = {f"{font.stem[:4]}{i}": part_of(font, CHARS, tmp_path / f"{font.stem}{i}.ttf") for i in range(4) for font in (KAI, BRUSH, XIAOWEI)}  # fmt: skip
    named = ", ".join(f"{name}: '{file}'" for name, file in fonts.items())
    heights = {}
    for count in (3, 12):
        out = tmp_path / str(count)
        asked = [
            *TINY,
            f"data.targets={{{named}}}",
            f"data.charset={CHARS}",
            f"trainer.sheet_styles={count}",
            f"out={out}",
        ]
        result = here("train", *asked)
        assert result.returncode == 0, result.stderr
        assert "mean of 12 styles: l1" in result.stderr
        heights[count] = Image.open(out / "sheet.png").size[1]
    assert heights[3] < heights[12] * 0.4
