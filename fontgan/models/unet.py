"""The generator: a U-Net made of blocks that each hold the next one inside.

Images are (B, 1, H, W) with -1 ink and +1 paper.  B is the batch, C channels, H and W pixels.
A map of level k has H / 2**k rows; level 0 is the image, level ``depth`` the innermost map (which has as many rows as
the level before it where ``innermost_stride`` is 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from fontgan.models.attention import SelfAttention
from fontgan.models.grad_checkpointing import checkpointed
from fontgan.models.init import initialise
from fontgan.models.layers import LowPass
from fontgan.models.style import ReferenceStyle, Style
from fontgan.models.up import HybridUpPath, UpPath

Role = Literal["outer", "middle", "inner"]


def _nothing(channels: int) -> None:
    return None


class UnetSkipConnectionBlock(nn.Module):
    """One level of the U-Net: down, what lies inside, up again beside its own skip.

    outer:  convolution down, the block inside, up to the glyph; no skip.
    middle: activation, convolution down, norm, the block inside, up with the skip.
    inner:  activation, convolution down, style conditioning, up with the skip.

    Shape:  (B, outer_channels, H, W) -> (B, block.out_channels, H, W), and the innermost map as ``encode`` gives it.
    Raises: ValueError for a stride of 1 at a level that is not the innermost.
    Source: Isola et al. 2017 (pix2pix), arXiv:1611.07004; style at the innermost map after zi2zi.
    """

    def __init__(
        self,
        outer_channels: int,
        inner_channels: int,
        *,
        role: Role,
        submodule: nn.Module,
        up: Callable[[int], nn.Module],
        norm: Callable[[int], nn.Module],
        condition: Callable[[int], nn.Module | None] = _nothing,
        encoder_blocks: Sequence[Callable[[int], nn.Module]] = (),
        stride: int = 2,
        antialias: bool = False,
    ):
        """
        Args:
            submodule: the next block, or for ``role="inner"`` the style conditioning; has ``out_channels``.
            up: channels that come out of ``submodule`` -> the block that goes up again.
            condition: channels that come out of ``submodule`` -> style conditioning of that map, or None.
            encoder_blocks: what works on the encoder's map after convolution and norm: attention, refinement.
            stride: of the convolution down; 2 takes a 4x4 kernel, 1 a 3x3 one, which keeps the map's size exactly.
            antialias: a fixed low-pass before the convolution, so that halving folds no fine detail into false coarse
                one (Zhang 2019, arXiv:1904.11486; filter before the strided convolution as in Karras et al. 2020,
                arXiv:1912.04958).
        """
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride={stride}: 2 halves the map, 1 keeps it; nothing else lines up again.")
        if stride == 1 and role != "inner":
            raise ValueError(
                "stride=1: only the innermost level can keep its size. Elsewhere the receptive field would hardly "
                "grow, and every map inside would take four times the memory. Use generator.innermost_stride=1, "
                "or a smaller generator.depth."
            )
        self.role = role
        with_norm = role == "middle"
        down: list[nn.Module] = [] if role == "outer" else [nn.LeakyReLU(0.2)]
        if antialias and stride == 2:
            down.append(LowPass((1, 2, 1)))
        kernel = 4 if stride == 2 else 3
        down.append(nn.Conv2d(outer_channels, inner_channels, kernel, stride, 1, bias=not with_norm))
        if with_norm:
            down.append(norm(inner_channels))
        down += [make(inner_channels) for make in encoder_blocks]
        self.down = nn.Sequential(*down)
        self.submodule = submodule
        self.condition = condition(submodule.out_channels)  # type: ignore[arg-type]
        self.up = up(submodule.out_channels)  # type: ignore[arg-type]
        self.out_channels: int = getattr(self.up, "out_channels", outer_channels)
        self.recompute = False  # in training, see ``UnetGenerator.set_grad_checkpointing``

    def encode(self, x: Tensor) -> Tensor:
        """(B, outer_channels, H, W) -> the innermost map, before any style."""
        down = self._run(self.down, x)
        return down if self.role == "inner" else self.submodule.encode(down)  # type: ignore[operator]

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        down = self._run(self.down, x)
        submodule, innermost = (
            (self.submodule(down, style), down) if self.role == "inner" else self.submodule(down, style)
        )
        if self.condition is not None:
            submodule = self.condition(submodule, style)
        beside = x.shape[-2:] if self.role == "outer" else (x,)
        return self._run(self.up, submodule, *beside), innermost

    def _run(self, part: nn.Module, *inputs: Tensor | int) -> Tensor:
        """One half of this level; where it is to be recomputed, its maps are not kept for the way back."""
        if self.recompute and torch.is_grad_enabled():
            return checkpointed(part, *inputs)
        return part(*inputs)


class UnetGenerator(nn.Module):
    """Draws a source glyph in a style.

    Shape: source (B, 1, H, W) and style weights (B, styles) -> ink logits (B, 1, H, W), float32.
           ``fontgan.values.image_from_logits`` turns them into an image, -1 ink .. +1 paper.
           With a ``ReferenceStyle`` the style may also be given as references (B, K, H, W), -1 ink .. +1 paper.

    Args:
        styles: how many styles the model knows.
        up: makes the up-path blocks, see ``fontgan.models.up``.
        style: conditioning as a callable (channels, styles), see ``fontgan.models.style``.
        norm: channels -> normalisation layer.
        ngf: channels of level 1; they double each level up to 8 * ngf.
        depth: how often the map is halved; an image needs at least 2**depth pixels a side.
        dropout: probability 0 to 1, in the up path's middle levels of full width (8 * ngf), as in pix2pix.
        attention: channels -> attention, at the encoder maps of ``attention_levels`` (1 to depth).
        encoder_refine: (in_channels, out_channels) -> refinement, see ``fontgan.models.refine``, after the encoder
            levels of ``encoder_refine_levels``; None for all of them.
        innermost: channels -> what works on the innermost map before the style; None for nothing.
        innermost_stride: 1 keeps the size of the map before at the innermost level, so that the map is halved once
            less.
        antialias_down: a fixed low-pass before each strided convolution of the encoder.
        head_channels: see ``OutputHead``.
        init: a scheme of ``fontgan.models.init``.

    Raises: ValueError where a number or a level is out of range.
    """

    def __init__(
        self,
        *,
        styles: int,
        up: UpPath | HybridUpPath,
        style: Callable[..., Style],
        norm: Callable[[int], nn.Module],
        ngf: int = 64,
        depth: int = 8,
        dropout: float = 0.0,
        attention: Callable[[int], nn.Module] = SelfAttention,
        attention_levels: Sequence[int] = (),
        encoder_refine: Callable[[int, int], nn.Module] | None = None,
        encoder_refine_levels: Sequence[int] | None = None,
        innermost: Callable[[int], nn.Module] | None = None,
        innermost_stride: int = 2,
        antialias_down: bool = False,
        head_channels: int = 0,
        init: str = "normal",
    ):
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth={depth}: the U-Net needs an outer and an inner level, at least 2.")
        if ngf < 1:
            raise ValueError(f"ngf={ngf}: at least 1 channel is needed.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout}: a probability from 0 to below 1 is needed.")
        if head_channels < 0:
            raise ValueError(f"head_channels={head_channels}: 0 or more channels are needed.")
        if innermost_stride not in (1, 2):
            raise ValueError(f"innermost_stride={innermost_stride}: 2 halves the map, 1 keeps its size. Choose 1 or 2.")
        everywhere = range(1, depth + 1)
        _check_levels("attention_levels", attention_levels, depth)
        _check_levels("encoder_refine_levels", encoder_refine_levels or (), depth)
        if isinstance(up, HybridUpPath):
            _check_levels("up.switch", [up.switch], depth)
            _check_levels("up.levels", list(up.levels), depth)
        self.styles = styles
        self.depth = depth
        widths = [1] + [ngf * min(2**level, 8) for level in range(depth)]  # channels of level 0 .. depth

        def encoder_blocks(level: int) -> list[Callable[[int], nn.Module]]:
            found: list[Callable[[int], nn.Module]] = []
            if level in attention_levels:
                found.append(attention)
            if encoder_refine is not None and level in (
                everywhere if encoder_refine_levels is None else encoder_refine_levels
            ):
                found.append(lambda channels: encoder_refine(channels, channels))
            if innermost is not None and level == depth:
                found.append(innermost)
            return found

        entry = style(widths[depth], styles)
        submodule: nn.Module = entry
        for level in range(depth, 1, -1):
            full_width = widths[level] == widths[level - 1] and level < depth
            stride = innermost_stride if level == depth else 2
            submodule = UnetSkipConnectionBlock(
                widths[level - 1],
                widths[level],
                role="inner" if level == depth else "middle",
                submodule=submodule,
                up=partial(
                    up.at(level).block,
                    skip_channels=widths[level - 1],
                    norm=norm,
                    dropout=dropout if full_width else 0.0,
                    stride=stride,
                ),
                norm=norm,
                condition=entry.for_level if level < depth else _nothing,
                encoder_blocks=encoder_blocks(level),
                stride=stride,
                antialias=antialias_down,
            )
        self.unet = UnetSkipConnectionBlock(
            widths[0],
            widths[1],
            role="outer",
            submodule=submodule,
            up=partial(up.at(1).last, out_channels=1, head_channels=head_channels),
            norm=norm,
            condition=entry.for_level,
            encoder_blocks=encoder_blocks(1),
            antialias=antialias_down,
        )
        initialise(self, init)

    @property
    def reference_style(self) -> ReferenceStyle | None:
        """The style conditioning if it reads references, else None."""
        submodule: nn.Module = self.unet
        while isinstance(submodule, UnetSkipConnectionBlock):
            submodule = submodule.submodule
        return submodule if isinstance(submodule, ReferenceStyle) else None

    def encode(self, source: Tensor) -> Tensor:
        """(B, 1, H, W) -> the innermost map (B, C, h, w), before any style; h is H / 2**depth, twice that for an
        ``innermost_stride`` of 1."""
        return self.unet.encode(source)

    def set_grad_checkpointing(self) -> None:
        """From now on training keeps only what goes from level to level, and computes the rest again in the backward pass.

        Less memory for a third more time at most; the weights become the same.
        Source: Chen et al. 2016 (gradient checkpointing), arXiv:1604.06174.
        """
        for module in self.modules():
            if isinstance(module, UnetSkipConnectionBlock):
                module.recompute = True

    def encode_decode(self, source: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Ink logits as ``forward`` gives them, and the innermost map as ``encode`` does, in one pass."""
        reader = self.reference_style
        logits, innermost = self.unet(source, style if reader is None else reader.style_vector(style))
        return logits.float(), innermost

    def forward(self, source: Tensor, style: Tensor) -> Tensor:
        return self.encode_decode(source, style)[0]


class EncodeDecode(nn.Module):
    """``encode_decode`` of a generator as a module of its own: torch compiles, and averages over processes, modules."""

    def __init__(self, generator: UnetGenerator):
        super().__init__()
        self.generator = generator

    def forward(self, source: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        return self.generator.encode_decode(source, style)


def _check_levels(key: str, levels: Sequence[int], depth: int) -> None:
    beyond = [level for level in levels if not 1 <= level <= depth]
    if beyond:
        raise ValueError(f"generator.{key}: no level {beyond[0]}; levels go from 1 to generator.depth={depth}.")
