"""One glyph with a point far astray: it is set aside and named, and all else is as if it were not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from fontgan.complete.plan import plan_completion
from fontgan.data.frame import Box, farthest_usual
from fontgan.data.pack import make_pack
from fontgan.data.pairs import plan_pairs
from fontgan.data.sources import open_glyphs
from fontgan.fontfile.build_input import lacking
from fontgan.fontfile.target import open_target
from tests.helpers import BRUSH, KAI, SOURCE, Here, box, make_font, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可"


def go_astray(font: Path, chars: str, x: float, y: float) -> Path:
    """Moves one point of each glyph to a place in the em, from its bottom left corner."""
    opened = TTFont(font)
    cmap, em = opened.getBestCmap(), opened["head"].unitsPerEm
    for char in chars:
        glyph = opened["glyf"][cmap[ord(char)]]
        glyph.coordinates[0] = (round(x * em), round(y * em))
        glyph.recalcBounds(opened["glyf"])
        opened["hmtx"][cmap[ord(char)]] = (em, glyph.xMin)  # the bearing is the outline's own
    opened.save(font)
    return font


@pytest.mark.parametrize(
    ("font", "chars", "astray", "x", "y"),
    [
        (BRUSH, HAN, "不国", 2.6, 0.4),
        (KAI, HAN, "不", -0.5, 0.4),
        (KAI, HAN, "不人国", 0.5, 9.0),
        (SOURCE, HAN, "的", 0.5, -1.2),
        (SOURCE, HAN[:5], "一", 1.5, 0.5),
        (BRUSH, HAN[:2], "一", 3.0, 3.0),
    ],
)
def test_a_stray_point_leaves_the_rest_as_it_was(
    font: Path, chars: str, astray: str, x: float, y: float, tmp_path: Path, here: Here
) -> None:
    good = part_of(font, "".join(char for char in chars if char not in astray), tmp_path / "good.ttf")
    bad = go_astray(part_of(font, chars, tmp_path / "bad.ttf"), astray, x, y)
    for name, file in (("good", good), ("bad", bad)):
        result = here("render", f"font={file}", f"out={tmp_path / name}", "size=64")
        assert result.returncode == 0, result.stderr
    assert f"warning: bad.ttf: {len(astray)} characters left out as outlying: {' '.join(astray)}." in result.stderr
    assert json.loads((tmp_path / "bad" / "manifest.json").read_text())["left_out"] == {"outlying": astray}
    names = sorted(file.name for file in (tmp_path / "good").glob("*.png"))
    assert names == sorted(file.name for file in (tmp_path / "bad").glob("*.png"))
    for name in names:
        one, other = (np.asarray(Image.open(tmp_path / folder / name)) for folder in ("good", "bad"))
        assert np.array_equal(one, other)


def test_one_font_of_many_decides_no_canvas_by_one_glyph(tmp_path: Path) -> None:
    bad = go_astray(part_of(BRUSH, HAN, tmp_path / "bad.ttf"), "国", -2, 0.5)
    good = part_of(BRUSH, HAN.replace("国", ""), tmp_path / "good.ttf")
    plans = [
        plan_pairs(str(SOURCE), {"kai": str(KAI), "brush": str(brush)}, charset=HAN, size=64) for brush in (good, bad)
    ]
    assert [style.canvas for style in plans[0].styles] == [style.canvas for style in plans[1].styles]
    assert plans[1].styles[1].coverage.left_out == {"outlying": ["国"]}
    packs = [make_pack(each, tmp_path / "cache") for each in plans]
    assert np.array_equal(packs[0].pixels[:], packs[1].pixels[:])


def test_whatever_is_asked_for_the_font_itself_says_what_is_usual(tmp_path: Path) -> None:
    bad = open_glyphs(str(go_astray(part_of(BRUSH, HAN, tmp_path / "bad.ttf"), "国", 2.5, 0.5)))
    assert bad.coverage(["国"]).outlying == ["国"]
    assert bad.coverage(["国"]).present == []
    assert bad.coverage(["国"]).drawn == ["国"]


def test_what_a_font_has_many_of_is_not_astray() -> None:
    plain, wide, monster = Box(0.1, 0.1, 0.9, 0.9), Box(-0.3, 0.1, 1.6, 0.9), Box(0, 0, 9, 1)
    assert farthest_usual([plain] * 99 + [wide]) < 0.6
    assert farthest_usual([plain] * 80 + [wide] * 20) > 0.6
    assert farthest_usual([plain] * 80 + [wide] * 19 + [monster]) < 8
    assert farthest_usual([wide]) > 0.6  # alone it is all that is known


@pytest.mark.parametrize("font", [SOURCE, KAI, BRUSH])
def test_bundled_fonts_have_none(font: Path) -> None:
    assert not open_glyphs(str(font)).coverage(None).outlying


def test_a_typeface_keeps_the_glyphs_that_are_astray(tmp_path: Path, here: Here) -> None:
    bad = go_astray(part_of(BRUSH, HAN, tmp_path / "bad.ttf"), "国", 2.5, 0.5)
    plan = plan_completion(str(bad), str(SOURCE), HAN + "永")
    assert plan.lacking == ["永"]
    assert "国" in plan.has
    assert "国" not in plan.learned_from
    assert lacking(open_target(str(bad)), ["国", "永"]) == ["永"]
    advised = here("advise", f"target={bad}", f"source={SOURCE}", f"charset={HAN}永")
    assert "永" in advised.stdout
    assert "国" not in advised.stdout
    assert "bad.ttf: 1 glyphs reach far out of the em" in advised.stderr


def test_a_source_with_a_stray_point_draws_nothing_of_it(tmp_path: Path, here: Here) -> None:
    source = go_astray(part_of(SOURCE, HAN, tmp_path / "source.ttf"), "国", 0.5, 4)
    half = part_of(BRUSH, HAN[:12], tmp_path / "half.ttf")
    plan = plan_completion(str(half), str(source), HAN)
    assert "国" not in plan.lacking
    assert plan.undrawable == ["国"]
    checked = here("check", "data=fonts", f"data.source={source}", f"data.targets=[{BRUSH}]", f"data.charset={HAN}")
    assert "source.ttf: 1 characters left out as outlying: 国" in checked.stderr


def test_thin_fonts_of_boxes_are_judged_by_the_same_rule(tmp_path: Path) -> None:
    glyphs = {char: box(0, 0, 900, 800) for char in HAN[:9]} | {"永": box(-900, 300, 900, 400)}
    found = open_glyphs(str(make_font(tmp_path / "a.ttf", glyphs))).coverage(None)
    assert found.outlying == ["永"]
