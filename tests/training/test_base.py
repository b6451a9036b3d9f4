"""experiment=base and finetune: many fonts with guides, and one that starts from them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.saved import load_config
from fontgan.data.shelf import shelf
from fontgan.generate.inference import load
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, two_and_two_steps_are_four

TWO = f"data.targets={{kai: {KAI}, brush: {{font: {BRUSH}, source: {SOURCE}}}}}"
BASE = ("train", *TINY, "experiment=base", TWO, "trainer.threads=1")


def test_a_font_starts_from_a_base_with_its_guides(tmp_path: Path, here: Here, refused: Callable[..., str]) -> None:
    base, mine = tmp_path / "base", tmp_path / "mine"
    made = here(*BASE, f"out={base}")
    assert made.returncode == 0, made.stderr
    steps = [one for one in TINY if one.startswith(("trainer.", "optim."))]
    tuned = here(
        "train", *steps, "experiment=finetune", f"init_from={base}", f"data.targets={{mine: {XIAOWEI}}}", f"out={mine}"
    )
    assert tuned.returncode == 0, tuned.stderr
    assert "mine starts as " in tuned.stderr
    config = load_config(mine / "config.yaml")
    assert list(config.data.guides) == ["shelf:song", "shelf:kai"]
    run = load(mine, device="cpu")
    assert run.styles == ["kai", "brush", "mine"]
    assert len(run.draw("永国", "mine")) == 2
    drawn = here("infer", f"checkpoint={mine}", "text=永国", "allow=[blank]", f"out={tmp_path / 'drawn'}")
    assert drawn.returncode == 0, drawn.stderr
    assert "style mine: images of 64x64 px" in drawn.stderr
    unknown = refused("infer", f"checkpoint={mine}", "text=永", "style=his", f"out={tmp_path / 'none'}")
    assert "style=his: the run knows mine, kai, brush (or all)." in unknown


def test_a_run_keeps_its_guides_when_more_of_the_shelf_are_fetched(
    tmp_path: Path, here: Here, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    out, fetched = tmp_path / "run", shelf()["song-jp"].path
    assert here(*BASE, f"out={out}", "trainer.stop_at=2").returncode == 0
    fetched.parent.mkdir(parents=True)
    shutil.copy(XIAOWEI, fetched)
    new = compose_config("train", ["experiment=base"]).data.guides
    assert OmegaConf.to_container(new) == [["shelf:song", "shelf:song-jp"], "shelf:kai"]
    resumed = here(*BASE, f"out={out}", "trainer.stop_at=null")
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on from step 2" in resumed.stderr
    assert list(load_config(out / "config.yaml").data.guides) == ["shelf:song", "shelf:kai"]
    typed = refused(*BASE, f"out={tmp_path / 'typed'}", "data.guides=[[shelf:song,shelf:song-tc],shelf:kai]")
    assert "shelf:song-tc: is not on this machine yet" in typed


@pytest.mark.slow
def test_a_base_goes_on_to_the_bit(tmp_path: Path) -> None:
    two_and_two_steps_are_four(BASE, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("group", ["up", "style"])
def test_every_part_can_be_swept_on_a_base(group: str, tmp_path: Path, here: Here) -> None:
    parts = choices(f"generator/{group}")
    done = here(*BASE, "-m", f"generator/{group}={','.join(parts)}", "trainer.max_steps=1", f"out={tmp_path / 'sweep'}")
    assert done.returncode == 0, done.stderr
    jobs = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    assert len(jobs) == len(parts)
    for job in jobs:
        assert load_config(tmp_path / "sweep" / job["folder"] / "config.yaml").data.guides, job


@pytest.mark.slow
def test_the_way_to_a_base_in_small(tmp_path: Path, here: Here) -> None:
    """The recipe of three bundled fonts, what scripts/make_base.py keeps of it, and a font that starts from that."""
    run, base, mine = tmp_path / "run", tmp_path / "base", tmp_path / "mine"
    made = here("train", "experiment=base_tiny", f"data.targets={{kai: {KAI}, brush: {BRUSH}}}", f"out={run}")
    assert made.returncode == 0, made.stderr
    corpus = tmp_path / "corpus"
    (corpus / "training").mkdir(parents=True)
    for name, font in (("kai", KAI), ("brush", BRUSH)):
        shutil.copy(font, corpus / "training" / f"{name}.ttf")
    rows = "".join(f"{name},{name.title()},fonts@1,OFL-1.1\n" for name in ("kai", "brush"))
    (corpus / "manifest.csv").write_text(f"name,family,package,licence\n{rows}")
    script = Path(__file__).parents[2] / "scripts" / "make_base.py"
    kept = subprocess.run([sys.executable, script, run, corpus, base], capture_output=True, text=True, check=False)
    assert kept.returncode == 0, kept.stderr
    assert "2 styles" in kept.stdout
    assert sorted(file.name for file in base.iterdir()) == [
        "NOTICE",
        "config.yaml",
        "generator.safetensors",
        "run.json",
    ]
    assert "brush: Brush, fonts@1, OFL-1.1" in (base / "NOTICE").read_text()
    scores = {}
    for name, start in (("from-it", base), ("from-nothing", None)):
        how = ("experiment=finetune", f"init_from={start}") if start else ("experiment=base_tiny",)
        target = f"data.targets={{mine: {XIAOWEI}}}"
        tuned = here(
            "train", *how, target, "data.charset=gb2312-1", "data.holdout=0.1", "trainer.max_steps=8", "optim.warmup_steps=0",
            "trainer.eval_every=8", f"out={mine / name}",
        )  # fmt: skip
        assert tuned.returncode == 0, tuned.stderr
        last = json.loads((mine / name / "metrics.jsonl").read_text().splitlines()[-1])
        scores[name] = last["styles"]["mine"]
    assert scores["from-it"]["ssim"] > scores["from-nothing"]["ssim"] + 0.03, scores
