"""What a font says of its version, its maker and its licence."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from fontgan.errors import ConfigError
from fontgan.fontfile.create import create_font
from fontgan.fontfile.credits import Credits
from fontgan.fontfile.extend import extend_font
from fontgan.fontfile.licence import free_licences
from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.target import open_target
from fontgan.fontfile.ufo import write_ufo
from tests.helpers import BRUSH, Here

SQUARE = Outline(
    (("moveTo", ((0, 0),)), *(("lineTo", (at,)) for at in [(500, 0), (500, 500), (0, 500)]), ("closePath", ()))
)
GIVEN = Credits(
    version="2.1", designer="Aurelia", designer_url="https://aurelia.example", vendor="AUR",
    copyright="Copyright 2026 Aurelia", licence="OFL",
)  # fmt: skip


def said(font: TTFont, *name_ids: int) -> list[str | None]:
    return [font["name"].getDebugName(name_id) for name_id in name_ids]


def check_given(font: TTFont) -> None:
    assert said(font, 0, 5, 9, 12) == [GIVEN.copyright, "Version 2.100", GIVEN.designer, GIVEN.designer_url]
    licence, address = said(font, 13, 14)
    assert free_licences(str(licence)) == ["SIL Open Font License"]
    assert address == "https://openfontlicense.org"
    assert font["head"].fontRevision == pytest.approx(2.1, abs=1e-4)
    assert font["OS/2"].achVendID == "AUR "
    assert str(said(font, 3)[0]).startswith("2.100;")


def test_a_new_font_says_what_it_is_given_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.ttf", "a.otf"):
        create_font([DrawnGlyph("a", SQUARE, 600)], tmp_path / name, family="Hand", credits=GIVEN)
        check_given(TTFont(tmp_path / name))
    create_font([DrawnGlyph("a", SQUARE, 600)], tmp_path / "b.ttf", family="Hand")
    assert said(TTFont(tmp_path / "b.ttf"), 0, 5, 9, 12, 13, 14) == [None, "Version 1.000", None, None, None, None]


def test_a_target_keeps_what_is_not_given(tmp_path: Path) -> None:
    kept, changed = tmp_path / "kept.ttf", tmp_path / "changed.ttf"
    before = TTFont(BRUSH)
    extend_font(open_target(str(BRUSH)), [DrawnGlyph("龘", SQUARE, 1000)], kept, family="Hand")
    assert said(TTFont(kept), 0, 5, 9, 13, 14) == said(before, 0, 5, 9, 13, 14)
    assert TTFont(kept)["head"].fontRevision == before["head"].fontRevision
    extend_font(
        open_target(str(BRUSH)), [DrawnGlyph("龘", SQUARE, 1000)], changed, family="Hand", credits=Credits(version="3")
    )
    assert said(TTFont(changed), 0, 5, 9, 13) == [
        *said(before, 0),
        "Version 3.000",
        *said(before, 9, 13),
    ]


def test_an_owner_may_replace_the_licence_and_the_old_address_goes(tmp_path: Path) -> None:
    own = Credits(copyright="Copyright 2026 Aurelia", licence="All rights reserved.")
    before = TTFont(BRUSH)
    for name_id, text in ((13, "Ask the foundry."), (14, "https://foundry.example")):
        before["name"].setName(text, name_id, 3, 1, 0x409)
    before.save(tmp_path / "before.ttf")
    target = open_target(str(tmp_path / "before.ttf"))
    for one in (Credits(copyright=own.copyright), Credits(licence=own.licence)):
        with pytest.raises(ConfigError, match=r"^(copyright|licence): only its owner may.*confirm_ownership=true"):
            one.check(target.font, confirm_ownership=False)
    own.check(target.font, confirm_ownership=True)
    extend_font(target, [DrawnGlyph("龘", SQUARE, 1000)], tmp_path / "a.ttf", family="Hand", credits=own)
    assert said(TTFont(tmp_path / "a.ttf"), 0, 13, 14) == [own.copyright, own.licence, None]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("version=abc", "version=abc: a number is needed"),
        ("version=1.2345", "three decimals at most"),
        ("version=1.2.3", "version=1.2.3"),
        ("vendor=ABCDE", "one to four ASCII characters"),
        ("vendor=手", "one to four ASCII characters"),
        ("designer=''", "a text in one line is needed"),
        ('copyright="a\\nb"', "a text in one line is needed"),
    ],
)
def test_what_no_font_may_say_is_refused(setting: str, told: str, tmp_path: Path, refused: Here) -> None:
    write_ufo(tmp_path / "a.ufo", [DrawnGlyph("a", SQUARE, 600)], units_per_em=1000, baseline=880)
    setting = setting.replace("\\n", "\n")
    assert told in refused("build-font", f"input={tmp_path / 'a.ufo'}", f"out={tmp_path / 'a.ttf'}", setting)
    assert not (tmp_path / "a.ttf").exists()


def test_build_font_writes_them(tmp_path: Path, here: Here) -> None:
    write_ufo(tmp_path / "a.ufo", [DrawnGlyph("a", SQUARE, 600)], units_per_em=1000, baseline=880)
    settings = [f"{key}={value}" for key, value in vars(GIVEN).items()]
    result = here("build-font", f"input={tmp_path / 'a.ufo'}", f"out={tmp_path / 'a.ttf'}", *settings)
    assert result.returncode == 0, result.stderr
    check_given(TTFont(tmp_path / "a.ttf"))
