"""True glyphs moved, and their parts bent, to where they are drawn, since nobody places every stroke in the same way.

Where in its cell a glyph stands, and how its parts share the room, varies by a few hundredths of the em and cannot be told
from its source.  A network that is held to it learns to draw all places at once, which is blur and merged strokes, or
learns them by heart.  So each true glyph is registered with the drawn one before the losses compare them: moved as a
whole (cross-correlation), then bent by a smooth field (Lucas and Kanade 1981, an iterative image registration technique).
That a generator trained so draws sharper is the finding of RegGAN (Kong et al. 2021, arXiv:2110.06465), where a network
learns the field; here it is found by least squares.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

STAY = 0.05  # share of its ink by which a glyph moved as far as it may must overlap better, or it stays
CELLS = 16  # of the field, each way
STIFFNESS = 0.15  # share of the canvas: standard deviation of the window within which ink moves together
DAMPING = 0.3  # of what a window must hold of edges, as a share of the mean, to move as they say
ROUNDS = 3  # of the least squares, each from where the one before has led


@dataclass(frozen=True)
class Registration:
    """How far true glyphs are moved.  Lengths are shares of the canvas."""

    shift: float = 0.05  # by which a glyph may be moved as a whole, each way
    bend: float = 0.03  # by which parts of it may then be moved further; 0: none
    share: float = 1.0  # of the way that they go; the rest keeps drawn glyphs at the places that are common

    @torch.no_grad()
    def __call__(self, target: Tensor, drawn: Tensor) -> Tensor:
        """Moves the true glyphs ``target`` towards the drawn ones.

        Args:
            target, drawn: (B, 1, H, W), -1 ink .. +1 paper.
        Returns: (B, 1, H, W), paper where nothing was.
        """
        true, ink = ((1 - image.float()) / 2 for image in (target, drawn))
        field = best_shift(true, ink, max(1, round(self.shift * true.shape[-1])) if self.shift else 0)[:, :, None, None]
        if self.bend:
            field = _bend(true, ink, field, self.bend)
        moved = _warp(true, field * self.share, mode="bicubic").clamp(0, 1)
        return (1 - 2 * moved).to(target.dtype)


def best_shift(true: Tensor, ink: Tensor, reach: int) -> Tensor:
    """The move by whole pixels after which the ink ``true`` overlaps ``ink`` best.

    Overlaps for all moves are found at once, as a cross-correlation by Fourier transform.

    Args:
        true, ink: (B, 1, H, W), 0 paper .. 1 ink.
        reach: pixels that it may be, each way.
    Returns: (B, 2), to the right and down, as shares of the canvas.
    """
    height, width = true.shape[-2:]
    overlap = torch.fft.irfft2(torch.fft.rfft2(ink[:, 0]) * torch.fft.rfft2(true[:, 0]).conj(), s=(height, width))
    moves = torch.arange(-reach, reach + 1, device=true.device)
    near = overlap[:, moves[:, None], moves] / true.sum(dim=(1, 2, 3))[:, None, None].clamp(min=1)
    far = (moves[:, None].square() + moves.square()) / max(1, reach) ** 2
    best = (near - STAY * far).flatten(1).argmax(dim=1)
    return torch.stack([moves[best % len(moves)] / width, moves[best // len(moves)] / height], dim=1)


def _bend(true: Tensor, ink: Tensor, start: Tensor, reach: float) -> Tensor:
    """A smooth field of moves after which ``true`` is most like ``ink``, starting from a move as a whole.

    In each round the moved glyph is taken to change linearly with a move, by its slopes.  Within a soft window the move
    that explains best what differs then is the solution of two linear equations, whose sums over the windows are blurs.

    Args:
        true, ink: (B, 1, H, W), 0 paper .. 1 ink.
        start: (B, 2, 1, 1), and ``reach`` how much further a part may go, shares of the canvas.
    Returns: (B, 2, CELLS, CELLS), to the right and down, shares of the canvas.
    """
    true, ink = (_blur(F.interpolate(image, size=(4 * CELLS, 4 * CELLS), mode="area"), 1.0) for image in (true, ink))
    field = start.expand(-1, -1, CELLS, CELLS)
    for _ in range(ROUNDS):
        moved = _warp(true, field, mode="bilinear")
        right, down = (F.pad(moved.diff(dim=d), pad) for d, pad in ((3, (0, 1, 0, 0)), (2, (0, 0, 0, 1))))
        right, down = (right + right.roll(1, 3)) / 2, (down + down.roll(1, 2)) / 2
        differs = moved - ink
        products = torch.cat([right * right, right * down, down * down, right * differs, down * differs], dim=1)
        a, b, c, p, q = torch.chunk(_blur(F.avg_pool2d(products, 4), STIFFNESS * CELLS), 5, dim=1)
        damping = DAMPING * (a + c).mean(dim=(2, 3), keepdim=True) + 1e-6
        a, c = a + damping, c + damping
        further = torch.cat([c * p - b * q, a * q - b * p], dim=1) / (a * c - b * b) / (4 * CELLS)
        bent = field + further - start
        field = start + bent * (reach / bent.norm(dim=1, keepdim=True).clamp(min=reach))
    return field


def _warp(image: Tensor, field: Tensor, mode: str) -> Tensor:
    """(B, 1, H, W) ink moved by a field (B, 2, h, w) of shares of the canvas to the right and down; outside is paper."""
    height, width = image.shape[-2:]
    field = F.interpolate(field, size=(height, width), mode="bicubic").movedim(1, 3)
    rows, columns = (((torch.arange(n, device=image.device) + 0.5) / n) for n in (height, width))
    there = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return F.grid_sample(image, 2 * (there - field) - 1, mode=mode, align_corners=False)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) blurred by a Gaussian of ``sigma`` pixels; outside is 0."""
    reach = max(1, round(2.5 * sigma))
    weights = torch.exp(-torch.arange(-reach, reach + 1, device=image.device).square() / (2 * sigma**2))
    weights = weights / weights.sum()
    lines = image.flatten(0, 1)[:, None]
    lines = F.conv2d(
        F.conv2d(lines, weights[None, None, :, None], padding=(reach, 0)), weights[None, None, None], padding=(0, reach)
    )
    return lines.reshape(image.shape)
