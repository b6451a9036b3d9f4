"""experiment=base and finetune: many fonts with guides, and one that starts from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fontgan.config.saved import load_config
from fontgan.generate.inference import load
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, Here, two_and_two_steps_are_four

TWO = f"data.targets={{kai: {KAI}, brush: {{font: {BRUSH}, source: {SOURCE}}}}}"
BASE = ("train", *TINY, "experiment=base", TWO, "trainer.threads=1")


def test_a_font_starts_from_a_base_with_its_guides(tmp_path: Path, here: Here) -> None:
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


@pytest.mark.slow
def test_a_base_goes_on_to_the_bit(tmp_path: Path) -> None:
    two_and_two_steps_are_four(BASE, tmp_path)
