"""The value ranges of a glyph, converted in this one place.  Shapes stay as they are.

pixels  uint8, 0 ink .. 255 paper: files and packs
image   float, -1 ink .. +1 paper: what networks take
ink     float, 0 paper .. 1 ink: what metrics and most losses take
logits  float, unbounded; sigmoid(logits) is ink: what a generator gives
"""

import numpy as np
import torch
from torch import Tensor


def image_from_pixels(pixels: np.ndarray | Tensor) -> Tensor:
    return _float(pixels).div_(127.5).sub_(1)


def ink_from_pixels(pixels: np.ndarray | Tensor) -> Tensor:
    return 1 - _float(pixels) / 255


def pixels_from_image(image: Tensor) -> Tensor:
    return image.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def ink_from_image(image: Tensor) -> Tensor:
    return (1 - image) / 2


def image_from_logits(logits: Tensor) -> Tensor:
    return torch.tanh(-0.5 * logits)  # 1 - 2 * sigmoid(logits)


def _float(pixels: np.ndarray | Tensor) -> Tensor:
    """Always a copy: an array of a pack is read-only, which torch warns of."""
    return (torch.from_numpy(np.array(pixels)) if isinstance(pixels, np.ndarray) else pixels).float()
