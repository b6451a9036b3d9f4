"""Small random moves of pairs: the same for source, guides and target, so a pair stays a pair."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

KNOTS = 5  # of an elastic field, each way


@dataclass
class Moves:
    """How each of B samples is moved, on coordinates from -1 to 1, output place -> input place."""

    maps: Tensor  # (B, 2, 3), affine
    fields: Tensor | None = None  # (B, 2, KNOTS, KNOTS), to the right and down, added to the map; None for none

    def each(self, change: Callable[[Tensor], Tensor]) -> "Moves":
        """With both tensors changed."""
        return Moves(change(self.maps), None if self.fields is None else change(self.fields))


@dataclass(frozen=True)
class Augmentation:
    """Ranges of a random affine map, each drawn evenly from -value to +value, and of a smooth random field.

    No flips: a mirrored glyph is wrong.
    Source of the field: Simard et al. 2003, "Best practices for convolutional neural networks applied to visual document
    analysis", whose blurred noise is splines between a few knots here.
    """

    strength: float = 1.0  # 0 switches it off; 1 takes the ranges as they are; others multiply them
    shift: float = 0.02  # fraction of the canvas
    scale: float = 0.03  # relative, 0.05 is 5 %
    rotate: float = 1.0  # degrees
    shear: float = 0.02  # horizontal, in columns a row
    elastic: float = 0.0  # fraction of the canvas: standard deviation of how far parts are moved apart from the rest

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise ValueError(f"data.augment.{name}={value}: 0 or more is needed.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) images, the channels moved alike -> the same shape; what comes from outside is edge-padded."""
        return move(images, self.draw(len(images), generator)) if self.strength else images

    def draw(self, count: int, generator: torch.Generator) -> Moves:
        """Random moves of ``count`` samples, float32 on the CPU."""
        ranges = torch.tensor([self.shift, self.shift, self.scale, math.radians(self.rotate), self.shear])
        draws = (torch.rand(count, 5, generator=generator) * 2 - 1) * ranges * self.strength
        dx, dy, scale, angle, shear = draws.unbind(1)
        cos, sin, zoom = angle.cos(), angle.sin(), 1 + scale
        # Of coordinates from -1 to 1, where shifts count twice.
        maps = torch.stack([cos * zoom, (shear - sin) * zoom, 2 * dx, sin * zoom, cos * zoom, 2 * dy], dim=1)
        moves = Moves(maps.view(count, 2, 3))
        if self.elastic:
            knots = torch.randn(count, 2, KNOTS, KNOTS, generator=generator)
            moves.fields = 2 * self.elastic * self.strength * knots
        return moves


def move(images: Tensor, moves: Moves) -> Tensor:
    """(B, C, H, W) images moved by what is on their device; what comes in from outside is edge-padded."""
    grid = F.affine_grid(moves.maps.to(images), list(images.shape), align_corners=False)
    if moves.fields is not None:
        smooth = F.interpolate(moves.fields.to(images), size=images.shape[-2:], mode="bicubic", align_corners=True)
        grid = grid + smooth.movedim(1, 3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
