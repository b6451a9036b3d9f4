"""Glyph images as a person sees them: which tone is ink, what is paper, and in every verb the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.image_source import FolderGlyphs, folder_reader
from fontgan.data.paper import on_white
from fontgan.data.reading import ImageReader, Tally, reader_of
from fontgan.data.references import read_references
from fontgan.evaluation.folder_pairs import glyph_set_of_folders
from fontgan.generate.inference import Run, load
from fontgan.generate.sources import FolderInput
from tests.helpers import BRUSH, KAI, SOURCE, XIAOWEI, fontgan_here

CHARS = "口日田目回国人大我永"
FRAMES = "口日田目回国"
Change = Callable[[Image.Image], Image.Image]


def glyph(char: str, font: Path = SOURCE, *, side: int = 128, tight: bool = False, bold: int = 0) -> Image.Image:
    """Black on white, free in its cell or cropped to its ink."""
    page = Image.new("L", (2 * side, 2 * side), 255)
    drawn = ImageFont.truetype(str(font), round(0.75 * side))
    ImageDraw.Draw(page).text((side, side), char, fill=0, font=drawn, anchor="mm", stroke_width=bold)
    box = ImageOps.invert(page).getbbox()
    assert box
    if tight:
        return page.crop(box).resize((side, side), Image.Resampling.BILINEAR)
    left, top = (box[0] + box[2] - side) // 2, (box[1] + box[3] - side) // 2
    return page.crop((left, top, left + side, top + side))


def transparent(image: Image.Image, ink: int) -> Image.Image:
    colour = Image.new("L", image.size, ink)
    return Image.merge("RGBA", (colour, colour, colour, ImageOps.invert(image)))


def same(image: Image.Image) -> Image.Image:
    return image


def save(folder: Path, images: dict[str, Image.Image]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for char, image in images.items():
        image.save(folder / f"{char}.png")
    return folder


def read_all(folder: Path) -> tuple[dict[str, np.ndarray], str]:
    """Its glyphs by character, and what is told of them."""
    reader, tally, found = folder_reader(folder), Tally(folder), {}
    for file in sorted(folder.glob("*.png")):
        found[file.stem], seen = reader.read(file, file.stem)
        tally.add(file, seen)
    return found, "\n".join(map(str, tally.findings()))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Of the ink of both, the share that both have."""
    return float(((one < 128) & (other < 128)).sum() / max(1, ((one < 128) | (other < 128)).sum()))


CHANGES: dict[str, Change] = {
    "as it is": same,
    "light on dark": ImageOps.invert,
    "transparent, dark ink": lambda image: transparent(image, 0),
    "transparent, light ink": lambda image: transparent(image, 255),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(("tight", "bold"), [(False, 0), (False, 3), (True, 0)])
@pytest.mark.parametrize("font", [SOURCE, BRUSH])
def test_most_of_a_folder_decides_which_tone_is_ink(
    name: str, tight: bool, bold: int, font: Path, tmp_path: Path
) -> None:
    true = {char: glyph(char, font, tight=tight, bold=bold) for char in CHARS}
    found, told = read_all(save(tmp_path, {char: CHANGES[name](image) for char, image in true.items()}))
    for char, image in true.items():
        assert np.array_equal(found[char], np.asarray(image)), char
    assert ("light ink on dark paper; all 10 images are inverted" in told) == ("light" in name)
    assert ("cropped to their ink" in told) == tight


def test_an_image_alone_whose_ink_is_its_border_is_a_frame(tmp_path: Path) -> None:
    for char in FRAMES:
        true = glyph(char, tight=True)
        file = save(tmp_path, {char: true}) / f"{char}.png"
        assert np.array_equal(reader_of([file]).read(file)[0], np.asarray(true)), char


@pytest.mark.parametrize("change", [same, ImageOps.invert])
def test_in_a_mixed_folder_each_image_that_is_sure_speaks_for_itself_and_is_named(
    change: Change, tmp_path: Path
) -> None:
    true = {char: glyph(char) for char in CHARS}
    odd = "大我"
    images = {char: change(ImageOps.invert(image) if char in odd else image) for char, image in true.items()}
    found, told = read_all(save(tmp_path, images))
    assert all(np.array_equal(found[char], np.asarray(image)) for char, image in true.items())
    assert "warning" in told
    assert "大.png 我.png" in told


@pytest.mark.parametrize("change", [same, ImageOps.invert])
def test_solid_symbols_are_all_ink_and_frames_stay_frames(change: Change, tmp_path: Path) -> None:
    frame = Image.new("L", (128, 128), 0)
    frame.paste(255, (10, 10, 118, 118))
    hole = Image.new("L", (128, 128), 0)
    ImageDraw.Draw(hole).ellipse((40, 40, 88, 88), fill=255)
    solid = {"█": Image.new("L", (128, 128), 0), "□": frame, "◘": hole}
    true = solid | {char: glyph(char) for char in CHARS}
    found, told = read_all(save(tmp_path, {char: change(image) for char, image in true.items()}))
    for char, image in true.items():
        assert np.array_equal(found[char], np.asarray(image)), char
    assert "exchanged" not in told


def test_a_letter_black_all_over_is_doubted(tmp_path: Path) -> None:
    images = {char: glyph(char) for char in CHARS} | {"一": Image.new("L", (128, 128), 0)}
    found, told = read_all(save(tmp_path, images))
    assert not found["一"].any()
    assert "1 images look as if ink and paper were exchanged" in told


LIGHTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "from the left": lambda x, _: 1 - 0.6 * x,
    "from below": lambda _, y: 0.4 + 0.6 * y,
    "vignette": lambda x, y: 1 - 0.9 * ((x - 0.5) ** 2 + (y - 0.5) ** 2),
    "soft shadow": lambda x, _: 1 - 0.5 / (1 + np.exp((0.6 - x) / 0.03)),
    "hard shadow": lambda x, _: 1 - 0.5 * (x > 0.6),
    "yellowed": lambda x, _: np.full_like(x, 0.8),
    "dim": lambda x, _: np.full_like(x, 0.45),
}


def photograph(image: Image.Image, light: str, ink: float, noise: float = 3.0) -> Image.Image:
    """The glyph in this light, drawn in ink of this share of the paper's lightness."""
    true = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.float64) / 255
    y, x = np.mgrid[0 : 1 : true.shape[0] * 1j, 0 : 1 : true.shape[1] * 1j]
    lit = LIGHTS[light](x, y) * (ink + (1 - ink) * true) * 255
    noisy = lit + np.random.default_rng(1).normal(0, noise, lit.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("ink", [0.0, 0.3, 0.65])
@pytest.mark.parametrize("light", LIGHTS)
def test_shadows_and_grey_paper_are_paper_and_pale_ink_is_ink(light: str, ink: float, tmp_path: Path) -> None:
    for char, font, tight in (("我", SOURCE, False), ("口", SOURCE, True), ("永", XIAOWEI, False), ("一", KAI, False)):
        true = glyph(char, font, side=192, tight=tight)
        clean = on_white(np.asarray(photograph(true, light, ink)))
        assert overlap(clean, np.asarray(true)) > (0.85 if light == "hard shadow" else 0.93), (char, light)
        assert (clean > 240).mean() > 0.9 * (np.asarray(true) > 250).mean()
    blank = on_white(np.asarray(photograph(Image.new("L", (192, 192), 255), light, ink)))
    assert blank.min() == 255


@pytest.mark.parametrize("level", [140, 170, 195])
def test_pencil_on_white_is_ink_but_the_grey_of_hairlines_is_their_width(level: int, tmp_path: Path) -> None:
    true = np.asarray(glyph("我", bold=1))
    pencil = (255 - (255 - true.astype(int)) * (255 - level) // 255).astype(np.uint8)
    assert overlap(on_white(pencil), true) > 0.99
    thin = np.full((64, 64), 255, np.uint8)
    thin[32, 8:56] = thin[8:56, 20] = level
    assert on_white(thin) is thin


def test_clean_images_come_through_to_the_bit(tmp_path: Path) -> None:
    for font in (SOURCE, KAI, BRUSH, XIAOWEI):
        for char in CHARS:
            for side, tight, bold in ((64, False, 0), (128, True, 0), (128, True, 5), (256, False, 9)):
                image = glyph(char, font, side=side, tight=tight, bold=bold)
                for seen in (
                    image,
                    image.filter(ImageFilter.GaussianBlur(side / 128)),
                    image.convert("1").convert("L"),
                ):
                    grey = np.asarray(seen)
                    assert on_white(grey) is grey, (char, font.name, side, tight, bold)


def test_what_fontgan_drew_is_never_cleaned(tmp_path: Path) -> None:
    pencil = {char: photograph(glyph(char), "yellowed", 0.6) for char in CHARS}
    folder = save(tmp_path, pencil)
    assert "10 images have shadows, grey paper or pale ink" in read_all(folder)[1]
    cell = {"scale": 128.0, "dx": 0.0, "dy": 0.0}
    (folder / "manifest.json").write_text(json.dumps({"size": 128, "cell_to_canvas": cell}))
    found, told = read_all(folder)
    assert np.array_equal(found["我"], np.asarray(pencil["我"]))
    assert not told


def test_the_fingerprint_knows_what_the_folder_decided(tmp_path: Path) -> None:
    folder = save(tmp_path, {char: glyph(char, tight=True) for char in "口人大我"})
    before = FolderGlyphs(folder).fingerprint(["口"])
    assert FolderGlyphs(folder).fingerprint(["口"]) == before
    save(folder, {char: ImageOps.invert(glyph(char, tight=True)) for char in "人大我永"})
    assert FolderGlyphs(folder).fingerprint(["口"]) != before


def test_drawn_glyphs_are_measured_as_they_are(tmp_path: Path) -> None:
    true = save(tmp_path / "true", {char: photograph(glyph(char), "from the left", 0.1) for char in CHARS})
    pale = {char: photograph(glyph(char), "yellowed", 0.6, noise=0) for char in CHARS}
    pale["一"] = save(tmp_path / "true", {"一": glyph("一")}) and Image.new("L", (128, 128), 0)
    found = glyph_set_of_folders(save(tmp_path / "drawn", pale), true)
    for row, (_, char) in enumerate(found.names):
        assert np.array_equal(found.drawn[row], np.asarray(pale[char]))
        assert overlap(found.truth[row], np.asarray(glyph(char))) > 0.9


# Every verb that reads images, on images cropped to their ink: how much of 口 is ink in what it reads, 0 to 1.


def by_check(folder: Path, run: Path, out: Path) -> float:
    return float((FolderGlyphs(folder).rasterize("口", Frame(128), 128) < 128).mean())


def by_infer(folder: Path, run: Path, out: Path) -> float:
    loaded = load(run, device="cpu")
    return _on_canvas(FolderInput(loaded, folder).pixels("口", loaded.placement(loaded.styles[0]).inputs[0]))


def by_draw_images(folder: Path, run: Path, out: Path) -> float:
    sources: list[np.ndarray] = []
    loaded = load(run, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "stylise", lambda self, inputs, style, **view: sources.append(inputs[:, 0]) or inputs[:, 0])
        loaded.draw_images([Image.open(file) for file in sorted(folder.glob("*.png"))], loaded.styles[0])
    return _on_canvas(sources[0][sorted(CHARS).index("口")])


def by_references(folder: Path, run: Path, out: Path) -> float:
    found = {reference.char: reference for reference in read_references(str(folder), [], 64)}
    return float((found["口"].draw(Frame(128), 128) < 128).mean())


def by_evaluate(folder: Path, run: Path, out: Path) -> float:
    found = glyph_set_of_folders(Path(shutil.copytree(folder, out / "drawn")), folder)
    row = [char for _, char in found.names].index("口")
    assert np.array_equal(found.drawn, found.truth)
    return float((found.truth[row] < 128).mean())


def by_build_font(folder: Path, run: Path, out: Path) -> float:
    return _outlined(out / "made.ttf", "build-font", f"input={folder}", "family=T", f"out={out / 'made.ttf'}")


def by_vectorize(folder: Path, run: Path, out: Path) -> float:
    assert fontgan_here("vectorize", f"input={folder}", f"out={out / 'made.ufo'}").returncode == 0
    return _outlined(out / "made.ttf", "build-font", f"input={out / 'made.ufo'}", f"out={out / 'made.ttf'}")


def _outlined(font: Path, *command: str) -> float:
    result = fontgan_here(*command)
    assert result.returncode == 0, result.stderr
    return float((FontGlyphs(font).rasterize("口", Frame(128), 128) < 128).mean())


def _on_canvas(pixels: np.ndarray | None) -> float:
    assert pixels is not None
    ink = np.argwhere(pixels < 128)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    return float((pixels[top:bottom, left:right] < 128).mean())


READERS = [by_check, by_infer, by_draw_images, by_references, by_evaluate, by_build_font, by_vectorize]


@pytest.mark.parametrize("change", [same, ImageOps.invert])
@pytest.mark.parametrize("read", READERS)
def test_every_verb_reads_what_is_cropped_to_its_ink_the_right_way_round(
    read: Callable[[Path, Path, Path], float], change: Change, tiny_run: Path, tmp_path: Path
) -> None:
    folder = save(tmp_path / "tight", {char: change(glyph(char, tight=True)) for char in CHARS})
    true = float((np.asarray(glyph("口", tight=True)) < 128).mean())
    assert read(folder, tiny_run, tmp_path) == pytest.approx(true, abs=0.05)


def test_an_image_that_is_read_alone_needs_no_folder(tmp_path: Path) -> None:
    file = save(tmp_path, {"我": glyph("我")}) / "我.png"
    assert np.array_equal(ImageReader().read(file)[0], np.asarray(glyph("我")))
