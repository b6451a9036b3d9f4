"""The value ranges of a glyph, converted in this one place.  Shapes stay as they are.

pixels  uint8, 0 ink .. 255 paper: files and packs
image   float, -1 ink .. +1 paper: what networks take
ink     float, 0 paper .. 1 ink: what metrics and most losses take
logits  float, unbounded; sigmoid(logits) is ink: what a generator gives
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_FINER = 4  # times as many pixels a side, among which a sharpened edge is found
_AT_ONCE = 8  # images, since the finer ones take 16 times their memory


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


def sharp_image_from_logits(logits: Tensor, sharpness: float) -> Tensor:
    """An image whose edges lie where ``image_from_logits`` has its middle grey, and are crisper than there.

    A network that is unsure where an edge runs draws it as a wide ramp. Logits are multiplied between the pixels, as if
    each were 4 x 4 of them, and the ink of a pixel is what these have, so that an edge is not moved to the raster.

    Args:
        logits: (B, C, H, W).   sharpness: by which they are multiplied, 1 or more; 1 changes nothing.
    """
    if sharpness == 1:
        return image_from_logits(logits)
    return torch.cat([sharpened(part, sharpness) for part in torch.split(logits, _AT_ONCE)])


def sharpened(logits: Tensor, sharpness: float) -> Tensor:
    """``sharp_image_from_logits`` of all at once, for a sharpness above 1: 16 times their memory."""
    finer = F.interpolate(logits, scale_factor=_FINER, mode="bilinear", align_corners=False)
    return F.avg_pool2d(image_from_logits(finer * sharpness), _FINER)


def _float(pixels: np.ndarray | Tensor) -> Tensor:
    """Always a copy: an array of a pack is read-only, which torch warns of."""
    return (torch.from_numpy(np.array(pixels)) if isinstance(pixels, np.ndarray) else pixels).float()
