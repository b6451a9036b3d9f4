"""Which source lies nearest to a style."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fontTools.misc.transform import Transform
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from omegaconf import OmegaConf
from PIL import Image

from fontgan.advice.nearest_source import SIDE, rank_sources
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, box, error_line, make_font, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"


def slanted(font: Path, out: Path, chars: str) -> Path:
    """A part of a font, smaller, moved and leaning."""
    opened = TTFont(part_of(font, chars, out))
    glyphs = opened.getGlyphSet()
    drawn = {}
    for name in opened.getGlyphOrder():
        pen = TTGlyphPen(None)
        glyphs[name].draw(TransformPen(pen, Transform(0.8, 0, 0.05, 0.8, 90, 60)))
        drawn[name] = pen.glyph()
    for name, glyph in drawn.items():
        opened["glyf"][name] = glyph
        glyph.recalcBounds(opened["glyf"])
    opened.save(out)
    return out


@pytest.mark.parametrize("font", [KAI, BRUSH, XIAOWEI, SOURCE], ids=lambda font: font.stem)
def test_what_leans_a_little_and_is_drawn_smaller_is_found_again(font: Path, tmp_path: Path) -> None:
    target = slanted(font, tmp_path / "target.ttf", HAN)
    ranked = rank_sources(open_glyphs(str(target)), [str(other) for other in (SOURCE, XIAOWEI, KAI, BRUSH)])
    assert ranked[0].spec == str(font)
    assert ranked[0].distance < 0.5 * ranked[1].distance
    assert [found.distance for found in ranked] == sorted(found.distance for found in ranked)


def test_all_are_compared_on_the_same_characters(tmp_path: Path) -> None:
    part = part_of(KAI, HAN[10:], tmp_path / "part.ttf")
    ranked = rank_sources(open_glyphs(str(BRUSH)), [str(SOURCE), str(part)])
    assert {str(found.spec): found.shared for found in ranked}[str(part)] == len(HAN) - 10
    for mine, other in zip(ranked[0].own, ranked[1].own, strict=True):
        assert np.array_equal(mine, other)


def test_one_that_shares_nothing_is_left_out_and_none_is_refused(tmp_path: Path) -> None:
    latin = make_font(tmp_path / "latin.ttf", {"A": box(0, 0, 500, 700)})
    han = open_glyphs(str(part_of(KAI, HAN, tmp_path / "han.ttf")))
    assert [found.spec for found in rank_sources(han, [str(latin), str(SOURCE)])] == [str(SOURCE)]
    with pytest.raises(DataError, match="shares no character with any of the sources"):
        rank_sources(han, [str(latin)])


def test_the_command_ranks_and_shows(tmp_path: Path, here: Here) -> None:
    sources, picture = f"sources=[{SOURCE},{XIAOWEI}]", tmp_path / "sources.png"
    result = here("advise", f"target={KAI}", sources, f"picture={picture}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.strip().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert Image.open(picture).size[1] > 3 * SIDE
    both = here("advise", f"target={KAI}", f"source={SOURCE}", sources)
    assert "give source=A.ttf for characters to draw, or sources=" in error_line(both)
    assert "n: is about characters to draw" in error_line(here("advise", f"target={KAI}", sources, "n=3"))


def test_auto_takes_the_nearest_of_the_shelf_and_the_run_remembers_it(tmp_path: Path, here: Here) -> None:
    target = slanted(BRUSH, tmp_path / "brush.ttf", HAN)
    out = tmp_path / "run"
    result = here("train", *TINY, f"data.targets=[{target}]", "data.source=auto", f"data.charset={HAN}", f"out={out}")
    assert result.returncode == 0, result.stderr
    assert "data.source=auto: shelf:kai lies nearest" in result.stderr
    assert OmegaConf.load(out / "config.yaml").data.source == "shelf:kai"
    again = here("train", *TINY, f"data.targets=[{target}]", "data.source=auto", f"data.charset={HAN}", f"out={out}")
    assert again.returncode == 0, again.stderr
    drawn = here(
        "infer", f"checkpoint={out}", "text=龙", f"out={tmp_path / 'drawn'}", "allow=[blank]"
    )  # from the run's own source
    assert drawn.returncode == 0, drawn.stderr
