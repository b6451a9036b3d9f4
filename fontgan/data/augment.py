"""Small paired affine changes: the same for source and target, so a pair stays a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """Ranges of a random affine map, each drawn evenly from -value to +value.  No flips: a mirrored glyph is wrong.

    Args:
        strength: 0 switches it off; 1 takes the ranges as they are; others multiply them.
        shift: fraction of the canvas.
        scale: relative, 0.05 is 5 %.
        rotate: degrees.
        shear: horizontal, in columns a row.
    """

    strength: float = 1.0
    shift: float = 0.02
    scale: float = 0.03
    rotate: float = 1.0
    shear: float = 0.02

    def __post_init__(self) -> None:
        for name in ("strength", "shift", "scale", "rotate", "shear"):
            if getattr(self, name) < 0:
                raise ValueError(f"data.augment.{name}={getattr(self, name)}: 0 or more is needed.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) images, the channels moved alike -> the same shape; what comes in from outside is edge-padded."""
        if self.strength == 0:
            return images
        return move(images, self.draw(images.shape[0], generator))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2, 3) float32 on the CPU: random affine maps, output place -> input place, on -1 to 1 coordinates."""
        ranges = torch.tensor([self.shift, self.shift, self.scale, math.radians(self.rotate), self.shear])
        draws = (torch.rand(count, 5, generator=generator) * 2 - 1) * ranges * self.strength
        dx, dy, scale, angle, shear = draws.unbind(1)
        cos, sin, zoom = angle.cos(), angle.sin(), 1 + scale
        # Coordinates from -1 to 1, hence shifts count twice.
        rows = torch.stack([cos * zoom, (shear - sin) * zoom, 2 * dx, sin * zoom, cos * zoom, 2 * dy], dim=1)
        return rows.view(count, 2, 3)


def move(images: Tensor, maps: Tensor) -> Tensor:
    """(B, C, H, W) images moved by (B, 2, 3) maps of their device; what comes in from outside is edge-padded."""
    grid = F.affine_grid(maps.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
