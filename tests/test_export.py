"""fontgan export: what onnxruntime draws is what torch draws, and the page draws the same in a real browser."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import ots
import pytest
import torch
import uharfbuzz
from fontTools.ttLib import TTFont
from PIL import Image
from torch import nn

from fontgan.base import FOLDER
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build_generator
from fontgan.data.font_source import FontGlyphs
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError, RunError
from fontgan.export import page_fonts
from fontgan.export.browser_files import PACKAGES, browser_file
from fontgan.export.graph import Drawing, to_onnx
from fontgan.export.half import computed_in_half, kept_in_half
from fontgan.export.model import MEAN_OFF, MOST_OFF
from fontgan.fontfile.licence import reserved_names
from fontgan.generate.inference import load
from fontgan.generate.onnx_run import load_exported
from fontgan.models.fuse_bn import fuse_conv_bn
from fontgan.models.unet import UnetGenerator
from fontgan.report.html import TEMPLATES
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, box, fontgan_here, make_font

STYLES, SIDE = 3, 64
SMALL = (
    "experiment=scratch",
    "generator.ngf=8",
    "generator.depth=4",
    "generator.init=kaiming",
    "generator.sharpness=3",
)
PARTS = [
    f"{group}={name}"
    for group in ("generator/up", "generator/style", "generator/norm", "generator/attention", "generator/innermost")
    for name in choices(group)
]


def generator(*overrides: str) -> UnetGenerator:
    torch.manual_seed(0)
    made = build_generator(compose_config("train", [*SMALL, "generator.attention_levels=[3]", *overrides]), STYLES)
    return fuse_conv_bn(made.eval())


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, SIDE, SIDE), dtype=np.uint8)


def session(model: Any) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def apart(network: UnetGenerator, model: Any, *, references: bool, glyphs: int) -> np.ndarray:
    """Grey levels between what onnxruntime and torch draw of some glyphs."""
    seen = pictures(glyphs, network.in_channels)
    given = pictures(glyphs, 5)
    if not references:
        given = np.random.default_rng(2).dirichlet(np.ones(STYLES), glyphs).astype(np.float32)
    fed = {"glyphs": seen, "references" if references else "style": given}
    drawn = session(model).run(["drawn"], fed)[0]
    with torch.inference_mode():
        true = Drawing(network)(torch.from_numpy(seen), torch.from_numpy(given)).numpy()
    assert drawn.shape == (glyphs, SIDE, SIDE)
    assert drawn.dtype == np.uint8
    assert true.std() > 5  # an empty page would prove nothing
    return np.abs(drawn.astype(int) - true)


def test_the_parts_are_found() -> None:
    assert len(PARTS) >= 25


@pytest.mark.thinned(4)
@pytest.mark.parametrize("part", PARTS)
def test_onnxruntime_draws_what_torch_draws(part: str) -> None:
    network = generator(part)
    for references in [False, True] if network.reference_style is not None else [False]:
        model = to_onnx(network, SIDE, references=references)
        for glyphs in (1, 3):
            levels = apart(network, model, references=references, glyphs=glyphs)
            assert levels.max() <= MOST_OFF["fp32"]
            assert levels.mean() <= MEAN_OFF["fp32"]


@pytest.mark.thinned(8)
@pytest.mark.parametrize("part", PARTS)
def test_half_precision_draws_nearly_the_same(part: str) -> None:
    network = generator(part)
    for shrink in (computed_in_half, kept_in_half):
        whole = to_onnx(network, SIDE)
        size = len(whole.SerializeToString())
        half = shrink(whole)
        assert len(half.SerializeToString()) < 0.8 * size
        assert apart(network, half, references=False, glyphs=2).mean() <= MEAN_OFF["fp16"]


class Odd(nn.Module):
    """An operator that ONNX has not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.special.bessel_j0(x)


class Fixed(nn.Module):
    """Takes the number of glyphs for a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), -1).reshape(x.shape)


@pytest.mark.parametrize(("part", "said"), [(Odd(), "bessel_j0"), (Fixed(), r"x\.shape\[0\]")])
def test_what_cannot_be_exported_is_told_by_name_in_one_line(part: nn.Module, said: str) -> None:
    network = generator()
    network.unet.down.append(part)  # type: ignore[operator, union-attr]
    with pytest.raises(RunError, match=said) as raised:
        to_onnx(network, SIDE)
    assert "\n" not in str(raised.value)


# -- the file ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guided_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two styles and a guide of two fonts, trained until something is to be seen."""
    out = tmp_path_factory.mktemp("runs") / "guided"
    guides = f"data.guides=[[{XIAOWEI},{KAI}]]"
    targets = f"data.targets={{kai: {KAI}, brush: {BRUSH}}}"
    short = [
        setting for setting in TINY if not setting.startswith(("trainer.max_steps", "trainer.eval", "trainer.save"))
    ]
    result = fontgan_here(
        "train",
        *short,
        "trainer.max_steps=80",
        guides,
        targets,
        f"data.source={SOURCE}",
        "init_from=null",
        f"out={out}",
    )
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def exported(guided_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    result = fontgan_here("export", f"run={guided_run}", f"out={out}", "licence=ours: CC0")
    assert result.returncode == 0, result.stderr
    assert "grey levels" in result.stderr
    return out


def test_a_file_says_what_it_is(exported: Path, guided_run: Path) -> None:
    opened, run = onnxruntime.InferenceSession(exported), load(guided_run, device="cpu")
    said = opened.get_modelmeta().custom_metadata_map
    assert json.loads(said["styles"]) == run.styles
    assert int(said["size"]) == run.size
    assert json.loads(said["frames"]) == {name: frame.as_dict() for name, frame in run.canvases.items()}
    assert said["licence"] == "ours: CC0"
    assert said["made_by"].startswith("fontgan ")
    assert {given.name: given.shape for given in opened.get_inputs()} == {
        "glyphs": ["batch", 2, run.size, run.size],
        "style": ["batch", len(run.styles)],
    }


def test_by_itself_it_names_the_licences_of_its_fonts(tiny_run: Path, here: Here, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    assert here("export", f"run={tiny_run}", f"out={file}", "precision=fp16").returncode == 0
    licence = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map["licence"]
    assert "Noto Sans" in licence
    assert str(Path(__file__).parents[1]) not in file.read_bytes().decode("latin-1")  # nor where it was made


@pytest.fixture
def without_torch(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line where torch cannot be imported."""
    hidden = tmp_path / "hidden"
    for name in ("torch", "torchvision"):
        (hidden / name).mkdir(parents=True)
        (hidden / name / "__init__.py").write_text('raise ImportError("there is no torch here")\n')
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(hidden), str(root), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": paths}
        command = [sys.executable, "-m", "fontgan", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)

    return run


def drawn_files(folder: Path) -> dict[str, np.ndarray]:
    files = sorted(folder.rglob("U+*.png"))
    return {str(file.relative_to(folder)): np.asarray(Image.open(file).convert("L"), np.int16) for file in files}


@pytest.mark.parametrize("style", ["kai", "all", "{kai: 0.6, brush: 0.4}"])
def test_infer_draws_without_torch(
    exported: Path, guided_run: Path, without_torch: Callable[..., Any], here: Here, tmp_path: Path, style: str
) -> None:
    asked = ("text=国时说那要里", f"style={style}")
    result = without_torch("infer", f"checkpoint={exported}", *asked, f"out={tmp_path / 'onnx'}")
    assert result.returncode == 0, result.stderr
    usual = here(
        "infer", f"checkpoint={guided_run}", *asked, f"out={tmp_path / 'torch'}", "precision=fp32", "device=cpu"
    )
    assert usual.returncode == 0, usual.stderr
    ours, theirs = drawn_files(tmp_path / "onnx"), drawn_files(tmp_path / "torch")
    assert ours.keys() == theirs.keys()
    assert len(ours) == 6 * (2 if style == "all" else 1)
    for name, image in ours.items():
        assert image.std() > 5  # an empty page would prove nothing
        assert np.abs(image - theirs[name]).max() <= MOST_OFF["fp32"], name


def test_the_second_graph_sees_what_the_encoder_sees(exported: Path, guided_run: Path) -> None:
    glyphs = pictures(3)
    ours, true = load_exported(str(exported)).encode(glyphs), load(guided_run, device="cpu").encode(glyphs)
    assert ours.dtype == true.dtype
    assert np.abs(ours.astype(float) - true).max() < 2e-3


def test_a_folder_of_images_and_a_path_are_drawn_too(
    exported: Path, without_torch: Callable[..., Any], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    assert fontgan_here("render", f"font={SOURCE}", "charset=国时说", f"out={images}").returncode == 0
    result = without_torch(
        "infer", f"checkpoint={exported}", f"input={images}", "style=kai", "allow=[blank]", f"out={tmp_path / 'drawn'}"
    )
    assert result.returncode == 0, result.stderr
    assert len(drawn_files(tmp_path / "drawn")) == 3
    path = ("text=国时", "style_path=[kai,brush]", "frames=3", f"out={tmp_path / 'path'}")
    result = without_torch("infer", f"checkpoint={exported}", *path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "path" / "path.gif").is_file()


def test_a_style_of_references_is_drawn_without_torch(
    without_torch: Callable[..., Any], here: Here, tmp_path: Path
) -> None:
    run, file = tmp_path / "run", tmp_path / "model.onnx"
    assert here("train", *TINY, "generator/style=reference", f"out={run}").returncode == 0
    result = here("export", f"run={run}", f"out={file}", "style=references")
    assert result.returncode == 0, result.stderr
    asked = ("text=国时", f"style_images={BRUSH}", "style_images_max=6", "allow=[blank]")
    result = without_torch("infer", f"checkpoint={file}", *asked, f"out={tmp_path / 'onnx'}")
    assert result.returncode == 0, result.stderr
    assert here("infer", f"checkpoint={run}", *asked, f"out={tmp_path / 'torch'}", "precision=fp32").returncode == 0
    theirs = drawn_files(tmp_path / "torch")
    for name, image in drawn_files(tmp_path / "onnx").items():
        assert np.abs(image - theirs[name]).max() <= MOST_OFF["fp32"]
    result = without_torch("infer", f"checkpoint={file}", "text=国时", f"out={tmp_path / 'none'}")
    assert "style_images" in result.stderr
    assert result.returncode == 2


def test_refusals_of_infer(exported: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    infer = ("infer", "text=国", f"out={tmp_path / 'out'}")
    other = tmp_path / "other.onnx"
    other.write_bytes(exported.read_bytes()[:1000])
    assert "cannot load it" in refused(*infer, f"checkpoint={other}", "style=kai")
    other.write_bytes(to_onnx(generator(), SIDE).SerializeToString())
    assert "no ONNX file of fontgan export" in refused(*infer, f"checkpoint={other}", "style=kai")
    assert "no such file" in refused(*infer, f"checkpoint={tmp_path / 'none.onnx'}")
    assert "precision=bf16" in refused(*infer, f"checkpoint={exported}", "style=kai", "precision=bf16")
    assert "knows kai, brush" in refused(*infer, f"checkpoint={exported}", "style=song")
    assert not (tmp_path / "out").exists()


def test_refusals_of_export(tiny_run: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    export = ("export", f"run={tiny_run}")
    assert "Add out=model.onnx, or page=DIR" in refused(*export)
    assert "run=nowhere: no such folder" in refused("export", "run=nowhere", f"out={tmp_path / 'a.onnx'}")
    assert "belongs to a page" in refused(*export, "chars=永", f"out={tmp_path / 'a.onnx'}")
    assert "belongs to an ONNX file" in refused(*export, "precision=fp16", f"page={tmp_path / 'page'}")
    assert "knows its styles by name" in refused(*export, "style=references", f"out={tmp_path / 'a.onnx'}")
    assert "ends in .onnx" in refused(*export, f"out={tmp_path / 'a.pt'}")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "did not make" in refused(*export, f"page={tmp_path / 'full'}", "overwrite=true")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["full"]


# -- the page ----------------------------------------------------------------------------------------


def test_fonts_of_unknown_terms_are_not_put_on_a_page(
    tiny_run: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    font = make_font(tmp_path / "own.ttf", {"永": box(100, 0, 800, 800)})
    page = ("export", f"run={tiny_run}", f"page={tmp_path / 'page'}", f"font={font}")
    assert "confirm_ownership=true" in refused(*page)
    opened = TTFont(SOURCE)
    opened["OS/2"].fsType = 0x0100
    opened.save(tmp_path / "whole.ttf")
    assert "fsType" in refused(*page[:3], f"font={tmp_path / 'whole.ttf'}")
    page_fonts.check_may_publish(FontGlyphs(font), confirm_ownership=True)
    assert not (tmp_path / "page").exists()


def test_the_page_knows_which_guide_sees_what(guided_run: Path) -> None:
    run, chars = load(guided_run, device="cpu", precision="fp32"), list("国时说那要里中来上大")
    fonts = page_fonts.page_fonts(run, str(SOURCE), chars, confirm_ownership=False)
    assert fonts.chars == chars
    source = open_glyphs(str(SOURCE))
    for style in run.styles:
        seen = run.inputs(source, chars, style)
        signs = fonts.guides[fonts.group_of[style]][0]
        assert [sign == page_fonts.NONE for sign in signs] == [bool((plane == 255).all()) for plane in seen[:, 1]]
    for font in fonts.all:
        cut = TTFont(io.BytesIO(font.cut()))
        assert set(map(ord, font.chars)) <= set(cut.getBestCmap())
        assert cut["name"].getDebugName(1) == page_fonts.FAMILY
        assert not set(reserved_names(font.licence())) & {page_fonts.FAMILY}
        assert "License" in font.licence()


def test_every_language_says_the_same_things() -> None:
    texts = json.loads((TEMPLATES / "export.strings.json").read_text(encoding="utf-8"))
    assert set(texts) == {"en", "zh-Hans", "zh-Hant", "ja"}

    def blanks(text: str) -> list[str]:
        return sorted(part.partition("}")[0] for part in text.split("{")[1:])

    for words in texts.values():
        assert words.keys() == texts["en"].keys()
        assert all(blanks(words[key]) == blanks(text) for key, text in texts["en"].items())


TEXT = "永字八法春江潮水a1"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        for package in PACKAGES:
            browser_file(package, next(iter(package.files)))
    except DataError as error:
        if "could not fetch" not in str(error):
            raise
        pytest.skip(str(error))  # a machine without a registry
    out = tmp_path_factory.mktemp("pages") / "page"
    result = fontgan_here("export", "run=base", f"page={out}", f"chars={TEXT}")
    assert result.returncode == 0, result.stderr
    return out


def open_drawn(browser: Any, file: Path, width: int = 1280) -> Any:
    """Opens the page and waits until it has drawn its first text."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    wait_for(browser, "return status.dataset.ready === 'yes' && !byId('font').disabled")
    return browser


def wait_for(browser: Any, script: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not browser.execute_script(script):
        assert "warn" not in browser.execute_script("return status.className"), browser.execute_script(
            "return status.textContent"
        )
        assert time.monotonic() < until, browser.execute_script("return status.textContent")
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_draws_in_a_browser_and_asks_nobody(page: Path, browser: Any, width: int) -> None:
    opened = open_drawn(browser, page / "index.html", width)
    first = opened.execute_script("return performance.getEntriesByName('first-glyph')[0].startTime")
    print(f"first glyph after {first:.0f} ms; {opened.execute_script('return status.textContent')}")
    assert first < 20_000
    assert opened.execute_script("return document.querySelectorAll('.glyph svg path').length") == 4
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    sent = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    urls = {event["params"]["request"]["url"] for event in sent if event["method"] == "Network.requestWillBeSent"}
    assert urls
    assert all(url.startswith((page.as_uri(), "blob:", "data:")) for url in urls), urls
    assert not [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]
    assert sum(file.stat().st_size for file in page.rglob("*") if file.is_file()) < 40_000_000


@pytest.mark.slow
def test_the_browser_draws_what_torch_draws(page: Path, browser: Any) -> None:
    opened = open_drawn(browser, page / "index.html")
    run = load(FOLDER, device="cpu", precision="fp32")
    # In this test's cache no font of the shelf is fetched, so that the page has the guides that are in the package.
    run.drawn_from = run.drawn_from._replace(guides=["shelf:song", "shelf:kai"])
    glyphs = open_glyphs("shelf:sans")
    style = opened.execute_script("return facts.first")
    seen = run.inputs(glyphs, list(TEXT), style)
    true = run.stylise(seen, style, view=run.view(style, extent="canvas"))
    script = """
        const [chars, done] = arguments;
        (async () => {
          const found = [];
          for (const char of chars) {
            const given = await inputsOf(char, currentStyle().placement);
            const { pixels } = await drawGlyph(char, currentStyle());
            found.push([Array.from(given.glyphs), Array.from(pixels)]);
          }
          return found;
        })().then(done);
    """
    opened.set_script_timeout(120)
    found = opened.execute_async_script(script, list(TEXT))
    inputs = np.array([given for given, _ in found]).reshape(seen.shape)
    drawn = np.array([pixels for _, pixels in found]).reshape(true.shape)
    off, drawn_off = np.abs(inputs - seen.astype(int)), np.abs(drawn - true.astype(int))
    print(
        f"inputs: {off.mean():.3f} of 255 on average, {off.max()} at most; drawn: {drawn_off.mean():.3f}, {drawn_off.max()}"
    )
    assert off.mean() < 0.3
    assert drawn_off.mean() < 0.5


@pytest.mark.slow
def test_styles_mix_and_what_is_drawn_can_be_kept(page: Path, browser: Any, tmp_path: Path) -> None:
    opened = open_drawn(browser, page / "index.html")
    opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    before = opened.execute_script("return document.querySelector('.glyph path').getAttribute('d')")
    # As after looking at many mixtures: what is forgotten then must not be of the text that stands.
    opened.execute_script("for (let n = 0; n <= MOST_KEPT; n += 1) drawn.set(`looked at ${n}`, {});")
    opened.execute_script(
        "byId('more').selectedIndex = 40; byId('more').dispatchEvent(new Event('change'));"
        "box.value = '永春a1 龘'; box.dispatchEvent(new Event('input'));"
    )
    wait_for(
        opened,
        "return layout.length === 6 && document.querySelectorAll('.glyph:not(.old) path').length === 4 && !byId('font').disabled",
    )
    after = opened.execute_script("return document.querySelector('.glyph path').getAttribute('d')")
    assert after != before
    assert "龘" in opened.execute_script("return byId('lacks').textContent")
    assert " + " in opened.execute_script("return set.getAttribute('aria-label')")
    for kind in ("png", "svg", "font"):
        opened.execute_script(f"byId('{kind}').click()")
    until = time.monotonic() + 30
    while len([file for file in tmp_path.iterdir() if file.suffix in (".png", ".svg", ".otf")]) < 3:
        assert time.monotonic() < until, list(tmp_path.iterdir())
        time.sleep(0.1)
    time.sleep(0.3)
    (png,), (svg,), (otf,) = (list(tmp_path.glob(f"*.{ending}")) for ending in ("png", "svg", "otf"))
    ink = np.asarray(Image.open(png).convert("L"))
    assert 0.01 < (ink < 128).mean() < 0.5
    assert len(ElementTree.parse(svg).getroot().findall("{*}path")) == 4
    assert ots.sanitize(str(otf), capture_output=True).returncode == 0
    font = TTFont(otf)
    assert set("永春a1") <= {chr(code) for code in font.getBestCmap()}
    assert "base" in font["name"].getDebugName(13)
    assert font["name"].getDebugName(1) == "Drawn by fontgan"
    shaped = uharfbuzz.Buffer()
    shaped.add_str("永春a1")
    shaped.guess_segment_properties()
    face = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(otf))))
    uharfbuzz.shape(face, shaped)
    assert [info.codepoint != 0 for info in shaped.glyph_infos] == [True] * 4
    assert [position.x_advance for position in shaped.glyph_positions[:2]] == [1000, 1000]
    # The glyph in the font stands where the network drew it.
    drawn = FontGlyphs(otf)
    assert 0.3 < drawn.ink_box("永").width < 1.1


@pytest.mark.slow
def test_a_run_without_guides_makes_a_page_too_and_a_page_is_replaced(
    page: Path, tiny_run: Path, browser: Any, here: Here, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert page.is_dir()  # npm is there
    export = ("export", f"run={tiny_run}", f"page={tmp_path / 'page'}")
    result = here(*export, "chars=国时说", "licence=made up for a test")
    assert result.returncode == 0, result.stderr
    assert "overwrite=true" in refused(*export)
    assert here(*export, "chars=国时", "overwrite=true").returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["page"]
    opened = open_drawn(browser, tmp_path / "page" / "index.html")
    assert opened.execute_script("return facts.chars") == "国时"
    assert opened.execute_script("return drawn.size") == 2
    assert "SIL OPEN FONT LICENSE" in (tmp_path / "page" / "licences" / f"{SOURCE.stem}.LICENSE.txt").read_text()
