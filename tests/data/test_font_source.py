"""Fonts to pixels: exact transforms, proportions, collections, variable fonts, and what counts as a glyph."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from fontTools import designspaceLib
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageDraw, ImageFont

from fontgan.data.frame import Box, Frame, fit_canvas
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from tests.helpers import KAI, SOURCE, box, make_font


def test_a_box_lands_on_the_pixels_its_units_say(tmp_path: Path) -> None:
    glyphs = open_glyphs(str(make_font(tmp_path / "a.ttf", {"口": box(250, 130, 750, 630)})))
    # cell: x .25 .. .75; baseline .88, so y .88 - .63 = .25 .. .88 - .13 = .75
    assert glyphs.ink_box("口") == pytest.approx((0.25, 0.25, 0.75, 0.75))
    drawn = glyphs.rasterize("口", Frame(64, 0, 0), 64)
    expected = np.full((64, 64), 255, np.uint8)
    expected[16:48, 16:48] = 0
    assert np.array_equal(drawn, expected)


def test_half_covered_pixels_are_grey(tmp_path: Path) -> None:
    glyphs = open_glyphs(str(make_font(tmp_path / "a.ttf", {"口": box(250, 130, 750, 630)})))
    drawn = glyphs.rasterize("口", Frame(64, 0.5, 0), 64)
    assert abs(int(drawn[30, 16]) - 128) <= 1
    assert drawn[30, 17] == 0
    assert abs(int(drawn[30, 48]) - 128) <= 1


def test_pixels_map_back_to_font_units() -> None:
    glyphs = open_glyphs(str(SOURCE))
    canvas = fit_canvas([glyphs.ink_box(char) for char in "永一口"], 256, 0.04)
    for char in "永一口":
        ink = glyphs.rasterize(char, canvas, 256) < 250  # any touched pixel
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        cell = glyphs.ink_box(char)
        back = canvas.inverse()
        touched = Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert list(back.box(touched)) == pytest.approx(list(cell), abs=1.0 / canvas.scale)  # within a pixel


def test_agrees_with_pillows_own_rendering() -> None:
    """An independent path to the same pixels: Pillow at the same size and baseline."""
    glyphs = open_glyphs(str(KAI))
    ours = glyphs.rasterize("永", Frame(200, 0, 0), 200)
    theirs = Image.new("L", (200, 200), 255)
    font = ImageFont.truetype(str(KAI), 200, layout_engine=ImageFont.Layout.BASIC)
    baseline = glyphs.describe()["to_cell"]["baseline"] / glyphs.describe()["to_cell"]["units_per_em"] * 200
    ImageDraw.Draw(theirs).text((0, round(baseline)), "永", fill=0, font=font, anchor="ls")
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).mean() < 3


def test_proportions_are_kept_no_glyph_is_fitted_to_its_box() -> None:
    glyphs = open_glyphs(str(SOURCE))
    wide, small = glyphs.ink_box("国"), glyphs.ink_box("一")
    canvas = Frame(100, 0, 0)
    drawn = glyphs.rasterize("一", canvas, 100) < 128
    assert np.flatnonzero(drawn.any(1)).size == pytest.approx(small.height * 100, abs=1.5)
    assert wide.height > 5 * small.height


def test_missing_empty_and_notdef_are_left_out_and_named(tmp_path: Path) -> None:
    font = make_font(
        tmp_path / "a.ttf",
        {"一": box(0, 300, 900, 400), "二": None, "三": box(100, 0, 400, 700), "四": box(5, 5, 5, 500)},
    )
    coverage = open_glyphs(str(font)).coverage(list("一二三四五"))
    assert coverage.present == ["一"]
    # 三 draws the very .notdef box; 四 is a line without area.
    assert coverage.left_out == {"missing": ["五"], "empty": ["二", "四"], "notdef": ["三"]}
    text = " ".join(map(str, coverage.diagnostics))
    assert "五" in text
    assert "三" in text


def test_charset_font_is_all_the_font_has(tmp_path: Path) -> None:
    font = make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400), "A": box(10, 0, 300, 700)})
    assert open_glyphs(str(font)).coverage(None).present == ["A", "一"]


def test_cff_outlines_draw_too(tmp_path: Path) -> None:
    pen = T2CharStringPen(1000, None)
    for command, *points in (
        ("moveTo", (250, 130)),
        ("lineTo", (250, 630)),
        ("lineTo", (750, 630)),
        ("lineTo", (750, 130)),
    ):
        getattr(pen, command)(*points)
    pen.closePath()
    empty = T2CharStringPen(1000, None).getCharString()
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "kou"])
    builder.setupCharacterMap({ord("口"): "kou"})
    builder.setupCFF("Test", {}, {".notdef": empty, "kou": pen.getCharString()}, {})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "kou": (1000, 0)})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    builder.save(tmp_path / "a.otf")
    drawn = open_glyphs(str(tmp_path / "a.otf")).rasterize("口", Frame(64, 0, 0), 64)
    assert (drawn[16:48, 16:48] == 0).all()
    assert (drawn < 255).sum() == 32 * 32


def test_collections_need_an_index(tmp_path: Path) -> None:
    collection = TTCollection()
    for name, right in (("One", 500), ("Two", 900)):
        font = make_font(tmp_path / f"{name}.ttf", {"一": box(0, 300, right, 400)}, family=name)
        collection.fonts.append(TTFont(font))
    path = tmp_path / "both.ttc"
    collection.save(path)
    assert open_glyphs(f"{path}#1").ink_box("一").x1 == pytest.approx(0.9)
    assert open_glyphs(f"{path}#0").describe()["family"] == "One"
    with pytest.raises(DataError, match="collection of 2 fonts"):
        open_glyphs(str(path))
    with pytest.raises(DataError, match="has 2 fonts"):
        open_glyphs(f"{path}#2")


@pytest.fixture
def variable_font(tmp_path: Path) -> Path:
    """One axis, wght 100..900: the box's right edge goes from 300 to 900."""
    from fontTools import varLib

    designspace = designspaceLib.DesignSpaceDocument()
    axis = designspaceLib.AxisDescriptor()
    axis.tag, axis.name, axis.minimum, axis.default, axis.maximum = "wght", "Weight", 100, 100, 900
    designspace.addAxis(axis)
    for weight, right in ((100, 300), (900, 900)):
        path = make_font(tmp_path / f"master{weight}.ttf", {"一": box(0, 300, right, 400)})
        source = designspaceLib.SourceDescriptor()
        source.font, source.location = TTFont(path), {"Weight": weight}
        designspace.addSource(source)
    instance = designspaceLib.InstanceDescriptor()
    instance.styleName, instance.familyName, instance.location = "Heavy", "Test", {"Weight": 900}
    designspace.addInstance(instance)
    font, _, _ = varLib.build(designspace)
    font.save(tmp_path / "var.ttf")
    return tmp_path / "var.ttf"


@pytest.mark.parametrize(("instance", "right"), [("", 0.3), ("@wght=500", 0.6), ("@wght:900", 0.9), ("@Heavy", 0.9)])
def test_variable_fonts_at_an_instance(variable_font: Path, instance: str, right: float) -> None:
    glyphs = open_glyphs(f"{variable_font}{instance}")
    assert glyphs.ink_box("一").x1 == pytest.approx(right, abs=0.002)


def test_instances_that_do_not_exist_are_refused_with_the_choices(variable_font: Path) -> None:
    with pytest.raises(DataError, match=r"wght 100\.\.900; named instances: Heavy"):
        open_glyphs(f"{variable_font}@Thin")
    with pytest.raises(DataError, match=r"wght 100\.\.900"):
        open_glyphs(f"{variable_font}@wght=1000")
    with pytest.raises(DataError, match="not variable"):
        open_glyphs(f"{SOURCE}@Bold")


def test_other_instances_have_other_fingerprints(variable_font: Path) -> None:
    prints = {open_glyphs(f"{variable_font}{i}").fingerprint(["一"]) for i in ("", "@wght=500", "@Heavy")}
    assert len(prints) == 3


def test_what_is_no_font_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ttf").write_text("not a font")
    (tmp_path / "empty.ttf").write_bytes(b"")
    (tmp_path / "cut.ttf").write_bytes(SOURCE.read_bytes()[:3000])
    for name in ("text.ttf", "empty.ttf", "cut.ttf"):
        with pytest.raises(DataError, match=name):
            open_glyphs(str(tmp_path / name))
    with pytest.raises(DataError, match="no such font"):
        open_glyphs(str(tmp_path / "none.ttf"))


@pytest.mark.slow
def test_a_woff2_draws_as_the_font_inside(tmp_path: Path) -> None:
    font = TTFont(KAI)
    font.flavor = "woff2"
    packed = tmp_path / "kai.woff2"
    font.save(packed)
    frame = Frame(96, 16, 16)
    before, after = open_glyphs(str(KAI)), open_glyphs(str(packed))
    assert (after.rasterize("永", frame, 128) == before.rasterize("永", frame, 128)).all()
    assert pickle.loads(pickle.dumps(after)).rasterize("文", frame, 128).min() == 0  # noqa: S301  # our own
