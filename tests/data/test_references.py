"""Styles read off reference glyphs: how training draws them, prototypes, and styles given as images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

import fontgan as package
from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.data.augment import Augmentation
from fontgan.data.batches import PairSampler, training_rows
from fontgan.data.pack import Pack, make_pack, open_pack
from fontgan.data.pairs import plan_pairs
from fontgan.errors import DataError, RunError
from fontgan.generate.inference import Run
from fontgan.training.budget import step_flops
from fontgan.values import image_from_pixels
from tests.helpers import BRUSH, KAI, SOURCE, TINY, Here, fontgan_here, on_meta, two_and_two_steps_are_four

CHARS = "的一是不了在人有我他这个们中来上大为和国"
REFERENCE = (*TINY, "generator/style=reference", "generator.style.shots=2", "generator.style.width=4")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    plan = plan_pairs(str(SOURCE), {"kai": str(KAI), "brush": str(BRUSH)}, charset=CHARS, size=64)
    return make_pack(plan, tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def reference_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "reference"
    result = fontgan_here("train", *REFERENCE, f"out={out}")
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def brush_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six glyphs of the brush, named after their characters."""
    out = tmp_path_factory.mktemp("images") / "hand"
    assert fontgan_here("render", f"font={BRUSH}", f"out={out}", "charset=永国一是来这", "size=96").returncode == 0
    return out


def sampler_of(pack: Pack, shots: int, batch_size: int = 6) -> PairSampler:
    return PairSampler(pack, batch_size=batch_size, seed=3, augment=Augmentation(), shots=shots)


# -- training -------------------------------------------------------------------------------


def test_references_are_other_training_glyphs_of_the_same_style(pack: Pack) -> None:
    sampler = sampler_of(pack, shots=3)
    places = set()
    for index in range(4):
        batch = sampler.batch(index)
        assert batch.references is not None
        assert batch.references.shape == (6, 3, 64, 64)
        for name, references in zip(batch.names, batch.references, strict=True):
            style, char = name.split(":")
            allowed = [row for row in training_rows(pack, style) if row != pack.rows[style][char]]
            glyphs = image_from_pixels(pack.pixels[allowed])
            found = [[i for i, glyph in enumerate(glyphs) if torch.equal(glyph, one)] for one in references]
            assert all(len(same) == 1 for same in found)
            assert len({same[0] for same in found}) == 3
            places |= {(style, same[0]) for same in found}
    assert len(places) > 20  # drawn from all over, not the same few


def test_references_leave_the_pairs_as_they_are_and_follow_from_seed_and_step(pack: Pack) -> None:
    plain, sampler = sampler_of(pack, shots=0).batch(5), sampler_of(pack, shots=2)
    assert plain.references is None
    batch = sampler.batch(5)
    assert batch.names == plain.names
    assert torch.equal(batch.source, plain.source)
    assert torch.equal(batch.target, plain.target)
    sampler.batch(0)
    assert torch.equal(batch.references, sampler.batch(5).references)  # type: ignore[arg-type]
    assert not torch.equal(batch.references, sampler.batch(6).references)  # type: ignore[arg-type]
    moved = batch.to(torch.device("cpu"))
    assert moved.references is not None


def test_a_small_style_repeats_its_glyphs_and_one_glyph_is_refused(tmp_path: Path) -> None:
    def packed(charset: str) -> Pack:
        return make_pack(plan_pairs(str(SOURCE), {"kai": str(KAI)}, charset=charset, size=64, holdout=0), tmp_path)

    batch = sampler_of(packed("永国"), shots=3, batch_size=2).batch(0)
    assert batch.references is not None
    for references in batch.references:
        assert torch.equal(references[0], references[1])
    assert not torch.equal(batch.references[0, 0], batch.references[1, 0])
    with pytest.raises(DataError, match=r"has 1 training character.*Give it 2 or more"):
        sampler_of(packed("永"), shots=3)


def test_operations_of_a_step_count_the_references() -> None:
    cfg = compose_config("train", [*REFERENCE, "loss.adversarial.start=0"])
    _, step, sampler = build_parts(cfg, torch.device("cpu"), "fp32")
    with FlopCounterMode(display=False) as counter:
        step([sampler.batch(0)], 1.0, 0)
    counted = step_flops(*on_meta(step), step.objective, size=64, batch_size=cfg.trainer.batch_size, accumulate=1)
    assert counted == pytest.approx(counter.get_total_flops(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.9, 0.0])
def test_two_and_two_steps_are_four(ema: float, tmp_path: Path) -> None:
    command = ["train", *REFERENCE, f"trainer.ema_decay={ema}", "trainer.precision=fp32"]
    two_and_two_steps_are_four(command, tmp_path)


def test_a_run_remembers_its_styles_by_their_training_glyphs(reference_run: Path, one_shared_cache: Path) -> None:
    run = package.load(reference_run, device="cpu")
    there = open_pack(one_shared_cache / "packs" / run.checkpoint.metadata["pack"])
    reader = run.generator.reference_style
    assert reader is not None
    for index, style in enumerate(run.styles):
        references = image_from_pixels(there.pixels[training_rows(there, style)])
        with torch.no_grad():
            torch.testing.assert_close(reader.prototypes[index], reader.embed(references[None])[0])
    assert not torch.allclose(reader.prototypes[0], reader.prototypes[1], atol=1e-4)


# -- a style given as images ----------------------------------------------------------------


@pytest.fixture
def run(reference_run: Path) -> Run:
    return package.load(reference_run, device="cpu", precision="fp32")


def test_the_glyphs_of_a_known_style_give_that_style(run: Run) -> None:
    """The same alignment, canvas and reading as in training."""
    name = run.add_style("asset:MaShanZheng-Regular.ttf", "again")
    assert run.styles == ["kai", "brush", "xiaowei", "again"]
    again, brush = run.placement("again"), run.placement("brush")
    assert again.canvas == brush.canvas
    assert again.inputs[0].scale == pytest.approx(brush.inputs[0].scale)
    known, given = (np.asarray(run.draw("国", style)[0]).astype(int) for style in ("brush", name))
    assert np.abs(known - given).max() <= 2
    assert run.weights({"again": 1, "kai": 1}).tolist() == [[0.5, 0.0, 0.0, 0.5]]


def test_results_of_a_style_given_as_images_are_as_large_as_most_of_these(
    run: Run, brush_images: Path, tmp_path: Path
) -> None:
    files = sorted(brush_images.glob("U+*.png"))
    for number, file in enumerate(files):  # without the manifest, so each is an em cell
        size = (60, 80) if number < 4 else (90, 90)
        Image.open(file).resize(size).save(tmp_path / file.name)
    for spec, size in ((tmp_path, (60, 80)), (brush_images, (96, 96)), ("asset:MaShanZheng-Regular.ttf", (64, 64))):
        name = run.add_style(str(spec), f"of {size[0]}")
        assert run.draw("国", name)[0].size == size


@pytest.mark.slow
def test_neither_the_order_nor_the_names_of_the_images_matter(run: Run, brush_images: Path, tmp_path: Path) -> None:
    codes, files = [], sorted(brush_images.glob("U+*.png"))
    for order, folder in ((files, "one"), (files[::-1], "other")):
        (tmp_path / folder).mkdir()
        shutil.copy(brush_images / "manifest.json", tmp_path / folder)
        for number, file in enumerate(order):
            shutil.copy(file, tmp_path / folder / f"scan {number}.png")
        run.add_style(str(tmp_path / folder))
        assert run.generator.reference_style is not None
        codes.append(run.generator.reference_style.prototypes[-1])
    torch.testing.assert_close(codes[0], codes[1])
    assert run.placement("one") == run.placement("other")
    # The source is brought onto their median ink box, since no character is known.
    assert run.placement("one").inputs[0].scale != run.placement("one").canvas.scale


def test_images_are_aligned_on_shared_characters_also_without_the_source_font(run: Run, brush_images: Path) -> None:
    run.add_style(str(brush_images), "with")
    run.drawn_from = run.drawn_from._replace(source="gone.ttf")
    run.add_style(str(brush_images), "without")
    shared, median = run.placement("with").inputs[0], run.placement("without").inputs[0]
    assert shared != median
    assert shared.scale == pytest.approx(median.scale, rel=0.35)


def test_a_folder_named_by_dots_gives_its_own_name(
    run: Run, brush_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = shutil.copytree(brush_images, tmp_path / "pen") / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert run.add_style("..") == "pen"
    monkeypatch.chdir(brush_images)
    assert run.add_style(".") == "hand"


def test_at_most_so_many_references_are_read(run: Run, brush_images: Path) -> None:
    run.add_style(str(brush_images), most=2)
    assert run.manifest["styles"][-1]["references"] == 2


@pytest.mark.slow
def test_what_cannot_be_a_style_is_refused(run: Run, tiny_run: Path, brush_images: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"generator/style=reference.*init_from"):
        package.load(tiny_run).add_style(str(brush_images))
    with pytest.raises(DataError, match="cannot be called kai"):
        run.add_style(str(brush_images), "kai")
    for name in ("../out", "sp {a}", "a/b", "all", "source"):
        with pytest.raises(DataError, match="cannot be a style's name"):
            run.add_style(str(brush_images), name)
    Image.new("L", (32, 32), 255).save(tmp_path / "blank.png")
    (tmp_path / "cut.png").write_bytes(b"")
    with pytest.raises(DataError, match="no glyph with ink"):
        run.add_style(str(tmp_path))
    with pytest.raises(DataError, match="no such font file or glyph folder"):
        run.add_style("nowhere")
    assert run.styles == ["kai", "brush", "xiaowei"]


def test_the_command_draws_a_style_given_as_images(
    reference_run: Path, brush_images: Path, tmp_path: Path, here: Here
) -> None:
    command = ["infer", f"checkpoint={reference_run}", "text=永国", f"style_images={brush_images}"]
    for folder, more in (("alone", []), ("mixed", ["style={kai: 0.5, hand: 0.5}", "allow=[blank]"])):
        result = here(*command, f"out={tmp_path / folder}", *more)
        assert result.returncode == 0, result.stderr
        assert "style hand: read off 6 glyphs" in result.stderr
        assert (tmp_path / folder / "U+6C38.png").is_file()
    manifest = json.loads((tmp_path / "alone" / "manifest.json").read_text())
    assert manifest["style"] == "hand"
    assert list(manifest["references"]) == ["hand"]
    path = here(*command, "style_path=[kai, hand]", "frames=3", f"out={tmp_path / 'path'}")
    assert path.returncode == 0, path.stderr
    assert (tmp_path / "path" / "strip.png").is_file()


def test_results_of_other_references_are_refused(
    reference_run: Path, brush_images: Path, tmp_path: Path, here: Here, refused: Callable[..., str]
) -> None:
    command = ["infer", f"checkpoint={reference_run}", "text=永", f"style_images={brush_images}", f"out={tmp_path}"]
    assert here(*command).returncode == 0
    assert "1 results are there already" in here(*command).stderr
    assert "another references" in refused(*command, "style_images_max=2")


def test_style_images_that_nothing_asks_for_are_refused(
    reference_run: Path, tiny_run: Path, brush_images: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    command = ["infer", "text=永", f"style_images={brush_images}", f"out={tmp_path / 'out'}"]
    assert "makes the style hand, which is not asked for" in refused(
        *command, f"checkpoint={reference_run}", "style=kai"
    )
    assert "1 or more" in refused(*command, f"checkpoint={reference_run}", "style_images_max=0")
    assert "cannot read one off images" in refused(*command, f"checkpoint={tiny_run}")
    assert not (tmp_path / "out").exists()
