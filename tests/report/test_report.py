"""The report: planted answers come out as planted, real runs make a page, and a real browser opens it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fontgan.cli import main
from fontgan.config.groups import choices
from fontgan.errors import RunError
from fontgan.metrics.intervals import Interval, PairedBootstrap, few_weights
from fontgan.report import charts, collect, cost, measure
from fontgan.report import content as content_module
from fontgan.report.collect import TrainedRun, Variant
from fontgan.report.content import sample_grid_chars
from fontgan.report.measure import Settings, compare
from fontgan.report.page import Pictures, breakable, number, render_page, wall_pairs
from fontgan.report.ranking import answer, rank, say_share
from fontgan.runtime.checksums import read_sealed, sealed, sha256_of
from fontgan.runtime.timing import time_interleaved
from fontgan.training.checkpoint import Checkpoint
from tests.helpers import BRUSH, KAI, TINY, fontgan_here, open_page, reseal

TWO_STYLES = f"data.targets={{kai: {KAI}, brush: {BRUSH}}}"
EVIL = "<script>alert(1)</script>"

STYLES = np.repeat([0, 1, 2], 40)
RNG = np.random.default_rng(0)
HARD = RNG.normal(0.7, 0.1, len(STYLES))  # how well each glyph can be drawn at all


def bootstrap(styles: np.ndarray = STYLES, replicates: int = 1000) -> PairedBootstrap:
    return PairedBootstrap(styles, replicates=replicates, seed=1)


# -- ranking --------------------------------------------------------------------------------


def test_a_variant_better_by_a_constant_wins_by_that_constant_and_surely():
    standings = rank([np.stack([HARD, HARD]), np.stack([HARD, HARD]) + 0.02], bootstrap(), higher_is_better=True)
    assert [standing.variant for standing in standings] == [1, 0]
    assert standings[0].best_in == 1
    behind = standings[1].behind
    assert behind is not None
    assert (behind.mean, behind.low, behind.high) == pytest.approx((-0.02, -0.02, -0.02), abs=1e-6)
    assert answer("SSIM", standings, ["old", "new"], higher_is_better=True, replicates=1000) == (
        f"new draws held-out characters closest to the truth: SSIM {HARD.mean() + 0.02:.3f}, 0.020 above old "
        "(95 % interval 0.020 to 0.020); it is best in 100 % of 1000 resamplings."
    )


def test_where_less_is_better_the_lowest_wins():
    standings = rank([HARD[None] + 0.02, HARD[None]], bootstrap(), higher_is_better=False)
    said = answer("L1", standings, ["old", "new"], higher_is_better=False, replicates=1000)
    assert said.startswith("new draws")
    assert "0.020 below old (95 % interval 0.020 to 0.020)" in said


def test_equal_variants_have_no_clear_winner_and_share_the_first_place():
    standings = rank([HARD[None], HARD[None]], bootstrap(), higher_is_better=True)
    assert [standing.best_in for standing in standings] == pytest.approx([0.5, 0.5])
    said = answer("SSIM", standings, ["one", "other"], higher_is_better=True, replicates=1000)
    assert said.startswith("No clear winner: one has the best SSIM")
    assert "cannot tell it from other" in said


def test_the_interval_of_a_difference_is_that_of_paired_glyphs():
    """Glyphs differ by 0.1, the difference by 0.01: its interval follows from the latter alone."""
    noise = RNG.normal(0, 0.01, 400)
    hard = RNG.normal(0.7, 0.1, 400)
    _, second = rank([hard[None] + 0.01 + noise, hard[None]], bootstrap(np.zeros(400), 4000), higher_is_better=True)
    behind = second.behind
    assert behind is not None
    expected = 2 * 1.96 * noise.std() / math.sqrt(400)
    assert behind.high - behind.low == pytest.approx(expected, rel=0.1)
    assert behind.high < 0


def test_seeds_that_disagree_widen_the_interval():
    apart = np.stack([HARD - 0.03, HARD + 0.03])
    _, alike = rank([np.stack([HARD, HARD]) + 0.02, np.stack([HARD, HARD])], bootstrap(), higher_is_better=True)
    _, unlike = rank([apart + 0.02, np.stack([HARD, HARD])], bootstrap(), higher_is_better=True)
    assert alike.behind is not None
    assert unlike.behind is not None
    assert not alike.level_with_winner
    assert unlike.level_with_winner
    assert unlike.behind.high - unlike.behind.low > 0.05


@pytest.mark.parametrize("count", [2, 3, 5])
def test_resampled_runs_and_styles_vary_as_means_of_so_many_do(count):
    values = RNG.normal(size=count)
    weights = few_weights(count, 40_000, RNG)
    assert weights.sum(axis=1) == pytest.approx(np.ones(40_000))
    assert (weights @ values).var() == pytest.approx(values.var(ddof=1) / count, rel=0.05)
    of_styles = bootstrap(np.arange(count), 40_000).weights @ values
    assert of_styles.var() == pytest.approx(values.var(ddof=1) / count, rel=0.05)


def test_every_style_counts_alike():
    styles = np.array([0] * 90 + [1] * 10)
    values = np.where(styles == 0, 0.2, 0.8)[None]
    assert bootstrap(styles).mean(values) == pytest.approx(0.5)


def test_one_variant_is_not_compared():
    standings = rank([HARD[None]], bootstrap(), higher_is_better=True)
    said = answer("SSIM", standings, ["alone"], higher_is_better=True, replicates=1000)
    assert said.startswith(f"alone draws held-out characters with SSIM {HARD.mean():.3f} (95 % interval")
    assert "no other variant" in said


@pytest.mark.parametrize(("share", "said"), [(1.0, "100 %"), (0.9996, "over 99 %"), (0.973, "97 %"), (0.001, "under 1 %"), (0.0, "0 %")])  # fmt: skip
def test_a_share_is_never_rounded_to_certainty(share, said):
    assert say_share(share) == said


# -- comparing ------------------------------------------------------------------------------


def planted(name: str, ssim: dict[tuple[str, str], float | None], *, size: int = 64, truth: str = "t") -> TrainedRun:
    """A run with these scores, as an evaluation would give them."""
    glyphs = [{"style": style, "char": char, "ssim": value} for (style, char), value in ssim.items()]
    evaluation = {
        "size": size,
        "styles": list(dict.fromkeys(style for style, _ in ssim)),
        "metrics": {
            "ssim": {"title": "SSIM", "better": "higher", "of": "glyph", "how": "", "mean": 0.5, "baselines": {}, "blank_wins": False},
            "spread": {"title": "spread", "better": "lower", "of": "set", "how": "", "mean": size / 100, "low": 0.1, "high": 0.9, "baselines": {"blank_page": None}, "blank_wins": False},
        },
        "glyphs": glyphs,
    }  # fmt: skip
    metadata = {"data": {"held_out": list(dict.fromkeys(char for _, char in ssim))}, "styles": ["kai"]}
    config = OmegaConf.create({"trainer": {"seed": 1}})
    checkpoint = Checkpoint(Path(name), 1, metadata)
    found = {"evaluation": evaluation, "truth": dict.fromkeys(ssim, truth)}
    return TrainedRun(Path(name), name, config, checkpoint, 1, True, **found)


def of(*runs: TrainedRun) -> list[Variant]:
    return [Variant(run.name, [run]) for run in runs]


def test_variants_are_compared_on_the_glyphs_they_share():
    one = planted("one", {("kai", "永"): 0.5, ("kai", "和"): 0.9, ("brush", "永"): 0.1})
    other = planted("other", {("kai", "和"): 0.7, ("kai", "永"): 0.4, ("kai", "九"): 0.0})
    found = compare(of(one, other), Settings(replicates=100))
    assert found.pairs == [("kai", "永"), ("kai", "和")]
    scores = {standing.variant: standing.score.mean for standing in found.metrics["ssim"].standings}
    assert scores == pytest.approx({0: 0.7, 1: 0.55})


def test_a_glyph_without_a_score_in_one_run_counts_in_none():
    one = planted("one", {("kai", "永"): None, ("kai", "和"): 0.9})
    other = planted("other", {("kai", "永"): 1.0, ("kai", "和"): 0.7})
    standings = compare(of(one, other), Settings(replicates=100)).metrics["ssim"].standings
    assert [(standing.variant, standing.score.mean) for standing in standings] == [(0, 0.9), (1, 0.7)]


def test_scores_of_sets_are_the_mean_of_the_runs_and_the_widest_interval():
    found = compare(of(planted("one", {("kai", "永"): 0.5})), Settings(replicates=100))
    assert found.metrics["spread"].of_sets == [Interval(0.64, 0.1, 0.9)]
    assert found.metrics["spread"].about["baselines"] == {}
    assert found.metrics["spread"].of_runs == [[0.64]]


def test_where_runs_share_only_some_glyphs_nothing_is_said_of_whole_sets():
    one = planted("one", {("kai", "永"): 0.5, ("kai", "和"): 0.9})
    other = planted("other", {("kai", "永"): 0.4})
    one.evaluation["metrics"]["ssim"] |= {"baselines": {"blank_page": 0.6}, "ceiling": 1.0, "blank_wins": True}
    found = compare(of(one, other), Settings(replicates=100))
    assert not found.whole
    assert list(found.metrics) == ["ssim"]
    ssim = found.metrics["ssim"]
    assert [ssim.about[key] for key in ("baselines", "ceiling", "blank_wins")] == [{}, None, False]
    assert ssim.of_runs == [[0.5], [0.4]]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (planted("other", {("brush", "永"): 0.5}), "styles kai and brush"),
        (planted("other", {("kai", "和"): 0.5}), "other characters were held out"),
        (planted("other", {("kai", "永"): 0.5}, truth="else"), "their true glyphs are drawn from other fonts"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_difference(other, why):
    with pytest.raises(RunError, match=re.escape(why)):
        compare(of(planted("one", {("kai", "永"): 0.5}), other), Settings(replicates=100))


# -- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["generator-up=deconv,trainer.seed=1", "generator-up=gated,trainer.seed=1"], ["deconv", "gated"]),
        (["generator-up=deconv,generator.ngf=32", "generator-up=deconv,generator.ngf=64"], ["32", "64"]),
        (["generator-up=deconv,generator.ngf=32", "generator-up=gated,generator.ngf=64"], ["up=deconv, ngf=32", "up=gated, ngf=64"]),
        (["generator.attention_levels=[2,3]", "generator.attention_levels=[]"], ["[2,3]", "[]"]),
        (["mine-seed1", "sweep/theirs_seed2"], ["mine", "sweep/theirs"]),
        (["mine-seed1", "mine-seed2"], ["mine", "mine (2)"]),
        (["trainer.seed=7"], ["trainer.seed=7"]),
    ],
)  # fmt: skip
def test_labels_say_what_varies(names, labels):
    settings = [{k: v for k, v in collect.settings_in_name(name).items() if not k.endswith("seed")} for name in names]
    assert collect.label(settings, names) == labels


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0.651, 0.669, [0.655, 0.66, 0.665]), (0, 2000, [0, 500, 1000, 1500, 2000])],
)
def test_ticks_are_round_numbers_within(low, high, expected):
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_an_axis_of_one_value_still_has_room():
    axis = charts.axis([0.5], 0, 100)
    assert 0 < axis.place(0.5) < 100
    assert axis.ticks


@pytest.mark.parametrize(("value", "text"), [(55_460_000, "55.5 M"), (3.4e6, "3.40 M"), (620e6, "620 M"), (999, "999"), (12, "12.0")])  # fmt: skip
def test_large_numbers_are_short(value, text):
    assert charts.short(value) == text


def test_numbers_and_names_as_the_page_writes_them():
    assert [number(v) for v in (None, 0.6667, 0.00421, -0.0123, 23.456, 12345.6)] == ["–", "0.667", "0.0042", "−0.012", "23.5", "12\u202f346"]  # fmt: skip
    assert breakable("interpolate_conv<") == "interpolate_<wbr>conv&lt;"


def test_the_wall_is_spread_over_all_characters():
    chars = [chr(0x4E00 + i) for i in range(100)]
    wall = sample_grid_chars([("kai", char) for char in chars] + [("brush", "永")])
    assert wall["brush"] == ["永"]
    assert len(wall["kai"]) == 12
    assert wall["kai"][0] == chars[0]
    assert wall["kai"][-1] > chars[85]


def test_rates_are_shares_of_the_fastest_in_the_same_round():
    """The machine was half as fast in the second round; that is no difference between variants."""
    fast, slow = cost.as_rates([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0]], [16, 16])
    assert (fast.glyphs_per_second, fast.share, fast.low, fast.high) == pytest.approx((16, 1, 1, 1))
    assert (slow.glyphs_per_second, slow.share, slow.low, slow.high) == pytest.approx((8, 0.5, 0.5, 0.5))


def test_tasks_take_turns_in_changing_order():
    done: list[str] = []
    tasks = {"a": lambda: done.append("a"), "b": lambda: done.append("b")}
    seconds = list(time_interleaved(tasks, lambda: None, **cost.TIMING).values())
    assert [len(rounds) for rounds in seconds] == [cost.ROUNDS] * 2
    turns = re.sub(r"(.)\1*", r"\1", "".join(done))
    assert turns == "abababab"  # a b to warm up, then ab ba ab ba ab


# -- real runs ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants of two seeds; beside them a run cut short, a damaged one, and a job that failed."""
    root = tmp_path_factory.mktemp("sweep") / "up"
    result = fontgan_here(
        "train", "-m", *TINY, "generator/up=deconv,subpixel", "trainer.seed=1,2", TWO_STYLES, f"out={root}"
    )
    assert result.returncode == 0, result.stderr
    runs = sorted(folder for folder in root.iterdir() if (folder / "checkpoints").is_dir())
    assert len(runs) == 4
    short = root / "short"
    shutil.copytree(runs[0], short)
    text = (short / "config.yaml").read_text().replace("max_steps: 4", "max_steps: 400")
    (short / "config.yaml").write_text(text)
    damaged = root / "damaged"
    shutil.copytree(runs[0], damaged)
    for checkpoint in (damaged / "checkpoints").iterdir():
        (checkpoint / "run.json").write_text("{")
    note_failed_job(root)
    return root


def note_failed_job(root: Path) -> None:
    """Adds a job to the sweep's own notes, or begins them."""
    file = root / "sweep.json"
    noted = json.loads(file.read_text()) if file.is_file() else {"format": 1, "jobs": []}
    failed = {
        "folder": "generator-up=gone,trainer.seed=1",
        "overrides": {},
        "status": "failed",
        "error": "out of memory",
    }
    noted["jobs"].append(failed)
    file.write_text(json.dumps(noted))


QUICK = ("ocr=none", "replicates=200", "device=cpu")


@pytest.fixture(scope="module")
def reported(sweep: Path) -> Path:
    """The sweep's page."""
    page = sweep.parent / "pages" / "report.html"
    assert main(["report", f"runs={sweep}", f"out={page}", *QUICK]) == 0
    return page


@pytest.fixture(scope="module")
def content(reported: Path) -> dict[str, Any]:
    return json.loads(reported.with_suffix(".json").read_text())


def test_runs_that_differ_in_the_seed_alone_are_one_variant(content):
    assert sorted(variant["label"] for variant in content["variants"]) == ["deconv", "subpixel"]
    assert [variant["seeds"] for variant in content["variants"]] == [[1, 2], [1, 2]]
    assert [variant["rank"] for variant in content["variants"]] == [1, 2]


def test_what_is_not_compared_is_listed_with_the_reason(content):
    left_out = {entry["name"]: (entry["status"], entry["reason"]) for entry in content["left_out"]}
    assert left_out["short"] == ("unfinished", "stands at step 4 of 400")
    assert left_out["damaged"][0] == "damaged"
    assert "is not a checkpoint" in left_out["damaged"][1]
    assert left_out["generator-up=gone,trainer.seed=1"] == ("failed", "out of memory")
    assert len(left_out) == 3


def test_the_page_says_first_how_rough_its_intervals_are(reported, content):
    caution = "With 2 styles and 2 seeds a variant, these intervals are a rough guide and too narrow."
    assert content["how_sure"][0] == caution
    assert re.search(rf"<h1 id=.answer.>[^<]*</h1>\s*<p class=.sure.>{caution}", reported.read_text())


def test_page_csv_and_json_agree(reported, content):
    page = reported.read_text()
    assert content["answer"] in page
    with reported.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == [variant["label"] for variant in content["variants"]]
    for row, variant in zip(rows, content["variants"], strict=True):
        score = variant["scores"]["ssim"]
        assert float(row["ssim"]) == score["mean"]
        assert float(row["ssim_low"]) == score["low"] <= score["mean"] <= score["high"] == float(row["ssim_high"])
        assert int(row["parameters"]) == variant["cost"]["parameters"] > 0
        assert int(row["flops"]) == variant["cost"]["flops"] > 0
        assert float(row["training_share_of_fastest"]) == variant["cost"]["training"]["share"] > 0
        assert f'data-value="{score["mean"]}"' in page
    assert float(rows[1]["ssim_behind"]) == pytest.approx(
        content["variants"][1]["scores"]["ssim"]["mean"] - content["variants"][0]["scores"]["ssim"]["mean"]
    )
    assert rows[0]["ssim_behind"] == ""


def test_the_mean_is_that_of_the_runs_evaluations(content):
    for variant in content["variants"]:
        of_runs = [run["scores"]["ssim"] for run in variant["runs"]]
        assert variant["scores"]["ssim"]["mean"] == pytest.approx(sum(of_runs) / len(of_runs), abs=1e-6)


def test_one_variant_is_the_fastest_and_none_is_faster(content):
    for kind in ("training", "inference"):
        rates = [variant["cost"][kind] for variant in content["variants"]]
        assert max(rate["share"] for rate in rates) == 1
        assert all(0 < rate["low"] <= rate["share"] <= rate["high"] for rate in rates)
        assert all(rate["glyphs_per_second"] > 0 for rate in rates)


def test_configs_differ_in_the_up_path_alone(content):
    changed = content["config_differences"]
    labels = [variant["label"] for variant in content["variants"]]
    assert changed.pop("generator/up (preset)") == labels
    assert changed
    assert all(key.startswith("generator.up.") for key in changed)


def test_curves_and_wall_hold_what_the_runs_left(content):
    for variant in content["curves"]["ssim"]["variants"]:
        assert [[step for step, _ in points] for points in variant["runs"]] == [[4], [4]]
    assert content["curves"]["l1"]["baseline"]["value"] > 0
    assert set(content["wall"]) == {"kai", "brush"}
    for variant in content["variants"]:
        assert len(variant["worst"]) == min(8, content["compared"]["glyphs"])


def test_the_page_asks_no_network_and_runs_no_script_but_its_own(reported):
    page = reported.read_text()
    assert "default-src 'none'" in page
    assert page.count("<script") == 1
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", page)
    assert "unsafe-inline" not in page


@pytest.mark.slow
def test_the_second_report_measures_nothing_again(reported, sweep, tmp_path, monkeypatch, here):
    monkeypatch.setattr(measure, "evaluate", lambda *_, **__: pytest.fail("measured again"))
    shutil.copy(reported, tmp_path / "again.html")  # an older report gives way
    result = here("report", f"runs={sweep}", f"out={tmp_path / 'again.html'}", "rates=false", *QUICK)
    assert result.returncode == 0
    assert (tmp_path / "again.html").is_file()
    content = json.loads((tmp_path / "again.json").read_text())
    assert all(variant["cost"]["training"] is None for variant in content["variants"])
    assert "Rates were not measured" in (tmp_path / "again.html").read_text()
    assert result.stdout.strip() == content["answer"]


@pytest.mark.parametrize(
    "kept",
    [
        "{",
        "[]",
        '{"format": 1}',
        '{"format": 2, "key": {"step": 4}, "evaluation": {"glyphs": [], "metrics": {}}, "truth": [["kai", "永", "f"]]}',
        '{"format": 2, "key": {"step": 3}, "evaluation": {"glyphs": [], "metrics": {}}, "truth": []}',
    ],
)
def test_a_damaged_or_stale_cache_is_not_believed(tmp_path, kept):
    file = tmp_path / "kept.json"
    file.write_text(kept)
    assert measure._read_kept(file, {"step": 4}) is None
    file.write_text(sealed({"format": 2, "key": {"step": 4}, "evaluation": {"glyphs": [], "metrics": {}}, "truth": []}))
    assert measure._read_kept(file, {"step": 4}) is not None


def kept_of(run: Path) -> Path:
    """Where the evaluation of a run's last checkpoint is kept."""
    last = max((run / "checkpoints").iterdir())
    return measure.kept_file(
        {"weights": sha256_of(last / "generator.safetensors"), "config": sha256_of(last / "config.yaml")}
    )


def test_what_is_kept_is_not_taken_from_the_run_and_not_believed_when_damaged(sweep, reported, tmp_path):
    """A stranger's run may come with scores of its own making."""
    run = tmp_path / "run"
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), run)
    kept = kept_of(run)
    assert kept.is_file()
    assert run not in kept.parents
    data = kept.read_bytes()
    forged = data.replace(b'"ssim": 0.', b'"ssim": 0.9')
    assert forged != data
    key = json.loads(data)["key"]
    try:
        kept.write_bytes(forged)
        assert measure._read_kept(kept, key) is None
    finally:
        kept.write_bytes(data)
    assert measure._read_kept(kept, key) is not None


def test_a_preset_that_cannot_be_composed_names_no_up_path(sweep, monkeypatch):
    monkeypatch.setattr(content_module, "choices", lambda group: ["broken", *choices(group)])
    found = content_module.config_differences(collect.collect(sweep, "last").variants)
    assert sorted(found["generator/up (preset)"]) == ["deconv", "subpixel"]


@pytest.mark.slow
def test_another_setting_measures_again(reported, sweep, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), run)
    before = json.loads(kept_of(run).read_text())
    assert (
        main(["report", f"runs={run}", f"out={tmp_path / 'page.html'}", "rates=false", *QUICK, "replicates=100"]) == 0
    )
    after = json.loads(kept_of(run).read_text())
    assert (before["key"]["replicates"], after["key"]["replicates"]) == (200, 100)
    assert after["evaluation"]["metrics"]["ssim"]["mean"] == pytest.approx(
        before["evaluation"]["metrics"]["ssim"]["mean"]
    )


def test_a_run_alone_makes_a_page(sweep, tmp_path, here):
    run = next(sweep.glob("generator-up=subpixel*seed=2"))
    result = here("report", f"runs={run}", f"out={tmp_path / 'page.html'}", "rates=false", "which=best", *QUICK)
    assert result.returncode == 0, result.stderr
    assert "there is no other variant to compare it with" in result.stdout
    page = (tmp_path / "page.html").read_text()
    assert "With one seed a variant, nothing can be said" in page
    assert "chosen as the best on these very held-out glyphs" in page


def test_a_run_older_than_a_key_is_timed(sweep, tmp_path, here):
    run = shutil.copytree(next(sweep.glob("generator-up=subpixel*seed=2")), tmp_path / "old")
    for file in run.rglob("config.yaml"):
        config = OmegaConf.load(file)
        del config["allow"]
        OmegaConf.save(config, file)
    reseal(run)
    result = here("report", f"runs={run}", f"out={tmp_path / 'page.html'}", *QUICK)
    assert result.returncode == 0, result.stderr
    (row,) = csv.DictReader((tmp_path / "page.csv").open())
    assert float(row["training_glyphs_per_second"]) > 0


def test_runs_of_other_sizes_are_refused_in_one_line_before_any_is_measured(sweep, tmp_path, refused, monkeypatch):
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    for name in ("first", "other"):
        shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), runs / name)
    for file in (runs / "other" / "checkpoints").glob("*/run.json"):
        file.write_text(file.read_text().replace('"size": 64', '"size": 96'))
    reseal(runs / "other")
    line = refused("report", f"runs={runs}", f"out={tmp_path / 'page.html'}", *QUICK)
    assert "first draws at 64 px and other at 96 px" in line
    assert not (tmp_path / "cache").exists()


class Elements(HTMLParser):
    """The tags of a page, and the names of attributes that would run something."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@pytest.fixture(scope="module")
def evil_page(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep's page with a style, a variant, a note, a reason and a config of a stranger's choosing."""
    text = json.dumps(content).replace('"kai"', json.dumps(EVIL)).replace('"deconv"', json.dumps(f"'\">{EVIL}"))
    evil = json.loads(text)
    evil["notes"].append(EVIL)
    evil["left_out"].append({"name": EVIL, "status": EVIL, "reason": EVIL})
    evil["made"]["runs"] = evil["made"]["command"] = f"</code>{EVIL}"
    for variant in evil["variants"]:
        variant["config"] += f"name: '</pre>{EVIL}'"
    picture = io.BytesIO()
    Image.new("L", (64, 64), 255).save(picture, format="PNG")
    glyphs = {(g["style"], g["char"]) for v in evil["variants"] for g in v["worst"]} | set(wall_pairs(evil))
    same = dict.fromkeys(glyphs, picture.getvalue())
    page = tmp_path_factory.mktemp("evil") / "page.html"
    page.write_text(render_page(evil, Pictures(same, same, {v["label"]: same for v in evil["variants"]})))
    return page


def test_names_from_outside_are_escaped(evil_page, reported):
    page = evil_page.read_text()
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    assert EVIL not in page
    found, plain = Elements(page), Elements(reported.read_text())
    assert found.tags.count("script") == 1
    assert found.handlers == []
    assert set(found.tags) == set(plain.tags)


@pytest.mark.slow
def test_folders_and_errors_of_strangers_are_escaped(sweep, tmp_path, here):
    runs = tmp_path / "runs"
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), runs / "<img src=x onerror=alert(1)>")
    job = {"folder": "gone", "overrides": {"<b>": "<i>"}, "status": "failed", "error": EVIL}
    (runs / "sweep.json").write_text(json.dumps({"format": 1, "jobs": [job]}))
    result = here("report", f"runs={runs}", f"out={tmp_path / 'page.html'}", "rates=false", *QUICK)
    assert result.returncode == 0, result.stderr
    found = Elements((tmp_path / "page.html").read_text())
    assert found.tags.count("script") == 1
    assert found.handlers == []
    assert not {"b", "i"} & set(found.tags)
    content = json.loads((tmp_path / "page.json").read_text())
    assert content["variants"][0]["runs"][0]["folder"] == "<img src=x onerror=alert(1)>"
    assert content["left_out"] == [{"name": "gone", "status": "failed", "reason": EVIL}]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("runs=EMPTY",), "holds no run (a folder with config.yaml and checkpoints). Train first"),
        (("runs=EMPTY/none",), "no such folder"),
        (("runs=EMPTY", "out=report.pdf"), "Name a file that ends in .html"),
        (("runs=EMPTY", "replicates=10"), "replicates=10: 100 or more is needed"),
        (("runs=EMPTY", "batch_size=0"), "batch_size=0: 1 or more is needed"),
        (("runs=EMPTY", "which=newest"), "which=newest: choose one of last, best"),
        (("runs=EMPTY", "ocr=typo"), "ocr=typo: choose one of"),
        (("runs=EMPTY", "precision=fp8"), "precision=fp8: choose one of"),
    ],
)
def test_mistakes_are_told_in_one_line(overrides, says, tmp_path, refused):
    assert says in refused("report", *(o.replace("EMPTY", str(tmp_path)) for o in overrides))


@pytest.mark.parametrize("taken", ["page.html", "page.csv", "page.json"])
def test_files_of_another_kind_are_not_overwritten(sweep, tmp_path, refused, taken):
    (tmp_path / taken).write_text("mine")
    assert "Name another file" in refused("report", f"runs={sweep}", f"out={tmp_path / 'page.html'}")
    assert (tmp_path / taken).read_text() == "mine"


def test_only_damaged_runs_are_refused_with_the_reason(sweep, tmp_path, refused):
    shutil.copytree(sweep / "damaged", tmp_path / "damaged")
    line = refused("report", f"runs={tmp_path}", f"out={tmp_path / 'page.html'}")
    assert "holds no run that could be compared (damaged:" in line


def test_unfinished_runs_are_compared_where_none_is_finished(sweep, tmp_path):
    for name in ("one", "other"):
        shutil.copytree(sweep / "short", tmp_path / name)
    found = collect.collect(tmp_path, "best")
    assert [len(variant.runs) for variant in found.variants] == [2]
    assert found.left_out == []
    assert found.notes == ["None of these runs has trained to its end yet; they stand at step 4."]


def test_a_sweep_notes_that_cannot_be_read_are_done_without(sweep, tmp_path, caplog):
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), tmp_path / "run")
    (tmp_path / "sweep.json").write_text('{"jobs": [{"status": "done"}]}')
    assert [variant.label for variant in collect.collect(tmp_path, "last").variants] == ["run"]


def test_a_run_that_minutes_would_have_ended_is_unfinished_in_minutes(sweep, tmp_path):
    run = next(sweep.glob("generator-up=deconv*seed=1"))
    shutil.copytree(run, tmp_path / "done")
    shutil.copytree(run, tmp_path / "short")
    text = (tmp_path / "short" / "config.yaml").read_text()
    text = text.replace("max_steps: 4", "max_steps: 1000000000").replace("max_minutes: null", "max_minutes: 5")
    (tmp_path / "short" / "config.yaml").write_text(text)
    (left_out,) = collect.collect(tmp_path, "last").left_out
    assert re.fullmatch(r"stands at minute 0\.\d of 5", left_out.reason)


@pytest.mark.slow
def test_a_report_cut_short_while_it_is_written_can_be_made_again(reported, sweep, tmp_path, monkeypatch, here):
    command = ("report", f"runs={sweep}", f"out={tmp_path / 'page.html'}", "rates=false", *QUICK)
    with monkeypatch.context() as patched:
        patched.setattr("fontgan.report.content.to_csv", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert here(*command).returncode == 130
    assert {file.name for file in tmp_path.iterdir()} == {"page.html", "page.json"}
    assert here(*command).returncode == 0


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_measured(
    sweep, tmp_path, monkeypatch, refused
):
    monkeypatch.setattr(measure, "measure", lambda *_: pytest.fail("measured"))
    (tmp_path / "file").write_text("")
    assert "cannot be written to" in refused(
        "report", f"runs={sweep}", f"out={tmp_path / 'file' / 'page.html'}", *QUICK
    )


@pytest.mark.slow
def test_runs_with_other_held_out_glyphs_are_compared_on_those_they_share(
    reported, sweep, tmp_path, here, monkeypatch, one_shared_cache
):
    shutil.copytree(one_shared_cache, tmp_path / "cache")  # what is kept is about to be changed
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    for up in ("deconv", "subpixel"):
        shutil.copytree(next(sweep.glob(f"generator-up={up}*seed=1")), runs / up)
    file = kept_of(runs / "deconv")
    kept = read_sealed(file, measure.FORMAT)
    style, char, _ = kept["truth"].pop()
    glyphs = kept["evaluation"]["glyphs"]
    kept["evaluation"]["glyphs"] = [g for g in glyphs if (g["style"], g["char"]) != (style, char)]
    file.write_text(sealed(kept))
    result = here("report", f"runs={runs}", f"out={tmp_path / 'page.html'}", "rates=false", *QUICK)
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / "page.json").read_text())
    assert content["compared"]["glyphs"] == len(glyphs) - 1
    assert all(metric["of"] == "glyph" and not metric["baselines"] for metric in content["metrics"].values())
    for variant in content["variants"]:
        assert variant["runs"][0]["scores"]["ssim"] == pytest.approx(variant["scores"]["ssim"]["mean"])
    page = (tmp_path / "page.html").read_text()
    assert "did not hold out the same glyphs" in page
    assert "baselines, which a variant should beat" not in page


@pytest.mark.slow
def test_a_run_whose_fonts_have_gone_since_is_shown_in_numbers(reported, sweep, tmp_path, here):
    runs, fonts = tmp_path / "runs", tmp_path / "fonts"
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), runs / "stays")
    fonts.mkdir()
    for font in (KAI, BRUSH):
        shutil.copy(font, fonts)
    targets = f"data.targets={{kai: {fonts / KAI.name}, brush: {fonts / BRUSH.name}}}"
    assert main(["train", *TINY, "generator/up=subpixel", targets, f"out={runs / 'moved'}"]) == 0
    command = ("report", f"runs={runs}", f"out={tmp_path / 'page.html'}", *QUICK)
    assert here(*command).returncode == 0
    shutil.rmtree(fonts)
    result = here(*command)
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / "page.json").read_text())
    rates = {variant["label"]: variant["cost"]["training"] for variant in content["variants"]}
    assert rates.keys() == {"stays", "moved"}
    assert rates["moved"] is None
    assert rates["stays"]["share"] == 1
    assert any("moved: measured before; now neither drawn nor timed" in note for note in content["notes"])
    page = (tmp_path / "page.html").read_text()
    assert "drawn by stays" in page
    assert "drawn by moved" not in page
    shutil.rmtree(runs / "stays")  # then there is nothing to draw at all
    assert here(*command).returncode == 0
    assert "<img" not in (tmp_path / "page.html").read_text()


def test_a_folder_whose_name_is_no_utf_8_is_reported(reported, sweep, tmp_path, here):
    shutil.copytree(next(sweep.glob("generator-up=deconv*seed=1")), tmp_path / "runs" / os.fsdecode(b"caf\xe9"))
    result = here("report", f"runs={tmp_path / 'runs'}", f"out={tmp_path / 'page.html'}", "rates=false", *QUICK)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("caf\\udce9 draws")
    assert "caf\\udce9" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("what", ["METRICS_REVISION", "ALEXNET", "find_ocr"])
def test_what_was_kept_is_known_by_what_it_was_measured_with(monkeypatch, what):
    class Other:
        name = "another reader"

        def find(self) -> str:
            return "weights"

    before = measure._tools(Settings(ocr="none"))
    other = {"METRICS_REVISION": 0, "ALEXNET": Other(), "find_ocr": lambda _: Other()}
    monkeypatch.setattr(measure, what, other[what])
    assert measure._tools(Settings(ocr="none")) != before


# -- in a browser ---------------------------------------------------------------------------


Look = Callable[..., Any]


@pytest.fixture
def look(browser: Any, reported: Path) -> Look:
    """Opens the page at a width and in a colour scheme; gives the browser."""

    def opened(width: int = 1280, scheme: str = "light") -> Any:
        return open_page(browser, reported, width, scheme)

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_without_errors_and_all_pictures_are_there(look, content, width, scheme):
    browser = look(width, scheme)
    assert browser.find_element("id", "answer").text == content["answer"]
    assert browser.get_log("browser") == []
    sizes = browser.execute_script("return [...document.images].map(image => image.naturalWidth)")
    shown = sum(map(len, content["wall"].values())) * (2 + len(content["variants"]))  # source, truth, variants
    shown += sum(2 * len(variant["worst"]) for variant in content["variants"])
    assert sizes == [64] * shown
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    luminance = browser.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    assert (int(luminance[0]) < 128) == (scheme == "dark")
    assert len(browser.get_screenshot_as_png()) > 20_000


def column(browser: Any, place: int) -> list[float]:
    cells = f"#ranking-table tbody tr td:nth-child({place}), #ranking-table tbody tr th:nth-child({place})"
    return [float(cell.get_attribute("data-value")) for cell in browser.find_elements("css selector", cells)]


def test_a_click_or_key_on_a_header_sorts(look):
    from selenium.webdriver.common.keys import Keys

    browser = look()
    scores = column(browser, 3)
    assert scores == sorted(scores, reverse=True)
    button = browser.find_elements("css selector", "#ranking-table thead button")[2]
    header = button.find_element("xpath", "..")
    button.click()
    assert (column(browser, 3), header.get_attribute("aria-sort")) == (sorted(scores, reverse=True), "descending")
    button.send_keys(Keys.ENTER)
    assert (column(browser, 3), header.get_attribute("aria-sort")) == (sorted(scores), "ascending")
    assert column(browser, 1) == [2, 1]
    assert len(browser.find_elements("css selector", "#ranking-table [aria-sort]")) == 1


def test_a_glyph_is_enlarged_beside_the_truth_by_click_and_by_enter(look, content):
    from selenium.webdriver.common.keys import Keys

    browser = look()
    dialog = browser.find_element("css selector", "dialog")
    assert not dialog.is_displayed()
    glyph = browser.find_elements("css selector", "#wall tr:last-child button.glyph")[0]
    glyph.click()
    captions = [caption.text for caption in dialog.find_elements("css selector", "figcaption")]
    assert captions == ["truth", content["variants"][-1]["label"]]
    widths = [image.size["width"] for image in dialog.find_elements("css selector", "img")]
    assert min(widths) > 200
    title = dialog.find_element("css selector", ".title").text
    dialog.find_element("css selector", "button").send_keys(Keys.ARROW_RIGHT)
    assert dialog.find_element("css selector", ".title").text != title
    dialog.find_element("css selector", "button").click()
    assert not dialog.is_displayed()
    worst = browser.find_element("css selector", "#worst button.glyph")
    worst.send_keys(Keys.ENTER)
    assert dialog.is_displayed()
    assert len(dialog.find_elements("css selector", "img")) == 2
    assert browser.get_log("browser") == []


def test_a_style_named_like_a_script_runs_nothing(browser, evil_page):
    browser.get(evil_page.as_uri())
    assert browser.find_element("css selector", "#wall h3").text == EVIL
    assert len(browser.find_elements("css selector", "script")) == 1
    assert browser.get_log("browser") == []
    assert browser.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")
