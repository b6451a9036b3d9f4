"""Drawing any number of glyphs in batches: the one way that training, scores and inference all draw."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fontgan.models.unet import UnetGenerator
from fontgan.runtime.accelerator import copies_from_pinned, to_device, to_host, wait_for
from fontgan.values import image_from_pixels, pixels_from_image, sharp_image_from_logits

Tag = TypeVar("Tag")
Pixels = tuple[Tag, np.ndarray]
Autocast = Callable[[], torch.autocast]


@torch.inference_mode()
def draw_glyphs(
    generator: UnetGenerator,
    inputs: Tensor,
    style: Tensor,
    *,
    device: torch.device,
    autocast: Autocast,
    batch_size: int = 32,
) -> Tensor:
    """Draws glyphs with a generator in evaluation mode.

    Args:
        inputs: (N, 1 + guides, H, W) images on the CPU.   style: (N, styles) weights.
    Returns: (N, 1, H, W) float32 images on the CPU, -1 ink .. +1 paper.
    """
    was_training = generator.training
    generator.eval()
    pinned = copies_from_pinned(device)
    drawn = torch.empty_like(inputs[:, :1], pin_memory=pinned)
    for start in range(0, len(inputs), batch_size):
        part = slice(start, start + batch_size)
        images = to_device(inputs[part], device).contiguous(memory_format=torch.channels_last)
        with autocast():
            logits = generator(images, to_device(style[part], device))
        # Not waited for on CUDA: the next batch is on its way before this one is back.
        drawn[part].copy_(sharp_image_from_logits(logits, generator.sharpness).float(), non_blocking=pinned)
    wait_for(device)
    generator.train(was_training)
    return drawn


@torch.inference_mode()
def draw_pixels(
    generator: UnetGenerator, batches: Iterable[Pixels[Tag]], style: Tensor, *, device: torch.device, autocast: Autocast
) -> Generator[Pixels[Tag], None, None]:
    """Draws batch after batch of 8-bit images in one style, each as soon as it is asked for.

    On CUDA the next batch is taken and on its way before the last one is waited for; a quarter of the bytes travel
    that float images would take.

    Args:
        generator: in evaluation mode.
        batches: whatever tells the batch, and (B, 1 + guides, H, W) uint8, 0 ink .. 255 paper.
        style: (1, styles) weights.
    Returns: the same in the same order, drawn, (B, H, W).
    """
    pinned = copies_from_pinned(device)
    style = style.to(device)
    under_way: deque[tuple[Tag, Tensor, torch.cuda.Event | None]] = deque()

    def first() -> Pixels[Tag]:
        tag, drawn, arrived = under_way.popleft()
        if arrived is not None:
            arrived.synchronize()
        return tag, drawn.numpy()

    for tag, pixels in batches:
        source = torch.from_numpy(np.ascontiguousarray(pixels))
        source = to_device(source.pin_memory() if pinned else source, device)
        images = image_from_pixels(source).contiguous(memory_format=torch.channels_last)
        with autocast():
            logits = generator(images, style.expand(len(images), -1))
        levels = pixels_from_image(sharp_image_from_logits(logits, generator.sharpness)[:, 0])
        under_way.append((tag, *to_host(levels)))
        if not pinned or len(under_way) > 1:
            yield first()
    while under_way:
        yield first()
