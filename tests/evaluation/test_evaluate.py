"""fontgan evaluate: on runs and on folders that others made, with all that is wrong with them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgan.evaluation.folder_pairs import glyph_set_of_folders
from fontgan.evaluation.glyph_set import glyph_set_of_run
from fontgan.generate.inference import load
from tests.helpers import KAI, SOURCE, Here

CHARS = "的一是不了在人有我他这个们"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of glyphs "drawn" (the source font's) and one of true glyphs, without manifests."""
    from fontgan.cli import main

    parent = tmp_path_factory.mktemp("folders")
    pred, truth = parent / "pred", parent / "truth"
    for folder, font in ((pred, SOURCE), (truth, KAI)):
        assert main(["render", f"font={font}", f"out={folder}", f"charset={CHARS}", "size=64"]) == 0
        (folder / "manifest.json").unlink()
    return pred, truth


@pytest.fixture
def own(folders: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies that a test may spoil."""
    pred, truth = (shutil.copytree(folder, tmp_path / folder.name) for folder in folders)
    return pred, truth


def metrics_of(file: Path) -> dict[str, dict[str, float]]:
    return json.loads(file.read_text(encoding="utf-8"))["metrics"]


def test_a_run_is_measured_on_its_held_out_characters(here: Here, tiny_run: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "e.json", tmp_path / "worst.png"
    result = here("evaluate", f"run={tiny_run}", f"out={out}", f"sheet={sheet}", "ocr=none", "replicates=50")
    assert result.returncode == 0, result.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    glyphs = glyph_set_of_run(load(tiny_run))
    assert found["count"] == len(glyphs.names) == len(found["glyphs"])
    assert found["styles"] == ["kai", "brush", "xiaowei"]
    difference = np.abs(glyphs.drawn.astype(float) - glyphs.truth) / 255
    by_style = [difference[[s == style for s, _ in glyphs.names]].mean() for style in found["styles"]]
    assert found["metrics"]["l1"]["mean"] == pytest.approx(np.mean(by_style), rel=1e-5)
    assert found["metrics"]["l1"]["low"] <= found["metrics"]["l1"]["mean"] <= found["metrics"]["l1"]["high"]
    assert set(found["metrics"]["l1"]["baselines"]) == {"copy_source", "blank_page", "mean_glyph", "nearest_glyph"}
    cells = {cell["characters"]: cell for cell in found["matrix"]["cells"]}
    assert set(cells) == {"trained", "held_out"}
    assert cells["held_out"]["l1"] == pytest.approx(found["metrics"]["l1"]["mean"], rel=1e-5)
    assert "only the styles it was trained on" in found["matrix"]["unseen_styles"]
    assert "L1" in result.stdout
    assert "unseen styles" in result.stdout
    assert Image.open(sheet).width > 250


def test_the_best_checkpoint_scores_as_training_said(tiny_run: Path) -> None:
    """The same glyphs and the same mathematics: what the log said is what evaluate finds."""
    from fontgan.evaluation.evaluate import evaluate
    from fontgan.training.checkpoint import find

    said = find(tiny_run, "best").metadata["scores"]
    found = evaluate(glyph_set_of_run(load(tiny_run)), ocr="none", replicates=2)["metrics"]
    for style, scores in said.items():
        for name in ("l1", "rmse", "ssim"):
            # Drawn glyphs are rounded to 255 grey levels here.
            assert found[name]["styles"][style]["mean"] == pytest.approx(scores[name], abs=0.004)


def test_two_folders(here: Here, folders: tuple[Path, Path], tmp_path: Path) -> None:
    pred, truth = folders
    out = tmp_path / "e.json"
    result = here("evaluate", f"pred={pred}", f"truth={truth}", f"out={out}", "ocr=none", "replicates=50")
    assert result.returncode == 0, result.stderr
    found = metrics_of(out)
    assert 0 < found["l1"]["mean"] < 0.5
    assert found["keepable"]["mean"] == 0  # another style's glyphs
    assert "13 of 13 glyphs are not keepable: " in result.stdout
    lines = json.loads(out.read_text(encoding="utf-8"))["glyphs"]
    assert all("contour" in line["not_kept_for"] and line["contour_within"] < 0.95 for line in lines)
    assert set(found["l1"]["baselines"]) == {"blank_page", "mean_glyph"}
    result = here("evaluate", f"pred={truth}", f"truth={shutil.copytree(truth, tmp_path / 'same')}", f"out={out}",
                  f"source={SOURCE}", "ocr=none", "replicates=50")  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = metrics_of(out)
    assert found["l1"]["mean"] == 0
    assert found["keepable"]["mean"] == 1
    assert found["ssim"]["mean"] == pytest.approx(1)
    assert found["l1"]["baselines"]["copy_source"] > 0


def test_missing_files_are_listed_and_not_counted(own: tuple[Path, Path]) -> None:
    pred, truth = own
    (pred / "U+4E00.png").unlink()
    (truth / "U+4E0D.png").unlink()
    found = glyph_set_of_folders(pred, truth)
    assert len(found.names) == len(CHARS) - 2
    said = "\n".join(found.notes)
    assert "1 of 12 characters are not drawn and not counted: 一" in said
    assert "1 drawn characters have no true glyph and are not counted: 不" in said


def test_other_sizes_are_resized_and_it_is_said(here: Here, own: tuple[Path, Path]) -> None:
    pred, truth = own
    exact = glyph_set_of_folders(pred, truth)
    for file in pred.glob("*.png"):
        image = Image.open(file).convert("L")
        image.resize((128, 128), Image.Resampling.NEAREST).save(file)
    Image.open(truth / "U+4E00.png").resize((40, 30)).save(truth / "U+4E00.png")
    found = glyph_set_of_folders(pred, truth)
    assert found.size == 64
    said = "\n".join(found.notes)
    assert "pred: 13 images were resized to 64 px to be compared: 128x128 px (13)" in said
    assert "truth: 1 images were resized to 64 px to be compared: 40x30 px (1)" in said
    assert np.abs(found.drawn.astype(int) - exact.drawn).mean() < 3  # nothing has moved
    result = here("evaluate", f"pred={pred}", f"truth={truth}", "ocr=none", "replicates=5")
    assert "resized to 64 px" in result.stdout


def test_blank_glyphs_count_and_divide_nothing_by_zero(here: Here, own: tuple[Path, Path], tmp_path: Path) -> None:
    pred, truth = own
    blank = Image.new("L", (64, 64), 255)
    for folder, name in ((pred, "U+4E00"), (truth, "U+4E0D"), (pred, "U+4EBA"), (truth, "U+4EBA")):
        blank.save(folder / f"{name}.png")
    out = tmp_path / "e.json"
    result = here("evaluate", f"pred={pred}", f"truth={truth}", f"out={out}", "ocr=none", "replicates=20")
    assert result.returncode == 0, result.stderr
    text = out.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    glyphs = {line["char"]: line for line in json.loads(text)["glyphs"]}
    assert len(glyphs) == len(CHARS)
    assert glyphs["一"]["blank"] == 1
    assert glyphs["人"]["l1"] == 0
    assert glyphs["人"]["blank"] == 0
    all_blank = tmp_path / "blank"
    all_blank.mkdir()
    for file in truth.glob("*.png"):
        blank.save(all_blank / file.name)
    result = here("evaluate", f"pred={all_blank}", f"truth={truth}", f"out={out}", "ocr=none", "replicates=20")
    assert result.returncode == 0, result.stderr
    assert metrics_of(out)["l1_per_ink"]["mean"] == pytest.approx(11 / 13)  # two true glyphs are blank too


def test_names_that_stand_for_no_character_pair_as_they_are(here: Here, own: tuple[Path, Path]) -> None:
    for folder in own:
        for number, file in enumerate(sorted(folder.glob("*.png"))):
            file.rename(folder / f"glyph-{number:02d}.png")
    found = glyph_set_of_folders(*own)
    assert [name for _, name in found.names] == [f"glyph-{number:02d}" for number in range(len(CHARS))]
    (own[0] / "glyph-03.bmp").write_bytes((own[0] / "glyph-03.png").read_bytes())
    assert "1 files repeat a character and are left out: glyph-03.png" in "\n".join(glyph_set_of_folders(*own).notes)
    result = here("evaluate", f"pred={own[0]}", f"truth={own[1]}", "replicates=5")
    assert result.returncode == 0, result.stderr


def test_what_the_source_lacks_is_listed_and_left_out(own: tuple[Path, Path]) -> None:
    for folder in own:
        (folder / "U+4E00.png").rename(folder / "glyph-1.png")
        Image.new("L", (64, 64), 255).save(folder / "U+16A0.png")  # a rune that the source font lacks
    found = glyph_set_of_folders(*own, source=str(SOURCE))
    assert len(found.names) == len(CHARS) - 1
    assert "source: lacks 2 characters, which are not counted" in "\n".join(found.notes)
    assert found.source is not None


def test_without_a_source_the_gate_still_tells_right_from_wrong(own: tuple[Path, Path], here: Here) -> None:
    """Held against the true glyphs: another size of the same glyphs passes, other characters do not."""
    pred, truth = own
    for file in pred.glob("*.png"):
        file.unlink()
    names = sorted(file.name for file in truth.glob("*.png"))
    for number, name in enumerate(names):
        wrong = number < 4
        image = Image.open(truth / (names[number + 5] if wrong else name)).convert("L")
        image.resize((80, 80), Image.Resampling.BICUBIC).save(pred / name)
    found = glyph_set_of_folders(pred, truth)
    confidence = dict(
        zip((name for _, name in found.names), found.gates["pred"].confidence(found.truth, found.drawn), strict=True)
    )
    wrong_chars = {chr(int(name[2:6], 16)) for name in names[:4]}
    assert max(confidence[char] for char in wrong_chars) < 0.5
    assert min(confidence[char] for char in confidence if char not in wrong_chars) > 0.5
    assert found.gates["pred"].calibration.glyphs == len(CHARS)


def test_a_black_glyph_is_not_taken_for_light_on_dark(own: tuple[Path, Path]) -> None:
    pred, truth = own
    Image.new("L", (64, 64), 0).save(pred / "U+4E00.png")
    found = glyph_set_of_folders(pred, truth)
    assert found.drawn[[char for _, char in found.names].index("一")].max() == 0
    for file in truth.glob("*.png"):
        image = Image.open(file).convert("L")
        image.point(lambda level: 255 - level).save(file)
    turned = glyph_set_of_folders(pred, truth)
    assert (turned.truth == found.truth).all()
    assert [note for note in turned.notes if "light ink on dark paper" in note] == [
        f"note: {truth}: light ink on dark paper; all {len(found.names)} images are inverted."
    ]


def test_names_that_are_no_utf8_do_not_end_it(here: Here, own: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in own:
        source = folder / "U+4E00.png"
        source.rename(folder / os.fsdecode(b"\xd7\xd6.png"))  # a name in GBK
    (own[1] / os.fsdecode(b"\xb5\xc4.png")).write_bytes((own[1] / "U+4E0D.png").read_bytes())
    out = tmp_path / "e.json"
    result = here("evaluate", f"pred={own[0]}", f"truth={own[1]}", f"out={out}", "ocr=none", "replicates=5")
    assert result.returncode == 0, result.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["count"] == len(CHARS)
    assert len(found["missing"]["pred"]) == 1


def test_subfolders_are_styles(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        shutil.copytree(folders[1], tmp_path / "truth" / name)
    for name in ("one", "two"):
        shutil.copytree(folders[0], tmp_path / "pred" / name)
    found = glyph_set_of_folders(tmp_path / "pred", tmp_path / "truth")
    assert found.styles == ["one", "two"]
    assert len(found.names) == 2 * len(CHARS)
    assert "pred lacks 1 of the 3 styles of truth: three." in found.notes


def test_em_squares_are_laid_on_each_other_where_both_folders_tell_them(here: Here, tmp_path: Path) -> None:
    for name, size, margin in (("pred", 64, 0.02), ("truth", 128, 0.2)):
        render = ("render", f"font={SOURCE}", f"out={tmp_path / name}", f"charset={CHARS}")
        assert here(*render, f"size={size}", f"margin={margin}").returncode == 0
    found = glyph_set_of_folders(tmp_path / "pred", tmp_path / "truth")
    assert np.abs(found.drawn.astype(int) - found.truth).mean() < 4  # of 255: the same glyphs, framed differently


def test_what_cannot_be_measured_is_refused_in_one_line(
    refused: Callable[..., str], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    pred, truth = folders
    both = (f"pred={pred}", f"truth={truth}")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    Image.new("L", (64, 64), 0).save(other / "A.png")
    cases = {
        (): "needs run=RUN, or both pred=DIR and truth=DIR",
        (f"pred={pred}",): "needs run=RUN, or both",
        ("run=x", *both): "either a run or two folders",
        ("run=nowhere",): "no such folder",
        (f"pred={tmp_path / 'none'}", f"truth={truth}"): "no such folder",
        (f"pred={pred}", f"truth={pred}"): "is the same folder as truth",
        (f"pred={empty}", f"truth={truth}"): "holds no images",
        (f"pred={pred}", f"truth={empty}"): "holds no images",
        (f"pred={other}", f"truth={truth}"): "shares no readable character",
        (*both, "replicates=0"): "replicates=0: 1 or more is needed",
        (*both, "ocr=tesseract"): "choose one of auto, rapidocr, none",
        (*both, "out=e.txt"): "Name a file that ends in .json",
        (*both, f"out={tmp_path}/no/e.json"): "its folder does not exist",
        (*both, "source=none.ttf"): "no such font file",
        (*both, f"source={other}"): "shares no readable character",
    }
    for arguments, expected in cases.items():
        assert expected in refused("evaluate", *arguments), arguments
    assert len(cases) == 15
