"""``effort``: what follows from how many glyphs are known."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from fontgan.config.compose import compose_config
from fontgan.config.effort import apply_effort
from fontgan.errors import ConfigError

EFFORT = OmegaConf.create({0: {"trainer.train_only": "style", "optim.lr": 0.01}, 60: {"optim.lr": 0.002}})


def test_the_last_entry_that_is_not_above_the_number_counts_and_what_is_typed_wins() -> None:
    few, many, typed = (compose_config("train", ["experiment=finetune"]) for _ in range(3))
    assert apply_effort(few, EFFORT, 59, ()) == {"trainer.train_only": "style", "optim.lr": 0.01}
    assert (few.trainer.train_only, few.optim.lr) == ("style", 0.01)
    apply_effort(many, EFFORT, 60, ())
    assert (many.trainer.train_only, many.optim.lr) == (None, 0.002)
    assert apply_effort(typed, EFFORT, 10, {"optim.lr"}) == {"trainer.train_only": "style"}
    assert typed.optim.lr == 0.003


def test_a_training_from_nothing_is_left_alone() -> None:
    config = compose_config("train", ["experiment=scratch"])
    assert apply_effort(config, EFFORT, 30, ()) == {}
    assert config.trainer.train_only is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trainer.speed": 3}, "effort.0: trainer.speed is no setting of trainer or optim"),
        ({"data.size": 64}, "effort.0: data.size is no setting"),
        ({"trainer.max_steps": 0}, "1 or more and"),
        ({"trainer.max_steps": "many"}, "trainer.max_steps"),
        ({"trainer.train_only": "encoder"}, "choose one of style"),
    ],
)
def test_what_is_wrong_in_it_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        apply_effort(compose_config("train", ["experiment=finetune"]), OmegaConf.create({0: settings}), 10, ())


def test_complete_and_fewshot_have_the_same_table() -> None:
    complete, fewshot = (
        compose_config(verb, given)
        for verb, given in (("complete", ["target=a.ttf"]), ("fewshot", ["fonts=[a.ttf]", "out=a"]))
    )
    assert complete.effort == fewshot.effort
    assert compose_config("complete", ["target=a.ttf", "effort=none"]).effort == {}
