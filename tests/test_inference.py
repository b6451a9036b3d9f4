"""Inference: folders, fonts, mixtures, names kept, what is there kept, and the Python API."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import fontgan as package
from fontgan.data.batches import collate_pairs
from fontgan.data.frame import Frame
from fontgan.data.image_source import image_files
from fontgan.data.pack import open_pack
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from fontgan.generate.inference import load
from fontgan.models.predict import draw_pixels
from fontgan.pictures.contact_sheet import save_png
from fontgan.pictures.style_path import path_weights, say_mixture
from fontgan.runtime.threads import ordered_map
from fontgan.values import pixels_from_image
from tests.helpers import KAI, SOURCE, Here, error_line, fontgan_here


@pytest.fixture(scope="module")
def glyph_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("glyphs") / "in"
    assert fontgan_here("render", f"font={SOURCE}", f"out={out}", "charset=永国一是", "size=96").returncode == 0
    return out


def pngs(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.png") if p.name != "_sheet.png")


@pytest.mark.slow
def test_a_folder_of_glyphs_keeps_its_names(tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here) -> None:
    shutil.copytree(glyph_folder, tmp_path / "in")
    (tmp_path / "in" / "U+4E00.png").rename(tmp_path / "in" / "my first glyph.png")
    out = tmp_path / "out"
    result = here("infer", f"checkpoint={tiny_run}", f"input={tmp_path / 'in'}", f"out={out}", "style=kai")
    assert result.returncode == 0, result.stderr
    assert pngs(out) == ["U+56FD.png", "U+662F.png", "U+6C38.png", "my first glyph.png"]
    assert np.asarray(Image.open(out / "U+56FD.png")).shape == (64, 64)
    assert (out / "_sheet.png").is_file()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["style"] == "kai"
    assert manifest["cell_to_canvas"]["scale"] > 0


def test_a_folder_and_its_font_give_nearly_the_same(
    tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here
) -> None:
    """The run's own preprocessing brings a folder rendered at another size onto the canvas trained on."""
    for name, what in (("a", f"input={glyph_folder}"), ("b", "text=永国一是")):
        assert (
            here(
                "infer", f"checkpoint={tiny_run}", what, f"out={tmp_path / name}", "style=brush", "precision=fp32"
            ).returncode
            == 0
        )
    for name in pngs(tmp_path / "a"):
        one, other = (np.asarray(Image.open(tmp_path / folder / name)).astype(int) for folder in ("a", "b"))
        assert np.abs(one - other).mean() < 3


def test_several_fonts_are_read_as_one(tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={tiny_run}", "style=brush"]
    both = here(*command, f"font=[{glyph_folder},{SOURCE}]", "text=永上", f"out={tmp_path / 'both'}")
    assert both.returncode == 0, both.stderr
    assert f"{SOURCE.name}: gives 1 characters that {glyph_folder.name} lacks: 上" in both.stderr
    assert here(*command, f"font={SOURCE}", "text=上", f"out={tmp_path / 'one'}").returncode == 0
    assert pngs(tmp_path / "both") == ["U+4E0A.png", "U+6C38.png"]
    one, other = (np.asarray(Image.open(tmp_path / folder / "U+4E0A.png")).astype(int) for folder in ("one", "both"))
    assert np.abs(one - other).mean() < 3


def test_all_styles_and_mixtures(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    assert here("infer", f"checkpoint={tiny_run}", "text=永国", f"out={tmp_path / 'all'}", "style=all").returncode == 0
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == ["brush", "kai", "xiaowei"]
    mixed = here(
        "infer", f"checkpoint={tiny_run}", "text=永国", f"out={tmp_path / 'mix'}", "style={kai: 0.6, brush: 0.4}"
    )
    assert mixed.returncode == 0, mixed.stderr
    assert pngs(tmp_path / "mix") == ["U+56FD.png", "U+6C38.png"]


def test_results_that_are_there_are_kept_unless_asked(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={tiny_run}", f"out={tmp_path}", "style=kai"]
    assert here(*command, "text=永国").returncode == 0
    mine = np.zeros((64, 64), np.uint8)
    Image.fromarray(mine).save(tmp_path / "U+6C38.png")
    again = here(*command, "text=永国一")
    assert "2 results are there already" in again.stderr
    assert np.array_equal(np.asarray(Image.open(tmp_path / "U+6C38.png")), mine)
    assert (tmp_path / "U+4E00.png").is_file()
    assert here(*command, "text=永国一", "overwrite=true").returncode == 0
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "U+6C38.png")), mine)


def test_a_folder_with_another_styles_results_is_refused(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    assert here("infer", f"checkpoint={tiny_run}", "text=永", f"out={tmp_path}", "style=kai").returncode == 0
    line = error_line(here("infer", f"checkpoint={tiny_run}", "text=永", f"out={tmp_path}", "style=brush"))
    assert "results of another style (kai)" in line


def test_unreadable_images_are_listed_and_the_rest_is_done(
    tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here
) -> None:
    shutil.copytree(glyph_folder, tmp_path / "in")
    (tmp_path / "in" / "zero.png").write_bytes(b"")
    (tmp_path / "in" / "cut.png").write_bytes((glyph_folder / "U+56FD.png").read_bytes()[:90])
    result = here("infer", f"checkpoint={tiny_run}", f"input={tmp_path / 'in'}", f"out={tmp_path / 'out'}", "style=kai")
    assert result.returncode == 1
    assert pngs(tmp_path / "out") == pngs(glyph_folder)
    assert "2 of 6 images could not be read; the rest is done." in result.stderr
    assert "zero.png" in result.stderr
    assert "cut.png" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["text=永", "style=gothic"], "the run knows kai, brush, xiaowei"),
        (["text=永"], "style: which one? The run knows kai, brush, xiaowei; or style=all."),
        (["text=永", "style=kai", "font=[]"], "font=[]: a font, a glyph folder or a list of them is needed"),
        (["text=永", "style={kai: 0, brush: 0}"], "sum to 0"),
        (["text=永", "style={kai: much}"], "a number is needed"),
        (["style=kai"], "what to draw?"),
        (["style=kai", "input=nowhere"], "no such folder"),
        (["style=kai", "input=.", "text=永"], "give either"),
        (["style=kai", "text=\u9f98"], "none of the characters asked for"),
        (["style=kai", "text=永", "which=newest"], "choose best or last"),
        (["style=kai", "text=永", "device=tpu"], "choose one of auto, cpu, cuda"),
        (["style=kai", "text=永", "precision=int8"], "choose one of auto, bf16, fp16, fp32"),
        (["style=kai", "text=永", "batch_size=0"], "1 or more"),
        (["style=kai", "text=永", "colour=red"], "Keys here"),
        (["text=永", "style=kai", "style_path=[kai, brush]"], "style and style_path"),
        (["text=永", "style_path=[kai]"], "2 or more"),
        (["text=永", "style_path=kai"], "a list of styles is needed"),
        (["text=永", "style_path=[kai, kai]"], "twice in a row"),
        (["text=永", "style_path=[kai, gothic]"], "style_path=gothic: the run knows kai, brush, xiaowei."),
        (["text=永", "style_path=[kai, all]"], "style_path=all: the run knows kai, brush, xiaowei."),
        (["text=永", "style_path=[kai, brush]", "frames=1"], "frames=1: 2 or more"),
        (["text=永", "style_path=[kai, brush]", "extrapolate=-1"], "extrapolate=-1.0: 0 or more and 100 at most"),
        (["text=永", "style_path=[kai, brush]", "extrapolate=1e20"], "extrapolate=1e+20: 0 or more and 100 at most"),
        (["text=永", "style_path=[kai, brush]", "extrapolate=nan"], "extrapolate=nan: a finite number is needed"),
        (["text=永", "style_path=[kai, brush]", "extrapolate=100"], "extrapolate=100: goes so far beyond"),
        (["style_path=[kai, brush]"], "what to draw?"),
        (["style=kai", "text=永", "frames=3"], "belongs to style_path"),
        (["style=kai", "text=永", "extrapolate=0.5"], "belongs to style_path"),
        (["style=kai", "text=永", "style_images_max=3"], "belongs to style_images"),
    ],
)
def test_wrong_requests_get_one_line(
    tiny_run: Path,
    arguments: list[str],
    says: str,
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused("infer", f"checkpoint={tiny_run}", "out=out", *arguments)
    assert not (tmp_path / "out").exists()


def test_wrong_checkpoints_and_empty_folders_get_one_line(
    tiny_run: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for arguments, says in (
        (["checkpoint=nowhere", "text=永"], "no such folder"),
        (["checkpoint=empty", "text=永"], "holds no checkpoint yet"),
        ([f"checkpoint={tiny_run}", "input=empty"], "holds no images"),
    ):
        assert says in refused("infer", "out=out", "style=kai", *arguments)


def test_the_python_api_draws_as_the_command_does(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    run = package.load(tiny_run)
    assert run.styles == ["kai", "brush", "xiaowei"]
    images = run.draw("永国", style="kai")
    assert [image.size for image in images] == [(64, 64)] * 2
    assert here("infer", f"checkpoint={tiny_run}", "text=永国", f"out={tmp_path}", "style=kai").returncode == 0
    assert np.abs(np.asarray(images[0]).astype(int) - np.asarray(Image.open(tmp_path / "U+6C38.png"))).max() <= 2
    (from_picture,) = run.draw_images(
        [Image.open(tmp_path / "U+6C38.png").convert("RGB")], style={"kai": 1, "brush": 1}
    )
    assert from_picture.size == (64, 64)
    with pytest.raises(DataError, match="no usable glyph"):
        run.draw("\u9f98", style="kai")
    with pytest.raises(DataError, match="the run knows"):
        run.draw("永", style="gothic")


def test_results_lie_in_the_targets_own_cell(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that drew the truth exactly would give the style's own glyphs, pixel for pixel."""
    run = load(tiny_run, precision="fp32")
    pack = open_pack(next(p for p in Path(run_cache()).glob("packs/*") if p.name == run.checkpoint.metadata["pack"]))
    font, source = open_glyphs("asset:MaShanZheng-Regular.ttf"), open_glyphs(str(SOURCE))
    truth = collate_pairs(pack, [("brush", "国")]).target
    monkeypatch.setattr(
        "fontgan.generate.inference.draw_pixels", lambda *_, **__: [(None, pixels_from_image(truth[:, 0]).numpy())]
    )
    (drawn,) = run.stylise(run.inputs(source, "国", "brush"), "brush")
    assert np.array_equal(drawn, font.rasterize("国", Frame(run.size), run.size))  # its em square


def test_the_source_is_seen_as_it_was_in_training(tiny_run: Path) -> None:
    """Brought onto each style."""
    run = load(tiny_run)
    pack = open_pack(Path(run_cache()) / "packs" / run.checkpoint.metadata["pack"])
    source = open_glyphs(str(SOURCE))
    seen = [run.inputs(source, "国", style)[0] for style in run.styles]
    for style, inputs in zip(run.styles, seen, strict=True):
        assert np.array_equal(inputs[0], pack.pixels[pack.source_rows(style)["国"]])
    assert not np.array_equal(seen[0], seen[1])


def run_cache() -> str:
    import os

    return os.environ["FONTGAN_CACHE"]


def test_mixtures_weigh_styles_and_how_they_lie(tiny_run: Path) -> None:
    run = load(tiny_run)
    assert torch.allclose(run.weights({"kai": 3, "brush": 1}), torch.tensor([[0.75, 0.25, 0.0]]))
    kai, brush, mixed = (run.placement(style) for style in ("kai", "brush", {"kai": 0.5, "brush": 0.5}))
    assert mixed.canvas.scale == pytest.approx((kai.canvas.scale + brush.canvas.scale) / 2)
    assert mixed.inputs[0].scale == pytest.approx((kai.inputs[0].scale + brush.inputs[0].scale) / 2)
    assert kai.inputs[0].scale != brush.inputs[0].scale


def test_results_never_take_the_place_of_sources(tiny_run: Path, glyph_folder: Path, here: Here) -> None:
    before = {p.name: p.read_bytes() for p in glyph_folder.iterdir()}
    line = error_line(
        here(
            "infer",
            f"checkpoint={tiny_run}",
            f"input={glyph_folder}",
            f"out={glyph_folder}",
            "style=kai",
            "overwrite=true",
        )
    )
    assert "is the input folder" in line
    assert {p.name: p.read_bytes() for p in glyph_folder.iterdir()} == before


def test_images_of_the_user_are_not_overwritten(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "U+6C38.png")
    before = (tmp_path / "U+6C38.png").read_bytes()
    assert "fontgan did not make" in error_line(
        here("infer", f"checkpoint={tiny_run}", "text=永", f"out={tmp_path}", "style=kai")
    )
    assert "fontgan did not make" in error_line(here("render", f"font={SOURCE}", "charset=永", f"out={tmp_path}"))
    assert (tmp_path / "U+6C38.png").read_bytes() == before


def test_results_of_another_source_are_refused(tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={tiny_run}", f"out={tmp_path}", "style=kai"]
    assert here(*command, "text=永").returncode == 0
    assert "another drawn_from" in error_line(here(*command, f"input={glyph_folder}"))
    assert "another drawn_from" in error_line(here(*command, "text=永", f"font={KAI}"))


def test_switches_and_numbers_mean_what_they_say(
    tiny_run: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``overwrite=no`` is false, and a folder may be called 2024."""
    monkeypatch.chdir(tmp_path)
    command = ["infer", f"checkpoint={tiny_run}", "text=永", "out=2024", "style=kai", "overwrite=no"]
    assert here(*command).returncode == 0
    assert "1 results are there already" in here(*command).stderr


# -- paths between styles -------------------------------------------------------------------


def test_a_path_goes_through_its_styles_at_even_distances() -> None:
    path = path_weights(["kai", "brush", "kai"], 9, extrapolate=0.5)
    assert all(sum(weights.values()) == pytest.approx(1) for weights in path)
    assert [say_mixture(weights) for weights in path] == [
        "kai 150 %", "kai 112 %", "brush 25 %", "brush 62 %", "brush", "kai 38 %", "kai 75 %", "kai 112 %", "kai 150 %",
    ]  # fmt: skip
    assert path[0] == {"kai": 1.5, "brush": -0.5}


def test_a_path_leaves_a_strip_and_an_animation(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={tiny_run}", "text=永国一", "style_path=[kai, brush, xiaowei]", f"out={tmp_path}"]
    result = here(*command, "frames=5", "extrapolate=0.25")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width > 6 * 64  # the source and five places
        assert 3 * 64 < strip.height < 4 * 64
    with Image.open(tmp_path / "path.gif") as animation:
        assert animation.info["loop"] == 0
        assert animation.n_frames == 8  # there and back, the ends once
        assert animation.width == 3 * 64
    assert json.loads((tmp_path / "manifest.json").read_text())["style_path"] == ["kai", "brush", "xiaowei"]
    before = (tmp_path / "strip.png").read_bytes()
    (tmp_path / "path.gif").write_bytes(b"mine")
    assert "are there already and kept" in here(*command, "frames=5", "extrapolate=0.25").stderr
    assert "another frames (5)" in error_line(here(*command, "frames=4"))
    assert "another extrapolate (0.25)" in error_line(here(*command, "frames=5"))
    assert (tmp_path / "path.gif").read_bytes() == b"mine"
    assert here(*command, "frames=4", "overwrite=true").returncode == 0
    assert (tmp_path / "strip.png").read_bytes() != before


def test_glyphs_and_a_path_do_not_mix_in_one_folder(tiny_run: Path, tmp_path: Path, here: Here) -> None:
    command = ["infer", f"checkpoint={tiny_run}", "text=永国", f"out={tmp_path}"]
    glyphs, path = ["style=kai"], ["style_path=[kai, brush]", "frames=2"]
    assert here(*command, *path).returncode == 0
    assert image_files(tmp_path) == []
    assert "another style_path (kai brush)" in error_line(here(*command, *glyphs))
    over = here(*command, *glyphs, "overwrite=true")
    assert over.returncode == 0
    assert "stay there" not in over.stderr
    assert "stay there" not in here(*command, "style=brush", "overwrite=true").stderr  # all are drawn anew
    assert here(*command, *glyphs, "overwrite=true").returncode == 0
    assert {p.name for p in tmp_path.iterdir()} == {"U+6C38.png", "U+56FD.png", "_sheet.png", "manifest.json"}
    assert "another style (kai)" in error_line(here(*command, *path))
    over = here(*command, *path, "overwrite=true")
    assert "held results of another style, and these stay there: U+56FD.png U+6C38.png" in over.stderr
    assert [file.name for file in image_files(tmp_path)] == ["U+56FD.png", "U+6C38.png"]


def test_the_ends_of_a_path_are_the_styles_themselves(
    tiny_run: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(
        "fontgan.generate.path.strip_picture",
        lambda _, drawn, *__, **___: shown.extend(drawn) or Image.new("L", (1, 1)),
    )
    run = load(tiny_run)
    command = ["infer", f"checkpoint={tiny_run}", f"text={''.join(run.manifest['trained'])}"]
    result = here(*command, "style_path=[kai, brush]", "frames=2", f"out={tmp_path}")
    assert "shows the first 16 of" in result.stderr
    assert [len(glyphs) for glyphs in shown] == [16, 16]
    for glyphs, style in zip(shown, ("kai", "brush"), strict=True):
        view = run.view(style, extent="canvas")
        drawn = run.draw(list(run.manifest["trained"])[:16], style, view=view)
        alone = np.stack([np.asarray(image) for image in drawn])
        assert np.abs(glyphs.astype(int) - alone).max() <= 2


# -- reading, computing and writing at once ----------------------------------------------------


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Gives the machine so many cores."""
    return lambda count: monkeypatch.setattr("fontgan.runtime.threads.usable_cores", lambda: count)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("overlap", [True, False])
def test_work_in_threads_comes_back_in_order_and_is_bounded(
    cores: Callable[[int], None], count: int, overlap: bool
) -> None:
    cores(count)
    taken: list[int] = []

    def things() -> Iterator[int]:
        for thing in range(20):
            taken.append(thing)
            yield thing

    def slow_at_first(thing: int) -> int:
        time.sleep(0.02 if thing == 0 else 0)
        return thing * thing

    results = ordered_map(slow_at_first, things(), max_in_flight=4, overlap=overlap)
    assert next(results) == 0
    assert len(taken) <= 5
    assert list(results) == [thing * thing for thing in range(1, 20)]


@pytest.mark.parametrize(("overlap", "at_work"), [(True, 4), (False, 0)])
def test_a_network_on_the_cpu_computes_alone_and_one_on_a_gpu_beside_the_threads(
    cores: Callable[[int], None], overlap: bool, at_work: int
) -> None:
    """What has begun but is not asked for yet, whenever the caller has a batch of four together."""
    cores(2)
    begun: list[int] = []
    results = ordered_map(lambda thing: begun.append(thing) or thing, range(40), max_in_flight=4, overlap=overlap)
    for batch in range(5):
        assert [next(results) for _ in range(4)] == list(range(4 * batch, 4 * batch + 4))
        deadline = time.monotonic() + 5
        while len(begun) < 4 * batch + 4 + at_work and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(begun) == 4 * batch + 4 + at_work
    results.close()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("overlap", [True, False])
def test_an_error_in_a_thread_comes_out_in_its_place(cores: Callable[[int], None], count: int, overlap: bool) -> None:
    def work(thing: int) -> int:
        if thing == 3:
            raise DataError("three: does not fit.")
        return thing

    cores(count)
    results = ordered_map(work, range(1000), max_in_flight=8, overlap=overlap)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="three"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


@pytest.fixture
def as_beside_a_gpu(cores: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    cores(3)
    monkeypatch.setattr("fontgan.generate.folder.computes_alone", lambda _: True)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def said(result: subprocess.CompletedProcess[str]) -> list[str]:
    """What a command said, without the progress bar and what depends on the result's folder."""
    return [line for line in result.stderr.splitlines() if "glyph/s" not in line and "/out-" not in line]


def test_threads_change_neither_results_nor_messages(
    tiny_run: Path,
    glyph_folder: Path,
    tmp_path: Path,
    here: Here,
    cores: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(glyph_folder, tmp_path / "in")
    for name in ("U+0041", "U+0042", "zz"):
        ImageOps.invert(Image.open(glyph_folder / "U+56FD.png")).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "a.png").write_bytes(b"")
    (tmp_path / "in" / "z.png").write_bytes(b"no image")
    results = []
    for count, overlap in ((1, False), (3, False), (3, True)):
        cores(count)
        monkeypatch.setattr("fontgan.generate.folder.computes_alone", lambda _, overlap=overlap: overlap)
        out = tmp_path / f"out-{len(results)}"
        results.append(
            here(
                "infer", f"checkpoint={tiny_run}", f"input={tmp_path / 'in'}", f"out={out}", "style=kai", "batch_size=2"
            )
        )
        assert results[-1].returncode == 1
        assert len(pngs(out)) == 7
        assert contents(out) == contents(tmp_path / "out-0")
        assert said(results[-1]) == said(results[0])
    assert (
        "3 of 7 images are light on dark, unlike the rest, and are inverted: U+0041.png U+0042.png zz.png"
        in results[-1].stderr
    )


@pytest.mark.usefixtures("as_beside_a_gpu")
def test_what_cannot_be_written_ends_in_one_line_and_leaves_whole_files(
    tiny_run: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_after_three(image: np.ndarray, file: Path) -> None:
        if len(pngs(tmp_path)) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        save_png(image, file)

    monkeypatch.setattr("fontgan.generate.folder.save_png", full_after_three)
    line = refused(
        "infer", f"checkpoint={tiny_run}", "text=的一是不了在人有我他", f"out={tmp_path}", "style=kai", "batch_size=4"
    )
    assert "The disk is full" in line
    assert 3 <= len(pngs(tmp_path)) < 10
    for name in pngs(tmp_path):
        Image.open(tmp_path / name).load()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


@pytest.mark.usefixtures("as_beside_a_gpu")
def test_ctrl_c_leaves_whole_files_alone(
    tiny_run: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **keys: Any) -> Iterator[Any]:
        for count, drawn in enumerate(draw_pixels(*arguments, **keys)):
            if count == 2:
                raise KeyboardInterrupt
            yield drawn

    monkeypatch.setattr("fontgan.generate.inference.draw_pixels", interrupted)
    command = ["infer", f"checkpoint={tiny_run}", "text=的一是不了在人有我他", f"out={tmp_path}", "style=kai"]
    result = here(*command, "batch_size=3")
    assert result.returncode == 130
    assert len(pngs(tmp_path)) < 10
    for name in pngs(tmp_path):
        Image.open(tmp_path / name).load()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
    monkeypatch.undo()
    assert here(*command).returncode == 0
    assert len(pngs(tmp_path)) == 10


def test_the_network_that_draws_is_the_runs_own(tiny_run: Path) -> None:
    run = load(tiny_run, precision="fp32")
    source = torch.rand(2, 1, 64, 64) * 2 - 1
    weights = run.weights("kai").expand(2, -1)
    with torch.inference_mode():
        assert torch.allclose(run.drawing(source, weights), run.generator(source, weights), atol=1e-4)
    assert run.drawing is run.drawing
    assert run.drawing is not run.generator


@pytest.mark.slow
def test_processes_of_torchrun_share_the_work(tiny_run: Path, glyph_folder: Path, tmp_path: Path, here: Here) -> None:
    """The same files as one process makes, byte for byte, and each message once."""
    shutil.copytree(glyph_folder, tmp_path / "in")
    (tmp_path / "in" / "U+0041.png").write_bytes(b"")
    command = ["infer", f"checkpoint={tiny_run}", f"input={tmp_path / 'in'}", "style=kai", "precision=fp32"]
    alone = here(*command, f"out={tmp_path / 'out-1'}")
    assert alone.returncode == 1
    shared = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "fontgan"),
            *(*command, f"out={tmp_path / 'out-2'}"),
        ],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert shared.returncode != 0, "an image could not be read"
    assert contents(tmp_path / "out-1") == contents(tmp_path / "out-2"), shared.stderr
    assert shared.stderr.count("1 of 5 images could not be read; the rest is done.") == 1
    assert shared.stderr.count("U+0041.png: not an image that can be read") == 1


def test_each_process_draws_its_own_share(
    tiny_run: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fontgan.generate.folder.world_size", lambda: 3)
    monkeypatch.setattr("fontgan.generate.folder.rank", lambda: 1)
    assert here("infer", f"checkpoint={tiny_run}", "text=永国一是", f"out={tmp_path}", "style=kai").returncode == 0
    assert pngs(tmp_path) == ["U+56FD.png"]
