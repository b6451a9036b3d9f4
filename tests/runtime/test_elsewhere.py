"""No part of a training or of drawing assumes where it computes: all of it runs on torch's meta device in place of a GPU.

There are shapes and devices there and no numbers, so an operation that mixes it with the CPU fails as it would on a GPU,
and so does a step that asks for a number, for which the host would wait.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import fontgan
from fontgan import build as building
from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.data import pixel_store
from fontgan.data.pixel_store import StreamedPixels
from fontgan.models.predict import draw_glyphs, draw_pixels
from fontgan.runtime.device import autocast
from fontgan.training.step import TrainStep
from tests.helpers import TINY

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")
HERE = torch.ones(4)
COPIES = ("copy_", "_to_copy", "to")
SMALL = (*TINY[:-1], "++optim.algorithm.fused=false")


def on_host(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == "cpu"


class Elsewhere(TorchDispatchMode):
    """Stands for a GPU's strictness; what is copied to the host arrives as zeros.

    Args:
        alone: whether nothing may be on the host at all, as within a training step.
    """

    def __init__(self, *, alone: bool):
        super().__init__()
        self.alone = alone
        self.copied_to_host = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here, there = any(map(on_host, given)), any(tensor.is_meta for tensor in given)
        name = func._overloadpacket.__name__
        if name == "copy_" and on_host(args[0]) and args[1].is_meta:
            result = args[0].zero_()
        elif name in COPIES and args[0].is_meta and CPU in (*args, *kwargs.values()):
            result = torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        else:
            assert not (here and there) or name in COPIES, f"{func} mixes devices"
            result = func(*args, **kwargs)
        self.copied_to_host += there and any(map(on_host, tree_leaves(result)))
        assert not self.alone or not any(map(on_host, tree_leaves(result))), f"{func} makes a tensor on the CPU"
        return result


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that a GPU would answer."""
    monkeypatch.setattr(pixel_store, "available_bytes", lambda device: 2**34)
    monkeypatch.setattr(building, "autocast", lambda device, precision: autocast(CPU, "fp32"))


def a_training(*overrides: str) -> tuple[TrainStep, Any]:
    cfg = compose_config("train", [*SMALL, *overrides])
    _, step, sampler = build_parts(cfg, ELSEWHERE, "fp32")
    return with_plain_optimisers(step), sampler


def with_plain_optimisers(step: TrainStep) -> TrainStep:
    """Adam's fused form knows the devices that there are, and its other one counts its steps on the host."""
    step.optimiser_g = torch.optim.SGD(step.generator.parameters(), 0.1)
    if step.discriminator is not None:
        step.optimiser_d = torch.optim.SGD(step.discriminator.parameters(), 0.1)
    return step


def take_steps(step: TrainStep, sampler: Any) -> None:
    with Elsewhere(alone=False) as mode:
        batch = sampler.batch(0)
    sampler.close()
    assert batch.inputs.is_meta
    assert batch.target.is_meta
    assert batch.style.is_meta
    assert not mode.copied_to_host
    with Elsewhere(alone=True):
        for start, end in step.objective.phases():
            report = step([batch], (start + end) / 2, 5)
    assert all(value.is_meta for value in (*report.values(), *step.gradients.values()))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("experiment", choices("experiment"))
def test_a_step_of_every_experiment_stays_on_its_device(experiment: str) -> None:
    settings = [f"experiment={experiment}", "init_from=null", "generator.depth=4"]
    judged = compose_config("train", [*SMALL, *settings]).loss.adversarial.weight
    take_steps(*a_training(*settings, *["loss.r1.weight=1"] * bool(judged)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "group", ["generator/up", "generator/style", "generator/attention", "generator/encoder_refine"]
)
def test_a_step_of_every_block_stays_on_its_device(group: str) -> None:
    for name in choices(group):
        extra = ["generator.attention_levels=[3]"] if group == "generator/attention" else []
        take_steps(*a_training("experiment=scratch", f"{group}={name}", *extra))


def test_drawing_comes_back_to_the_host_and_nothing_else_does() -> None:
    generator = a_training("experiment=scratch")[0].generator.eval()
    inputs, style = torch.zeros(5, 1, 64, 64), torch.eye(generator.styles)[:1]
    given: dict[str, Any] = {"device": ELSEWHERE, "autocast": autocast(CPU, "fp32")}
    with Elsewhere(alone=False) as mode:
        drawn = draw_glyphs(generator, inputs, style.expand(5, -1), **given, batch_size=2)
        assert drawn.shape == (5, 1, 64, 64)
        assert on_host(drawn)
        assert mode.copied_to_host == 3  # batches
        pages = [("a", np.zeros((2, 1, 64, 64), np.uint8)), ("b", np.zeros((1, 1, 64, 64), np.uint8))]
        found = list(draw_pixels(generator, pages, style, **given))
        assert [(tag, images.shape, images.dtype) for tag, images in found] == [
            ("a", (2, 64, 64), np.uint8), ("b", (1, 64, 64), np.uint8)
        ]  # fmt: skip
        assert mode.copied_to_host == 5


def test_a_pack_that_does_not_fit_is_streamed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_store, "available_bytes", lambda device: 0)
    step, sampler = a_training("experiment=scratch")
    assert isinstance(sampler._store, StreamedPixels)
    take_steps(step, sampler)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda x: x + HERE, "mixes devices"),
        (lambda x: torch.zeros(4), "makes a tensor on the CPU"),
        (lambda x: x.cpu(), "makes a tensor on the CPU"),
        (lambda x: float(x.sum()), "meta"),
    ],
)
def test_what_this_is_to_find_is_found(wrong: Any, says: str) -> None:
    with pytest.raises((AssertionError, RuntimeError), match=says), Elsewhere(alone=True):
        wrong(torch.zeros(4, device=ELSEWHERE))


# -- who may name a kind of device ----------------------------------------------------------

SOURCES = Path(fontgan.__file__).parent
# Those that hide it, what several processes say to each other, benchmarks, and the doctor, who tells of it.
MAY_NAME = {
    "runtime/accelerator.py",
    "runtime/cards.py",
    "runtime/device.py",
    "runtime/distributed.py",
    "bench/machine.py",
    "doctor/computing.py",
}
EVENTS = {"training/loss_buffer.py", "models/predict.py"}  # the type of what ``to_host`` gives, never a call


@cache
def named_by_module() -> dict[str, set[str]]:
    """Module -> what it says of torch.cuda, torch.mps and copies that are not waited for."""
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCES.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        said = {f"torch.{node.attr}" for node in nodes if isinstance(node, ast.Attribute) and _of_torch(node)}
        said |= {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg == "non_blocking"}
        found[file.relative_to(SOURCES).as_posix()] = said
    return found


def _of_torch(node: ast.Attribute) -> bool:
    return node.attr in ("cuda", "mps") and isinstance(node.value, ast.Name) and node.value.id == "torch"


def test_few_modules_name_a_kind_of_device() -> None:
    named = {module for module, said in named_by_module().items() if said & {"torch.cuda", "torch.mps"}}
    assert named - EVENTS == MAY_NAME
    copies = {module for module, said in named_by_module().items() if "non_blocking" in said}
    assert copies == {"runtime/accelerator.py", "models/predict.py"}
