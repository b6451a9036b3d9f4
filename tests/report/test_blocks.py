"""Blocks: every one trains, says what it is for, and is measured; receptive fields are those that a textbook gives."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from fontgan.build import build_parts
from fontgan.cli import main
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices, groups
from fontgan.config.instantiate import build_generator
from fontgan.models.attention import SelfAttention
from fontgan.models.cost import parameters
from fontgan.models.receptive_field import encoder_receptive_field, receptive_field
from fontgan.models.unet import UnetGenerator
from fontgan.report.block_choices import NOT_BLOCKS, baseline, candidate, discover, part_groups
from fontgan.report.blocks import (
    BASELINE,
    MADE_BY_US,
    Choice,
    Row,
    block_field,
    grid_at_start,
    saved_bytes,
    take_weights,
    to_markdown,
)
from tests.helpers import KAI, SOURCE, combinations

CHOICES = discover()
PRESETS, STYLES = choices("generator/up"), choices("generator/style")
SMALL = (
    "experiment=scratch", "data=fonts", f"data.source={SOURCE}", f"data.targets={{kai: {KAI}}}", "data.size=64",
    "data.charset=的一是不了在人有我他这个们中来上大为和国", "data.holdout=0.1", "generator.ngf=4", "generator.depth=4",
    "loss=ink", "discriminator=none", "optim=adam", "optim.warmup_steps=0", "trainer.batch_size=4", "trainer.compile=false",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small wait longer for a second thread than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def called(choice: Choice) -> str:
    return " ".join(choice.overrides)


def chosen(group: str, name: str) -> Choice:
    return next(choice for choice in CHOICES if (choice.group, choice.name) == (group, name))


def generator(*overrides: str) -> UnetGenerator:
    torch.manual_seed(0)
    return build_generator(compose_config("train", [*baseline(), "generator.ngf=4", *overrides]), 3)


# -- what there is --------------------------------------------------------------------------


def test_every_variant_of_every_part_is_found() -> None:
    found = {(choice.group, choice.name) for choice in CHOICES}
    there = {(g, name) for g in groups() if g.startswith("generator") and g not in NOT_BLOCKS for name in choices(g)}
    assert there <= found
    assert len(there) >= 55
    assert {"generator/up", "generator/up/resize", "generator/up/fusion", "generator/up/refine"} <= set(part_groups())
    assert {"generator", "generator/style", "generator/attention", "generator/encoder_refine"} <= set(part_groups())


def test_a_preset_of_the_whole_generator_keeps_the_parts_it_chooses() -> None:
    keys = {name: candidate(chosen("generator", name)).key for name in choices("generator")}
    assert keys["unet"] == candidate(BASELINE).key
    assert len(set(keys.values())) == len(keys) >= 3


@pytest.mark.parametrize("choice", CHOICES, ids=called)
def test_every_block_says_where_it_is_from_and_when_to_use_it(choice: Choice) -> None:
    assert choice.source, "# Source: is missing at the head of its file"
    assert choice.use.endswith("."), "# Use: is missing at the head of its file, or is no sentence"


# -- all of them train ----------------------------------------------------------------------


@cache
def composed(*overrides: str) -> DictConfig:
    return compose_config("train", [*SMALL, *overrides])


def assert_three_steps_move_all(cfg: DictConfig) -> None:
    """Trains with the real losses on real glyphs; every weight has to take part."""
    _, train_step, sampler = build_parts(cfg, torch.device("cpu"), "fp32")
    before = {name: weight.detach().clone() for name, weight in train_step.generator.named_parameters()}
    for step in range(3):
        report = train_step([sampler.batch(step)], progress=step / 3, step=step)
        assert all(loss.isfinite() for loss in report.values()), report
    still = [name for name, weight in train_step.generator.named_parameters() if torch.equal(weight, before[name])]
    assert not still, f"take no part: {still}"


@pytest.mark.parametrize(("up", "style"), combinations(PRESETS, STYLES))
def test_every_preset_trains_with_every_style(up: str, style: str) -> None:
    cfg = copy.deepcopy(composed(f"generator/up={up}"))
    cfg.generator.style = composed(f"generator/style={style}").generator.style  # composing is slower than training
    assert_three_steps_move_all(cfg)


@pytest.mark.parametrize(
    "choice", [c for c in CHOICES if c.group not in ("generator/up", "generator/style")], ids=called
)
def test_every_part_trains(choice: Choice) -> None:
    assert_three_steps_move_all(composed(*choice.overrides))


@pytest.mark.slow
@pytest.mark.parametrize("choice", [c for c in CHOICES if c.group != "generator/up"], ids=called)
def test_a_width_is_found_for_every_part(choice: Choice) -> None:
    wanted = 2_000_000
    cfg = compose_config("train", [*baseline(), "generator.depth=4", *choice.overrides, f"generator.match_params={wanted}"])  # fmt: skip
    with torch.device("meta"):
        count = parameters(build_generator(cfg, 3))
    assert count == pytest.approx(wanted, rel=0.05)


# -- receptive fields -----------------------------------------------------------------------


def textbook(layers: list[tuple[int, int]]) -> int:
    """The field of convolutions of (kernel, stride): each widens it by (kernel - 1) times the strides before it."""
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_innermost_map_sees_what_the_recurrence_says(depth: int) -> None:
    halved, kept = (
        encoder_receptive_field(generator(f"generator.depth={depth}", f"generator.innermost_stride={stride}"))
        for stride in (2, 1)
    )
    assert halved == textbook([(4, 2)] * depth)
    assert kept == textbook([(4, 2)] * (depth - 1) + [(3, 1)])
    assert kept < halved


def test_attention_sees_the_whole_glyph() -> None:
    assert encoder_receptive_field(generator("generator.depth=3", "generator.attention_levels=[3]")) is None


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (nn.Conv2d(2, 3, 5, padding=2), 5),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.InstanceNorm2d(3), nn.Conv2d(3, 2, 3, padding=1)), 5),
        (nn.Conv2d(2, 3, 3, padding=4, dilation=4), 9),
        (nn.Conv2d(2, 2, (1, 7), padding=(0, 3)), 7),
        (nn.ConvTranspose2d(2, 2, 4, 2, 1), 2),
        (nn.Upsample(scale_factor=2), 1),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Upsample(8)), None),
        (SelfAttention(2), None),
    ],
)
def test_fields_of_known_layers(block: nn.Module, field: int | None) -> None:
    before = {name: value.clone() for name, value in block.state_dict().items()}
    assert receptive_field(block, [torch.zeros(2, 2, 4, 4)]) == field
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "name", "field"),
    [
        ("generator/up/resize", "deconv", 2),
        ("generator/up/resize", "subpixel", 3),
        ("generator/up/fusion", "concat", 1),
        ("generator/up/refine", "resskip_standard", 5),
        ("generator/up", "resskip", 5),  # 5 fine pixels reach into 3 coarse ones, and each of those sees one further
        ("generator/attention", "self", "all"),
        ("generator/style", "film", 1),
        ("generator/style", "adain", "all"),  # its statistics are the block itself, and no norm that is left out
        ("generator", "unet", None),
    ],
)
def test_fields_of_blocks(group: str, name: str, field: int | str | None) -> None:
    assert block_field(candidate(chosen(group, name))) == field


# -- measuring ------------------------------------------------------------------------------


def test_memory_is_counted_alike_every_time_and_grows_with_the_batch() -> None:
    network = generator("data.size=64")
    two, again, four = (saved_bytes(network, 64, batch) for batch in (2, 2, 4))
    assert two == again
    assert 1.8 < four / two <= 2
    assert saved_bytes(generator("data.size=64", "generator/encoder_refine=resskip_standard"), 64, 2) > two


@cache
def grid(choice: Choice) -> float:
    narrow = ("generator.ngf=4", "generator.depth=3")
    return grid_at_start(candidate(choice, *narrow), candidate(BASELINE, *narrow), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("generator/attention", "self"),
        ("generator/attention", "linear"),
        ("keys of the generator", "generator.antialias_down=true"),
    ],
)
def test_what_begins_as_the_identity_begins_with_the_grid_of_the_baseline(group: str, name: str) -> None:
    assert grid(BASELINE) > 0.1
    assert grid(chosen(group, name)) == pytest.approx(grid(BASELINE), rel=1e-3)


def test_weights_are_taken_where_they_fit_and_left_where_they_do_not() -> None:
    like, other = generator(), generator("generator/up/resize=subpixel", "generator.antialias_down=true")
    drawn = copy.deepcopy(other.state_dict())
    take_weights(other, like)
    assert torch.equal(other.unet.down[1].weight, like.unet.down[0].weight)  # behind a low-pass
    up = "unet.submodule.up.resize.conv.weight"
    assert torch.equal(other.state_dict()[up], drawn[up])


FEW = [
    chosen("generator/up", "subpixel"),
    chosen("generator/up/resize", "deconv"),
    chosen("generator/up/resize", "subpixel"),
    chosen("generator", "unet_middle_resskip"),
    chosen("keys of the generator", "generator.innermost_stride=1"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of four choices, each timed for a moment, in the place of an older one."""
    out = tmp_path_factory.mktemp("page") / "blocks.md"
    out.write_text(f"{MADE_BY_US}\nolder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fontgan.report.block_choices.discover", lambda: FEW)
        patch.setattr("fontgan.runtime.timing.SECONDS_A_TURN", 0.01)
        patch.setattr("fontgan.report.blocks.DRAWS", 2)
        assert main(["report", "blocks", f"out={out}", "ngf=4", "batch_size=2", "device=cpu", "precision=fp32"]) == 0
    return out


def test_the_command_writes_a_page_and_its_numbers(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "older" not in text
    assert "| `deconv` |" in text
    assert "| `generator.innermost_stride=1` | 78 |" in text
    assert "batch_size=2 ngf=4" in text  # the command that repeats it
    assert sorted(path.name for path in page.parent.iterdir()) == ["blocks.json", "blocks.md"]


def test_numbers_are_of_the_whole_generator(page: Path) -> None:
    numbers = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    base, (preset, same, part, whole, stride) = numbers["baseline"], numbers["rows"]
    assert base["parameters"] == same["parameters"] == parameters(generator())
    assert preset["parameters"] == part["parameters"] == parameters(generator("generator/up=subpixel"))
    assert preset["seconds"] == part["seconds"]  # the same generator is measured once
    assert (same["time"], same["low"], same["high"]) == (1, 1, 1)
    assert part["low"] <= part["time"] <= part["high"]
    assert part["time"] != 1
    assert base["grid"] > 0.1 > 1e-3 > preset["grid"]  # a deconvolution begins with a checkerboard, ICNR with none
    assert (base["encoder_field"], stride["encoder_field"]) == (94, 78)
    assert (part["block_field"], whole["block_field"], stride["block_field"]) == (3, None, None)
    assert whole["parameters"] > base["parameters"]
    assert len(base["seconds"]) == 4  # alone, and beside each of three other generators


def test_a_busy_machine_is_told_of(page: Path) -> None:
    numbers = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    choice = Choice("generator/up", "deconv", (), "", "")
    even, uneven = (
        Row(**{**numbers["baseline"], "choice": choice, "seconds": times}) for times in ([1, 1.4], [1, 1.6])
    )
    assert "busy" not in to_markdown(even, [even], numbers["made"])
    assert "from 1000 to 1600 ms" in to_markdown(uneven, [uneven], numbers["made"])


def test_what_does_not_fit_in_memory_is_said_in_a_line(refused: Callable[..., str], tmp_path: Path) -> None:
    beyond = 10**12  # glyphs of 16 KiB: more than a processor can address
    message = refused(
        "report", "blocks", f"out={tmp_path / 'blocks.md'}", f"batch_size={beyond}", "ngf=4", "device=cpu"
    )
    assert f"batch_size={beyond}: do not fit in memory. Lower one of them." in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("out=page.html",), "ends in .md"),
        (("out=mine.md",), "did not make"),
        (("out=other.md",), "other.json is there already"),
        (("batch_size=1",), "batch_size=1: 2 or more"),
        (("size=32",), "size=32: 64 or more"),
        (("ngf=0",), "ngf=0: 1 or more"),
        (("device=tpu",), "auto, cpu, cuda"),
        (("rounds=3",), "rounds: no such config key"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.md").write_text("# Mine")
    (tmp_path / "other.json").write_text("{}")
    message = refused("report", "blocks", *arguments)
    assert says in message
    assert message.startswith("fontgan report blocks: error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.md", "other.json"]
