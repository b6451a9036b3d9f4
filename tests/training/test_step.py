"""What the step saves, it saves without changing what is learned."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.training.step import TrainStep, split_pair
from tests.helpers import TINY

CPU = torch.device("cpu")


def a_step(*overrides: str) -> tuple[TrainStep, object]:
    cfg = compose_config("train", [*TINY, "trainer.precision=fp32", *overrides])
    _, step, sampler = build_parts(cfg, CPU, "fp32")
    return step, sampler.batch(0).to(CPU)


@pytest.mark.parametrize("head", ["projection", "category"])
def test_one_pass_judges_true_and_drawn_glyphs_as_two_do(head: str) -> None:
    step, batch = a_step(
        "discriminator=patch", "loss=ink_gan", f"discriminator.head={head}", "discriminator.ndf=8",
        f"loss.category.weight={int(head == 'category')}",
    )  # fmt: skip
    assert not step._d_has_batch_norm
    step.discriminator.eval()  # spectral norm estimates no further, so that the passes can be compared
    fake = torch.rand_like(batch.target)
    calls = []
    judge = step.forward_d
    step.forward_d = lambda *inputs: calls.append(len(inputs[0])) or judge(*inputs)
    real_verdict, fake_verdict = step._discriminate_pair(batch, fake)
    assert calls == [2 * len(fake)]
    step._d_has_batch_norm = True
    for ours, alone in zip((real_verdict, fake_verdict), step._discriminate_pair(batch, fake), strict=True):
        torch.testing.assert_close(ours.logits, alone.logits, rtol=1e-4, atol=1e-5)
        assert (ours.class_logits is None) == (alone.class_logits is None) == (head == "projection")
        assert len(ours.features) == len(alone.features) > 0
        for map_, of_alone in zip(ours.features, alone.features, strict=True):
            torch.testing.assert_close(map_, of_alone, rtol=1e-4, atol=1e-5)
    assert calls[1:] == [len(fake)] * 2
    assert not torch.equal(real_verdict.logits, fake_verdict.logits)


def test_batch_norm_sees_true_and_drawn_glyphs_apart() -> None:
    step, _ = a_step("experiment=zi2zi_classic", "generator.depth=4", "data.size=64")
    assert any(isinstance(module, _BatchNorm) for module in step.discriminator.modules())
    assert step._d_has_batch_norm


def test_halves_are_the_two_halves() -> None:
    step, batch = a_step("experiment=zi2zi_classic", "generator.depth=4", "data.size=64")
    step.discriminator.eval()
    both = step.discriminator(*(torch.cat([x, x.flip(0)]) for x in (batch.source, batch.target, batch.style)))
    first, second = split_pair(both)
    torch.testing.assert_close(first.logits, second.logits.flip(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.class_logits, second.class_logits.flip(0), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["concat", "film_all", "reference"])
def test_the_map_that_comes_with_the_drawing_is_the_encoders(style: str) -> None:
    step, batch = a_step(f"generator/style={style}", "loss.constancy.weight=1")
    generator = step.generator.train()
    twin = copy.deepcopy(generator)
    given = batch.style if batch.references is None else batch.references
    logits, innermost = generator.encode_decode(batch.source, given)
    assert torch.equal(innermost, twin.encode(batch.source))
    assert torch.equal(logits, copy.deepcopy(twin)(batch.source, given))


def test_the_source_is_encoded_once_for_the_constancy_loss() -> None:
    step, batch = a_step("loss.constancy.weight=1")
    encoded = []
    first = step.generator.unet.down
    first.register_forward_pre_hook(lambda module, inputs: encoded.append(inputs[0]))
    step([batch], progress=0.5, step=0)
    assert len(encoded) == 2
    assert sum(torch.equal(x, batch.source) for x in encoded) == 1
