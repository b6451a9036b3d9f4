"""Small paired affine changes: the same for source and target, so a pair stays a pair."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """Ranges of a random affine map, each drawn evenly from -value to +value.  No flips: a mirrored glyph is wrong."""

    strength: float = 1.0  # 0 switches it off; 1 takes the ranges as they are; others multiply them
    shift: float = 0.02  # fraction of the canvas
    scale: float = 0.03  # relative, 0.05 is 5 %
    rotate: float = 1.0  # degrees
    shear: float = 0.02  # horizontal, in columns a row

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise ValueError(f"data.augment.{name}={value}: 0 or more is needed.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) images, the channels moved alike -> the same shape; what comes from outside is edge-padded."""
        return move(images, self.draw(len(images), generator)) if self.strength else images

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2, 3) float32 on the CPU: random affine maps, output place -> input place, on -1 to 1 coordinates."""
        ranges = torch.tensor([self.shift, self.shift, self.scale, math.radians(self.rotate), self.shear])
        draws = (torch.rand(count, 5, generator=generator) * 2 - 1) * ranges * self.strength
        dx, dy, scale, angle, shear = draws.unbind(1)
        cos, sin, zoom = angle.cos(), angle.sin(), 1 + scale
        maps = torch.stack([cos * zoom, (shear - sin) * zoom, 2 * dx, sin * zoom, cos * zoom, 2 * dy], dim=1)
        return maps.view(count, 2, 3)  # of coordinates from -1 to 1, where shifts count twice


def move(images: Tensor, maps: Tensor) -> Tensor:
    """(B, C, H, W) images moved by (B, 2, 3) maps of their device; what comes in from outside is edge-padded."""
    grid = F.affine_grid(maps.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
