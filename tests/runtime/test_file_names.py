"""Names that Windows, macOS and Linux all take, and names that those systems left in a folder."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fontgan.complete.work import read_state
from fontgan.config.overrides import escape_overrides, job_folder
from fontgan.config.sweep_grid import grid_jobs, parse_override, shared_keys
from fontgan.data.image_source import FolderGlyphs, image_files
from fontgan.data.name_reading import char_from_name
from fontgan.data.pairs import name_styles
from fontgan.data.sources import own_name, style_name
from fontgan.errors import ConfigError, DataError
from fontgan.generate.folder import choose_styles
from fontgan.generate.sources import _name_results
from fontgan.run_folder import RunFolder
from fontgan.runtime.file_names import MAX_BYTES, alike, composed, distinct, is_of_the_system, portable
from fontgan.studio.project import Choices, Project, open_project
from fontgan.studio.uploads import safe_name
from tests.helpers import BRUSH, KAI, SOURCE, Here

DEVICES = ["CON", "con.txt", "Aux", "nul .png", "COM1", "lpt9.a.b", "com¹", "CONIN$"]
ODD = [
    "a<b>:c",
    'x"y',
    "a/b\\c",
    "what?*|",
    "end.",
    "end ",
    "a\x00\x1f",
    "\udcff",
    "",
    ".",
    "..",
    "字" * 200,
    "𠀀" * 100,
]


def is_portable(name: str) -> bool:
    """By the rules as the systems' makers write them down, beside those of the module."""
    windows = PureWindowsPath(name)
    return (
        name not in ("", ".", "..")
        and windows.name == name
        and not windows.is_reserved()
        and not set(name) & set('<>:"/\\|?*')
        and not any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in name)
        and name[-1] not in ". "
        and len(name.encode()) <= 255
        and len(name.encode("utf-16-le")) <= 2 * 255
    )


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
@example("x" * 300 + ".ttf")
def test_any_text_makes_a_name_that_every_system_takes(text: str) -> None:
    made = portable(text)
    assert is_portable(made)
    assert len(made.encode()) <= MAX_BYTES
    assert portable(made) == made


@pytest.mark.parametrize("name", [*DEVICES, *ODD])
def test_what_a_system_refuses_is_made_another_name(name: str) -> None:
    assert not is_portable(name)
    assert is_portable(portable(name))


@pytest.mark.parametrize(
    "name", ["MyFont-complete.ttf", "字体 (1).ttf", "CONSOLE", "com", "nullify.png", ".hidden", "﨑.png"]
)
def test_what_every_system_takes_stays_as_it_is(name: str) -> None:
    assert portable(name) == name


def test_a_name_that_is_too_long_keeps_its_ending() -> None:
    assert portable("字" * 100 + ".ttf").endswith("字.ttf")


def test_names_that_one_system_holds_for_one_are_told_apart() -> None:
    made = distinct(["A", "a", "Straße", "STRASSE", "が", unicodedata.normalize("NFD", "が"), "con"])
    assert list(made.values()) == ["A", "a-2", "Straße", "STRASSE-2", "が", "が-2", "con_"]
    assert len({alike(name) for name in made.values()}) == len(made)


@pytest.mark.parametrize("name", ["が", "é", "한", "ṩ", "Ấ", "パ"])
def test_names_that_macos_took_apart_are_read_as_they_were(name: str) -> None:
    apart = unicodedata.normalize("NFD", name)
    assert apart != name
    assert composed(apart) == name
    assert char_from_name(apart) == name


def test_compatibility_ideographs_stay_what_they_are() -> None:
    assert [composed(name) for name in ("\ufa11", "\ufa10", "か\u3099\ufa11")] == ["\ufa11", "\ufa10", "が\ufa11"]
    assert char_from_name("\ufa10") == "\ufa10"


def draw(*files: Path) -> None:
    for file in files:
        image = Image.new("L", (32, 32), 255)
        image.paste(0, (8, 8, 24, 24))
        image.save(file, "PNG")


def test_what_systems_leave_in_a_folder_is_no_glyph(tmp_path: Path) -> None:
    draw(tmp_path / "一.png", tmp_path / "二.PNG", tmp_path / (unicodedata.normalize("NFD", "が") + ".png"))
    for left in ("Thumbs.db", ".DS_Store", "desktop.ini", "._一.png", "._二.PNG", "Icon\r"):
        (tmp_path / left).write_bytes(b"\x00\x05\x16\x07")
        assert is_of_the_system(left)
    glyphs = FolderGlyphs(tmp_path)
    assert set(glyphs.files) == set("一二が")
    assert glyphs.coverage(None).present == list(glyphs.files)
    assert not [found for found in glyphs.coverage(None).diagnostics if found.level == "warning"]


def test_images_have_one_order_whatever_a_system_made_of_their_names(tmp_path: Path) -> None:
    chars = ["か", "が", "き", "A", "b", "B"]
    whole, apart = tmp_path / "whole", tmp_path / "apart"
    for folder, form in ((whole, "NFC"), (apart, "NFD")):
        folder.mkdir()
        draw(*(folder / f"{unicodedata.normalize(form, char)}.png" for char in chars))
    assert list(FolderGlyphs(whole).files) == list(FolderGlyphs(apart).files)
    assert len(image_files(whole)) == len(set(chars))


def test_results_of_a_folder_stay_apart_where_capitals_do_not_count(tmp_path: Path) -> None:
    files = [
        tmp_path / f"{stem}.png"
        for stem in ("A", "a", "Logo", "logo", "?", "中", "aux", unicodedata.normalize("NFD", "が"))
    ]
    named = list(_name_results(files).values())
    assert named[:2] == ["U+0041", "U+0061"]
    assert named[4:6] == ["U+003F", "中"]
    assert len({alike(name) for name in named}) == len(files)
    assert all(map(is_portable, named))


def test_folders_of_styles_stay_apart_where_capitals_do_not_count(tmp_path: Path) -> None:
    run: Any = SimpleNamespace(styles=["Kai", "kai", "con", "end."])
    folders = [folder.name for _, folder in choose_styles(run, "all", tmp_path)]
    assert folders == ["Kai", "kai-2", "con_", "end"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("MyFont (1).ttf", "MyFont 1"), ("字体（修正）.ttf", "字体 修正"), ("NotoSansSC[wght].ttf", "NotoSansSC wght"),
        ("+Plus+.otf", "Plus"), ("all.ttf", "all_"), ("source.ttf", "source_"), ("CON.ttf", "CON_"), ("kai.ttf", "kai"),
        ("a,b='c'#1.ttf", "a b c 1"), ("😀.ttf", "_"), ("Kai@2.ttf", "Kai 2"), (unicodedata.normalize("NFD", "ガ.ttf"), "ガ"),
    ],
)  # fmt: skip
def test_a_styles_name_is_made_valid_by_itself(tmp_path: Path, file: str, name: str) -> None:
    font = tmp_path / file
    font.write_bytes(b"")
    assert style_name(str(font)) == name
    (made,) = name_styles([str(font)])
    assert made == name


def test_a_file_that_is_gone_gives_the_name_before_its_number_or_instance() -> None:
    assert own_name(r"C:\a@b\Var.ttf@wght=600").endswith("Var")
    assert style_name("fonts/A.ttc#1") == "A"


def test_a_name_that_was_given_is_refused_where_it_will_not_do() -> None:
    with pytest.raises(DataError, match="cannot be a style's name"):
        name_styles({"MyFont (1)": str(KAI)})
    with pytest.raises(DataError, match=r"two styles are called MyFont 1\. Name them"):
        name_styles(["a/MyFont (1).ttf", "b/MyFont 1.ttf"])


def test_a_download_becomes_a_style_and_the_log_says_how_it_is_called(tmp_path: Path, here: Here) -> None:
    font = tmp_path / "My Font (1).ttf"
    font.write_bytes(BRUSH.read_bytes())
    checked = here("check", f"data.source={SOURCE}", f"data.targets=[{font}]", "data.charset=永字八法", "allow=[few]")
    assert checked.returncode == 0, checked.stderr
    said = checked.stdout + checked.stderr
    assert f"{font}: its style is called My Font 1." in said
    assert "My Font 1: " in said


def test_job_folders_are_names_that_every_system_takes() -> None:
    values = ["a.", "x?", "が", unicodedata.normalize("NFD", "が"), "C:\\x", "𠀀" * 60, "字" * 60, "a" * 300, "CON"]
    made = [job_folder({"data.charset": value}) for value in values]
    assert all(map(is_portable, made))
    assert len({alike(name) for name in made}) == len(values)
    assert all(unicodedata.is_normalized("NFD", name) for name in made)


def test_a_sweep_does_not_make_one_folder_of_two_jobs() -> None:
    parsed = parse_override(escape_overrides(["data.charset=ABC,abc"], sweep=True))
    with pytest.raises(ConfigError, match="differ in capitals alone"):
        grid_jobs(parsed, shared_keys(parsed))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("A.png", "U+0041.png"), ("a.PNG", "a.PNG"), ("。.png", "U+3002.png"), ("か\u3099.png", "が.png"), ("/x/y/字.jpg", "字.jpg"),
        ("dir\\中.png", "中.png"), ("1.png", "1.png"), ("\ufa10.png", "U+FA10.png"), ("?.png", "U+003F.png"),
    ],
)  # fmt: skip
def test_dropped_glyphs_keep_their_characters_and_stay_apart(name: str, made: str) -> None:
    assert safe_name(name) == made
    assert is_portable(made)


@pytest.mark.parametrize("name", ["con.ttf", "字" * 200 + ".ttf", "x" * 500 + ".otf", "AUX.tar.woff2"])
def test_dropped_fonts_have_names_that_every_system_takes(name: str) -> None:
    assert is_portable(safe_name(name))


def test_a_project_is_called_by_a_name_that_every_system_takes(tmp_path: Path) -> None:
    for family in ("CON", "字" * 100, "My Hand", "a.b"):
        assert is_portable(Project(tmp_path, Choices(target="in/x.ttf", family=family)).name)


def test_what_a_file_manager_left_is_no_other_file(tmp_path: Path) -> None:
    for left in (".DS_Store", "desktop.ini"):
        (tmp_path / left).write_bytes(b"")
    assert not open_project(tmp_path).stands
    assert RunFolder.open(tmp_path).last is None
    assert read_state(tmp_path, {})["stages"] == {}
