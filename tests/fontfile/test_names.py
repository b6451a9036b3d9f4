"""Names that Windows can tell, and what a font is said to lack to be set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from fontgan.errors import ConfigError
from fontgan.fontfile.create import create_font
from fontgan.fontfile.names import check_lengths
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.shaping import warn_of_features
from fontgan.fontfile.ufo import write_ufo
from tests.helpers import KAI, Here

BOX = Outline(
    (("moveTo", ((0, 0),)), *(("lineTo", (at,)) for at in [(500, 0), (500, 500), (0, 500)]), ("closePath", ()))
)


@pytest.mark.parametrize(
    ("family", "style", "letters"),
    [
        ("A" * 31, "Regular", 0), ("A" * 31, "Bold Italic", 0), ("A" * 32, "Regular", 32), ("手" * 32, "Bold", 32),
        ("A" * 20, "ExtraLight", 0), ("A" * 21, "ExtraLight", 32), ("😀" * 16, "Regular", 32),
    ],
)  # fmt: skip
def test_a_family_has_31_letters_at_most_with_the_style_that_counts_to_it(
    family: str, style: str, letters: int, tmp_path: Path
) -> None:
    if letters:
        with pytest.raises(ConfigError, match=f"{letters} letters.*31 at most.*Give a shorter family"):
            check_lengths(family, style)
        return
    check_lengths(family, style)
    create_font([DrawnGlyph("a", BOX, 600)], tmp_path / "a.ttf", family=family, style_name=style)
    names = TTFont(tmp_path / "a.ttf")["name"]
    assert len(names.getDebugName(1)) <= 31
    assert len(names.getDebugName(4)) <= 63
    assert len(names.getDebugName(6)) <= 63


def test_long_names_are_refused_before_anything_is_drawn(
    tmp_path: Path, here: Here, refused: Callable[..., str]
) -> None:
    ufo, long = tmp_path / "a.ufo", "The Handwriting Of My Grandmother Aurelia"
    write_ufo(ufo, [DrawnGlyph("a", BOX, 600), DrawnGlyph("龘", BOX, 1000)], units_per_em=1000, baseline=880)
    told = lambda *more: refused("build-font", f"input={ufo}", *more)  # noqa: E731
    assert "31 at most" in told(f"out={tmp_path / 'a.ttf'}", f"family={long}")
    assert "31 at most" in told(f"out={tmp_path / f'{long}.ttf'}")  # which the font would be called after
    assert "style_name=ExtraBold" in told(f"out={tmp_path / 'a.ttf'}", f"family={long[:28]}", "style_name=ExtraBold")
    assert "31 at most" in told(
        f"out={tmp_path / 'a.ttf'}", f"family={long}", f"target={KAI}", "confirm_ownership=true"
    )
    assert not list(tmp_path.glob("*.ttf"))
    result = here("build-font", f"input={ufo}", f"out={tmp_path / f'{long}.ttf'}", "family=Aurelia")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("chars", "told"),
    [
        ("العربية", "Arabic letters do not join"), ("कखग", "Devanagari letters do not join"), ("বাংলা", "Bengali"),
        ("தமிழ்", "Tamil"), ("ܐܒ", "Syriac"), ("ߒߞߏ", "Nko"), ("ᠮᠣᠩ", "Mongolian"), ("ខ្មែរ", "Khmer"),
        ("ไทยี่", "2 combining marks have no anchors"), ("e\u0301", "1 combining marks have no anchors"), ("か\u3099", "1 comb"),
        ("カード永글éбω؟।", ""),
    ],
)  # fmt: skip
def test_scripts_that_need_features_are_said(chars: str, told: str, caplog: pytest.LogCaptureFixture) -> None:
    for extended, why in ((False, "a new font has no features"), (True, "the target's features do not know them")):
        caplog.clear()
        warn_of_features(chars, extended=extended)
        assert told in caplog.text
        assert bool(told) == (why in caplog.text)
        assert "font editor" in caplog.text or not told


def test_a_new_font_that_cannot_join_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    create_font([DrawnGlyph(char, BOX, 600) for char in "بح\u064e"], tmp_path / "a.ttf", family="A")
    assert "Arabic letters do not join" in caplog.text
    assert "1 combining marks have no anchors" in caplog.text
