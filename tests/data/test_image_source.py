"""Glyph folders: names, every Pillow mode, both polarities, sizes, and the way a rendered folder comes back."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fontgan.data.frame import Frame
from fontgan.data.image_source import FolderGlyphs, name_from_char, resample
from fontgan.data.name_reading import char_from_name
from fontgan.data.reading import ImageReader
from fontgan.errors import DataError
from tests.helpers import SOURCE, fontgan_here

SIDE = 40


def bar() -> np.ndarray:
    """Grey levels of a glyph: a dark bar on light paper, off centre so that flips and rotations show."""
    grey = np.full((SIDE, SIDE), 255, np.uint8)
    grey[8:16, 6:30] = 0
    return grey


@pytest.mark.parametrize(
    ("stem", "char"),
    [
        ("U+4E00", "一"), ("u+4e00", "一"), ("4E00", "一"), ("uni4E00", "一"), ("一", "一"), ("u1F600", "😀"),
        ("20000", "𠀀"), ("A", "A"), (unicodedata.normalize("NFD", "が"), "が"), ("glyph", None), ("4E0", None),
        ("U+110000", None), ("U+D800", None), ("U+0020", None), ("U+F900", "\uf900"), ("\uf900", "\uf900"), ("E000", "\ue000"), ("", None),
    ],
)  # fmt: skip
def test_names(stem: str, char: str | None) -> None:
    assert char_from_name(stem) == char


@given(st.characters(exclude_categories=["C", "Z"]))
def test_names_come_back(char: str) -> None:
    assert char_from_name(name_from_char(char)) == char


def as_mode(mode: str) -> Image.Image:
    grey = bar()
    rgb = np.stack([grey] * 3, axis=-1)
    alpha = 255 - grey
    if mode == "1":
        return Image.fromarray(grey).convert("1")
    if mode == "P":
        return Image.fromarray(rgb).convert("P")
    if mode == "P-transparent":  # index 0 transparent paper, index 1 black ink
        image = Image.fromarray((grey == 0).astype(np.uint8), mode="P")
        image.putpalette([255, 0, 255, 0, 0, 0])
        image.info["transparency"] = 0
        return image
    if mode == "LA":
        return Image.merge("LA", [Image.fromarray(np.zeros_like(grey)), Image.fromarray(alpha)])
    if mode == "RGBA":
        return Image.merge("RGBA", [*Image.fromarray(np.zeros_like(rgb)).split(), Image.fromarray(alpha)])
    if mode == "RGBA-white-ink":
        return Image.merge("RGBA", [*Image.fromarray(np.full_like(rgb, 255)).split(), Image.fromarray(alpha)])
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray((grey / 255).astype(np.float32))
    return Image.fromarray(grey).convert("RGB").convert(mode)


MODES = {
    "1": "png", "L": "png", "LA": "png", "P": "png", "P-transparent": "png", "RGB": "png", "RGBA": "png",
    "RGBA-white-ink": "png", "I;16": "png", "CMYK": "tif", "F": "tif", "YCbCr": "tif", "LAB": "tif",
}  # fmt: skip


@pytest.mark.parametrize("mode", [m for m in MODES if m != "LAB"])
def test_every_mode_reads_as_the_same_glyph(mode: str, tmp_path: Path) -> None:
    path = tmp_path / f"U+4E00.{MODES[mode]}"
    as_mode(mode).save(path)
    grey, seen = ImageReader().read(path)
    assert grey.dtype == np.uint8
    assert np.abs(grey.astype(int) - bar()).max() <= 1
    assert seen.inverted == (mode == "RGBA-white-ink")


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "webp", "tiff", "jpg", "ppm"])
def test_every_common_format_reads(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"4E00.{ending}"
    Image.fromarray(bar()).convert("RGB").save(path)
    grey, _ = ImageReader().read(path)
    assert np.abs(grey.astype(int) - bar()).mean() < 4


def test_exif_rotation_is_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # stored upside down
    Image.fromarray(np.rot90(bar(), 2)).convert("RGB").save(tmp_path / "4E00.jpg", exif=exif, quality=95)
    grey, _ = ImageReader().read(tmp_path / "4E00.jpg")
    assert np.abs(grey.astype(int) - bar()).mean() < 4


def test_polarity_is_detected_and_said(tmp_path: Path) -> None:
    for char in "一二三":
        Image.fromarray(255 - bar()).save(tmp_path / f"{char}.png")
    glyphs = FolderGlyphs(tmp_path)
    coverage = glyphs.coverage(None)
    assert coverage.present == ["一", "三", "二"]
    assert any("light ink on dark paper; all 3 images are inverted" in str(f) for f in coverage.diagnostics)
    assert np.array_equal(glyphs.rasterize("一", Frame(SIDE), SIDE), bar())


def test_an_odd_one_out_is_inverted_and_named(tmp_path: Path) -> None:
    for char in "一二三":
        Image.fromarray(bar()).save(tmp_path / f"{char}.png")
    Image.fromarray(255 - bar()).save(tmp_path / "四.png")
    coverage = FolderGlyphs(tmp_path).coverage(None)
    assert any(f.level == "warning" and "1 of 4" in f.message and "四.png" in f.message for f in coverage.diagnostics)


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    Image.fromarray(bar()).save(tmp_path / "一.png")
    Image.fromarray(bar()).save(tmp_path / "U+4E00.png")
    Image.fromarray(bar()).save(tmp_path / "scan 3.png")
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(tmp_path / "二.png")
    (tmp_path / "三.png").write_bytes(b"")
    (tmp_path / "四.png").write_bytes((tmp_path / "一.png").read_bytes()[:60])
    (tmp_path / "notes.txt").write_text("no image")
    coverage = FolderGlyphs(tmp_path).coverage(list("一二三四五"))
    text = "\n".join(map(str, coverage.diagnostics))
    assert coverage.present == ["一"]
    assert coverage.left_out == {"missing": ["五"], "unreadable": ["三", "四"], "empty": ["二"]}
    for named in ("scan 3.png", "一.png (also U+4E00.png)", "三.png: not an image", "the file is empty", "四.png"):
        assert named in text


def test_folders_without_glyphs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        FolderGlyphs(tmp_path)
    Image.fromarray(bar()).save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="none named after a character"):
        FolderGlyphs(tmp_path)


def test_any_size_is_one_em_cell(tmp_path: Path) -> None:
    for char, side in (("一", SIDE), ("二", 4 * SIDE)):
        Image.fromarray(bar()).resize((side, side), Image.Resampling.NEAREST).save(tmp_path / f"{char}.png")
    glyphs = FolderGlyphs(tmp_path)
    assert glyphs.ink_box("一") == pytest.approx(glyphs.ink_box("二"))
    assert any("2 sizes" in str(f) for f in glyphs.coverage(None).diagnostics)


def test_an_oblong_image_is_padded_not_stretched(tmp_path: Path) -> None:
    Image.fromarray(bar()[:20]).save(tmp_path / "一.png")  # 40 wide, 20 high
    drawn = FolderGlyphs(tmp_path).rasterize("一", Frame(SIDE), SIDE)
    expected = np.full((SIDE, SIDE), 255, np.uint8)
    expected[10:30] = bar()[:20]
    assert np.array_equal(drawn, expected)


def test_resample_is_exact_on_whole_pixels_and_pads_with_paper() -> None:
    moved = resample(bar(), Frame(1, 5, -3), SIDE)
    expected = np.full((SIDE, SIDE), 255, np.uint8)
    expected[:-3, 5:] = bar()[3:, :-5]
    assert np.array_equal(moved, expected)


def test_a_rendered_folder_gives_the_same_cells_as_its_font(tmp_path: Path) -> None:
    result = fontgan_here("render", f"font={SOURCE}", f"out={tmp_path / 'g'}", "charset=永一国", "size=128")
    assert result.returncode == 0, result.stderr
    from fontgan.data.sources import open_glyphs

    folder, font = open_glyphs(str(tmp_path / "g")), open_glyphs(str(SOURCE))
    assert sorted(p.name for p in (tmp_path / "g").glob("*.png")) == ["U+4E00.png", "U+56FD.png", "U+6C38.png"]
    for char in "永一国":
        assert folder.ink_box(char) == pytest.approx(font.ink_box(char), abs=1.5 / 128)
        difference = folder.rasterize(char, Frame(96), 96).astype(int) - font.rasterize(char, Frame(96), 96)
        assert np.abs(difference).mean() < 4
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["font"]["family"]
    assert "Adobe" in manifest["font"]["copyright"]


def test_a_strange_manifest_is_refused(tmp_path: Path) -> None:
    Image.fromarray(bar()).save(tmp_path / "一.png")
    for content in ("{", "{}", '{"size": 0, "cell_to_canvas": {"scale": 1, "dx": 0, "dy": 0}}', "[]"):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(DataError, match="not a manifest of fontgan"):
            FolderGlyphs(tmp_path)
