"""The base model in the package: what it is, what starts from it, and what is said where it does not fit."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fontgan import base
from fontgan.config.compose import compose_config
from fontgan.generate.inference import load
from fontgan.training.checkpoint import open_checkpoint
from tests.helpers import BRUSH, Here

CORPUS = yaml.safe_load((Path(__file__).parents[1] / "scripts" / "corpus.yaml").read_text(encoding="utf-8"))


def test_it_has_learned_from_fonts_of_the_corpus_alone_and_names_them() -> None:
    found = open_checkpoint(base.FOLDER)
    found.verify()
    to_train_on = {name for name, facts in CORPUS.items() if "use" not in facts and "left_out" not in facts}
    assert set(found.metadata["styles"]) <= to_train_on
    assert len(found.metadata["styles"]) > 50
    notice = (base.FOLDER / "NOTICE").read_text(encoding="utf-8")
    for name in found.metadata["styles"]:
        assert any(line.startswith(f"{name}: ") and CORPUS[name]["licence"] in line for line in notice.splitlines())
    assert sum(file.stat().st_size for file in base.FOLDER.iterdir()) < 20e6


def test_nothing_of_the_machine_that_made_it_is_left_in_it() -> None:
    for name in ("config.yaml", "run.json", "NOTICE"):
        text = (base.FOLDER / name).read_text(encoding="utf-8").replace("://", "")
        assert not re.search(r"(?:^|[\s\"':])/\w[\w.-]*/", text), name


@pytest.mark.parametrize("name", ["generator.safetensors", "config.yaml", "run.json"])
def test_damaged_weights_are_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    copied = tmp_path / "base"
    shutil.copytree(base.FOLDER, copied)
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(data)
    monkeypatch.setattr(base, "FOLDER", copied)
    line = refused("train", f"data.targets={{mine: {BRUSH}}}", "data.charset=gb2312-1", f"out={tmp_path / 'run'}")
    assert name in line
    assert line.endswith("Install fontgan anew.")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("generator/up=deconv", "generator.up=deconv: init_from=base has another architecture (generator.up.resize is"),
        ("generator.ngf=64", "the generator has another architecture than fontgan/base (unet.down.0.weight is (32, "),
        ("data.size=64", "data.size=64: the network of init_from=base knows 128."),
    ],
)
def test_what_does_not_fit_is_said_with_what_does(
    typed: str, said: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    line = refused("train", typed, f"out={tmp_path / 'run'}")
    assert said in line
    assert line.endswith("or train from nothing: init_from=null.")


@pytest.mark.parametrize("sweep", ["up_blocks", "style_by_up", "optuna"])
def test_a_sweep_compares_from_nothing(sweep: str) -> None:
    assert compose_config("train", [f"sweep={sweep}"]).init_from is None
    assert compose_config("train", []).init_from == "base"


def test_a_font_starts_from_it_in_its_nearest_style(tmp_path: Path, here: Here) -> None:
    short = ("trainer.max_steps=2", "trainer.eval_every=2", "optim.warmup_steps=0", "trainer.device=cpu")
    made = here(
        "train", *short, "data=fonts", f"data.targets={{mine: {BRUSH}}}", "data.charset=的一是不了在人有我他这个们中来上大为和国",
        f"out={tmp_path / 'run'}",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "mine starts as " in made.stderr
    run = load(tmp_path / "run", device="cpu")
    assert run.styles[-1] == "mine"
    assert run.trained_styles == ["mine"]
