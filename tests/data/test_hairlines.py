"""Hairlines that a canvas, or a folder's own images, cannot hold are said before any training."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from fontgan.data import hairlines
from fontgan.data.pairs import plan_pairs
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, fontgan_here, make_font

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"


def strokes(width: float, lean: int):
    """Two slanted lines and a level one, ``width`` units thick; ``lean`` makes each unlike the others."""

    def draw(pen) -> None:
        for (x0, y0), (x1, y1) in (((100, 0), (800 - lean, 700)), ((100, 750), (850, 100)), ((80, 333), (900, 333))):
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
            x, y = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
            pen.moveTo((round(x0 - x), round(y0 - y)))
            for point in ((x0 + x, y0 + y), (x1 + x, y1 + y), (x1 - x, y1 - y)):
                pen.lineTo(tuple(map(round, point)))
            pen.closePath()

    return draw


def thin(tmp_path: Path, width: float) -> Path:
    return make_font(tmp_path / f"thin{width}.ttf", {char: strokes(width, 5 * i) for i, char in enumerate(HAN[:12])})


def found(target: Path, size: int) -> list[str]:
    plan = plan_pairs(str(SOURCE), {"mine": str(target)}, charset=HAN, size=size)
    return [str(finding) for finding in hairlines.find_hairlines(plan)]


@pytest.mark.parametrize(("width", "size", "remedy"), [(14, 64, 128), (8, 64, 192), (8, 128, 256), (4, 256, 512)])
def test_a_size_too_small_for_a_fonts_hairlines_is_said_with_one_that_holds_them(
    width: int, size: int, remedy: int, tmp_path: Path
) -> None:
    font = thin(tmp_path, width)
    told = f"mine: 12 of 12 glyphs looked at have hairlines that break into dashes at {size} px"
    (said,) = found(font, size)
    assert told in said
    assert said.endswith(f"data.size={remedy} would hold them.")
    assert not found(font, remedy)


def test_hairlines_that_no_size_holds_have_another_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hairlines, "SIZES", (64, 96))
    (said,) = found(thin(tmp_path, 8), 64)
    assert said.endswith("Choose bolder glyphs.")


@pytest.mark.parametrize("font", [SOURCE, KAI, BRUSH, XIAOWEI], ids=lambda font: font.stem)
@pytest.mark.parametrize("size", [64, 96, 128])
def test_strokes_of_usual_fonts_are_held(font: Path, size: int) -> None:
    assert not found(font, size)


def test_a_folder_whose_own_images_have_lost_their_hairlines_is_said_by_check(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    thin(tmp_path, 14)
    done = fontgan_here("render", f"font={tmp_path / 'thin14.ttf'}", f"charset={HAN[:12]}", "size=64", f"out={folder}")
    assert done.returncode == 0
    for file in folder.glob("U+*.png"):
        with Image.open(file) as image:
            assert image.size == (64, 64)
    done = fontgan_here(
        "check", "data=folder", f"data.source={SOURCE}", f"data.targets={{mine: {folder}}}", f"data.charset={HAN}"
    )
    assert done.returncode == 0, done.stderr
    assert "mine: 12 of 12 images looked at have hairlines that break into dashes" in done.stderr
    assert "Draw them at 112 pixels or more." in done.stderr
