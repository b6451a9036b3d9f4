"""Guides are left out where they have another form of a character than the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont

import fontgan as package
from fontgan.data import unlike
from fontgan.data.pairs import plan_pairs
from fontgan.data.sources import open_glyphs
from tests.helpers import BRUSH, SOURCE, TINY, XIAOWEI, Here, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"


def with_wrong_forms(font: Path, out: Path, swapped: dict[str, str]) -> Path:
    """A font with some characters drawn as others."""
    opened = TTFont(part_of(font, HAN, out))
    for table in opened["cmap"].tables:
        names = dict(table.cmap)
        table.cmap.update({ord(char): names[ord(other)] for char, other in swapped.items() if ord(other) in names})
    opened.save(out)
    return out


@pytest.mark.parametrize("guide", [XIAOWEI, BRUSH], ids=lambda font: font.stem)
def test_other_forms_are_found_and_left_empty(guide: Path, tmp_path: Path) -> None:
    swapped = {"国": "时", "说": "那", "要": "里"}
    wrong = with_wrong_forms(guide, tmp_path / "wrong.ttf", swapped)
    split = plan_pairs(str(SOURCE), {"mine": str(SOURCE)}, charset=HAN, size=64, guides=[str(wrong)])
    given = split.styles[0].inputs[1].chars
    left_out = set(HAN) - set(given)
    assert set(swapped) <= left_out
    assert len(left_out) <= 6  # hardly any that is right
    told = [f for f in split.diagnostics if "look other than in" in f.message]
    assert len(told) == (1 if left_out else 0)
    assert all(f.level == "note" for f in told)


def test_of_several_fonts_a_guide_gives_the_form_that_is_most_like_the_source(tmp_path: Path) -> None:
    swapped = {"国": "时", "说": "那"}
    wrong = with_wrong_forms(XIAOWEI, tmp_path / "wrong.ttf", swapped)
    half = part_of(XIAOWEI, HAN[:20], tmp_path / "half.ttf")
    guide = [str(half), str(wrong), str(XIAOWEI)]
    split = plan_pairs(str(SOURCE), {"mine": str(SOURCE)}, charset=HAN, size=64, guides=[guide])
    seen = split.styles[0].inputs[1]
    frame, right = split.styles[0].frame_of(seen), open_glyphs(str(XIAOWEI))
    drawn = {char: seen.entry.glyphs.rasterize(char, frame, 64) for char in seen.chars}
    assert len(drawn) >= len(HAN) - 4
    assert set(swapped) <= set(drawn)
    for char, glyph in drawn.items():
        apart = np.abs(glyph.astype(int) - right.rasterize(char, frame, 64)).mean()  # cells are fitted to each other
        assert apart < 10, char


def test_a_glyph_is_no_distance_from_itself_and_far_from_another() -> None:
    drawn = unlike.encode(unlike.draw_small(open_glyphs(str(SOURCE)), list("国时")))
    assert unlike.distances(drawn, drawn) == pytest.approx([0, 0], abs=1e-3)
    assert (unlike.distances(drawn, drawn[::-1]) > 0.3).all()
    assert unlike.limit_of(np.empty(0)) > 1e30


def test_drawing_leaves_out_what_training_left_out(tmp_path: Path, here: Here) -> None:
    wrong = with_wrong_forms(XIAOWEI, tmp_path / "wrong.ttf", {"国": "时"})
    out = tmp_path / "run"
    result = here("train", *TINY, f"out={out}", f"data.guides=[{wrong}]", "data.targets={kai: asset:LXGWWenKai.ttf}")
    assert result.returncode == 0, result.stderr
    run = package.load(out)
    seen = run.inputs(open_glyphs(run.source_spec("kai")), ["国", "时"], "kai")
    assert seen.shape == (2, 2, 64, 64)
    assert seen[0, 1].min() == 255
    assert seen[1, 1].min() < 100
