"""Guides: further fonts whose glyph of a character the network sees beside the source."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from fontgan.config.saved import load_config
from fontgan.data import unlike
from fontgan.data.augment import Augmentation
from fontgan.data.batches import PairSampler, collate_pairs
from fontgan.data.frame import Frame, median_box
from fontgan.data.guides import choose_fonts
from fontgan.data.pack import Pack, make_pack, pack_key
from fontgan.data.pairs import plan_pairs
from fontgan.data.plan import PairPlan
from fontgan.data.source_list import SourceList
from fontgan.data.sources import open_glyphs
from fontgan.errors import RunError
from fontgan.generate.inference import load
from fontgan.training.checkpoint import find
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, box, fontgan_here, make_font, part_of, reseal

CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"
HAS = CHARS[:30]  # of them a second guide


def plan(guides: list[Path], **settings: object) -> PairPlan:
    targets = {"kai": str(KAI), "brush": str(BRUSH)}
    given: dict = {"charset": CHARS, "size": 64, "guides": [str(guide) for guide in guides]} | settings
    return plan_pairs(str(SOURCE), targets, **given)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part_of(KAI, HAS, tmp_path_factory.mktemp("guides") / "half.ttf")


@pytest.fixture(scope="module")
def guided(half: Path) -> PairPlan:
    return plan([XIAOWEI, half])


@pytest.fixture(scope="module")
def pack(guided: PairPlan, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_pack(guided, tmp_path_factory.mktemp("packs"))


def sampler(pack: Pack, dropout: float, rank: int = 0, world_size: int = 1) -> PairSampler:
    return PairSampler(
        pack, batch_size=8, seed=3, augment=Augmentation(strength=0), guide_dropout=dropout, rank=rank,
        world_size=world_size,
    )  # fmt: skip


def is_empty(page: torch.Tensor) -> bool:
    return bool((page == 1).all())


def test_each_guide_is_a_channel_brought_onto_the_style(guided: PairPlan, pack: Pack) -> None:
    assert [guide.glyphs.path.name for guide in guided.guides] == [XIAOWEI.name, "half.ttf"]
    trained = [char for char in guided.chars if char not in guided.held_out]
    for style in guided.styles:
        for seen in style.inputs[1:]:
            # half.ttf is cut from the very font of kai, for which it would leave nothing to learn.
            assert bool(seen.chars) == ((style.name, seen.entry.glyphs.path.name) != ("kai", "half.ttf"))
            shared = [char for char in trained if char in seen.entry.boxes]
            have = median_box([seen.align.box(seen.entry.boxes[char]) for char in shared])
            want = median_box([style.boxes[char] for char in shared])
            assert have.centre == pytest.approx(want.centre, abs=0.05)
            assert (have.width * have.height) ** 0.5 == pytest.approx((want.width * want.height) ** 0.5, rel=0.1)
        pairs = [(style.name, char) for char in CHARS]
        batch = collate_pairs(pack, pairs)
        assert batch.inputs.shape == (len(CHARS), 3, 64, 64)
        assert torch.equal(batch.source, batch.inputs[:, :1])
        for (_, char), pages in zip(pairs, batch.inputs, strict=True):
            for page, seen in zip(pages, style.inputs, strict=True):
                if char not in seen.chars:
                    assert is_empty(page)
                    continue
                drawn = seen.entry.glyphs.rasterize(char, style.frame_of(seen), 64)
                assert np.array_equal(((page + 1) * 127.5).round().numpy().astype(np.uint8), drawn)


def test_a_guide_that_lacks_characters_is_said_and_empty_there(guided: PairPlan, pack: Pack) -> None:
    told = [str(finding) for finding in guided.diagnostics]
    lacking = len(CHARS) - len(HAS)
    said = f"warning: guide half.ttf: lacks {lacking} of {len(CHARS)} characters, and is empty there. Name another font"
    assert any(one.startswith(said) for one in told)
    pages = collate_pairs(pack, [("brush", char) for char in CHARS[30:]]).inputs
    assert is_empty(pages[:, 2])
    assert not any(is_empty(page) for page in pages[:, 0])
    assert (
        "note: guide half.ttf: draws as kai itself does, and is empty for it. Else there would be nothing to learn."
        in told
    )


def test_guides_are_part_of_the_pack_and_of_its_key(guided: PairPlan, pack: Pack, half: Path) -> None:
    keys = {pack_key(plan(guides)) for guides in ([], [XIAOWEI], [half, XIAOWEI])} | {pack_key(guided)}
    assert len(keys) == 4
    assert [entry["file"] for entry in pack.manifest["guides"]] == [XIAOWEI.name, "half.ttf"]
    for entry, style in zip(pack.manifest["styles"], guided.styles, strict=True):
        assert entry["inputs"] == [style.frame_of(seen).as_dict() for seen in style.inputs]
        assert len(entry["inputs"]) == 3


def test_a_guide_without_any_of_the_characters_is_empty_and_said(
    tmp_path: Path, here: Here, refused: Callable[..., str]
) -> None:
    latin = make_font(tmp_path / "latin.ttf", {"A": box(0, 0, 500, 700)})
    data = ("data=fonts", f"data.source={SOURCE}", f"data.targets={{kai: {KAI}}}", f"data.charset={CHARS}")
    tiny = [setting for setting in TINY if not setting.startswith("data.charset")]
    result = here("train", *tiny, *data, f"data.guides=[{latin}]", f"out={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert f"guide latin.ttf: has none of the {len(CHARS)} characters, and is empty" in result.stderr
    run = load(tmp_path / "run")
    assert (run.inputs(open_glyphs(str(SOURCE)), list(CHARS[:3]), "kai")[:, 1] == 255).all()
    assert "nowhere.ttf: no such font file" in refused("check", *data, "data.guides=[nowhere.ttf]")
    assert "data.guides[1]=[]: a font, a glyph folder or a list" in refused("check", *data, f"data.guides=[{latin},[]]")
    assert "data.guides: null is no font" in refused("check", *data, "data.guides=[null]")


@pytest.mark.parametrize("preferred", [0, 1])
def test_what_is_like_the_source_comes_from_the_preferred_font(preferred: int) -> None:
    guide, parts = open_glyphs([str(KAI), str(BRUSH)]), [open_glyphs(str(font)) for font in (KAI, BRUSH)]
    chars = list(CHARS[:6])
    seen = unlike.encode(unlike.draw_small(parts[1], chars))  # a source that is the brush itself
    frame = Frame()
    apart = np.array([0, 0, 0, 0, 0, np.inf])  # the preferred font lacks the last, or has another form of it
    for some in (slice(0, 5), slice(0, 6)):  # with and without such a character
        chosen, found = choose_fonts(guide, chars[some], seen[some], frame, preferred, apart[some], limit=1.0)
        assert isinstance(chosen, SourceList)
        assert [chosen._part_of[char] for char in chars[:5]] == [preferred] * 5
        assert (found[:5] == 0).all()
    assert chosen._part_of[chars[5]] == 1
    assert found[5] < 0.05


# -- dropout --------------------------------------------------------------------------------


def test_guides_are_left_out_at_random_and_nothing_else_changes(pack: Pack) -> None:
    always, sometimes, never = (sampler(pack, dropout) for dropout in (0.0, 0.5, 1.0))
    there = left = 0
    for index in range(12):
        one, other, none = (each.batch(index) for each in (always, sometimes, never))
        assert one.names == other.names == none.names
        assert torch.equal(one.source, other.source)
        assert torch.equal(one.target, other.target)
        assert is_empty(none.inputs[:, 1:])
        for pages, true in zip(other.inputs[:, 1:].flatten(0, 1), one.inputs[:, 1:].flatten(0, 1), strict=True):
            assert is_empty(pages) or torch.equal(pages, true)
            there += not is_empty(true)
            left += not is_empty(pages)
    assert 0.35 < left / there < 0.65


def test_what_is_left_out_follows_from_seed_and_step_alone(pack: Pack) -> None:
    one, again = sampler(pack, 0.3), sampler(pack, 0.3)
    for index in (0, 1, 2, 17):
        one.batch(index)
    assert torch.equal(one.batch(9).inputs, again.batch(9).inputs)
    assert not torch.equal(one.batch(9).inputs, one.batch(10).inputs)


def test_the_parts_of_all_processes_are_the_batch_of_one(pack: Pack) -> None:
    whole = sampler(pack, 0.4).batch(5)
    parts = [sampler(pack, 0.4, rank, 2).batch(5) for rank in range(2)]
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)


# -- runs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guided_run(half: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "guided"
    result = fontgan_here("train", *command(half), f"out={out}")
    assert result.returncode == 0, result.stderr
    return out


def command(half: Path) -> list[str]:
    targets = f"data.targets={{kai: {KAI}, brush: {BRUSH}}}"
    return [
        *TINY,
        targets,
        f"data.guides=[{XIAOWEI},[{half},{BRUSH}]]",
        "data.guide_dropout=0.4",
        "trainer.precision=fp32",
    ]


def test_two_and_two_steps_are_four(half: Path, guided_run: Path, tmp_path: Path, here: Here) -> None:
    for stop in ("trainer.stop_at=2", "trainer.stop_at=null"):
        assert here("train", *command(half), f"out={tmp_path / 'two'}", stop).returncode == 0
    four, two = (find(run, "last").folder for run in (guided_run, tmp_path / "two"))
    files = sorted(file.name for file in four.glob("*.safetensors"))
    assert "generator.safetensors" in files
    for file in files:
        assert (four / file).read_bytes() == (two / file).read_bytes()


def test_a_run_sees_what_it_saw_in_training(guided_run: Path, one_shared_cache: Path) -> None:
    from fontgan.data.pack import open_pack

    run = load(guided_run, device="cpu", precision="fp32")
    there = open_pack(one_shared_cache / "packs" / run.checkpoint.metadata["pack"])
    source = open_glyphs(str(SOURCE))
    for style in run.styles:
        inputs = run.inputs(source, list(CHARS), style)
        batch = collate_pairs(there, [(style, char) for char in CHARS])
        seen = ((batch.inputs + 1) * 127.5).round().numpy().astype(np.uint8)
        assert np.array_equal(inputs, seen)


def test_a_preferred_font_that_is_not_there_is_refused(guided_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(guided_run, tmp_path / "run")
    for described in run.rglob("run.json"):
        metadata = json.loads(described.read_text())
        assert all(style["preferred"][0] == 0 for style in metadata["data"]["styles"])
        metadata["data"]["styles"][0]["preferred"] = [0, 2]
        described.write_text(json.dumps(metadata))
    reseal(run)
    with pytest.raises(RunError, match="style kai prefers a font that its guide has not"):
        load(run, device="cpu")


def test_images_whose_names_stand_for_no_character_are_drawn_without_guides(
    guided_run: Path, tmp_path: Path, here: Here
) -> None:
    assert here("render", f"font={SOURCE}", f"out={tmp_path / 'in'}", "charset=国是", "size=64").returncode == 0
    (tmp_path / "in" / "U+56FD.png").rename(tmp_path / "in" / "my glyph.png")
    infer = ("infer", f"checkpoint={guided_run}", f"input={tmp_path / 'in'}", "style=kai", "device=cpu")
    result = here(*infer, f"out={tmp_path / 'out'}", "allow=[blank]")
    assert result.returncode == 0, result.stderr
    assert {file.name for file in (tmp_path / "out").glob("*.png")} == {"U+662F.png", "my glyph.png", "_sheet.png"}
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["style"] == "kai"
    run = load(guided_run, device="cpu", precision="fp32")
    picture = Image.open(tmp_path / "in" / "my glyph.png")
    unnamed, named = (run.draw_images([picture], "kai", chars=chars)[0] for chars in ([None], ["国"]))
    assert unnamed.size == named.size == (64, 64)
    assert not np.array_equal(np.asarray(unnamed), np.asarray(named))
    assert np.array_equal(np.asarray(run.draw_images([picture], "kai")[0]), np.asarray(unnamed))


def test_fine_tuning_goes_on_with_the_guides_of_the_run(
    guided_run: Path, half: Path, tmp_path: Path, here: Here
) -> None:
    settings = [setting for setting in TINY if setting.startswith(("trainer.", "optim."))]
    out = tmp_path / "tuned"
    result = here("train", *settings, f"init_from={guided_run}", f"data.targets={{mine: {XIAOWEI}}}", f"out={out}")
    assert result.returncode == 0, result.stderr
    guides = load_config(find(out, "last").folder / "config.yaml").data.guides
    assert OmegaConf.to_container(guides) == [str(XIAOWEI), [str(half), str(BRUSH)]]
    tuned = load(out, device="cpu")
    assert tuned.generator.in_channels == 3
    assert tuned.styles == ["kai", "brush", "mine"]
    assert len(tuned.placement("mine").inputs) == 3


@pytest.mark.parametrize("kept", [True, False])
def test_old_styles_go_on_with_other_guides(
    kept: bool, guided_run: Path, half: Path, tmp_path: Path, here: Here
) -> None:
    """A style prefers one font of a guide; another guide has that font in another place, or not at all."""
    settings = [setting for setting in TINY if setting.startswith(("trainer.", "optim."))]
    base, out = shutil.copytree(guided_run, tmp_path / "base"), tmp_path / "tuned"
    for described in base.rglob("run.json"):
        metadata = json.loads(described.read_text())
        for style in metadata["data"]["styles"]:
            style["preferred"] = [0, 1]
        described.write_text(json.dumps(metadata))
    reseal(base)
    guides = f"data.guides=[{XIAOWEI},{f'[{KAI},{half},{BRUSH}]' if kept else KAI}]"
    mine = f"data.targets={{mine: {XIAOWEI}}}"
    result = here("train", *settings, f"init_from={base}", mine, guides, f"out={out}")
    assert result.returncode == 0, result.stderr
    tuned = load(out, device="cpu")
    assert tuned.placement("kai").preferred == (0, 2 if kept else 0)
    assert len(tuned.draw("永国", "kai")) == 2
