"""Pairs and packs: split, alignment, clipping, caching, and what check has to say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgan.data.frame import SIZES, Frame, median_box
from fontgan.data.pack import make_pack, open_pack, pack_key
from fontgan.data.pair_findings import find_duplicates
from fontgan.data.pairs import hold_out, plan_pairs
from fontgan.data.plan import PairPlan
from fontgan.errors import DataError
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, Here, box, error_line, make_font, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"


def plan(**changes: object) -> PairPlan:
    settings: dict = {"charset": HAN, "size": 64} | changes
    return plan_pairs(str(SOURCE), {"kai": str(KAI), "brush": str(BRUSH)}, **settings)


def test_held_out_are_the_same_for_all_styles_and_never_trained() -> None:
    split = plan(charset="gb2312-1")
    assert 0.07 * len(split.chars) < len(split.held_out) < 0.13 * len(split.chars)
    assert split.held_out == plan(charset="gb2312-1").held_out


def test_a_character_keeps_its_side_when_the_charset_grows() -> None:
    few, many = hold_out(list(HAN), 0.1), hold_out([*HAN, *"春夏秋冬东南西北"], 0.1)
    assert set(few) == set(many) & set(HAN)


def test_explicit_list_is_held_out_too() -> None:
    split = plan(holdout=0.0, holdout_chars="的一是")
    assert split.held_out == ["的", "一", "是"]


def test_both_sides_have_a_character() -> None:
    assert len(hold_out(["一", "二"], 0.99)) == 1
    assert len(hold_out(["一", "二"], 0.0001)) == 1
    assert hold_out(["一"], 0.5) == []


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_clipped_at_any_size(size: int, tmp_path: Path) -> None:
    split = plan(size=size, margin=0.05)
    pack = make_pack(split, tmp_path)
    assert not [f for f in split.diagnostics if "clipped" in f.message]
    glyphs = pack.pixels[:]
    border = [glyphs[:, 0], glyphs[:, -1], glyphs[:, :, 0], glyphs[:, :, -1]]
    assert min(int(edge.min()) for edge in border) == 255


def test_ink_far_outside_the_em_is_reported(tmp_path: Path) -> None:
    font = make_font(
        tmp_path / "wide.ttf",
        {"一": box(0, 300, 900, 400), "二": box(-3000, 300, 3000, 400), "三": box(0, 0, 900, 800)},
    )
    split = plan_pairs(str(font), {"same": str(font)}, charset="一二三", size=64)
    assert any("outlying" in f.message and "二" in f.message and f.level == "warning" for f in split.diagnostics)


def test_alignment_brings_the_source_onto_each_style_and_is_stored(tmp_path: Path) -> None:
    split = plan()
    trained = [char for char in split.chars if char not in split.held_out]
    for style in split.styles:
        want = median_box([style.boxes[char] for char in trained])
        have = median_box([style.source.align.box(style.source.entry.boxes[char]) for char in trained])
        assert have.x0 + have.x1 == pytest.approx(want.x0 + want.x1, abs=1e-6)
        assert have.width * have.height == pytest.approx(want.width * want.height, rel=1e-6)
    pack = make_pack(split, tmp_path)
    for style, stored in zip(split.styles, pack.manifest["styles"], strict=True):
        assert stored["name"] == style.name
        assert stored["canvas"] == style.canvas.as_dict()
        assert stored["inputs"] == [style.source.align.compose(style.canvas).as_dict()]
    assert all(style.source.align == Frame() for style in plan(align=False).styles)


def test_the_manifest_names_fonts_licences_and_what_is_missing(tmp_path: Path) -> None:
    pack = make_pack(plan(charset=HAN + "\u9f98"), tmp_path)  # 龘 is in none of the fonts
    (source,), (kai, brush) = pack.manifest["sources"], pack.manifest["styles"]
    assert (source["name"], kai["name"], brush["name"]) == ("source", "kai", "brush")
    assert kai["family"]
    assert "LXGW" in kai["copyright"]
    assert source["left_out"] == {"missing": "\u9f98"}
    assert kai["pairs"] == len(HAN)


def test_a_pack_is_made_once_and_anew_when_anything_changes(tmp_path: Path) -> None:
    first = make_pack(plan(), tmp_path)
    stamp = (first.path / "pixels-00000.npy").stat().st_mtime_ns
    assert (make_pack(plan(), tmp_path).path / "pixels-00000.npy").stat().st_mtime_ns == stamp
    keys = {
        pack_key(plan(**change))
        for change in ({}, {"size": 96}, {"charset": HAN[:-1]}, {"align": False}, {"margin": 0.1}, {"holdout": 0.3})
    }
    assert len(keys) == 6


def test_a_changed_font_or_image_makes_a_new_pack(tmp_path: Path) -> None:
    def key() -> str:
        return pack_key(plan_pairs(str(tmp_path / "a.ttf"), {"mine": str(tmp_path / "mine")}, charset="一二", size=64))

    folder = tmp_path / "mine"
    folder.mkdir()
    for char in "一二":
        Image.fromarray(np.pad(np.zeros((10, 20), np.uint8), 10, constant_values=255)).save(folder / f"{char}.png")
    make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400), "二": box(0, 100, 900, 700)})
    before = key()
    assert key() == before
    Image.fromarray(np.pad(np.zeros((12, 20), np.uint8), 10, constant_values=255)).save(folder / "一.png")
    changed_image = key()
    make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 401), "二": box(0, 100, 900, 700)})
    assert len({before, changed_image, key()}) == 3


@pytest.mark.slow
def test_two_processes_that_make_the_same_pack_both_end_with_it(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from fontgan.data.pairs import plan_pairs; from fontgan.data.pack import make_pack; import sys;"
        f"p = plan_pairs({str(SOURCE)!r}, {{'kai': {str(KAI)!r}}}, charset='gb2312-1', size=256);"
        "print(make_pack(p, Path(sys.argv[1])).pixels[:].sum())"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sums[0] == sums[1] != ""
    assert len(os.listdir(tmp_path / "packs")) == 1


def test_damaged_packs_are_named_with_the_remedy(tmp_path: Path) -> None:
    pack = make_pack(plan(), tmp_path)
    pixels = (pack.path / "pixels-00000.npy").read_bytes()
    for damage in (pixels[:-100], b"", b"\x93NUMPY"):
        (pack.path / "pixels-00000.npy").write_bytes(damage)
        with pytest.raises(DataError, match="Delete that folder"):
            open_pack(pack.path)
    (pack.path / "pixels-00000.npy").write_bytes(pixels)
    index = json.loads((pack.path / "index.json").read_text())
    index["blocks"]["/0"] += "龘"
    (pack.path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="Delete that folder"):
        open_pack(pack.path)


def test_styles_may_cover_only_a_part(tmp_path: Path) -> None:
    part = make_font(tmp_path / "part.ttf", {char: box(10 * i, 0, 500 + i, 700) for i, char in enumerate(HAN[:20])})
    split = plan_pairs(str(SOURCE), {"part": str(part), "kai": str(KAI)}, charset=HAN, size=64)
    pack = make_pack(split, tmp_path)
    assert list(pack.rows["part"]) == list(HAN[:20])
    assert len(pack.rows["kai"]) == len(HAN)


def test_a_style_without_common_characters_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    latin = make_font(tmp_path / "latin.ttf", {"A": box(0, 0, 500, 700)})
    split = plan_pairs(str(SOURCE), {"latin": str(latin), "kai": str(KAI)}, charset=HAN, size=64)
    errors = [f for f in split.diagnostics if f.level == "error"]
    assert len(errors) == 1
    assert "shares no characters" in errors[0].message
    assert errors[0].remedy
    with pytest.raises(DataError, match="shares no characters"):
        plan_pairs(str(SOURCE), {"latin": str(latin)}, charset=HAN, size=64)


def test_duplicate_images_are_found(tmp_path: Path) -> None:
    same = box(100, 100, 800, 700)
    font = make_font(tmp_path / "a.ttf", {"一": same, "二": same, "三": box(0, 300, 900, 400)})
    split = plan_pairs(str(SOURCE), {"a": str(font)}, charset="一二三", size=64)
    messages = [f.message for f in find_duplicates(split)]
    assert messages == ["a: 2 characters share an image with another: 一=二."]


@pytest.mark.parametrize(
    ("targets", "message"),
    [([], "no style is given"), ({"all": str(KAI)}, "cannot be a style's name"), ({"a/b": str(KAI)}, "cannot be"),
     ([str(KAI), str(KAI)], "two styles are called")],
)  # fmt: skip
def test_wrong_targets_are_refused(targets: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan_pairs(str(SOURCE), targets, charset=HAN, size=64)  # type: ignore[arg-type]


def test_list_targets_take_their_names_from_the_files() -> None:
    split = plan_pairs(str(SOURCE), [str(KAI), "asset:ZCOOLXiaoWei-Regular.ttf"], charset=HAN, size=64)
    assert [style.name for style in split.styles] == [KAI.stem, XIAOWEI.stem]


@pytest.mark.parametrize("broken", ["cut off", "no font", "no Han", "gone"])
def test_of_forty_targets_the_broken_one_is_named_in_a_line(broken: str, tmp_path: Path, here: Here) -> None:
    part = part_of(KAI, HAN, tmp_path / "part.ttf")
    targets = {f"style{number}": part for number in range(39)}
    wrong = tmp_path / "wrong.ttf"
    if broken == "cut off":
        wrong.write_bytes(part.read_bytes()[:3000])
    elif broken == "no font":
        wrong.write_text("this is no font")
    elif broken == "no Han":
        make_font(wrong, {"A": box(0, 0, 500, 700)})
    named = ", ".join(f"{name}: '{file}'" for name, file in {**targets, "odd": wrong}.items())
    line = error_line(here("train", f"data.targets={{{named}}}", f"data.source={SOURCE}", f"data.charset={HAN}", "experiment=scratch", "data.size=64", f"out={tmp_path / 'run'}"))  # fmt: skip
    assert str(wrong) in line
    assert "style1" not in line
    assert not (tmp_path / "run").exists()
