"""True glyphs moved to where they are drawn, since nobody places every glyph of a hand in the same way.

Where in its cell a glyph stands varies by a few hundredths of the em and cannot be told from its source.  A network that is
held to it learns to draw all places at once, which is blur, or learns them by heart.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

STAY = 0.05  # share of its ink by which a glyph moved as far as it may must overlap better, or it stays


@torch.no_grad()
def placed(target: Tensor, drawn: Tensor, reach: int) -> Tensor:
    """Moves each true glyph by whole pixels so that its ink overlaps the drawn one's best.

    Overlaps for all moves are found at once, as a cross-correlation by Fourier transform.

    Args:
        target, drawn: (B, 1, H, W), -1 ink .. +1 paper.   reach: pixels that it may be moved by, each way.
    Returns: (B, 1, H, W), paper where nothing was.
    """
    true, ink = ((1 - image[:, 0].float()) / 2 for image in (target, drawn))
    overlap = torch.fft.irfft2(torch.fft.rfft2(ink) * torch.fft.rfft2(true).conj(), s=true.shape[-2:])
    moves = torch.arange(-reach, reach + 1, device=target.device)
    near = overlap[:, moves[:, None], moves] / true.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    far = (moves[:, None].square() + moves.square()) / reach**2
    best = (near - STAY * far).flatten(1).argmax(dim=1)
    down, right = moves[best // len(moves)], moves[best % len(moves)]
    height, width = target.shape[-2:]
    around = F.pad(target, (reach,) * 4, value=1.0)
    rows = (torch.arange(height, device=target.device) + reach)[None] - down[:, None]
    columns = (torch.arange(width, device=target.device) + reach)[None] - right[:, None]
    each = torch.arange(len(target), device=target.device)[:, None, None]
    return around[each, 0, rows[:, :, None], columns[:, None, :]][:, None]
