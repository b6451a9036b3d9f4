"""Several fonts read as one, and sources that styles have of their own."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from fontgan.config.instantiate import source_spec
from fontgan.data.frame import Frame, median_box
from fontgan.data.pack import make_pack, pack_key
from fontgan.data.pairs import plan_pairs
from fontgan.data.plan import PairPlan, Target
from fontgan.data.source_list import SourceList
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, Draw, box, make_font, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"
LETTERS = "ABCDEGRaebg"
KANA = "あいうえおかきくけこさしすせそ"
FRAME = Frame(64)


def opened(*fonts: Path) -> SourceList:
    found = open_glyphs([str(font) for font in fonts])
    assert isinstance(found, SourceList)
    return found


def boxes(chars: str, at: int, side: int) -> dict[str, Draw | None]:
    return {char: box(at, at, at + side + 5 * i, at + side) for i, char in enumerate(chars)}


def test_the_second_gives_what_the_first_lacks_and_nothing_else(tmp_path: Path) -> None:
    first = part_of(SOURCE, HAN[:20], tmp_path / "first.ttf")
    both = opened(first, SOURCE)
    coverage = both.coverage(list(HAN))
    assert coverage.present == list(HAN)
    assert not coverage.left_out.get("missing")
    (note,) = [str(found) for found in coverage.diagnostics]
    assert f"NotoSansSC-Regular.ttf: gives {len(HAN) - 20} characters that first.ttf lacks" in note
    whole = open_glyphs(str(SOURCE))
    for char in HAN[18:22]:
        assert np.array_equal(both.rasterize(char, FRAME, 64), whole.rasterize(char, FRAME, 64))


def test_each_character_is_of_the_first_that_has_it_in_whatever_order_they_are_asked_for() -> None:
    both, kai = opened(KAI, SOURCE), open_glyphs(str(KAI))
    assert np.array_equal(both.rasterize("国", FRAME, 64), kai.rasterize("国", FRAME, 64))
    assert both.coverage(["是", "国"]).present == ["是", "国"]
    assert both.ink_box("国") == kai.ink_box("国")
    assert both.path.name == KAI.name


@pytest.mark.parametrize(("at", "side"), [(0, 300), (200, 600), (400, 500)])
def test_what_the_second_gives_is_brought_to_the_frame_of_the_first(at: int, side: int, tmp_path: Path) -> None:
    """By the characters that both have."""
    first = make_font(tmp_path / "a.ttf", boxes(HAN[:20], 100, 700))
    second = make_font(tmp_path / "b.ttf", boxes(HAN[:30], at, side))
    both = opened(first, second)
    own = open_glyphs(str(first))
    want = median_box([own.ink_box(char) for char in HAN[:20]])
    part, frame = both._find(HAN[25])
    assert part.path == second
    have = median_box([frame.box(part.ink_box(char)) for char in HAN[:20]])
    assert have.centre == pytest.approx(want.centre, abs=1e-6)
    assert have.width * have.height == pytest.approx(want.width * want.height, rel=1e-6)
    canvas = Frame(48, 8, 8)
    dark, ink = np.argwhere(both.rasterize(HAN[25], canvas, 64) < 128), canvas.box(both.ink_box(HAN[25]))
    assert dark.min(0)[::-1] == pytest.approx((ink.x0, ink.y0), abs=1)
    assert dark.max(0)[::-1] + 1 == pytest.approx((ink.x1, ink.y1), abs=1)


def test_a_font_of_kana_with_one_of_han_that_share_nothing_keep_their_ems(tmp_path: Path) -> None:
    kana = make_font(tmp_path / "kana.ttf", boxes(KANA, 200, 500))
    han = make_font(tmp_path / "han.ttf", boxes(HAN, 50, 850))
    both = opened(kana, han)
    assert both.coverage(list(KANA + HAN)).present == list(KANA + HAN)
    for font, char in ((kana, KANA[3]), (han, HAN[3])):
        assert both.ink_box(char) == open_glyphs(str(font)).ink_box(char)


def test_a_real_font_of_letters_and_one_of_han_make_one_source(tmp_path: Path) -> None:
    letters = part_of(KAI, LETTERS, tmp_path / "letters.ttf")
    target = part_of(BRUSH, LETTERS + HAN, tmp_path / "mine.ttf")
    plan = plan_pairs([str(letters), str(SOURCE)], {"mine": str(target)}, charset=LETTERS + HAN, size=64)
    assert set(plan.chars) == set(LETTERS + HAN)
    pack = make_pack(plan, tmp_path)
    assert set(pack.source_rows("mine")) == set(LETTERS + HAN)
    assert pack.manifest["sources"][0]["then"] == [SOURCE.name]


def test_what_all_of_them_lack_is_said_once_and_left_out(tmp_path: Path) -> None:
    first, second = part_of(SOURCE, HAN[:20], tmp_path / "a.ttf"), part_of(KAI, HAN[10:30], tmp_path / "b.ttf")
    coverage = opened(first, second).coverage([*HAN[:30], "\u9f98", "永"])
    assert coverage.present == list(HAN[:30])
    assert coverage.left_out["missing"] == ["\u9f98", "永"]
    told = [str(found) for found in coverage.diagnostics]
    assert [line for line in told if "in none of the sources" in line] == [
        "note: a.ttf: 2 characters are in none of the sources: \u9f98 永."
    ]


def test_a_list_is_pickled_for_the_processes_that_draw(tmp_path: Path) -> None:
    both = opened(part_of(SOURCE, HAN[:20], tmp_path / "a.ttf"), KAI)
    both.coverage(list(HAN))
    copy = pickle.loads(pickle.dumps(both))  # noqa: S301
    for char in (HAN[3], HAN[33]):
        assert np.array_equal(copy.rasterize(char, FRAME, 64), both.rasterize(char, FRAME, 64))
        assert copy.ink_box(char) == both.ink_box(char)
    assert copy.fingerprint(list(HAN)) == both.fingerprint(list(HAN))
    assert copy.describe() == both.describe()


def test_the_order_and_what_is_in_them_shape_the_fingerprint(tmp_path: Path) -> None:
    part = part_of(SOURCE, HAN[:20], tmp_path / "a.ttf")
    prints = {opened(*fonts).fingerprint(list(HAN)) for fonts in ((KAI, SOURCE), (SOURCE, KAI), (part, KAI))}
    assert len(prints) == 3
    assert opened(KAI, SOURCE).fingerprint(list(HAN)) in prints


def test_a_list_of_one_is_that_one() -> None:
    plain, listed = open_glyphs(str(SOURCE)), open_glyphs([str(SOURCE)])
    assert type(plain) is type(listed)
    assert plain.fingerprint(list(HAN)) == listed.fingerprint(list(HAN))


# -- sources of styles ----------------------------------------------------------------------


def own_sources() -> PairPlan:
    targets = {"kai": Target(str(KAI), str(XIAOWEI)), "brush": str(BRUSH)}
    return plan_pairs(str(SOURCE), targets, charset=HAN, size=64)


def test_a_style_may_have_a_source_of_its_own(tmp_path: Path) -> None:
    plan = own_sources()
    assert {entry.glyphs.path.name for entry in plan.sources} == {SOURCE.name, XIAOWEI.name}
    assert [style.source.entry.glyphs.path.name for style in plan.styles] == [XIAOWEI.name, SOURCE.name]
    pack = make_pack(plan, tmp_path)
    for style, font in zip(plan.styles, (XIAOWEI, SOURCE), strict=True):
        drawn = open_glyphs(str(font)).rasterize("国", style.frame_of(style.source), 64)
        assert np.array_equal(pack.pixels[pack.source_rows(style.name)["国"]], drawn)
    sources = [pack.manifest["sources"][entry["source"]]["file"] for entry in pack.manifest["styles"]]
    assert sources == [XIAOWEI.name, SOURCE.name]
    shared = plan_pairs(str(SOURCE), {"kai": str(KAI), "brush": str(BRUSH)}, charset=HAN, size=64)
    assert pack_key(plan) != pack_key(shared)


def test_styles_with_sources_of_their_own_need_none_in_common(tmp_path: Path) -> None:
    few = part_of(SOURCE, HAN[:20], tmp_path / "few.ttf")
    targets = {"kai": Target(str(KAI), str(few)), "brush": Target(str(BRUSH), [str(few), str(XIAOWEI)])}
    plan = plan_pairs(None, targets, charset=HAN, size=64)
    assert plan.styles[0].coverage.present == list(HAN[:20])
    assert plan.styles[1].coverage.present == list(HAN)
    assert plan.chars == list(HAN)
    with pytest.raises(DataError, match=r"style kai: has no source\. Add data\.source="):
        plan_pairs(None, {"kai": str(KAI)}, charset=HAN, size=64)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("data.targets={a: 3}", "data.targets.a=3: a font or glyph folder is needed"),
        ("data.targets={a: {source: B.ttf}}", "data.targets.a="),
        ("data.targets={a: {font: A.ttf, weight: 2}}", "{font: A.ttf, source: B.ttf}"),
        ("data.targets={a: {font: 3, source: B.ttf}}", "data.targets.a="),
        ("data.targets={a: {font: A.ttf, source: 3}}", "a font, a glyph folder or a list of them is needed"),
        ("data.targets={a: {font: A.ttf, source: []}}", "a font, a glyph folder or a list of them is needed"),
        ("data.targets={a: [A.ttf, B.ttf]}", "data.targets.a="),
        ("data.source=[]", "a font, a glyph folder or a list of them is needed"),
        ("data.source=[A.ttf,3]", "a font, a glyph folder or a list of them is needed"),
        ("data.source={a: A.ttf}", "a font, a glyph folder or a list of them is needed"),
        ("data.source=[nowhere.ttf]", "nowhere.ttf: no such font file or glyph folder"),
    ],
)
def test_wrong_forms_get_one_line(settings: str, says: str, refused: Callable[..., str]) -> None:
    given = [setting for setting in (f"data.source={SOURCE}", f"data.targets=[{KAI}]") if setting[:10] != settings[:10]]
    assert says in refused("check", "data=fonts", *given, settings, f"data.charset={HAN}")


def test_no_source_anywhere_gets_one_line(refused: Callable[..., str]) -> None:
    line = refused("check", "data=fonts", "data.source=null", f"data.targets=[{KAI}]", f"data.charset={HAN}")
    assert "data.source: needs a font or a glyph folder. Add data.source=A.ttf." in line


def test_a_source_is_one_or_several() -> None:
    assert source_spec(None) is None
    assert source_spec("a.ttf") == "a.ttf"
    assert source_spec(OmegaConf.create(["a.ttf", "b.ttf"])) == ["a.ttf", "b.ttf"]
    for wrong in ("", [], [""], {"a": "b"}, 3, ["a", None]):
        with pytest.raises(ConfigError, match="is needed"):
            source_spec(wrong)
