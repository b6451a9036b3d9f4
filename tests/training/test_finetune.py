"""Starting from a trained run: what is taken over, what may move, and what must stay to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from fontgan.build import build_parts
from fontgan.config.compose import compose_config, find_pretrained
from fontgan.config.groups import choices
from fontgan.config.instantiate import build_generator, build_objective
from fontgan.config.saved import load_config
from fontgan.data.batches import GlyphBatch, collate_pairs
from fontgan.data.pack import Pack
from fontgan.errors import ConfigError
from fontgan.evaluation.glyph_set import glyph_set_of_run
from fontgan.generate.inference import load
from fontgan.models.unet import UnetGenerator
from fontgan.training import checkpoint as checkpoints
from fontgan.training.finetune import (
    PretrainedRun,
    freeze_parts,
    load_pretrained,
    origin_of,
    parts_of,
    stale_prototypes,
)
from fontgan.training.nearest_style import start_at_nearest_style
from fontgan.training.step import TrainStep
from tests.helpers import BRUSH, KAI, TINY, XIAOWEI, Here, described, fontgan_here

SHORT = ("experiment=scratch", *(s for s in TINY if s.startswith(("trainer.", "optim."))))
NEW = f"data.targets={{mine: {XIAOWEI}}}"
DRAWN = "永国的"


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two styles, with batch norm's buffers, dropout and a discriminator."""
    out = tmp_path_factory.mktemp("runs") / "old"
    targets = f"data.targets={{kai: {KAI}, brush: {BRUSH}}}"
    result = fontgan_here("train", *TINY, targets, "generator.dropout=0.1", f"out={out}")
    assert result.returncode == 0, result.stderr
    return out


def last_tensors(run: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoints.find(run, "last").folder / "generator.safetensors")


def assert_grown_by_one_row_alone(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> None:
    """Every tensor the same to the bit, but for a third row of the style tables, which has moved off their mean."""
    assert before.keys() == after.keys()
    grown = [key for key in before if before[key].shape != after[key].shape]
    assert grown
    for key, tensor in before.items():
        assert torch.equal(tensor, after[key][: len(tensor)] if key in grown else after[key]), key
    for key in grown:
        assert after[key].shape[0] == 3
        assert not torch.equal(after[key][2], before[key].mean(0))


# -- a new style alone ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def widened(old_run: Path) -> Path:
    """The old run with a third style, whose row alone was trained."""
    out = old_run.parent / "widened"
    result = fontgan_here("train", *SHORT, f"init_from={old_run}", NEW, "trainer.train_only=style", f"out={out}")
    assert result.returncode == 0, result.stderr
    for said in ("tensors of old/step-00000004, which knows kai, brush", "new: style mine, a row of unet.",
                 "left out: discriminator, generator_training, training"):  # fmt: skip
        assert said in result.stderr
    return out


@pytest.mark.slow
def test_only_the_new_rows_move(old_run: Path, widened: Path) -> None:
    best = checkpoints.find(old_run, "best").folder
    assert_grown_by_one_row_alone(load_file(best / "generator.safetensors"), last_tensors(widened))
    trained = checkpoints.find(widened, "last").folder / "generator_training.safetensors"
    assert_grown_by_one_row_alone(load_file(best / "generator.safetensors"), load_file(trained))


@pytest.mark.slow
def test_the_old_styles_are_drawn_alike_to_the_byte(old_run: Path, widened: Path, tmp_path: Path, here: Here) -> None:
    for name, run in (("old", old_run), ("new", widened)):
        for style in ("kai", "brush"):
            result = here(
                "infer", f"checkpoint={run}", f"text={DRAWN}", f"out={tmp_path / name / style}", f"style={style}",
                "device=cpu", "allow=[blank]",
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
    files = sorted(file.relative_to(tmp_path / "old") for file in (tmp_path / "old").rglob("*.png"))
    assert len([file for file in files if file.name.startswith("U+")]) == 2 * len(DRAWN)
    for file in files:
        assert (tmp_path / "old" / file).read_bytes() == (tmp_path / "new" / file).read_bytes(), file


def test_the_run_draws_and_measures_the_new_style(widened: Path) -> None:
    run = load(widened, device="cpu")
    assert run.styles == ["kai", "brush", "mine"]
    assert run.checkpoint.metadata["scores"].keys() == {"mine"}
    assert len(run.draw(DRAWN, "mine")) == len(DRAWN)
    glyphs = glyph_set_of_run(load(widened, device="cpu"))
    assert glyphs.styles == ["mine"]
    drawn = run.draw([char for _, char in glyphs.names][:1], {"mine": 1.0})
    assert drawn[0].size == (run.size, run.size)


def test_weights_are_one_hot_over_the_models_styles(widened: Path) -> None:
    config = load_config(widened / "config.yaml")
    pack, step, _ = build_parts(config, torch.device("cpu"), "fp32", find_pretrained(config))
    assert pack.styles == ["mine"]
    assert collate_pairs(pack, [("mine", pack.trained[0])]).style.tolist() == [[0, 0, 1]]
    assert step.generator.styles == 3


# -- every way of conditioning --------------------------------------------------------------


def small(style: str, *more: str) -> Any:
    return compose_config("train", [*TINY, f"generator/style={style}", *more])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], PretrainedRun]:
    """Saves an untrained generator of two styles as a checkpoint to start from."""

    def save(cfg: Any) -> PretrainedRun:
        torch.manual_seed(5)
        metadata = described(["kai", "brush"])
        found = checkpoints.save(
            tmp_path / "old", step=1, metadata=metadata, config_yaml="", networks={"generator": build_generator(cfg, 2)}, training={}
        )  # fmt: skip
        return origin_of(found)

    return save


def some_steps(
    cfg: Any, generator: Any, frozen: list[torch.nn.Module], num_frozen_styles: int
) -> dict[str, torch.Tensor]:
    """Three steps of a fierce optimiser. Returns: the averaged generator's tensors."""
    shots = generator.style.shots
    step = TrainStep(
        generator, None, build_objective(cfg.loss), optimiser_d=None,
        optimiser_g=torch.optim.AdamW([p for p in generator.parameters() if p.requires_grad], lr=0.05, weight_decay=0.5),
        autocast=lambda: torch.autocast("cpu", enabled=False), ema_decay=0.5, grad_clip=1.0, frozen_parts=frozen, num_frozen_styles=num_frozen_styles,
    )  # fmt: skip
    images = torch.rand(2, 2, 1, 64, 64) * 2 - 1
    references = torch.rand(2, shots, 64, 64) * 2 - 1 if shots else None
    batch = GlyphBatch(images[0], images[1], torch.tensor([[0.0, 0, 1]] * 2), [""] * 2, references)
    for number in range(3):
        step([batch], 0.1, number)
    return dict(step.generator_ema.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("style", choices("generator/style"))
def test_train_only_style_moves_new_rows_or_says_what_to_do(style: str, saved: Callable[[Any], PretrainedRun]) -> None:
    cfg = small(style, "loss=ink", "discriminator=none")
    pretrained = saved(cfg)
    generator = build_generator(cfg, 3)
    assert pretrained.checkpoint is not None
    before = pretrained.checkpoint.tensors("generator")
    load_pretrained(generator, pretrained, ["kai", "brush", "mine"])
    if style in ("none", "reference"):
        with pytest.raises(ConfigError, match=f"generator/style={style} has no row"):
            freeze_parts(generator, pretrained, ["mine"], frozen=[], train_only="style")
        return
    frozen, num_frozen_styles = freeze_parts(generator, pretrained, ["mine"], frozen=[], train_only="style")
    assert num_frozen_styles == 2
    assert_grown_by_one_row_alone(before, some_steps(cfg, generator, frozen, num_frozen_styles))


@pytest.mark.slow
@pytest.mark.parametrize("style", choices("generator/style"))
def test_every_parameter_is_in_one_part(style: str) -> None:
    generator = build_generator(small(style, "generator.attention_levels=[3]"), 2)
    found = [id(p) for modules in parts_of(generator).values() for module in modules for p in module.parameters()]
    assert sorted(found) == sorted(id(p) for p in generator.parameters())
    buffers = [id(b) for modules in parts_of(generator).values() for module in modules for b in module.buffers()]
    assert sorted(buffers) == sorted(id(b) for b in generator.buffers())


@pytest.mark.parametrize("part", ["encoder", "decoder", "style"])
def test_a_frozen_part_does_not_move_and_the_rest_does(part: str, saved: Callable[[Any], PretrainedRun]) -> None:
    cfg = small("film", "loss=ink", "discriminator=none", "generator.dropout=0.3", "generator/norm=batch")
    pretrained, generator = saved(cfg), build_generator(cfg, 3)
    load_pretrained(generator, pretrained, ["kai", "brush", "mine"])
    before = {key: tensor.clone() for key, tensor in generator.state_dict().items()}
    names = {
        key
        for module in parts_of(generator)[part]
        for prefix, found in generator.named_modules()
        if found is module
        for key in before
        if key.startswith(f"{prefix}.")
    }
    targets = ["kai", "brush"] if part == "style" else ["mine"]  # which may not be held still
    frozen, _ = freeze_parts(generator, pretrained, targets, frozen=[part], train_only=None)
    after = some_steps(cfg, generator, frozen, num_frozen_styles=0)
    assert names
    assert {key for key in before if torch.equal(before[key], after[key])} == names


def test_what_is_neither_new_nor_frozen_starts_as_it_was(saved: Callable[[Any], PretrainedRun]) -> None:
    cfg = small("film")
    pretrained = saved(cfg)
    generator = build_generator(cfg, 3)
    load_pretrained(generator, pretrained, ["kai", "brush", "mine"])
    assert pretrained.checkpoint is not None
    for key, tensor in pretrained.checkpoint.tensors("generator").items():
        ours = generator.state_dict()[key]
        assert torch.equal(ours[: len(tensor)] if key.endswith("table.weight") else ours, tensor)
        if key.endswith("table.weight"):
            assert torch.allclose(ours[2], tensor.mean(0))


def two_styles_and_a_new_one(
    old_run: Path, saved: Callable[[Any], PretrainedRun]
) -> tuple[PretrainedRun, UnetGenerator, Pack]:
    """A generator that knows kai and brush and is to learn mine, with its glyphs."""
    pretrained = saved(small("film_all"))
    generator = build_generator(small("film_all"), 3)
    load_pretrained(generator, pretrained, ["kai", "brush", "mine"])
    config = compose_config("train", [*TINY, NEW, f"out={old_run.parent / 'unmade'}"])
    pack = build_parts(config, torch.device("cpu"), "fp32")[0].for_model(["kai", "brush", "mine"])
    return pretrained, generator, pack


def test_a_new_style_starts_as_the_old_one_that_draws_its_glyphs_best(
    old_run: Path, saved: Callable[[Any], PretrainedRun]
) -> None:
    pretrained, generator, pack = two_styles_and_a_new_one(old_run, saved)
    truth = collate_pairs(
        pack, [("mine", char) for char in pack.trained[::2]]
    ).target  # 42 of which 24 at most are seen
    asked = []

    def draw(inputs: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Brush draws the true glyphs, kai a blank page."""
        asked.append(len(inputs))
        assert style.sum() == len(inputs)
        return truth if style[0, 1] else torch.ones_like(inputs[:, :1])

    start_at_nearest_style(generator, pretrained, pack, draw)
    assert asked == [21, 21]
    tables = [tensor for key, tensor in generator.state_dict().items() if key.endswith("table.weight")]
    assert len(tables) > 1
    for table in tables:
        assert torch.equal(table[2], table[1])


def test_among_equally_near_styles_the_one_with_the_same_strokes_is_chosen(
    old_run: Path, saved: Callable[[Any], PretrainedRun]
) -> None:
    pretrained, generator, pack = two_styles_and_a_new_one(old_run, saved)
    truth = collate_pairs(pack, [("mine", char) for char in pack.trained[::2]]).target
    moved = truth.roll(3, dims=3)  # the same strokes at another place
    specks, left = truth.clone(), (moved - truth).abs().sum() / 1.04  # a little nearer by L1
    for place in torch.randperm(specks.numel(), generator=torch.Generator().manual_seed(1)):
        pixel = specks.view(-1)[place]
        if left <= 0:
            break
        left -= 2 * pixel.abs()
        specks.view(-1)[place] = -pixel
    assert (specks - truth).abs().mean() < (moved - truth).abs().mean()
    draw = lambda inputs, style: moved if style[0, 1] else specks  # noqa: E731
    assert start_at_nearest_style(generator, pretrained, pack, draw) == {"mine": "brush"}


# -- resuming -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("held", ["trainer.train_only=style", "trainer.freeze=[encoder]"])
def test_two_and_two_steps_equal_four_and_need_the_old_run_no_more(
    held: str, old_run: Path, tmp_path: Path, here: Here
) -> None:
    moved = tmp_path / "old"
    shutil.copytree(old_run, moved)
    command = ("train", *SHORT, f"init_from={moved}", NEW, held, "generator.dropout=0.2", "trainer.threads=1")
    assert here(*command, f"out={tmp_path / 'at_once'}").returncode == 0
    assert here(*command, f"out={tmp_path / 'stopped'}", "trainer.stop_at=2").returncode == 0
    shutil.rmtree(moved)
    resumed = here(*command, f"out={tmp_path / 'stopped'}", "trainer.stop_at=null")
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on from step 2" in resumed.stderr
    folders = [checkpoints.find(tmp_path / name, "last").folder for name in ("at_once", "stopped")]
    files = sorted(file.name for file in folders[0].glob("*.safetensors"))
    names = ("discriminator", "generator", "generator_training", "training")
    assert files == [f"{name}.safetensors" for name in names]
    for file in files:
        one, other = (load_file(folder / file) for folder in folders)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), file
    assert here("train", *command[1:], f"out={tmp_path / 'stopped'}").returncode == 0  # finished, and says so


# -- settings -------------------------------------------------------------------------------


@pytest.mark.slow
def test_network_and_data_come_from_the_run_but_for_what_is_typed(old_run: Path, tmp_path: Path) -> None:
    old = load_config(old_run / "config.yaml")
    cfg = compose_config("train", [f"init_from={old_run}", NEW, "data.holdout=0.2", f"out={tmp_path / 'new'}"])
    assert cfg.generator == old.generator
    assert dict(cfg.data.targets) == {"mine": str(XIAOWEI)}
    assert (cfg.data.size, cfg.data.charset, cfg.data.holdout) == (64, old.data.charset, 0.2)
    again = compose_config("train", [f"init_from={old_run}", f"out={tmp_path / 'new'}"])
    assert dict(again.data.targets) == dict(old.data.targets)  # going on with the same styles
    typed = compose_config("train", [f"init_from={old_run}", "generator.dropout=0.3", "data=sample"])
    assert typed.generator.dropout == 0.3
    assert typed.data.charset == "gb2312-1"
    assert typed.data.size == 64


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ("init_from=null", "trainer.train_only=style"),
            "holds a trained network still, and none is given. Add init_from=RUN.",
        ),
        (
            ("init_from=null", "trainer.freeze=[encoder]"),
            "holds a trained network still, and none is given. Add init_from=RUN.",
        ),
        (("init_from={old}", "trainer.freeze=[head]"), "freeze=head: choose one of encoder, decoder, style."),
        (("init_from={old}", "trainer.train_only=encoder"), "train_only=encoder: choose one of style."),
        (("init_from={old}", "trainer.freeze=[style]", "trainer.train_only=style"), "Give one of them."),
        (("init_from={old}", NEW, "trainer.freeze=[encoder,decoder,style]"), "leaves nothing to train."),
        (("init_from={old}", NEW, "trainer.freeze=[encoder,style]"), "the row of mine is new, and would stay"),
        (("init_from={old}", "trainer.train_only=style"), "knows kai already"),
        (("init_from={old}/nowhere",), "init_from={old}/nowhere: no such folder."),
        (("init_from={old}", NEW, "generator/style=film"), "has another architecture (generator.style is"),
        (("init_from={old}", NEW, "generator.ngf=16"), "the generator has another architecture than old/step-"),
        (("init_from={old}", NEW, "generator.match_params=1M"), "its width. Leave it out."),
        (("init_from={old}", NEW, "data.size=128"), "data.size=128: the network of init_from={old} knows 64."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    settings: tuple[str, ...], said: str, old_run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    filled = [setting.replace("{old}", str(old_run)) for setting in settings]
    assert said.replace("{old}", str(old_run)) in refused("train", *SHORT, *filled, f"out={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("held", ["trainer.freeze=null", "trainer.freeze=[encoder]", "trainer.train_only=style"])
def test_a_budget_of_operations_counts_what_moves(held: str, old_run: Path, tmp_path: Path) -> None:
    typed = [
        "experiment=scratch",
        f"init_from={old_run}",
        NEW,
        held,
        "trainer.device=cpu",
        "trainer.batch_size=2",
        "loss.adversarial.start=0",
    ]
    cfg = compose_config("train", typed)
    _, step, sampler = build_parts(cfg, torch.device("cpu"), "fp32", find_pretrained(cfg))
    with FlopCounterMode(display=False) as counter:
        step([sampler.batch(0)], 1.0, 0)
    budget = 1000 * int(counter.get_total_flops())
    afforded = compose_config("train", [*(s for s in typed if "max_steps" not in s), f"sweep.budget={budget}FLOP"])
    assert afforded.trainer.max_steps == 1000
    with pytest.raises(ConfigError, match="freeze=head: choose one of"):
        compose_config("train", [f"init_from={old_run}", NEW, "trainer.freeze=[head]", "sweep.budget=1TFLOP"])


@pytest.mark.parametrize("held", ["[]", "[encoder]", "[style]"])
def test_codes_of_an_older_reader_are_named(held: str, saved: Callable[[Any], PretrainedRun]) -> None:
    cfg = small("reference")
    pretrained = saved(cfg)
    generator = build_generator(cfg, 3)
    freeze_parts(generator, pretrained, ["mine"], frozen=held.strip("[]").split(), train_only=None)
    assert stale_prototypes(generator, pretrained, ["mine"]) == ([] if held == "[style]" else ["kai", "brush"])
    assert not stale_prototypes(generator, pretrained, ["kai", "brush", "mine"])


def test_check_tells_of_an_inherited_charset_and_of_few_pairs(old_run: Path, tmp_path: Path, here: Here) -> None:
    folder = tmp_path / "hand"
    assert here("render", f"font={XIAOWEI}", "charset=的一永字", f"out={folder}", "size=64").returncode == 0
    mine = (f"init_from={old_run}", f"data.targets={{hand: {folder}}}")
    found = here("check", *mine)
    assert found.returncode == 0, found.stderr
    assert "style hand: 2 of its 4 characters are outside data.charset=" in found.stderr
    assert "style hand: has few pairs to train on (1)." in found.stderr
    assert "at 64 px" in found.stdout
    whole = here("check", *mine, "data.charset=font").stderr
    assert "are outside" not in whole
    assert "few pairs to train on (" in whole


def test_a_typed_part_that_is_the_runs_own_is_no_conflict(old_run: Path, tmp_path: Path) -> None:
    old = load_config(old_run / "config.yaml")
    width = f"generator.ngf={old.generator.ngf}"
    assert compose_config("train", [f"init_from={old_run}", NEW, width, f"out={tmp_path}"]).generator == old.generator
