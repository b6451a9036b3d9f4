"""Dead channels: those that give one and the same value at every place of every glyph, and so tell nothing."""

from __future__ import annotations

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


class Channels:
    """The smallest and largest value of every channel seen so far, by map."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._low: dict[str, Tensor] = {}  # (C,)
        self._high: dict[str, Tensor] = {}
        self._places: dict[str, int] = {}
        self._alive: set[str] = set()  # maps whose every channel has varied, and need not be looked at again

    def see(self, name: str, maps: Tensor) -> None:
        """Takes maps (B, C, H, W)."""
        if name in self._alive:
            return
        low, high = maps.amin(dim=(0, 2, 3)).float(), maps.amax(dim=(0, 2, 3)).float()
        if name in self._low:
            low, high = torch.minimum(low, self._low[name]), torch.maximum(high, self._high[name])
        self._low[name], self._high[name] = low, high
        self._places[name] = self._places.get(name, 0) + maps.numel() // maps.shape[1]
        if self._places[name] >= MIN_PLACES and not bool(_flat(low, high).any()):
            self._alive.add(name)

    def dead(self) -> dict[int, tuple[int, int]]:
        """Level -> dead channels and all channels, over what all processes saw; all of them must ask."""
        seen = {name: (self._places[name], self._low[name].tolist(), self._high[name].tolist()) for name in self._low}
        merged: dict[str, tuple[int, list[float], list[float]]] = {}
        for of_one in all_gather(seen):
            for name, (places, low, high) in of_one.items():
                if name in merged:
                    before = merged[name]
                    places += before[0]
                    low, high = list(map(min, low, before[1])), list(map(max, high, before[2]))
                merged[name] = (places, low, high)
        counts: dict[int, tuple[int, int]] = {}
        for name, (places, low, high) in merged.items():
            if places >= MIN_PLACES:
                flat = int(_flat(torch.tensor(low), torch.tensor(high)).sum())
                dead, of = counts.get(self.levels[name], (0, 0))
                counts[self.levels[name]] = (dead + flat, of + len(low))
        return dict(sorted(counts.items()))


def _flat(low: Tensor, high: Tensor) -> Tensor:
    """(C,) whether the smallest and largest value are one."""
    return high - low <= _FLAT * torch.maximum(low.abs(), high.abs())


@contextmanager
def watched_channels(generator: UnetGenerator) -> Iterator[Channels]:
    """Watches, while the block lasts, what the generator computes: the maps between its levels, and what its activations
    give.  The innermost level and the style conditioning there count as level ``depth``."""
    channels, hooks = Channels(), []
    innermost = "unet" + (generator.depth - 1) * ".submodule"
    # The glyph itself, and the map beside a style, which is one and the same everywhere in a run of one style.
    beside = ("unet.up", f"{innermost}.up.activation")
    for name, module in generator.named_modules():
        between = name.endswith((".down", ".up")) and isinstance(
            generator.get_submodule(name.rpartition(".")[0]), UnetSkipConnectionBlock
        )
        if name in beside or not (between or isinstance(module, ACTIVATIONS)):
            continue
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
