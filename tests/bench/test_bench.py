"""fontgan bench: timing, floors counted by hand, sections at small size, the page, and one-line errors."""

from __future__ import annotations

import json
import shlex
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from fontgan.bench import infer, machine, run
from fontgan.bench.data import (
    PACKED_PX,
    REPEATS,
    bundled_many_times,
    given_fonts,
    measure_big_pack,
    measure_packing,
    measure_reading,
)
from fontgan.bench.figures import Figure, Setup, show_figure
from fontgan.bench.font import measure as measure_font
from fontgan.bench.lower_bound import bytes_of, count_lower_bound
from fontgan.bench.machine import Peaks, describe_machine, measure_peaks
from fontgan.bench.page import FORMAT, MADE_BY_US, read_figures, to_markdown
from fontgan.bench.run import WORDS, command
from fontgan.bench.start import seconds_to_first_step
from fontgan.bench.step import PLAIN, PLAIN_OPTIMISER, measure_step
from fontgan.config.compose import compose_config
from fontgan.errors import RunError
from fontgan.runtime.cores import usable_cores
from fontgan.runtime.timing import MIN_ROUNDS, Spread, ratio, summarize, time_interleaved
from tests.helpers import TINY, Here

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
NO_WAIT = lambda: None  # noqa: E731
# A multiply-add of full precision takes 2 ns, of bf16 half of that, a byte 1 ns: what is slower is seen at once.
UNIT = Peaks(bf16_gflops=2.0, fp32_gflops=1.0, copy_gb_s=1.0)
QUICK = Setup(CPU, "auto", rounds=3, minutes=0, seed=1)


def test_turns_are_taken_by_rounds_and_the_ratio_is_that_of_the_tasks() -> None:
    order: list[str] = []

    def task(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            time.sleep(seconds)

        return run

    tasks = {"slow": task("slow", 0.03), "quick": task("quick", 0.01)}
    seconds = time_interleaved(tasks, NO_WAIT, rounds=4, minutes=1, title="test", once=True)
    assert order == ["slow", "quick"] + ["slow", "quick", "quick", "slow"] * 2  # a warm-up, then turned round
    found = ratio(seconds["slow"], seconds["quick"])
    assert found.rounds == 4
    assert 2 < found.value < 4


def test_what_is_quick_is_done_several_times_in_a_turn() -> None:
    calls = []
    time_interleaved({"quick": lambda: calls.append(time.sleep(0.01))}, NO_WAIT, rounds=3, minutes=1, title="test")
    assert 30 < len(calls) <= 61  # about 20 in each of 3 turns


def test_time_ends_rounds_but_not_before_there_are_enough() -> None:
    seconds = time_interleaved({"task": NO_WAIT}, NO_WAIT, rounds=50, minutes=0, title="test", once=True)
    assert len(seconds["task"]) == MIN_ROUNDS


def test_a_spread_is_median_and_extremes() -> None:
    assert summarize([3, 1, 2]) == Spread(2, 1, 3, 3)
    assert summarize([5, 1, 4, 2, 3]) == Spread(3, 1, 5, 5)


def test_the_lower_bound_of_a_convolution_counted_by_hand() -> None:
    image, kernel = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
    work = count_lower_bound(lambda: F.conv2d(image, kernel, padding=1), UNIT)
    operations = 2 * (2 * 4 * 8 * 8) * (3 * 3 * 3)
    moved = 4 * (2 * 3 * 8 * 8 + 4 * 3 * 3 * 3 + 2 * 4 * 8 * 8)
    assert (work.calls, work.flops, work.moved) == (1, operations, moved)
    assert operations > moved
    assert work.seconds == pytest.approx(operations / 1e9)


def test_bf16_has_its_own_peak_and_half_the_bytes() -> None:
    a = torch.randn(64, 64, dtype=torch.bfloat16)
    work = count_lower_bound(lambda: a @ a, UNIT)
    assert work.flops == 2 * 64**3
    assert work.moved == 3 * 64 * 64 * 2
    assert work.seconds == pytest.approx(2 * 64**3 / 2 / 1e9)


@pytest.mark.parametrize(
    ("task", "tensors"),
    [
        (lambda x, y: x + y, 3),  # two read, one written
        (lambda x, y: x.add_(y), 3),  # the same, into one of them
        (lambda x, y: x.copy_(y), 2),  # what is overwritten is not read
        (lambda x, y: x.zero_(), 1),
        (lambda x, y: x.view(-1)[3:].unsqueeze(0), 0),  # views compute nothing
        (lambda x, y: torch.empty_like(x), 0),
        (lambda x, y: torch._foreach_add_([x, y], [y, x]), 6),
        (lambda x, y: torch.cat([x, y]), 4),
    ],
)
def test_bytes_moved(task: Callable[[Any, Any], object], tensors: int) -> None:
    x, y = torch.ones(10, 10), torch.ones(10, 10)
    work = count_lower_bound(lambda: task(x, y), UNIT)
    assert work.moved == tensors * 400
    assert work.flops == 0
    assert work.seconds == pytest.approx(tensors * 400 / 1e9)


def test_an_expanded_tensor_is_as_large_as_what_it_repeats() -> None:
    assert bytes_of(torch.ones(3, 1).expand(3, 1000)) == 12
    assert bytes_of(torch.ones(0, 5)) == 0


def test_backward_passes_are_counted_too() -> None:
    image, kernel = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3, requires_grad=True)
    forward = count_lower_bound(lambda: F.conv2d(image, kernel, padding=1), UNIT).flops
    both = count_lower_bound(lambda: F.conv2d(image, kernel, padding=1).sum().backward(), UNIT).flops
    assert both == 2 * forward  # the image needs no gradient


def test_peaks_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.SIDE, "cpu", 128)
    monkeypatch.setitem(machine.COPIED, "cpu", 2**20)
    peaks = measure_peaks(CPU)
    assert 0.1 < peaks.fp32_gflops < 1e5
    assert 0.1 < peaks.bf16_gflops < 1e5
    assert 0.05 < peaks.copy_gb_s < 1e4


@pytest.mark.slow
def test_a_small_step_beside_the_plain_one_and_its_lower_bound() -> None:
    figures, profile = measure_step(QUICK, UNIT, "scratch", 4, TINY, compile=False)
    by_name = {(figure.column, figure.name): figure.spread for figure in figures}
    plain, default = by_name["time", "plain"], by_name["time", "default"]
    faster = by_name["time", "default, times as fast as plain"]
    assert faster.low <= plain.high / default.low
    assert faster.high >= plain.low / default.high
    assert by_name["rate", "default"].value == pytest.approx(4 / default.value)
    share = by_name["time", "lower bound over default"].value
    assert share == pytest.approx(by_name["time", "lower bound"].value / default.value)
    assert 0 < len(profile) <= 10
    assert any("conv" in entry["name"] for entry in profile)
    assert 0 < sum(entry["share"] for entry in profile) <= 1


@pytest.mark.slow
def test_the_first_step_is_timed_from_the_start_of_the_process(tmp_path: Path) -> None:
    started = time.perf_counter()
    seconds = seconds_to_first_step(tmp_path / "run", CPU, *TINY)
    assert 0.5 < seconds < time.perf_counter() - started
    with pytest.raises(RunError, match=r"made no step.*data\.size=7"):
        seconds_to_first_step(tmp_path / "other", CPU, "experiment=scratch", "data.size=7")


@pytest.mark.parametrize(("training", "source"), [("scratch", "shelf:sans"), ("complete", "[shelf:sans,shelf:kai]")])
def test_drawing_at_small_size_end_to_end(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: str, source: str
) -> None:
    monkeypatch.setattr(infer, "SMALL", training)
    monkeypatch.setitem(infer.GLYPHS_SMALL, "cpu", 48)
    out, page = tmp_path / "cpu.json", tmp_path / "page.md"
    overrides = (
        f"overrides=['init_from=null','data.size=64','generator.ngf=4','generator.depth=4','data.source={source}']"
    )
    arguments = (f"training={training}", "batch_size=16", "rounds=3", "minutes=0", "device=cpu", f"page={page}")
    result = here("bench", "infer", *arguments, overrides, f"out={out}")
    assert result.returncode == 0, result.stderr
    numbers = json.loads(out.read_text())
    figures = {figure["name"]: figure for figure in numbers["figures"]}
    assert list(figures) == [
        "generator, fp32", "generator, bf16", "generator, as infer draws", "generator, as infer draws over fp32",
        "folder in, folder out", "folder over generator alone",
    ]  # fmt: skip
    for figure in figures.values():
        assert 0 < figure["low"] <= figure["value"] <= figure["high"]
        assert figure["rounds"] == MIN_ROUNDS
        assert figure["name"] in result.stdout
        assert figure["name"] in page.read_text()
        assert "48 glyphs" in figure["how"]
        assert (figure["section"], figure["column"]) == ("infer", f"{training}, 64 px")
    assert numbers["peaks"]["copy_gb_s"] > 0
    assert numbers["command"].startswith("fontgan bench infer ")
    assert str(tmp_path) not in out.read_text() + page.read_text()
    assert "'data.size=64'" in numbers["command"].replace("'\"'\"'", "'")


@pytest.mark.skipif(usable_cores() < 2, reason="two processes are timed on two cores")
def test_packing_is_timed_with_one_process_and_with_two() -> None:
    charset = next(key for key in TINY if key.startswith("data.charset="))
    cfg = compose_config("train", ["experiment=scratch", charset, f"data.size={PACKED_PX}"])
    figures = {f.name: f for f in measure_packing("few", cfg, QUICK)}
    one, two = figures["packing few, 1 process"], figures["packing few, 2 processes"]
    assert "270 glyphs at 128 px" in one.how  # of 45 characters, in three styles, and in the source for each
    gain = figures["packing few, 2 processes over 1"].spread
    assert gain.low <= two.spread.high / one.spread.low
    assert gain.high >= two.spread.low / one.spread.high


def test_fonts_are_packed_as_named_however_they_are_named() -> None:
    cfg = given_fonts(["A, 'old'.ttf", "B.ttf@wght=600,opsz=12"])
    assert (cfg.data.source, list(cfg.data.targets)) == ("A, 'old'.ttf", ["B.ttf@wght=600,opsz=12"])
    assert compose_config("bench", [command_argument(["C, D.ttf", "B.ttf@a=1,b=2"])]).fonts == [
        "C, D.ttf",
        "B.ttf@a=1,b=2",
    ]
    many = bundled_many_times()
    assert many.data.size == PACKED_PX
    assert len(many.data.targets) == 3 * REPEATS


def command_argument(fonts: list[str]) -> str:
    """The argument ``fonts=`` as the file of figures has it."""
    cfg = compose_config("bench", ["what=data"])
    cfg.fonts = fonts
    return shlex.split(command(cfg))[-1]


@pytest.mark.slow
def test_reading_is_timed_beside_a_step() -> None:
    rate, share = measure_reading(QUICK)
    assert rate.spread.value > 16
    assert share.spread.low > 1  # or the step would wait for its glyphs


@pytest.mark.slow
def test_a_pack_of_many_pairs_is_read_in_a_process_of_its_own() -> None:
    found = {f.name.removeprefix("pack of 30,000 pairs: "): f.spread.value for f in measure_big_pack(30_000, QUICK)}
    assert 0 < found["opening"] < found["opening to first batch"]
    assert found["memory to open"] < 30_000 * 64 * 64 / 2**20 / 4  # it is not read as a whole
    assert found["memory that sampling adds"] > 30_000 * 4 / 2**20  # at least a number a pair
    assert found["reading"] > 16
    with pytest.raises(RunError, match=r"pairs=1000000000000: needs .* GB of disk"):
        measure_big_pack(10**12, QUICK)


@pytest.mark.slow
def test_a_font_is_made_of_images_by_one_process_and_by_two() -> None:
    figures = {figure.name: figure for figure in measure_font(QUICK, 30)}
    whole, tracing = (figures[f"font of 30 glyphs: {part}"] for part in ("images to file", "tracing"))
    assert 0 < tracing.spread.value < whole.spread.value
    assert figures["tracing, 1 process"].spread.value > 1
    if usable_cores() > 1:
        assert figures["tracing, 2 processes over 1"].spread.rounds == MIN_ROUNDS


def content_of(figures: list[Figure]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_by": "fontgan bench",
        "command": "fontgan bench step",
        "date": "2026-01-31",
        "machine": describe_machine(CPU),
        "peaks": asdict(UNIT),
        "figures": [{"section": "step", **figure.as_dict()} for figure in figures],
        "profile": [{"name": "aten::a|b", "calls": 3, "seconds": 0.5, "share": 0.25}],
    }


def test_the_page_has_every_file_of_figures_and_none_of_others(here: Here, tmp_path: Path) -> None:
    figures = [
        Figure("default", Spread(4.321, 4, 5, 5), "s", "how it was done", "time"),
        Figure("default", Spread(0.5, 0.5, 0.5, 1), "glyphs/s", "once", "rate"),
        Figure("lower | bound", Spread(1234.5, 1, 2, 1), "s", "once", "time"),
    ]
    (tmp_path / "figures").mkdir()
    for name in ("a", "b b"):
        (tmp_path / "figures" / f"{name}.json").write_text(json.dumps(content_of(figures)))
    (tmp_path / "figures" / "blocks.json").write_text('{"made": {}}')
    (tmp_path / "figures" / "broken.json").write_text("{")
    page, out = tmp_path / "page.md", tmp_path / "figures" / "a.json"
    result = here("bench", "page", f"out={out}", f"page={page}")
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert text.startswith(MADE_BY_US)
    assert text.count("|   | time | rate |\n| --- | --- | --- |\n") == 2
    assert "| default | 4.32 s (4.00 to 5.00) | 0.500 glyphs/s |" in text
    assert "| lower &#124; bound | 1,234 s |  |" in text
    assert "`aten::a|b` 25%" in text
    assert "([JSON](<figures/a.json>))" in text
    assert "([JSON](<figures/b%20b.json>))" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Benchmarks", "## Training step"]
    assert text == to_markdown(read_figures(out.parent), page)
    assert here("bench", "page", f"out={out}", f"page={page}").returncode == 0  # written over


def test_the_page_in_the_docs_is_made_of_the_figures_beside_it() -> None:
    page = ROOT / "docs" / "reference" / "benchmarks.md"
    assert page.read_text(encoding="utf-8") == to_markdown(read_figures(page.with_suffix("")), page)


def test_a_figure_as_text() -> None:
    assert show_figure(Figure("start", Spread(12.34, 11, 15, 3), "s", "").as_dict()) == "12.3 s (11.0 to 15.0)"
    assert show_figure(Figure("memory", Spread(0, 0, 0, 1), "MiB", "").as_dict()) == "0 MiB"


def test_nothing_tells_whose_machine_it_is() -> None:
    cfg = compose_config("bench", ["out=/home/someone/here/cpu.json", "what=data", "fonts=[/srv/a/A.ttf,b/B.ttf]"])
    assert command(cfg) == "fontgan bench data 'fonts=[A.ttf,b/B.ttf]'"
    assert socket.gethostname() not in json.dumps(describe_machine(CPU))


@pytest.mark.parametrize(("section", "says"), [("data", "what=data: memory is full"), ("step", "batch_size=16: does")])
def test_full_memory_is_said_with_a_setting_that_the_section_reads(
    section: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run, "measure_peaks", lambda device: UNIT)
    monkeypatch.setattr(run, "measure_section", full)
    with pytest.raises(RunError, match=says):
        run.measure(compose_config("bench", [f"what={section}", "device=cpu"]))


def test_the_plain_optimiser_is_torchs_own_default_on_each_device() -> None:
    for device, foreach in (("cpu", False), ("cuda", True)):
        cfg = compose_config("train", [*PLAIN, PLAIN_OPTIMISER[device]])
        assert (cfg.optim.algorithm.fused, cfg.optim.algorithm.foreach) == (False, foreach)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], f"what=fly: choose one of {', '.join(WORDS)}"),
        (["step", "training=zi2zi"], "training=zi2zi: choose one of"),
        (["step", "rounds=2"], "rounds=2: 3 or more"),
        (["step", "batch_size=0"], "batch_size=0: 1 or more"),
        (["step", "precision=fp8"], "precision=fp8: choose one of"),
        (["step", "overrides=['data.size=7']"], "data.size=7: choose one of"),
        (["data", "compile=true"], "compile=True: what=data does not read it"),
        (["outlines", "overrides=['data.size=64']"], "what=outlines does not read it"),
        (["outlines", "glyphs=5"], "glyphs=5: what=outlines does not read it"),
        (["font", "traced=5"], "traced=5: what=font does not read it"),
        (["font", "seed=2"], "seed=2: what=font does not read it"),
        (["font", "glyphs=0"], "glyphs=0: 1 or more and 20992 at most"),
        (["font", "glyphs=20993"], "glyphs=20993: 1 or more and 20992 at most"),
        (["outlines", "traced=501"], "traced=501: 1 or more and 500 at most"),
        (["step", "overrides=['data.sizes=64']"], "data.sizes"),
        *(
            (["step", f"overrides=['{prefix}trainer.{key}={value}']"], f"trainer.{key} is a setting of fontgan bench")
            for prefix, key, value in (
                ("", "batch_size", 4),
                ("", "precision", "bf16"),
                ("++", "device", "cpu"),
                ("", "seed", 3),
                ("", "compile", "true"),
            )
        ),
        (["step", "overrides=['experiment=scratch']"], "Use training=... instead"),
        (["data", "fonts=[A.ttf]"], "at least one more font"),
        (["data", "fonts=[A.ttf,B.ttf]"], "A.ttf"),
        (["data", "out=figures.txt"], "ends in .json"),
        (["data", "out=theirs.json"], "did not make"),
        (["step", "page=page.html"], "ends in .md"),
        (["step", "page=theirs.md"], "did not make"),
        (["page"], "page: needs a value"),
        (["page", "page=page.md"], "no figures"),
        (["step", "colour=red"], "colour"),
    ],
)
def test_wrong_usage_gets_one_line(
    arguments: list[str], says: str, refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.json").write_text("[]")
    (tmp_path / "theirs.md").write_text("# mine")
    assert says in refused("bench", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs.json", "theirs.md"]
