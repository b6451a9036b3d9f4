"""Widths of plain and scanned images: what Unicode says of a character, what a target has, and where the ink stands."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
import uharfbuzz
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.fontfile.layout import Layout
from fontgan.fontfile.metrics import choose_layout
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.widths import is_ambiguous
from tests.helpers import KAI, XIAOWEI, Here, box, make_font


def ink(left: int, right: int, bottom: int = 100, top: int = 600) -> Outline:
    """A rectangle in font units."""
    (first, *others) = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return Outline((("moveTo", (first,)), *(("lineTo", (corner,)) for corner in others), ("closePath", ())))


def sides(glyph: DrawnGlyph) -> tuple[float, float]:
    assert glyph.outline.bounds is not None
    return glyph.outline.bounds[0], glyph.outline.bounds[2]


def folder_of(path: Path, boxes: dict[str, tuple[float, float, float, float]], size: int = 100) -> Path:
    """Plain images: black boxes, given in shares of the em cell from its top left corner."""
    path.mkdir(parents=True, exist_ok=True)
    for char, corners in boxes.items():
        image = Image.new("L", (size, size), 255)
        left, top, right, bottom = (round(size * share) for share in corners)
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=0)
        image.save(path / f"U+{ord(char):04X}.png")
    return path


def font_of(path: Path, advances: dict[str, int], em: int = 1000) -> FontGlyphs:
    """A font of boxes with these widths."""
    make_font(path, {char: box(10, 0, max(40, width - 10), 500) for char, width in advances.items()}, em=em)
    font = TTFont(path)
    for char, width in advances.items():
        font["hmtx"][f"u{ord(char):04X}"] = (width, 10)
    font.save(path)
    return FontGlyphs(path)


@pytest.mark.parametrize("char", "—…‥―“”‘’①Ⅳ→■★※℃∞─")
def test_signs_fill_an_em_beside_han_and_follow_their_ink_elsewhere(char: str, tmp_path: Path) -> None:
    for among, width in (("永", 1000), ("ア", 1000), ("ｱ", 1000), ("。", 1000), ("A", 420), ("한", 420)):
        folder = folder_of(tmp_path / among, {among: (0.1, 0.1, 0.9, 0.9)})
        glyph = choose_layout(folder).place(char, ink(400, 700))
        assert glyph.advance == width, among
        assert sides(glyph) == ((400, 700) if width == 1000 else (60, 360))


@pytest.mark.parametrize("char", "–αБ·×é€")
def test_letters_and_signs_of_latin_1_follow_their_ink_everywhere(char: str, tmp_path: Path) -> None:
    assert not is_ambiguous(char)
    layout = choose_layout(folder_of(tmp_path / "a", {"永": (0.1, 0.1, 0.9, 0.9)}))
    assert layout.place(char, ink(400, 700)).advance == 420


def test_signs_are_as_wide_as_the_target_has_them(tmp_path: Path) -> None:
    chinese = font_of(tmp_path / "a.ttf", {"永": 1000, "A": 700, "…": 1000})
    western = font_of(tmp_path / "b.ttf", {"永": 1000, "A": 700, "…": 600, "“": 400})
    coding = font_of(tmp_path / "c.ttf", {"永": 1000} | dict.fromkeys("Aimno", 500))
    widths = [
        choose_layout(tmp_path, target=font).place("—", ink(58, 942)).advance for font in (chinese, western, coding)
    ]
    assert widths == [1000, 884 + 120, 500]


@pytest.mark.parametrize("char", "ｱ｡ﾞ｢ﾡ￨")
def test_half_width_forms_are_half_an_em(char: str, tmp_path: Path) -> None:
    glyph = choose_layout(tmp_path).place(char, ink(100, 300))  # drawn from the cell's left side
    assert (glyph.advance, sides(glyph)) == (500, (100, 300))
    glyph = choose_layout(tmp_path).place(char, ink(400, 600))  # in its middle
    assert (glyph.advance, sides(glyph)) == (500, (150, 350))
    narrow = font_of(tmp_path / "a.ttf", {"永": 920, "ｲ": 470})
    assert choose_layout(tmp_path, target=narrow).place(char, ink(100, 300)).advance == 470
    assert choose_layout(tmp_path).place("₩", ink(100, 300)).advance == 320  # Unicode calls it half-width too


@pytest.mark.parametrize(("em", "cell"), [(1000, 500), (1000, 600), (2048, 1233)])
def test_a_monospaced_target_keeps_its_one_width(
    em: int, cell: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = font_of(tmp_path / "a.ttf", dict.fromkeys("abcdefg", cell) | {"\u0301": 0}, em=em)
    layout = choose_layout(tmp_path, target=target)
    # Drawn from the cell's left side, as fonts are.
    drawn = {
        "i": ink(round(0.4 * cell), round(0.6 * cell)),
        "W": ink(0, cell),
        ",": ink(50, 100),
        "─": ink(-9, cell + 9),
    }
    placed = layout.place_all(drawn)
    assert {glyph.advance for glyph in placed} == {cell}
    assert [glyph.outline for glyph in placed] == list(drawn.values())
    # In the middle of the cell, as on a template.
    middle = {
        "i": ink(em // 2 - 40, em // 2 + 40),
        "m": ink(em // 2 - 200, em // 2 + 200),
        "-": ink(em // 2 - 90, em // 2 + 90),
    }
    for glyph in layout.place_all(middle):
        assert (glyph.advance, sum(sides(glyph)) / 2) == (cell, pytest.approx(cell / 2, abs=1))
    assert not caplog.records
    # What cannot fit is centred and said.
    wide = layout.place("M", ink(0, em))
    assert (wide.advance, sum(sides(wide)) / 2) == (cell, pytest.approx(cell / 2, abs=1))
    assert "1 glyphs are wider" in caplog.text
    assert "M" in caplog.text
    # A full-width character takes two cells, and stands in their middle.
    han = layout.place("永", ink(em // 10, em - em // 10))
    assert (han.advance, sum(sides(han)) / 2) == (2 * cell, pytest.approx(cell, abs=1))


def test_a_monospaced_target_does_not_take_the_widths_of_another_font(tmp_path: Path) -> None:
    target = font_of(tmp_path / "a.ttf", dict.fromkeys("abcdefg", 500))
    source = font_of(tmp_path / "b.ttf", {"i": 250, "W": 900})
    layout = choose_layout(tmp_path, target=target, source=source)
    assert [layout.place(char, ink(100, 400)).advance for char in "iW"] == [500, 500]


def test_equal_widths_of_few_letters_or_of_digits_make_no_monospaced_font(tmp_path: Path) -> None:
    for number, chars in enumerate(("ab", "0123456789", "永国")):
        target = font_of(tmp_path / f"{number}.ttf", dict.fromkeys(chars, 600))
        assert choose_layout(tmp_path, target=target).place("i", ink(100, 200)).advance == 220


MARKS = [chr(code) for code in range(0x300, 0x36F) if unicodedata.category(chr(code)) == "Mn" and chr(code) != "\u034f"]


@pytest.mark.parametrize("mark", [*MARKS, "\u20dd", "\u0483", "\u0e31", "\u05b8", "\u064b", "\u0308"])
@pytest.mark.parametrize("at", [100, 400])
def test_combining_marks_are_0_wide_and_stand_over_the_letter_before(mark: str, at: int) -> None:
    letters = {"a": ink(500, 900), "o": ink(520, 920)}
    *_, glyph = Layout().place_all({**letters, mark: ink(at, at + 120)})
    left, right = sides(glyph)
    assert (glyph.advance, right - left) == (0, 120)
    kind = unicodedata.combining(mark)
    if kind in (233, 234):  # between two letters
        assert left == -60
    elif kind in (216, 232):  # a horn, a comma above right
        assert (left + right) / 2 == -60
    elif mark in "\u05b8\u064b":  # Hebrew and Arabic: the letter is drawn after the mark
        assert (left + right) / 2 == 520 / 2
    else:
        assert -520 <= left < right <= 0


@pytest.mark.parametrize("mark", "\u0488\u0489\u0e31\u0301\u20dd")
def test_marks_without_letters_of_their_script_stand_over_those_there_are(mark: str, tmp_path: Path) -> None:
    *_, glyph = Layout().place_all({"ა": ink(100, 800), "ბ": ink(100, 800), mark: ink(400, 600)})  # 820 wide
    assert (glyph.advance, sides(glyph)) == (0, (-510, -310))
    target = font_of(tmp_path / "a.ttf", dict.fromkeys("აბგდე", 700))  # a font's do where the folder has none
    glyph = choose_layout(tmp_path, target=target).place(mark, ink(400, 600))
    assert (glyph.advance, sides(glyph)) == (0, (-450, -250))


def test_vowel_signs_keep_their_place_against_the_letters() -> None:
    letters = {"क": ink(400, 900), "ग": ink(400, 800)}
    *_, sign, own = Layout().place_all({**letters, "े": ink(150, 390), "ा": ink(400, 500)})
    assert (sign.advance, sides(sign)) == (0, (-310, -70))  # 10 left of the end of the letter before, as drawn
    assert own.advance == 220  # a spacing mark is a glyph like others
    *_, sign = Layout().place_all({**letters, "े": ink(500, 740)})  # drawn over the letters' place, as on a template
    assert sum(sides(sign)) / 2 == -(620 + 520) / 2 / 2


def test_marks_stand_over_the_letters_of_the_target(tmp_path: Path) -> None:
    target = font_of(tmp_path / "a.ttf", dict.fromkeys("abcdefg", 600) | {"ا": 200})
    latin, arabic = choose_layout(tmp_path, target=target).place_all({"\u0301": ink(400, 600), "\u064e": ink(400, 600)})
    assert (sides(latin), sides(arabic)) == ((-400, -200), (0, 200))
    kana = choose_layout(tmp_path).place("\u3099", ink(700, 900))  # voicing, drawn in the kana's own cell
    assert (kana.advance, sides(kana)) == (0, (-300, -100))


def test_widths_of_a_manifest_and_of_a_source_stay(tmp_path: Path) -> None:
    facts = {
        "size": 64, "cell_to_canvas": Frame(64).as_dict(), "to_cell": {"units_per_em": 1000, "baseline": 880},
        "advances": {"—": 894, "\u0301": 300, "ｱ": 480, "i": 263},
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    mono = font_of(tmp_path / "a.ttf", dict.fromkeys("abcdefg", 500))
    for target in (None, mono):
        glyphs = choose_layout(tmp_path, target=target).place_all(dict.fromkeys(facts["advances"], ink(100, 200)))  # type: ignore[call-overload]
        assert [(glyph.advance, *sides(glyph)) for glyph in glyphs] == [(w, 100, 200) for w in (894, 300, 480, 263)]


def test_a_folder_that_is_completed_takes_a_sources_width_where_its_ink_fits(tmp_path: Path) -> None:
    source = FontGlyphs(XIAOWEI)
    layout = choose_layout(tmp_path, source=source)
    assert layout.place("i", ink(40, 200)).advance == source.advance("i")
    middle = layout.place("i", ink(460, 540))  # written in the middle of a template's cell
    assert (middle.advance, sides(middle)) == (200, (60, 140))


def test_build_font_gives_the_widths(tmp_path: Path, here: Here) -> None:
    folder = folder_of(tmp_path / "mine", {
        "永": (0.1, 0.1, 0.9, 0.9), "—": (0, 0.48, 1, 0.52), "ｱ": (0.1, 0.1, 0.45, 0.8), "a": (0.3, 0.4, 0.7, 0.88),
        "\u0301": (0.45, 0.1, 0.55, 0.2),
    })  # fmt: skip
    result = here("build-font", f"input={folder}", f"out={tmp_path / 'a.ttf'}")
    assert result.returncode == 0, result.stderr
    font = TTFont(tmp_path / "a.ttf")
    cmap = font.getBestCmap()
    widths = {chr(code): font["hmtx"][name][0] for code, name in cmap.items() if code > 0x20}
    assert widths == {"\xa0": 250, "a": 520, "\u0301": 0, "—": 1000, "\u3000": 1000, "永": 1000, "ｱ": 500}
    dash = font["glyf"][cmap[ord("—")]]
    assert (dash.xMin, dash.xMax) == (0, 1000)  # joins the next
    face = uharfbuzz.Font(uharfbuzz.Face((tmp_path / "a.ttf").read_bytes()))
    text = uharfbuzz.Buffer()
    text.add_str("a\u0301a")
    text.guess_segment_properties()
    uharfbuzz.shape(face, text)
    assert [at.x_advance for at in text.glyph_positions] == [520, 0, 520]


def test_bundled_fonts_are_not_monospaced(tmp_path: Path) -> None:
    for font in (KAI, XIAOWEI):
        assert choose_layout(tmp_path, target=FontGlyphs(font)).usual.cell is None
