"""Dead channels: those that give one and the same value at every place of every glyph, and so tell nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fontgan.models.unet import UnetGenerator, UnetSkipConnectionBlock
from fontgan.runtime.distributed import all_gather

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU)
MIN_PLACES = 64  # over all glyphs; with fewer, a channel that is seldom active looks dead
_FLAT = 1e-6  # relative: what rounding leaves of a constant

Seen = tuple[int, Tensor, Tensor]  # places, and the smallest and largest value there of each channel, (C,)


class Channels:
    """The smallest and largest value of every channel seen so far, by map."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._seen: dict[str, Seen] = {}
        self._alive: set[str] = set()  # maps whose every channel has varied, and need not be looked at again

    def see(self, name: str, maps: Tensor) -> None:
        """Takes maps (B, C, H, W)."""
        if name not in self._alive:
            now = maps.numel() // maps.shape[1], maps.amin((0, 2, 3)).float(), maps.amax((0, 2, 3)).float()
            self._seen[name] = seen = _merged(self._seen.get(name), now)
            if seen[0] >= MIN_PLACES and not _flat(seen).any():
                self._alive.add(name)

    def dead(self) -> dict[int, tuple[int, int]]:
        """Level -> dead channels and all channels, over what all processes saw; all of them must ask."""
        of_all: dict[str, Seen] = {}
        mine = {name: (places, low.cpu(), high.cpu()) for name, (places, low, high) in self._seen.items()}
        for of_one in all_gather(mine):
            of_all |= {name: _merged(of_all.get(name), seen) for name, seen in of_one.items()}
        counts: dict[int, tuple[int, int]] = {}
        for name, seen in of_all.items():
            if seen[0] >= MIN_PLACES:
                dead, of = counts.get(self.levels[name], (0, 0))
                counts[self.levels[name]] = (dead + int(_flat(seen).sum()), of + len(seen[1]))
        return dict(sorted(counts.items()))


def _merged(before: Seen | None, now: Seen) -> Seen:
    if before is None:
        return now
    return before[0] + now[0], torch.minimum(before[1], now[1]), torch.maximum(before[2], now[2])


def _flat(seen: Seen) -> Tensor:
    """(C,) whether the smallest and largest value are one."""
    _, low, high = seen
    return high - low <= _FLAT * torch.maximum(low.abs(), high.abs())


@contextmanager
def watched_channels(generator: UnetGenerator) -> Iterator[Channels]:
    """Watches, while the block lasts, what the generator computes: the maps between its levels, and what its activations
    give.  The innermost level and the style conditioning there count as level ``depth``."""
    channels, hooks = Channels(), []
    innermost = "unet" + (generator.depth - 1) * ".submodule"
    # The glyph itself, and the map beside a style, which is one and the same everywhere in a run of one style.
    beside = ("unet.up", f"{innermost}.up.activation")
    blocks = [module for module in generator.modules() if isinstance(module, UnetSkipConnectionBlock)]
    between = [way for block in blocks for way in (block.down, block.up)]
    for name, module in generator.named_modules():
        if name not in beside and (module in between or isinstance(module, ACTIVATIONS)):
            channels.levels[name] = min(generator.depth, 1 + name.split(".").count("submodule"))

            def hook(module: nn.Module, inputs: Any, output: Any, name: str = name) -> None:
                if isinstance(output, Tensor) and output.dim() == 4:  # not the tokens of attention
                    channels.see(name, output)

            hooks.append(module.register_forward_hook(hook))
    try:
        yield channels
    finally:
        for handle in hooks:
            handle.remove()
