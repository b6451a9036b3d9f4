"""Drawing any number of glyphs in batches: the one way that training, scores and inference all draw."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fontgan.models.unet import image_from_logits


@torch.inference_mode()
def draw_glyphs(
    generator: nn.Module,
    source: Tensor,
    style: Tensor,
    *,
    device: torch.device,
    autocast: Callable[[], torch.autocast],
    batch_size: int = 32,
) -> Tensor:
    """Draws glyphs with a generator in evaluation mode.

    Args:
        source: (N, 1, H, W) images on the CPU.   style: (N, styles) weights.
    Returns: (N, 1, H, W) float32 images on the CPU, -1 ink .. +1 paper.
    """
    was_training = generator.training
    generator.eval()
    drawn = []
    for start in range(0, len(source), batch_size):
        images = source[start : start + batch_size].to(device).contiguous(memory_format=torch.channels_last)
        with autocast():
            logits = generator(images, style[start : start + batch_size].to(device))
        drawn.append(image_from_logits(logits).float().cpu())
    generator.train(was_training)
    return torch.cat(drawn) if drawn else torch.empty_like(source)
