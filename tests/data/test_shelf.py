"""The shelf: its fonts are complete and free, named by one word everywhere, and fetched whole or not at all."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from fontgan.data import shelf as shelf_module
from fontgan.data.charset import resolve
from fontgan.data.charset_sets import NAMED
from fontgan.data.font_source import FontGlyphs
from fontgan.data.shelf import FOLDER, fetch_font, shelf, shelf_path
from fontgan.data.sources import open_glyphs, style_name
from fontgan.errors import DataError
from tests.helpers import KAI, error_line, fontgan

BUNDLED = [name for name, font in shelf().items() if not font.package]
FETCHED = [name for name, font in shelf().items() if font.package]


def test_there_are_a_sans_a_song_a_kai_and_a_round_in_eight_megabytes() -> None:
    assert {shelf()[name].kind for name in BUNDLED} == {"sans", "song", "kai", "round"} == set(BUNDLED)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 8e6
    assert {file.stem for file in FOLDER.glob("*.woff2")} == set(BUNDLED)
    assert len(FETCHED) >= 10


@pytest.mark.parametrize("name", BUNDLED)
def test_a_font_of_the_package_draws_all_that_it_says(name: str) -> None:
    glyphs = open_glyphs(f"shelf:{name}")
    assert isinstance(glyphs, FontGlyphs)
    assert "gb2312-1" in shelf()[name].covers
    for charset in ("ascii", "kana", *shelf()[name].covers):
        assert glyphs.coverage(resolve(charset)).left_out == {}, charset
    assert len(glyphs.characters()) == shelf()[name].characters
    assert glyphs.describe()["family"] == shelf()[name].family
    assert shelf()[name].version in glyphs.describe()["version"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_font_of_the_package_is_free_and_reserves_no_name(name: str) -> None:
    about = open_glyphs(f"shelf:{name}").describe()
    text = shelf()[name].licence_path.read_text(encoding="utf-8")
    notice, _, terms = text.partition("PREAMBLE")
    assert "SIL OPEN FONT LICENSE Version 1.1" in notice
    assert "PERMISSION & CONDITIONS" in terms
    assert "SIL Open Font License, Version 1.1" in about["licence"]
    for stated in (notice, about["copyright"], about["licence"]):
        assert "reserved" not in stated.casefold()
    assert " ".join(about["copyright"].split()) in " ".join(notice.split())  # the licence asks to keep the notice


def test_the_notice_names_every_font_and_its_origin() -> None:
    notice = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in BUNDLED:
        row = next(line for line in notice.splitlines() if line.startswith(f"| `{name}.woff2`"))
        assert len(row.split("|")[-2].strip(" `")) == 64


def test_round_is_the_sans_with_less_ink_at_its_corners() -> None:
    from fontgan.data.frame import Frame

    sans, rounded = (open_glyphs(f"shelf:{name}") for name in ("sans", "round"))
    frame = Frame(90, 5, 5)
    for char in "永国骨遍缓繁警鹰口八鬣":
        before, after = ((255.0 - font.rasterize(char, frame, 100)).sum() for font in (sans, rounded))
        assert 0.93 * before < after < before, char


@pytest.mark.parametrize("name", FETCHED)
def test_a_fetched_font_is_pinned(name: str) -> None:
    font = shelf()[name]
    assert font.package.rpartition("@")[0].startswith("@")
    assert len(font.sha256) == 64
    assert set(font.covers) <= set(NAMED)
    assert font.covers


@pytest.mark.parametrize("name", ["sanz", "", "../sans", "sans.woff2", "Sans"])
def test_an_unknown_name_is_one_line_with_the_choices(name: str) -> None:
    with pytest.raises(DataError, match=r"no font of that name\. There are sans, song") as told:
        open_glyphs(f"shelf:{name}")
    assert "\n" not in str(told.value)


def test_a_font_not_fetched_yet_tells_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"fontgan shelf 'fetch=\[sans-jp\]'"):
        shelf_path("sans-jp")


def test_a_style_is_named_after_the_font() -> None:
    assert style_name("shelf:kai") == "kai"


def test_the_verb_lists_and_refuses() -> None:
    listed = fontgan("shelf")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == list(shelf())
    assert "fetch=sanz: the shelf has no font of that name" in error_line(fontgan("shelf", "fetch=[sanz]"))


def test_render_opens_the_shelf(tmp_path: Path) -> None:
    drawn = fontgan("render", "font=shelf:round", "charset=永国", "size=64", f"out={tmp_path / 'out'}")
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


# -- fetching: npm is a script that copies a package made here ----------------------------------


@pytest.fixture
def fetchable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> shelf_module.ShelfFont:
    """A font to fetch, and an npm on the PATH that has its package as a WOFF2."""
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    font = TTFont(KAI)
    font.flavor, buffer = "woff2", io.BytesIO()
    font.save(buffer)
    package(tmp_path / "made.tgz", {"files/kai.woff2": buffer.getvalue(), "LICENSE": b"free"})
    npm(tmp_path, f'cp "{tmp_path}/made.tgz" "$dest/made-1.0.0.tgz"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    return shelf_module.ShelfFont(
        "made", "kai", "Made", "1", 9, [], package="@made/kai@1.0.0", file="files/kai.woff2", licence="LICENSE", sha256=digest
    )  # fmt: skip


def package(out: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(out, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def npm(tmp_path: Path, does: str) -> None:
    """An npm that notes what it is asked, sets ``dest`` to the folder that it shall write into, and does as told."""
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\nfor dest; do :; done\n{does}\n')
    script.chmod(0o755)


def left(tmp_path: Path) -> list[str]:
    return sorted(file.name for file in (tmp_path / "cache" / "shelf").iterdir())


def test_a_font_is_fetched_unpacked_and_kept_with_its_licence(
    fetchable: shelf_module.ShelfFont, tmp_path: Path
) -> None:
    fetch_font(fetchable)
    assert left(tmp_path) == ["made.LICENSE.txt", "made.ttf"]
    assert fetchable.path.read_bytes()[:4] == b"\0\1\0\0"  # WOFF2 no more, so that it opens quickly
    assert fetchable.licence_path.read_bytes() == b"free"
    assert FontGlyphs(fetchable.path).coverage(list("永")).drawn == ["永"]
    assert (tmp_path / "asked").read_text().startswith("pack @made/kai@1.0.0 --silent --ignore-scripts")


def broken(tmp_path: Path, kind: str) -> None:
    made = tmp_path / "made.tgz"
    if kind == "another font":
        package(made, {"files/kai.woff2": KAI.read_bytes(), "LICENSE": b"free"})
    elif kind == "no licence":
        package(made, {"files/kai.woff2": KAI.read_bytes()})
    elif kind == "no font":
        package(made, {"LICENSE": b"free"})
    elif kind == "cut":
        made.write_bytes(made.read_bytes()[:-5000])
    elif kind == "no archive":
        made.write_bytes(b"<html>not here</html>")
    elif kind == "npm fails":
        npm(tmp_path, "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1")
    elif kind == "npm leaves nothing":
        npm(tmp_path, "true")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("another font", "sha256"), ("no licence", "broken or lacks"), ("no font", "broken or lacks"),
        ("cut", "broken or lacks"), ("no archive", "broken or lacks"), ("npm fails", "404 Not Found"),
        ("npm leaves nothing", "could not fetch"),
    ],
)  # fmt: skip
def test_what_is_not_the_pinned_font_is_refused_and_leaves_nothing(
    kind: str, said: str, fetchable: shelf_module.ShelfFont, tmp_path: Path
) -> None:
    broken(tmp_path, kind)
    with pytest.raises(DataError, match=said) as told:
        fetch_font(fetchable)
    assert "\n" not in str(told.value)
    assert left(tmp_path) == []


def test_without_npm_one_line_says_what_is_missing(
    fetchable: shelf_module.ShelfFont, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm, which is not installed\. Install Node\.js"):
        fetch_font(fetchable)
