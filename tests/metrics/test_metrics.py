"""Metrics: known answers, and each one gets worse as glyphs do."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fontgan.data.frame import fit_canvas
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError
from fontgan.evaluation.evaluate import ORDER, evaluate
from fontgan.evaluation.glyph_set import GlyphSet
from fontgan.metrics import photographic, pixels
from fontgan.metrics.intervals import ClusterBootstrap, interval, mean_of
from fontgan.metrics.photographic import frechet_distance
from fontgan.metrics.recognition import find_ocr, weighted
from fontgan.metrics.structure import cosine, density, fit_gate, skeleton, stroke_differences, without_component
from fontgan.models.glyph_encoder import WEIGHTS, embeddings, glyph_encoder, perceptual_distance
from fontgan.training import train_glyph_encoder
from tests.helpers import KAI, SOURCE, XIAOWEI

SIZE = 64
CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
needs_ocr = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="rapidocr is not installed")


def draw(font: Path, chars: str = CHARS) -> np.ndarray:
    glyphs = open_glyphs(str(font))
    frame = fit_canvas([glyphs.ink_box(char) for char in chars], SIZE, 0.05)
    return np.stack([glyphs.rasterize(char, frame, SIZE) for char in chars])


@pytest.fixture(scope="module")
def source() -> np.ndarray:
    return draw(SOURCE)


@pytest.fixture(scope="module")
def kai() -> np.ndarray:
    return draw(KAI)


@pytest.fixture(scope="module")
def xiaowei() -> np.ndarray:
    return draw(XIAOWEI)


def ink(*values: float) -> Tensor:
    """Constant ink images of 64 px."""
    return torch.stack([torch.full((1, SIZE, SIZE), value) for value in values])


def glyph_set(drawn: np.ndarray, truth: np.ndarray, source: np.ndarray, styles: int = 1) -> GlyphSet:
    names = [(f"style{row * styles // len(truth)}", CHARS[row % len(CHARS)]) for row in range(len(truth))]
    baseline = {"blank_page": np.full_like(truth, 255), "copy_source": source}
    return GlyphSet(SIZE, names, drawn, truth, source, baseline)


# -- single glyphs, known answers -----------------------------------------------------------


def test_pixel_metrics_of_constant_images() -> None:
    drawn, truth = ink(0.75, 0.5), ink(0.25, 0.5)
    assert pixels.l1(drawn, truth).tolist() == pytest.approx([0.5, 0])
    assert pixels.l1_per_ink(drawn, truth).tolist() == pytest.approx([2.0, 0])  # 0.5 of difference over 0.25 of ink
    assert pixels.rmse(drawn, truth).tolist() == pytest.approx([0.5, 0])
    assert pixels.psnr(drawn, truth).tolist() == pytest.approx([-20 * math.log10(0.5), pixels.MAX_PSNR])
    # Without variance SSIM is its luminance term alone: (2ab + C1) / (a^2 + b^2 + C1), C1 = 0.01^2.
    luminance = (2 * 0.75 * 0.25 + 1e-4) / (0.75**2 + 0.25**2 + 1e-4)
    assert pixels.ssim(drawn, truth).tolist() == pytest.approx([luminance, 1], abs=1e-3)
    assert pixels.ms_ssim(truth, truth).tolist() == pytest.approx([1, 1])
    assert pixels.blank(ink(0.1, 0.3), ink(1.0, 1.0)).tolist() == [1, 0]
    assert pixels.iou(ink(0.25, 0.0, 0.0), ink(0.75, 0.5, 0.0)).tolist() == pytest.approx([1 / 3, 0, 1])


def test_blank_glyphs_give_finite_numbers() -> None:
    blank, full = ink(0.0), ink(1.0)
    for measure in (pixels.l1, pixels.l1_per_ink, pixels.rmse, pixels.psnr, pixels.ssim, pixels.ms_ssim, pixels.blank,
                    pixels.iou, perceptual_distance):  # fmt: skip
        for drawn, truth in ((blank, blank), (full, blank), (blank, full)):
            assert measure(drawn, truth).isfinite().all(), measure.__name__


def test_a_blank_page_has_an_l1_of_one_per_ink(kai: np.ndarray) -> None:
    truth = 1 - torch.from_numpy(kai).float()[:, None] / 255
    assert pixels.l1_per_ink(torch.zeros_like(truth), truth).tolist() == pytest.approx([1] * len(kai))


def test_error_by_phase_finds_the_place_of_a_planted_error() -> None:
    drawn = torch.zeros(1, 1, SIZE, SIZE)
    drawn[..., 1::2, 0::2] = 0.5
    assert pixels.error_by_phase(drawn, torch.zeros_like(drawn)).tolist() == [[0, 0, 0.5, 0]]


@pytest.mark.parametrize(("side", "scales"), [(32, 2), (64, 3), (128, 4), (256, 5)])
def test_ms_ssim_takes_the_scales_that_fit(side: int, scales: int) -> None:
    assert pixels.ms_ssim_scales(side) == scales
    image = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(1))
    assert pixels.ms_ssim(image, image).tolist() == pytest.approx([1, 1])


def test_training_scores_are_the_means_of_the_single_ones(kai: np.ndarray, source: np.ndarray) -> None:
    drawn, truth = (1 - torch.from_numpy(images).float()[:, None] / 255 for images in (source, kai))
    found = pixels.scores(drawn, truth)
    assert found["ssim"] == pytest.approx(float(pixels.ssim(drawn, truth).mean()))
    assert found["l1"] == pytest.approx(float((drawn - truth).abs().mean()))


# -- the glyph encoder ----------------------------------------------------------------------


def test_the_encoder_tells_another_character_from_another_font(kai: np.ndarray, xiaowei: np.ndarray) -> None:
    first, second = (1 - torch.from_numpy(images).float()[:, None] / 255 for images in (kai, xiaowei))
    same_char = perceptual_distance(first, second)
    other_char = perceptual_distance(first, first.roll(1, dims=0))
    assert perceptual_distance(first, first).abs().max() < 1e-6
    assert (same_char < other_char).float().mean() > 0.95
    assert embeddings(first).shape == (len(kai), 64)
    # Another size is brought to the encoder's own.
    larger = torch.nn.functional.interpolate(first, scale_factor=2, mode="bilinear", antialias=True)
    assert (
        perceptual_distance(larger, torch.nn.functional.interpolate(first, scale_factor=2, mode="bilinear")).max()
        < 0.05
    )


def test_the_shipped_weights_are_small_and_fit() -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    assert not any(parameter.requires_grad for parameter in glyph_encoder().parameters())


@pytest.mark.slow
def test_the_recipe_of_the_encoder_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four fonts in a few steps, of every sixteenth glyph; a thousand characters would take minutes."""
    fewer = [tensor[::16] for tensor in train_glyph_encoder.load_glyphs()]
    monkeypatch.setattr(train_glyph_encoder, "load_glyphs", lambda: fewer)
    _, (_, chance) = train_glyph_encoder.train(1, 8, seed=1)
    _, (_, fonts) = train_glyph_encoder.train(40, 16, seed=1)
    assert chance < 30
    assert fonts > chance + 10


# -- sets -----------------------------------------------------------------------------------


def test_frechet_distance_of_normal_samples_is_the_formula() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(0, 1, (20_000, 3)), random.normal(2, 3, (20_000, 3))
    # |2|^2 * 3 + 3 * (1 + 9 - 2 * 3)
    assert frechet_distance(a, b) == pytest.approx(12 + 12, rel=0.02)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    few = random.normal(0, 1, (10, 64))  # fewer samples than dimensions
    assert frechet_distance(few, few + 1) == pytest.approx(64)
    assert math.isnan(frechet_distance(few[:1], few))


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for trial in range(120):
        values = random.normal(5, 2, 60)
        found = ClusterBootstrap(["a"] * 60, replicates=200, seed=trial).with_interval(mean_of(values))
        assert found.mean == pytest.approx(values.mean())
        covered += found.low <= 5 <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_intervals_are_wide_where_styles_differ_and_paired_where_they_do_not() -> None:
    random = np.random.default_rng(1)
    styles = ["a"] * 50 + ["b"] * 50 + ["c"] * 50
    level = np.repeat([0.1, 0.5, 0.9], 50)
    values = level + random.normal(0, 0.01, 150)
    resampler = ClusterBootstrap(styles, replicates=300, seed=1)
    clustered = resampler.with_interval(mean_of(values))
    assert clustered.high - clustered.low > 0.3  # three styles say little about all styles
    own = resampler.of_style("a", mean_of(values))
    assert own.high - own.low < 0.02
    paired = resampler.with_interval(mean_of(values - level))
    assert paired.high - paired.low < 0.02
    # Three styles 0.4 apart: the variance of their mean, which plain percentiles of three clusters fall short of.
    spread = np.std([0.1, 0.5, 0.9], ddof=1) / np.sqrt(3)
    replicates = ClusterBootstrap(styles, replicates=3000, seed=1).with_interval(mean_of(values))
    assert replicates.high - replicates.low > 3 * spread
    weights = [2.0, 3.0, 4.0]
    assert interval(3.0, weights)[1] < 3.0 < interval(3.0, weights)[2]
    assert math.isnan(resampler.overall(mean_of(np.full(150, np.nan))))


# -- structure ------------------------------------------------------------------------------


def test_structure_of_known_shapes() -> None:
    bar = np.full((SIZE, SIZE), 255, np.uint8)
    bar[30:34, 8:56] = 0
    lower = np.roll(bar, 16, axis=0)
    both = np.minimum(bar, lower)
    assert density(bar).sum() == pytest.approx(4 * 48 / 16)  # cells of 4x4 px
    assert cosine(density(bar), density(bar)) == pytest.approx(1)
    assert cosine(density(bar), density(lower)) == 0
    assert cosine(density(np.full_like(bar, 255)), density(bar)) == 0
    assert skeleton(bar).sum() < 60
    assert stroke_differences(both, both) == pytest.approx(np.zeros(10))
    found = stroke_differences(both, bar)
    assert found[1] == pytest.approx(0.5 * 16 / SIZE, rel=0.1)  # half of the expected line is 16 px from the drawn one
    assert found[3] == 0  # and nothing is there that should not be
    assert stroke_differences(bar, np.full_like(bar, 255))[[1, 3]].tolist() == [0.5, 0.5]


def test_the_gate_catches_planted_errors(source: np.ndarray, kai: np.ndarray) -> None:
    half = len(kai) // 2
    gate = fit_gate(source[:half], kai[:half], seed=1)
    random = np.random.default_rng(5)
    right = gate.confidence(source[half:], kai[half:])
    missing = gate.confidence(source[half:], np.stack([without_component(glyph, random) for glyph in kai[half:]]))
    wrong = gate.confidence(source[half:], np.roll(kai[half:], 1, axis=0))
    blank = gate.confidence(source[half:], np.full_like(kai[half:], 255))
    assert (right >= 0.5).mean() > 0.75
    assert (missing < 0.5).mean() > 0.85
    assert (wrong < 0.5).mean() > 0.85
    assert blank.max() < 0.05
    assert gate.calibration.glyphs == half
    assert gate.calibration.missing_caught > 0.8
    with pytest.raises(ValueError, match="too few"):
        fit_gate(source[:5], kai[:5], seed=1)


def test_a_planted_gap_takes_what_it_says(kai: np.ndarray) -> None:
    random = np.random.default_rng(1)
    for glyph in kai:
        left = (255.0 - without_component(glyph, random)).sum() / (255.0 - glyph).sum()
        assert 0.4 < left < 0.85


# -- recognition ----------------------------------------------------------------------------


@needs_ocr
def test_ocr_reads_real_fonts_and_not_a_blank_page(kai: np.ndarray) -> None:
    reader = find_ocr("rapidocr")
    assert reader is not None
    values = weighted(reader.read(kai), CHARS, reader.knows)
    assert values.mean() > 0.9
    assert weighted(reader.read(np.full_like(kai[:1], 255)), CHARS[:1], reader.knows).tolist() == [0]
    assert weighted(reader.read(np.roll(kai, 1, axis=0)), CHARS, reader.knows).mean() < 0.05


def test_recognition_is_confidence_where_right_and_unknown_where_the_script_is() -> None:
    read = [("一", 0.9), ("二", 0.8), ("", 0.0), ("ᚠ", 0.7)]
    found = weighted(read, "一三四ᚠ", knows={"一", "二", "三", "四"})
    assert found[:3].tolist() == [0.9, 0, 0]
    assert math.isnan(found[3])


def test_ocr_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="ocr=tesseract: choose one of auto, rapidocr, none"):
        find_ocr("tesseract")
    assert find_ocr("none") is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_ocr("auto") is None
    with pytest.raises(ConfigError, match=r"\[ocr\]"):
        find_ocr("rapidocr")


# -- standard photographic networks ---------------------------------------------------------


def test_standard_weights_are_used_only_if_they_are_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert photographic.find_lpips() is None
    assert photographic.find_inception() is None
    file = tmp_path / "hub" / "checkpoints" / photographic.ALEXNET.file_name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")
    assert photographic.find_lpips() is None
    assert "does not begin with 7be5be79" in caplog.text


def test_a_pickle_that_would_run_code_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import hashlib
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    data = pickle.dumps(Evil())
    name = f"weights-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    file = tmp_path / "hub" / "checkpoints" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    assert photographic.StandardWeights(name).find() is None
    assert not (tmp_path / "ran").exists()
    assert "holds more than weights" in caplog.text


def test_lpips_with_local_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kai: np.ndarray) -> None:
    """With weights of the standard shape, drawn at random: the way through torchmetrics is the real one."""
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / photographic.ALEXNET.file_name
    file.parent.mkdir(parents=True)
    torch.manual_seed(1)
    torch.save(torchvision.models.alexnet().state_dict(), file)
    monkeypatch.setattr(
        photographic.StandardWeights, "find", lambda self: file if file.name == self.file_name else None
    )
    lpips = photographic.find_lpips()
    assert lpips is not None
    truth = 1 - torch.from_numpy(kai[:4]).float()[:, None] / 255
    noise = torch.rand(truth.shape, generator=torch.Generator().manual_seed(1))
    levels = [lpips((truth + share * noise).clamp(0, 1), truth).mean().item() for share in (0, 0.1, 0.3)]
    assert levels[0] == pytest.approx(0, abs=1e-6)
    assert levels[0] < levels[1] < levels[2]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch_fidelity") is None, reason="torch-fidelity is not installed")
def test_fid_with_local_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kai: np.ndarray) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / photographic.INCEPTION.file_name
    file.parent.mkdir(parents=True)
    with monkeypatch.context() as building:
        building.setattr(torch, "load", lambda *args, **kwargs: {})
        building.setattr(torch.nn.Module, "load_state_dict", lambda *args, **kwargs: None)
        torch.manual_seed(1)
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=str(file))
    torch.save(network.state_dict(), file)
    monkeypatch.setattr(
        photographic.StandardWeights, "find", lambda self: file if file.name == self.file_name else None
    )
    features = photographic.find_inception()
    assert features is not None
    truth = 1 - torch.from_numpy(kai[:6]).float()[:, None] / 255
    true = features(truth)
    assert true.shape == (6, 2048)
    assert frechet_distance(true, true) < 1e-3 * frechet_distance(features(1 - truth), true)


# -- all together ---------------------------------------------------------------------------


def with_gate(found: GlyphSet, source: np.ndarray, right: np.ndarray) -> GlyphSet:
    for style in found.styles:
        found.gates[style] = fit_gate(source, right, seed=1)
    return found


@pytest.mark.slow
@needs_ocr
def test_every_metric_is_best_on_the_truth_and_gets_worse(source: np.ndarray, kai: np.ndarray) -> None:
    """Degraded step by step: strokes lost, and characters exchanged."""
    results = []
    for level in (0.0, 0.4, 1.0):
        drawn = kai.copy()
        changed = int(level * len(kai))
        drawn[:changed] = np.roll(kai, 1, axis=0)[:changed]
        drawn[: changed // 2] = 255 - (255 - drawn[: changed // 2]) // 8
        glyphs = with_gate(glyph_set(drawn, kai, source), source, kai)
        results.append(evaluate(glyphs, replicates=20)["metrics"])
    best, worse, worst = results
    assert set(best) == set(ORDER) - {"lpips", "fid"}  # their weights are not on a clean machine
    known = {"l1": 0, "l1_per_ink": 0, "rmse": 0, "psnr": 100, "ssim": 1, "ms_ssim": 1, "iou": 1, "glyph_perceptual": 0,
             "glyph_frechet": 0, "phase_spread": 0, "blank": 0}  # fmt: skip
    for name in set(best) - {"phase_spread"}:  # which knows nothing of wrong strokes, see below
        sign = 1 if best[name]["better"] == "lower" else -1
        assert sign * best[name]["mean"] < sign * worse[name]["mean"] < sign * worst[name]["mean"], name
        if name in known:
            assert best[name]["mean"] == pytest.approx(known[name], abs=1e-5), name
            assert not best[name]["blank_wins"], name
    assert best["recognition"]["mean"] == pytest.approx(best["recognition"]["ceiling"])
    assert best["recognition"]["mean"] > 0.9


@pytest.mark.slow
def test_phase_spread_rises_with_a_planted_grid_and_not_with_blur(source: np.ndarray, kai: np.ndarray) -> None:
    def spread(drawn: np.ndarray) -> float:
        found = evaluate(glyph_set(drawn, kai, source), ocr="none", replicates=5)
        return float(found["metrics"]["phase_spread"]["mean"])

    def with_grid(strength: int) -> np.ndarray:
        drawn = source.astype(int)
        drawn[:, ::2, ::2] -= strength
        return drawn.clip(0, 255).astype(np.uint8)

    found = [spread(with_grid(strength)) for strength in (0, 10, 30, 90)]
    assert found == sorted(found)
    assert found[-1] > 10 * found[0]
    blurred = 1 - torch.from_numpy(source).float()[:, None] / 255
    blurred = torch.nn.functional.avg_pool2d(blurred, 5, 1, 2)
    assert spread((255 * (1 - blurred[:, 0])).round().to(torch.uint8).numpy()) < 0.02
    assert spread(kai) == 0


def test_a_metric_on_which_a_blank_page_wins_says_so(source: np.ndarray, kai: np.ndarray) -> None:
    black = np.zeros_like(kai)
    found = evaluate(glyph_set(black, kai, source, styles=2), ocr="none", replicates=20)
    assert found["metrics"]["l1"]["blank_wins"]
    assert found["metrics"]["l1"]["baselines"]["blank_page"] < found["metrics"]["l1"]["mean"]
    assert not found["metrics"]["blank"]["blank_wins"]
    assert set(found["metrics"]["l1"]["styles"]) == {"style0", "style1"}
    assert "recognition" not in found["metrics"]
    assert "structure" not in found["metrics"]  # no gate was fitted
    json.dumps(found, allow_nan=False)


def test_the_worst_glyph_comes_first(source: np.ndarray, kai: np.ndarray) -> None:
    drawn = kai.copy()
    drawn[17] = 255
    found = evaluate(with_gate(glyph_set(drawn, kai, source), source, kai), ocr="none", replicates=20)
    assert found["glyphs"][0]["char"] == CHARS[17]
    assert found["glyphs"][0]["structure"] < 0.05
    assert [line["structure"] for line in found["glyphs"]] == sorted(line["structure"] for line in found["glyphs"])
