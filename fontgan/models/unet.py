"""The generator: a U-Net made of blocks that each hold the next one inside.

Images are -1 ink and +1 paper.  B is the batch, C channels, H and W pixels.
A map of level k has H / 2**k rows; level 0 is the image, level ``depth`` the innermost map (which has as many rows as
the level before it where ``innermost_stride`` is 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fontgan.models.attention import NoTransformer, SelfAttention
from fontgan.models.grad_checkpointing import checkpointed
from fontgan.models.init import initialise
from fontgan.models.layers import LowPass, MakeLayer, check_at_least, check_choice, check_probability
from fontgan.models.refine import NoRefine
from fontgan.models.style import Style, StyleEncoder
from fontgan.models.up import HybridUpPath, OutputHead, UpBlock, UpPath


@dataclass(frozen=True)
class Level:
    """One level of the U-Net: the step from the map of the level before it to its own, and the step up again."""

    number: int
    outer: int  # channels of the map before it
    inner: int  # of its own
    stride: int  # of the convolution down: 2 halves the map, by a 4x4 kernel; 1 keeps its size, by a 3x3 one
    antialias: bool  # whether a fixed low-pass goes before it
    norm: bool  # whether a norm follows it; the outermost and the innermost have none, as in pix2pix
    dropout: float  # probability in the up path
    attention: bool  # whether these work on the encoder's map
    refine: bool
    innermost: bool


def plan_levels(
    depth: int,
    ngf: int,
    *,
    inputs: int,
    dropout: float,
    innermost_stride: int,
    antialias: bool,
    attention_levels: Sequence[int],
    refine_levels: Sequence[int] | None,
) -> list[Level]:
    """The table of levels, 1 (outermost) to ``depth``. Raises: ValueError; the arguments are ``UnetGenerator``'s."""
    check_at_least("depth", depth, 2)
    check_at_least("ngf", ngf)
    check_choice("innermost_stride", innermost_stride, (1, 2))
    check_probability("dropout", dropout)
    widths = [inputs] + [ngf * min(2**level, 8) for level in range(depth)]  # channels of level 0 .. depth
    table = []
    for number in range(1, depth + 1):
        outer, inner, middle = widths[number - 1], widths[number], 1 < number < depth
        stride = innermost_stride if number == depth else 2
        table.append(Level(
            number, outer, inner, stride, antialias=antialias and stride == 2, norm=middle,
            dropout=dropout if middle and outer == inner else 0.0, attention=number in attention_levels,
            refine=refine_levels is None or number in refine_levels, innermost=number == depth,
        ))  # fmt: skip
    return table


def encoder_half(
    level: Level, norm: MakeLayer, attention: MakeLayer, refine: Callable[[int, int], nn.Module], innermost: MakeLayer
) -> nn.Sequential:
    """Activation, convolution down, norm, and what works on the map then, as far as the level has them."""
    down: list[nn.Module] = [] if level.number == 1 else [nn.LeakyReLU(0.2)]
    if level.antialias:
        down.append(LowPass((1, 2, 1)))
    kernel = 4 if level.stride == 2 else 3
    down.append(nn.Conv2d(level.outer, level.inner, kernel, level.stride, 1, bias=not level.norm))
    if level.norm:
        down.append(norm(level.inner))
    # What mixes places from all over the map goes before the refinement, which looks around each place again.
    if level.attention:
        down.append(attention(level.inner))
    if level.innermost:
        down.append(innermost(level.inner))
    if level.refine:
        down.append(refine(level.inner, level.inner))
    return nn.Sequential(*down)


class UnetSkipConnectionBlock(nn.Module):
    """One level of the U-Net: down, what lies inside, up again beside its own skip.

    Shape:  (B, level.outer, H, W) -> (B, block.out_channels, H, W), and the innermost map as ``encode`` gives it.
    Source: Isola et al. 2017 (pix2pix), arXiv:1611.07004; style at the innermost map after zi2zi.

    Args:
        submodule: the next block, or at the innermost level the style conditioning.
        condition: style conditioning of the map that comes out of ``submodule``, or None.
        up: the decoder's half, called with that map and what ``down`` was called with.
    """

    def __init__(self, down: nn.Module, submodule: nn.Module, condition: nn.Module | None, up: UpBlock | OutputHead):
        super().__init__()
        self.down, self.submodule, self.condition, self.up = down, submodule, condition, up
        self.out_channels = up.out_channels
        self.innermost = isinstance(submodule, Style)
        self.recompute = False  # in training, see ``UnetGenerator.set_grad_checkpointing``

    def encode(self, x: Tensor) -> Tensor:
        """(B, level.outer, H, W) -> the innermost map, before any style."""
        down = self._run(self.down, x)
        return down if self.innermost else self.submodule.encode(down)  # type: ignore[operator]

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        down = self._run(self.down, x)
        inside, innermost = (self.submodule(down, style), down) if self.innermost else self.submodule(down, style)
        if self.condition is not None:
            inside = self.condition(inside, style)
        return self._run(self.up, inside, x), innermost

    def _run(self, part: nn.Module, *inputs: Tensor) -> Tensor:
        """One half of this level; where it is to be recomputed, its maps are not kept for the way back."""
        return checkpointed(part, *inputs) if self.recompute and torch.is_grad_enabled() else part(*inputs)


class UnetGenerator(nn.Module):
    """Draws a source glyph in a style.

    Shape: inputs (B, 1 + guides, H, W) and style weights (B, styles) -> ink logits (B, 1, H, W), float32.
           The first input is the source glyph, -1 ink .. +1 paper; the others are the same character of further fonts.
           ``image_from_logits`` turns them into an image, -1 ink .. +1 paper.
           With a ``StyleEncoder`` the style may also be given as references (B, K, H, W), -1 ink .. +1 paper.

    Args:
        up: makes the up-path blocks, see ``fontgan.models.up``.
        style: conditioning as a callable (channels, styles), see ``fontgan.models.style``.
        guides: how many further fonts it sees the character of, 0 or more.
        ngf: channels of level 1, 1 or more; they double each level up to 8 * ngf.
        depth: how often the map is halved, 2 or more; an image needs at least 2**depth pixels a side.
        dropout: probability 0 to below 1, in the up path's middle levels of full width (8 * ngf), as in pix2pix.
        attention: channels -> attention, at the encoder maps of ``attention_levels`` (1 to depth).
        encoder_refine: (in_channels, out_channels) -> refinement, see ``fontgan.models.refine``, after the encoder
            levels of ``encoder_refine_levels``; None for all of them.
        innermost: channels -> what works on the innermost map before the style.
        innermost_stride: 1 keeps the size of the map before at the innermost level, so that the map is halved once
            less; else 2.
        antialias_down: a fixed low-pass before each convolution of the encoder that halves, so that no fine detail
            folds into false coarse one (Zhang 2019, arXiv:1904.11486; Karras et al. 2020, arXiv:1912.04958).
        head_channels: see ``OutputHead``.
        sharpness: of what is drawn, 1 or more, see ``sharp_image_from_logits``; no training sees it.
        init: a scheme of ``fontgan.models.init``.

    Raises: ValueError where a number or a level is out of range.
    """

    def __init__(
        self,
        *,
        styles: int,
        guides: int = 0,
        up: UpPath | HybridUpPath,
        style: Callable[..., Style],
        norm: MakeLayer,
        ngf: int = 64,
        depth: int = 8,
        dropout: float = 0.0,
        attention: MakeLayer = SelfAttention,
        attention_levels: Sequence[int] = (),
        encoder_refine: Callable[[int, int], nn.Module] = NoRefine,
        encoder_refine_levels: Sequence[int] | None = None,
        innermost: MakeLayer = NoTransformer,
        innermost_stride: int = 2,
        antialias_down: bool = False,
        head_channels: int = 0,
        sharpness: float = 1.0,
        init: str = "normal",
    ):
        check_at_least("sharpness", sharpness)
        super().__init__()
        levels = plan_levels(
            depth, ngf, inputs=1 + guides, dropout=dropout, innermost_stride=innermost_stride, antialias=antialias_down,
            attention_levels=attention_levels, refine_levels=encoder_refine_levels,
        )  # fmt: skip
        named = {"attention_levels": attention_levels, "encoder_refine_levels": encoder_refine_levels or ()}
        for key, numbers in {**named, **up.named_levels()}.items():
            if beyond := [number for number in numbers if not 1 <= number <= depth]:
                raise ValueError(f"generator.{key}: no level {beyond[0]}; levels go from 1 to generator.depth={depth}.")
        self.styles = styles
        self.in_channels = 1 + guides
        self.depth = depth
        self.sharpness = sharpness

        # From the inside out.  The order in which modules are made decides which weights a seed draws.
        entry = style(levels[-1].inner, styles)
        inside: Style | UnetSkipConnectionBlock = entry
        for level in reversed(levels):
            channels = inside.out_channels
            down = encoder_half(level, norm, attention, encoder_refine, innermost)
            condition = None if level.innermost else entry.for_level(channels)
            parts = up.at(level.number)
            decoder_half: UpBlock | OutputHead
            if level.number == 1:
                decoder_half = OutputHead(channels, parts.resize, head_channels=head_channels)
            else:
                decoder_half = UpBlock(
                    channels, level.outer, parts, norm=norm, dropout=level.dropout, stride=level.stride
                )
            inside = UnetSkipConnectionBlock(down, inside, condition, decoder_half)
        assert isinstance(inside, UnetSkipConnectionBlock)
        self.unet = inside
        initialise(self, init)

    @property
    def style(self) -> Style:
        """The style conditioning of the innermost map."""
        found: nn.Module = self.unet
        while isinstance(found, UnetSkipConnectionBlock):
            found = found.submodule
        assert isinstance(found, Style)
        return found

    @property
    def reference_style(self) -> StyleEncoder | None:
        """The style conditioning if it reads references, else None."""
        return self.style if isinstance(self.style, StyleEncoder) else None

    def encode(self, inputs: Tensor) -> Tensor:
        """(B, 1 + guides, H, W) -> the innermost map (B, C, h, w), before any style; h is H / 2**depth, or twice that at stride 1."""
        return self.unet.encode(inputs)

    def encode_decode(self, inputs: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Ink logits as ``forward`` gives them, and the innermost map as ``encode`` does, in one pass."""
        logits, innermost = self.unet(inputs, self.style.style_vector(style))
        return logits.float(), innermost

    def forward(self, inputs: Tensor, style: Tensor) -> Tensor:
        return self.encode_decode(inputs, style)[0]

    def set_grad_checkpointing(self) -> None:
        """From now on training keeps only what goes from level to level, and computes the rest again (``checkpointed``).

        Less memory for a third more time at most; the weights become the same.
        """
        for module in self.modules():
            if isinstance(module, UnetSkipConnectionBlock):
                module.recompute = True


class EncodeDecode(nn.Module):
    """``encode_decode`` of a generator as a module of its own: torch compiles, and averages over processes, modules."""

    def __init__(self, generator: UnetGenerator):
        super().__init__()
        self.generator = generator

    def forward(self, inputs: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        return self.generator.encode_decode(inputs, style)
