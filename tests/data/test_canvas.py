"""The canvas of a style: its glyphs go through the pack as they are, and a few that reach far decide nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgan.data.frame import Frame
from fontgan.data.image_source import FolderGlyphs, name_from_char
from fontgan.data.pack import make_pack
from fontgan.data.pairs import plan_pairs
from fontgan.data.sources import open_glyphs
from tests.data.test_outlying import go_astray
from tests.helpers import KAI, SOURCE, XIAOWEI, Here, box, make_font, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"


@pytest.mark.parametrize(("x", "y"), [(1.2, 0.5), (-0.25, 0.5), (0.5, 1.1)])
def test_one_of_two_hundred_that_reaches_beyond_shrinks_nothing_and_is_named(
    x: float, y: float, tmp_path: Path, here: Here
) -> None:
    chars = open_glyphs(str(KAI)).coverage(None).present[-200:]
    odd = chars[70]
    bad = go_astray(part_of(KAI, "".join(chars), tmp_path / "bad.ttf"), odd, x, y)
    plans = [plan_pairs(str(SOURCE), {"mine": str(font)}, charset="".join(chars), size=64) for font in (KAI, bad)]
    (whole,), (style,) = plans[0].styles, plans[1].styles
    assert style.canvas == whole.canvas == Frame(64)
    assert style.coverage.left_out == {"beyond": [odd]}
    assert odd not in plans[1].chars
    (told,) = [str(finding) for finding in plans[1].diagnostics if "reach over" in finding.message]
    assert told.startswith(
        "warning: mine: 1 glyphs reach over the edge of the canvas that the others need, and are not"
    )
    assert f": {odd}." in told
    pack = make_pack(plans[1], tmp_path)
    assert odd not in pack.rows["mine"]
    font = open_glyphs(str(KAI))
    for char in chars[:3]:
        assert np.array_equal(pack.pixels[pack.rows["mine"][char]], font.rasterize(char, Frame(64), 64))
    checked = here("check", "data=fonts", f"data.source={SOURCE}", f"data.targets={{mine: {bad}}}", "data.size=64")
    assert checked.returncode == 0, checked.stderr
    assert f"not learned from: {odd}." in checked.stderr


def test_where_many_reach_beyond_the_canvas_has_room_for_them(tmp_path: Path) -> None:
    font = go_astray(part_of(KAI, HAN, tmp_path / "wide.ttf"), HAN[:20], 1.2, 0.4)
    plan = plan_pairs(str(SOURCE), {"mine": str(font)}, charset=HAN, size=64)
    (style,) = plan.styles
    assert style.canvas.scale < 60
    assert style.coverage.present == list(HAN)


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_the_glyphs_of_fonts_lie_on_the_canvas_as_they_do_in_the_em(size: int, margin: float, tmp_path: Path) -> None:
    plan = plan_pairs(str(SOURCE), {"kai": str(KAI), "xiaowei": str(XIAOWEI)}, charset=HAN, size=size, margin=margin)
    pack = make_pack(plan, tmp_path)
    frame = Frame(size * (1 - 2 * margin), size * margin, size * margin)
    for name, file in (("kai", KAI), ("xiaowei", XIAOWEI)):
        font = open_glyphs(str(file))
        for char in HAN[:4]:
            assert np.array_equal(pack.pixels[pack.rows[name][char]], font.rasterize(char, frame, size))
    assert not [finding for finding in plan.diagnostics if "reach over" in finding.message]


def drawn(folder: Path, size: tuple[int, int], place: Frame = Frame()) -> Path:  # noqa: B008
    """Images of a font, each of its own size and place in it, with the grey levels of a scan."""
    folder.mkdir()
    font, (width, height), side = open_glyphs(str(KAI)), size, max(size)
    noise = np.random.default_rng(1)
    for char in HAN:
        image = font.rasterize(char, place.compose(Frame(side)), side)[:height, :width].astype(int)
        grey = np.clip(np.where(image < 255, image + noise.integers(0, 30, image.shape), 255), 0, 255)
        Image.fromarray(grey.astype(np.uint8)).save(folder / f"{name_from_char(char)}.png")
    return folder


@pytest.mark.parametrize(
    "place", [Frame(), Frame(0.5, 0.1, 0.3), Frame(0.9, 0.1, 0.1)], ids=["as it is", "small", "at the edge"]
)
@pytest.mark.parametrize("size", [64, 96])
def test_images_as_large_as_the_canvas_go_through_the_pack_pixel_for_pixel(
    size: int, place: Frame, tmp_path: Path
) -> None:
    folder = drawn(tmp_path / "mine", (size, size), place)
    plan = plan_pairs(str(SOURCE), {"mine": str(folder)}, charset=HAN, size=size)
    pack = make_pack(plan, tmp_path)
    glyphs = FolderGlyphs(folder)
    glyphs.coverage(list(HAN))
    assert set(pack.rows["mine"]) == set(HAN)
    for char in HAN:
        true = np.asarray(Image.open(folder / f"{name_from_char(char)}.png"))
        assert np.array_equal(pack.pixels[pack.rows["mine"][char]], true), char


@pytest.mark.parametrize(("width", "height"), [(96, 60), (48, 96)])
def test_images_that_are_not_square_lie_in_the_middle_of_the_canvas_unscaled(
    width: int, height: int, tmp_path: Path
) -> None:
    folder = drawn(tmp_path / "mine", (width, height))
    plan = plan_pairs(str(SOURCE), {"mine": str(folder)}, charset=HAN, size=96)
    pack = make_pack(plan, tmp_path)
    top, left = (96 - height) // 2, (96 - width) // 2
    for char in HAN[:5]:
        true = np.full((96, 96), 255, np.uint8)
        true[top : top + height, left : left + width] = np.asarray(Image.open(folder / f"{name_from_char(char)}.png"))
        assert np.array_equal(pack.pixels[pack.rows["mine"][char]], true), char


LETTERS = "abcdefghijklmnopqrstuvwxyzабвгд"
PLAIN = box(100, 0, 500, 700)


def canvas_of(source: Path, target: Path, **settings: str) -> tuple[Frame, list[str], list[str]]:
    """The canvas of a style, what is not learned from, and what is said of clipping."""
    (style,) = (plan := plan_pairs(str(source), {"mine": str(target)}, charset=LETTERS, size=64, **settings)).styles
    said = [str(finding) for finding in plan.diagnostics if "edge" in finding.message]
    return style.canvas, style.coverage.left_out.get("beyond", []), said


def test_the_canvas_holds_what_the_source_reaches_with_as_it_is_aligned(tmp_path: Path) -> None:
    target = make_font(tmp_path / "a.ttf", dict.fromkeys(LETTERS, PLAIN))
    deep = box(100, -450, 500, 700)
    few, many = (
        make_font(tmp_path / f"{name}.ttf", {char: deep if char in some else PLAIN for char in LETTERS})
        for name, some in (("few", ""), ("many", "gjpqy"))
    )
    assert canvas_of(few, target) == (Frame(64), [], [])
    canvas, beyond, said = canvas_of(many, target)
    assert canvas.scale == pytest.approx(64 / 1.15)  # all ink: from 0.7 above the baseline to 0.45 below
    assert not beyond
    assert not said


def test_a_letter_far_out_of_the_em_is_cut_rather_than_making_all_others_small(tmp_path: Path) -> None:
    chars = "".join(map(chr, range(0x4E00, 0x4E00 + 200)))
    target = make_font(
        tmp_path / "a.ttf", {char: box(100, -200 if n % 9 == 0 else 0, 500, 900) for n, char in enumerate(chars)}
    )
    source = {char: box(100, -300 if n % 9 == 0 else 0, 500, 900) for n, char in enumerate(chars)}
    source["丁"] = box(-300, 0, 1310, 900)
    file = make_font(tmp_path / "b.ttf", source)
    plan = plan_pairs(str(file), {"mine": str(target)}, charset=chars, size=64)
    assert plan.styles[0].canvas.scale > 0.8 * 64
    (said,) = [str(finding) for finding in plan.diagnostics if "edge" in finding.message]
    assert said.startswith("note: source: 1 glyphs")
    assert ": 丁." in said


def test_there_is_room_for_what_is_to_be_drawn_later(tmp_path: Path) -> None:
    target = make_font(tmp_path / "a.ttf", dict.fromkeys(LETTERS, PLAIN))
    source = make_font(tmp_path / "b.ttf", dict.fromkeys(LETTERS, PLAIN) | {"Ấ": box(100, 0, 500, 1050)})
    assert canvas_of(source, target)[0] == Frame(64)
    canvas, _, _ = canvas_of(source, target, room_for="Ấ永")
    assert canvas.box(open_glyphs(str(source)).ink_box("Ấ")).y0 >= 0
    assert canvas.scale == pytest.approx(64 / 1.05)
