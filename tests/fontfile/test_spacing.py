"""How new letters stand, by those that a font has: held against the true widths and bearings of a bundled serif."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fontgan.data.charset_sets import NAMED
from fontgan.data.font_source import FontGlyphs
from fontgan.data.shelf import shelf_path
from fontgan.fontfile.outline import Outline
from fontgan.fontfile.spacing import LetterSpacing, base_of, is_spaced
from tests.helpers import part_of

EM = 1000
KNOWN = [char for char in NAMED["ascii"]() if is_spaced(char)]


@pytest.fixture(scope="module")
def source() -> FontGlyphs:
    return FontGlyphs(shelf_path("sans"))


@pytest.fixture(scope="module")
def truth() -> FontGlyphs:
    return FontGlyphs(shelf_path("song"))


@pytest.fixture(scope="module")
def spacing(source: FontGlyphs, truth: FontGlyphs, tmp_path_factory: pytest.TempPathFactory) -> LetterSpacing:
    target = part_of(truth.path, "".join(KNOWN), tmp_path_factory.mktemp("part") / "part.ttf")
    return LetterSpacing(FontGlyphs(target), source, EM)


def inked(font: FontGlyphs, chars: str, dx: float = 0.0) -> dict[str, Outline]:
    """The boxes that letters fill, drawn so far off their place."""
    found = {}
    for char in chars:
        box, down = font.ink_box(char), font.to_cell()["baseline"] / font.units_per_em
        x0, y0, x1, y1 = (EM * value for value in (box.x0, down - box.y1, box.x1, down - box.y0))
        corners = [(x0 + dx, y0), (x0 + dx, y1), (x1 + dx, y1), (x1 + dx, y0)]
        calls = [("moveTo", (corners[0],)), *(("lineTo", (corner,)) for corner in corners[1:]), ("closePath", ())]
        found[char] = Outline(tuple(calls))
    return found


@pytest.mark.parametrize(("name", "widths", "bearings"), [("cyrillic", 0.02, 0.015), ("greek", 0.03, 0.02)])
def test_letters_of_another_alphabet_stand_as_the_designer_had_them(
    name: str, widths: float, bearings: float, spacing: LetterSpacing, source: FontGlyphs, truth: FontGlyphs
) -> None:
    chars = [char for char in NAMED[name]() if is_spaced(char)]
    chars = truth.coverage(source.coverage(chars).present).present
    assert len(chars) >= 48
    placed = spacing.place(inked(truth, "".join(chars), dx=120))
    off, start, plain = [], [], []
    for char in chars:
        width = truth.advance(char) / truth.units_per_em
        off.append(abs(placed[char].advance / EM - width))
        plain.append(abs(source.advance(char) / source.units_per_em - width))
        start.append(abs((placed[char].outline.bounds or (0,))[0] / EM - truth.ink_box(char).x0))
    assert np.median(off) <= widths
    assert np.median(off) < 0.7 * np.median(plain)  # the source's own widths
    assert np.median(start) <= bearings


def test_a_letter_with_a_diacritic_is_as_wide_as_without(
    spacing: LetterSpacing, source: FontGlyphs, truth: FontGlyphs
) -> None:
    chars = "".join(char for char in NAMED["latin1"]() if (base_of(char) or "") in KNOWN)
    assert len(chars) > 40
    placed = spacing.place(inked(truth, chars, dx=-30))
    off = [abs(placed[char].advance / EM - truth.advance(char) / truth.units_per_em) for char in chars]
    assert np.mean(np.array(off) < 0.005) > 0.9


def test_the_letter_itself_stays_where_it_stands_alone(spacing: LetterSpacing, truth: FontGlyphs) -> None:
    (plain,) = inked(truth, "o", dx=40).values()
    left, _, right, top = plain.bounds or (0, 0, 0, 0)
    # An accent that reaches farther to the left.
    corners = [(left - 90, top + 50), (left - 90, top + 150), (right + 30, top + 150), (right + 30, top + 50)]
    calls = [*plain.calls, ("moveTo", (corners[0],)), *(("lineTo", (corner,)) for corner in corners[1:])]
    calls.append(("closePath", ()))
    (placed,) = spacing.place({"ô": Outline(tuple(calls))}).values()
    assert placed.advance == pytest.approx(truth.advance("o") * EM / truth.units_per_em, abs=1)
    assert (placed.outline.bounds or (0,))[0] == pytest.approx(left - 90 - 40, abs=1.5)


@pytest.mark.parametrize(
    ("char", "base"),
    [
        ("ấ", "a"),
        ("ơ", "o"),
        ("đ", "d"),
        ("Ǻ", "A"),
        ("й", "и"),
        ("ґ", "г"),
        ("a", None),
        ("ж", None),
        ("ß", None),
        ("æ", None),
    ],
)
def test_what_a_letter_is_built_on(char: str, base: str | None) -> None:
    assert base_of(char) == base


def test_nothing_is_told_where_the_fonts_share_too_few_letters(source: FontGlyphs, tmp_path: Path) -> None:
    target = FontGlyphs(part_of(source.path, "abcABC", tmp_path / "few.ttf"))
    assert not LetterSpacing(target, source, EM).place(inked(source, "dД"))
