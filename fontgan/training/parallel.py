"""Training in several processes: gradients averaged by DistributedDataParallel."""

from __future__ import annotations

import copy

import torch
from torch import nn

from fontgan.runtime import distributed
from fontgan.training.objective import Objective
from fontgan.training.step import TrainStep


def average_over_processes(train_step: TrainStep, size: int) -> None:
    """From now on every process's gradients are the mean over all of them; all must call this at once."""
    if distributed.world_size() == 1:
        return
    train_step.forward = distributed.wrap_ddp(train_step.forward, [])
    if train_step.discriminator is not None:
        idle = heads_without_loss(
            train_step.discriminator, train_step.objective, size=size, styles=train_step.generator.styles
        )
        train_step.forward_d = distributed.wrap_ddp(train_step.forward_d, idle)


def heads_without_loss(discriminator: nn.Module, objective: Objective, *, size: int, styles: int) -> list[nn.Parameter]:
    """The discriminator's parameters that no term of its own update reaches, such as a category head without ``loss.category``.

    Found on torch's meta device, where nothing is computed.
    """
    meta = copy.deepcopy(discriminator).to("meta").eval()
    image, style = torch.zeros(1, 1, size, size, device="meta"), torch.zeros(1, styles, device="meta")
    output = meta(image, image, style)
    terms = objective.discriminator_losses({"d_real": output, "d_fake": output, "style": style}, 1.0)
    reached = torch.autograd.grad(sum(terms.values()), list(meta.parameters()), allow_unused=True)  # type: ignore[arg-type]
    return [ours for ours, found in zip(discriminator.parameters(), reached, strict=True) if found is None]
