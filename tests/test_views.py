"""What results show: they lie over the target's own images, whoever made these."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.misc.transform import Transform
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from PIL import Image

import fontgan as package
from fontgan.data.frame import Frame, clips
from fontgan.data.image_source import CellFinder, FolderGlyphs, name_from_char, resample
from fontgan.data.reading import ImageReader
from fontgan.data.sources import open_glyphs
from fontgan.data.view import View
from fontgan.evaluation.folder_pairs import glyph_set_of_folders
from fontgan.generate.inference import Run
from tests.helpers import SOURCE, TINY, Here, error_line, fontgan_here, part_of

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时"
SHARED = "国是"
SIZES = {"plain": (100, 100), "tall": (90, 120), "wide": (121, 80), "mixed": (128, 128), "large": (256, 256)}
PLACES = {"plain": (0.8, 0.12, 0.05), "tall": (0.7, 0.2, 0.1), "wide": (0.6, 0.1, 0.25), "mixed": (0.9, 0.02, 0.06)}


def draw_images(folder: Path, chars: str, size: tuple[int, int], place: tuple[float, float, float]) -> Path:
    """Images that are em cells, as anybody's: the source's glyphs at a scale and place of the style's own."""
    folder.mkdir()
    font, (width, height), side = open_glyphs(str(SOURCE)), size, max(size)
    scale, right, down = place
    frame = Frame(scale * side, (width - side) / 2 + right * side, (height - side) / 2 + down * side)
    for char in chars:
        drawn = font.rasterize(char, frame, side)[:height, :width]
        Image.fromarray(drawn).save(folder / f"{name_from_char(char)}.png")
    return folder


def moved_font(file: Path, chars: str, scale: float, right: float, down: float) -> Path:
    """The source font with each outline at another scale and place in its em."""
    opened = TTFont(part_of(SOURCE, chars, file))
    em, glyphs = opened["head"].unitsPerEm, opened.getGlyphSet()
    top = open_glyphs(str(file)).describe()["to_cell"]["baseline"]  # of the em, above the baseline
    move = Transform(scale, 0, 0, scale, right * em, top - down * em - scale * top)
    drawn = {}
    for name in opened.getGlyphOrder():
        pen = TTGlyphPen(None)
        glyphs[name].draw(TransformPen(pen, move))
        drawn[name] = pen.glyph()
    for name, glyph in drawn.items():
        opened["glyf"][name] = glyph
        glyph.recalcBounds(opened["glyf"])
        opened["hmtx"][name] = (em, getattr(glyph, "xMin", 0))
    opened.save(file)
    return file


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("targets")
    found = {name: draw_images(folder / name, HAN, SIZES[name], place) for name, place in PLACES.items()}
    for char in HAN[:8]:  # some of the mixed ones are of another size
        file = found["mixed"] / f"{name_from_char(char)}.png"
        Image.open(file).resize((64, 64), Image.Resampling.BOX).save(file)
    fonts = {"font": (0.75, 0.1, 0.2), "beyond": (1.25, -0.125, -0.125)}
    found |= {name: moved_font(folder / f"{name}.ttf", HAN, *place) for name, place in fonts.items()}
    found["rendered"] = folder / "rendered"
    rendered = fontgan_here("render", f"font={found['font']}", f"out={folder / 'rendered'}", "size=96", "margin=0.1")
    assert rendered.returncode == 0, rendered.stderr
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_images(tmp_path_factory.mktemp("sources") / "in", HAN + "永东书", (160, 160), (1, 0, 0))


@pytest.fixture(scope="module")
def run_folder(targets: dict[str, Path], sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    named = ", ".join(f"{name}: '{path}'" for name, path in targets.items())
    tiny = [setting for setting in TINY if not setting.startswith(("data.charset", "data.size"))]
    result = fontgan_here(
        "train", *tiny, f"out={out}", f"data.source={sources}", f"data.targets={{{named}}}", "data.size=96",
        "data=folder",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that draws what it reads, which here is the truth: the source is brought onto each target."""

    def copy(_: Any, batches: Iterator[Any], *__: Any, **___: Any) -> Iterator[Any]:
        yield from ((tag, inputs[:, 0]) for tag, inputs in batches)

    monkeypatch.setattr("fontgan.generate.inference.draw_pixels", copy)


def measured(grey: np.ndarray) -> np.ndarray:
    """Where the ink lies, in pixels to a fraction of one: its centre, x and y, and how far it spreads, x and y."""
    ink = 255.0 - grey
    found = []
    for axis in (0, 1):
        profile = ink.sum(axis=axis) / ink.sum()
        places = np.arange(len(profile)) + 0.5
        centre = float(profile @ places)
        found.append((centre, float(np.sqrt(profile @ (places - centre) ** 2))))
    return np.array(found).T.ravel()


def lie_alike(drawn: np.ndarray, true: np.ndarray) -> None:
    assert drawn.shape == true.shape
    here, there = measured(drawn), measured(true)
    assert np.abs(here[:2] - there[:2]).max() < 0.5
    assert np.abs(here[2:] - there[2:]).max() < 0.01 * there[2:].max()  # a dash is wide, and hardly high


@pytest.mark.parametrize("style", ["plain", "tall", "wide", "mixed", "rendered", "font"])
def test_results_lie_over_the_targets_own_images(
    style: str, copying: None, run_folder: Path, targets: dict[str, Path], sources: Path, tmp_path: Path, here: Here
) -> None:
    out = tmp_path / "out"
    result = here("infer", f"checkpoint={run_folder}", f"input={sources}", f"out={out}", f"style={style}")
    assert result.returncode == 0, result.stderr
    assert "cut" not in result.stderr
    assert "reach out" not in result.stderr
    font = open_glyphs(str(targets[style]))
    for char in HAN[8:]:
        drawn = np.asarray(Image.open(out / f"{name_from_char(char)}.png"))
        file = targets[style] / f"{name_from_char(char)}.png"
        lie_alike(drawn, font.rasterize(char, Frame(96), 96) if style == "font" else ImageReader().read(file)[0])
    there = json.loads((out / "manifest.json").read_text())
    if style == "font":
        assert (there["size"], there["cell_to_canvas"]) == (96, {"scale": 96, "dx": 0, "dy": 0})
    if style == "plain":
        assert (there["size"], there["cell_to_canvas"]) == (100, {"scale": 100, "dx": 0, "dy": 0})
    again = FolderGlyphs(out)  # what every other verb reads
    for char in SHARED:
        assert np.abs(np.subtract(again.ink_box(char), font.ink_box(char))).max() < 1.6 / min(there["size"], 96)


def test_the_manifest_is_true_and_images_without_it_lie_alike(
    copying: None, run_folder: Path, targets: dict[str, Path], sources: Path, tmp_path: Path, here: Here
) -> None:
    for extent in ("cell", "canvas"):
        asked = [f"out={tmp_path / extent}", "style=plain", f"extent={extent}"]
        assert here("infer", f"checkpoint={run_folder}", f"input={sources}", *asked).returncode == 0
        pairs = glyph_set_of_folders(tmp_path / extent, targets["plain"])
        assert pairs.size == 100
        for pair in zip(pairs.drawn, pairs.truth, strict=True):
            lie_alike(*pair)
    run = package.load(run_folder)
    on_canvas = ImageReader().read(tmp_path / "canvas" / f"{name_from_char('国')}.png")[0]
    assert on_canvas.shape == (96, 96)
    assert CellFinder(tmp_path / "canvas").cell_to_image(on_canvas) == run.canvases["plain"]
    shutil.copytree(tmp_path / "cell", tmp_path / "bare")
    (tmp_path / "bare" / "manifest.json").unlink()
    bare = glyph_set_of_folders(tmp_path / "bare", targets["plain"])
    for pair in zip(bare.drawn, bare.truth, strict=True):
        lie_alike(*pair)


def test_a_font_that_reaches_out_of_its_em_is_shown_whole_and_that_is_said(
    copying: None, run_folder: Path, targets: dict[str, Path], sources: Path, tmp_path: Path, here: Here
) -> None:
    result = here("infer", f"checkpoint={run_folder}", f"input={sources}", f"out={tmp_path / 'a'}", "style=beyond")
    assert "beyond: 100 % of its glyphs reach out of the em, so results show the canvas around it" in result.stderr
    there = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert there["cell_to_canvas"]["scale"] < 90
    font, canvas = open_glyphs(str(targets["beyond"])), Frame.from_dict(there["cell_to_canvas"])
    for char in HAN:
        assert not clips(canvas.box(font.ink_box(char)), 96)
        drawn = np.asarray(Image.open(tmp_path / "a" / f"{name_from_char(char)}.png"))
        lie_alike(drawn, font.rasterize(char, canvas, 96))


def test_results_that_are_cut_are_named(
    run_folder: Path, sources: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_ink(_: Any, batches: Iterator[Any], *__: Any, **___: Any) -> Iterator[Any]:
        for tag, inputs in batches:
            yield tag, np.zeros_like(inputs[:, 0])

    monkeypatch.setattr("fontgan.generate.inference.draw_pixels", all_ink)
    command = ["infer", f"checkpoint={run_folder}", f"input={sources}", "style=wide"]
    assert (
        "28 results are cut at the edge of the image (extent=canvas" in here(*command, f"out={tmp_path / 'a'}").stderr
    )
    assert "cut" not in here(*command, f"out={tmp_path / 'b'}", "extent=canvas").stderr


def test_the_size_can_be_asked_for(copying: None, run_folder: Path, sources: Path, tmp_path: Path, here: Here) -> None:
    for style, size in (("tall", (30, 40)), ("font", (40, 40)), ("rendered", (40, 40))):
        asked = [f"out={tmp_path / style}", f"style={style}", "size=40"]
        assert here("infer", f"checkpoint={run_folder}", f"input={sources}", *asked).returncode == 0
        assert Image.open(tmp_path / style / f"{name_from_char('国')}.png").size == size
        drawn, own = FolderGlyphs(tmp_path / style), package.load(run_folder).view(style)
        assert drawn._cells.cell_to_image(np.zeros(size[::-1])) == own.resized(40).cell


def test_results_of_another_geometry_are_refused(
    copying: None, run_folder: Path, sources: Path, tmp_path: Path, here: Here
) -> None:
    command = ["infer", f"checkpoint={run_folder}", f"input={sources}", f"out={tmp_path}", "style=wide"]
    assert here(*command, "extent=canvas", "size=121").returncode == 0
    assert "holds results of another cell_to_canvas" in error_line(here(*command))
    assert "holds results of another size (121)" in error_line(here(*command, "size=64"))
    assert here(*command, "overwrite=true").returncode == 0
    assert "28 results are there already" in here(*command).stderr


def test_mixtures_and_paths(copying: None, run_folder: Path, sources: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={run_folder}", f"input={sources}"]
    assert here(*command, f"out={tmp_path / 'mix'}", "style={plain: 0.4, tall: 0.6}").returncode == 0
    assert Image.open(tmp_path / "mix" / f"{name_from_char('国')}.png").size == SIZES["tall"]
    path = here(*command, f"out={tmp_path / 'path'}", "style_path=[plain, tall]", "frames=2")
    assert path.returncode == 0, path.stderr
    there = json.loads((tmp_path / "path" / "manifest.json").read_text())
    assert there["cell_to_canvas"] == package.load(run_folder).canvases["plain"].as_dict()
    refused = here(*command, f"out={tmp_path / 'no'}", "style_path=[plain, tall]", "size=64")
    assert "size=64: is about images of glyphs" in error_line(refused)


def test_the_python_api_shows_the_same(copying: None, run_folder: Path, targets: dict[str, Path]) -> None:
    run = package.load(run_folder)
    (drawn,) = run.draw("国", "tall")
    lie_alike(np.asarray(drawn), ImageReader().read(targets["tall"] / f"{name_from_char('国')}.png")[0])
    source = open_glyphs(str(SOURCE)).rasterize("国", Frame(300), 300)
    (of_picture,) = run.draw_images([Image.fromarray(source)], "plain")
    lie_alike(np.asarray(of_picture), ImageReader().read(targets["plain"] / f"{name_from_char('国')}.png")[0])
    view = run.view("plain", extent="canvas")
    (on_canvas,) = run.draw("国", "plain", view=view)
    moved = resample(np.asarray(on_canvas), view.cell.inverse().compose(Frame(100)), 100)
    lie_alike(moved, ImageReader().read(targets["plain"] / f"{name_from_char('国')}.png")[0])
    assert run.draw("", "plain") == run.draw_images([], "plain") == []
    assert run.stylise(np.empty((0, 1, 96, 96), np.uint8), "tall").shape == (0, 120, 90)


def test_a_run_that_says_nothing_of_its_targets_images_draws_their_em(run_folder: Path) -> None:
    run: Run = package.load(run_folder)
    run.manifest = run.manifest | {
        "styles": [{k: v for k, v in m.items() if k not in ("view", "beyond_em")} for m in run.manifest["styles"]]
    }
    for style in run.styles:
        side = round(run.canvases[style].scale)
        assert run.view(style) == View.of_em(side, side)
    assert run.view("font").cell == Frame(96)


def test_the_em_of_a_font_is_cut_out_of_the_canvas_pixel_for_pixel(tmp_path: Path, here: Here) -> None:
    result = here("train", *TINY, "data.margin=0.03125", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    run = package.load(tmp_path / "run")
    for style in run.styles:
        assert run.canvases[style] == Frame(60, 2, 2)
        (em,) = run.draw("永", style)
        (canvas,) = run.draw("永", style, view=run.view(style, extent="canvas"))
        assert np.array_equal(np.asarray(em), np.asarray(canvas)[2:62, 2:62])
