"""fontgan diagnose: every score rises with the artefact that is planted, and the stage that brings it in is found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build, build_generator
from fontgan.config.saved import load_config
from fontgan.evaluation.diagnose import PARTS, Probe, diagnose, jump, largest_jump, smooth_inputs, stages
from fontgan.evaluation.diagnosis_text import TELLING, findings, stage_table
from fontgan.generate.inference import load
from fontgan.metrics.artefacts import (
    SCORES,
    contour_length,
    nyquist_excess,
    phase_bias,
    phase_means,
    shift_difference,
    turning,
)
from fontgan.models.resize import DeconvResize, InterpolateConvResize
from fontgan.models.unet import UnetGenerator
from tests.helpers import KAI, TINY, Here, fontgan_here

CHARS = "永字八法的一是不了在人有我他这个们中来上大为和国地到以说时要"
SIZE = 64
UPS, RESIZES = choices("generator/up"), choices("generator/up/resize")

# Which resize draws a checkerboard by itself before it has learned anything.  A new one has to be put in one of these.
EVEN = {"blur_subpixel", "carafe", "conv_only", "dysample", "interpolate_conv", "meta", "nearest_conv", "subpixel"}
UNEVEN = {"deconv"}


@pytest.fixture(scope="module")
def ink(tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    """Real glyphs, (30, 1, 64, 64)."""
    from fontgan.cli import main

    folder = tmp_path_factory.mktemp("glyphs") / "kai"
    assert main(["render", f"font={KAI}", f"out={folder}", f"charset={CHARS}", f"size={SIZE}"]) == 0
    pixels = [np.array(Image.open(file).convert("L")) for file in sorted(folder.glob("U+*.png"))]
    assert len(pixels) == len(CHARS)
    return 1 - torch.from_numpy(np.stack(pixels)).float().unsqueeze(1) / 255


# -- planted artefacts: (ink, amount) -> ink, the glyph itself at amount 0 --------------------


def checkerboard(ink: Tensor, amount: float) -> Tensor:
    planted = ink.clone()
    planted[..., ::2, ::2] += amount
    planted[..., 1::2, 1::2] -= amount
    return planted.clamp(0, 1)


def columns(ink: Tensor, amount: float) -> Tensor:
    planted = ink.clone()
    planted[..., ::2] += amount
    planted[..., 1::2] -= amount
    return planted.clamp(0, 1)


def steps(ink: Tensor, amount: float) -> Tensor:
    """A share of the glyph made of 2x2 blocks."""
    return ink.lerp(F.interpolate(F.avg_pool2d(ink, 2), scale_factor=2, mode="nearest"), amount)


def blur(ink: Tensor, amount: float) -> Tensor:
    """Gaussian, by a standard deviation in pixels."""
    if amount == 0:
        return ink
    away = torch.arange(-8.0, 9.0)
    kernel = torch.softmax(-away.square() / (2 * amount**2), 0)
    return F.conv2d(F.conv2d(ink, kernel.view(1, 1, 1, -1), padding=(0, 8)), kernel.view(1, 1, -1, 1), padding=(8, 0))


def bolder(ink: Tensor) -> Tensor:
    return F.max_pool2d(ink, 3, 1, 1)


Plant = Callable[[Tensor, float], Tensor]
PLANTED: list[tuple[str, Plant, tuple[float, ...]]] = [
    ("checkerboard_phase", checkerboard, (0.02, 0.05, 0.1, 0.2, 0.4)),
    ("checkerboard_phase", columns, (0.02, 0.05, 0.1, 0.2, 0.4)),
    ("checkerboard_nyquist", checkerboard, (0.02, 0.05, 0.1, 0.2, 0.4)),
    ("checkerboard_nyquist", columns, (0.02, 0.05, 0.1, 0.2, 0.4)),
    ("staircase", steps, (0.25, 0.5, 0.75, 1.0)),
    ("grey_edge", blur, (0.4, 0.6, 0.8, 1.2, 1.6)),
]


@pytest.mark.parametrize(("name", "plant", "amounts"), PLANTED)
def test_a_score_rises_with_what_is_planted(ink: Tensor, name: str, plant: Plant, amounts: tuple[float, ...]) -> None:
    measure = SCORES[name].measure
    assert torch.equal(measure(plant(ink, 0.0), ink), torch.zeros(len(ink)))
    found = [float(measure(plant(ink, amount), ink).mean()) for amount in (0.0, *amounts)]
    assert all(less < more for less, more in pairwise(found)), found
    # Bolder strokes are not its business.
    assert found[-1] > 4 * float(measure(bolder(ink), ink).abs().mean())


MEASURED = {name for name, score in SCORES.items() if score.measure is not None}


def test_every_score_has_its_artefact_planted() -> None:
    assert {name for name, _, _ in PLANTED} == MEASURED


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_wrong_glyphs_have_no_artefacts(ink: Tensor, name: str) -> None:
    """Other characters in place of the right ones, and the right ones moved: far from what is planted above."""
    measure = SCORES[name].measure
    telling = {"checkerboard_phase": 0.1, "checkerboard_nyquist": 0.2, "staircase": 0.02, "grey_edge": 0.2}[name]
    for wrong in (ink.roll(1, 0), ink.roll(3, -1)):
        assert abs(float(measure(wrong, ink).mean())) < telling


def test_a_generator_that_knows_the_grid_is_caught_by_shifts(ink: Tensor) -> None:
    def draw(source: Tensor, amount: float) -> Tensor:
        drawn = (1 - source) / 2
        gridded = drawn.clone()
        gridded[..., ::2, ::2] *= 1 - amount
        return gridded

    source = 1 - 2 * ink
    found = [
        float(shift_difference(lambda moved, amount=amount: draw(moved, amount), source, ink).mean())
        for amount in (0.0, 0.1, 0.2, 0.4, 0.8)
    ]
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert all(less < more for less, more in pairwise(found)), found
    # What treats all pixels alike moves along, however wrong it is.
    assert float(shift_difference(lambda moved: bolder((1 - moved) / 2), source, ink).mean()) < 1e-6


def test_blank_and_empty_glyphs_have_finite_scores(ink: Tensor) -> None:
    blank = torch.zeros_like(ink)
    for name in MEASURED:
        for drawn, truth in ((blank, ink), (ink, blank), (blank, blank)):
            assert SCORES[name].measure(drawn, truth).isfinite().all(), name
    assert shift_difference(lambda source: (1 - source) / 2, torch.ones_like(ink), blank).isfinite().all()


def test_the_outline_of_a_disc_turns_once() -> None:
    row, column = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    away = ((row - 31.5) ** 2 + (column - 31.5) ** 2).sqrt()
    disc = torch.sigmoid(20 - away).numpy()
    assert contour_length(disc) == pytest.approx(2 * np.pi * 20, rel=0.01)
    assert turning(disc) * contour_length(disc) == pytest.approx(2 * np.pi, rel=0.05)
    assert turning((disc > 0.5).astype(np.float32)) > 3 * turning(disc)


def test_phase_bias_is_the_spread_of_the_four_places_over_the_level() -> None:
    maps = torch.ones(2, 3, 8, 8)
    assert phase_bias(maps) == 0
    assert phase_bias(0 * maps) == 0
    maps[..., ::2, ::2] = 3  # the mean absolute value is 1.5
    assert phase_bias(maps) == pytest.approx(2 / 1.5)
    assert phase_bias(maps, border=2) == pytest.approx(2 / 1.5)
    maps[..., 0, 0] = 100
    assert phase_bias(maps, border=2) == pytest.approx(2 / 1.5)


def test_a_slope_has_no_phase_where_the_means_are_tapered() -> None:
    slope = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
    plain, tapered = (phase_means(slope, tapered=tapered) for tapered in (False, True))
    assert tapered.std() < 0.05 * plain.std()


@pytest.mark.parametrize("size", [64, 128])
def test_plain_inputs_themselves_have_no_phase_bias(size: int) -> None:
    """What a network that repeats its input would be said to add, away from the border as in a diagnosis."""
    for name, image in smooth_inputs(size).items():
        assert float(phase_bias(image, border=size // 8 * 2, tapered=True)) < 2e-3, name


def test_a_nyquist_pattern_is_told_from_noise() -> None:
    noise = torch.randn(20, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    pattern = 1.0 - 2.0 * (torch.arange(32) % 2)
    assert abs(float(nyquist_excess(noise).mean())) < 0.3
    assert float((nyquist_excess(noise + 0.5 * pattern) - nyquist_excess(noise)).min()) > 0.5


# -- before training: a constant input --------------------------------------------------------


def constant_bias(resize: str, *overrides: str) -> float:
    """Phase bias of a freshly drawn part on a constant map, away from the border."""
    torch.manual_seed(0)
    config = compose_config("train", ["experiment=scratch", f"generator/up/resize={resize}", *overrides])
    part = build(config.generator.up.resize, "generator.up.resize")(6, 4).double()
    with torch.no_grad():
        return float(phase_bias(part(torch.ones(2, 6, 16, 16, dtype=torch.float64)), border=8))


@pytest.mark.slow
@pytest.mark.parametrize("resize", RESIZES)
def test_which_resize_draws_a_checkerboard_by_itself(resize: str) -> None:
    assert (resize in EVEN) != (resize in UNEVEN), f"{resize}: put it in EVEN or UNEVEN"
    assert (constant_bias(resize) <= 1e-6) == (resize in EVEN)
    if resize in UNEVEN:
        assert constant_bias(resize) > 0.1


def test_nearest_is_even_and_subpixel_without_icnr_is_not() -> None:
    for mode in InterpolateConvResize.MODES:
        assert constant_bias("interpolate_conv", f"generator.up.resize.mode={mode}") <= 1e-6
    for resize in ("subpixel", "conv_only"):
        assert constant_bias(resize, "generator.up.resize.icnr=false") > 0.1


def generator(*overrides: str) -> UnetGenerator:
    torch.manual_seed(0)
    small = ["experiment=scratch", "generator.ngf=4", "generator.depth=3", "data.size=64"]
    return build_generator(compose_config("train", [*small, *overrides]), 2).eval()


@pytest.mark.parametrize(("up", "even"), [("interpolate_conv", True), ("subpixel", True), ("deconv", False)])
def test_the_logits_of_a_whole_network_on_paper(up: str, even: bool) -> None:
    """At depth 2, where what padding does at the border does not reach the middle."""
    network = generator(f"generator/up={up}", "generator.depth=2", "generator/norm=batch")
    with torch.no_grad():
        logits = network(torch.ones(1, 1, 64, 64), torch.tensor([[1.0, 0.0]]))
    assert (float(phase_bias(logits, border=20)) <= 1e-6) == even


# -- stages -----------------------------------------------------------------------------------


def stages_of(network: nn.Module, ink: Tensor) -> list[dict]:
    on_glyphs, on_smooth = Probe(network), Probe(network)
    plain = torch.cat(list(smooth_inputs(SIZE).values()))
    with torch.inference_mode():
        for probe, images in ((on_glyphs, 1 - 2 * ink), (on_smooth, plain)):
            with probe.listening():
                network(images, torch.tensor([[1.0, 0.0]]).expand(len(images), -1))
    return stages(on_glyphs, on_smooth, ink)


@pytest.mark.slow
@pytest.mark.parametrize("up", UPS)
def test_every_preset_is_probed_level_by_level(ink: Tensor, up: str) -> None:
    network = generator(f"generator/up={up}", "generator.head_channels=3")
    found = stages_of(network, ink[:8])
    assert [stage["level"] for stage in found] == sorted((stage["level"] for stage in found), reverse=True)
    assert {stage["level"] for stage in found if stage["part"] == "resize"} == {1, 2, 3}
    assert {stage["part"] for stage in found} <= set(PARTS)
    assert (found[-1]["level"], found[-1]["part"], found[-1]["side"]) == (1, "head", SIZE)
    assert all(stage["by_place"] is not None for stage in found if stage["side"] >= 8)
    assert not any(module._forward_hooks for module in network.modules())  # nothing listens on


class Planted(nn.Module):
    """A stage that adds a checkerboard to what another one gives."""

    def __init__(self, inside: nn.Module, amount: float):
        super().__init__()
        self.inside, self.amount = inside, amount

    def forward(self, *maps: Tensor) -> Tensor:
        out = self.inside(*maps)
        out[..., ::2, ::2] += self.amount * out.std()
        return out


@pytest.mark.parametrize("part", ["resize", "fusion", "refine"])
def test_the_stage_that_is_spoilt_is_named(ink: Tensor, part: str) -> None:
    readings = []
    network = generator("generator/up=interpolate_conv", "generator/up/refine=resskip_standard")
    block = network.unet.submodule.up  # level 2
    whole = getattr(block, part)
    for amount in (0.0, 0.5, 1.0, 2.0):
        setattr(block, part, Planted(whole, amount))
        most = largest_jump(found := stages_of(network, ink[:8]))
        if amount:
            assert most is not None
            assert (most["level"], most["part"], most["kind"]) == (2, part, "Planted")
        spoilt = next(stage for stage in found if (stage["level"], stage["part"]) == (2, part))
        readings.append(jump(spoilt, "by_place"))
    assert all(less < more for less, more in pairwise(readings)), readings


def test_a_resize_that_keeps_the_size_answers_for_what_it_adds(ink: Tensor) -> None:
    network = generator("generator/up=deconv", "generator.innermost_stride=1")
    found = stages_of(network, ink[:8])
    kept = next(stage for stage in found if stage["part"] == "resize")
    assert kept["side"] == SIZE // 4
    assert kept["before"]["by_place"] != kept["truth_by_place"]  # its own input, not what a new grid has
    assert any(stage["kind"] == DeconvResize.__name__ for stage in found)


def test_a_dead_stage_is_said_to_be_dead(ink: Tensor) -> None:
    network = generator("generator/up=interpolate_conv")
    with torch.no_grad():
        for weights in network.unet.submodule.up.resize.parameters():  # level 2
            weights.zero_()
    found = stages_of(network, ink[:8])
    dead = next(stage for stage in found if (stage["level"], stage["part"]) == (2, "resize"))
    after = found[found.index(dead) + 1]
    assert dead["by_place"] is dead["by_frequency"] is after["before"]["by_place"] is None
    assert all(jump(stage, reading) == 0 for stage in (dead, after) for reading in ("by_place", "by_frequency"))
    largest_jump(found)
    row = next(line for line in stage_table({"stages": found}).splitlines() if line.startswith("level 2, resize"))
    assert row.split()[-3:] == ["dead"] * 3
    blank = stages_of(network, torch.zeros_like(ink[:2]))  # true glyphs without ink have no chance reading
    assert all(jump(stage, "by_place") == 0 for stage in blank if stage["truth_by_place"] is None)


# -- the command ------------------------------------------------------------------------------


def test_a_run_is_diagnosed(here: Here, tiny_run: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "d.json", tmp_path / "d.png"
    result = here("diagnose", f"checkpoint={tiny_run}", f"out={out}", f"picture={picture}", "glyphs=9")
    assert result.returncode == 0, result.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["count"] == len(found["glyphs"]) == 9
    assert found["styles"] == ["kai", "brush", "xiaowei"]
    assert set(found["scores"]) == set(SCORES)
    assert {name for name, score in found["scores"].items() if score["copy_source"] is None} == {"shift"}
    for name, score in found["scores"].items():
        by_style = [np.mean([g[name] for g in found["glyphs"] if g["style"] == s]) for s in found["styles"]]
        assert score["mean"] == pytest.approx(np.mean(by_style), abs=1e-5)
        assert score["worst"][0]["value"] == pytest.approx(max(g[name] for g in found["glyphs"]), abs=1e-6)
        assert score["title"] in result.stdout
    assert {"paper", "ink", "mid_grey"} < set(found["smooth"])
    assert [s["level"] for s in found["stages"] if s["part"] == "resize"] == [4, 3, 2, 1]
    assert found["findings"]
    assert all(sentence in result.stdout for sentence in found["findings"])
    assert Image.open(picture).width > 1000


def test_words_follow_the_numbers(tiny_run: Path) -> None:
    found, _ = diagnose(load(tiny_run, precision="fp32"), glyphs=3)
    config = load_config(Path(found["checkpoint"]) / "config.yaml")
    found["stages"], found["count"] = [], 96
    for score in found["scores"].values():
        score["mean"] = score["copy_source"] = 0.0
    together = found["scores"]["checkerboard_phase"]["together"] = {"drawn": 0.0, "copy_source": 0.0}
    assert findings(found, config)[0].startswith("Nothing stands out")
    assert set(TELLING) == set(found["scores"])
    for name, says in (("staircase", "rad/px"), ("grey_edge", "wider"), ("shift", "generator.antialias_down=true")):
        found["scores"][name]["mean"] = 2 * TELLING[name]
        (sentence,) = findings(found, config)
        assert says in sentence
        found["scores"][name]["mean"] = 0.0
    together["drawn"] = 0.05
    (sentence,) = findings(found, config)
    assert "5.0% of the ink" in sentence
    assert "octaves" not in sentence
    assert "head_channels" in sentence  # no stage to blame, and yet something to try
    found["count"] = 3  # of so few, chance gives as much
    assert findings(found, config)[0].startswith("Nothing stands out")
    together["drawn"] = -0.01
    found["scores"]["checkerboard_nyquist"]["mean"] = 2 * TELLING["checkerboard_nyquist"]
    (sentence,) = findings(found, config)
    assert "1.0 octaves" in sentence
    assert "places" not in sentence
    assert "head_channels" in sentence


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("generator/up=subpixel", "Try generator/up=gated, which"),
        ("generator/up=hybrid", "Try generator/up=gated, which"),
        ("generator/up=gated", "Try generator/up=learnable_interpolation, which"),
        ("generator/up/fusion=none", "Try generator/up/fusion=gated, which lets the skip in, or loss.edge.weight=2."),
        ("loss.edge.weight=0", "or loss.edge.weight=1. generator.head_channels=16"),
    ],
)
def test_what_to_try_against_steps_is_not_there_yet_and_can_be_written(typed: str, says: str) -> None:
    config = compose_config("train", ["experiment=scratch", typed])
    scores = {name: {"mean": 0.0, "copy_source": 0.0} for name in SCORES}
    scores["staircase"]["mean"] = 1.0
    scores["checkerboard_phase"]["together"] = {"drawn": 0.0, "copy_source": 0.0}
    (sentence,) = findings({"scores": scores, "stages": [], "count": 96}, config)
    assert says in sentence
    for override in re.findall(r"[\w./]+=[\w.]*\w", sentence):
        assert compose_config("train", ["experiment=scratch", typed, override]) != config


def test_the_same_diagnosis_twice(here: Here, tiny_run: Path, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert here("diagnose", f"checkpoint={tiny_run}", f"out={tmp_path / name}", "glyphs=6").returncode == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("out=d.txt", "Name a file that ends in .json"),
        ("picture=d.jpg", "Name a file that ends in .png"),
        ("out=/nowhere/at/all/d.json", "its folder does not exist"),
        ("glyphs=0", "1 or more"),
        ("batch_size=0", "1 or more"),
        ("which=worst", "choose best or last"),
        ("device=abacus", "choose one of auto, cpu, cuda"),
        ("precision=fp8", "choose one of auto, bf16, fp16, fp32"),
    ],
)
def test_settings_that_cannot_be(refused: Callable[..., str], tiny_run: Path, override: str, says: str) -> None:
    assert says in refused("diagnose", f"checkpoint={tiny_run}", override)


def test_runs_that_cannot_be(refused: Callable[..., str], tiny_run: Path, tmp_path: Path) -> None:
    assert "checkpoint: needs a value" in refused("diagnose")
    assert "no such folder" in refused("diagnose", f"checkpoint={tmp_path / 'none'}")
    spoilt = shutil.copytree(tiny_run, tmp_path / "spoilt")
    for file in spoilt.rglob("generator.safetensors"):
        file.write_bytes(b"not weights")
    assert "is damaged" in refused("diagnose", f"checkpoint={spoilt}")


@pytest.mark.slow
def test_a_run_that_holds_nothing_out_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    out = tmp_path / "all"
    result = fontgan_here("train", *TINY, "data.holdout=0", "trainer.max_steps=1", f"out={out}")
    assert result.returncode == 0, result.stderr
    assert "no character is held out" in refused("diagnose", f"checkpoint={out}")
